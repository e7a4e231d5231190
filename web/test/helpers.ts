/** What the tests share: bytes from hex, a VM that is none, numbers that only look random. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { HostTable } from "../src/host_table.ts";
import { Reader } from "../src/reader.ts";
import type { LuaValue, Realm } from "../src/values.ts";
import { message, type Writer } from "../src/writer.ts";

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
export const realm: Realm = {
  host: new HostTable(),
  function: (handle) => ({ function: handle }) as never,
  reference: (type, handle) => ({ reference: type, handle }) as never,
  external: (name) => ({ external: name }) as never,
};

export function decode(bytes: Uint8Array): LuaValue {
  return new Reader(realm).single(bytes);
}

export function decodeList(bytes: Uint8Array, start = 0, end: number = bytes.length): LuaValue[] {
  return new Reader(realm).list({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset) }, start, end);
}

export function encode(value: unknown): Uint8Array {
  return written((writer) => writer.value(value));
}

export function written(write: (writer: Writer) => void): Uint8Array {
  return message(realm, write, ({ bytes, length }) => bytes.slice(0, length));
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

/** A value as tests/vectors/conversion.json writes it. */
export type Described = [tag: string, content?: unknown];

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

/** The description of a value; the inverse of `described`, pairs in an order of their own. Runs in pages, too: uses nothing else. */
export function describe(value: unknown): Described {
  const sorted = (pairs: [unknown, Described][]) =>
    pairs.sort(([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (value === undefined) return ["undefined"];
  if (value === null) return ["null"];
  if (typeof value === "number") return ["number", Object.is(value, -0) ? "-0" : String(value)];
  if (typeof value === "bigint") return ["bigint", String(value)];
  if (value instanceof Uint8Array) return ["bytes", [...value]];
  if (Array.isArray(value)) return ["array", Array.from(value, describe)];
  if (value instanceof Map) return ["map", sorted([...value].map(([key, of]) => [describe(key), describe(of)]))];
  if (typeof value !== "object") return [typeof value, value];
  return ["object", sorted(Object.entries(value).map(([name, of]) => [name, describe(of)]))];
}

/** The same numbers in every run: a failure can be repeated. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= n < below */
  below(below: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
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

/** A value of any kind that Lua gives as it was given: nested, with text and bytes and numbers at their limits. */
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
      const length = 1 + random.below(4);
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

/** Resolves after all microtasks that are due. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
