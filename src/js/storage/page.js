/** Entries of external tables, and the pages in which they go to storage. */

import {
  PAGE_ENTRIES,
  corrupt,
  decodePage,
  decodeParts,
  encodePage,
  encodeParts,
  isOverflow,
  pageKey,
  partKey,
} from "./records.js";

/** @typedef {import("./commit.js").Commit} Commit */
/** @typedef {import("./table.js").Table} Table */

/**
 * Overflow entry in storage: an entry too large for its page, in parts of its own.
 * @typedef {object} OverflowEntry
 * @property {number} bytes of its key and value
 * @property {string | undefined} value undefined: not known
 */

/**
 * Content of a page in storage.
 * @typedef {{ readonly overflow: ReadonlyMap<number, OverflowEntry> | null }} Stored
 */

/** Entry of a table. */
export class Entry {
  /**
   * @param {string} key
   * @param {string} value
   * @param {number} seq
   * @param {Page} page
   */
  constructor(key, value, seq, page) {
    this.key = key;
    this.value = value;
    this.seq = seq;
    this.page = page;
    /** Number of the savepoint (`Journal`) after which its value was noted last. */
    this.era = 0;
  }
}

/** Page: up to 64 entries with neighbouring `seq`, which are written together when one of them changes. */
export class Page {
  /**
   * @param {Table} table
   * @param {number} number
   */
  constructor(table, number) {
    this.table = table;
    this.number = number;
    /** `seq` of its first place. */
    this.first = number * PAGE_ENTRIES + 1;
    /** @type {(Entry | undefined)[]} */
    this.slots = [];
    this.count = 0;
    /** Bytes of keys and values. */
    this.bytes = 0;
    /** True if it is listed in the `DirtySet`. */
    this.dirty = false;
    /** True if its table was cleared or dropped: it holds what was there, for an undo. */
    this.gone = false;
    /** True if it was empty, and its table has let it go. */
    this.detached = false;
    /** Commit that is about to write it, and has not encoded it yet. @type {Commit | null} */
    this.commit = null;
    /** Content of it in storage; null: none. @type {Stored | null} */
    this.stored = null;
    /** `stored` as it is once the running commit has succeeded. @type {Stored | null} */
    this.storedNext = null;
    /** Record as it was read, until its table is first used. @type {Uint8Array | null} */
    this.raw = null;
    /** Parts of overflow entries as they were read, by `seq`. @type {Map<number, Uint8Array[]> | null} */
    this.rawParts = null;
  }

  /**
   * Number of the page of a `seq`.
   * @param {number} seq
   */
  static numberOf(seq) {
    return Math.floor((seq - 1) / PAGE_ENTRIES);
  }
}

/**
 * Content of a page in storage that is what the page has now.
 * @param {Page} page
 * @returns {Stored}
 */
export function storedOf(page) {
  /** @type {Map<number, OverflowEntry> | null} */
  let overflow = null;
  const parts = page.stored?.overflow;
  if (parts) {
    overflow = new Map();
    for (const [seq, { bytes }] of parts) overflow.set(seq, { bytes, value: page.slots[seq - page.first]?.value });
  }
  return overflow === null ? INLINE : { overflow };
}

/** Content of a page without overflow entries. @type {Stored} */
export const INLINE = Object.freeze({ overflow: null });

/**
 * Decodes the entries of a page; throws `corrupt` when its record is damaged.
 * @param {Page} page
 * @param {Uint8Array} raw
 * @param {Map<number, Uint8Array[]> | null} parts of overflow entries, by `seq`
 * @param {((seq: number) => Entry | undefined) | undefined} known finds an overflow entry whose parts are not
 *   given
 */
export function unpackPage(page, raw, parts, known) {
  const name = pageKey(page.table.id, page.number);
  /** @type {Entry[]} */
  const entries = [];
  decodePage(name, raw, (slot, key, value, keyLength, valueLength) => {
    const seq = page.first + slot;
    if (key !== undefined && value !== undefined) {
      entries.push(new Entry(key, value, seq, page));
      return;
    }
    const own = parts?.get(seq);
    const found = own === undefined ? known?.(seq) : decodeParts(name, own, keyLength, valueLength);
    if (found === undefined || found.key.length !== keyLength || found.value.length !== valueLength)
      throw corrupt(name);
    entries.push(new Entry(found.key, found.value, seq, page));
  });
  if (entries.length === 0) throw corrupt(name);
  return entries;
}

/**
 * Yields all records of a page, whatever storage has of it.
 * @param {Page} page
 * @returns {Generator<[key: string, bytes: Uint8Array]>}
 */
export function* pageRecords(page) {
  const { table, raw, rawParts, slots } = page;
  const key = pageKey(table.id, page.number);
  if (raw !== null) {
    yield [key, raw];
    for (const [seq, parts] of rawParts ?? []) {
      for (const [part, bytes] of parts.entries()) yield [partKey(table.id, seq, part), bytes];
    }
  } else if (page.count > 0) {
    yield [key, encodePage(key, slots)];
    for (const entry of slots) {
      if (entry !== undefined && isOverflow(entry)) yield* encodeParts(table.id, entry.seq, entry);
    }
  }
}
