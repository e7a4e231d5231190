// One measure in a process of its own: all sides take turns, one sample each, in an order that rotates.

import { MEASURES } from "./measures.mjs";

const [id, rounds, warmups] = process.argv.slice(2);
const measure = MEASURES.find((known) => known.id === id);
// Statements that take long are said to the console; here they are many.
console.warn = () => {};

const names = Object.keys(measure.sides);
const sides = {};
const samples = Object.fromEntries(names.map((name) => [name, []]));

for (const name of names) sides[name] = await measure.sides[name].open();
let check;
for (let round = -Number(warmups); round < Number(rounds); round += 1) {
  const from = (((round % names.length) + names.length) % names.length) | 0;
  for (const name of [...names.slice(from), ...names.slice(0, from)]) {
    const sample = await sides[name].sample();
    check ??= sample.check;
    if (sample.check !== check) throw new Error(`${id}: ${name} found ${sample.check}, others ${check}`);
    if (round >= 0) samples[name].push(sample.value * (measure.scale ?? 1));
  }
}
for (const name of names) await sides[name].close?.();
process.send({ samples }, () => process.exit(0));
