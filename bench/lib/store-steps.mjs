// Timing of a store, the same in Node and in a page. Each step begins in a page or a process that remembers
// nothing.

import { STORES } from "../stores/index.mjs";
import { BUSY_STEPS } from "./busy.mjs";
import { watch } from "./pauses.mjs";

/** Number of small commits that are not timed: their code is compiled meanwhile. */
const WARMUP_COMMITS = 10;

export const STEPS = {
  /** Makes the program's data, and commits it. */
  async write({ store: name, place, entries }) {
    const store = await STORES[name].open(place, "relaxed");
    const start = performance.now();
    const count = store.fill(entries);
    const filled = performance.now();
    const watching = watch();
    await store.flush();
    const flushed = performance.now();
    const { gap, task } = await watching.end();
    await store.close();
    const figures = { fill: filled - start, flush: flushed - filled, save: flushed - start };
    return { count, figures: { ...figures, flush_gap: gap, flush_task: task } };
  },

  /** Opens the store, and reads everything back. */
  async read({ store: name, place }) {
    const watching = watch();
    const start = performance.now();
    const store = await STORES[name].open(place, "relaxed");
    const opened = performance.now();
    const { gap, task } = await watching.end();
    const reading = performance.now();
    const digest = store.digest();
    const read = performance.now() - reading;
    await store.close();
    const open = opened - start;
    return { digest, figures: { open, read, back: open + read, open_gap: gap, open_task: task } };
  },

  /** Changes and commits one entry, again and again, among many that are there already. */
  async commits({ store: name, place, durability, commits }) {
    const store = await STORES[name].open(place, durability);
    const times = [];
    for (let i = 1; i <= WARMUP_COMMITS + commits; i++) {
      const start = performance.now();
      store.change(i);
      await store.flush();
      times.push(performance.now() - start);
    }
    await store.close();
    const sorted = times.slice(WARMUP_COMMITS).sort((a, b) => a - b);
    return { figures: { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) } };
  },

  ...BUSY_STEPS,
};

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
