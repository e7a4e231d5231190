/**
 * The JavaScript side of `ext.table(name)`: a Map-like over the same entries that Lua sees.
 *
 * What JavaScript writes in one go (up to the next microtask, or the next call of Lua) is one batch.
 */
import type { Table } from "#js/table_store.js";
import { LuaClosedError, storageError } from "./errors.js";
import { encodeKey } from "./keys.js";
import { Reader } from "./reader.js";
import { fromBinary, binaryToText } from "./utf8.js";
import type { LuaKey, LuaValue, Realm } from "./values.js";
import { toStored } from "./writer.js";

/** An external table. Its order is that in which the keys were first set. */
export class LuaTable implements Iterable<[LuaKey, LuaValue]> {
  /** Its name. */
  readonly name: string;
  readonly #table: Table;
  readonly #reader: Reader;

  /** @internal Made by `Lua.table()`. */
  constructor(table: Table, realm: Realm) {
    this.name = binaryToText(table.name);
    this.#table = table;
    this.#reader = new Reader(realm);
  }

  /** @internal The name as the codec writes it. */
  get binaryName(): string {
    return this.#table.name;
  }

  /** @internal Dropped: this object will never be of use again. */
  get dropped(): boolean {
    return this.#table.dropped;
  }

  /** Number of entries. */
  get size(): number {
    return attempt(this.#table, () => this.#table.count);
  }

  /** The value of `key`; undefined when there is none. Tables are copies: change them, then set them again. */
  get(key: LuaKey): LuaValue {
    const binary = encodeKey(key);
    const value = attempt(this.#table, () => this.#table.get(binary));
    return value === undefined ? undefined : this.#decode(value);
  }

  /** Sets `key` to a copy of `value`; undefined and null remove it, as nil does in Lua. */
  set(key: LuaKey, value: unknown): this {
    if (value === undefined || value === null) {
      this.delete(key);
      return this;
    }
    const binaryKey = encodeKey(key);
    const binaryValue = toStored(value);
    this.#write(() => this.#table.set(binaryKey, binaryValue));
    return this;
  }

  /** Whether `key` has a value. */
  has(key: LuaKey): boolean {
    const binary = encodeKey(key);
    return attempt(this.#table, () => this.#table.get(binary)) !== undefined;
  }

  /** Removes `key`; says whether it was there. */
  delete(key: LuaKey): boolean {
    const binary = encodeKey(key);
    return this.#write(() => this.#table.remove(binary));
  }

  /** Removes every entry. */
  clear(): void {
    this.#write(() => this.#table.clear());
  }

  /** The keys, in order. The table may change meanwhile. */
  *keys(): IterableIterator<LuaKey> {
    for (const { key } of this.#walk()) yield this.#decode(key) as LuaKey;
  }

  /** The values, in order. The table may change meanwhile. */
  *values(): IterableIterator<LuaValue> {
    for (const { value } of this.#walk()) yield this.#decode(value);
  }

  /** The entries, in order. The table may change meanwhile. */
  *entries(): IterableIterator<[LuaKey, LuaValue]> {
    for (const { key, value } of this.#walk()) yield [this.#decode(key) as LuaKey, this.#decode(value)];
  }

  /** The entries, in order. The table may change meanwhile. */
  [Symbol.iterator](): IterableIterator<[LuaKey, LuaValue]> {
    return this.entries();
  }

  /** Calls `visit` for every entry, in order. */
  forEach(visit: (value: LuaValue, key: LuaKey, table: this) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }

  *#walk(): Generator<{ key: string; value: string }> {
    const after = (seq: number) => attempt(this.#table, () => this.#table.next(seq));
    for (let entry = after(0); entry !== undefined; entry = after(entry.seq)) yield entry;
  }

  /** A key, or a value. */
  #decode(stored: string): LuaValue {
    return this.#reader.single(fromBinary(stored));
  }

  #write<T>(write: () => T): T {
    const { store } = this.#table;
    const first = store.touched.length === 0;
    const result = attempt(this.#table, write);
    if (first && store.touched.length > 0) queueMicrotask(() => endBatch(store));
    return result;
  }
}

function endBatch(store: Table["store"]): void {
  // Closed meanwhile: `close` has ended the batch itself.
  if (store.mode === "open") store.endBatch();
}

function attempt<T>(table: Table, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw table.store.mode === "closed" ? new LuaClosedError() : storageError(error);
  }
}
