/** Imports of the module of the capsule beside those of Lua: docs/codec.md, section 8. */
import type { ImportFunctions } from "../instance/imports.js";
import { fileImports, type Files } from "./files.js";

/** Random numbers that are asked for at once. */
const RANDOM_BATCH = 64;

export interface CapsuleImportsOptions {
  readonly files: Files;
  /** The instance's memory; first asked for at the first call. */
  readonly memory: () => WebAssembly.Memory;
  /** Told how many messages wait. Must not throw. */
  readonly notify: (count: number) => void;
  /** Milliseconds since 1970, UTC. Must not throw. */
  readonly now?: () => number;
}

/** Answers of all of them. */
export function capsuleImports({ files, memory, notify, now = Date.now }: CapsuleImportsOptions): ImportFunctions {
  const random = new Uint32Array(RANDOM_BATCH);
  let used = RANDOM_BATCH;
  // Asked for now, so that a platform without it is refused here and not within the module.
  globalThis.crypto.getRandomValues(random.subarray(0, 1));
  return {
    ...fileImports(files, memory),
    capsule_clock_ms: () => now(),
    capsule_random_u32: () => {
      if (used === RANDOM_BATCH) {
        globalThis.crypto.getRandomValues(random);
        used = 0;
      }
      const number = random[used] as number;
      // Used once: who reads this memory later learns nothing.
      random[used++] = 0;
      return number;
    },
    capsule_notify: (count: number) => notify(count >>> 0),
  };
}
