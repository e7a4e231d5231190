// The build that `--against` names: another built package, measured beside web/dist.

import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const OURS = fileURLToPath(new URL("../../web/dist", import.meta.url));
/** Folder below the repository, whose files the pages are served from; engines/perilune.mjs imports it. */
const COPY = fileURLToPath(new URL("../../target/bench/base", import.meta.url));
/** Files that a build must have; the rest of dist/ (declarations, other entries) is copied with it. */
const FILES = ["index.js", "node.js", "perilune.wasm"];

/**
 * Copies the built package in `folder`, or in the `dist` below it, to where the engine `base` finds it. A
 * copy, so that a build during the run changes nothing. Returns what the report says of both builds.
 */
export function takeBase(folder) {
  const candidates = [resolve(folder), resolve(folder, "dist"), resolve(folder, "web/dist")];
  const dist = candidates.find((path) => FILES.every((file) => existsSync(resolve(path, file))));
  if (!dist)
    throw new Error(
      `--against ${folder}: there is no built package (${FILES.join(", ")}) in it, in its dist or its web/dist`,
    );
  // The copy of an earlier run may be named, too.
  if (dist !== resolve(COPY)) {
    rmSync(COPY, { recursive: true, force: true });
    cpSync(dist, COPY, { recursive: true, dereference: true });
  }
  return { folder, base: fingerprint(COPY), ours: fingerprint(OURS) };
}

/** Returns the first 12 digits of the SHA-256 of all files that are measured. */
function fingerprint(dist) {
  const hash = createHash("sha256");
  for (const file of FILES) hash.update(readFileSync(resolve(dist, file)));
  return hash.digest("hex").slice(0, 12);
}
