/** Work in slices, with turns of the event loop between them. */
import { setImmediate } from "node:timers";
import { crc32 } from "#js/storage/crc32.js";

/** Longest slice, in milliseconds. */
const SLICE_MS = 8;
/** Bytes whose checksum takes about a millisecond or two. */
const SUM_BYTES = 1024 * 1024;

/** Resolves after a turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Clock of slices. Other work between two slices counts, which does no harm. */
export class Slice {
  #began: number = performance.now();

  get over(): boolean {
    return performance.now() - this.#began > SLICE_MS;
  }

  async next(): Promise<void> {
    await turn();
    this.#began = performance.now();
  }
}

/** Computes `crc32`, of long bytes in slices. */
export async function crc32InSlices(bytes: Uint8Array, seed = 0): Promise<number> {
  let sum = seed;
  const slice = new Slice();
  for (let at = 0; at < bytes.length; at += SUM_BYTES) {
    if (slice.over) await slice.next();
    sum = crc32(bytes.subarray(at, at + SUM_BYTES), sum);
  }
  return sum;
}
