/**
 * All external tables of one program, the batches and transactions over them, and what goes to storage of them.
 *
 * Invariants:
 * - What happened between two calls of `endBatch()` reaches storage as one, or (after a roll back) not at all.
 * - What storage has of a companion is of the same moment as the tables beside it. When it has left, and they go on without
 *   it, its records are removed, or say so. Only who was never accompanied leaves them as they are.
 * - Nothing here waits. Writing to storage is the writer's work (write_behind.js): it asks for a commit's worth (`takeCommit`)
 *   of pages as they are between two batches.
 *
 * The files of this folder import only one another: wasm-bindgen carries them into other people's builds as snippets.
 */

import { Changes } from "./changes.js";
import { Commit, pageRecords } from "./commit.js";
import { DirtySet } from "./dirty_set.js";
import { CreateUndo, DropUndo, Journal } from "./journal.js";
import { ENTRY_BYTES_MAX, encodeTable, tableKey } from "./records.js";
import { storeError } from "./store_error.js";
import { Table } from "./table.js";

/** The longest name of a table, in bytes of UTF-8. */
export const TABLE_NAME_BYTES_MAX = 1024;

/** @typedef {import("./loader.js").Loader} Loader */

/** @typedef {[name: string, bytes: Uint8Array | null]} CompanionChange null: the record is gone */

/**
 * Something else that is kept with the tables and committed with them (web: the memory of the VM, so that it goes on after
 * a reload). It has records of its own; a name is 1 to 24 of the characters a-z and 0-9, and comes once in a cut.
 * @typedef {object} Companion
 * @property {() => CompanionChange[]} cut what has changed since the last cut that was not taken back, as it is now (bytes of
 *   its own, never changed later). Called only between two batches. Empty when nothing has. When it throws, the commit has
 *   failed: it is told and tried again like any other
 * @property {() => void} succeeded the last cut is committed
 * @property {() => void} failed it is not: what it had comes again with the next one
 * @property {() => void} markAllDirty storage has lost everything: the next cut must be of all
 * @property {() => CompanionChange[]} [farewell] what is to be written when it has to leave in the middle of a batch: what storage
 *   has of it is older than the tables from then on. Where there is no such property, its records are removed
 * @property {() => number} pause milliseconds to wait before the next commit is begun (0: as soon as now, but in a task of its
 *   own, not in the current job)
 */

/**
 * Who takes the batches to storage (class `WriteBehind`).
 * @typedef {object} Writer
 * @property {(source: { takeCommit: () => Commit | null, markAllDirty: () => void }) => void} attach
 * @property {(pause: (() => number) | null) => void} pace how long to wait before each commit; null: not at all
 * @property {() => void} push there is something new to commit
 * @property {() => Promise<void>} flush
 * @property {(options?: { discard?: boolean }) => Promise<void>} close
 * @property {(listener: (event: "commit" | "storage-error", detail: unknown) => void) => void} listen
 * @property {() => { state: string }} stats
 */

/** @typedef {"change" | "commit" | "storage-error"} StoreEvent */

/**
 * @typedef {object} TableStats
 * @property {string} name a binary string
 * @property {number} entries
 * @property {number} bytes of keys and values, without the overhead of the Map
 * @property {boolean} loaded whether it has been used since it was read from storage
 */

/** All external tables of one program. */
export class TableStore {
  /**
   * @param {Writer | null} [writer] null: nothing is kept anywhere else
   * @param {{ limit?: number | undefined }} [options] `limit`: the most bytes that all tables may take in memory
   */
  constructor(writer = null, { limit = Infinity } = {}) {
    /** `read-only`: after `abandon()`, and where somebody else writes. @type {"open" | "read-only" | "closed"} */
    this.mode = "open";
    this.writer = writer;
    this.limit = limit;
    /** What all tables take, about. */
    this.bytes = 0;
    this.journal = new Journal();
    this.dirtySet = new DirtySet(writer !== null);
    /** The commit that is under way. @type {Commit | null} */
    this.runningCommit = null;
    /** Only in mode `open`. @type {Companion | null} */
    this.companion = null;
    /** There was one. */
    this.companionLeft = false;
    /** What it wants to be written then; null: its records are removed when tables change. @type {CompanionChange[] | null} */
    this.farewell = null;
    /** What storage had of a companion when it was opened, by name; whoever takes it leaves an empty map. @type {Map<string, Uint8Array>} */
    this.companionRecords = new Map();
    /** It cannot be used: of what is in `companionRecords` only the names are right, and all bytes are missing. */
    this.companionDamaged = false;
    /** Names of the records of a companion that storage has. @type {Set<string>} */
    this.companionStored = new Set();
    /** How many calls into Lua have ended. */
    this.evals = 0;
    /** @type {Map<string, Table>} */
    this.tables = new Map();
    this.lastId = 0;
    /** @type {Map<StoreEvent, Set<(detail: any) => void>>} */
    this.listeners = new Map();
    /** The state of the storage where nobody writes here: `none` or `following`. */
    this.unwritten = "none";
    /** What else has to be closed with it. @type {() => Promise<void> | void} */
    this.closing = () => {};
    writer?.attach(this);
    writer?.listen((event, detail) => this.emit(event, detail));
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
    const table = new Table(this, this.mode === "open" ? ++this.lastId : 0, name);
    this.tables.set(name, table);
    if (this.mode === "open") {
      this.journal.noteUndo(new CreateUndo(table));
      this.dirtySet.markTable(table);
    } else {
      // It is empty as long as nobody makes it: programs that only read should not care who comes first.
      table.missing = true;
    }
    return table;
  }

  /**
   * Removes a table with all its entries; says whether it existed. Handles of it are refused from now on.
   * @param {string} name
   */
  drop(name) {
    if (this.mode === "closed") throw storeError("closed", "the store is closed");
    const table = this.tables.get(name);
    if (table === undefined || table.missing) return false;
    if (this.mode !== "open") throw storeError("read-only", "the store is read-only");
    this.journal.noteUndo(new DropUndo(table));
    return true;
  }

  /** Names of all tables as binary strings, oldest table first. */
  names() {
    return this.#byAge().map((table) => table.name);
  }

  /** Begins a transaction; they nest. */
  begin() {
    this.#checkWritable();
    this.journal.begin();
  }

  /** Ends the innermost transaction and keeps what it did, as far as the outer ones do. */
  commit() {
    this.journal.commit();
  }

  /** Ends the innermost transaction and undoes what it did: values and order. */
  rollback() {
    this.journal.rollback();
  }

  /**
   * Runs `work` in a transaction, which calls into Lua may join.
   * @template T
   * @param {() => T} work
   * @returns {T}
   */
  transaction(work) {
    this.#checkWritable();
    return this.journal.transaction(work);
  }

  /** Whether anybody listens to what changes. */
  get hasListeners() {
    return (this.listeners.get("change")?.size ?? 0) > 0;
  }

  /** Whether something was written since the last batch ended. */
  get inBatch() {
    return !this.journal.isEmpty;
  }

  /**
   * The batch is over: storage gets what was written since the last call as one. Rolls back what is still open.
   * @param {"lua" | "js" | "storage"} [origin] who wrote
   */
  endBatch(origin = "js") {
    if (origin === "lua") this.evals += 1;
    const { journal } = this;
    journal.rollbackLeftOpen();
    if (journal.isEmpty || journal.inTransaction) return;
    this.dirtySet.count(journal.entries);
    if (this.hasListeners) {
      const changes = new Changes(journal, origin === "lua" ? this.evals : undefined, origin);
      if (changes.tables.length > 0) this.emit("change", changes);
    }
    journal.clear();
    if (this.mode === "open") this.writer?.push();
  }

  /**
   * From now on each commit has what this companion has, too, and waits as long as it says. Its first cut must be of all, and
   * remove what storage has under other names. Null: it leaves. After `abandon()` there is nothing to be accompanied by.
   * @param {Companion | null} given
   */
  accompany(given) {
    const companion = this.mode === "open" ? given : null;
    this.companionLeft = companion === null && (this.companionLeft || this.companion !== null);
    if (this.companion !== null) this.farewell = companion === null ? (this.companion.farewell?.() ?? null) : null;
    this.companion = companion;
    this.writer?.pace(companion && (() => companion.pause()));
  }

  /** The companion may have changed: it is committed soon, as if something had been written. */
  touch() {
    if (this.companion !== null) this.writer?.push();
  }

  /**
   * A commit's worth of what has changed, as it is now; null when nothing has. Only between two batches. Throws what the
   * companion throws; then nothing was taken out.
   * @returns {Commit | null}
   */
  takeCommit() {
    // The writer asks in a task of its own: what JavaScript wrote before that is a batch that is over.
    if (this.mode === "open") this.endBatch();
    const changed = !this.dirtySet.isEmpty;
    const { companion } = this;
    // Before anything is taken out: it may throw.
    const beside = companion !== null ? companion.cut() : this.#farewell(changed);
    if (!changed && beside.length === 0) return null;
    this.runningCommit = new Commit(this, this.dirtySet.take(), companion, beside);
    return this.runningCommit;
  }

  /**
   * The program died in the middle of a batch: storage must not see the half, and nobody else, either. What was handed over
   * before is still written; the contents here can be read but no longer changed. The companion is half changed, too: it leaves.
   */
  abandon() {
    this.accompany(null);
    this.journal.undoAll();
    if (this.mode === "open") this.mode = "read-only";
    if (this.farewell !== null) this.writer?.push();
  }

  /** Everything there is, as records; each is made when it is asked for. @returns {Generator<[key: string, bytes: Uint8Array]>} */
  *records() {
    for (const table of this.#byAge()) {
      const key = tableKey(table.id);
      yield [key, encodeTable(key, { seq: table.seq, count: table.size, bytes: table.bytes, name: table.name })];
      for (const page of table.pages) yield* pageRecords(page);
    }
  }

  /** Storage has lost everything: all that is here will be written again. */
  markAllDirty() {
    for (const table of this.tables.values()) {
      if (table.missing) continue;
      try {
        if (table.entries === null) table.unpack();
      } catch {
        // It was damaged before: there is nothing to write, and whoever uses it is told.
        continue;
      }
      this.dirtySet.markTable(table);
      for (const page of table.pages) {
        page.stored = null;
        this.dirtySet.markPage(page);
      }
      table.stored = false;
    }
    this.companionStored.clear();
    this.companion?.markAllDirty();
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
    await this.closing();
    this.mode = "closed";
    this.companion = null;
    this.tables.clear();
  }

  /**
   * Makes this store what the records of a loader say: at the beginning, or when another writer has changed them.
   * @param {Loader} loader
   */
  load(loader) {
    try {
      loader.applyTo(this);
    } catch (error) {
      this.journal.undoAll();
      throw error;
    }
    this.endBatch("storage");
  }

  /**
   * Calls `listener`, always in a microtask of its own:
   * - `change` a `Changes`: what a batch changed
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
    const pending = [...this.dirtySet.pages, ...(this.runningCommit?.pages ?? [])];
    const pendingBytes = pending.reduce((sum, page) => sum + page.bytes, 0);
    return {
      /** @type {TableStats[]} */
      tables: this.#byAge().map(({ name, size, bytes, entries }) => ({
        name,
        entries: size,
        bytes,
        loaded: entries !== null,
      })),
      /** What they take in memory outside of the VM, about. */
      bytes: this.bytes,
      evals: this.evals,
      storage:
        this.writer === null ? { state: this.unwritten, pendingBytes: 0 } : { ...this.writer.stats(), pendingBytes },
    };
  }

  /**
   * Throws when an entry is too large, or the store would take more memory than it may.
   * @param {number} bytes key and value of the entry
   * @param {number} more bytes that the store would grow by
   */
  checkRoom(bytes, more) {
    if (bytes > ENTRY_BYTES_MAX) {
      throw storeError("too-large", `an entry has at most 64 MiB, this one ${bytes} bytes`);
    }
    if (more > 0 && this.bytes + more > this.limit) {
      throw storeError("quota", `the external tables are full: they may have ${this.limit} bytes`);
    }
  }

  /**
   * Counts memory that tables take from now on.
   * @param {number} bytes negative: that they take no more
   */
  addBytes(bytes) {
    this.bytes += bytes;
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
    for (const listener of set) {
      // One that was ended meanwhile hears nothing any more.
      queueMicrotask(() => set.has(listener) && listener(detail));
    }
  }

  /**
   * What becomes of a companion that has left.
   * @param {boolean} changed whether the tables are newer than it
   * @returns {CompanionChange[]}
   */
  #farewell(changed) {
    if (!this.companionLeft) return [];
    if (this.farewell !== null) return this.farewell.filter(([name]) => !this.companionStored.has(name));
    return changed ? [...this.companionStored].map((name) => [name, null]) : [];
  }

  #byAge() {
    return [...this.tables.values()].filter((table) => !table.missing).sort((a, b) => a.id - b.id);
  }

  #checkWritable() {
    if (this.mode !== "open") throw storeError(this.mode, `the store is ${this.mode}`);
  }
}

/**
 * Throws when no table can have this name.
 * @param {string} name
 */
export function checkName(name) {
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
