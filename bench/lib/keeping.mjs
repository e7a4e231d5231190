// What is timed of a keeper, the same in Node and in a page. Each step begins in a page or a process that has forgotten all.

import { KEEPERS } from "../keepers/index.mjs";
import { BUSY_STEPS } from "./busy.mjs";
import { watch } from "./pauses.mjs";

/** So many small commits are not timed: their code is compiled meanwhile. */
const WARMUP_COMMITS = 10;

export const STEPS = {
  /** The program makes its data, then has it committed. */
  async write({ keeper, place, entries }) {
    const kept = await KEEPERS[keeper].open(place, "relaxed");
    const start = performance.now();
    const count = kept.fill(entries);
    const filled = performance.now();
    const watching = watch();
    await kept.flush();
    const flushed = performance.now();
    const { gap, task } = await watching.end();
    await kept.close();
    const figures = { fill: filled - start, flush: flushed - filled, save: flushed - start };
    return { count, figures: { ...figures, flush_gap: gap, flush_task: task } };
  },

  /** And has it back. */
  async read({ keeper, place }) {
    const watching = watch();
    const start = performance.now();
    const kept = await KEEPERS[keeper].open(place, "relaxed");
    const opened = performance.now();
    const { gap, task } = await watching.end();
    const reading = performance.now();
    const digest = kept.digest();
    const read = performance.now() - reading;
    await kept.close();
    const open = opened - start;
    return { digest, figures: { open, read, back: open + read, open_gap: gap, open_task: task } };
  },

  /** One entry changed and committed, again and again, among many that are there already. */
  async commits({ keeper, place, durability, commits }) {
    const kept = await KEEPERS[keeper].open(place, durability);
    const times = [];
    for (let i = 1; i <= WARMUP_COMMITS + commits; i++) {
      const start = performance.now();
      kept.change(i);
      await kept.flush();
      times.push(performance.now() - start);
    }
    await kept.close();
    const sorted = times.slice(WARMUP_COMMITS).sort((a, b) => a - b);
    return { figures: { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) } };
  },

  ...BUSY_STEPS,
};

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
