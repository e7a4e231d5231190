/** `npm run size`: what each entry of the built package costs, with what it imports, and each part. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./bundle.mjs";

const dist = resolve(root, "dist");

function withChunks(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(file, "utf8");
  for (const [, path] of text.matchAll(/(?:from|import)"(\.[^"]+\.js)"/g))
    withChunks(resolve(dirname(file), path), seen);
  return seen;
}

for (const entry of [
  "index.js",
  "lasting.js",
  "restoring.js",
  "whole.js",
  "node.js",
  "file_storage.js",
  "raw.js",
  "wasmoon.js",
  "workerd.js",
  "capsule.js",
  "capsule_node.js",
  "capsule_worker.js",
  "react.js",
]) {
  const files = [...withChunks(resolve(dist, entry))].map((file) => readFileSync(file));
  const sum = (sizes) => sizes.reduce((a, b) => a + b, 0);
  const raw = sum(files.map((file) => file.length));
  const gzip = sum(files.map((file) => gzipSync(file, { level: 9 }).length));
  console.log(`${entry}: ${raw} bytes, ${gzip} gzip (${files.length} files)`);
}
