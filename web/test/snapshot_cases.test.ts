/** Cases of what must be as it was in a VM that was restored, one thing at a time. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaMemoryError, LuaTimeoutError, type LuaOptions } from "../src/index.ts";
import { ManualClock } from "./time.ts";

/**
 * Returns what `after` returns in a VM that has run `before`, and whose image was made; asserts that it is
 * the same in one that was restored.
 */
async function both(before: string, after: string, options: LuaOptions = {}): Promise<unknown[]> {
  const { memoryLimit, ...others } = options;
  const lua = await Lua.create({ seed: 1, ...options });
  lua.eval(before);
  const other = await Lua.restore(lua.snapshot(), others.seed === undefined ? others : { ...others, seed: undefined });
  const third = await (await other.fork()).fork();
  const expected = lua.evalAll(after);
  assert.deepEqual(other.evalAll(after), expected);
  assert.deepEqual(third.evalAll(after), expected);
  for (const vm of [lua, other, third]) await vm.close();
  return expected;
}

const CASES: Readonly<Record<string, readonly [before: string, after: string, expected: readonly unknown[]]>> = {
  "a suspended coroutine": ["co = coroutine.create(function(a) local b = coroutine.yield(a) return b * 2 end) coroutine.resume(co, 1)", "local s = coroutine.status(co) return s, coroutine.resume(co, 21)", ["suspended", true, 42]], // prettier-ignore
  "an open upvalue of a suspended coroutine": ["co = coroutine.wrap(function() local x = 1 function get() return x end function set(v) x = v end coroutine.yield() x = x + 1 coroutine.yield(x) end) co()", "set(10) local a = co() set(5) return a, get()", [11, 5]], // prettier-ignore
  "closures that share a variable": [
    "local n = 0 function add() n = n + 1 end function get() return n end add()",
    "add() return get()",
    [2],
  ],
  "weak tables": ["k, v = {}, {} wk = setmetatable({ [k] = 1, [{}] = 2 }, { __mode = 'k' }) wv = setmetatable({ v, {} }, { __mode = 'v' })", "collectgarbage() local n, m = 0, 0 for _ in pairs(wk) do n = n + 1 end for _ in pairs(wv) do m = m + 1 end return n, m, wk[k], wv[1] == v", [1, 1, 1, true]], // prettier-ignore
  "finalizers, once": ["log = '' x = setmetatable({}, { __gc = function() log = log .. 'x' end }) setmetatable({}, { __gc = function() log = log .. 'y' end }) ", "collectgarbage() x = nil collectgarbage() collectgarbage() return log", ["yx"]], // prettier-ignore
  "what is to be closed": ["log = {} co = coroutine.create(function() local a <close> = setmetatable({}, { __close = function(_, e) log[#log + 1] = 'a' .. tostring(e) end }) coroutine.yield() error('e', 0) end) coroutine.resume(co)", "coroutine.resume(co) coroutine.close(co) return log[1], #log", ["ae", 1]], // prettier-ignore
  "strings that are the same": ["s, l = 'short' .. 1, ('long'):rep(20) t = { [s] = 1, [l] = 2 }", "return s == 'short1', t['short' .. '1'], t[('long'):rep(20)], l == ('long'):rep(20)", [true, 1, 2, true]], // prettier-ignore
  "tables, functions and coroutines as keys": ["k, f, c = {}, function() end, coroutine.create(print) t = { [k] = 1, [f] = 2, [c] = 3, [print] = 4 }", "return t[k], t[f], t[c], t[print], t[{}]", [1, 2, 3, 4, undefined]], // prettier-ignore
  "the order of next, half way": ["t = {} for i = 1, 50 do t['k' .. i], t[i * 1.5] = i, i end order = {} for k in pairs(t) do order[#order + 1] = k end at = order[37]", "local i = 37 for k in next, t, at do i = i + 1 if order[i] ~= k then return false end end return i == #order", [true]], // prettier-ignore
  "keys that are numbers": ["t = { [1] = 'a', [2.0] = 'b', [2^53] = 'c', [-1] = 'd', [1.5] = 'e', [math.mininteger] = 'f' }", "return t[1.0], t[2], t[1 << 53], t[-1.0], t[3 / 2], t[math.mininteger], #t", ["a", "b", "c", "d", "e", "f", 2]], // prettier-ignore
  "methods of strings": ["string.twice = function(s) return s .. s end", "return ('ab'):twice(), getmetatable('')", ["abab"]], // prettier-ignore
  "functions that were loaded": [
    "f = load('local a = ... n = (n or 0) + a return n', '=made') f(1)",
    "return f(2), (select(2, pcall(load('error()', '=x'))))",
    [3, undefined],
  ],
  "modules that were loaded": [
    "package.preload.m = function(...) calls = (calls or 0) + 1 return { name = ... } end m = require('m')",
    "return require('m') == m, calls, m.name",
    [true, 1, "m"],
  ],
  "random numbers": ["math.random()", "return math.random(), math.random(1 << 40), math.random(0)", []],
  "random numbers of a seed of the host": [
    "math.randomseed()",
    "math.randomseed() return math.random(0), math.random()",
    [],
  ],
  "the mode of the collector": [
    "collectgarbage('generational') for i = 1, 1000 do local t = {} end",
    "return collectgarbage('incremental')",
    ["generational"],
  ],
  "a stopped collector": ["collectgarbage('stop')", "return collectgarbage('isrunning')", [false]],
  "what is used": [
    "t = {} for i = 1, 1000 do t[i] = { i } end",
    "local n = collectgarbage('count') return n > 50 and n < 2000",
    [true],
  ],
  environments: [
    "f = load('x = 1; return function() x = x + 1 return x end', '=e', 't', setmetatable({}, { __index = _G }))()",
    "return f(), x",
    [2, undefined],
  ],
  "an error that was caught": ["ok, e = pcall(error, setmetatable({ code = 1 }, { __tostring = function(s) return 'code ' .. s.code end }))", "return tostring(e), e.code", ["code 1", 1]], // prettier-ignore
  "string.gmatch half way": ["it = ('a b c'):gmatch('%a') it()", "return it(), it(), it()", ["b", "c"]],
  "pairs of an external table half way": ["t = ext.table('t') for i = 1, 40 do t[i] = i end it, s, c = pairs(t) for i = 1, 20 do c = it(s, c) end", "local n = 0 for k in it, s, c do n = n + k end return n", [610]], // prettier-ignore
};

suite("is as it was:", () => {
  for (const [name, [before, after, expected]] of Object.entries(CASES))
    test(name, async () => {
      const got = await both(before, after);
      if (expected.length > 0)
        assert.deepEqual(
          got.filter((_, i) => i < expected.length),
          expected,
        );
    });
});

suite("chance and time", () => {
  test("a seed makes them the same, randomness makes them differ", async () => {
    const lua = await Lua.create();
    const image = lua.snapshot();
    const numbers = async (seed?: number | "random") => {
      const other = await Lua.restore(image, { seed });
      const got = other.evalAll("return math.random(0), math.random(0)");
      await other.close();
      return got;
    };
    assert.deepEqual(await numbers(5), await numbers(5));
    assert.notDeepEqual(await numbers(5), await numbers(6));
    assert.deepEqual(await numbers(), await numbers());
    assert.notDeepEqual(await numbers("random"), await numbers("random"));
    assert.notDeepEqual(await numbers(), await numbers("random"));
    await lua.close();
  });

  test("os.clock never steps back, whatever clock the host has; os.time is that of the host", async (t) => {
    const time = new ManualClock(t);
    let lua = await Lua.create();
    let last = Number(lua.eval("return os.clock()"));
    for (let i = 0; i < 10; i++) {
      const [now] = [(i % 3 === 1 && (() => 1000)) || (i % 3 === 2 && (() => Date.now() + 1e9)) || undefined];
      const next = await Lua.restore(lua.snapshot(), { now });
      await lua.close();
      lua = next;
      const clock = Number(lua.eval("return os.clock()"));
      assert.ok(clock >= last, `${clock} after ${last}`);
      last = clock;
      assert.equal(lua.eval("return os.time()"), Math.floor((now?.() ?? Date.now()) / 1000));
      time.work(700);
    }
    await lua.close();
  });

  test("os.clock does not count what lies between", async (t) => {
    const time = new ManualClock(t);
    const lua = await Lua.create();
    const image = lua.snapshot();
    const before = Number(lua.eval("return os.clock()"));
    time.work(300_000);
    const other = await Lua.restore(image);
    assert.equal(other.eval("return os.clock()"), before);
    await lua.close();
    await other.close();
  });
});

suite("limits", () => {
  const FILL = "full = {} while true do full[#full + 1] = ('x'):rep(1000) .. #full end";

  test("memory: that of the image, more, less, too little", async () => {
    const lua = await Lua.create({ memoryLimit: 4 << 20 });
    lua.eval("kept = {} for i = 1, 20000 do kept[i] = { i } end");
    const image = lua.snapshot();
    const same = await Lua.restore(image);
    assert.equal(same.stats().memory.limit, 4 << 20);
    const more_used = same.stats().memory.luaUsed - lua.stats().memory.luaUsed;
    assert.ok(Math.abs(more_used) < 256, `${more_used} bytes`);
    const { used } = same.stats().memory;
    assert.throws(() => same.eval(FILL), LuaMemoryError);
    const more = await Lua.restore(image, { memoryLimit: 8 << 20 });
    assert.equal(more.eval("big = ('x'):rep(2 << 20) return #big"), 2 << 20);
    const less = await Lua.restore(image, { memoryLimit: used });
    assert.throws(() => less.eval(FILL), LuaMemoryError);
    assert.ok(less.stats().memory.used <= used);
    await assert.rejects(Lua.restore(image, { memoryLimit: used - 65536 }), RangeError);
    await assert.rejects(Lua.restore(await Lua.image(image), { memoryLimit: 65536 }), RangeError);
    for (const vm of [lua, same, more, less]) await vm.close();
  });

  test("a full VM", async () => {
    const lua = await Lua.create({ memoryLimit: 3 << 20 });
    assert.throws(() => lua.eval(FILL), LuaMemoryError);
    const other = await Lua.restore(lua.snapshot());
    assert.equal(other.eval("return #full > 1000"), true);
    assert.throws(() => other.eval("local s = ('y'):rep(2 << 20)"), LuaMemoryError);
    const third = await other.fork();
    assert.equal(third.eval("full = nil collectgarbage() return #('y'):rep(400000)"), 400_000);
    const larger = await Lua.restore(other.snapshot(), { memoryLimit: 16 << 20 });
    assert.equal(larger.eval("return #('y'):rep(4 << 20)"), 4 << 20);
    for (const vm of [lua, other, third, larger]) await vm.close();
  });

  test("64 MiB", async () => {
    const lua = await Lua.create({ memoryLimit: 64 << 20 });
    lua.eval("t = {} for i = 1, 40 do t[i] = ('block %d '):format(i):rep(1 << 17) end");
    const other = await Lua.restore(lua.snapshot());
    assert.equal(other.eval("return t[40] == ('block 40 '):rep(1 << 17) and #t"), 40);
    assert.ok(other.stats().memory.used > 40 << 20);
    await lua.close();
    await other.close();
  });

  test("fuel and time are those of the options, again", async () => {
    const lua = await Lua.create({ fuel: 10_000 });
    const image = lua.snapshot();
    const [free, fuel, time] = [
      await Lua.restore(image),
      await Lua.restore(image, { fuel: 5000 }),
      await Lua.restore(image, { timeout: 20 }),
    ];
    assert.equal(free.eval("for i = 1, 1e6 do end return 1"), 1);
    for (const vm of [fuel, time, await lua.fork()]) {
      for (let i = 0; i < 2; i++) assert.throws(() => vm.eval("while true do end"), LuaTimeoutError);
      assert.throws(() => vm.eval("pcall(function() while true do end end)"), LuaTimeoutError);
      assert.equal(vm.eval("return 1"), 1);
    }
    assert.throws(() => free.eval("while true do end", { fuel: 1000 }), { reason: "fuel" });
    for (const vm of [lua, free, fuel, time]) await vm.close();
  });

  test("stats: handles, peak, mode", async () => {
    const lua = await Lua.create();
    lua.gc("generational");
    const held = lua.evalAll("return function() end, print, coroutine.create(print), io.stdout");
    assert.ok(lua.stats().handles > 0 && held.length === 4);
    const other = await Lua.restore(lua.snapshot());
    assert.equal(other.stats().handles, 0);
    assert.equal(other.stats().gc.mode, "generational");
    await lua.close();
    await other.close();
  });
});

suite("streams", () => {
  test("input that was given and not read, output that a function writes later, warnings", async () => {
    const lua = await Lua.create({ stdin: () => "one\ntwo\nthree\n" });
    assert.equal(lua.eval("warn('@on') out = io.stdout return io.read()"), "one");
    let [output, errors] = ["", ""];
    let asked = 0;
    const stdin = () => (asked++ === 0 ? "more\n" : null);
    const other = await Lua.restore(lua.snapshot(), {
      stdin,
      stdout: (text) => (output += text),
      stderr: (text) => (errors += text),
    });
    assert.deepEqual(other.evalAll("return io.read(), io.read(), io.read(), io.read()"), [
      "two",
      "three",
      "more",
      undefined,
    ]);
    other.eval("out:write('a', 1) io.write('b') print('c') warn('careful') return io.type(out)");
    assert.equal(output, "a1bc\n");
    assert.match(errors, /careful/);
    await lua.close();
    await other.close();
  });

  test("modules are those of the options", async () => {
    const lua = await Lua.create({ modules: { a: "return 'a1'", b: "return 'b1'" } });
    assert.equal(lua.eval("return require 'a'"), "a1");
    const other = await Lua.restore(lua.snapshot(), { modules: { a: "return 'a2'", b: "return 'b2'" } });
    assert.deepEqual(other.evalAll("return require 'a', require 'b'").slice(0, 2), ["a1", "b2"]);
    const none = await Lua.restore(lua.snapshot());
    assert.throws(() => none.eval("require 'b'"), /module 'b' not found/);
    const fork = await lua.fork();
    assert.equal(fork.eval("return (require 'b')"), "b1");
    for (const vm of [lua, other, none, fork]) await vm.close();
  });
});

suite("the moment", () => {
  // An image with damaged pages could bring a memory whose free blocks lead anywhere: the trap came out of
  // `snapshot` as it was, and the VM went on.
  test("a trap while freed memory is cleared is the death of the VM", async (t) => {
    const instantiate = WebAssembly.instantiate as (module: WebAssembly.Module, imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>; // prettier-ignore
    t.mock.method(WebAssembly, "instantiate", async (module: WebAssembly.Module, imports?: WebAssembly.Imports) => {
      const { exports } = await instantiate(module, imports);
      const clear_free = () => {
        throw new WebAssembly.RuntimeError("memory access out of bounds");
      };
      return { exports: { ...exports, clear_free } };
    });
    const lua = await Lua.create();
    t.mock.restoreAll();
    const died = (error: unknown) => error instanceof LuaError && error.kind === "bug" && /has died: memory/.test(error.message); // prettier-ignore
    assert.throws(() => lua.snapshot(), died);
    assert.throws(() => lua.eval("return 1"), { kind: "bug", message: /died of an earlier failure/ });
    await lua.close({ discard: true });
  });

  test("not inside of a call, not closed, not of a dead one", async () => {
    const lua = await Lua.create();
    lua.register("snap", () => lua.snapshot());
    assert.throws(() => lua.eval("snap()"), /no snapshot can be taken/);
    lua.register("fork", () => void lua.fork().catch((error: Error) => (said = error.message)));
    let said = "";
    lua.eval("fork()");
    await null;
    await null;
    assert.match(said, /no snapshot can be taken/);
    assert.ok(lua.snapshot().length > 1000);
    await lua.close();
    assert.throws(() => lua.snapshot(), { kind: "closed" });
    await assert.rejects(lua.fork(), { kind: "closed" });
  });

  test("an image changes nothing but the order of free blocks, and of one image all VMs are the same", async () => {
    const lua = await Lua.create({ now: () => 1000, seed: 1 });
    lua.eval("t = {} for i = 1, 1000 do t[i] = { i } end return ('x'):rep(100000)");
    lua.stats();
    const { memory } = lua.stats();
    const image = lua.snapshot();
    assert.ok(Math.abs(lua.snapshot().length - image.length) < 256);
    assert.deepEqual(lua.stats().memory, memory);
    const other = await Lua.restore(image, { now: () => 1000 });
    const [one, two] = [other.snapshot(), (await Lua.restore(image, { now: () => 1000 })).snapshot()];
    assert.deepEqual(one, two);
    await lua.close();
    await other.close();
  });

  test("reads of a large reply leave nothing in it", async () => {
    const lua = await Lua.create({ seed: 1 });
    const before = lua.snapshot().length;
    lua.eval("return ('secret'):rep(50000)");
    lua.gc();
    const image = lua.snapshot();
    assert.ok(image.length < before + 8192, `${image.length} after ${before}`);
    await lua.close();
  });
});
