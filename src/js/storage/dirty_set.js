/**
 * Pages and tables that have changed since the last commit was taken.
 *
 * Invariant: a page or table is listed if and only if its flag `dirty` is set, so marking it again costs one
 * look at the flag. A store that writes nowhere sets flags only.
 */

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./table.js").Table} Table */

/**
 * Changes that one commit writes. `entries`: how many entries changed.
 * @typedef {{ pages: Page[], tables: Table[], entries: number }} Dirty
 */

/** Set of what the next commit of a store has to write. */
export class DirtySet {
  /** @type {Page[]} */
  #pages = [];
  /** @type {Table[]} */
  #tables = [];
  #entries = 0;
  #listed;

  /** @param {boolean} listed false: nothing is ever written, only flags are set */
  constructor(listed) {
    this.#listed = listed;
  }

  /** True if nothing has changed. */
  get isEmpty() {
    return this.#pages.length === 0 && this.#tables.length === 0;
  }

  /** Pages that are listed. @returns {readonly Page[]} */
  get pages() {
    return this.#pages;
  }

  /**
   * Marks a page, and with it its table.
   * @param {Page} page
   */
  markPage(page) {
    if (page.dirty) return;
    page.dirty = true;
    if (this.#listed) this.#pages.push(page);
    this.markTable(page.table);
  }

  /**
   * Marks the record of a table: its name, its counters.
   * @param {Table} table
   */
  markTable(table) {
    if (table.dirty) return;
    table.dirty = true;
    if (this.#listed) this.#tables.push(table);
  }

  /**
   * Counts changed entries, for the event `commit`.
   * @param {number} entries
   */
  count(entries) {
    this.#entries += entries;
  }

  /**
   * Takes everything out, which counts as unchanged from then on.
   * @returns {Dirty}
   */
  take() {
    const taken = { pages: this.#pages, tables: this.#tables, entries: this.#entries };
    for (const page of taken.pages) page.dirty = false;
    for (const table of taken.tables) table.dirty = false;
    this.#pages = [];
    this.#tables = [];
    this.#entries = 0;
    return taken;
  }

  /**
   * Marks everything again that a failed commit had taken.
   * @param {Dirty} taken
   */
  putBack({ pages, tables, entries }) {
    for (const page of pages) this.markPage(page);
    for (const table of tables) this.markTable(table);
    this.#entries += entries;
  }

  /**
   * Forgets pages that have come and gone since the last commit: in no table any more, and never in storage.
   */
  forgetDetached() {
    this.#pages = this.#pages.filter((page) => {
      page.dirty = !page.detached || page.stored !== null || page.commit !== null || page.storedNext !== null;
      return page.dirty;
    });
  }
}
