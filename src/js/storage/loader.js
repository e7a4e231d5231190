/**
 * Loader: takes records as they come from storage, or from a dump, and makes a store of them when all are
 * there.
 *
 * Invariant: each record's checksum is right, and each belongs to a table that is there; what is not so is
 * refused as a whole. Damage in the records of a participant concerns that participant only: tables, and
 * other participants, are loaded.
 */

import {
  CRC_BYTES,
  ENTRY_BYTES_MAX,
  PAGE_ENTRIES,
  PART_BYTES,
  checkRecord,
  corrupt,
  decodeParticipantRecord,
  decodeTable,
  pageKey,
  parseKey,
  partCount,
  tableKey,
} from "./records.js";
import { INLINE, Page, unpackPage } from "./page.js";
import { Table } from "./table.js";

/** Number of pages that have a place, and of parts that an entry may have. */
const PAGES_MAX = Math.floor(Number.MAX_SAFE_INTEGER / PAGE_ENTRIES);
const PARTS_MAX = partCount(ENTRY_BYTES_MAX);

const NOTHING = new Uint8Array(0);

/** @typedef {import("./records.js").TableHead} TableHead */
/** @typedef {import("./page.js").OverflowEntry} OverflowEntry */
/** @typedef {import("./page.js").Entry} Entry */
/** @typedef {import("./participants.js").FoundRecords} FoundRecords */
/** @typedef {import("./table_store.js").TableStore} TableStore */

/**
 * Records of one table.
 * @typedef {object} TableRecords
 * @property {TableHead | null | undefined} head null: the table is gone
 * @property {Map<number, Uint8Array | null>} pages by number
 * @property {Map<number, (Uint8Array | null)[]>} parts by the `seq` of their entry
 */

/** Records on their way into a store. */
export class Loader {
  /** @type {Map<number, TableRecords>} */
  #tables = new Map();
  #complete;
  #participants;
  /** Records of participants, by its name. @type {Map<string, FoundRecords>} */
  #found = new Map();

  /**
   * @param {boolean} complete true: these are all records that there are; false: those that changed
   * @param {"refused" | "ignored" | "kept"} [participants] what becomes of the records of participants
   */
  constructor(complete, participants = "refused") {
    this.#complete = complete;
    this.#participants = participants;
  }

  /**
   * Adds one record; throws `corrupt` when it is damaged.
   * @param {string} key
   * @param {Uint8Array | null} bytes null: it is gone
   */
  add(key, bytes) {
    const parsed = typeof key === "string" ? parseKey(key) : undefined;
    if (parsed === undefined) throw corrupt(String(key));
    // Storage may have anything; bytes of another realm are bytes.
    if (bytes !== null && Object.prototype.toString.call(bytes) !== "[object Uint8Array]") {
      if (parsed.kind !== "x") throw corrupt(key);
      bytes = NOTHING;
    }
    if (parsed.kind === "x") return this.#addOfParticipant(key, parsed, bytes);
    if (bytes !== null) checkRecord(key, bytes);
    let table = this.#tables.get(parsed.table);
    if (table === undefined) {
      table = { head: undefined, pages: new Map(), parts: new Map() };
      this.#tables.set(parsed.table, table);
    }
    if (parsed.kind === "t") {
      table.head = bytes === null ? null : decodeTable(key, bytes);
    } else if (parsed.kind === "p") {
      if (parsed.page >= PAGES_MAX) throw corrupt(key);
      table.pages.set(parsed.page, bytes);
    } else {
      if (parsed.part >= PARTS_MAX) throw corrupt(key);
      let parts = table.parts.get(parsed.seq);
      if (parts === undefined) table.parts.set(parsed.seq, (parts = []));
      parts[parsed.part] = bytes;
    }
  }

  /**
   * Makes the store what the records say. For `TableStore.load`.
   * @param {TableStore} store
   */
  applyTo(store) {
    const known = new Map([...store.tables.values()].filter((t) => !t.missing).map((table) => [table.id, table]));
    for (const [id, { head, pages, parts }] of this.#tables) {
      if (head === undefined || (head === null && hasBytes(pages, parts))) throw corrupt(tableKey(id));
    }
    for (const [id, table] of known) {
      const records = this.#tables.get(id);
      if (records === undefined ? this.#complete : records.head === null) remove(store, table);
    }
    for (const [id, records] of this.#tables) {
      const { head } = records;
      if (!head) continue;
      const table = known.get(id) ?? make(store, id, head.name);
      if (table.name !== head.name) throw corrupt(tableKey(id));
      // Listeners get what has changed, also in a table that nobody has used yet.
      if (table.entries === null && store.hasListeners) table.unpack();
      if (table.entries === null) this.#applyRaw(table, records, head);
      else this.#applyEntries(table, records, head);
    }
    // Half of a participant's records must not be taken for all; their names say what there is to be removed.
    for (const { damaged, records } of this.#found.values()) {
      if (damaged) for (const name of records.keys()) records.set(name, NOTHING);
    }
    store.participants.load(this.#found);
  }

  /**
   * Adds a record of a participant.
   * @param {string} key
   * @param {{ participant: string, name: string }} parsed
   * @param {Uint8Array | null} bytes
   */
  #addOfParticipant(key, { participant, name }, bytes) {
    if (this.#participants === "refused") throw corrupt(key);
    if (this.#participants === "ignored" || bytes === null) return;
    let found = this.#found.get(participant);
    if (found === undefined) this.#found.set(participant, (found = { records: new Map(), damaged: false }));
    const content = decodeParticipantRecord(key, bytes);
    if (content === undefined) found.damaged = true;
    found.records.set(name, content ?? NOTHING);
  }

  /**
   * Keeps the records of a table that nobody has used yet as they are.
   * @param {Table} table
   * @param {TableRecords} records
   * @param {TableHead} head
   */
  #applyRaw(table, { pages, parts }, head) {
    const { store } = table;
    store.addBytes(-table.footprint);
    table.rawVersion += 1;
    if (this.#complete) Object.assign(table, { pages: [], tail: null });
    // In order, so that each is put at the end.
    for (const [number, raw] of [...pages].sort(([a], [b]) => a - b)) if (raw !== null) table.page(number).raw = raw;
    table.pages = table.pages.filter((page) => pages.get(page.number) !== null);
    const byNumber = new Map(table.pages.map((page) => [page.number, page]));
    for (const [seq, given] of parts) {
      const page = byNumber.get(Page.numberOf(seq));
      if (page === undefined) {
        if (given.some((part) => part !== null)) throw corrupt(pageKey(table.id, Page.numberOf(seq)));
        continue;
      }
      page.rawParts ??= new Map();
      const all = [...(page.rawParts.get(seq) ?? [])];
      given.forEach((part, index) => (all[index] = /** @type {Uint8Array} */ (part)));
      while (all.length > 0 && !all[all.length - 1]) all.pop();
      if (all.length > 0) page.rawParts.set(seq, all);
      else page.rawParts.delete(seq);
    }
    for (const page of table.pages) page.stored = storedOfRaw(page);
    table.tail = table.pages[table.pages.length - 1] ?? null;
    Object.assign(table, { rawCount: head.count, bytes: head.bytes, seq: head.seq, stored: true });
    store.addBytes(table.footprint);
  }

  /**
   * Changes the entries of a table that is in use, where they are different.
   * @param {Table} table
   * @param {TableRecords} records
   * @param {TableHead} head
   */
  #applyEntries(table, { pages, parts }, head) {
    /** @type {[Page, Entry[]][]} */
    const changed = [];
    if (this.#complete) for (const page of table.pages) if (!pages.has(page.number)) changed.push([page, []]);
    for (const [number, raw] of pages) {
      const page = table.page(number);
      const known = (/** @type {number} */ seq) => page.slots[seq - page.first];
      changed.push([page, raw === null ? [] : unpackPage(page, raw, complete(parts), known)]);
    }
    // Removals first: a key may have moved from one place to another.
    for (const [page, entries] of changed) {
      const stay = new Set(entries.map(({ seq }) => seq));
      for (const entry of [...page.slots]) if (entry !== undefined && !stay.has(entry.seq)) table.removeEntry(entry);
    }
    for (const [page, entries] of changed) {
      for (const { key, value, seq } of entries) {
        const old = page.slots[seq - page.first];
        if (old === undefined) table.insert(key, value, seq, page);
        else if (old.key !== key) throw corrupt(pageKey(table.id, page.number));
        else if (old.value !== value) table.overwrite(old, value);
      }
    }
    table.seq = head.seq;
    if (table.size !== head.count || table.bytes !== head.bytes) throw corrupt(tableKey(table.id));
  }
}

/**
 * Removes a table that storage does not have any more.
 * @param {TableStore} store
 * @param {Table} table
 */
function remove(store, table) {
  if (table.entries === null && store.hasListeners) table.unpack();
  if (table.entries === null) store.addBytes(-table.footprint);
  else for (const entry of [...table.entries.values()]) table.removeEntry(entry);
  store.removeTable(table);
  table.dropped = true;
}

/**
 * Makes a table that storage has.
 * @param {TableStore} store
 * @param {number} id
 * @param {string} name
 */
function make(store, id, name) {
  const waiting = store.tables.get(name);
  if (waiting !== undefined && !waiting.missing) throw corrupt(tableKey(id));
  const table = waiting ?? new Table(store, id, name);
  // A table that was asked for when it was not there is this very object, and its entries may have been used.
  if (waiting === undefined && !store.hasListeners) table.entries = null;
  table.id = id;
  table.missing = false;
  if (waiting === undefined) store.addTable(table);
  store.lastId = Math.max(store.lastId, id);
  return table;
}

/**
 * Content in storage of a page that is not decoded yet.
 * @param {Page} page
 * @returns {import("./page.js").Stored}
 */
function storedOfRaw(page) {
  if (page.rawParts === null || page.rawParts.size === 0) return INLINE;
  /** @type {Map<number, OverflowEntry>} */
  const overflow = new Map();
  for (const [seq, parts] of page.rawParts) {
    const bytes = parts.reduce((sum, part) => sum + (part?.length ?? PART_BYTES) - CRC_BYTES, 0);
    overflow.set(seq, { bytes, value: undefined });
  }
  return { overflow };
}

/**
 * Parts without those that are gone.
 * @param {Map<number, (Uint8Array | null)[]>} parts
 * @returns {Map<number, Uint8Array[]>}
 */
function complete(parts) {
  const given = [...parts].map(([seq, list]) => /** @type {const} */ ([seq, list.filter((part) => part !== null)]));
  return new Map(given.filter(([, list]) => list.length > 0));
}

/**
 * Says whether any page or part is there.
 * @param {TableRecords["pages"]} pages
 * @param {TableRecords["parts"]} parts
 */
function hasBytes(pages, parts) {
  return [...pages.values(), ...[...parts.values()].flat()].some((bytes) => bytes !== null);
}
