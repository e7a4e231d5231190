/**
 * An external table: a JavaScript Map outside of the memory of the VM, and the pages in which its entries go
 * to storage.
 *
 * Keys and values are codec bytes (docs/codec.md) held as binary strings (binary.js).
 *
 * Invariants:
 * - `seq` only grows: iteration order is the order of first insertion, and a `seq` is a cursor that survives
 *   any change of the table. The page of an entry is that of its `seq`, for as long as the entry lives.
 * - Before a page changes, the commit that is about to write it encodes it (`Page.commit`); after the change
 *   the page is marked (`DirtySet`). So storage gets states between two batches, and reading costs nothing.
 * - Every change is noted in the `Journal` first, so that it can be undone, and listeners can be notified of
 *   it.
 */

import { ClearUndo } from "./journal.js";
import { Entry, Page, storedOf, unpackPage } from "./page.js";
import { PAGE_ENTRIES, corrupt, tableKey } from "./records.js";
import { storeError } from "./store_error.js";

/** Bytes that an entry counts beside its key and value: about what the Map and the objects take. */
export const ENTRY_OVERHEAD_BYTES = 128;
/** Bytes that a table counts beside its name and its entries. */
const TABLE_OVERHEAD_BYTES = 512;
/** Number of empty pages below which a table is not worth compacting. */
const EMPTY_PAGES_MIN = 32;

/** @typedef {import("./table_store.js").TableStore} TableStore */

/** External table. Made by `TableStore.open`. */
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
    /**
     * Entries by key; null until a table that was read from storage is first used.
     * @type {Map<string, Entry> | null}
     */
    this.entries = new Map();
    /** Pages by ascending number. Empty ones stay until they are many. @type {Page[]} */
    this.pages = [];
    /** Last page, which takes what is inserted. @type {Page | null} */
    this.tail = null;
    /** Last place that was given out. */
    this.seq = 0;
    /** Bytes of keys and values. */
    this.bytes = 0;
    /** Number of entries by its record, as long as `entries` is null. */
    this.rawCount = 0;
    /** Number of times that it was read. */
    this.rawVersion = 0;
    /** Index of the page where `next` found its last answer. */
    this.hint = 0;
    /** Number of pages that had entries and have none any more. */
    this.emptied = 0;
    this.dropped = false;
    /** True if it is listed in the `DirtySet`. */
    this.dirty = false;
    /** True if storage has a record of it. */
    this.stored = false;
    /** True if a read-only store was asked for it, and it is not there (yet). */
    this.missing = false;
  }

  /**
   * Value of `key`, undefined when there is none.
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
   * Removes one entry; true if it was there.
   * @param {string} key
   */
  remove(key) {
    const store = this.store;
    if (this.dropped || store.mode !== "open") throw refusal(this);
    const entry = (this.entries ?? this.unpack()).get(key);
    if (entry === undefined) return false;
    this.removeEntry(entry);
    return true;
  }

  /**
   * First entry whose `seq` is greater than `after`; no entry need have that.
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

  /** Bytes that it takes in memory, about. */
  get footprint() {
    return this.bytes + this.size * ENTRY_OVERHEAD_BYTES;
  }

  /** Bytes that it takes itself, about. */
  get ownBytes() {
    return TABLE_OVERHEAD_BYTES + this.name.length;
  }

  /** Number of entries, whatever the table's state. */
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
   * Gives an entry another value. For `set` and the loader.
   * @param {Entry} entry
   * @param {string} value
   */
  overwrite(entry, value) {
    const { page } = entry;
    if (page.commit !== null) page.commit.capture(page);
    const more = value.length - entry.value.length;
    this.journal.noteOld(entry);
    entry.value = value;
    page.bytes += more;
    this.bytes += more;
    this.store.addBytes(more);
    this.dirtySet.markPage(page);
  }

  /**
   * Puts an entry at a place that is free. For the loader.
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
   * Takes an entry out. For `remove` and the loader.
   * @param {Entry} entry
   */
  removeEntry(entry) {
    const { page } = entry;
    if (page.commit !== null) page.commit.capture(page);
    this.journal.noteRemoval(entry);
    this.#displace(entry);
    this.dirtySet.markPage(page);
    if (this.emptied >= EMPTY_PAGES_MIN && this.emptied * 2 > this.pages.length) this.#compact();
    this.journal.thinOut();
  }

  /**
   * Gives an entry back its old value. For the journal.
   * @param {Entry} entry
   * @param {string | undefined} old undefined: it was not there
   */
  restore(entry, old) {
    const { page } = entry;
    if (page.commit !== null) page.commit.capture(page);
    const there = page.slots[entry.seq - page.first] === entry;
    if (there) this.#displace(entry);
    if (old !== undefined) {
      entry.value = old;
      this.#place(entry);
    }
    this.dirtySet.markPage(page);
  }

  /**
   * Page of a number, made when it is missing.
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

  /** Decodes what was read from storage; throws `corrupt` when that is damaged. */
  unpack() {
    const steps = this.unpacking();
    while (steps.next().done !== true);
    return /** @type {Map<string, Entry>} */ (this.entries);
  }

  /**
   * Decodes a page at each step, else as `unpack`. Ends early when the table has been used, or read anew,
   * meanwhile.
   */
  *unpacking() {
    /** @type {Map<string, Entry>} */
    const entries = new Map();
    const { pages, rawVersion } = this;
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
      if (this.entries !== null || this.pages !== pages || this.rawVersion !== rawVersion) return;
    }
    // With more entries than keys one of the pages is an old one.
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

  /** Lets empty pages go: a table that is used as a queue takes no more room than its entries do. */
  #compact() {
    const { tail } = this;
    for (const page of this.pages) page.detached = page.count === 0 && page !== tail;
    this.pages = this.pages.filter((page) => !page.detached);
    this.emptied = 0;
    this.hint = 0;
    this.dirtySet.forgetDetached();
  }

  /**
   * Adds an entry at the end.
   * @param {string} key
   * @param {string} value
   * @param {number} bytes of both
   */
  #append(key, value, bytes) {
    const seq = this.seq + 1;
    let page = this.tail;
    if (page === null || seq >= page.first + PAGE_ENTRIES) page = this.page(Math.floor(this.seq / PAGE_ENTRIES));
    if (page.commit !== null) page.commit.capture(page);
    const entry = new Entry(key, value, seq, page);
    this.journal.noteNew(entry);
    // The Map first: it may be full.
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

  /** Puts an entry at its place, and counts it. @param {Entry} entry */
  #place(entry) {
    const { page, key, value, seq } = entry;
    const bytes = key.length + value.length;
    if (page.commit !== null) page.commit.capture(page);
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

  /** Takes an entry from its place, and counts it no more. @param {Entry} entry */
  #displace(entry) {
    const { page, key, value, seq } = entry;
    const bytes = key.length + value.length;
    const entries = /** @type {Map<string, Entry>} */ (this.entries);
    // Another entry may have the key by now.
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
 * Index of the first page that has at least this number.
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

/** Error that says why a table cannot be used. @param {Table} table */
function refusal(table) {
  const { mode } = table.store;
  if (mode === "closed") return storeError("closed", "the store is closed");
  if (table.dropped) return storeError("closed", "the table was dropped");
  return storeError("read-only", "the store is read-only");
}
