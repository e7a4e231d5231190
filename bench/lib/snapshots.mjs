// Capturing and restoring whole VMs, and the size of their snapshots: Perilune beside quickjs-wasi, in turns.

import { BUILDS } from "../engines/index.mjs";
import { FIT, STATES } from "../vms/programs.mjs";
import { VMS } from "../vms/index.mjs";
import { summary } from "./stats.mjs";
import { rotated } from "./turns.mjs";

/** Number of operations of each way in a sample, by state. */
const COUNTS = { fresh: 10, application: 3, full: 3 };
/** Least time for which each VM's samples run before one counts. */
const WARMUP_MS = 500;
/** Number of records when no build of Perilune is there to ask. */
const RECORDS_UNKNOWN = 2500;

const FIGURES = {
  create: { title: "made by its program", unit: "ms" },
  capture: { title: "captured", unit: "ms" },
  capture_packed: { title: "captured and compressed", unit: "ms" },
  bytes: { title: "size of the snapshot", unit: "bytes" },
  bytes_packed: { title: "size, compressed", unit: "bytes" },
  restore: { title: "restored", unit: "ms" },
  restore_packed: { title: "restored from compressed bytes", unit: "ms" },
  start: { title: "started from a decoded image", unit: "ms" },
  fork: { title: "forked", unit: "ms" },
};

/** All figures: { id, title, unit, state, figure }. */
export const SNAPSHOTS = Object.entries(STATES).flatMap(([state, { title }]) =>
  Object.entries(FIGURES).map(([figure, of]) => ({
    id: `snapshot/${state}/${figure}`,
    title: `${title}: ${of.title}`,
    unit: of.unit,
    state,
    figure,
  })),
);

/**
 * Returns a result for each row of `rows`, which are some of SNAPSHOTS, in `vms`, names of VMS. `open(name,
 * task)` opens a fresh subject.
 */
export async function snapshots(rows, vms, open, plan) {
  const records = await recordsThatFit(vms.filter((name) => name in BUILDS));
  const results = [];
  for (const state of Object.keys(STATES)) {
    const asked = rows.filter((row) => row.state === state);
    if (asked.length === 0) continue;
    const figures = asked.map(({ figure }) => figure);
    const measured = await inTurns({ kind: "snapshot", state, records, figures }, vms, open, plan);
    results.push(...asked.map((row) => result(row, measured)));
  }
  return results;
}

/** Returns how many records fit into the 2 MiB of every build of Perilune; every VM gets as many. */
async function recordsThatFit(builds) {
  const counts = await Promise.all(
    builds.map(async (build) => {
      try {
        const vm = await (await VMS[build].open()).create();
        const count = vm.eval(FIT);
        await vm.close();
        return count;
      } catch {
        return RECORDS_UNKNOWN;
      }
    }),
  );
  return Math.min(...counts);
}

/** Runs rounds in rotated order, in fresh processes (or pages) of all VMs. */
async function inTurns(task, vms, open, plan) {
  const measured = Object.fromEntries(vms.map((name) => [name, { samples: [], check: null, error: null }]));
  const count = COUNTS[task.state];
  for (let process = 0; process < plan.processes; process++) {
    const subjects = new Map();
    const trying = async (name, work) => {
      if (measured[name].error) return;
      await work().catch((error) => (measured[name].error = error.message));
    };
    for (const name of rotated(vms, process)) {
      await trying(name, async () => {
        subjects.set(name, await open(name, task));
        await warmUp(subjects.get(name), count, plan);
      });
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const name of rotated([...subjects.keys()], round + process)) {
        await trying(name, async () => {
          const { figures, check } = await subjects.get(name).sample(count);
          measured[name].samples.push(figures);
          measured[name].check = check;
        });
      }
    }
    for (const subject of subjects.values()) await subject.close();
  }
  sameAnswers(measured);
  return measured;
}

async function warmUp(subject, count, plan) {
  const start = performance.now();
  for (let i = 0; i < plan.warmups || performance.now() - start < WARMUP_MS; i++) await subject.sample(count);
}

/** Fails VMs whose digest differs: the same data has the same digest, in both languages. */
function sameAnswers(measured) {
  const [reference, ...others] = Object.entries(measured).filter(([, { error }]) => !error);
  for (const [, of] of others) {
    const [name, { check }] = reference;
    if (of.check !== check) of.error = `wrong answer: ${of.check}, but ${name} says ${check}`;
  }
}

function result({ id, title, unit, figure }, measured) {
  const engines = {};
  for (const [name, { samples, error }] of Object.entries(measured)) {
    const values = samples.map((sample) => sample[figure]);
    engines[name] = error ? { error } : { ...summary(values), samples: values };
  }
  return { id, title, unit, engines };
}
