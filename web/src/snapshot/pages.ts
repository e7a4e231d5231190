/**
 * Pages of an instance's memory: which of them an image has, how they are read, packed, and put into another
 * instance.
 *
 * A page is taken as its difference (exclusive or) from the same page of an instance that has just begun:
 * what the module itself brings along, its constants above all, is all zeros then, as is what was never used.
 *
 * Invariant: the stack and the IO buffer are no part of an image. Between two calls they hold nothing, and
 * they are what packing works with: a memory does not change while it is read.
 */
import type { Exports } from "../instance/imports.js";
import { IO_BUFFER_BYTES } from "../codec/tags.js";

/** Bytes of a page, which is compressed, and kept, as one. */
export const PAGE_BYTES: number = 16 * 1024;
/** Bytes of a page of WebAssembly, by which linear memory grows. */
export const WASM_PAGE_BYTES: number = 64 * 1024;

const WORDS = PAGE_BYTES / 4;
const HALF_BYTES = IO_BUFFER_BYTES / 2;

/** An instance of a module before `init`. */
export interface Baseline {
  /** Build id of the module; undefined when it has none. */
  readonly build: string | undefined;
  /** Memory of the instance, in words of four bytes. */
  readonly words: Int32Array;
  /** Address of the IO buffer. */
  readonly io: number;
  /**
   * Number of the first page behind the stack, which comes first in memory and is a whole number of pages.
   */
  readonly first: number;
}

/** Pages of a memory that differ from the baseline, one behind the other. */
export interface MemoryPart {
  readonly memoryBytes: number;
  readonly numbers: readonly number[];
  readonly words: Int32Array;
}

const baselines = new WeakMap<WebAssembly.Module, Baseline>();

/** Returns the baseline of a module, of which `exports` is an instance that was not initialised yet. */
export function baselineOf(module: WebAssembly.Module, exports: Exports): Baseline {
  let baseline = baselines.get(module);
  if (baseline === undefined) {
    const words = new Int32Array(exports.memory.buffer.slice(0));
    baseline = { build: buildOf(module), words, io: exports.io_ptr() >>> 0, first: exports.stack_len() / PAGE_BYTES };
    baselines.set(module, baseline);
  }
  return baseline;
}

/** Returns the id that the build has given to a module (web/scripts/stamp.mjs), in hexadecimal digits. */
export function buildOf(module: WebAssembly.Module): string | undefined {
  const [section] = WebAssembly.Module.customSections(module, "perilune.build");
  if (section === undefined) return undefined;
  return hex(new Uint8Array(section));
}

/** Returns bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The memory of one instance, page by page. */
export class MemoryPages {
  readonly #exports: Exports;
  readonly #baseline: Baseline;
  readonly #difference = new Int32Array(WORDS);
  #words = new Int32Array(0);

  constructor(exports: Exports, baseline: Baseline) {
    this.#exports = exports;
    this.#baseline = baseline;
  }

  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Numbers of the pages that can be part of an image. */
  get range(): { readonly first: number; readonly end: number } {
    return { first: this.#baseline.first, end: this.memoryBytes / PAGE_BYTES };
  }

  /**
   * Reads a page; undefined when it does not differ from the baseline. Valid until the next is read, or
   * anything runs.
   */
  read(number: number): Int32Array | undefined {
    const words = this.#fresh();
    const start = number * WORDS;
    const { words: base, io } = this.#baseline;
    if (start >= base.length) {
      for (let at = start; at < start + WORDS; at++) if (words[at] !== 0) return words.subarray(start, start + WORDS);
      return undefined;
    }
    const difference = this.#difference;
    const [ioStart, ioEnd] = [io / 4, (io + IO_BUFFER_BYTES) / 4];
    let any = 0;
    for (let at = start; at < start + WORDS; at++) {
      const word = at >= ioStart && at < ioEnd ? 0 : (words[at] as number) ^ (base[at] as number);
      difference[at - start] = word;
      any |= word;
    }
    return any === 0 ? undefined : difference;
  }

  /**
   * Compresses the page that was read last; returns its `PAGE_BYTES` bytes when that would not make it
   * shorter. Valid until the next is packed.
   */
  pack(number: number, page: Int32Array): Uint8Array {
    const { io } = this.#baseline;
    let address = number * PAGE_BYTES;
    if (page === this.#difference) {
      address = io;
      this.#fresh().set(page, io / 4);
    }
    const length = this.#exports.pack(address, PAGE_BYTES) >>> 0;
    const { buffer } = this.#exports.memory;
    return length === 0 ? new Uint8Array(buffer, address, PAGE_BYTES) : new Uint8Array(buffer, io + HALF_BYTES, length);
  }

  /**
   * Unpacks a page that `pack` has made; undefined when these bytes are none. Valid until the next is
   * unpacked.
   */
  unpack(packed: Uint8Array): Int32Array | undefined {
    const { io } = this.#baseline;
    const bytes = new Uint8Array(this.#exports.memory.buffer);
    bytes.set(packed, io);
    if (packed.length === PAGE_BYTES) return this.#fresh().subarray(io / 4, io / 4 + WORDS);
    if (packed.length > PAGE_BYTES || this.#exports.unpack(packed.length) >>> 0 !== PAGE_BYTES) return undefined;
    return this.#fresh().subarray((io + HALF_BYTES) / 4, (io + HALF_BYTES) / 4 + WORDS);
  }

  /**
   * Yields all pages that differ from the baseline, compressed. Each is valid until the next is asked for.
   */
  *packed(): Generator<readonly [number: number, packed: Uint8Array]> {
    const { first, end } = this.range;
    for (let number = first; number < end; number++) {
      const page = this.read(number);
      if (page !== undefined) yield [number, this.pack(number, page)];
    }
  }

  /** Captures all pages that differ from the baseline. */
  capture(): MemoryPart {
    const { first, end } = this.range;
    const numbers: number[] = [];
    let words = new Int32Array(16 * WORDS);
    for (let number = first; number < end; number++) {
      const page = this.read(number);
      if (page === undefined) continue;
      const at = numbers.push(number) * WORDS;
      if (at > words.length) {
        const more = new Int32Array(2 * words.length);
        more.set(words);
        words = more;
      }
      words.set(page, at - WORDS);
    }
    return { memoryBytes: this.memoryBytes, numbers, words: words.slice(0, numbers.length * WORDS) };
  }

  /**
   * Makes this memory, which must be that of an instance before `init`, the captured one. Throws when it
   * cannot grow.
   */
  apply({ memoryBytes, numbers, words: from }: MemoryPart): void {
    const missing = memoryBytes - this.memoryBytes;
    if (missing > 0) this.#exports.memory.grow(missing / WASM_PAGE_BYTES);
    const words = this.#fresh();
    const { words: base } = this.#baseline;
    numbers.forEach((number, index) => {
      const [start, source] = [number * WORDS, index * WORDS];
      words.set(from.subarray(source, source + WORDS), start);
      for (let at = start; at < Math.min(start + WORDS, base.length); at++) words[at]! ^= base[at] as number;
    });
    // It was the scratch of unpacking.
    new Uint8Array(this.#exports.memory.buffer).fill(0, this.#baseline.io, this.#baseline.io + IO_BUFFER_BYTES);
  }

  #fresh(): Int32Array {
    // A view of memory that has grown since has length 0.
    if (this.#words.length === 0) this.#words = new Int32Array(this.#exports.memory.buffer);
    return this.#words;
  }
}
