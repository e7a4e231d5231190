/**
 * Compiled functions and the life of a VM: images, forks, functions that are freed, the most modules that
 * there may be, and platforms that make none.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lua } from "../src/index.ts";
import type { LuaOptions } from "../src/index.ts";
import type { JitKnobs } from "../src/options.ts";

/** Knobs with which a function is hot at the first sample. */
const EAGER: JitKnobs = { threshold: 1, length: 64, exitSeed: 0 };

/** Options of a VM in which everything is compiled soon. */
function eager(): LuaOptions {
  return { seed: 1, jit: EAGER as unknown as boolean };
}

const PROGRAM = `
  function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  local wrapped = coroutine.wrap(function()
    local sum = 0
    for i = 1, 1e9 do
      sum = sum + i * 2
      if i % 1000 == 0 then coroutine.yield(sum) end
    end
  end)
  function go(n)
    local sum = 0
    for _ = 1, n do sum = sum + wrapped() end
    return sum + fib(16)
  end`;

/** Results of `rounds` calls in a VM that interprets. */
async function interpreted(rounds: number): Promise<unknown[]> {
  await using lua = await Lua.create({ seed: 1, jit: false });
  lua.eval(PROGRAM);
  const results = Array.from({ length: rounds }, () => lua.eval("return go(100)"));
  assert.equal(lua.stats().jit.modules, 0);
  return results;
}

test("a VM goes on from an image with a coroutine that is suspended in a compiled loop", async () => {
  const expected = await interpreted(6);
  let lua = await Lua.create(eager());
  lua.eval(PROGRAM);
  for (const result of expected) {
    assert.equal(lua.eval("return go(100)"), result);
    assert.ok(lua.stats().jit.functions > 0, "nothing was compiled");
    const image = lua.snapshot();
    await lua.close();
    lua = await Lua.restore(image, eager());
    assert.equal(lua.stats().jit.functions, 0);
  }
  await lua.close();
});

test("what is compiled is there again after an image was made, and no part of it", async () => {
  const expected = await interpreted(4);
  await using lua = await Lua.create(eager());
  lua.eval(PROGRAM);
  assert.equal(lua.eval("return go(100)"), expected[0]);
  const before = lua.stats().jit;
  const image = lua.snapshot();
  assert.equal(lua.eval("return go(100)"), expected[1]);
  const { modules, functions } = lua.stats().jit;
  assert.ok(modules >= before.modules && functions >= before.functions, "compiled functions were lost");
  await using fork = await lua.fork();
  assert.equal(lua.eval("return go(100)"), expected[2]);
  assert.equal(fork.eval("return go(100)"), expected[2]);
  await using restored = await Lua.restore(image);
  assert.equal(restored.eval("return go(100)"), expected[1]);
});

test("functions that are freed take their modules with them, and there are 64 at most", async () => {
  await using lua = await Lua.create(eager());
  const loop = "local sum = 0 for i = 1, 20000 do sum = sum + i % 7 end return sum";
  for (let time = 0; time < 100; time++) assert.equal(lua.eval(loop), 59998);
  lua.eval("collectgarbage()");
  assert.ok(lua.stats().jit.modules < 10, `${lua.stats().jit.modules} modules of chunks that are gone`);
  for (let time = 0; time < 100; time++) {
    assert.equal(lua.eval(`kept = kept or {} kept[#kept + 1] = function() ${loop} end return kept[#kept]()`), 59998);
    assert.ok(lua.stats().jit.modules <= 64);
  }
  assert.ok(lua.stats().jit.modules > 32, `only ${lua.stats().jit.modules} modules`);
  assert.equal(lua.eval("local all = 0 for i = 1, #kept do all = all + kept[i]() end return all"), 5999800);
});

test("a platform that makes no modules at run time: everything is interpreted, and nothing said", async (t) => {
  const expected = await interpreted(1);
  await using lua = await Lua.create(eager());
  const make = t.mock.method(WebAssembly, "Module", function () {
    throw new WebAssembly.CompileError("Wasm code generation disallowed by embedder");
  });
  const said = t.mock.method(console, "error", () => {});
  lua.eval(PROGRAM);
  assert.equal(lua.eval("return go(100)"), expected[0]);
  assert.deepEqual({ ...lua.stats().jit, exits: 0 }, { modules: 0, functions: 0, bytes: 0, exits: 0 });
  assert.equal(make.mock.callCount(), 1);
  assert.equal(said.mock.callCount(), 0);
  // Nobody asks again, in other VMs either.
  await using another = await Lua.create(eager());
  another.eval(PROGRAM);
  assert.equal(another.eval("return go(100)"), expected[0]);
  assert.equal(make.mock.callCount(), 1);
});
