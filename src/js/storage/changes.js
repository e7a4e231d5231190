/** Detail of the event `change`: what one batch changed. */

/** @typedef {import("./journal.js").Journal} Journal */

/**
 * Change of one entry by a batch, in binary strings; undefined: it was not, or is no longer, there.
 * @typedef {object} Change
 * @property {string} table
 * @property {string} key
 * @property {string | undefined} old
 * @property {string | undefined} new
 */

/** All changes of one batch. */
export class Changes {
  /**
   * @param {Journal} journal of a batch that is over
   * @param {number | undefined} evalNumber of the call into Lua that wrote it
   * @param {"lua" | "js" | "storage"} origin who wrote it
   */
  constructor(journal, evalNumber, origin) {
    this.eval = evalNumber;
    this.origin = origin;
    /** Names of the tables that were changed, made, cleared or dropped. @type {string[]} */
    this.tables = [];
    /** Changes in the order of the tables, and within each in that of the first write. @type {Change[]} */
    this.list = [];
    for (const [table, before] of journal.oldValues()) {
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
