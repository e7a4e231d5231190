/** What the tests share: bytes from hex, a VM that is none, numbers that only look random. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
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
  function: (handle) => ({ function: handle }) as never,
  reference: (type, handle) => ({ reference: type, handle }) as never,
  external: (name) => ({ external: name }) as never,
};

export function decode(bytes: Uint8Array): LuaValue {
  return new Reader(bytes, 0, bytes.length, realm).single();
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

/** Resolves after all microtasks that are due. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
