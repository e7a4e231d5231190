/**
 * `npm run coverage`: the tests, and which lines of src/ and ../src/js they ran.
 *
 * What runs in Chromium counts too: the e2e tests are given a package with source maps and leave their counts
 * where c8 finds those of Node. Reports stay in coverage/; the last line printed is the sum.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { root, run } from "./bundle.mjs";
import { buildPackage } from "./package.mjs";

const repository = dirname(root);
const counts = resolve(root, ".cache/coverage");
const dist = resolve(root, ".cache/coverage-dist");
const reports = resolve(root, "coverage");

rmSync(counts, { recursive: true, force: true });
mkdirSync(counts, { recursive: true });
await buildPackage(dist, { sourcemap: "inline" });

run(
  "c8",
  [
    "--clean=false",
    // What is counted are the bundles; c8 finds the sources behind them.
    "--include=web/.cache/**",
    "--reporter=text",
    "--reporter=json-summary",
    `--reports-dir=${reports}`,
    `--temp-directory=${counts}`,
    "node",
    resolve(root, "scripts/test.mjs"),
    ...process.argv.slice(2),
  ],
  { cwd: repository, env: { ...process.env, PERILUNE_COVERAGE: counts, PERILUNE_DIST: dist } },
);

let total = 0;
let covered = 0;
for (const [file, { lines }] of Object.entries(JSON.parse(readFileSync(resolve(reports, "coverage-summary.json"))))) {
  if (!/^(web\/src|src\/js)\//.test(relative(repository, file))) continue;
  total += lines.total;
  covered += lines.covered;
}
console.log(`web/src and src/js: ${((100 * covered) / total).toFixed(1)} % of ${total} lines`);
