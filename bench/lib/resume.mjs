// Cost of `resume: true` for a busy program: the same program with it and without, in turns, each time in a
// place of its own on the disk.

import { cell, markdown } from "./report.mjs";
import { summary } from "./stats.mjs";
import { rotated } from "./turns.mjs";

export const AUTO = { id: "snapshot/auto", title: "a busy program with and without `resume`" };

/** Programs: one that commits all the time anyway, and one that would not without `resume`. */
const PROGRAMS = {
  table: { title: "a busy program that writes to an external table", table: true },
  memory: { title: "one that only changes its own memory", table: false },
};
const FIGURES = { turn: "a turn", cpu: "CPU time of a turn", longest: "the longest turn" };
const VARIANTS = { without: false, resume: true };

/**
 * Measures the cost for each of `builds` (names of BUILDS) and each program, all in turns. `subject()` opens
 * a place to store in, as for lib/persistence.mjs; `ms`: for how long the program runs.
 */
export async function resumeCost(builds, subject, how) {
  const results = [];
  for (const program of Object.keys(PROGRAMS)) results.push(...(await costFor(program, builds, subject, how)));
  return results;
}

async function costFor(program, builds, subject, { rounds, ms }) {
  const runs = builds.flatMap((build) => Object.keys(VARIANTS).map((variant) => ({ build, variant, samples: [] })));
  const errors = {};
  // The first round, -1, is only there so that the browser's own storage process has started.
  for (let round = -1; round < rounds; round++) {
    for (const { build, variant, samples } of rotated(runs, round)) {
      if (errors[build]) continue;
      const { place, step, close } = await subject();
      try {
        const how = { build, place, resume: VARIANTS[variant], table: PROGRAMS[program].table };
        const figures = await run(step, how, round < 0 ? ms / 10 : ms);
        if (round >= 0) samples.push(figures);
      } catch (thrown) {
        errors[build] = thrown.message;
      } finally {
        await close();
      }
    }
  }
  return builds.flatMap((build) => {
    const of = runs.filter((run) => run.build === build);
    const samples = Object.fromEntries(of.map((run) => [run.variant, run.samples]));
    const error = errors[build];
    const figures = Object.keys(FIGURES).filter((figure) => error || figure in samples.without[0]);
    return figures.map((figure) => result(program, build, figure, samples, error));
  });
}

async function run(step, how, ms) {
  const { figures, turns } = await step("busy", { ...how, ms });
  const back = await step("busy_back", how);
  const expected = { memory: how.resume ? turns : 0, table: how.table ? turns : 0 };
  for (const [where, turn] of Object.entries(expected)) {
    if (back[where] !== turn) throw new Error(`turn ${back[where]} is in the ${where} instead of ${turn}`);
  }
  return figures;
}

function result(program, build, figure, samples, error) {
  const suffix = build === "perilune" ? "" : build;
  const id = `${AUTO.id}/${program}_${figure}${suffix && `_${suffix}`}`;
  const title = `${PROGRAMS[program].title}: ${FIGURES[figure]}${suffix && ` (${suffix})`}`;
  if (error) return { id, title, unit: "ms", engines: { resume: { error } } };
  const values = (variant) => samples[variant].map((sample) => sample[figure]);
  const engines = {};
  for (const variant of Object.keys(VARIANTS)) {
    engines[variant] = { ...summary(values(variant)), samples: values(variant) };
  }
  // Of a round's own pair: what else the machine did in that minute fell on both.
  const without = values("without");
  const lost = summary(values("resume").map((ms, round) => (1 - without[round] / ms) * 100));
  return { id, title, unit: "ms", engines, lost };
}

export function resumeTable(results) {
  const percent = ({ median, mad }) => `${median.toFixed(1)} ±${mad.toFixed(1)}`;
  return markdown(
    ["what `resume: true` costs", "unit", "without", "with", "lost, %"],
    results.map(({ title, unit, engines, lost }) => [
      title,
      unit,
      cell(engines.without),
      cell(engines.resume),
      lost ? percent(lost) : "–",
    ]),
  );
}
