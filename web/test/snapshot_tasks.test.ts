/** Calls that wait, in an image: they go on in the VM that is restored, wherever they were. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaClosedError, LuaInterruptError, LuaTimeoutError, type LuaTask } from "../src/index.ts";
import { takeApart } from "./forged_images.ts";
import { ManualClock, settled, until } from "./time.ts";

// The first of anything takes its time.
await (await (await Lua.create()).fork()).close();

/** A VM that has begun `code`, and has done nothing but that. */
function begin(lua: Lua, code: string): { lua: Lua; result: Promise<unknown> } {
  const result = lua.evalAsync(code);
  result.catch(() => {});
  return { lua, result };
}

/** Calls `begin`, and returns a few microtasks later. */
async function begun(code: string, functions = {}): Promise<{ lua: Lua; result: Promise<unknown> }> {
  return begin(await Lua.create({ functions }), code);
}

/** Restores a VM, and returns it with the one task that waits at the top. */
async function restored(lua: Lua, functions = {}): Promise<{ lua: Lua; task: LuaTask }> {
  const other = await Lua.restore(lua.snapshot(), { functions });
  const { tasks } = other.restored ?? assert.fail();
  assert.equal(tasks.length, 1);
  return { lua: other, task: tasks[0] as LuaTask };
}

/** Returns the milliseconds that its one call sleeps still. */
function restOf(lua: Lua): number {
  return takeApart(lua.snapshot()).meta.tasks[0].pending.sleep;
}

async function closeAll(...all: Lua[]): Promise<void> {
  for (const lua of all) await lua.close();
}

suite("a sleep", () => {
  test("goes on for the rest of its time, in both", async (t) => {
    const clock = new ManualClock(t);
    const { lua, result } = await begun("async.sleep(500) return 'slept'");
    await clock.pass(50);
    assert.equal(restOf(lua), 450, "of the first");
    const { lua: other, task } = await restored(lua);
    assert.equal(task.waitsFor, "'async.sleep'");
    await clock.pass(20);
    assert.equal(restOf(other), 430, "of the second");
    let slept = 0;
    for (const one of [result, task.result]) void one.then(() => (slept += 1));
    await clock.pass(429);
    assert.equal(slept, 0);
    await clock.pass(1);
    assert.deepEqual(await Promise.all([result, task.result]), ["slept", "slept"]);
    await closeAll(lua, other);
  });

  test("as long as can be has no more of it left, however the clock's sums are rounded", async (t) => {
    const clock = new ManualClock(t);
    for (let i = 0; i < 50; i++) {
      clock.work(12.3);
      const { lua } = await begun("async.sleep(2147483647)");
      assert.ok(restOf(lua) <= 2147483647);
      await lua.close();
    }
  });

  test("that is over, and not told yet, does not begin again", async (t) => {
    const clock = new ManualClock(t);
    const { lua } = await begun("async.sleep(5) return 'slept'");
    clock.work(15);
    assert.equal(restOf(lua), 0);
    const { lua: other, task } = await restored(lua);
    await clock.pass(1);
    assert.equal(await task.result, "slept");
    await closeAll(lua, other);
  });

  test("of several calls at once, in their order", async (t) => {
    const clock = new ManualClock(t);
    const lua = await Lua.create();
    lua.eval("log = {}");
    for (const [name, ms] of [
      ["c", 30_000],
      ["a", 10_000],
      ["b", 20_000],
    ] as const)
      // prettier-ignore
      void lua.evalAsync(`async.sleep(${ms}) log[#log + 1] = "${name}" return "${name}"`).catch(() => {});
    const other = await Lua.restore(lua.snapshot());
    await clock.pass(30_000);
    const results = await Promise.all((other.restored?.tasks ?? []).map(({ result }) => result));
    assert.deepEqual(results, ["c", "a", "b"]);
    assert.deepEqual(other.globals.get("log"), ["a", "b", "c"]);
    await closeAll(lua, other);
  });

  test("of callAsync, and of a function's", async () => {
    const lua = await Lua.create();
    lua.eval("function twice(x) async.sleep(2) return x * 2 end");
    void lua.callAsync("twice", 21).catch(() => {});
    void lua
      .eval<import("../src/index.ts").LuaFunction>("return twice")
      .callAsync(50)
      .catch(() => {});
    const other = await Lua.restore(lua.snapshot());
    assert.deepEqual(await Promise.all((other.restored?.tasks ?? []).map(({ result }) => result)), [42, 100]);
    assert.equal(other.stats().handles, 0);
    await closeAll(lua, other);
  });
});

const NESTED = `
  local function leaf(name, ms) return function() async.sleep(ms) log = (log or "") .. name return name end end
  local function both(a, b) return function() local x, y = async.all(a, b) return x .. y end end
  local function either(a, b) return function() return async.race(a, b) end end
  local a, b, c = async.all(
    both(both(leaf("a", 3), leaf("b", 9)), either(leaf("c", 12), leaf("never", 60000))),
    either(both(leaf("d", 6), leaf("e", 1)), leaf("never", 60000)),
    function() return async.all { leaf("f", 4), leaf("g", 2) }[2] end)
  return a .. b .. c`;

suite("async.all and async.race", () => {
  test("three deep, captured at any time", async (t) => {
    const clock = new ManualClock(t);
    for (let ms = 0; ms < 16; ms++) {
      const { lua, result } = await begun(NESTED);
      if (ms > 0) await clock.pass(ms - 1);
      const image = lua.snapshot();
      await clock.pass(20);
      const expected = await result;
      assert.equal(expected, "abcdeg");
      const other = await Lua.restore(image);
      const [task] = other.restored?.tasks ?? [];
      await clock.pass(20);
      if (task !== undefined) assert.equal(await task.result, expected, `after ${ms} ms`);
      assert.equal(other.eval("return log and #log"), 7);
      assert.equal(other.stats().handles, 0);
      await closeAll(lua, other);
    }
  });

  test("captured again and again, in a chain", async (t) => {
    const clock = new ManualClock(t);
    let { lua, result } = await begun(NESTED);
    let vms = 0;
    for (; ; vms++) {
      const other = await Lua.restore(lua.snapshot());
      const [task, ...more] = other.restored?.tasks ?? [];
      assert.equal(more.length, 0);
      if (task === undefined) break;
      await lua.close();
      result.catch(() => {});
      ({ lua, result } = { lua: other, result: task.result });
      result.catch(() => {});
      await settled();
      if (vms % 5 === 4) await clock.pass(1);
    }
    assert.equal(await result, "abcdeg");
    assert.ok(vms > 12, `${vms} VMs`);
  });

  test("that has not begun", async () => {
    const code = "return async.all(function() return 1 end, function() async.sleep(1) return 2 end)";
    const { lua, result } = begin(await Lua.create(), code);
    const image = lua.snapshot();
    assert.equal(await result, 1);
    const other = await Lua.restore(image);
    // The functions are held until the end.
    const [task] = other.restored?.tasks ?? [];
    assert.equal(await task?.result, 1);
    await settled();
    assert.equal(other.stats().handles, 0);
    await closeAll(lua, other);
  });

  test("that has not begun, twice", async () => {
    const code = "return async.race(function() return 'first' end, function() return 'second' end)";
    const { lua } = begin(await Lua.create(), code);
    const one = await Lua.restore(lua.snapshot());
    const two = await Lua.restore(one.snapshot());
    for (const vm of [one, two]) assert.equal(await vm.restored?.tasks[0]?.result, "first");
    await closeAll(lua, one, two);
  });

  /** Captures in every microtask of a run; each must end as that one does. */
  async function everywhere(code: string, functions = {}): Promise<number> {
    let ends = 0;
    const expected = await begun(code, functions).then(({ result }) => result);
    for (let after = 0; ; after++) {
      const { lua, result } = begin(await Lua.create({ functions }), code);
      let over = false;
      void result.finally(() => (over = true));
      for (let i = 0; i < after; i++) await null;
      const ended = over;
      const image = lua.snapshot();
      const other = await Lua.restore(image, { functions });
      const tasks = other.restored?.tasks ?? [];
      if (tasks.length > 0) {
        assert.deepEqual(await tasks[0]?.result, expected, `after ${after} microtasks`);
        ends += 1;
      } else assert.ok(ended || over || (await result) === expected);
      await settled();
      assert.equal(other.stats().handles, 0, `after ${after} microtasks`);
      await closeAll(lua, other);
      if (ended) return ends;
    }
  }

  for (const [name, code] of Object.entries({
    "a race": "return async.race(function() return 'won' end, function() async.sleep(2000) end)",
    "a race that is won later":
      "return async.race(function() async.sleep(2000) end, function() async.all() return 'won' end)",
    "a race that raises":
      "return select(2, pcall(async.race, function() async.all() error('lost', 0) end, function() async.sleep(2000) end))",
    "all of them":
      "return (async.all(function() return 'one' end, function() async.all(function() end) return 'two' end))",
    "all, and one raises":
      "return select(2, pcall(async.all, function() async.sleep(2000) end, function() async.all() error('raised', 0) end))",
    "none at all": "async.all() async.all {} return 'none'",
    "a race in all in a race":
      "return async.race(function() return (async.all(function() return async.race(function() return 'deep' end, function() async.sleep(2000) end) end)) end, function() async.sleep(2000) end)",
    "require that waits for require":
      "return async.race(function() async.all() return 1 end, function() async.all() async.all() return 2 end)",
  })) {
    test(`${name}, in every microtask`, async () => {
      assert.ok((await everywhere(code)) > 3);
    });
  }
});

suite("a promise that stays behind", () => {
  test("is an error where it was waited for, which pcall catches, and the program tries again", async () => {
    const never = () => new Promise(() => {});
    const { lua } = await begun("local ok, why = pcall(fetch, 'x') return tostring(why) .. '; ' .. fetch('again')", {
      fetch: never,
    });
    const { lua: other, task } = await restored(lua, { fetch: async (what: string) => `got ${what}` });
    assert.equal(task.waitsFor, "'fetch'");
    const result = await task.result;
    assert.match(String(result), /'fetch' has not ended: .*stayed behind when the image was made; got again$/);
    await closeAll(lua, other);
  });

  test("may be asked for again by a function that is registered after it was restored", async () => {
    const { lua } = await begun("pcall(fetch) return fetch()", { fetch: () => new Promise(() => {}) });
    const { lua: other, task } = await restored(lua);
    other.register("fetch", () => 42);
    assert.equal(await task.result, 42);
    await closeAll(lua, other);
  });

  test("rejects when nothing catches it; a console is told if nobody asks", async (t) => {
    const console_error = t.mock.method(console, "error", () => {});
    const { lua } = await begun("return fetch()", { fetch: () => new Promise(() => {}) });
    const { lua: other, task } = await restored(lua);
    await assert.rejects(task.result, /'fetch' has not ended/);
    assert.equal(console_error.mock.callCount(), 0);
    const { lua: third } = await restored(lua);
    await until(() => console_error.mock.callCount() > 0);
    await settled(3);
    assert.equal(console_error.mock.callCount(), 1);
    await closeAll(lua, other, third);
  });

  test("inside of all, beside one that sleeps", async () => {
    const { lua } = await begun(
      `return async.all(function() local ok, why = pcall(fetch) return ok, why end, function() async.sleep(10) return "slept" end)`,
      { fetch: () => new Promise(() => {}) },
    );
    await settled();
    const { lua: other, task } = await restored(lua);
    assert.equal(await task.result, false);
    await closeAll(lua, other);
  });

  test("what is to be closed is closed when it fails", async () => {
    const { lua } = await begun(
      "local x <close> = setmetatable({}, { __close = function(_, e) closed = tostring(e) end }) fetch()",
      { fetch: () => new Promise(() => {}) },
    );
    const { lua: other, task } = await restored(lua);
    await assert.rejects(task.result, /has not ended/);
    assert.match(String(other.globals.get("closed")), /has not ended/);
    assert.equal(lua.globals.get("closed"), undefined);
    await closeAll(lua, other);
  });
});

suite("the end of what was restored", () => {
  const CLOSES =
    "local x <close> = setmetatable({}, { __close = function() closed = (closed or 0) + 1 end }) async.sleep(2000)";

  test("interrupt", async () => {
    const { lua } = await begun(CLOSES);
    const { lua: other, task } = await restored(lua);
    other.interrupt();
    await assert.rejects(task.result, LuaInterruptError);
    assert.equal(other.globals.get("closed"), 1);
    assert.equal(lua.globals.get("closed"), undefined);
    assert.equal((await Lua.restore(other.snapshot())).restored?.tasks.length, 0);
    await closeAll(lua, other);
  });

  test("interrupt of groups, and of those that have not begun", async () => {
    for (const wait of [false, true]) {
      const { lua } = await begun(
        `async.all(function() ${CLOSES} end, function() async.race(function() ${CLOSES} end) end)`,
      );
      if (wait) await settled();
      const { lua: other, task } = await restored(lua);
      other.interrupt();
      await assert.rejects(task.result, LuaInterruptError);
      // What has not begun is told in a job of its own.
      await until(() => other.stats().handles === 0);
      // The inner one had not begun: in the new VM it does not, either.
      assert.equal(other.globals.get("closed"), wait ? 2 : 1);
      assert.equal(other.stats().handles, 0);
      assert.equal((await Lua.restore(other.snapshot())).restored?.tasks.length, 0);
      await closeAll(lua, other);
    }
  });

  test("close, which nobody is told of", async (t) => {
    const notified = t.mock.method(console, "error", () => {});
    const { lua } = await begun(`async.all(function() ${CLOSES} end)`);
    await settled();
    const { lua: other, task } = await restored(lua);
    const { lua: third } = await restored(lua);
    await third.close();
    const rejected = assert.rejects(task.result, LuaClosedError);
    await other.close();
    await rejected;
    await settled();
    assert.equal(notified.mock.callCount(), 0);
    await lua.close();
  });

  test("its usual limits hold for what is left of it", async (t) => {
    const clock = new ManualClock(t);
    const lua = await Lua.create();
    void lua.evalAsync("async.sleep(50) while true do end").catch(() => {});
    const image = lua.snapshot();
    lua.interrupt();
    const other = await Lua.restore(image, { fuel: 100_000 });
    const ended = assert.rejects(other.restored?.tasks[0]?.result ?? assert.fail(), LuaTimeoutError);
    await clock.pass(50);
    await ended;
    await closeAll(lua, other);
  });

  test("a member of a group that runs too long ends the call", async (t) => {
    const clock = new ManualClock(t);
    const lua = await Lua.create();
    void lua
      .evalAsync("async.all(function() async.sleep(50) pcall(function() while true do end end) end)")
      .catch(() => {});
    await settled();
    const image = lua.snapshot();
    lua.interrupt();
    const other = await Lua.restore(image, { fuel: 100_000 });
    const ended = assert.rejects(other.restored?.tasks[0]?.result ?? assert.fail(), LuaTimeoutError);
    await clock.pass(50);
    await ended;
    await closeAll(lua, other);
  });

  test("the error of a restored call is as that of any: object, chunk and line", async () => {
    const { lua } = await begun("async.sleep(1)\nerror({ code = 7 })");
    const { lua: other, task } = await restored(lua);
    await assert.rejects(task.result, { kind: "runtime", value: { code: 7 }, chunk: "eval" });
    await closeAll(lua, other);
  });
});

suite("more generations", () => {
  test("a VM that was restored is captured while its calls wait, ten times", async (t) => {
    const clock = new ManualClock(t);
    let { lua, result } = await begun("local n = 0 for i = 1, 20 do async.sleep(1) n = n + i end return n");
    for (let i = 0; i < 10; i++) {
      const next = await restored(lua);
      await lua.close();
      ({ lua, result } = { lua: next.lua, result: next.task.result });
      result.catch(() => {});
      await clock.pass(1);
    }
    await clock.pass(20);
    assert.equal(await result, 210);
    await lua.close();
  });

  test("a fork takes calls along, and keeps the functions", async () => {
    let called = 0;
    const { lua, result } = await begun("async.sleep(3) return called()", { called: () => (called += 1) });
    const fork = await lua.fork();
    assert.deepEqual((await Promise.all([result, fork.restored?.tasks[0]?.result])).sort(), [1, 2]);
    await closeAll(lua, fork);
  });

  test("the number of a task is not given out again while it waits", async () => {
    const { lua } = await begun("async.sleep(20) return 'first'");
    const { lua: other, task } = await restored(lua);
    const more = Array.from({ length: 20 }, (_, i) => other.evalAsync(`async.sleep(${i}) return ${i}`));
    assert.deepEqual(
      await Promise.all(more),
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.equal(await task.result, "first");
    await closeAll(lua, other);
  });

  test("coroutines of the program between a call and its wait", async () => {
    const { lua } = await begun(`
      local co = coroutine.wrap(function() for i = 1, 3 do async.sleep(1) coroutine.yield(i) end return "end" end)
      local out = ""
      for i = 1, 4 do out = out .. tostring(co()) end
      return out`);
    const { lua: other, task } = await restored(lua);
    assert.equal(await task.result, "123end");
    await closeAll(lua, other);
  });
});
