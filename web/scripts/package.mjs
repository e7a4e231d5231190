/** The JavaScript of the package, bundled, with the modules beside it. */
import { copyFileSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { modules, options } from "./bundle.mjs";
import { buildParts } from "./parts.mjs";
import { shifted } from "./source_map.mjs";

/** The entries that stand on another one do so as the package's users do. */
const onEntry = (file) => beside(/^\.\.?\/(index|node)\.js$/, file);

/** Keeps storage in files a file of its own: a program loads it when it opens one. */
const files = beside(/^\.\/storage\/file\/storage\.js$/, "file_storage.js");

/** Keeps the text of the module a file of its own: a page loads it only where it has to. */
const inlineModule = beside(/^\.\/inline_module\.js$/, "inline_module.js");

function beside(filter, file) {
  return {
    name: `beside-${file}`,
    setup(build) {
      build.onResolve({ filter }, () => ({ path: `./${file}`, external: true }));
    },
  };
}

/**
 * Bundles into `outdir`, with source maps that hold their sources. One file for each entry: what `index` and
 * `raw` share is small, and chunks of their own would cost more in `index`. Returns the paths of
 * modules that are missing.
 */
export async function buildPackage(outdir, { sourcemap = true } = {}) {
  rmSync(outdir, { recursive: true, force: true });
  // Node prints the whole line that threw before it says what was thrown: it must not be all of the package.
  const plugins = [...options.plugins, inlineModule];
  const shared = { ...options, plugins, splitting: false, outdir, minify: true, lineLimit: 1000, sourcemap };
  const parts = await buildParts("src/index.ts", shared);
  const loading = [parts.loading, ...plugins];
  await build({ ...shared, entryPoints: ["src/index.ts", "src/raw.ts"], plugins: loading });
  await build({ ...shared, entryPoints: ["src/wasmoon.ts"], plugins: [onEntry("index.js")] });
  await build({ ...shared, entryPoints: ["src/whole.ts"], plugins: [parts.having, onEntry("index.js")] });
  await build({
    ...shared,
    entryPoints: ["src/workerd.ts"],
    plugins: [beside(/^\.\/whole\.js$/, "whole.js"), onEntry("index.js")],
  });
  await build({ ...shared, entryPoints: ["src/inline.ts"], plugins: [onEntry("index.js")] });
  await build({ ...shared, entryPoints: ["src/inline_node.ts"], plugins: [onEntry("node.js")] });
  await build({ ...shared, entryPoints: { node: "src/node.ts" }, ...onNode("index.js", files) });
  await build({ ...shared, entryPoints: { file_storage: "src/storage/file/storage.ts" }, external: ["node:*"] });
  // What it shares with `index` is in it again: a page has one of them, and their errors know each other by a
  // mark.
  await build({ ...shared, entryPoints: { capsule: "src/capsule/index.ts" } });
  // Loaded by its address, so that it is whole by itself.
  await build({ ...shared, entryPoints: { capsule_worker: "src/capsule/worker.ts" } });
  await build({ ...shared, entryPoints: { capsule_node: "src/capsule/node.ts" }, ...onNode("capsule.js") });
  await build({ ...shared, entryPoints: ["src/react.ts"], external: ["react"] });
  for (const file of ["index.js", "raw.js", "capsule.js", "capsule_worker.js"])
    keepComments(resolve(outdir, file), sourcemap);
  writeInlineModule(outdir, "inline_module.js", (text) => `export default ${text};\n`);
  await buildCommonJs(outdir, shared);
  for (const module of modules.filter(existsSync)) copyFileSync(module, resolve(outdir, basename(module)));
  return modules.filter((module) => !existsSync(module));
}

/** Writes the module as text, gzip in base64; empty where it is not built. */
function writeInlineModule(outdir, file, program) {
  const [module] = modules;
  const packed = existsSync(module) ? gzipSync(readFileSync(module), { level: 9 }).toString("base64") : "";
  writeFileSync(resolve(outdir, file), program(JSON.stringify(packed)));
}

/**
 * Finishes the types: `#js/...` become paths, which every compiler finds; copies for compilers before
 * TypeScript 5.7, in which `Uint8Array` has no parameter, and some have no disposal; and the same beside the
 * entry for `require`, as types of CommonJS.
 */
export function finishTypes(outdir) {
  const types = resolve(outdir, "types");
  rewriteTypes(types, (text, up) => text.replaceAll(/"#js\//g, `"${up}js/`));
  const older = resolve(outdir, "types-5.0");
  cpSync(types, older, { recursive: true });
  rewriteTypes(older, (text) =>
    text
      .replaceAll(/\b(\w+Array|DataView)<ArrayBuffer(Like)?>/g, "$1")
      .replaceAll(/^.*\[Symbol\.(async)?[dD]ispose\].*\n/gm, "")
      .replaceAll(/^\/\/\/ <reference lib="esnext.disposable".*\n/gm, ""),
  );
  cpSync(older, resolve(outdir, "cjs/types"), { recursive: true });
}

/** Rewrites each declaration file, given its text and the path from it to the folder. */
function rewriteTypes(folder, rewrite) {
  for (const file of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const path = resolve(folder, file);
    const depth = file.split(/[\\/]/).length - 1;
    writeFileSync(path, rewrite(readFileSync(path, "utf8"), depth === 0 ? "./" : "../".repeat(depth)));
  }
}

/**
 * Bundles the package for `require`, in a folder of its own: Jest, and Node before it could require modules.
 * Whoever requires and imports it has it twice; their errors and values know each other by marks.
 */
async function buildCommonJs(outdir, shared) {
  const folder = resolve(outdir, "cjs");
  await build({
    ...shared,
    outdir: folder,
    entryPoints: { index: "src/node.ts" },
    format: "cjs",
    platform: "node",
    external: [...shared.external, "node:*"],
    // A program that requires it may have no `import()`.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "moduleAddress" },
    banner: {
      js: 'var moduleAddress = require("node:url").pathToFileURL(__filename.replace(/cjs.index\\.js$/, "index.js")).href;',
    },
  });
  writeInlineModule(folder, "inline_module.js", (text) => `module.exports = ${text};\n`);
  writeFileSync(resolve(folder, "package.json"), '{ "type": "commonjs" }\n');
}

/** Settings of an entry of Node that stands on another one. */
function onNode(file, ...others) {
  return { external: ["node:*"], plugins: [...others, ...options.plugins, onEntry(file)] };
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
