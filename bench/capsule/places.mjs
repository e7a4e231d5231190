// Folders for databases in files: on the disk, not in the system's folder for temporary files, which may be
// in memory.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PLACES = fileURLToPath(new URL("../../target/bench/", import.meta.url));

/** Makes a folder; `file` is the path of a database in it. */
export function makePlace() {
  mkdirSync(PLACES, { recursive: true });
  const folder = mkdtempSync(join(PLACES, "capsule-"));
  return { file: join(folder, "a.db"), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
