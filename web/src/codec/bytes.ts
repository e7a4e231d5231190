/** A buffer that grows while it is written. Little endian, as everything in docs/codec.md. */
import { NUMBER_BYTES, writeNumber, writeOne, type Views } from "./plain.js";
import { refuse } from "../value_path.js";
import { encodeText } from "./utf8.js";

const FIRST_BYTES = 1024;
/** Most bytes that are kept for the next message. */
const KEPT_BYTES_MAX = 1 << 20;

/** Writer of a message, which is the first `length` of its `bytes`. */
export class ByteWriter implements Views {
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  length = 0;
  view: DataView = new DataView(this.bytes.buffer);

  /** Forgets what was written, and memory that only a large message needs. */
  reset(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.#resize(FIRST_BYTES);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** Writes a u32 over what is at `at`. */
  patchU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  /** Writes a value if it is nothing but bytes, and says whether it was. */
  plain(value: unknown): boolean {
    this.#reserve(typeof value === "string" ? 5 + 3 * value.length : 9);
    const end = writeOne(this, this.length, this.bytes.length, value);
    if (end > 0) this.length = end;
    return end > 0;
  }

  /** Writes the numbers that `values` begins with, and says how many. Many arrays have nothing else. */
  numbers(values: readonly unknown[]): number {
    let at = this.length;
    let done = 0;
    for (; done < values.length; done++) {
      const value = values[done];
      if (typeof value !== "number") break;
      if (at + NUMBER_BYTES > this.bytes.length) {
        this.length = at;
        this.#reserve(NUMBER_BYTES);
      }
      writeNumber(this.view, at, value);
      at += NUMBER_BYTES;
    }
    this.length = at;
    return done;
  }

  /** Writes a tag, then an i64 from a bigint. */
  taggedBigint(tag: number, value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) refuse(`${value}n does not fit in Lua's 64 bits`, RangeError);
    this.#reserve(9);
    this.bytes[this.length] = tag;
    this.view.setBigInt64(this.length + 1, value, true);
    this.length += 9;
  }

  /** Writes a length, then text as UTF-8. */
  text(text: string): void {
    this.#reserve(4 + 3 * text.length);
    const written = encodeText(text, this.bytes, this.length + 4);
    this.view.setUint32(this.length, written, true);
    this.length += 4 + written;
  }

  /** Writes a tag, then a length and bytes. */
  taggedBytes(tag: number, bytes: Uint8Array): void {
    this.#reserve(5 + bytes.length);
    this.bytes[this.length] = tag;
    this.view.setUint32(this.length + 1, bytes.length, true);
    this.bytes.set(bytes, this.length + 5);
    this.length += 5 + bytes.length;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed > this.bytes.length) this.#resize(Math.max(needed, 2 * this.bytes.length));
  }

  #resize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
