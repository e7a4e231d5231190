/**
 * Calls of files as the module makes them, with names and bytes in a memory; and random ones against a model,
 * in which a file is an array of bytes.
 */
import assert from "node:assert/strict";
import type { Files } from "../src/capsule/files.ts";
import { Random } from "./random.ts";

const NAME_AT = 64;
const BYTES_AT = 8192;

export class FileCaller {
  readonly memory = new WebAssembly.Memory({ initial: 4 });
  readonly files: Files;

  constructor(files: Files) {
    this.files = files;
  }

  #name(name: string | Uint8Array): [number, number] {
    const bytes = typeof name === "string" ? new TextEncoder().encode(name) : name;
    new Uint8Array(this.memory.buffer).set(bytes, NAME_AT);
    return [NAME_AT, bytes.length];
  }

  open(name: string | Uint8Array, create = true): number {
    return this.files.open(this.memory, ...this.#name(name), create ? 1 : 0);
  }

  exists(name: string): number {
    return this.files.exists(this.memory, ...this.#name(name));
  }

  remove(name: string, durable = false): number {
    return this.files.remove(this.memory, ...this.#name(name), durable ? 1 : 0);
  }

  write(file: number, bytes: Uint8Array, offset: number): number {
    new Uint8Array(this.memory.buffer).set(bytes, BYTES_AT);
    return this.files.write(this.memory, file, BYTES_AT, bytes.length, offset);
  }

  /** The bytes, or the code of a failure. */
  read(file: number, length: number, offset: number): Uint8Array | number {
    new Uint8Array(this.memory.buffer).fill(0xee, BYTES_AT, BYTES_AT + length);
    const count = this.files.read(this.memory, file, BYTES_AT, length, offset);
    if (count < 0) return count;
    const bytes = new Uint8Array(this.memory.buffer, BYTES_AT, length);
    assert.ok(
      bytes.subarray(count).every((byte) => byte === 0xee),
      "bytes behind the end were written",
    );
    return bytes.slice(0, count);
  }

  /** All bytes of a file by its name; undefined if there is none. */
  contents(name: string): Uint8Array | undefined {
    const file = this.open(name, false);
    if (file < 0) return undefined;
    const bytes = this.read(file, this.files.size(file), 0);
    assert.equal(this.files.close(file), 0);
    assert.ok(typeof bytes !== "number");
    return bytes;
  }
}

/** Contents that the files should have, by name. */
export type Model = Map<string, Uint8Array>;

/** Bytes of a file after some were written. */
export function patched(before: Uint8Array, bytes: Uint8Array, offset: number): Uint8Array {
  const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
  after.set(before);
  after.set(bytes, offset);
  return after;
}

export function resized(before: Uint8Array, size: number): Uint8Array {
  const after = new Uint8Array(size);
  after.set(before.subarray(0, size));
  return after;
}

/** One step of a random program: an operation, and what it makes of the model if it succeeds. */
export interface Step {
  readonly name: string;
  readonly operation: "open" | "close" | "write" | "truncate" | "sync" | "remove";
  run(): number;
  /** Changes the model. */
  apply(): void;
}

/** Random operations on a few names. Files that are open are known by the ids that the program got. */
export class RandomProgram {
  readonly open = new Map<number, string>();
  readonly caller: FileCaller;
  readonly model: Model;
  readonly #random: Random;
  readonly #names: readonly string[];

  constructor(caller: FileCaller, model: Model, random: Random, names: readonly string[]) {
    this.caller = caller;
    this.model = model;
    this.#random = random;
    this.#names = names;
  }

  next(): Step {
    const random = this.#random;
    const files = [...this.open.keys()];
    const choice = files.length === 0 ? 0 : random.below(10);
    const file = files.length === 0 ? 0 : random.pick(files);
    const of = this.open.get(file) as string;
    const { caller, model } = this;
    if (choice === 0) {
      const name = random.pick(this.#names);
      const run = () => {
        const id = caller.open(name);
        if (id >= 0) this.open.set(id, name);
        return id;
      };
      return { name, operation: "open", run, apply: () => model.set(name, model.get(name) ?? new Uint8Array(0)) };
    }
    if (choice === 1) {
      const run = () => {
        this.open.delete(file);
        return caller.files.close(file);
      };
      return { name: of, operation: "close", run, apply: () => {} };
    }
    if (choice === 2) {
      // As SQLite does it: nobody has it open.
      const closed = this.#names.filter((name) => ![...this.open.values()].includes(name) && model.has(name));
      if (closed.length > 0) {
        const name = random.pick(closed);
        const run = () => caller.remove(name, random.below(2) === 0);
        return { name, operation: "remove", run, apply: () => void model.delete(name) };
      }
    }
    if (choice === 3) {
      return { name: of, operation: "sync", run: () => caller.files.sync(file), apply: () => {} };
    }
    const before = () => model.get(of) as Uint8Array;
    if (choice === 4) {
      const size = random.below(before().length + 1);
      const apply = () => model.set(of, resized(before(), size));
      return { name: of, operation: "truncate", run: () => caller.files.truncate(file, size), apply };
    }
    const bytes = random.bytes(1 + random.below(700));
    const offset = random.below(before().length + 300);
    const apply = () => model.set(of, patched(before(), bytes, offset));
    return { name: of, operation: "write", run: () => caller.write(file, bytes, offset), apply };
  }

  /** Compares everything with the model. */
  check(): void {
    for (const name of this.#names) {
      const expected = this.model.get(name);
      assert.deepEqual(this.caller.contents(name), expected, name);
      assert.equal(this.caller.exists(name), expected !== undefined && expected.length > 0 ? 1 : 0, name);
    }
  }
}
