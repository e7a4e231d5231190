/** The entries of external tables and the pages that they share: what changes, and what goes to storage, at a time. */

import { PAGE_ENTRIES, corrupt, decodePage, decodeParts, pageKey } from "./records.js";

/** @typedef {import("./commit.js").Flight} Flight */
/** @typedef {import("./table.js").Table} Table */

/**
 * What storage has of an entry that lies apart: how many bytes, and (when it is known) what.
 * @typedef {object} Apart
 * @property {number} bytes
 * @property {string | undefined} value
 */

/** What storage has of a page. @typedef {{ readonly apart: ReadonlyMap<number, Apart> | null }} Stored */

/** One entry. */
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

/** Up to 64 entries with neighbouring `seq`: what is written when one of them changes. */
export class Page {
  /**
   * @param {Table} table
   * @param {number} number
   */
  constructor(table, number) {
    this.table = table;
    this.number = number;
    /** The `seq` of its first place. */
    this.first = number * PAGE_ENTRIES + 1;
    /** @type {(Entry | undefined)[]} */
    this.slots = [];
    this.count = 0;
    /** Of keys and values. */
    this.bytes = 0;
    /** Listed in the `DirtySet`. */
    this.dirty = false;
    /** Its table was cleared or dropped: it holds what was, for an undo. */
    this.gone = false;
    /** It was empty, and its table has let it go. */
    this.detached = false;
    /** Who is about to write it, and has not yet taken its image. @type {Flight | null} */
    this.flight = null;
    /** @type {Stored | null} */
    this.stored = null;
    /** `stored`, once the flight has landed. @type {Stored | null} */
    this.next = null;
    /** As it was read, until its table is first used. @type {Uint8Array | null} */
    this.raw = null;
    /** @type {Map<number, Uint8Array[]> | null} */
    this.rawParts = null;
  }

  /**
   * The number of the page of a `seq`.
   * @param {number} seq
   */
  static numberOf(seq) {
    return Math.floor((seq - 1) / PAGE_ENTRIES);
  }
}

/**
 * What storage has of a page whose entries are these.
 * @param {Page} page
 * @returns {Stored}
 */
export function storedOf(page) {
  /** @type {Map<number, Apart> | null} */
  let apart = null;
  const parts = page.stored?.apart;
  if (parts) {
    apart = new Map();
    for (const [seq, { bytes }] of parts) apart.set(seq, { bytes, value: page.slots[seq - page.first]?.value });
  }
  return apart === null ? INLINE : { apart };
}

/** Storage has the page, and nothing of it lies apart. @type {Stored} */
export const INLINE = Object.freeze({ apart: null });

/**
 * The entries of a page as storage has it.
 * @param {Page} page
 * @param {Uint8Array} raw
 * @param {Map<number, Uint8Array[]> | null} parts of the entries that lie apart
 * @param {((seq: number) => Entry | undefined) | undefined} known where the parts of one are not at hand
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
