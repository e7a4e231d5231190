// PUC Lua for this machine, from the same C files as the wasm module.
//
// gcc -O3, like the fast part of the wasm module (PUC's makefile says -O2); otherwise as `make linux` does.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const FLAGS = ["-std=gnu99", "-O3", "-DLUA_USE_POSIX", "-DLUA_COMPAT_5_3"];

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const SOURCES = path("../../lua-5.4/src/");
const HARNESS = path("../native/harness.c");
const OUTPUT = path("../../target/bench/native");

/**
 * Returns the path of the harness, compiled when older than its sources; null when there is no C source yet.
 */
export function nativeHarness() {
  if (!existsSync(`${SOURCES}/lua.h`)) return null;
  const sources = readdirSync(SOURCES)
    .filter((file) => file.endsWith(".c") && !["lua.c", "luac.c", "onelua.c", "ltests.c"].includes(file))
    .map((file) => `${SOURCES}/${file}`);
  const inputs = [HARNESS, path("./native.mjs"), ...sources];
  const made = existsSync(OUTPUT) ? statSync(OUTPUT).mtimeMs : 0;
  if (inputs.some((file) => statSync(file).mtimeMs > made)) {
    mkdirSync(path("../../target/bench/"), { recursive: true });
    execFileSync("gcc", [...FLAGS, `-I${SOURCES}`, "-o", OUTPUT, HARNESS, ...sources, "-lm"], { stdio: "inherit" });
  }
  return OUTPUT;
}
