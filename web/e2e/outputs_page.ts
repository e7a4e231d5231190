/** The page of outputs.test.ts: random calls side by side. */
import type * as Perilune from "../src/index.ts";
import { outputRounds } from "../test/outputs.ts";

const PACKAGE = "/dist/index.js";
const perilune = (await import(PACKAGE)) as typeof Perilune;

/** Runs rounds, and returns the problems of the first that has some, and the number of all lines. */
async function run(first: number, count: number): Promise<{ problems: string[]; lines: number }> {
  let all = 0;
  for await (const { seed, problems, lines } of outputRounds(perilune, first, count)) {
    if (problems.length > 0) return { problems: [`round ${seed}`, ...problems], lines: all };
    all += lines;
  }
  return { problems: [], lines: all };
}

Object.assign(globalThis, { run, ready: true });
