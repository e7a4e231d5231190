/**
 * One commit: what it takes to storage are the changed pages as they were at one moment between two batches,
 * and the changes of the participants at that moment.
 *
 * Nothing is copied at the start: a page is encoded when the backend comes to it, or right before a later
 * batch changes it, whichever is first. So a commit of a million entries begins at once, and the program goes
 * on meanwhile.
 */

import {
  INLINE_BYTES_MAX,
  encodePage,
  encodeParts,
  encodeTable,
  isOverflow,
  pageKey,
  partCount,
  partKey,
  tableKey,
} from "./records.js";
import { INLINE } from "./page.js";
import { participantRecords, participantsFailed, participantsSucceeded } from "./participants.js";

/** @typedef {import("./records.js").KeyValue} KeyValue */
/** @typedef {import("./records.js").RecordChange} RecordChange */
/** @typedef {import("./dirty_set.js").Dirty} Dirty */
/** @typedef {import("./page.js").OverflowEntry} OverflowEntry */
/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./table_store.js").TableStore} TableStore */
/** @typedef {import("./participants.js").Part} Part */

/**
 * Changes that bring the records of one page up to date.
 * @typedef {object} PageChanges
 * @property {RecordChange | null} page null: storage has no such page, and needs none
 * @property {[seq: number, entry: KeyValue][]} overflow entries whose parts are to be written
 * @property {string[]} removed keys of parts that are not needed any more
 */

/** Content of one commit, from the moment when it is taken to its end. Made by `TableStore.takeCommit`. */
export class Commit {
  /**
   * @param {TableStore} store
   * @param {Dirty} dirty pages and tables that were changed
   * @param {Part[]} parts changes of the participants
   */
  constructor(store, dirty, parts) {
    const { pages, tables } = dirty;
    this.store = store;
    this.dirty = dirty;
    this.parts = parts;
    this.entries = dirty.entries;
    this.bytes = 0;
    this.tables = tables;
    this.pages = pages.filter((page) => !page.gone);
    this.gone = pages.filter((page) => page.gone);
    /** Tables that storage has once this is committed; they may be dropped meanwhile. */
    this.kept = tables.filter((table) => !table.dropped);
    /** Records of tables. @type {RecordChange[]} */
    this.heads = [];
    /**
     * Changes of pages that a later batch changed before the backend came to them.
     * @type {Map<Page, PageChanges>}
     */
    this.captured = new Map();
    for (const page of this.pages) page.commit = this;
    for (const table of tables) {
      const key = tableKey(table.id);
      const head = { seq: table.seq, count: table.size, bytes: table.bytes, name: table.name };
      if (!table.dropped) this.heads.push([key, encodeTable(key, head)]);
      else if (table.stored) this.heads.push([key, null]);
    }
  }

  /**
   * Yields all records to be written and removed, each made when it is asked for.
   * @returns {Generator<RecordChange>}
   */
  *records() {
    for (const change of this.#all()) {
      this.bytes += change[1]?.length ?? 0;
      yield change;
    }
  }

  /**
   * Encodes a page that is about to change.
   * @param {Page} page
   */
  capture(page) {
    this.captured.set(page, changesOf(page));
  }

  /** Notes that storage has all of it. */
  succeeded() {
    this.store.runningCommit = null;
    for (const page of this.pages) page.stored = page.storedNext;
    for (const page of this.gone) page.stored = null;
    for (const table of this.tables) table.stored = false;
    for (const table of this.kept) table.stored = true;
    participantsSucceeded(this.parts);
  }

  /** Notes that storage has nothing of it: all of it is written again, as it is by then. */
  failed() {
    this.store.runningCommit = null;
    for (const page of this.pages) page.commit = null;
    this.store.dirtySet.putBack(this.dirty);
    this.captured.clear();
    participantsFailed(this.parts);
  }

  /** @returns {Generator<RecordChange>} */
  *#all() {
    yield* this.heads;
    for (const page of this.gone) {
      if (page.stored === null) continue;
      yield [pageKey(page.table.id, page.number), null];
      for (const [seq, { bytes }] of page.stored.overflow ?? []) {
        for (const key of partKeys(page, seq, bytes)) yield [key, null];
      }
    }
    for (const page of this.pages) {
      const changes = page.commit === this ? changesOf(page) : this.captured.get(page);
      // The commit may take long, and holds nothing that it does not need.
      this.captured.delete(page);
      if (changes === undefined) continue;
      if (changes.page !== null) yield changes.page;
      for (const key of changes.removed) yield [key, null];
      for (const [seq, entry] of changes.overflow) yield* encodeParts(page.table.id, seq, entry);
    }
    yield* participantRecords(this.parts);
  }
}

/**
 * Encodes what storage does not have of a page yet, and notes what it will have.
 * @param {Page} page
 * @returns {PageChanges}
 */
function changesOf(page) {
  page.commit = null;
  const key = pageKey(page.table.id, page.number);
  const before = page.stored;
  // Its table was cleared or dropped, and that was undone before anybody used its entries.
  if (page.raw !== null) {
    page.storedNext = before;
    return { page: null, overflow: [], removed: [] };
  }
  /** @type {PageChanges} */
  const changes = { page: null, overflow: [], removed: [] };
  /** @type {Map<number, OverflowEntry> | null} */
  let overflow = null;
  // Most pages are too small to have an overflow entry, and their entries need not be looked at one by one.
  if (page.bytes > INLINE_BYTES_MAX) {
    for (const entry of page.slots) {
      if (entry === undefined || !isOverflow(entry)) continue;
      const { key: name, value, seq } = entry;
      const bytes = name.length + value.length;
      const old = before?.overflow?.get(seq);
      if (old?.bytes !== bytes || old.value !== value) changes.overflow.push([seq, { key: name, value }]);
      overflow ??= new Map();
      overflow.set(seq, { bytes, value });
    }
  }
  for (const [seq, { bytes }] of before?.overflow ?? []) {
    const left = partCount(overflow?.get(seq)?.bytes ?? 0);
    changes.removed.push(...partKeys(page, seq, bytes).slice(left));
  }
  if (page.count > 0) changes.page = [key, encodePage(key, page.slots)];
  else if (before !== null) changes.page = [key, null];
  page.storedNext = page.count === 0 ? null : overflow === null ? INLINE : { overflow };
  return changes;
}

/**
 * Keys of all parts of an overflow entry.
 * @param {Page} page
 * @param {number} seq
 * @param {number} bytes
 */
function partKeys(page, seq, bytes) {
  return Array.from({ length: partCount(bytes) }, (_, part) => partKey(page.table.id, seq, part));
}
