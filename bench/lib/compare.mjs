// Comparison of engines: fresh subjects, interleaved rounds in rotated order, equal answers.

import { PART_OF_WORKLOAD } from "../measures.mjs";
import { summary } from "./stats.mjs";
import { rotated } from "./turns.mjs";

/**
 * Least time for which each engine runs before it is measured: short samples would end before their code is
 * compiled.
 */
const WARMUP_MS = 150;
const WARMUP_SAMPLES_MAX = 100;

/**
 * Runs one measure. `openers` gives for each engine a function that opens a fresh subject; `plan` has
 * `processes`, `rounds` and `warmups`.
 */
export async function compare(measure, openers, plan) {
  const engines = Object.keys(openers);
  const samples = Object.fromEntries(engines.map((engine) => [engine, []]));
  const errors = {};
  const fail = (engine, error) => (errors[engine] ??= error.message);

  for (let process = 0; process < plan.processes; process++) {
    const subjects = new Map();
    for (const engine of engines) {
      if (errors[engine]) continue;
      try {
        subjects.set(engine, await openers[engine](measure.task));
      } catch (error) {
        fail(engine, error);
      }
    }
    for (const [engine, subject] of subjects) {
      await warmUp(subject, countFor(measure, engine, plan), plan).catch((error) => fail(engine, error));
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const engine of rotated([...subjects.keys()], round + process)) {
        if (errors[engine]) continue;
        try {
          const count = countFor(measure, engine, plan);
          const { ms, check } = await subjects.get(engine).sample(count);
          samples[engine].push({ figure: figure(measure, plan, ms, count), check, count });
        } catch (error) {
          fail(engine, error);
        }
      }
    }
    if (process === 0) await checkAnswers(measure, subjects, samples, errors, fail);
    for (const subject of subjects.values()) await subject.close();
  }

  const result = (engine) =>
    errors[engine]
      ? { error: errors[engine] }
      : { ...summary(samples[engine].map((s) => s.figure)), samples: samples[engine].map((s) => s.figure) };
  return {
    id: measure.id,
    title: measure.title,
    unit: measure.unit,
    engines: Object.fromEntries(engines.map((engine) => [engine, result(engine)])),
  };
}

async function warmUp(subject, count, plan) {
  let spent = 0;
  for (let i = 0; i < plan.warmups || (spent < WARMUP_MS && i < WARMUP_SAMPLES_MAX); i++) {
    spent += (await subject.sample(count)).ms;
  }
}

function countFor(measure, engine, plan) {
  const part = measure.task.kind === "workload" ? (PART_OF_WORKLOAD[engine] ?? 1) : 1;
  return Math.max(1, Math.round(measure.count * plan.part * part));
}

/** Returns milliseconds for a full sample, or the time of one operation in the measure's unit. */
function figure(measure, plan, ms, count) {
  if (measure.per === "sample") return (ms * measure.count) / count;
  const perOperation = ms / (count * (measure.operationsPerCount ?? 1));
  return measure.unit === "µs" ? perOperation * 1000 : perOperation;
}

/**
 * Fails engines whose answer is not that of another engine at the same count: only the same work is compared.
 */
async function checkAnswers(measure, subjects, samples, errors, fail) {
  const reference = [...subjects.keys()].find((engine) => !errors[engine] && !PART_OF_WORKLOAD[engine]);
  if (!reference) return;
  for (const engine of subjects.keys()) {
    if (engine === reference || errors[engine]) continue;
    const { count, check } = samples[engine][0];
    const expected =
      count === samples[reference][0].count
        ? samples[reference][0].check
        : (await subjects.get(reference).sample(count)).check;
    if (canonical(check) !== canonical(expected)) {
      fail(engine, new Error(`wrong answer: ${check}, but ${reference} says ${expected}`));
    }
  }
}

/** Reduces an integer to 31 bits, since fengari's have 32. */
function canonical(check) {
  return /^-?\d+$/.test(check) ? String(BigInt.asUintN(31, BigInt(check))) : String(check);
}
