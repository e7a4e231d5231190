/**
 * Random programs (tests/programs): made from a seed, run in a VM of their own, compared, and made smaller
 * while they still differ. Runs in pages, too.
 */
import type { Lua as LuaClass, LuaOptions } from "../src/index.ts";
import type { LuaError } from "../src/errors.ts";

/** The class of a build: of the sources, or of the package that a page has loaded. */
export type LuaOfBuild = typeof LuaClass;

/** Options of every VM that runs one, as tests/programs.rs has them. */
export const OPTIONS: LuaOptions = {
  seed: 7,
  memoryLimit: 16 << 20,
  fuel: 2_000_000,
  timeout: 300_000,
  now: () => 1_700_000_000_000,
  stderr: () => {},
};

/** Record of what a program did. */
export interface ProgramRecord {
  /** Output, and the error with its traceback if it ended with one. */
  log: string;
  fuel: number;
}

/** A row of tests/vectors/programs.json: a seed, the hash of its program, the hash of its log, its fuel. */
export type ProgramRow = [seed: number, program: number, log: number, fuel: number];

/** Makes the programs of seeds. */
export class Generator {
  readonly #lua: LuaClass;
  readonly #frame: string;

  private constructor(lua: LuaClass, frame: string) {
    this.#lua = lua;
    this.#frame = frame;
  }

  /** Makes one of the texts of tests/programs/generate.lua and frame.lua. */
  static async make(Lua: LuaOfBuild, generator: string, frame: string): Promise<Generator> {
    // What makes the programs is not what they test.
    const lua = await Lua.create({ ...OPTIONS, fuel: Infinity, timeout: Infinity, jit: false });
    lua.eval(`generate = (function(...) ${generator} end)()`);
    return new Generator(lua, frame);
  }

  program(seed: number): string {
    this.#lua.globals.set("frame", this.#frame);
    return this.#lua.eval<string>(`return generate(${seed}, frame)`);
  }

  close(): Promise<void> {
    return this.#lua.close();
  }
}

/** Runs a program once in a fresh VM. */
export async function runProgram(Lua: LuaOfBuild, program: string, options: LuaOptions = {}): Promise<ProgramRecord> {
  let log = "";
  const lua = await Lua.create({ ...OPTIONS, stdout: (text) => (log += text), ...options });
  const ended = lua.tryEval(program, { name: "p" });
  if (!ended.ok) log += describeError(ended.error);
  const { fuelUsed: fuel } = lua.stats();
  await lua.close();
  return { log, fuel };
}

/** Text of what the host is told of an error, as tests/programs.rs writes it. */
export function describeError(error: Error): string {
  const { kind, message, line = 0, traceback = "" } = error as LuaError;
  return `${kind} ${message} ${line}\n${traceback}\n`;
}

/** FNV-1a of the bytes of a text. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * A smaller program for which `differs` still holds. A line goes together with those that are indented deeper
 * below it, and with the line that ends them; what does not compile any more does not differ.
 */
export async function shrink(program: string, differs: (program: string) => Promise<boolean>): Promise<string> {
  let lines = program.split("\n");
  for (let before = Infinity; lines.length < before;) {
    before = lines.length;
    for (let from = lines.length - 1; from >= 0; from--) {
      for (const kept of candidates(lines, from)) {
        if (!(await differs(kept.join("\n")))) continue;
        lines = kept;
        break;
      }
    }
  }
  return lines.join("\n");
}

/** Programs without the statement that begins at a line; the most of it is left out first. */
function* candidates(lines: string[], from: number): Iterable<string[]> {
  const indent = indentOf(lines[from]);
  let to = from + 1;
  while (to < lines.length && (lines[to]!.trim() === "" || indentOf(lines[to]) > indent)) to++;
  if (to > from + 1) {
    // With its end; without what is inside; only what is inside.
    yield [...lines.slice(0, from), ...lines.slice(to + 1)];
    yield [...lines.slice(0, from + 1), ...lines.slice(to)];
    yield [...lines.slice(0, from), ...lines.slice(from + 1, to), ...lines.slice(to + 1)];
  }
  yield [...lines.slice(0, from), ...lines.slice(from + 1)];
}

function indentOf(line = ""): number {
  return line.length - line.trimStart().length;
}
