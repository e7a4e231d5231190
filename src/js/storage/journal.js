/**
 * Journal of the open batch: the old values of its entries, the savepoints of its transactions, and the steps
 * that undo the making, dropping and clearing of tables.
 *
 * Invariants:
 * - Between two savepoints an entry is noted at most once, with the value that it had at the first of them.
 * - Undoing goes from the last step to the first, so that each finds the tables as it left them.
 */

import { Entry } from "./page.js";
import { PAGE_ENTRIES } from "./records.js";
import { storeError } from "./store_error.js";

/** Length above which a journal is thinned out, and its array is not kept for the next batch. */
const LENGTH_MAX = 8192;

/** Bytes that a step counts beside what it keeps: about what it takes itself. */
const STEP_BYTES = 48;
/** Bytes that a page counts that a step keeps. */
const PAGE_BYTES = 256;

/** @typedef {import("./table.js").Table} Table */

/**
 * Step of the journal that can undo itself. `entries`: those that it took away, null where they are not known
 * or there were none. `held`: bytes that it keeps from being freed, about.
 * @typedef {object} Undo
 * @property {Table} table
 * @property {number} held
 * @property {ReadonlyMap<string, Entry> | null} entries
 * @property {() => void} undo
 */

/** Journal of the batch that is open in a store. */
export class Journal {
  /**
   * Pairs, oldest first: an entry and the value that it had (undefined: it was not there), or an `Undo` and
   * undefined.
   * @type {(Entry | Undo | string | undefined)[]}
   */
  #steps = [];
  /** Length from which on the journal is thinned out. */
  #lengthMax = LENGTH_MAX;
  /** Length of `#steps`, and `held`, at each `begin`. @type {{ length: number, held: number }[]} */
  #savepoints = [];
  /** Bytes that it keeps from being freed until the batch ends, about. */
  held = 0;
  /** Number of savepoints of JavaScript, which stay when a call into Lua ends. */
  #kept = 0;
  /** Number that changes with each savepoint; an entry that bears it has been noted since. */
  #era = 1;

  /** True if nothing has been written since the last batch ended. */
  get isEmpty() {
    return this.#steps.length === 0;
  }

  /** Everything that it keeps. @returns {readonly unknown[]} */
  steps() {
    return this.#steps;
  }

  /** True while a transaction of JavaScript is open: the batch is not over before that. */
  get inTransaction() {
    return this.#kept > 0;
  }

  /** Number of transactions that are open. */
  get depth() {
    return this.#savepoints.length;
  }

  /** Number of changes of single entries. */
  get entries() {
    let entries = 0;
    for (let at = 0; at < this.#steps.length; at += 2) if (this.#steps[at] instanceof Entry) entries += 1;
    return entries;
  }

  /**
   * Notes the value of an entry that is about to be changed or removed.
   * @param {Entry} entry
   */
  noteOld(entry) {
    if (entry.era === this.#era) return;
    entry.era = this.#era;
    this.#steps.push(entry, entry.value);
    this.held += STEP_BYTES + entry.value.length;
  }

  /**
   * Notes that an entry is new.
   * @param {Entry} entry
   */
  noteNew(entry) {
    entry.era = this.#era;
    this.#steps.push(entry, undefined);
    this.held += STEP_BYTES;
  }

  /**
   * Notes that an entry is removed, which it keeps.
   * @param {Entry} entry
   */
  noteRemoval(entry) {
    this.noteOld(entry);
    this.held += bytesOf(entry);
  }

  /**
   * Notes a change of a whole table.
   * @param {Undo} undo
   */
  noteUndo(undo) {
    this.#steps.push(undo, undefined);
    this.held += STEP_BYTES + undo.held;
  }

  /** Begins a transaction; they nest. */
  begin() {
    this.#savepoints.push({ length: this.#steps.length, held: this.held });
    this.#era += 1;
  }

  /**
   * Ends the innermost transaction and keeps what it did, as far as the outer ones do. Throws `usage` if none
   * is open.
   */
  commit() {
    this.#endTransaction();
  }

  /** Ends the innermost transaction and undoes what it did. Throws `usage` if none is open. */
  rollback() {
    this.#undo(this.#endTransaction());
  }

  /** Rolls back the transactions that a call into Lua has left open. */
  rollbackLeftOpen() {
    while (this.depth > this.#kept) this.rollback();
  }

  /**
   * Runs `work` in a transaction of JavaScript, which calls into Lua may join.
   * @template T
   * @param {() => T} work
   * @returns {T}
   */
  transaction(work) {
    this.begin();
    const kept = this.#kept;
    const { depth } = this;
    this.#kept = depth;
    try {
      const result = work();
      if (this.depth < depth) {
        throw storeError("read-only", "the program has died: what its transaction wrote was taken back");
      }
      this.commit();
      return result;
    } catch (error) {
      // `undoAll` has undone it already.
      if (this.depth >= depth) this.rollback();
      throw error;
    } finally {
      this.#kept = kept;
    }
  }

  /** Undoes the whole batch and ends all transactions in it. */
  undoAll() {
    this.#savepoints = [];
    this.#kept = 0;
    this.#undo({ length: 0, held: 0 });
    this.clear();
  }

  /** Ends the batch: what it did stays. */
  clear() {
    for (let at = 0; at < this.#steps.length; at += 2) {
      const step = this.#steps[at];
      if (step instanceof ClearUndo) step.release();
    }
    this.held = 0;
    if (this.#steps.length > LENGTH_MAX) this.#steps = [];
    else this.#steps.length = 0;
    this.#lengthMax = LENGTH_MAX;
    this.#era += 1;
  }

  /**
   * Forgets entries that have come and gone since the last savepoint, once the journal is long: a batch may
   * make many.
   */
  thinOut() {
    if (this.#steps.length <= this.#lengthMax) return;
    const steps = this.#steps;
    let to = this.#savepoints[this.#savepoints.length - 1]?.length ?? 0;
    /** @type {Set<unknown>} */
    const fleeting = new Set();
    for (let at = to; at < steps.length; at += 2) {
      const step = steps[at];
      if (!(step instanceof Entry) || steps[at + 1] !== undefined) continue;
      if (step.page.slots[step.seq - step.page.first] === step) continue;
      fleeting.add(step);
      this.held -= STEP_BYTES + bytesOf(step);
    }
    for (let at = to; at < steps.length; at += 2) {
      if (fleeting.has(steps[at])) continue;
      steps[to] = steps[at];
      steps[to + 1] = steps[at + 1];
      to += 2;
    }
    steps.length = to;
    this.#lengthMax = Math.max(LENGTH_MAX, 2 * to);
  }

  /**
   * Value that each entry had before the batch (undefined: it was not there) by table, in the order of their
   * first changes.
   * @returns {Iterable<[Table, Map<string, string | undefined>]>}
   */
  oldValues() {
    /** @type {Map<string, [Table, Map<string, string | undefined>]>} */
    const byName = new Map();
    for (let at = 0; at < this.#steps.length; at += 2) {
      const step = /** @type {Entry | Undo} */ (this.#steps[at]);
      const table = step instanceof Entry ? step.page.table : step.table;
      let found = byName.get(table.name);
      if (found === undefined) byName.set(table.name, (found = [table, new Map()]));
      const old = found[1];
      if (step instanceof Entry) {
        if (!old.has(step.key)) old.set(step.key, /** @type {string | undefined} */ (this.#steps[at + 1]));
      } else {
        for (const [key, { value }] of step.entries ?? []) if (!old.has(key)) old.set(key, value);
      }
    }
    return byName.values();
  }

  /** Ends the innermost transaction, and returns where it began. */
  #endTransaction() {
    const start = this.#savepoints.pop();
    if (start === undefined) throw storeError("usage", "no transaction is open");
    return start;
  }

  /**
   * Undoes the steps from this length of the journal on.
   * @param {{ length: number, held: number }} start
   */
  #undo({ length, held }) {
    const steps = this.#steps;
    for (let at = steps.length - 2; at >= length; at -= 2) {
      const step = /** @type {Entry | Undo} */ (steps[at]);
      if (step instanceof Entry) step.page.table.restore(step, /** @type {string | undefined} */ (steps[at + 1]));
      else step.undo();
    }
    steps.length = length;
    this.held = held;
    this.#era += 1;
  }
}

/** Step of the journal that undoes the making of a table. */
export class CreateUndo {
  /** @param {Table} table */
  constructor(table) {
    this.table = table;
  }

  /** Null: the table was empty. @returns {null} */
  get entries() {
    return null;
  }

  get held() {
    return this.table.ownBytes;
  }

  undo() {
    const { table } = this;
    table.store.removeTable(table);
    table.dropped = true;
    for (const page of table.pages) page.gone = true;
  }
}

/** Step of the journal that undoes the clearing of a table. Its constructor clears the table. */
export class ClearUndo {
  /** @param {Table} table */
  constructor(table) {
    // Listeners get the old values; of a table that is damaged nobody knows them, but it can still be
    // cleared.
    if (table.entries === null && table.store.hasListeners) attempt(() => table.unpack());
    const { store, dirtySet, entries, pages, tail, bytes, rawCount, emptied } = table;
    this.table = table;
    /** @type {ReadonlyMap<string, Entry> | null} */
    this.entries = entries;
    this.kept = { entries, pages, tail, bytes, rawCount, emptied, hint: 0 };
    this.footprint = table.footprint;
    this.held = this.footprint + pages.length * PAGE_BYTES;
    for (const page of pages) {
      page.gone = true;
      dirtySet.markPage(page);
    }
    dirtySet.markTable(table);
    // New entries get new pages: the old ones may still be on their way to storage, or come back by an undo.
    const seq = Math.ceil(table.seq / PAGE_ENTRIES) * PAGE_ENTRIES;
    Object.assign(table, {
      entries: new Map(),
      pages: [],
      tail: null,
      bytes: 0,
      rawCount: 0,
      emptied: 0,
      hint: 0,
      seq,
    });
    store.addBytes(-this.footprint);
  }

  /** Lets go of what was there: nothing undoes it any more. */
  release() {
    // A commit that is about to write a page still reads it.
    for (const page of this.kept.pages) if (page.commit === null) page.slots = [];
  }

  undo() {
    const { table, kept } = this;
    // All later steps are undone: the pages made since are empty, and those that storage has are listed to be
    // removed.
    for (const page of table.pages) page.gone = true;
    Object.assign(table, kept);
    for (const page of table.pages) {
      page.gone = false;
      table.dirtySet.markPage(page);
    }
    table.store.addBytes(this.footprint);
  }
}

/** Step of the journal that undoes the dropping of a table. Its constructor drops the table. */
export class DropUndo extends ClearUndo {
  /** @param {Table} table */
  constructor(table) {
    super(table);
    this.held += table.ownBytes;
    table.store.removeTable(table);
    table.dropped = true;
  }

  /** @override */
  undo() {
    const { table } = this;
    table.store.addTable(table);
    table.dropped = false;
    super.undo();
  }
}

/** @param {Entry} entry */
function bytesOf({ key, value }) {
  return key.length + value.length;
}

/** @param {() => void} work */
function attempt(work) {
  try {
    work();
  } catch {
    // What it would have changed is as it was.
  }
}
