// Times of storing and of reading back, and the pauses of the page meanwhile: Perilune beside the other
// stores, in turns.

import { digest, entries as data } from "../stores/data.mjs";
import { STORES } from "../stores/index.mjs";
import { summary } from "./stats.mjs";
import { rotated } from "./turns.mjs";

/** Names of the stores in each environment. All of them store on a disk. */
export const STORES_IN = {
  chromium: ["perilune", "base", "indexeddb", "idb_keyval", "local_storage"],
  node: ["perilune", "base", "json_file"],
};

const WHOLE = {
  fill: "made by the program",
  flush: "flushed",
  save: "both: made and committed",
  open: "after a reload: opened",
  read: "first read of every entry",
  back: "both: opened and read",
  flush_gap: "longest pause while flushing",
  flush_task: "longest task while flushing (0: none of 50 ms)",
  open_gap: "longest pause while opening",
  open_task: "longest task while opening (0: none of 50 ms)",
};

const COMMITS = { p50: "median", p95: "95th percentile" };

/** Entries of the first round, -1, after which the browser's own storage process has started. */
const WARMUP_ENTRIES = 1000;
const askedIn = (round, entries) => (round < 0 ? Math.min(entries, WARMUP_ENTRIES) : entries);

/**
 * Measures N entries written, flushed, and read again by a page or a process that knows nothing of them.
 * `subject()` opens a place for them: { place, step(name, how), close() }; each step has forgotten the one
 * before.
 */
export async function wholes(stores, subject, { entries, rounds }) {
  const measure = async (store, { place, step }, round) => {
    const written = await step("write", { store, place, entries: askedIn(round, entries) });
    const back = await step("read", { store, place });
    const expected = digest(data(written.count));
    if (back.digest !== expected) throw new Error(`${back.digest} came back instead of ${expected}`);
    return { count: written.count, figures: { ...written.figures, ...back.figures } };
  };
  const measured = await inTurns(stores, subject, rounds, measure);
  return results(WHOLE, measured, entries, (figure) => `whole_${figure}_${entries}`, `${grouped(entries)} entries: `);
}

/** Measures one entry among N changed and committed. */
export async function commits(all, subject, { entries, rounds, commits: times, durability }) {
  const stores = all.filter((store) => STORES[store].durabilities.includes(durability));
  const measure = async (store, { place, step }, round) => {
    const { count } = await step("write", { store, place, entries: askedIn(round, entries) });
    const { figures } = await step("commits", { store, place, durability, commits: times });
    return { count, figures };
  };
  const measured = await inTurns(stores, subject, rounds, measure);
  const title = `one of ${grouped(entries)} entries changed and committed, ${durability}: `;
  return results(COMMITS, measured, entries, (figure) => `commit_${durability}_${figure}_${entries}`, title);
}

/** Runs rounds of all stores, each time in another order, each time in a place of its own. */
async function inTurns(stores, subject, rounds, measure) {
  const measured = Object.fromEntries(stores.map((store) => [store, { samples: [], count: 0, error: null }]));
  for (let round = -1; round < rounds; round++) {
    for (const store of rotated(stores, round)) {
      const of = measured[store];
      if (of.error) continue;
      const opened = await subject();
      try {
        const { count, figures } = await measure(store, opened, round);
        if (round < 0) continue;
        of.count = count;
        of.samples.push(figures);
      } catch (error) {
        of.error = error.message;
      } finally {
        await opened.close();
      }
    }
  }
  return measured;
}

/** Returns a row for each figure that a store has. */
function results(figures, measured, entries, id, prefix) {
  return Object.entries(figures).flatMap(([figure, title]) => {
    const engines = {};
    for (const [store, { samples, count, error }] of Object.entries(measured)) {
      const values = samples.map((sample) => sample[figure]);
      // Less data than the others have: a time, but nothing to compare.
      const note = count === entries ? {} : { note: `of ${grouped(count)}` };
      if (error) engines[store] = { error };
      else if (values[0] !== undefined) engines[store] = { ...summary(values), ...note, samples: values };
    }
    const any = Object.values(engines).some(({ error }) => !error);
    const failed = Object.values(engines).some(({ error }) => error && figure === Object.keys(figures)[0]);
    if (!any && !failed) return [];
    return [{ id: `persistence/${id(figure)}`, title: prefix + title, unit: "ms", engines }];
  });
}

const grouped = (count) => count.toLocaleString("en");
