/**
 * Store of all external tables of one program: batches and transactions over them, and what goes to storage
 * of them.
 *
 * Invariants:
 * - What happened between two calls of `endBatch()` reaches storage as one, or (after a roll back) not at
 *   all.
 * - Nothing here waits. Writing to storage is the writer's work (write_behind.js): it takes one commit after
 *   the other (`takeCommit`), each of the pages as they are between two batches.
 *
 * The files of this folder and of the one above import only one another: wasm-bindgen carries them into other
 * people's builds as snippets.
 */

import { Changes } from "./changes.js";
import { DirtySet } from "./dirty_set.js";
import { CreateUndo, DropUndo, Journal } from "./journal.js";
import { pageRecords } from "./page.js";
import { Participants } from "./participants.js";
import { ENTRY_BYTES_MAX, encodeTable, tableKey } from "./records.js";
import { inTurn } from "../turns.js";
import { storeError } from "./store_error.js";
import { Table } from "./table.js";

/** Length of the longest name of a table, in bytes of UTF-8. */
export const TABLE_NAME_BYTES_MAX = 1024;

/**
 * Bytes that names of tables, and what a batch keeps, may take beyond the limit: a small one is one of
 * entries.
 */
const LIST_SPARE_BYTES = 65_536;

/** @typedef {import("./commit.js").Commit} Commit */
/** @typedef {import("./loader.js").Loader} Loader */

/** @typedef {import("./dirty_set.js").Dirty} Dirty */
/** @typedef {import("./participants.js").CommitParticipant} CommitParticipant */
/** @typedef {import("./participants.js").Part} Part */

/**
 * Writer that takes commits to storage (class `WriteBehind`).
 * @typedef {object} Writer
 * @property {(source: TableStore) => void} attach
 * @property {() => void} push notes that there is something new to commit
 * @property {(store: TableStore, dirty: Dirty, parts: Part[]) => Commit} commitOf makes a commit of what a
 *   store has taken for it
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
 * @property {boolean} loaded true if it was used since it was read from storage
 */

/** All external tables of one program. */
export class TableStore {
  /**
   * @param {Writer | null} [writer] null: nothing is kept anywhere else
   * @param {{ limit?: number | undefined }} [options] `limit`: most bytes that all tables may take in memory
   */
  constructor(writer = null, { limit = Infinity } = {}) {
    /**
     * `read-only`: after `abandon()`, and where another program writes.
     * @type {"open" | "read-only" | "closed"}
     */
    this.mode = "open";
    this.writer = writer;
    this.limit = limit;
    /** Bytes that the entries of all tables take in memory, about. */
    this.bytes = 0;
    /** Bytes that the tables take themselves, about. */
    this.listBytes = 0;
    this.journal = new Journal();
    this.dirtySet = new DirtySet(writer !== null);
    /** Commit that is under way. @type {Commit | null} */
    this.runningCommit = null;
    /** Participants of its commits; attached in mode `open` only. */
    this.participants = new Participants();
    /** Number of calls into Lua that have ended. */
    this.evals = 0;
    /** Tables by name, a binary string. @type {Map<string, Table>} */
    this.tables = new Map();
    /** Number that was given to a table last. */
    this.lastId = 0;
    /** @type {Map<StoreEvent, Set<(detail: any) => void>>} */
    this.listeners = new Map();
    /** State of the storage in `stats()` where there is no writer: `none` or `following`. */
    this.unwritten = "none";
    /** Closes what else belongs to it. @type {() => Promise<void> | void} */
    this.closing = () => {};
    writer?.attach(this);
    writer?.listen((event, detail) => this.emit(event, detail));
  }

  /**
   * Table of this name, made if missing.
   * @param {string} name 1 to 1024 bytes of UTF-8, as a binary string
   * @returns {Table}
   */
  open(name) {
    if (this.mode === "closed") throw storeError("closed", "the store is closed");
    const known = this.tables.get(name);
    if (known !== undefined) return known;
    checkName(name);
    const table = new Table(this, this.mode === "open" ? this.lastId + 1 : 0, name);
    const spare = this.limit + LIST_SPARE_BYTES - this.listBytes;
    if (table.ownBytes > spare) throw storeError("quota", "there is no room for more external tables");
    this.#checkJournal();
    this.addTable(table);
    if (this.mode === "open") {
      this.lastId = table.id;
      this.journal.noteUndo(new CreateUndo(table));
      this.dirtySet.markTable(table);
    } else {
      // It is empty until the writer makes it: programs that only read need not care who starts first.
      table.missing = true;
    }
    return table;
  }

  /**
   * Removes a table with all its entries; true if it existed. Its handles are refused from then on.
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

  /** Lists a table, and counts it. @param {Table} table */
  addTable(table) {
    this.tables.set(table.name, table);
    this.listBytes += table.ownBytes;
  }

  /** Takes a table off the list. @param {Table} table */
  removeTable(table) {
    this.tables.delete(table.name);
    this.listBytes -= table.ownBytes;
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

  /** Milliseconds to wait before the next commit; null: it begins after the current job. */
  get pauseMs() {
    return this.participants.pauseMs;
  }

  /** True if anybody listens to `change`. */
  get hasListeners() {
    return (this.listeners.get("change")?.size ?? 0) > 0;
  }

  /** True if something was written since the last batch ended. */
  get inBatch() {
    return !this.journal.isEmpty;
  }

  /**
   * Ends the batch: storage gets what was written since the last call as one. Rolls back transactions of Lua
   * that are open.
   * @param {"lua" | "js" | "storage"} [origin] writer of the batch
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
   * Adds a participant to the commits, which wait as long as it says. Its first changes have to bring
   * everything up to date that storage has of it (`stored` of its `participants.member`). Throws `name` when
   * its name cannot be one, or is taken. Does nothing unless the store is open: there are no commits then.
   * @param {CommitParticipant} participant
   */
  attach(participant) {
    if (this.mode === "open") this.participants.attach(participant);
  }

  /**
   * Removes a participant: its records go, or say so, as soon as anything else changes.
   * @param {CommitParticipant} participant
   */
  detach(participant) {
    if (this.participants.detach(participant)) this.writer?.push();
  }

  /**
   * Has a commit made soon, as if something had been written, if there are participants: they may have
   * changed.
   */
  requestCommit() {
    if (!this.participants.isEmpty) this.writer?.push();
  }

  /**
   * Takes all that has changed since the last commit, as it is now; null when nothing has. Only between two
   * batches. Throws what a participant throws; then nothing was taken.
   * @returns {Commit | null}
   */
  takeCommit() {
    // The writer asks in a task of its own: what JavaScript wrote before that is a batch that is over.
    if (this.mode === "open") this.endBatch();
    if (this.writer === null) return null;
    // Before the tables: it may throw.
    const parts = this.participants.takeChanges(!this.dirtySet.isEmpty);
    if (parts === null) return null;
    this.runningCommit = this.writer.commitOf(this, this.dirtySet.take(), parts);
    return this.runningCommit;
  }

  /**
   * Undoes the batch that is open, because the program died in the middle of it, and ends writing. What was
   * handed over before is still written; the tables can be read but no longer changed. All participants are
   * detached: they are half changed, too.
   */
  abandon() {
    const more = this.participants.detachAll();
    this.journal.undoAll();
    if (this.mode === "open") this.mode = "read-only";
    if (more) this.writer?.push();
  }

  /**
   * Yields all tables as records, each made when it is asked for.
   * @returns {Generator<[key: string, bytes: Uint8Array]>}
   */
  *records() {
    for (const table of this.#byAge()) {
      const key = tableKey(table.id);
      yield [key, encodeTable(key, { seq: table.seq, count: table.size, bytes: table.bytes, name: table.name })];
      for (const page of table.pages) yield* pageRecords(page);
    }
  }

  /** Marks everything as changed, because storage has lost it. */
  markAllDirty() {
    for (const table of this.tables.values()) {
      if (table.missing) continue;
      try {
        if (table.entries === null) table.unpack();
      } catch {
        // It was damaged before: there is nothing to write, and its next use says so.
        continue;
      }
      this.dirtySet.markTable(table);
      for (const page of table.pages) {
        page.stored = null;
        this.dirtySet.markPage(page);
      }
      table.stored = false;
    }
    this.participants.markAllDirty();
  }

  /** Resolves when everything written so far is committed; rejects with the cause when it cannot be. */
  async flush() {
    // In a call from the program itself this is the middle of a batch: it goes on after its end.
    await null;
    if (this.mode === "open") this.endBatch();
    await this.writer?.flush();
  }

  /**
   * Flushes and closes. When flushing fails nothing is closed and nothing is lost: it may be called again, or
   * with `discard` to give up what is not committed.
   * @param {{ discard?: boolean }} [options]
   */
  async close(options = {}) {
    await null;
    if (this.mode === "closed") return;
    if (this.mode === "open") this.endBatch();
    await this.writer?.close(options);
    await this.closing();
    this.mode = "closed";
    this.participants = new Participants();
    this.tables.clear();
  }

  /**
   * Makes this store what the records of a loader say: at the beginning, or when another writer has changed
   * them.
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
   * Adds a listener, which is always called in a microtask of its own:
   * - `change` with a `Changes`: what a batch changed
   * - `commit` with `{ tables, entries, bytes }`: a storage transaction is complete
   * - `storage-error` with an Error: it failed; its changes are kept and will be tried again
   * @param {StoreEvent} event
   * @param {(detail: any) => void} listener
   * @returns {() => void} ends it
   */
  on(event, listener) {
    let set = this.listeners.get(event);
    if (set === undefined) this.listeners.set(event, (set = new Set()));
    // A new function: the same listener may be added twice, and each is removed alone.
    const entry = (/** @type {any} */ detail) => listener(detail);
    set.add(entry);
    return () => void set.delete(entry);
  }

  /** Entries and bytes of each table, and how far storage is behind. */
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
      /** Bytes that their entries take in memory outside of the VM, about. */
      bytes: this.bytes,
      /** Bytes that the tables take themselves, about. */
      listBytes: this.listBytes,
      /** Bytes that the open batch keeps until it ends, to be undone, about. */
      held: this.journal.held,
      evals: this.evals,
      storage:
        this.writer === null ? { state: this.unwritten, pendingBytes: 0 } : { ...this.writer.stats(), pendingBytes },
    };
  }

  /**
   * Throws when an entry is too large, or the store would take more memory than it may: tables have the
   * limit, and what the open batch has taken away once more, since a batch may well write all of them anew.
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
    this.#checkJournal();
  }

  /** Throws when the open batch keeps too much. */
  #checkJournal() {
    if (this.journal.held > this.limit + LIST_SPARE_BYTES) {
      const held = `${this.journal.held} bytes of what it has changed are kept until it ends`;
      throw storeError("quota", `one call has changed too much in external tables: ${held}, at most ${this.limit}`);
    }
  }

  /**
   * Counts memory of tables.
   * @param {number} bytes that they take more; negative: less
   */
  addBytes(bytes) {
    this.bytes += bytes;
  }

  /**
   * Notifies the listeners of an event.
   * @param {StoreEvent} event
   * @param {unknown} detail
   */
  emit(event, detail) {
    const set = this.listeners.get(event);
    if (set === undefined || set.size === 0) {
      // A failure is never silent.
      if (event === "storage-error") console.error("perilune: storage failed, will try again:", detail);
      return;
    }
    for (const listener of set) {
      // One that was removed meanwhile is not called. One that writes is called for that, too, and so on.
      queueMicrotask(() => inTurn(() => set.has(listener) && listener(detail)));
    }
  }

  /** Tables that there are, oldest first. */
  #byAge() {
    return [...this.tables.values()].filter((table) => !table.missing).sort((a, b) => a.id - b.id);
  }

  /** Throws unless the store is open. */
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
