// Store as it is written by hand: a Map in memory, and a list of what to write at the next flush.

import { changed, digest, entries } from "./data.mjs";

/**
 * Returns the store over `map`. `write(batch, map)` commits entries; `countMax(count)` says how many of them
 * there is room for.
 */
export function mapStore(map, { write, close = () => {}, countMax = (count) => count }) {
  let batch = [];
  let changes = 0;
  return {
    fill(wanted) {
      const count = countMax(wanted);
      for (const entry of entries(count)) {
        map.set(entry[0], entry[1]);
        batch.push(entry);
      }
      return count;
    },
    change(i) {
      const value = changed(i, ++changes);
      map.set(i, value);
      batch.push([i, value]);
    },
    async flush() {
      const writing = batch;
      batch = [];
      await write(writing, map);
    },
    digest: () => digest(map),
    close,
  };
}
