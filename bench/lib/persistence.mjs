// How long until data is safe, how long until it is back, and does the page stand still meanwhile? Perilune beside the
// other keepers of data, in turns.

import { digest, entries as data } from "../keepers/data.mjs";
import { KEEPERS } from "../keepers/index.mjs";
import { summary } from "./stats.mjs";
import { rotated } from "./turns.mjs";

/** Who takes part where. What they store goes to a disk in both. */
const KEEPERS_IN = {
  chromium: ["perilune", "indexeddb", "idb_keyval", "local_storage"],
  node: ["perilune", "json_file"],
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

/** The first round, -1, is only there so that the browser's own storage process has started. */
const WARMUP_ENTRIES = 1000;
const askedIn = (round, entries) => (round < 0 ? Math.min(entries, WARMUP_ENTRIES) : entries);

/**
 * N entries written, flushed, and read again by a page or a process that knows nothing of them. `subject()` opens a place to
 * keep them: { place, step(name, how), close() }; each step has forgotten the one before.
 */
export async function wholes(environment, subject, { entries, rounds }) {
  const measure = async (keeper, { place, step }, round) => {
    const written = await step("write", { keeper, place, entries: askedIn(round, entries) });
    const back = await step("read", { keeper, place });
    const expected = digest(data(written.count));
    if (back.digest !== expected) throw new Error(`${back.digest} came back instead of ${expected}`);
    return { count: written.count, figures: { ...written.figures, ...back.figures } };
  };
  const kept = await inTurns(KEEPERS_IN[environment], subject, rounds, measure);
  return results(WHOLE, kept, entries, (figure) => `whole_${figure}_${entries}`, `${grouped(entries)} entries: `);
}

/** One entry among N changed and committed: how long does that take? */
export async function commits(environment, subject, { entries, rounds, commits: times, durability }) {
  const keepers = KEEPERS_IN[environment].filter((keeper) => KEEPERS[keeper].durabilities.includes(durability));
  const measure = async (keeper, { place, step }, round) => {
    const { count } = await step("write", { keeper, place, entries: askedIn(round, entries) });
    const { figures } = await step("commits", { keeper, place, durability, commits: times });
    return { count, figures };
  };
  const kept = await inTurns(keepers, subject, rounds, measure);
  const title = `one of ${grouped(entries)} entries changed and committed, ${durability}: `;
  return results(COMMITS, kept, entries, (figure) => `commit_${durability}_${figure}_${entries}`, title);
}

/** Rounds of all keepers, each time in another order, each time in a place of its own. */
async function inTurns(keepers, subject, rounds, measure) {
  const kept = Object.fromEntries(keepers.map((keeper) => [keeper, { samples: [], count: 0, error: null }]));
  for (let round = -1; round < rounds; round++) {
    for (const keeper of rotated(keepers, round)) {
      const of = kept[keeper];
      if (of.error) continue;
      const opened = await subject();
      try {
        const { count, figures } = await measure(keeper, opened, round);
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
  return kept;
}

/** A row for each figure that anybody has. */
function results(figures, kept, entries, id, prefix) {
  return Object.entries(figures).flatMap(([figure, title]) => {
    const engines = {};
    for (const [keeper, { samples, count, error }] of Object.entries(kept)) {
      const values = samples.map((sample) => sample[figure]);
      // Less data than the others have: a time, but nothing to compare.
      const note = count === entries ? {} : { note: `of ${grouped(count)}` };
      if (error) engines[keeper] = { error };
      else if (values[0] !== undefined) engines[keeper] = { ...summary(values), ...note, samples: values };
    }
    const measured = Object.values(engines).some(({ error }) => !error);
    const failed = Object.values(engines).some(({ error }) => error && figure === Object.keys(figures)[0]);
    if (!measured && !failed) return [];
    return [{ id: `persistence/${id(figure)}`, title: prefix + title, unit: "ms", engines }];
  });
}

const grouped = (count) => count.toLocaleString("en");
