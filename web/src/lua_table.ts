/**
 * The JavaScript side of `ext.table(name)`: a Map-like over the same entries that Lua sees.
 *
 * What JavaScript writes in one go (up to the next microtask, or the next call of Lua) is one batch.
 */
import type { Table } from "#js/storage/table.js";
import { withChanges, type LuaChange, type LuaChangeEvent } from "./storage/change_event.js";
import { LuaClosedError, storageError } from "./errors.js";
import { encodeKey } from "./codec/keys.js";
import { Decoder } from "./codec/decoder.js";
import { ExternalTable } from "./codec/external_table.js";
import { storedContext } from "./storage/stored.js";
import { fromBinary, binaryToText } from "./codec/utf8.js";
import type { Conversion, LuaKey, LuaValue, ValueContext } from "./codec/values.js";
import { readGetOptions, type ConversionOptions } from "./options.js";
import { isPlain } from "./brands.js";
import { toStored } from "./codec/encoder.js";

/** Argument of the listeners of `LuaTable.on`: the changes of one batch in this table. */
export interface LuaTableChangeEvent<K = LuaKey, V = LuaValue> extends Omit<LuaChangeEvent, "tables" | "changes"> {
  /**
   * Changed entries, in the order in which they were first written. Decoded when they are first asked for.
   */
  readonly changes: readonly LuaChange<K, V>[];
}

/**
 * An external table. Its order is that in which the keys were first set. `K` and `V` say what is read, `W`
 * what may be written: anything that can be stored, where nothing else was said.
 */
export class LuaTable<K extends LuaKey = LuaKey, V = LuaValue, W = unknown>
  extends ExternalTable
  implements Iterable<[K, V]>
{
  /** Name of the table. */
  readonly name: string;
  readonly #table: Table;
  readonly #decoder: Decoder;
  readonly #context: ValueContext;

  /** @internal Constructor for `Lua.table()`. */
  constructor(table: Table, context: ValueContext) {
    super();
    this.name = binaryToText(table.name);
    this.#table = table;
    this.#decoder = new Decoder(storedContext(context));
    this.#context = context;
  }

  /** @internal The name as the codec writes it. */
  override get binaryName(): string {
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

  /**
   * Returns the value of `key`; undefined when there is none. Tables are copies: change them, then set them
   * again.
   */
  get(key: K, options?: ConversionOptions): V | undefined {
    const binary = encodeKey(key);
    const as = options === undefined ? undefined : readGetOptions(options, this.#context.conversion);
    const value = attempt(this.#table, () => this.#table.get(binary));
    return value === undefined ? undefined : (this.#decode(value, as) as V);
  }

  /** Sets `key` to a copy of `value`; undefined and null remove it, as nil does in Lua. */
  set(key: K, value: W | undefined | null): this {
    const [binaryKey, binaryValue] = encodeEntry(key, value);
    this.#write(() => this.#put(binaryKey, binaryValue));
    return this;
  }

  /**
   * Sets many entries at once, all or nothing: pairs, a Map, or the properties of a plain object. When it
   * throws (a value cannot be stored, there is no more room), the table is as it was.
   */
  setMany(
    entries: Iterable<readonly [K, W | undefined | null]> | { readonly [key: string]: W | undefined | null },
  ): this {
    // All are encoded before the first is written: what cannot be stored is found then.
    const encoded = Array.from(pairsOf(entries), (pair: unknown) => {
      if (!Array.isArray(pair)) throw pairsError();
      const [key, value] = pair as unknown[];
      return encodeEntry(key, value);
    });
    this.#write(() => {
      this.#table.store.transaction(() => {
        for (const [key, value] of encoded) this.#put(key, value);
      });
    });
    return this;
  }

  /**
   * Calls `listener` after each batch that has changed something here: of Lua, of JavaScript, or (with
   * `readOnly`) of the VM that writes. Returns a function that removes the listener.
   */
  on(event: "change", listener: (event: LuaTableChangeEvent<K, V>) => void): () => void {
    if ((event as string) !== "change") throw new TypeError(`there is no event "${String(event)}"`);
    if (typeof listener !== "function") throw new TypeError("the listener must be a function");
    const { store, name } = this.#table;
    return store.on("change", ({ list, eval: number, origin }) => {
      const own = list.filter((change: { table: string }) => change.table === name);
      if (own.length === 0) return;
      listener(withChanges({ eval: number, origin }, own, this.#context) as unknown as LuaTableChangeEvent<K, V>);
    });
  }

  /** Says whether `key` has a value. */
  has(key: K): boolean {
    const binary = encodeKey(key);
    return attempt(this.#table, () => this.#table.get(binary)) !== undefined;
  }

  /** Removes `key`, and says whether it was there. */
  delete(key: K): boolean {
    const binary = encodeKey(key);
    return this.#write(() => this.#table.remove(binary));
  }

  /** Removes every entry. */
  clear(): void {
    this.#write(() => this.#table.clear());
  }

  /** The keys, in order. The table may change meanwhile. */
  *keys(): IterableIterator<K> {
    for (const { key } of this.#walk()) yield this.#decodeKey(key);
  }

  /** The values, in order. The table may change meanwhile. */
  *values(): IterableIterator<V> {
    for (const { value } of this.#walk()) yield this.#decode(value) as V;
  }

  /** The entries, in order. The table may change meanwhile. */
  *entries(): IterableIterator<[K, V]> {
    for (const { key, value } of this.#walk()) yield [this.#decodeKey(key), this.#decode(value) as V];
  }

  /** The entries, in order. The table may change meanwhile. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** Calls `visit` for every entry, in order. */
  forEach(visit: (value: V, key: K, table: this) => void): void {
    if (typeof visit !== "function") throw new TypeError("forEach takes a function");
    for (const [key, value] of this) visit(value, key, this);
  }

  *#walk(): Generator<{ key: string; value: string }> {
    const after = (seq: number) => attempt(this.#table, () => this.#table.next(seq));
    for (let entry = after(0); entry !== undefined; entry = after(entry.seq)) yield entry;
  }

  #decode(stored: string, as: Conversion = this.#context.conversion): LuaValue {
    return this.#decoder.single(fromBinary(stored), as);
  }

  #decodeKey(stored: string): K {
    return this.#decoder.key(fromBinary(stored), this.#context.conversion) as K;
  }

  #put(key: string, value: string | undefined): void {
    if (value === undefined) this.#table.remove(key);
    else this.#table.set(key, value);
  }

  #write<T>(write: () => T): T {
    return batched(this.#table.store, () => attempt(this.#table, write));
  }
}

/** Encodes an entry as it is stored; without a value the key is to be removed. */
function encodeEntry(key: unknown, value: unknown): [key: string, value: string | undefined] {
  return [encodeKey(key), value === undefined || value === null ? undefined : toStored(value)];
}

/**
 * Returns the argument of `setMany` as pairs. Refuses anything else: of a promise that was not awaited
 * nothing would arrive, silently.
 */
function pairsOf(entries: object): Iterable<readonly [unknown, unknown]> {
  if (typeof entries === "object" && entries !== null) {
    if (Symbol.iterator in entries) return entries as Iterable<[unknown, unknown]>;
    if (isPlain(entries)) return Object.entries(entries);
  }
  throw pairsError();
}

function pairsError(): TypeError {
  return new TypeError("setMany takes pairs, a Map or a plain object");
}

/** Runs `write` in the batch of everything that JavaScript writes up to the next microtask. */
export function batched<T>(store: Table["store"], write: () => T): T {
  const first = !store.inBatch;
  try {
    return write();
  } finally {
    if (first && store.inBatch) queueMicrotask(() => endBatch(store));
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
