/**
 * `npm test`: the tests, bundled with what they test into .cache/test/ and run by `node --test`.
 *
 * With words: only files whose path has one of them (`npm test -- codec e2e`).
 */
import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { basename, resolve } from "node:path";
import { build } from "esbuild";
import { modules, options, root, run } from "./bundle.mjs";

const words = process.argv.slice(2);
const sources = ["test", "e2e"]
  .flatMap((folder) => readdirSync(resolve(root, folder)).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));

const outdir = resolve(root, ".cache/test");
rmSync(outdir, { recursive: true, force: true });
await build({
  ...options,
  entryPoints: sources,
  outdir,
  outbase: ".",
  outExtension: { ".js": ".mjs" },
  chunkNames: "[name]-[hash]",
  platform: "node",
  packages: "external",
  sourcemap: true,
});
// Beside every file that may have the loader in it.
for (const folder of ["", "test", "e2e"]) {
  if (!existsSync(resolve(outdir, folder))) continue;
  for (const module of modules.filter(existsSync)) copyFileSync(module, resolve(outdir, folder, basename(module)));
}

const files = sources.map((file) => `.cache/test/${file.replace(/\.ts$/, ".mjs")}`);
run("node", [
  "--expose-gc",
  "--enable-source-maps",
  "--test-concurrency=2",
  "--test-reporter=spec",
  "--test",
  ...files,
]);
