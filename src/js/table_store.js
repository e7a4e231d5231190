/**
 * The contents of all external tables: JavaScript Maps, outside the memory of the VM.
 *
 * Keys and values are codec bytes (docs/codec.md) held as *binary strings*: each character is one byte, 0 to 255. V8
 * keeps them one byte per character, compares and hashes them natively, and IndexedDB stores them as they are.
 *
 * Invariants:
 * - Within a table, `seq` only grows: iteration order is the order of first insertion, and a `seq` is a cursor that
 *   survives any change of the table.
 * - What happened between two calls of `endBatch()` reaches the writer as one batch, or (after a roll back) not at all.
 * - Nothing here waits. Writing to storage is the writer's work (write_behind.js).
 *
 * This file imports nothing: wasm-bindgen carries it into other people's builds as a snippet.
 */

/** The longest name of a table, in bytes of UTF-8. */
export const TABLE_NAME_BYTES_MAX = 1024;

/** Below this many dead places a table is not worth compacting. */
const COMPACT_DEAD_MIN = 32;

/**
 * What happened to one table in one batch. Entries are known by their `seq`, which is never given twice in a table.
 * @typedef {object} TableChange
 * @property {number} id the table, for as long as it lives
 * @property {string} name UTF-8 bytes as a binary string
 * @property {number} seq the last `seq` given out
 * @property {"kept" | "cleared" | "dropped"} fate `cleared`: everything older is gone, then `puts` apply; `dropped`: so
 *   is the table itself
 * @property {Map<number, { key: string, value: string }>} puts new and overwritten entries by `seq`
 * @property {Set<number>} removes entries that are gone, by `seq`
 */

/** All that one batch changed, by table id. @typedef {Map<number, TableChange>} Batch */

/**
 * A table as a backend gives it back.
 * @typedef {object} StoredTable
 * @property {number} id
 * @property {string} name
 * @property {number} seq
 * @property {Iterable<{ seq: number, key: string, value: string }>} entries in ascending order of `seq`
 */

/**
 * Who takes the batches to storage (class `WriteBehind`).
 * @typedef {object} Writer
 * @property {() => Promise<Iterable<StoredTable>>} load
 * @property {(batch: Batch) => void} push
 * @property {() => Promise<void>} flush
 * @property {(options?: { discard?: boolean }) => Promise<void>} close
 * @property {(listener: (event: "commit" | "storage-error", detail: unknown) => void) => void} listen
 * @property {() => { state: string, pendingBytes: number }} stats
 */

/** @typedef {"change" | "commit" | "storage-error"} StoreEvent */

/**
 * @typedef {object} TableStats
 * @property {string} name a binary string
 * @property {number} entries
 * @property {number} bytes of keys and values, without the overhead of the Map
 */

/** One entry of a table; a place in its order. */
class Entry {
  /**
   * @param {string} key
   * @param {string} value
   * @param {number} seq
   */
  constructor(key, value, seq) {
    this.key = key;
    this.value = value;
    this.seq = seq;
    this.live = true;
    /** Listed in `Table.dirty`. */
    this.dirty = false;
    /** Some batch has carried it to the writer. */
    this.stored = false;
  }
}

/** One external table. Made by `TableStore.open`. */
export class Table {
  /**
   * @param {TableStore} store
   * @param {number} id
   * @param {string} name
   */
  constructor(store, id, name) {
    this.store = store;
    this.id = id;
    this.name = name;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    /** Every entry by ascending `seq`; removed ones stay, not `live`, until `compact`. @type {Entry[]} */
    this.order = [];
    this.dead = 0;
    this.seq = 0;
    this.bytes = 0;
    /** Where `next` found its last answer. */
    this.hint = 0;
    this.dropped = false;
    this.touched = false;
    this.stored = false;
    this.cleared = false;
    /** What this batch wrote or removed. @type {Entry[]} */
    this.dirty = [];
  }

  /**
   * The value of `key`, undefined when there is none.
   * @param {string} key
   * @returns {string | undefined}
   */
  get(key) {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    return this.entries.get(key)?.value;
  }

  /**
   * Writes one entry. An existing key keeps its place in the order.
   * @param {string} key
   * @param {string} value
   */
  set(key, value) {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = new Entry(key, value, this.seq + 1);
      this.entries.set(key, entry);
      this.seq += 1;
      this.order.push(entry);
      this.bytes += key.length + value.length;
      if (store.journal !== null) store.journal.push(undoInsert(this, entry));
    } else {
      if (store.journal !== null) store.journal.push(undoOverwrite(this, entry));
      this.bytes += value.length - entry.value.length;
      entry.value = value;
    }
    this.#note(entry);
  }

  /**
   * Removes one entry; says whether it was there.
   * @param {string} key
   */
  remove(key) {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    const entry = this.entries.get(key);
    if (entry === undefined) return false;
    if (store.journal !== null) store.journal.push(undoRemove(this, entry));
    kill(this, entry);
    this.#note(entry);
    this.compact();
    return true;
  }

  /**
   * The first entry whose `seq` is greater than `after`. `after` need not exist (any more).
   * @param {number} after
   * @returns {{ readonly key: string, readonly value: string, readonly seq: number } | undefined}
   */
  next(after) {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    const order = this.order;
    let at = this.hint;
    // Iteration asks for the entry after the one it got last; anything else is searched for.
    if (order[at]?.seq === after) at += 1;
    else at = firstAfter(order, after);
    let entry = order[at];
    while (entry !== undefined && !entry.live) entry = order[++at];
    this.hint = at;
    return entry;
  }

  /** Number of entries. */
  get count() {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    return this.entries.size;
  }

  /** Removes every entry. */
  clear() {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    if (this.entries.size === 0) return;
    if (store.journal !== null) store.journal.push(undoClear(this));
    empty(this);
    this.cleared = true;
    store.touch(this);
  }

  /** Gives the places of removed entries back once they are the majority; not while an undo may need them. */
  compact() {
    if (this.dead < COMPACT_DEAD_MIN || this.dead <= this.entries.size) return;
    if (this.store.journal !== null) return;
    this.order = this.order.filter((entry) => entry.live);
    this.dead = 0;
    this.hint = 0;
  }

  /**
   * Has the entry in this batch.
   * @param {Entry} entry
   */
  #note(entry) {
    this.store.touch(this);
    if (this.store.writer !== null && !entry.dirty) {
      entry.dirty = true;
      this.dirty.push(entry);
    }
  }
}

/** All external tables of one program, and the batches and transactions over them. */
export class TableStore {
  /**
   * @param {Writer | null} [writer] null: nothing is kept anywhere else
   * @param {Iterable<StoredTable>} [contents]
   */
  constructor(writer = null, contents = []) {
    /** `read-only` after `abandon()`. @type {"open" | "read-only" | "closed"} */
    this.mode = "open";
    this.writer = writer;
    /** What would undo the open transaction, oldest first; null outside of one. @type {(() => void)[] | null} */
    this.journal = null;
    /** Length of the journal at each `begin`. @type {number[]} */
    this.savepoints = [];
    /** Tables that this batch changed. @type {Table[]} */
    this.touched = [];
    /** @type {Map<string, Table>} */
    this.tables = new Map();
    this.lastId = 0;
    /** @type {Map<StoreEvent, Set<(detail: any) => void>>} */
    this.listeners = new Map();
    for (const stored of contents) this.#adopt(stored);
    writer?.listen((event, detail) => this.emit(event, detail));
  }

  /**
   * A store with what `writer` finds in storage.
   * @param {Writer} writer
   */
  static async load(writer) {
    return new TableStore(writer, await writer.load());
  }

  /**
   * The table of this name, made if missing.
   * @param {string} name 1 to 1024 bytes of UTF-8, as a binary string
   * @returns {Table}
   */
  open(name) {
    if (this.mode === "closed") throw storeError("closed", "the store is closed");
    const known = this.tables.get(name);
    if (known !== undefined) return known;
    checkName(name);
    if (this.mode !== "open") throw storeError("read-only", "the store is read-only");
    const table = new Table(this, ++this.lastId, name);
    this.tables.set(name, table);
    this.journal?.push(() => {
      this.tables.delete(name);
      table.dropped = true;
    });
    this.touch(table);
    return table;
  }

  /**
   * Removes a table with all its entries; says whether it existed. Handles of it are refused from now on.
   * @param {string} name
   */
  drop(name) {
    if (this.mode === "closed") throw storeError("closed", "the store is closed");
    const table = this.tables.get(name);
    if (table === undefined) return false;
    if (this.mode !== "open") throw storeError("read-only", "the store is read-only");
    this.tables.delete(name);
    table.dropped = true;
    this.journal?.push(() => {
      this.tables.set(name, table);
      table.dropped = false;
    });
    this.touch(table);
    return true;
  }

  /** Names of all tables as binary strings, oldest table first. */
  names() {
    return this.#byAge().map((table) => table.name);
  }

  /** Begins a transaction; they nest. */
  begin() {
    if (this.mode !== "open") throw storeError(this.mode, `the store is ${this.mode}`);
    this.journal ??= [];
    this.savepoints.push(this.journal.length);
  }

  /** Ends the innermost transaction and keeps what it did, as far as the outer ones do. */
  commit() {
    if (this.savepoints.pop() === undefined) throw storeError("usage", "no transaction is open");
    this.#leave();
  }

  /** Ends the innermost transaction and undoes what it did: values and order. */
  rollback() {
    const start = this.savepoints.pop();
    if (start === undefined || this.journal === null) throw storeError("usage", "no transaction is open");
    for (const undo of this.journal.splice(start).reverse()) undo();
    this.#leave();
  }

  /** The batch is over: what was written since the last call goes to the writer as one. Rolls back what is still open. */
  endBatch() {
    while (this.savepoints.length > 0) this.rollback();
    if (this.touched.length === 0) return;
    const touched = this.touched;
    this.touched = [];
    if (this.writer !== null) {
      const batch = gather(touched);
      if (batch.size > 0) this.writer.push(batch);
    }
    for (const table of touched) {
      table.touched = false;
      if (table.dropped) empty(table);
    }
    this.emit("change", { tables: touched.map((table) => table.name) });
  }

  /**
   * The program died in the middle of a batch: storage must not see the half. What was handed over before is still
   * written; the contents here can be read but no longer changed.
   */
  abandon() {
    while (this.savepoints.length > 0) this.rollback();
    this.touched = [];
    if (this.mode === "open") this.mode = "read-only";
  }

  /** Resolves when everything written so far is committed; rejects with the cause when it cannot be. */
  async flush() {
    // Asked for by something that the program itself called, this is the middle of a batch: not before its end.
    await null;
    if (this.mode === "open") this.endBatch();
    await this.writer?.flush();
  }

  /**
   * Flushes and closes. When flushing fails nothing is closed and nothing is lost: it may be called again, or with
   * `discard` to give up what is not committed.
   * @param {{ discard?: boolean }} [options]
   */
  async close(options = {}) {
    await null;
    if (this.mode === "closed") return;
    if (this.mode === "open") this.endBatch();
    await this.writer?.close(options);
    this.mode = "closed";
    this.tables.clear();
  }

  /**
   * Calls `listener`, always in a microtask of its own:
   * - `change` `{ tables }`: names (binary strings) of the tables that a batch changed
   * - `commit` `{ tables, entries, bytes }`: a storage transaction is complete
   * - `storage-error` an Error: it failed, its changes are kept and will be tried again
   * @param {StoreEvent} event
   * @param {(detail: any) => void} listener
   * @returns {() => void} ends it
   */
  on(event, listener) {
    let set = this.listeners.get(event);
    if (set === undefined) this.listeners.set(event, (set = new Set()));
    // A function of our own: the same listener may be registered twice, and each registration ends by itself.
    const entry = (/** @type {any} */ detail) => listener(detail);
    set.add(entry);
    return () => void set.delete(entry);
  }

  /** Entries and approximate bytes of each table, and how far storage is behind. */
  stats() {
    return {
      /** @type {TableStats[]} */
      tables: this.#byAge().map(({ name, entries, bytes }) => ({ name, entries: entries.size, bytes })),
      storage: this.writer === null ? { state: "none", pendingBytes: 0 } : this.writer.stats(),
    };
  }

  /**
   * Has the table in this batch. For `Table` only.
   * @param {Table} table
   */
  touch(table) {
    if (table.touched) return;
    table.touched = true;
    this.touched.push(table);
  }

  /**
   * @param {StoreEvent} event
   * @param {unknown} detail
   */
  emit(event, detail) {
    const set = this.listeners.get(event);
    if (set === undefined || set.size === 0) {
      // Somebody must hear of it.
      if (event === "storage-error") console.error("perilune: storage failed, will try again:", detail);
      return;
    }
    for (const listener of set) queueMicrotask(() => listener(detail));
  }

  #byAge() {
    return [...this.tables.values()].sort((a, b) => a.id - b.id);
  }

  /** After the outermost transaction there is nothing left to undo. */
  #leave() {
    if (this.savepoints.length > 0) return;
    this.journal = null;
    for (const table of this.touched) table.compact();
  }

  /**
   * @param {StoredTable} stored
   */
  #adopt(stored) {
    const table = new Table(this, stored.id, stored.name);
    for (const { seq, key, value } of stored.entries) {
      const entry = new Entry(key, value, seq);
      entry.stored = true;
      table.entries.set(key, entry);
      table.order.push(entry);
      table.bytes += key.length + value.length;
      table.seq = seq;
    }
    table.seq = Math.max(table.seq, stored.seq);
    table.stored = true;
    this.tables.set(table.name, table);
    this.lastId = Math.max(this.lastId, table.id);
  }
}

/**
 * What the tables of a finished batch have to tell the writer.
 * @param {Table[]} touched
 * @returns {Batch}
 */
function gather(touched) {
  /** @type {Batch} */
  const batch = new Map();
  for (const table of touched) {
    const { id, name, seq, stored } = table;
    /** @type {TableChange} */
    const change = { id, name, seq, fate: table.cleared ? "cleared" : "kept", puts: new Map(), removes: new Set() };
    if (table.dropped) {
      if (stored) batch.set(id, { ...change, fate: "dropped" });
      continue;
    }
    for (const entry of table.dirty) {
      entry.dirty = false;
      if (entry.live) {
        change.puts.set(entry.seq, { key: entry.key, value: entry.value });
        entry.stored = true;
      } else if (entry.stored) {
        change.removes.add(entry.seq);
      }
    }
    table.dirty = [];
    table.cleared = false;
    table.stored = true;
    if (!stored || change.fate !== "kept" || change.puts.size > 0 || change.removes.size > 0) batch.set(id, change);
  }
  return batch;
}

/**
 * Index of the first entry with a greater `seq`.
 * @param {Entry[]} order
 * @param {number} after
 */
function firstAfter(order, after) {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {Entry} */ (order[middle]).seq <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {Table} table
 * @param {Entry} entry
 */
function kill(table, entry) {
  table.entries.delete(entry.key);
  table.bytes -= entry.key.length + entry.value.length;
  table.dead += 1;
  entry.live = false;
  entry.value = "";
}

/** @param {Table} table */
function empty(table) {
  table.entries = new Map();
  table.order = [];
  table.dead = 0;
  table.hint = 0;
  table.bytes = 0;
  table.dirty = [];
}

/**
 * @param {Table} table
 * @param {Entry} entry
 */
function undoInsert(table, entry) {
  return () => kill(table, entry);
}

/**
 * @param {Table} table
 * @param {Entry} entry
 */
function undoOverwrite(table, entry) {
  const { value } = entry;
  return () => {
    table.bytes += value.length - entry.value.length;
    entry.value = value;
  };
}

/**
 * @param {Table} table
 * @param {Entry} entry
 */
function undoRemove(table, entry) {
  const { value } = entry;
  return () => {
    entry.live = true;
    entry.value = value;
    table.entries.set(entry.key, entry);
    table.dead -= 1;
    table.bytes += entry.key.length + value.length;
  };
}

/** @param {Table} table */
function undoClear(table) {
  const { entries, order, dead, bytes, dirty, cleared } = table;
  return () => void Object.assign(table, { entries, order, dead, bytes, dirty, cleared, hint: 0 });
}

/** @param {string} name */
function checkName(name) {
  if (name.length === 0) throw storeError("name", "the name of a table must not be empty");
  if (name.length > TABLE_NAME_BYTES_MAX) {
    throw storeError("name", `the name of a table has at most ${TABLE_NAME_BYTES_MAX} bytes, this one ${name.length}`);
  }
  try {
    const bytes = Uint8Array.from(name, (char) => char.charCodeAt(0));
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw storeError("name", "the name of a table must be UTF-8");
  }
}

/** @param {Table} table */
function refusal(table) {
  if (table.store.mode === "closed") return storeError("closed", "the store is closed");
  if (table.dropped) return storeError("closed", "the table was dropped");
  return storeError("read-only", "the store is read-only");
}

/**
 * @param {string} code
 * @param {string} message
 */
function storeError(code, message) {
  return Object.assign(new Error(message), { code });
}
