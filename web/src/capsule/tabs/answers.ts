/**
 * Answers of writes as bytes, as they are kept beside what they have written: JSON, in which what JSON does
 * not have is a list that begins with a letter.
 */
import { isUint8Array } from "../../brands.js";
import { CapsuleError } from "../errors.js";

type Part = null | boolean | number | string | readonly unknown[];

/** Makes bytes of an answer. */
export function answerBytes(answer: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(part(answer)));
}

/** Reads an answer; throws an error of the kind `corrupt` where the bytes are none. */
export function answerFrom(bytes: Uint8Array): unknown {
  try {
    return whole(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Part);
  } catch (cause) {
    throw new CapsuleError("corrupt", "the answer of a write that was kept in the database is damaged", { cause });
  }
}

function part(value: unknown): Part {
  if (value === undefined) return ["u"];
  if (typeof value === "bigint") return ["i", String(value)];
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) return ["n", textOf(value)];
  if (isUint8Array(value)) return ["b", Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")];
  if (Array.isArray(value)) return ["l", ...value.map(part)];
  if (typeof value === "object" && value !== null)
    return ["o", ...Object.entries(value).map(([name, member]) => [name, part(member)])];
  return value as Part;
}

function whole(part: Part): unknown {
  if (!Array.isArray(part)) {
    if (typeof part === "object" && part !== null) throw new TypeError("an object is a list here");
    return part;
  }
  const [kind, ...rest] = part as [string, ...unknown[]];
  switch (kind) {
    case "i":
      return typeof rest[0] === "string" ? BigInt(rest[0]) : refuse(kind);
    case "n":
      return NUMBERS.get(rest[0]) ?? refuse(kind);
    case "b":
      return bytesOf(rest[0]);
    case "l":
      return rest.map((item) => whole(item as Part));
    case "o":
      return Object.fromEntries((rest as [string, Part][]).map(([name, member]) => [name, whole(member)]));
    case "u":
      return undefined;
    default:
      return refuse(kind);
  }
}

/** Numbers that JSON does not have. */
const NUMBERS: ReadonlyMap<unknown, number> = new Map([-0, NaN, Infinity, -Infinity].map((n) => [textOf(n), n]));

function textOf(n: number): string {
  return Object.is(n, -0) ? "-0" : String(n);
}

function bytesOf(hex: unknown): Uint8Array {
  if (typeof hex !== "string" || !/^(?:[0-9a-f]{2})*$/.test(hex)) return refuse("b");
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function refuse(kind: unknown): never {
  throw new TypeError(`no value is written like this: ${String(kind)}`);
}
