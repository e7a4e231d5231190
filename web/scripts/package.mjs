/** The JavaScript of the package, bundled, with the modules beside it. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { build } from "esbuild";
import { modules, options } from "./bundle.mjs";
import { shifted } from "./source_map.mjs";

/** The entries that stand on another one do so as the package's users do. */
const onEntry = (file) => ({
  name: "on-entry",
  setup(build) {
    build.onResolve({ filter: /^\.\/index\.js$/ }, () => ({ path: `./${file}`, external: true }));
  },
});

/**
 * Bundles into `outdir`, with source maps that hold their sources. One file for each entry: what `index` and
 * `raw` share is small, and chunks of their own would cost more in `index`. Returns the paths of
 * modules that are missing.
 */
export async function buildPackage(outdir, { sourcemap = true } = {}) {
  rmSync(outdir, { recursive: true, force: true });
  // Node prints the whole line that threw before it says what was thrown: it must not be all of the package.
  const shared = { ...options, splitting: false, outdir, minify: true, lineLimit: 1000, sourcemap };
  await build({ ...shared, entryPoints: ["src/index.ts", "src/raw.ts"] });
  await build({ ...shared, entryPoints: ["src/wasmoon.ts", "src/workerd.ts"], plugins: [onEntry("index.js")] });
  await build({ ...shared, entryPoints: { node: "src/node.ts" }, ...onNode("index.js") });
  // What it shares with `index` is in it again: a page has one of them, and their errors know each other by a
  // mark.
  await build({ ...shared, entryPoints: { capsule: "src/capsule/index.ts" } });
  // Loaded by its address, so that it is whole by itself.
  await build({ ...shared, entryPoints: { capsule_worker: "src/capsule/worker.ts" } });
  await build({ ...shared, entryPoints: { capsule_node: "src/capsule/node.ts" }, ...onNode("capsule.js") });
  await build({ ...shared, entryPoints: ["src/react.ts"], external: ["react"] });
  for (const file of ["index.js", "raw.js", "capsule.js", "capsule_worker.js"])
    keepComments(resolve(outdir, file), sourcemap);
  for (const module of modules.filter(existsSync)) copyFileSync(module, resolve(outdir, basename(module)));
  return modules.filter((module) => !existsSync(module));
}

/** Settings of an entry of Node that stands on another one. */
function onNode(file) {
  return { external: ["node:*"], plugins: [...options.plugins, onEntry(file)] };
}

/**
 * Puts back the comments that tell webpack and Vite to leave the import of src/instance/loader.ts alone,
 * whose address is made at run time: the minifier drops them. The source map beside the file is moved along.
 */
function keepComments(file, sourcemap) {
  const text = readFileSync(file, "utf8");
  const parts = text.split("await import([");
  if (parts.length !== 2) throw new Error(`${file}: where is the import of loader.ts?`);
  const comments = "/* webpackIgnore: true */ /* @vite-ignore */";
  writeFileSync(file, `${parts[0]}await import(${comments}[${parts[1]}`);
  if (sourcemap !== true) return;
  const before = `${parts[0]}await import(`.split("\n");
  const map = JSON.parse(readFileSync(`${file}.map`, "utf8"));
  map.mappings = shifted(map.mappings, before.length - 1, before.at(-1).length, comments.length);
  writeFileSync(`${file}.map`, JSON.stringify(map));
}
