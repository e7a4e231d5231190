/** What one batch changed, for those who listen. */

import { Entry } from "./table.js";

/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./table_store.js").Step} Step */

/**
 * One entry that is not as it was before the batch. Binary strings; undefined: it was not, or is no longer, there.
 * @typedef {object} Change
 * @property {string} table
 * @property {string} key
 * @property {string | undefined} old
 * @property {string | undefined} new
 */

/** The detail of the event `change`. */
export class Changes {
  /**
   * @param {readonly (Step | string | undefined)[]} journal of a batch that is over, and not empty
   * @param {number | undefined} evalNumber of the call into Lua that wrote it
   * @param {"lua" | "js" | "storage"} origin who wrote it
   */
  constructor(journal, evalNumber, origin) {
    this.eval = evalNumber;
    this.origin = origin;
    /** Names of the tables that were changed, made, cleared or dropped. @type {string[]} */
    this.tables = [];
    /** In the order of the tables, and within each in that of the first write. @type {Change[]} */
    this.list = [];
    for (const [table, before] of valuesBefore(journal)) {
      this.tables.push(table.name);
      // A name may have another table by now.
      const now = table.store.tables.get(table.name)?.entries;
      for (const [key, old] of before) {
        const value = now?.get(key)?.value;
        if (value !== old) this.list.push({ table: table.name, key, old, new: value });
      }
    }
  }
}

/**
 * The first that the journal says of each entry, by table.
 * @param {readonly (Step | string | undefined)[]} journal
 * @returns {Iterable<[Table, Map<string, string | undefined>]>}
 */
function valuesBefore(journal) {
  /** @type {Map<string, [Table, Map<string, string | undefined>]>} */
  const byName = new Map();
  for (let at = 0; at < journal.length; at += 2) {
    const step = /** @type {Step} */ (journal[at]);
    const table = step instanceof Entry ? step.page.table : step.table;
    let found = byName.get(table.name);
    if (found === undefined) byName.set(table.name, (found = [table, new Map()]));
    const before = found[1];
    if (step instanceof Entry) {
      if (!before.has(step.key)) before.set(step.key, /** @type {string | undefined} */ (journal[at + 1]));
    } else {
      for (const [key, { value }] of step.entries ?? []) if (!before.has(key)) before.set(key, value);
    }
  }
  return byName.values();
}
