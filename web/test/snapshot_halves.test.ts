/**
 * The golden scripts in pieces: captured between any two of their statements, each piece run in another VM,
 * with the same output.
 *
 * Each runs as a call that waits, with `async.sleep` between the pieces, and once more as a coroutine that is
 * cut in the middle. The word that ends a piece is put before a line: no line moves, so messages are the
 * same.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite, test } from "node:test";
import { Lua, type LuaFunction } from "../src/index.ts";
import { ManualClock } from "./time.ts";

const folder = resolve("../tests/golden");
const scripts = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lua"))
  .sort();

/** Scripts that say something else in a coroutine, also in one piece; and why. */
const NOT_IN_COROUTINES: Readonly<Record<string, string>> = {
  "coroutine/create-resume-status.lua": "it yields outside of all coroutines, which is none here",
};

/** Scripts that nothing can be put into; and why. */
const NOT_DIVISIBLE: Readonly<Record<string, string>> = { "errors/uncaught-syntax.lua": "it does not compile" };

/** VMs that all of them have run in. */
let vmsOfAll = 0;

interface Ended {
  output: string;
  failure: string | null;
  /** Number of VMs that it ran in. */
  vms: number;
}

/** Runs a script in one VM. */
async function whole(source: string): Promise<Ended> {
  let output = "";
  await using lua = await Lua.create({ stdout: (text) => (output += text), stderr: () => {} });
  const failure = await ending(lua.evalAsync(source, { name: "golden" }));
  return { output, failure, vms: 1 };
}

/** Runs a script in as many VMs as it waits in. */
async function inPieces(source: string, clock: ManualClock): Promise<Ended> {
  let output = "";
  const write = () => {
    // What a VM that was left writes, where it closes what was open in it, is nobody's.
    const own = { left: false };
    return { own, stdout: (text: string) => void (own.left || (output += text)), stderr: () => {} };
  };
  let { own, ...options } = write();
  let lua = await Lua.create(options);
  let result: Promise<unknown> = lua.evalAsync(source, { name: "golden" });
  for (let vms = 1; ; vms++) {
    const failure = ending(result);
    const image = lua.snapshot();
    own.left = true;
    ({ own, ...options } = write());
    const next = await Lua.restore(image, options);
    await lua.close();
    lua = next;
    const [task, ...others] = next.restored?.tasks ?? [];
    assert.equal(others.length, 0);
    if (task === undefined) {
      own.left = true;
      await lua.close();
      return { output, failure: await failure, vms };
    }
    result = task.result;
    result.catch(() => {});
    // The sleep is over: it has gone on, and ended or come to the next by then.
    await clock.pass(1);
  }
}

/** Runs a script as a coroutine that yields once, with other ways to take it along. */
async function asCoroutine(source: string): Promise<Ended> {
  let output = "";
  const options = { stdout: (text: string) => void (output += text), stderr: () => {} };
  const lua = await Lua.create(options);
  lua.call<LuaFunction>("load", "package.loaded.script = coroutine.create((...))").call(null, compiled(lua, source));
  const resume = (vm: Lua) =>
    vm.evalAll(`
      local ok, why = coroutine.resume(package.loaded.script)
      if ok then return true end
      why = tostring(why)
      coroutine.close(package.loaded.script)
      return false, why`);
  const [ok, message] = resume(lua);
  const before = output;
  const [fork, restored] = [await lua.fork(options), await Lua.restore(await Lua.image(lua.snapshot()), options)];
  const ends: Ended[] = [];
  for (const vm of [lua, fork, restored]) {
    output = before;
    const [ended, why] = ok === true ? resume(vm) : [ok, message];
    ends.push({ output, failure: ended === true ? null : String(why), vms: 2 });
    await vm.close();
  }
  assert.deepEqual(ends[1], ends[0]);
  assert.deepEqual(ends[2], ends[0]);
  return ends[0] as Ended;
}

function compiled(lua: Lua, source: string): LuaFunction {
  return lua.call<LuaFunction>("load", source, "=golden");
}

async function ending(result: Promise<unknown>): Promise<string | null> {
  return await result.then(
    () => null,
    (error: Error) => error.message,
  );
}

/** The numbers of lines that begin with a statement of the outermost block. */
function boundaries(lua: Lua, lines: readonly string[]): number[] {
  const compiles = lua.eval<LuaFunction>("return function(source) return load(source) ~= nil end");
  return lines
    .map((_, line) => line)
    .filter((line) => line > lines.indexOf("---") && line < lines.length - 1)
    .filter((line) => compiles(lines.slice(0, line).join("\n")) === true)
    .filter((line) => compiles(cut(lines, [line], "print")) === true);
}

/** The source with a call of what `word` says before each of these lines. */
function cut(lines: readonly string[], at: readonly number[], word: string): string {
  const cuts = new Set(at);
  return lines
    .map((line, number) => (number === 0 ? `local HALF <const> = ${word} ` : cuts.has(number) ? "HALF(0);" : "") + line)
    .join("\n");
}

for (const name of scripts) {
  test(name, { skip: NOT_IN_COROUTINES[name] ?? NOT_DIVISIBLE[name] ?? false }, async (t) => {
    const source = readFileSync(resolve(folder, name), "utf8");
    const lines = source.split("\n");
    const expected = await whole(source);
    const header = lines.slice(1, lines.indexOf("---")).map((line) => `${line.slice(4)}\n`);
    assert.equal(expected.output, header.join(""), "in a coroutine");

    await using compiler = await Lua.create({ memoryLimit: 16 << 20 });
    const at = boundaries(compiler, lines);
    assert.ok(at.length > 0, "somewhere");
    const pieces = await inPieces(cut(lines, at, "async.sleep"), new ManualClock(t));
    assert.equal(pieces.output, expected.output);
    assert.equal(pieces.failure, expected.failure);
    // A goto, or an error that ends it, passes some by.
    assert.ok(pieces.vms > 1);
    vmsOfAll += pieces.vms;

    const middle = at.slice(at.length >> 1).slice(0, 1);
    const halves = await asCoroutine(cut(lines, middle, "coroutine.yield"));
    assert.equal(halves.output, expected.output);
    assert.equal(halves.failure, expected.failure);
  });
}

suite("what was left out", () => {
  test("is there", () => {
    for (const name of [...Object.keys(NOT_IN_COROUTINES), ...Object.keys(NOT_DIVISIBLE)])
      assert.ok(scripts.includes(name), name);
  });

  test("is little", () => assert.ok(vmsOfAll > 2000, `${vmsOfAll} VMs`));
});
