/**
 * Text and bytes. Three kinds of strings meet in the package: JavaScript text, UTF-8 bytes, and binary
 * strings (one character per byte), which the stores use for keys and values.
 */
import { binaryToBytes, bytesToBinary } from "#js/binary.js";
import { isUint8Array } from "../brands.js";
import { refuse } from "../value_path.js";

export { binaryToBytes, bytesToBinary };

/** Length up to which text is looked at by hand: the platform's decoder costs more than it saves. */
const SHORT_BYTES_MAX = 24;

/** Binary logarithm of how many names are remembered. */
const NAMES_LOG2 = 11;

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 bytes; returns a copy of the bytes when they are something else. Nothing is replaced. */
export function decodeString(bytes: Uint8Array, at: number, length: number): string | Uint8Array {
  if (length <= SHORT_BYTES_MAX && isAscii(bytes, at, length)) return bytesToBinary(bytes, at, length);
  try {
    return strict.decode(bytes.subarray(at, at + length));
  } catch {
    return bytes.slice(at, at + length);
  }
}

/**
 * Names that were read lately. The same keys come again and again: one that is known need not be made, nor
 * looked up by V8.
 */
const names: string[] = new Array(2 ** NAMES_LOG2).fill("");

/** Decodes a key of a table as `decodeString` does a string. */
export function decodeName(bytes: Uint8Array, view: DataView, at: number, length: number): string | Uint8Array {
  if (length < 2 || length > SHORT_BYTES_MAX) return decodeString(bytes, at, length);
  // Both ends, and the length.
  const end = at + length;
  const head = length < 4 ? view.getInt16(at, true) : view.getInt32(at, true);
  const tail = length < 4 ? view.getInt16(end - 2, true) : view.getInt32(end - 4, true);
  const slot = Math.imul(head ^ Math.imul(tail, 0x9e3779b1) ^ length, 0x85ebca6b) >>> (32 - NAMES_LOG2);
  const name = names[slot] as string;
  if (name.length === length) {
    let i = 0;
    while (i < length && name.charCodeAt(i) === bytes[at + i]) i++;
    if (i === length) return name;
  }
  const decoded = decodeString(bytes, at, length);
  // As many characters as bytes: ASCII, which can be compared with bytes.
  if (typeof decoded === "string" && decoded.length === length) names[slot] = decoded;
  return decoded;
}

/**
 * Writes text as UTF-8 at `at`, where there must be room for three bytes per character; returns how many it
 * took.
 */
export function encodeText(text: string, bytes: Uint8Array, at: number): number {
  const { length } = text;
  if (length <= SHORT_BYTES_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) break;
      bytes[at + i] = code;
    }
    if (i === length) return length;
  }
  checkText(text);
  return encoder.encodeInto(text, bytes.subarray(at)).written;
}

/** Encodes text as UTF-8. */
export function utf8(text: string): Uint8Array {
  checkText(text);
  return encoder.encode(text);
}

/** Encodes text as a binary string of its UTF-8 bytes. */
export function toBinary(text: string): string {
  const bytes = utf8(text);
  return bytesToBinary(bytes, 0, bytes.length);
}

/** Returns the bytes of a binary string. */
export function fromBinary(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length);
  binaryToBytes(binary, bytes, 0);
  return bytes;
}

/** Decodes a binary string that is UTF-8; names of tables are. */
export function binaryToText(binary: string): string {
  return strict.decode(fromBinary(binary));
}

/** Refuses half of a character, which has no UTF-8. */
function checkText(text: string): void {
  const wellFormed = text.isWellFormed?.() ?? !LONE_SURROGATE.test(text);
  if (!wellFormed) refuse("the string has a lone surrogate, which UTF-8 cannot express");
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function isAscii(bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) {
    if ((bytes[i] as number) >= 0x80) return false;
  }
  return true;
}

/** Returns a decoded string for people: bytes that are no text are shown as well as they can be. */
export function readText(value: unknown): string | undefined {
  if (isUint8Array(value)) return new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
  return typeof value === "string" ? value : undefined;
}
