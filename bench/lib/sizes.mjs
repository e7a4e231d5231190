// Sizes of what a page must load: the module, and the JavaScript around it, bundled and minified by the same
// tool.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { minified } from "./bundle.mjs";
import { markdown } from "./report.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const PACKAGES = [
  {
    engine: "perilune",
    name: "Perilune",
    entry: path("../../web/dist/index.js"),
    wasm: path("../../web/dist/perilune.wasm"),
  },
  {
    engine: "base",
    name: "base",
    entry: path("../../target/bench/base/index.js"),
    wasm: path("../../target/bench/base/perilune.wasm"),
  },
  {
    engine: "wasmoon",
    name: "wasmoon",
    entry: path("../node_modules/wasmoon/dist/index.js"),
    wasm: path("../node_modules/wasmoon/dist/glue.wasm"),
  },
  { engine: "fengari", name: "fengari", entry: path("../node_modules/fengari/src/fengari.js") },
];

/** Returns a row for each of `engines` that is a package. */
export async function sizes(engines) {
  const rows = [];
  for (const { name, entry, wasm } of PACKAGES.filter(({ engine }) => engines.includes(engine))) {
    if (!existsSync(entry)) continue;
    const wasmBytes = wasm ? sized(readFileSync(wasm)) : { raw: 0, gzip: 0 };
    const js = sized(await minified(entry));
    rows.push({ name, wasm: wasmBytes, js, total: { raw: wasmBytes.raw + js.raw, gzip: wasmBytes.gzip + js.gzip } });
  }
  return rows;
}

export function sizeTable(rows) {
  const columns = ["wasm", "js", "total"];
  const head = ["size, bytes (gzip -9)", "wasm", "JS, minified", "together"];
  const shown = ({ raw, gzip }) => (raw ? `${raw} (${gzip})` : "–");
  return markdown(
    head,
    rows.map((row) => [row.name, ...columns.map((column) => shown(row[column]))]),
  );
}

const sized = (bytes) => ({ raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });
