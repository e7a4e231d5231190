/**
 * One external table: a JavaScript Map outside the memory of the VM, and the pages in which its entries go to storage.
 *
 * Keys and values are codec bytes (docs/codec.md) held as binary strings (binary.js).
 *
 * Invariants:
 * - `seq` only grows: iteration order is the order of first insertion, and a `seq` is a cursor that survives any change
 *   of the table. An entry's page is that of its `seq`, for as long as it lives.
 * - Before anything of a page changes, whoever is writing the page to storage takes its image (`Page.flight`); after, it is
 *   listed as changed (`TableStore.soil`). So storage sees worlds between two batches, and reading costs nothing.
 * - Every change is journaled first (`TableStore.journal`), so that it can be undone and told.
 */

import { ClearUndo } from "./journal.js";
import { Entry, Page, storedOf, unpackPage } from "./page.js";
import { PAGE_ENTRIES, corrupt, tableKey } from "./records.js";
import { storeError } from "./store_error.js";

/** What an entry counts against the limit beside its key and value: about what the Map and the objects take. */
export const ENTRY_OVERHEAD_BYTES = 128;
/** Below this many empty pages a table is not worth compacting. */
const EMPTY_PAGES_MIN = 32;

/** @typedef {import("./table_store.js").TableStore} TableStore */

/** One external table. Made by `TableStore.open`. */
export class Table {
  /**
   * @param {TableStore} store
   * @param {number} id
   * @param {string} name
   */
  constructor(store, id, name) {
    this.store = store;
    this.journal = store.journal;
    this.dirtySet = store.dirtySet;
    this.id = id;
    this.name = name;
    /** Null until a table that was read from storage is first used. @type {Map<string, Entry> | null} */
    this.entries = new Map();
    /** By ascending number. Empty ones stay until they are many. @type {Page[]} */
    this.pages = [];
    /** The last page, which takes what is inserted. @type {Page | null} */
    this.tail = null;
    this.seq = 0;
    /** Of keys and values. */
    this.bytes = 0;
    /** Entries that storage says there are, as long as `entries` is null. */
    this.rawCount = 0;
    /** How often it was read. */
    this.rawAge = 0;
    /** Index of the page where `next` found its last answer. */
    this.hint = 0;
    /** How many pages were filled and are empty. */
    this.emptied = 0;
    this.dropped = false;
    /** Listed in `TableStore.dirtyTables`. */
    this.dirty = false;
    /** Storage has a record of it. */
    this.stored = false;
    /** Read-only stores: asked for, and not there (yet). */
    this.missing = false;
  }

  /**
   * The value of `key`, undefined when there is none.
   * @param {string} key
   * @returns {string | undefined}
   */
  get(key) {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    return (this.entries ?? this.unpack()).get(key)?.value;
  }

  /**
   * Writes one entry. An existing key keeps its place in the order.
   * @param {string} key
   * @param {string} value
   */
  set(key, value) {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    const entry = (this.entries ?? this.unpack()).get(key);
    if (entry === undefined) {
      const bytes = key.length + value.length;
      store.checkRoom(bytes, bytes + ENTRY_OVERHEAD_BYTES);
      this.#append(key, value, bytes);
    } else {
      store.checkRoom(key.length + value.length, value.length - entry.value.length);
      this.overwrite(entry, value);
    }
  }

  /**
   * Removes one entry; says whether it was there.
   * @param {string} key
   */
  remove(key) {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    const entry = (this.entries ?? this.unpack()).get(key);
    if (entry === undefined) return false;
    this.kill(entry);
    return true;
  }

  /**
   * The first entry whose `seq` is greater than `after`. `after` need not exist (any more).
   * @param {number} after
   * @returns {{ readonly key: string, readonly value: string, readonly seq: number } | undefined}
   */
  next(after) {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    if (this.entries === null) this.unpack();
    const { pages } = this;
    const number = Math.floor(after / PAGE_ENTRIES);
    let index = this.hint;
    // Iteration goes on in the page of its last answer; anything else is searched for.
    if (pages[index]?.number !== number) index = firstPage(pages, number);
    let page = pages[index];
    let slot = page !== undefined && page.number === number ? after + 1 - page.first : 0;
    while (page !== undefined) {
      const { slots } = page;
      for (; slot < slots.length; slot++) {
        const entry = slots[slot];
        if (entry === undefined) continue;
        this.hint = index;
        return entry;
      }
      slot = 0;
      page = pages[++index];
    }
    return undefined;
  }

  /** Number of entries. */
  get count() {
    if (this.dropped || this.store.mode === "closed") throw refusal(this);
    return this.size;
  }

  /** What it takes in memory, about. */
  get footprint() {
    return this.bytes + this.size * ENTRY_OVERHEAD_BYTES;
  }

  /** As `count`, whatever the table's state. */
  get size() {
    return this.entries === null ? this.rawCount : this.entries.size;
  }

  /** Removes every entry. */
  clear() {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    if (this.size > 0) this.journal.noteUndo(new ClearUndo(this));
  }

  /**
   * Gives an entry another value. For the store.
   * @param {Entry} entry
   * @param {string} value
   */
  overwrite(entry, value) {
    const { page } = entry;
    if (page.flight !== null) page.flight.capture(page);
    const more = value.length - entry.value.length;
    this.journal.noteOld(entry);
    entry.value = value;
    page.bytes += more;
    this.bytes += more;
    this.store.addBytes(more);
    this.dirtySet.markPage(page);
  }

  /**
   * Puts an entry at a place that is free. For the store.
   * @param {string} key
   * @param {string} value
   * @param {number} seq
   * @param {Page} page that of `seq`
   */
  insert(key, value, seq, page) {
    const entry = new Entry(key, value, seq, page);
    this.journal.noteNew(entry);
    this.#place(entry);
    this.dirtySet.markPage(page);
  }

  /**
   * Takes an entry out. For the store.
   * @param {Entry} entry
   */
  kill(entry) {
    const { page } = entry;
    if (page.flight !== null) page.flight.capture(page);
    this.journal.noteOld(entry);
    this.#displace(entry);
    this.dirtySet.markPage(page);
    if (this.emptied >= EMPTY_PAGES_MIN && this.emptied * 2 > this.pages.length) this.#compact();
    this.journal.thinOut();
  }

  /**
   * Takes one entry back to what the journal says of it: its value, undefined where it was not there.
   * @param {Entry} entry
   * @param {string | undefined} old
   */
  restore(entry, old) {
    const { page } = entry;
    if (page.flight !== null) page.flight.capture(page);
    const there = page.slots[entry.seq - page.first] === entry;
    if (there) this.#displace(entry);
    if (old !== undefined) {
      entry.value = old;
      this.#place(entry);
    }
    this.dirtySet.markPage(page);
  }

  /**
   * The page of a number, made when it is missing. For the store.
   * @param {number} number
   */
  page(number) {
    const index = firstPage(this.pages, number);
    const found = this.pages[index];
    if (found?.number === number) return found;
    const page = new Page(this, number);
    this.pages.splice(index, 0, page);
    this.tail = /** @type {Page} */ (this.pages[this.pages.length - 1]);
    return page;
  }

  /** Makes the entries of what was read from storage; throws when that is damaged. */
  unpack() {
    const steps = this.unpacking();
    while (steps.next().done !== true);
    return /** @type {Map<string, Entry>} */ (this.entries);
  }

  /** As `unpack`, a page at each step. It ends early when the table has been used, or read anew, meanwhile. */
  *unpacking() {
    /** @type {Map<string, Entry>} */
    const entries = new Map();
    const { pages, rawAge } = this;
    let bytes = 0;
    let count = 0;
    let last = 0;
    for (const page of pages) {
      if (page.raw === null) continue;
      const found = unpackPage(page, page.raw, page.rawParts, undefined);
      page.count = found.length;
      page.bytes = 0;
      page.slots = [];
      for (const entry of found) {
        const { key, value, seq } = entry;
        entries.set(key, entry);
        page.slots[seq - page.first] = entry;
        page.bytes += key.length + value.length;
        last = seq;
      }
      bytes += page.bytes;
      count += page.count;
      yield;
      if (this.entries !== null || this.pages !== pages || this.rawAge !== rawAge) return;
    }
    // More than there are keys: one of the pages is an old one.
    if (count !== entries.size || count !== this.rawCount || bytes !== this.bytes || last > this.seq) {
      throw corrupt(tableKey(this.id));
    }
    for (const page of this.pages) {
      if (page.raw === null) continue;
      page.stored = storedOf(page);
      page.raw = null;
      page.rawParts = null;
    }
    this.entries = entries;
  }

  /** Lets empty pages go once they are the majority: a table that is used as a queue takes no more room than what is in it. */
  #compact() {
    const { tail } = this;
    for (const page of this.pages) page.detached = page.count === 0 && page !== tail;
    this.pages = this.pages.filter((page) => !page.detached);
    this.emptied = 0;
    this.hint = 0;
    this.dirtySet.forgetDetached();
  }

  /**
   * @param {string} key
   * @param {string} value
   * @param {number} bytes
   */
  #append(key, value, bytes) {
    const seq = this.seq + 1;
    let page = this.tail;
    if (page === null || seq >= page.first + PAGE_ENTRIES) page = this.page(Math.floor(this.seq / PAGE_ENTRIES));
    if (page.flight !== null) page.flight.capture(page);
    const entry = new Entry(key, value, seq, page);
    this.journal.noteNew(entry);
    // The Map first: it is what may be full.
    /** @type {Map<string, Entry>} */ (this.entries).set(key, entry);
    if (page.count === 0 && page.slots.length > 0) this.emptied -= 1;
    page.slots[seq - page.first] = entry;
    page.count += 1;
    page.bytes += bytes;
    this.seq = seq;
    this.bytes += bytes;
    this.store.addBytes(bytes + ENTRY_OVERHEAD_BYTES);
    this.dirtySet.markPage(page);
  }

  /** @param {Entry} entry */
  #place(entry) {
    const { page, key, value, seq } = entry;
    const bytes = key.length + value.length;
    if (page.flight !== null) page.flight.capture(page);
    /** @type {Map<string, Entry>} */ (this.entries).set(key, entry);
    if (page.count === 0 && page.slots.length > 0) this.emptied -= 1;
    if (page.detached) {
      page.detached = false;
      this.pages.splice(firstPage(this.pages, page.number), 0, page);
    }
    page.slots[seq - page.first] = entry;
    page.count += 1;
    page.bytes += bytes;
    this.bytes += bytes;
    this.store.addBytes(bytes + ENTRY_OVERHEAD_BYTES);
    if (seq > this.seq) this.seq = seq;
  }

  /** @param {Entry} entry */
  #displace(entry) {
    const { page, key, value, seq } = entry;
    const bytes = key.length + value.length;
    const entries = /** @type {Map<string, Entry>} */ (this.entries);
    // Somebody else may have the key by now.
    if (entries.get(key) === entry) entries.delete(key);
    page.slots[seq - page.first] = undefined;
    page.count -= 1;
    if (page.count === 0) this.emptied += 1;
    page.bytes -= bytes;
    this.bytes -= bytes;
    this.store.addBytes(-bytes - ENTRY_OVERHEAD_BYTES);
  }
}

/**
 * Index of the first page with at least this number.
 * @param {readonly Page[]} pages
 * @param {number} number
 */
function firstPage(pages, number) {
  let low = 0;
  let high = pages.length;
  // Most often it is behind the last.
  const last = pages[high - 1];
  if (last === undefined || last.number < number) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {Page} */ (pages[middle]).number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Table} table */
function refusal(table) {
  const { mode } = table.store;
  if (mode === "closed") return storeError("closed", "the store is closed");
  if (table.dropped) return storeError("closed", "the table was dropped");
  return storeError("read-only", "the store is read-only");
}
