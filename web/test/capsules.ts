/** Capsules for tests: in memory, of a module that is compiled once, and what they have told. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  Capsule,
  GlyphCase,
  setFiles,
  type CapsuleError,
  type GlyphCaseOptions,
  type Patch,
  type Row,
  type SyncCapsuleOptions,
} from "../src/capsule/index.ts";
import { takeNodeFiles } from "../src/capsule/places_node.ts";

// As the entry of Node does.
setFiles(takeNodeFiles);

/** The module of the capsule, compiled. */
export const wasm: WebAssembly.Module = new WebAssembly.Module(readFileSync(resolve("../target/wasm/capsule.wasm")));

/** Opens a capsule in memory. */
export function open(options: Partial<GlyphCaseOptions> = {}): GlyphCase {
  return new GlyphCase(":memory:", { wasm, stdout: () => {}, ...options });
}

/** Opens a synchronous one in memory. */
export function openSync(options: Partial<SyncCapsuleOptions> = {}): Capsule {
  return Capsule.openSync(":memory:", { wasm, stdout: () => {}, ...options });
}

/** Errors that a capsule tells, as they come. */
export function errorsOf(db: GlyphCase | Capsule): CapsuleError[] {
  const errors: CapsuleError[] = [];
  db.on("error", (error) => void errors.push(error as CapsuleError));
  return errors;
}

/** Kind of the error that a call ends with, and its message. */
export async function failure(call: () => unknown): Promise<{ kind: string; message: string; error: CapsuleError }> {
  try {
    await call();
  } catch (error) {
    const { kind, message } = error as CapsuleError;
    return { kind, message, error: error as CapsuleError };
  }
  throw new Error("it did not fail");
}

/** Applies the patches of a live query to rows. */
export function apply(rows: readonly Row[], patches: readonly Patch[]): Row[] {
  const patched = [...rows];
  for (const patch of patches) {
    if (patch.op === "insert") patched.splice(patch.at, 0, patch.row);
    else if (patch.op === "update") patched[patch.at] = patch.row;
    else if (patch.op === "delete") patched.splice(patch.at, 1);
    else patched.splice(patch.at, 0, ...patched.splice(patch.from, 1));
  }
  return patched;
}
