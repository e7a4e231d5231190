/** The module of the capsule as it is: an instance over some files, driven by lists. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createHostImports, noHost } from "#js/imports.js";
import { TableStore } from "#js/storage/table_store.js";
import type { Files } from "../src/capsule/files.ts";
import { capsuleImports } from "../src/capsule/imports.ts";
import type { LuaValue } from "../src/codec/values.ts";
import { instantiate } from "../src/instance/imports.ts";
import { decodeList, written } from "./helpers.ts";

export const capsuleModule: WebAssembly.Module = new WebAssembly.Module(
  readFileSync(resolve("../target/wasm/capsule.wasm")),
);

const MEMORY_BYTES = 256 * 1024 * 1024;

/** Operations: docs/codec.md, sections 3 and 7. */
const Operation = { eval: 1, open: 256, close: 257, query: 269, settle: 295 } as const;

const EMPTY_LIST_BYTES = 4;

/** Milliseconds and events of a batch. */
const BATCH = [100, 100] as const;

/** An operation that failed, with its message. */
export class CapsuleFailure extends Error {}

export interface RawCapsule {
  readonly exports: { readonly memory: WebAssembly.Memory; stack_len(): number };
  open(name: string, strict?: boolean): void;
  /** The rows of a statement, each a list; NULL is false. */
  query(sql: string): LuaValue[];
  /** The results of a script. */
  eval(source: string): LuaValue[];
  close(): void;
}

export interface RawCapsuleOptions {
  readonly now?: () => number;
  readonly notify?: (count: number) => void;
  readonly memoryBytes?: number;
}

export async function rawCapsule(files: Files, options: RawCapsuleOptions = {}): Promise<RawCapsule> {
  let exports!: Awaited<ReturnType<typeof instantiate>>;
  const memory = () => exports.memory;
  // Asked for modules alone, of which it has none: an empty list.
  const call = (_id: number, _args: number, _length: number, _mayWait: number, out: number) => {
    new DataView(memory().buffer).setUint32(out, 0, true);
    return EMPTY_LIST_BYTES << 2;
  };
  const imports = createHostImports({ memory, host: { ...noHost(memory), call } });
  imports.attach(new TableStore());
  const { now, notify = () => {}, memoryBytes = MEMORY_BYTES } = options;
  const others = capsuleImports({ files, memory, notify, ...(now && { now }) });
  exports = await instantiate(capsuleModule, imports, others);
  assert.equal(exports.configure(memoryBytes), 0);
  assert.equal(exports.init(), 0);
  const request = (operation: number, ...values: unknown[]): LuaValue[] => {
    const list = written((encoder) => {
      encoder.list(values);
    });
    new Uint8Array(exports.memory.buffer).set(list, exports.io_reserve(list.length));
    const length = exports.request(operation, list.length);
    assert.ok(length >= 16);
    const view = new DataView(exports.memory.buffer, exports.io_ptr(), length);
    const at = view.getUint32(4, true);
    const results = decodeList(new Uint8Array(exports.memory.buffer).slice(at, at + view.getUint32(8, true)));
    if (view.getUint8(0) !== 0) throw new CapsuleFailure(String(results[0]));
    return results;
  };
  const run = (operation: number, ...values: unknown[]): LuaValue[] => {
    const [succeeded, ...results] = request(operation, ...values);
    if (succeeded === true) return results;
    const { kind, message, code = "-" } = results[0] as unknown as Record<string, string>;
    throw new CapsuleFailure(`${kind}: ${message} (${code})`);
  };
  const query = (sql: string): LuaValue[] => {
    const results = run(Operation.query, sql);
    const width = Number(results[0]);
    const rows: LuaValue[] = [];
    for (let at = width + 2; at < results.length; at += width) {
      rows.push(results.slice(at, at + width).map((value) => value ?? false));
    }
    return rows;
  };
  const evaluate = (source: string): LuaValue[] => {
    try {
      return request(Operation.eval, source, "test");
    } catch (error) {
      run(Operation.settle, 0);
      throw error;
    }
  };
  return {
    exports,
    open: (name, strict = false) => void run(Operation.open, name, strict, ...BATCH, true, undefined, false),
    query,
    eval: evaluate,
    close: () => void run(Operation.close),
  };
}
