/**
 * Compares VMs that compile hot functions with VMs that do not: output, errors with their tracebacks, fuel.
 * Runs in pages, too.
 *
 * The knobs make everything hot at once, recordings short, and guards fail; and a clock that is far ahead at
 * each look makes the slices between two samples as short as they can be.
 */
import type { LuaOptions } from "../src/options.ts";
import { describeError, OPTIONS, shrink, type Generator, type LuaOfBuild } from "./programs.ts";
import { Random } from "./random.ts";

/**
 * Golden scripts whose fuel depends on the memory: on how much there is, or on where the keys of a table lie,
 * which decides when it grows.
 */
export const FUEL_VARIES: readonly string[] = ["sandbox/memory-limit.lua", "gc/generational-and-stress.lua"];

/** Settings of the compiler, and of the clock that decides when it looks at what runs. */
export interface Knobs {
  threshold: number;
  length: number;
  exitSeed: number;
  /** Milliseconds that each look at the clock seems to take: 2 for the shortest slices, 0 for the longest. */
  step: number;
}

/** Knobs that every script is run with: samples at once, short recordings. */
export const LOW: readonly Knobs[] = [
  { threshold: 1, length: 32, exitSeed: 0, step: 2 },
  { threshold: 1, length: 64, exitSeed: 0, step: 2 },
  { threshold: 1, length: 48, exitSeed: 77, step: 2 },
];

export function randomKnobs(random: Random): Knobs {
  return {
    threshold: random.pick([1, 1, 1, 2, 3]),
    length: random.pick([8, 16, 32, 48, 64, 64, 200, 600]),
    exitSeed: random.pick([0, 0, 1 + random.below(1 << 30)]),
    step: random.pick([2, 2, 2, 0.5, 0]),
  };
}

/** Way in which something is run in one VM. */
export interface Runs {
  /** Text that is run first, once. */
  first?: string;
  /** Text that is run so many times. */
  source: string;
  times: number;
  /** Name of the chunks. */
  name: string;
  /** True if its fuel is not the same in each VM. */
  fuelVaries?: boolean;
  options?: LuaOptions;
}

/** The runs of a random program: a function, so that what was compiled in one run is there in the next. */
export function runsOf(program: string, options: LuaOptions = {}): Runs {
  return { first: `program = function(...) ${program} end`, source: "return program()", times: 3, name: "p", options };
}

/** Record of what was seen, and of how much was compiled. */
export interface Seen {
  /** Output, errors and fuel of each run. */
  runs: string[];
  functions: number;
  exits: number;
}

/** A clock for tests, which `now` of the build must ask. */
export const looks = { step: 0, now: 0 };

export function look(): number {
  looks.now += looks.step;
  return looks.now;
}

/** Runs it all in a VM of its own: compiled with these knobs, or (null) only interpreted. */
export async function see(
  Lua: LuaOfBuild,
  { first, source, times, name, fuelVaries, options }: Runs,
  knobs: Knobs | null,
): Promise<Seen> {
  looks.step = knobs?.step ?? 2;
  let text = "";
  const lua = await Lua.create({
    ...OPTIONS,
    // The clock of the test runs fast.
    timeout: Infinity,
    stdout: (written) => (text += written),
    ...options,
    jit: knobs ?? false,
  } as LuaOptions);
  const runs: string[] = [];
  // Where fuel ends may be a few instructions apart: what an operation uses beside its tick is looked at with
  // the next one, and after an exit that is sometimes a later one. What a program has done until then is not
  // compared, nor what comes after.
  let over = false;
  const run = (code: string): void => {
    if (over) return;
    let ended;
    try {
      ended = lua.tryEval(code, { name });
    } catch (dead) {
      runs.push(`${text}${String(dead)}\n`);
      over = true;
      return;
    }
    if (!ended.ok && ended.error.kind === "timeout") {
      runs.push("out of fuel\n");
      over = true;
      return;
    }
    // How much memory was taken is no promise, and where an object lies is none.
    const error = ended.ok ? "" : describeError(ended.error).replace(/ \(memoryLimit is .*\)/, "");
    over = !ended.ok && ended.error.kind === "bug";
    const fuel = over
      ? String((ended as { error: Error }).error.cause)
      : fuelVaries
        ? ""
        : `fuel ${lua.stats().fuelUsed}`;
    runs.push(`${text.replace(/0x[0-9a-f]{4,8}\b/g, "0x")}${error}${fuel}\n`);
    text = "";
  };
  if (first !== undefined) run(first);
  for (let n = 0; n < times; n++) run(source);
  const { functions, exits } = over && !runs.includes("out of fuel\n") ? { functions: 0, exits: 0 } : lua.stats().jit;
  await lua.close();
  return { runs, functions, exits };
}

/** Returns where two VMs differ, in words; undefined if they do not. */
export function difference(interpreted: Seen, compiled: Seen): string | undefined {
  for (const [n, expected] of interpreted.runs.entries()) {
    const found = compiled.runs[n] ?? "";
    if (found === expected) continue;
    const lines = expected.split("\n");
    const others = found.split("\n");
    const at = lines.findIndex((line, place) => line !== others[place]);
    const before = lines.slice(Math.max(0, at - 2), at).map((line) => `    ${line}\n`);
    return `run ${n}, line ${at + 1}:\n${before.join("")}  - ${lines[at]}\n  + ${others[at]}`;
  }
  return undefined;
}

/** Result of runs with several settings. */
export interface Compared {
  /** Functions that were compiled, and times that compiled code gave up. */
  functions: number;
  exits: number;
  /** Differences, in words. */
  told: string[];
}

/** Runs it interpreted, and with each of these knobs. */
export async function compare(Lua: LuaOfBuild, runs: Runs, all: readonly Knobs[]): Promise<Compared> {
  const interpreted = await see(Lua, runs, null);
  const compared: Compared = { functions: 0, exits: 0, told: [] };
  for (const knobs of all) {
    const compiled = await see(Lua, runs, knobs);
    compared.functions += compiled.functions;
    compared.exits += compiled.exits;
    const found = difference(interpreted, compiled);
    if (found !== undefined) compared.told.push(`${JSON.stringify(knobs)}: ${found}`);
  }
  return compared;
}

/** Modes of the collector that some programs run under. */
const COLLECTORS = ["generational", "incremental", "incremental"].map((mode, n) =>
  n < 2 ? `collectgarbage("${mode}")` : `collectgarbage("${mode}", 1, 1000, 31)`,
);

/** Compares the random program of a seed, with knobs of that seed. What differs is told, then shrunk. */
export async function compareProgram(
  Lua: LuaOfBuild,
  generator: Generator,
  seed: number,
  tell: (text: string) => void = () => {},
): Promise<Compared> {
  const random = new Random(seed);
  const knobs = [randomKnobs(random)];
  // Some end where their fuel does, which may be in the middle of compiled code.
  const options = random.below(4) === 0 ? { fuel: 1000 + random.below(100_000) } : {};
  const collector = random.below(3) === 0 ? random.pick(COLLECTORS) : "";
  const compareText = (program: string): Promise<Compared> => {
    const runs = runsOf(program, options);
    return compare(Lua, { ...runs, first: `${runs.first} ${collector}` }, knobs);
  };
  const program = generator.program(seed);
  const compared = await compareText(program);
  if (compared.told.length > 0) {
    tell(`seed ${seed} ${JSON.stringify(options)} ${collector} ${compared.told.join("\n")}`);
    // Of the same sort: not an error that becomes a difference in fuel.
    const sort = sortOf(compared.told);
    const small = await shrink(program, async (smaller) => sortOf((await compareText(smaller)).told) === sort);
    const { told } = await compareText(small);
    compared.told = [`seed ${seed} ${JSON.stringify(options)} ${collector} ${told.join("\n")}\n${small}`];
  }
  return compared;
}

/** Returns the sort of the difference that was told first. */
function sortOf([first = ""]: readonly string[]): string {
  return (
    ["\n  - fuel", "\n  - out of fuel", "\n  - memory", "attempt to", "sum\t"].find((text) => first.includes(text)) ??
    (first && "other")
  );
}
