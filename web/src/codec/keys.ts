/**
 * Keys of external tables: JavaScript values to binary strings (docs/codec.md, "Keys of external tables").
 */
import { Tag } from "./tags.js";
import { bytesToBinary, toBinary } from "./utf8.js";

const scratch = new DataView(new ArrayBuffer(9));
const scratchBytes = new Uint8Array(scratch.buffer);

/** Encodes a key. Like Lua, takes a float that is an integer for that integer. */
export function encodeKey(key: unknown): string {
  switch (typeof key) {
    case "string":
      return stringKey(isAscii(key) ? key : toBinary(key));
    case "number":
      return numberKey(key);
    case "bigint":
      if (BigInt.asIntN(64, key) !== key) throw new RangeError(`${key}n does not fit in Lua's 64 bits`);
      return integerKey(key);
    case "boolean":
      return key ? "\x01\x01" : "\x01\x00";
    default:
      if (ArrayBuffer.isView(key)) {
        const bytes = new Uint8Array(key.buffer, key.byteOffset, key.byteLength);
        return stringKey(bytesToBinary(bytes, 0, bytes.length));
      }
      throw new TypeError("a key of an external table is a string, a number, a boolean, a bigint or bytes");
  }
}

function numberKey(key: number): string {
  if (Number.isNaN(key)) throw new TypeError("NaN cannot be a key of a Lua table");
  if (Number.isInteger(key) && key >= -(2 ** 63) && key < 2 ** 63) return integerKey(BigInt(key));
  scratch.setUint8(0, Tag.float);
  scratch.setFloat64(1, key, true);
  return bytesToBinary(scratchBytes, 0, 9);
}

function integerKey(key: bigint): string {
  scratch.setUint8(0, Tag.integer);
  scratch.setBigInt64(1, key, true);
  return bytesToBinary(scratchBytes, 0, 9);
}

function stringKey(binary: string): string {
  scratch.setUint8(0, Tag.string);
  scratch.setUint32(1, binary.length, true);
  return bytesToBinary(scratchBytes, 0, 5) + binary;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) >= 0x80) return false;
  }
  return true;
}
