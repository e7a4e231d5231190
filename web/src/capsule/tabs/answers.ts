/**
 * Answers of writes as bytes, as they are kept beside what they have written: JSON, in which what JSON does
 * not have is a list that begins with a letter.
 */
import { isUint8Array } from "../../brands.js";

type Part = null | boolean | number | string | readonly unknown[];

/** Makes bytes of an answer. */
export function answerBytes(answer: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(part(answer)));
}

/** Reads an answer. */
export function answerFrom(bytes: Uint8Array): unknown {
  return whole(JSON.parse(new TextDecoder().decode(bytes)) as Part);
}

function part(value: unknown): Part {
  if (value === undefined) return ["u"];
  if (typeof value === "bigint") return ["i", String(value)];
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return ["n", Object.is(value, -0) ? "-0" : String(value)];
  if (isUint8Array(value)) return ["b", Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")];
  if (Array.isArray(value)) return ["l", ...value.map(part)];
  if (typeof value === "object" && value !== null)
    return ["o", ...Object.entries(value).map(([name, member]) => [name, part(member)])];
  return value as Part;
}

function whole(part: Part): unknown {
  if (!Array.isArray(part)) return part;
  const [kind, ...rest] = part as [string, ...unknown[]];
  switch (kind) {
    case "i":
      return BigInt(rest[0] as string);
    case "n":
      return Number(rest[0]);
    case "b":
      return Uint8Array.from((rest[0] as string).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    case "l":
      return rest.map((item) => whole(item as Part));
    case "o":
      return Object.fromEntries((rest as [string, Part][]).map(([name, member]) => [name, whole(member)]));
    default:
      return undefined;
  }
}
