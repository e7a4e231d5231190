/** Calls that wait for promises: with the real module. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  Lua,
  LuaClosedError,
  LuaError,
  LuaFunction,
  LuaInterruptError,
  LuaMultiReturn,
  LuaRuntimeError,
  LuaTimeoutError,
} from "../src/index.ts";
import { ManualClock, settled } from "./time.ts";

const lua = await Lua.create();
lua.register("delay", (ms: number, value: unknown) => new Promise((resolve) => setTimeout(resolve, ms, value)));
lua.register("soon", async (value: unknown) => value);
lua.register("reject", async (message: string) => {
  throw new Error(message);
});

/** A promise, and what settles it. */
function deferred<T = unknown>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

suite("evalAsync", () => {
  test("is eval where nothing waits", async () => {
    assert.equal(await lua.evalAsync("return 6 * 7, 'more'"), 42);
    assert.equal(await lua.evalAsync(""), undefined);
    await assert.rejects(lua.evalAsync("error({ code = 1 })"), (error) => {
      assert.ok(error instanceof LuaRuntimeError);
      assert.deepEqual(error.value, { code: 1 });
      return true;
    });
    await assert.rejects(lua.evalAsync("x = = 1", { name: "app.lua" }), { kind: "syntax", line: 1, chunk: "app.lua" });
  });

  test("begins at once", async () => {
    const done = lua.evalAsync("begun = (begun or 0) + 1");
    assert.equal(lua.globals.get("begun"), 1);
    await done;
  });

  test("waits for a promise as if it were a call", async () => {
    assert.equal(await lua.evalAsync("local a = delay(5, 20) local b = soon(22) return a + b"), 42);
    assert.equal(await lua.evalAsync("local n = 0 for i = 1, 100 do n = n + soon(i) end return n"), 5050);
  });

  test("waits below pcall, coroutines, metamethods, iterators and __close", async () => {
    assert.equal(await lua.evalAsync("local ok, v = pcall(soon, 5) return ok and v"), 5);
    assert.equal(await lua.evalAsync("return select(2, pcall(pcall, soon, 5))"), true);
    assert.equal(
      await lua.evalAsync(
        "local co = coroutine.wrap(function() coroutine.yield(soon(1)) return soon(2) end) return co() + co()",
      ),
      3,
    );
    assert.equal(
      await lua.evalAsync("return setmetatable({}, { __index = function(_, k) return soon(k) end }).key"),
      "key",
    );
    assert.equal(
      await lua.evalAsync(
        "local n = 0 for v in function(_, i) i = soon((i or 0) + 1) if i <= 3 then return i end end do n = n + v end return n",
      ),
      6,
    );
    assert.equal(
      await lua.evalAsync(
        "do local c <close> = setmetatable({}, { __close = function() closed = soon('yes') end }) end return closed",
      ),
      "yes",
    );
  });

  test("several results, none, and values of every kind come out of a promise", async () => {
    lua.register("many", async () => LuaMultiReturn.of(1, "two", { three: 3 }));
    assert.deepEqual(await lua.evalAsync("return { many() }"), [1, "two", { three: 3 }]);
    assert.equal(await lua.evalAsync("return select('#', soon())"), 0);
    assert.equal(await lua.evalAsync("return #soon(('x'):rep(200000))"), 200_000);
  });

  test("a rejection is an error of Lua, with its place and its cause", async () => {
    const { promise, reject } = deferred();
    lua.register("fetch", () => promise);
    const running = lua.evalAsync("local x\nx = fetch()", { name: "app.lua" });
    const cause = new TypeError("no network");
    reject(cause);
    await assert.rejects(running, (error) => {
      assert.ok(error instanceof LuaRuntimeError);
      assert.equal(error.cause, cause);
      assert.equal(error.value, cause);
      assert.equal(error.line, 2);
      assert.equal(error.chunk, "app.lua");
      assert.match(error.message, /no network/);
      return true;
    });
    assert.deepEqual(await lua.evalAsync("local ok, e = pcall(reject, 'oops') return { ok, e.message, tostring(e) }"), [
      false,
      "oops",
      await lua.evalAsync("local ok, e = pcall(reject, 'oops') return tostring(e)"),
    ]);
  });

  test("a result that cannot be given is an error that names the function", async () => {
    lua.register("fetchIt", async () => new (class Foo {})());
    await assert.rejects(lua.evalAsync("fetchIt()"), /result of 'fetchIt': a Foo cannot be given to Lua/);
    assert.equal(await lua.evalAsync("return (pcall(fetchIt))"), false);
  });

  test("several run side by side", async () => {
    const order: string[] = [];
    const [first, second] = [deferred(), deferred()];
    lua.register("note", (text: string) => void order.push(text));
    lua.register("first", () => first.promise);
    lua.register("second", () => second.promise);
    const running = [
      lua.evalAsync("note('a1') second() note('a2')"),
      lua.evalAsync("note('b1') first() note('b2')"),
      lua.evalAsync("note('c1')"),
    ];
    first.resolve(1);
    await running[1];
    second.resolve(2);
    await Promise.all(running);
    assert.deepEqual(order, ["a1", "b1", "c1", "b2", "a2"]);
    const sums = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        lua.evalAsync(`local n = 0 for j = 1, 10 do n = n + soon(${i}) end return n`),
      ),
    );
    assert.deepEqual(
      sums,
      Array.from({ length: 50 }, (_, i) => 10 * i),
    );
  });

  test("each run is a batch of its own", async () => {
    const other = await Lua.create();
    other.register("wait", () => new Promise((resolve) => setTimeout(resolve, 1)));
    const changes: unknown[] = [];
    other.on("change", () => changes.push(1));
    await other.evalAsync("local t = ext.table('t') t.a = 1 wait() t.b = 2 wait() wait() t.c = 3");
    await settled();
    assert.equal(changes.length, 3);
    await other.close();
  });

  test("misuse rejects", async () => {
    await assert.rejects(lua.evalAsync(5 as never), TypeError);
    await assert.rejects(lua.evalAsync("return 1", { timeout: -1 }), TypeError);
    await assert.rejects(lua.evalAsync("return 1", { timeout: NaN }), TypeError);
    await assert.rejects(lua.evalAsync("return 1", { timeout: 2 ** 31 }), TypeError);
    await assert.rejects(lua.evalAsync("return 1", { signal: {} as never }), /must be an AbortSignal/);
    await assert.rejects(lua.evalAsync("return 1", { fuel: 0 }), TypeError);
    const signal = AbortSignal.abort();
    assert.throws(() => lua.eval("return 1", { signal } as never), /not available in this version/);
  });
});

suite("where nothing can wait", () => {
  test("a promise is an error that says so, and its rejection is not lost on anybody", async () => {
    assert.throws(
      () => lua.eval("soon(1)"),
      /'soon' returned a promise, and nothing here can wait: run it with evalAsync/,
    );
    assert.throws(() => lua.eval("reject('nobody hears')"), /nothing here can wait/);
    await assert.rejects(
      lua.evalAsync("table.sort({ 1, 2, 3 }, function(a, b) return soon(a < b) end)"),
      /cannot be suspended/,
    );
    await assert.rejects(lua.evalAsync("return (('x'):gsub('x', soon))"), /cannot be suspended/);
    await assert.rejects(lua.evalAsync("ext.transaction(function() soon(1) end)"), /cannot be suspended/);
    assert.equal(lua.eval("return (pcall(soon, 1))"), false);
    // An unhandled rejection would fail this test.
    await settled(3);
  });
});

suite("functions", () => {
  test("callAsync, callAll", async () => {
    const f = lua.eval<LuaFunction>("return function(a, b) return soon(a) + b, 'more' end");
    assert.equal(await f.callAsync(1, 2), 3);
    assert.throws(() => f(1, 2), /nothing here can wait/);
    const g = lua.eval<LuaFunction>("return function(...) return ... end");
    assert.deepEqual(g.callAll(1, undefined, "x"), [1, undefined, "x"]);
    assert.deepEqual(lua.callAll("math.modf", 1.5), [1, 0.5]);
    lua.eval("function waits(x) return soon(x) end");
    assert.equal(await lua.callAsync("waits", 9), 9);
    await assert.rejects(lua.callAsync("no.such"), LuaError);
    await assert.rejects(lua.callAsync(5 as never), TypeError);
    f.dispose();
    await assert.rejects(f.callAsync(), LuaClosedError);
    assert.throws(() => f.callAll(), LuaClosedError);
  });

  test("a callback of Lua's may wait when JavaScript calls it so", async () => {
    lua.register("twice", async (f: LuaFunction) => [await f.callAsync(1), await f.callAsync(2)]);
    assert.deepEqual(await lua.evalAsync("return twice(function(n) return soon(n * 10) end)"), [10, 20]);
  });

  test("a task may begin others from inside", async () => {
    lua.register("spawn", (code: string) => lua.evalAsync(code));
    assert.equal(await lua.evalAsync("return spawn('return spawn([[return soon(7)]])')"), 7);
  });
});

suite("an AbortSignal", () => {
  test("that is aborted already runs nothing", async () => {
    const reason = new Error("too late");
    await assert.rejects(lua.evalAsync("aborted = true", { signal: AbortSignal.abort(reason) }), (error) => {
      assert.ok(error instanceof LuaInterruptError);
      assert.equal(error.cause, reason);
      return true;
    });
    assert.equal(lua.globals.has("aborted"), false);
  });

  test("ends the call where it waits, at once", async () => {
    const { promise, resolve } = deferred();
    lua.register("never", () => promise);
    const controller = new AbortController();
    const running = lua.evalAsync(
      "local c <close> = setmetatable({}, { __close = function() cleaned = true end })\nnever()\nafter = true",
      { signal: controller.signal, name: "app.lua" },
    );
    controller.abort();
    await assert.rejects(running, (error) => {
      assert.ok(error instanceof LuaInterruptError);
      assert.equal(error.kind, "interrupt");
      assert.equal(error.cause, controller.signal.reason);
      assert.match(error.traceback ?? "", /app\.lua:2/);
      return true;
    });
    assert.equal(lua.globals.get("cleaned"), true);
    resolve(1);
    await settled(3);
    assert.equal(lua.globals.has("after"), false);
  });

  test("after the end does nothing", async () => {
    const controller = new AbortController();
    assert.equal(await lua.evalAsync("return soon(1)", { signal: controller.signal }), 1);
    controller.abort();
    assert.equal(lua.eval("return 1"), 1);
  });

  test("may be aborted by what the call itself calls", async () => {
    const controller = new AbortController();
    lua.register("abort", () => controller.abort());
    await assert.rejects(
      lua.evalAsync("abort() soon(1) afterAbort = true", { signal: controller.signal }),
      LuaInterruptError,
    );
    await settled(3);
    assert.equal(lua.globals.has("afterAbort"), false);
  });
});

suite("a timeout", () => {
  test("ends a call that waits too long", async () => {
    lua.register("never", () => new Promise(() => {}));
    await assert.rejects(lua.evalAsync("never()", { timeout: 10 }), (error) => {
      assert.ok(error instanceof LuaTimeoutError);
      assert.equal(error.kind, "timeout");
      assert.equal(error.reason, "timeout");
      assert.match(error.message, /longer than 10 ms/);
      assert.ok(error.traceback);
      return true;
    });
  });

  test("that is not reached does nothing", async () => {
    assert.equal(await lua.evalAsync("return delay(1, 5)", { timeout: 2 ** 31 - 1 }), 5);
    assert.equal(await lua.evalAsync("return delay(1, 5)", { timeout: Infinity }), 5);
  });

  test("covers the whole call, not each wait", async (t) => {
    const clock = new ManualClock(t);
    let waits = 0;
    lua.register("waits", () => void (waits += 1));
    const ended = assert.rejects(
      lua.evalAsync("for i = 1, 100 do waits() delay(5) end", { timeout: 33 }),
      LuaTimeoutError,
    );
    await clock.pass(32);
    assert.equal(waits, 7);
    await clock.pass(1);
    await ended;
    assert.equal(waits, 7);
    assert.equal(clock.timers, 1, "that of `delay`, which is not ours");
  });
});

suite("async", () => {
  test("all", async () => {
    assert.deepEqual(
      await lua.evalAsync("return { async.all(function() return delay(10, 1) end, function() return soon(2) end) }"),
      [1, 2],
    );
    assert.deepEqual(await lua.evalAsync("return async.all({ function() return soon(1) end }).n"), 1);
    assert.equal(await lua.evalAsync("return select('#', async.all())"), 0);
  });

  test("all ends with the first error, and the others with it", async () => {
    const { promise, resolve } = deferred();
    lua.register("other", () => promise);
    await assert.rejects(
      lua.evalAsync("async.all(function() other() went_on = true end, function() error({ code = 3 }) end)"),
      (error) => error instanceof LuaError && (error.value as { code: number }).code === 3,
    );
    resolve(1);
    await settled(3);
    assert.equal(lua.globals.has("went_on"), false);
    await assert.rejects(lua.evalAsync("async.all(function() reject('inside') end)"), /inside/);
  });

  test("race", async () => {
    lua.register("never", () => new Promise(() => {}));
    assert.equal(
      await lua.evalAsync("return async.race(function() return never() end, function() return delay(2, 'fast') end)"),
      "fast",
    );
  });

  test("sleep", async (t) => {
    const clock = new ManualClock(t);
    let awake = false;
    const sleeping = lua.evalAsync("async.sleep(20)").then(() => (awake = true));
    await clock.pass(19);
    assert.equal(awake, false);
    await clock.pass(1);
    assert.equal(awake, true);
    await sleeping;
    assert.throws(() => lua.eval("async.sleep(1)"), /'async.sleep' returned a promise/);
    await assert.rejects(lua.evalAsync("async.sleep(-1)"), /async\.sleep takes/);
    await assert.rejects(lua.evalAsync("async.sleep(math.huge)"), /async\.sleep takes/);
  });

  test("a cancelled call ends what it started, and its timers", async (t) => {
    const clear = t.mock.method(globalThis, "clearTimeout");
    const controller = new AbortController();
    const running = lua.evalAsync("async.all(function() async.sleep(60000) end, function() async.sleep(60000) end)", {
      signal: controller.signal,
    });
    await settled();
    const before = clear.mock.callCount();
    controller.abort();
    await assert.rejects(running, LuaInterruptError);
    assert.ok(clear.mock.callCount() >= before + 2);
  });

  test("nests", async () => {
    assert.equal(
      await lua.evalAsync(`
        local function tree(n)
          if n == 0 then return soon(1) end
          local a, b = async.all(function() return tree(n - 1) end, function() return tree(n - 1) end)
          return a + b
        end
        return tree(5)`),
      32,
    );
  });

  test("leaves no handles", async () => {
    const before = lua.stats().handles;
    await lua.evalAsync("async.all(function() soon(1) end, function() soon(2) end)");
    await lua.evalAsync("async.race(function() soon(1) end, function() async.sleep(1000) end)");
    assert.equal(lua.stats().handles, before);
  });
});

suite("the end", () => {
  test("close cancels what waits", async () => {
    const other = await Lua.create();
    const { promise, resolve } = deferred();
    other.register("never", () => promise);
    const running = [
      other.evalAsync("never()"),
      other.evalAsync("async.all(function() never() end)"),
      other.evalAsync("async.sleep(60000)"),
    ];
    await settled();
    const closing = other.close();
    for (const one of running) await assert.rejects(one, LuaClosedError);
    await closing;
    resolve(1);
    await settled();
    await assert.rejects(other.evalAsync("return 1"), LuaClosedError);
  });

  test("a task that is left alone does not keep Lua from being collected by those who hold it", async () => {
    const other = await Lua.create();
    other.register("never", () => new Promise(() => {}));
    void other.evalAsync("never()").catch(() => {});
    assert.equal(other.eval("return 1"), 1);
    await other.close();
  });

  test("ten thousand tasks leave nothing behind", async () => {
    await lua.evalAsync("soon(1)");
    lua.gc();
    const before = lua.stats();
    for (let i = 0; i < 10_000; i++) await lua.evalAsync("return soon(1)");
    lua.gc();
    lua.gc();
    const after = lua.stats();
    // Those of other tests may have been collected meanwhile.
    assert.ok(after.handles <= before.handles);
    assert.ok(after.memory.luaUsed < before.memory.luaUsed + 5000);
  });
});
