/** Helpers that the tests share: bytes from hex, a VM that is none, numbers that only look random. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
export { describe, type Described } from "./describe.ts";
export { Random } from "./random.ts";
export { settled } from "./time.ts";
import type { Described } from "./describe.ts";
import { Random } from "./random.ts";
import { HostTable } from "../src/host/host_table.ts";
import { Decoder } from "../src/codec/decoder.ts";
import type { LuaValue, ValueContext } from "../src/codec/values.ts";
import { withEncoder, type Encoder } from "../src/codec/encoder.ts";

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A binary string from hex. */
export function binaryOf(hex: string): string {
  return String.fromCharCode(...bytesOf(hex));
}

/** Stands for a VM: what it makes says what it was asked for. */
export const context: ValueContext = {
  conversion: {},
  host: new HostTable(),
  function: (handle) => ({ function: handle }) as never,
  reference: (type, handle) => ({ reference: type, handle }) as never,
  external: (name) => ({ external: name }) as never,
};

export function decode(bytes: Uint8Array): LuaValue {
  return new Decoder(context).single(bytes);
}

export function decodeList(bytes: Uint8Array, start = 0, end: number = bytes.length): LuaValue[] {
  return new Decoder(context).list({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset) }, start, end);
}

export function encode(value: unknown): Uint8Array {
  return written((encoder) => encoder.value(value));
}

export function written(write: (encoder: Encoder) => void): Uint8Array {
  return withEncoder(context, write, ({ bytes, length }) => bytes.slice(0, length));
}

/** The value of an expression from the vectors. */
export function evaluate(expression: string): unknown {
  return new Function(`return ${expression}`)();
}

export interface Vectors {
  values: { name: string; lua?: string; js?: string; oneway?: boolean; hex: string }[];
  keys: { name: string; lua: string; js: string; back?: string; hex: string }[];
  invalid: { name: string; hex: string }[];
}

export const vectors: Vectors = JSON.parse(readFileSync(resolve("../tests/vectors/codec.json"), "utf8"));

export interface Conversions {
  rows: { name: string; lua: string; js: Described; back: string }[];
  given: { name: string; js: Described; back: string }[];
}

export const conversions: Conversions = JSON.parse(readFileSync(resolve("../tests/vectors/conversion.json"), "utf8"));

/** The value behind a description. */
export function described([tag, content]: Described): unknown {
  const pairs = (each: unknown): [unknown, unknown][] =>
    (each as [Described, Described][]).map(([key, value]) => [described(key), described(value)]);
  switch (tag) {
    case "undefined":
      return undefined;
    case "null":
      return null;
    case "number":
      return Number(content);
    case "bigint":
      return BigInt(content as string);
    case "bytes":
      return Uint8Array.from(content as number[]);
    case "array":
      return (content as Described[]).map(described);
    case "object": {
      const object = {};
      for (const [key, value] of content as [string, Described][]) {
        const property = { value: described(value), enumerable: true, writable: true, configurable: true };
        Object.defineProperty(object, key, property);
      }
      return object;
    }
    case "map":
      return new Map(pairs(content));
    default:
      return content;
  }
}

const NUMBERS = [0, 1, -1, 0.5, -0, NaN, Infinity, -Infinity, 1e300, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 5e-324];
const BIGINTS = [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
const TEXTS = [
  "",
  "a",
  "1",
  "a\0b",
  "é",
  "€uro",
  "😀",
  "x".repeat(30),
  "é".repeat(30),
  "__proto__",
  "constructor",
  "\ufeff",
];

/**
 * A value of any kind that Lua gives as it was given: nested, with text and bytes and numbers at their
 * limits.
 */
export function randomValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return random.below(2) === 0;
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.pick(BIGINTS);
    case 3:
      return random.pick(TEXTS);
    case 4:
      // 0xff: never UTF-8
      return Uint8Array.of(0xff, ...random.bytes(random.below(8)));
    case 5: {
      const length = random.below(5);
      return Array.from({ length }, () => randomValue(random, depth - 1));
    }
    case 6: {
      const entries = Array.from({ length: random.below(4) }, () => [
        `${random.pick(TEXTS)}${random.below(9)}`,
        randomValue(random, depth - 1),
      ]);
      return Object.fromEntries(entries);
    }
    default: {
      // One key that is neither text nor 1: it stays a Map.
      const map = new Map<unknown, unknown>([
        [random.pick([0, true, 1.5, -7, 2n ** 60n]), randomValue(random, depth - 1)],
      ]);
      for (let i = random.below(3); i > 0; i--) map.set(random.pick(TEXTS) + i, randomValue(random, depth - 1));
      return map;
    }
  }
}
