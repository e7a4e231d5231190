/**
 * The module's memory as the package uses it: input into the IO buffer (or a spill), replies out of it
 * (docs/codec.md sections 2 and 3).
 *
 * Invariant: no view of memory is trusted after the module ran; `#fresh` makes it anew when memory has grown.
 * Not here: whether the VM may be called at all (vm.ts).
 */
import { LuaMemoryError } from "./errors.js";
import type { Exports } from "./imports.js";
import { Reader, readInteger } from "./reader.js";
import { IO_BUFFER_BYTES, Status, Tag } from "./tags.js";
import { encodeText, utf8 } from "./utf8.js";
import type { LuaValue, Realm } from "./values.js";

/** A source this long fits into the IO buffer whatever its characters are. */
const DIRECT_CHARS_MAX = Math.floor(IO_BUFFER_BYTES / 3);

/** Where the fields of a reply's header are, and a list of one value after it. */
const LIST_AT = 4;
const LIST_LENGTH = 8;
const OUTPUT_LENGTH = 12;
const FIRST_TAG = 20;
const FIRST_BODY = 21;

/** Length of a list of a single integer or float. */
const ONE_NUMBER_BYTES = 13;

/** A reply, copied out of memory. */
export interface Reply {
  readonly status: number;
  readonly list: LuaValue[];
  /** Segments of stream, length and bytes; undefined when nothing was written. */
  readonly output: Uint8Array | undefined;
}

/** Calls into the module, and knows what an exception out of it means. */
export type Guard = <T>(call: () => T) => T;

/** Reads and writes the memory of one instance. */
export class Io {
  readonly #exports: Exports;
  readonly #guard: Guard;
  readonly #at: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  /** `exports` of an instance that has been initialised; what is called goes through `guard`. */
  constructor(exports: Exports, guard: Guard) {
    this.#exports = exports;
    this.#guard = guard;
    this.#at = exports.io_ptr() >>> 0;
  }

  /** Puts source where the next call looks for it; returns its length. */
  putSource(code: string): number {
    if (code.length <= DIRECT_CHARS_MAX) return encodeText(code, this.#fresh(), this.#at);
    const bytes = utf8(code);
    return this.put(bytes, bytes.length);
  }

  /** Puts the first `length` of the bytes where the next call looks for them; returns `length`. */
  put(bytes: Uint8Array, length: number): number {
    let at = this.#at;
    if (length > IO_BUFFER_BYTES) {
      at = this.#guard(() => this.#exports.io_reserve(length)) >>> 0;
      if (at === 0) throw new LuaMemoryError("memory", `not enough memory for an input of ${length} bytes`);
    }
    this.#fresh().set(length === bytes.length ? bytes : bytes.subarray(0, length), at);
    return length;
  }

  /** The usual answer, a single number and no output, read without making anything; else undefined. */
  singleNumber(): number | bigint | undefined {
    const bytes = this.#fresh();
    const view = this.#view;
    const at = this.#at;
    if (bytes[at] !== Status.ok || view.getUint32(at + OUTPUT_LENGTH, true) !== 0) return undefined;
    if (view.getUint32(at + LIST_LENGTH, true) !== ONE_NUMBER_BYTES) return undefined;
    if (bytes[at + FIRST_TAG] === Tag.integer) return readInteger(view, at + FIRST_BODY);
    if (bytes[at + FIRST_TAG] === Tag.float) return view.getFloat64(at + FIRST_BODY, true);
    return undefined;
  }

  /** The reply of the last call. */
  reply(realm: Realm): Reply {
    const bytes = this.#fresh();
    const view = this.#view;
    const start = view.getUint32(this.#at + LIST_AT, true);
    const middle = start + view.getUint32(this.#at + LIST_LENGTH, true);
    const end = middle + view.getUint32(this.#at + OUTPUT_LENGTH, true);
    return {
      status: view.getUint8(this.#at),
      list: new Reader(bytes, start, middle, realm).list(),
      output: end === middle ? undefined : bytes.slice(middle, end),
    };
  }

  #fresh(): Uint8Array {
    // A view of memory that has grown since has length 0.
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#exports.memory.buffer);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return this.#bytes;
  }
}
