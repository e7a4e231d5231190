/**
 * What one commit takes to storage: the changed pages as they were at one moment between two batches, and what a companion
 * had at that moment.
 *
 * Nothing is copied at the start: a page is encoded when the backend comes to it, or right before a later batch changes
 * it, whichever is first. So a commit of a million entries begins at once, and the program goes on meanwhile.
 */

import {
  INLINE_BYTES_MAX,
  companionKey,
  encodeCompanion,
  encodePage,
  encodeParts,
  encodeTable,
  isApart,
  pageKey,
  partCount,
  partKey,
  tableKey,
} from "./records.js";
import { INLINE } from "./page.js";

/** @typedef {import("./table_store.js").Companion} Companion */
/** @typedef {import("./table_store.js").CompanionChange} CompanionChange */
/** @typedef {import("./records.js").KeyValue} KeyValue */
/** @typedef {import("./records.js").RecordChange} RecordChange */
/** @typedef {import("./dirty_set.js").Dirty} Dirty */
/** @typedef {import("./page.js").Apart} Apart */
/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./table_store.js").TableStore} TableStore */

/**
 * A page as it is to be written.
 * @typedef {object} Image
 * @property {RecordChange | null} page null: storage has no such page, and needs none
 * @property {[seq: number, entry: KeyValue][]} apart to be written
 * @property {string[]} removed records of entries that lie apart no more
 */

/** One commit. Made by `TableStore.cut`. */
export class Flight {
  /**
   * @param {TableStore} store
   * @param {Dirty} dirty pages and tables that were changed
   * @param {Companion | null} companion who is told how it ended
   * @param {CompanionChange[]} beside what is kept beside the tables: the companion's cut, or what is left of one that is gone
   */
  constructor(store, dirty, companion, beside) {
    const { pages, tables } = dirty;
    this.store = store;
    this.dirty = dirty;
    this.companion = companion;
    /** Not yet taken by the backend. */
    this.beside = [...beside];
    /** Whether storage has the companion's record of this name when it is committed. @type {[name: string, there: boolean][]} */
    this.named = beside.map(([name, bytes]) => [name, bytes !== null]);
    this.entries = dirty.entries;
    this.bytes = 0;
    this.tables = tables;
    this.pages = pages.filter((page) => !page.gone);
    this.gone = pages.filter((page) => page.gone);
    /** Those that storage has when it is committed; they may be dropped meanwhile. */
    this.kept = tables.filter((table) => !table.dropped);
    /** @type {RecordChange[]} */
    this.heads = [];
    /** Of pages that were changed before the backend came to them. @type {Map<Page, Image>} */
    this.captured = new Map();
    for (const page of this.pages) page.flight = this;
    for (const table of tables) {
      const key = tableKey(table.id);
      const head = { seq: table.seq, count: table.size, bytes: table.bytes, name: table.name };
      if (!table.dropped) this.heads.push([key, encodeTable(key, head)]);
      else if (table.stored) this.heads.push([key, null]);
    }
  }

  /** Everything that is to be written and removed. Each is made when it is asked for. @returns {Generator<RecordChange>} */
  *records() {
    for (const change of this.#all()) {
      this.bytes += change[1]?.length ?? 0;
      yield change;
    }
  }

  /**
   * Takes the image of a page that is about to change.
   * @param {Page} page
   */
  capture(page) {
    this.captured.set(page, imageOf(page));
  }

  /** It is committed. */
  succeeded() {
    this.store.flight = null;
    for (const page of this.pages) page.stored = page.next;
    for (const page of this.gone) page.stored = null;
    for (const table of this.tables) table.stored = false;
    for (const table of this.kept) table.stored = true;
    const { companionStored } = this.store;
    for (const [name, there] of this.named) {
      if (there) companionStored.add(name);
      else companionStored.delete(name);
    }
    this.companion?.succeeded();
  }

  /** It is not: what it had has to be written again, as it will be then. */
  failed() {
    this.store.flight = null;
    for (const page of this.pages) page.flight = null;
    this.store.dirtySet.putBack(this.dirty);
    this.captured.clear();
    this.beside = [];
    this.companion?.failed();
  }

  /** @returns {Generator<RecordChange>} */
  *#all() {
    yield* this.heads;
    for (const page of this.gone) {
      if (page.stored === null) continue;
      yield [pageKey(page.table.id, page.number), null];
      for (const [seq, { bytes }] of page.stored.apart ?? []) {
        for (const key of partKeys(page, seq, bytes)) yield [key, null];
      }
    }
    for (const page of this.pages) {
      const image = page.flight === this ? imageOf(page) : this.captured.get(page);
      // It may lie here long, until the commit is over.
      this.captured.delete(page);
      if (image === undefined) continue;
      if (image.page !== null) yield image.page;
      for (const key of image.removed) yield [key, null];
      for (const [seq, entry] of image.apart) yield* encodeParts(page.table.id, seq, entry);
    }
    // As above: what the backend has is not held here, too.
    for (let change = this.beside.pop(); change !== undefined; change = this.beside.pop()) {
      const [name, bytes] = change;
      if (bytes !== null) yield encodeCompanion(name, bytes);
      else if (this.store.companionStored.has(name)) yield [companionKey(name), null];
    }
  }
}

/**
 * A page and what lies apart of it, whatever storage has.
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
      if (entry !== undefined && isApart(entry)) yield* encodeParts(table.id, entry.seq, entry);
    }
  }
}

/**
 * @param {Page} page
 * @returns {Image}
 */
function imageOf(page) {
  page.flight = null;
  const key = pageKey(page.table.id, page.number);
  const before = page.stored;
  // It was cleared or dropped, and that was undone before anybody looked inside.
  if (page.raw !== null) {
    page.next = before;
    return { page: null, apart: [], removed: [] };
  }
  /** @type {Image} */
  const image = { page: null, apart: [], removed: [] };
  /** @type {Map<number, Apart> | null} */
  let apart = null;
  // Most pages have nothing of the kind, and their entries need not be looked at one by one.
  if (page.bytes > INLINE_BYTES_MAX) {
    for (const entry of page.slots) {
      if (entry === undefined || !isApart(entry)) continue;
      const { key: name, value, seq } = entry;
      const bytes = name.length + value.length;
      const old = before?.apart?.get(seq);
      if (old?.bytes !== bytes || old.value !== value) image.apart.push([seq, { key: name, value }]);
      apart ??= new Map();
      apart.set(seq, { bytes, value });
    }
  }
  for (const [seq, { bytes }] of before?.apart ?? []) {
    const left = partCount(apart?.get(seq)?.bytes ?? 0);
    image.removed.push(...partKeys(page, seq, bytes).slice(left));
  }
  if (page.count > 0) image.page = [key, encodePage(key, page.slots)];
  else if (before !== null) image.page = [key, null];
  page.next = page.count === 0 ? null : apart === null ? INLINE : { apart };
  return image;
}

/**
 * @param {Page} page
 * @param {number} seq
 * @param {number} bytes
 */
function partKeys(page, seq, bytes) {
  return Array.from({ length: partCount(bytes) }, (_, part) => partKey(page.table.id, seq, part));
}
