/** Tests of faults that other packages of this kind have or had, one each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lua, LuaError, LuaMemoryError, LuaTimeoutError, type LuaFunction } from "../src/index.ts";
import { LuaFactory, LuaMultiReturn } from "../src/wasmoon.ts";

const lua = await Lua.create();

test("the 61st script on one engine ended in 'memory access out of bounds', and each call leaked a stack slot", async () => {
  const engine = await new LuaFactory().createEngine();
  for (let i = 0; i < 1000; i++) assert.equal(await engine.doString(`return ${i}`), i);
  for (let i = 0; i < 100_000; i++) engine.doStringSync("return 1");
  assert.equal(engine.doStringSync("return 'still here'"), "still here");
  engine.global.close();
});

test("strings were cut at NUL, and bytes from 0x80 on altered", () => {
  const seen: unknown[] = [];
  lua.register("see", (value: unknown) => (seen.push(value), value));
  assert.equal(lua.eval("return #see('a\\0b')"), 3);
  assert.equal(lua.eval("local s = '\\xff\\xfe\\0\\x80' return see(s) == s"), true);
  assert.deepEqual(seen, ["a\0b", Uint8Array.of(255, 254, 0, 128)]);
});

test("1e300 arrived as the integer 0, -0 lost its sign, 2^53 was rounded, a bigint threw", () => {
  const same = lua.eval<LuaFunction>("return function(x) return x, math.type(x) end");
  for (const number of [1e300, -0, 0.5, NaN, Infinity, 5e-324]) {
    assert.deepStrictEqual(same.callAll(number), [number, "float"]);
  }
  for (const integer of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    assert.deepStrictEqual(same.callAll(integer), [integer, "integer"]);
  }
  assert.throws(() => same(2n ** 63n), RangeError);
});

test("only the first value was returned; holes, {} and the keys 1 and '1' were lost", () => {
  assert.deepEqual(lua.evalAll("return 1, 2, 3"), [1, 2, 3]);
  assert.deepEqual(lua.eval("return {}"), {});
  assert.deepEqual(
    lua.eval<Map<unknown, unknown>>("return { [1] = 'a', ['1'] = 'b', [3] = 'c' }"),
    new Map<unknown, unknown>([
      [1, "a"],
      ["1", "b"],
      [3, "c"],
    ]),
  );
  lua.register("both", () => LuaMultiReturn.of(1, 2));
  assert.deepEqual(lua.evalAll("return both()"), [1, 2]);
});

test("pcall swallowed the timeout, and its error was a plain Error", async () => {
  const swallows = "while true do pcall(function() while true do end end) end";
  assert.throws(() => lua.eval(swallows, { timeout: 20 }), LuaTimeoutError);
  // What waits is stopped, inside pcall too.
  await assert.rejects(lua.evalAsync("while true do pcall(async.sleep, 5) end", { timeout: 30 }), (error) => {
    assert.ok(error instanceof LuaTimeoutError);
    assert.equal(error.reason, "timeout");
    return true;
  });
  assert.equal(lua.eval("return debug.sethook"), undefined);
});

test("a class instance led to its constructor's constructor, and so to all of the host", () => {
  class Given {
    value = 1;
  }
  assert.throws(() => lua.globals.set("a", new Given()), /a Given cannot be given to Lua/);
  lua.globals.set("a", lua.ref(new Given(), ["value"]));
  lua.globals.set("b", { plain: () => 1 });
  lua.register("fails", () => {
    throw new Error("x");
  });
  assert.equal(lua.eval("return a.value"), 1);
  for (const path of [
    "a.constructor",
    "a.constructor.constructor",
    "a.__proto__",
    "b.constructor.constructor",
    "b.plain.constructor",
    "select(2, pcall(fails)).constructor",
    "select(2, pcall(fails)).stack",
  ]) {
    const result = lua.tryEval(`return ${path}`);
    assert.ok(!result.ok || result.value === undefined, path);
  }
});

test("errors were a message: value, identity, code and cause were lost", () => {
  const cause = Object.assign(new Error("host failed"), { code: "E_HOST" });
  lua.register("fails", () => {
    throw cause;
  });
  const { error } = lua.tryEval("\nfails()", { name: "app.lua" }) as { error: LuaError };
  assert.equal(error.cause, cause);
  assert.deepEqual([error.chunk, error.line, error.kind], ["app.lua", 2, "runtime"]);
  assert.equal(lua.eval("return select(2, pcall(fails)).code"), "E_HOST");
  assert.deepEqual((lua.tryEval("error({ code = 42 })") as { error: LuaError }).error.value, { code: 42 });
});

test("an object 5,000 deep ended in a trap, and os.exit in an exception of the tool chain", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i++) deep = { deep };
  assert.throws(() => lua.globals.set("deep", deep), RangeError);
  lua.register("deep", () => deep);
  assert.throws(() => lua.eval("deep()"), /nested deeper than 200/);
  assert.throws(() => lua.eval("os.exit(1)"), LuaError);
  assert.throws(() => lua.eval("return ('x'):rep(1e9)"), LuaMemoryError);
  assert.equal(lua.eval("return 1"), 1);
});

test("the module came from somebody's CDN", async (t) => {
  const fetched: string[] = [];
  t.mock.method(globalThis, "fetch", async (address: unknown) => {
    fetched.push(String(address));
    throw new Error("offline");
  });
  const other = await Lua.create();
  assert.equal(other.eval("return 1"), 1);
  await other.close();
  assert.deepEqual(fetched, []);
});

test("promises could not be awaited in callbacks that JavaScript calls", async () => {
  lua.register("soon", async (value: unknown) => value);
  const callback = lua.eval<LuaFunction>("return function(x) return soon(x) + soon(1) end");
  assert.equal(await callback.callAsync(41), 42);
});

test("wasmoon's names", async () => {
  const engine = await new LuaFactory().createEngine();
  engine.global.set("sum", (a: number, b: number) => a + b);
  engine.global.set("later", async (n: number) => n);
  assert.equal(engine.doStringSync("return sum(1, 2)"), 3);
  assert.equal(await engine.doString("return later(5)"), 5);
  await engine.doString("function two() return 1, 2 end");
  const results = engine.global.call("two");
  assert.ok(results instanceof LuaMultiReturn);
  assert.deepEqual([...results], [1, 2]);
  engine.global.close();
});
