/**
 * `npm run coverage`: the tests, and which lines of src/ and ../src/js they ran.
 *
 * What runs in Chromium counts too: the e2e tests are given a package with source maps and leave their counts where
 * c8 finds those of Node.
 */
import { mkdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { buildPackage } from "./package.mjs";
import { root, run } from "./bundle.mjs";

const counts = resolve(root, ".cache/coverage");
const dist = resolve(root, ".cache/coverage-dist");

rmSync(counts, { recursive: true, force: true });
mkdirSync(counts, { recursive: true });
await buildPackage(dist, { sourcemap: "inline" });

const args = ["--clean=false", "--allowExternal", "--exclude-after-remap", "--include=src/**/*.ts"];
args.push("--include=../src/js/*.js", "--reporter=text", "--reporter=json-summary", "--reports-dir=coverage");
args.push(`--temp-directory=${counts}`, "node", "scripts/test.mjs", ...process.argv.slice(2));
run("c8", args, { env: { ...process.env, PERILUNE_COVERAGE: counts, PERILUNE_DIST: dist } });
