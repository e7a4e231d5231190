/**
 * Values that are nothing but bytes: nil, booleans, numbers, strings. Most calls have no others. They are
 * written where they go, in the module's memory too: that makes nothing and runs no code of others.
 */
import { Tag } from "./tags.js";
import { encodeText } from "./utf8.js";

const TWO_32 = 2 ** 32;

/** Length of a number: its tag, and eight bytes. */
export const NUMBER_BYTES = 9;
/** Length of a string before its bytes. */
const STRING_HEAD_BYTES = 5;

/** Views of memory as it is now. */
export interface Views {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Writes a list. Returns where it ends, or 0 when it has other values, or when there may be no room for it.
 */
export function writePlain(views: Views, start: number, end: number, values: readonly unknown[]): number {
  if (end - start < 4) return 0;
  const { length } = values;
  views.view.setUint32(start, length, true);
  let at = start + 4;
  for (let i = 0; i < length && at > 0; i++) at = writeOne(views, at, end, values[i]);
  return at;
}

/** Writes one value. Returns where it ends, or 0 as `writePlain`. */
export function writeOne({ bytes, view }: Views, at: number, end: number, value: unknown): number {
  const room = end - at;
  switch (typeof value) {
    case "number":
      if (room < NUMBER_BYTES) return 0;
      writeNumber(view, at, value);
      return at + NUMBER_BYTES;
    case "string": {
      if (room < STRING_HEAD_BYTES + 3 * value.length) return 0;
      const written = encodeText(value, bytes, at + STRING_HEAD_BYTES);
      bytes[at] = Tag.string;
      view.setUint32(at + 1, written, true);
      return at + STRING_HEAD_BYTES + written;
    }
    case "boolean":
      if (room < 2) return 0;
      bytes[at] = Tag.boolean;
      bytes[at + 1] = value ? 1 : 0;
      return at + 2;
    default:
      if ((value !== undefined && value !== null) || room < 1) return 0;
      bytes[at] = Tag.nil;
      return at + 1;
  }
}

/** Writes a number with its tag: an integer where that loses nothing. */
export function writeNumber(view: DataView, at: number, value: number): void {
  // Most are of 32 bits, which takes no division.
  const small = value | 0;
  if (small === value && !Object.is(value, -0)) {
    view.setUint8(at, Tag.integer);
    view.setInt32(at + 1, small, true);
    view.setInt32(at + 5, small >> 31, true);
  } else if (Number.isSafeInteger(value) && value !== 0) {
    view.setUint8(at, Tag.integer);
    view.setUint32(at + 1, value >>> 0, true);
    view.setInt32(at + 5, Math.floor(value / TWO_32), true);
  } else {
    view.setUint8(at, Tag.float);
    view.setFloat64(at + 1, value, true);
  }
}

/** Reads an i64: a number where it is exact, else a bigint. */
export function readInteger(view: DataView, at: number): number | bigint {
  const high = view.getInt32(at + 4, true);
  if (high >= -0x200000 && high < 0x200000) {
    const value = high * TWO_32 + view.getUint32(at, true);
    if (value !== Number.MIN_SAFE_INTEGER - 1) return value;
  }
  return view.getBigInt64(at, true);
}
