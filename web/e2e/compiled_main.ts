/** Runs in a page: what is compiled beside what is interpreted. */
import type * as Perilune from "../src/index.ts";
import { compare, compareProgram, look, LOW, type Compared, type Runs } from "../test/compiled.ts";
import { Generator } from "../test/programs.ts";

// Before the package is there: it keeps the clock that it finds.
performance.now = look;
const { Lua } = (await import("/dist/index.js" as string)) as typeof Perilune;

async function programs(generate: string, frame: string, first: number, last: number): Promise<Compared> {
  const generator = await Generator.make(Lua, generate, frame);
  const all: Compared = { functions: 0, exits: 0, told: [] };
  for (let seed = first; seed <= last; seed++) {
    const { functions, exits, told } = await compareProgram(Lua, generator, seed);
    all.functions += functions;
    all.exits += exits;
    all.told.push(...told);
  }
  await generator.close();
  return all;
}

Object.assign(globalThis, { ready: true, programs, script: (runs: Runs) => compare(Lua, runs, LOW) });
