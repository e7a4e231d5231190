// One measure in a process of its own.

import { MEASURES } from "./measures.mjs";
import { takeTurns } from "./turns.mjs";

const [id, rounds, warmups] = process.argv.slice(2);
// Statements that take long are said to the console; here they are many.
console.warn = () => {};

const measure = MEASURES.find((known) => known.id === id);
const samples = await takeTurns(measure, Number(rounds), Number(warmups));
process.send({ samples }, () => process.exit(0));
