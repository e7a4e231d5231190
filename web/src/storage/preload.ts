/** Making of the entries of tables ahead of their first use. */
import type { TableStore } from "#js/storage/table_store.js";

/** Longest time in one go, in milliseconds: the page is held up for so long. */
const SLICE_MS = 8;

/**
 * Decodes these tables ahead of their first use, a slice at a time: a large table would hold the page up
 * then. Names are binary strings; those that are not there have nothing to be made.
 */
export async function preload(store: TableStore, names: Iterable<string>): Promise<void> {
  for (const name of names) {
    for (;;) {
      const table = store.tables.get(name);
      if (table === undefined || table.entries !== null || store.mode === "closed") break;
      const steps = table.unpacking();
      for (let until = performance.now() + SLICE_MS; steps.next().done !== true;) {
        if (performance.now() < until) continue;
        await new Promise((resolve) => setTimeout(resolve));
        until = performance.now() + SLICE_MS;
      }
    }
  }
}
