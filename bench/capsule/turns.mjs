// Samples of a measure: all sides take turns, one sample each, in an order that rotates.

import { rotated } from "../lib/turns.mjs";

/** Opens the sides of a measure and returns their samples, by their names. All must find the same. */
export async function takeTurns(measure, rounds, warmups) {
  const names = Object.keys(measure.sides);
  const sides = {};
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) sides[name] = await measure.sides[name].open();
  let check;
  for (let round = -warmups; round < rounds; round += 1) {
    for (const name of rotated(names, round)) {
      const sample = await sides[name].sample();
      check ??= sample.check;
      if (sample.check !== check) throw new Error(`${measure.id}: ${name} found ${sample.check}, others ${check}`);
      if (round >= 0) samples[name].push(sample.value * (measure.scale ?? 1));
    }
  }
  for (const name of names) await sides[name].close?.();
  return samples;
}
