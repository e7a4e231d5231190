/**
 * Random programs, with and without breaks: each runs in one VM from beginning to end, and once more in many,
 * captured between any two of its chunks. All that they return and write, and what is there at the end, is
 * the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lua, LuaError } from "../src/index.ts";
import { Random } from "./helpers.ts";
import { program, type Chunk } from "./snapshot_programs.ts";

const PROGRAMS = 1000;

/** All that can be seen of a program. */
interface Seen {
  results: unknown[];
  output: string;
}

/** A step between two chunks: goes on with the same VM, or with another. */
type Break = (lua: Lua, options: { stdout: (text: string) => void }) => Promise<Lua>;

const BREAKS: readonly Break[] = [
  async (lua, options) => replace(lua, await Lua.restore(lua.snapshot(), options)),
  async (lua, options) => replace(lua, await lua.fork(options)),
  async (lua, options) => replace(lua, await Lua.restore(await Lua.image(lua.snapshot()), options)),
  async (lua, options) => {
    const first = await replace(lua, await Lua.restore(lua.snapshot(), options));
    return await replace(first, await Lua.restore(first.snapshot(), options));
  },
  // Nobody is harmed by being captured.
  async (lua, options) => {
    await (await lua.fork(options)).close();
    lua.snapshot();
    return lua;
  },
];

async function replace(lua: Lua, other: Lua): Promise<Lua> {
  await lua.close();
  return other;
}

async function run(chunks: readonly Chunk[], seed: number, breaks?: Random): Promise<Seen> {
  const seen: Seen = { results: [], output: "" };
  const options = { stdout: (text: string) => void (seen.output += text), stderr: () => {} };
  let lua = await Lua.create({ ...options, seed, memoryLimit: 4 << 20 });
  const look = (code: string, env = false) => {
    try {
      seen.results.push(lua.evalAll(code, env ? { env: { own: 1 } } : {}));
    } catch (error) {
      assert.ok(error instanceof LuaError && error.kind !== "bug", String(error));
      seen.results.push(`${error.kind}: ${error.message}`);
    }
  };
  for (const { code, env } of chunks) {
    look(code, env);
    if (breaks !== undefined && breaks.below(3) === 0) lua = await breaks.pick(BREAKS)(lua, options);
  }
  look("collectgarbage() collectgarbage() return sorted_log()");
  look("LOG = {} return digest()");
  look(
    "T, F, C, W, KEEP, cursor, cursor_of = {}, {}, {}, {}, {} collectgarbage() collectgarbage() return sorted_log()",
  );
  await lua.close();
  return seen;
}

test(`${PROGRAMS} random programs are the same with breaks`, async () => {
  let errors = 0;
  for (let seed = 0; seed < PROGRAMS; seed++) {
    const chunks = program(seed);
    const expected = await run(chunks, seed);
    const got = await run(chunks, seed, new Random(~seed));
    errors += expected.results.filter((result) => typeof result === "string").length;
    try {
      assert.deepEqual(got, expected);
    } catch (error) {
      throw new Error(
        `seed ${seed}:\n${chunks
          .slice(2)
          .map(({ code }) => code)
          .join("\n")}`,
        { cause: error },
      );
    }
  }
  assert.ok(errors < PROGRAMS, `most of them must do something: ${errors} errors`);
});
