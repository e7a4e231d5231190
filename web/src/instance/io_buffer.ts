/**
 * The module's memory as calls use it: input into the IO buffer (or a spill), replies out of it
 * (docs/codec.md sections 2 and 3).
 *
 * Invariant: the buffer belongs to one call at a time. A call from inside a host function has it to itself:
 * the input of the outer one is read by then, and its reply is not yet there.
 *
 * Not here: whether the VM may be called at all (instance.ts).
 */
import { LuaMemoryError } from "../errors.js";
import type { Exports } from "./imports.js";
import type { Memory } from "./memory.js";
import { readInteger, writePlain, type Views } from "../codec/plain.js";
import type { Decoder } from "../codec/decoder.js";
import { IO_BUFFER_BYTES, Status, Tag } from "../codec/tags.js";
import { encodeText, utf8 } from "../codec/utf8.js";
import type { Conversion, LuaValue } from "../codec/values.js";

/** Length of a source that fits into the IO buffer whatever its characters are. */
const DIRECT_CHARS_MAX = Math.floor(IO_BUFFER_BYTES / 3);

/** Offsets of the fields of a reply's header, and of a list of one value after it. */
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
  /** True if a host object is in the list itself: not inside of a table. */
  readonly hosted: boolean;
  /** Segments of stream, length and bytes; undefined when nothing was written. */
  readonly output: Uint8Array | undefined;
  /** Error that the list cannot be what was asked for. */
  readonly refusal: unknown;
}

/** Reader of the list in a reply, where it lies. */
export interface ListReader {
  /** True if the last list itself had a host object: not inside of a table. */
  readonly hosted: boolean;
  /** Reads a list that takes all the bytes from `start` to `end`. */
  list(views: Views, start: number, end: number, as?: Conversion): LuaValue[];
}

/** Function that calls into the module, and handles an exception out of it. */
export type Guard = <T>(call: () => T) => T;

/** The IO buffer of one instance. */
export class Io {
  readonly #exports: Exports;
  readonly #memory: Memory;
  readonly #guard: Guard;
  readonly #at: number;
  readonly #memoryLimit: number;

  /** Takes the `exports` of an instance that has been initialised; calls go through `guard`. */
  constructor(exports: Exports, memory: Memory, guard: Guard, memoryLimit: number) {
    this.#exports = exports;
    this.#memory = memory;
    this.#guard = guard;
    this.#memoryLimit = memoryLimit;
    this.#at = exports.io_ptr() >>> 0;
  }

  /** Puts source where the next call looks for it; returns its length. */
  putSource(code: string): number {
    if (code.length <= DIRECT_CHARS_MAX) return encodeText(code, this.#memory.fresh().bytes, this.#at);
    const bytes = utf8(code);
    return this.put(bytes, bytes.length);
  }

  /** Puts a list of plain values there; returns its length, or 0 when there are others, or too much. */
  putPlain(values: readonly unknown[]): number {
    const at = this.#at;
    const end = writePlain(this.#memory.fresh(), at, at + IO_BUFFER_BYTES, values);
    return end && end - at;
  }

  /** Puts the first `length` of the bytes there; returns `length`. */
  put(bytes: Uint8Array, length: number): number {
    let at = this.#at;
    if (length > IO_BUFFER_BYTES) {
      at = this.#guard(() => this.#exports.io_reserve(length)) >>> 0;
      if (at === 0) {
        const limit = `memoryLimit is ${this.#memoryLimit} bytes`;
        throw new LuaMemoryError("memory", `not enough memory for an input of ${length} bytes (${limit})`);
      }
    }
    this.#memory.fresh().bytes.set(length === bytes.length ? bytes : bytes.subarray(0, length), at);
    return length;
  }

  /** Reads the usual reply, a single number and no output, without making anything; else undefined. */
  singleNumber(): number | bigint | undefined {
    const { bytes, view } = this.#memory.fresh();
    const at = this.#at;
    if (bytes[at] !== Status.ok || view.getUint32(at + OUTPUT_LENGTH, true) !== 0) return undefined;
    if (view.getUint32(at + LIST_LENGTH, true) !== ONE_NUMBER_BYTES) return undefined;
    if (bytes[at + FIRST_TAG] === Tag.integer) return readInteger(view, at + FIRST_BODY);
    if (bytes[at + FIRST_TAG] === Tag.float) return view.getFloat64(at + FIRST_BODY, true);
    return undefined;
  }

  /** Reads the reply of the last call: an error by the decoder, results by `reader`, which converts them. */
  reply(decoder: Decoder, as: Conversion | undefined, reader: ListReader): Reply {
    const memory = this.#memory.fresh();
    const { bytes, view } = memory;
    const status = view.getUint8(this.#at);
    const start = view.getUint32(this.#at + LIST_AT, true);
    const middle = start + view.getUint32(this.#at + LIST_LENGTH, true);
    const end = middle + view.getUint32(this.#at + OUTPUT_LENGTH, true);
    // Where there was no memory even for saying so, there is a status and nothing else.
    let list: LuaValue[] = [];
    let refusal: unknown;
    try {
      const isOk = status === Status.ok;
      if (middle > start) list = (isOk ? reader : decoder).list(memory, start, middle, isOk ? as : undefined);
    } catch (error) {
      refusal = error;
    }
    const output = end === middle ? undefined : bytes.slice(middle, end);
    return { status, list, hosted: decoder.hosted, output, refusal };
  }
}
