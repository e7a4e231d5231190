/**
 * Closing methods (`__close`) that wait, in calls that are ended: each way to end one with each kind of
 * method. What programs see where nothing is cancelled is compared with `eval` in tests/waits.rs.
 */
import assert from "node:assert/strict";
import { suite, test, type TestContext } from "node:test";
import { Lua, LuaClosedError, LuaInterruptError, LuaTimeoutError, type LuaError } from "../src/index.ts";
import { ManualClock, inTime, settled } from "./time.ts";

/** A VM, what its program has said, and a call that waits with variables open. */
interface Case {
  readonly lua: Lua;
  readonly log: string[];
  readonly controller: AbortController;
  readonly clock: ManualClock;
  readonly call: Promise<unknown>;
}

/** A way to end a call that waits. */
interface End {
  /** Program that runs `work`, which waits for ever. */
  readonly code: string;
  readonly options?: { timeout?: number };
  end?(one: Case): unknown;
  /** Checks how the call has ended. */
  check(ended: PromiseSettledResult<unknown>): void;
  /** True if closing methods cannot wait. */
  readonly now?: true;
}

const isError =
  (type: new (...args: never[]) => LuaError, message: string | RegExp) =>
  (ended: PromiseSettledResult<unknown>): void => {
    assert.equal(ended.status, "rejected");
    assert.ok(ended.reason instanceof type, String(ended.reason));
    if (typeof message === "string") assert.equal(ended.reason.message, message);
    else assert.match(ended.reason.message, message);
  };
const isValue = (value: unknown) => (ended: PromiseSettledResult<unknown>) =>
  assert.deepEqual(ended, { status: "fulfilled", value });

const ENDS: Readonly<Record<string, End>> = {
  "a signal": {
    code: "work()",
    end: ({ controller }) => controller.abort("enough"),
    check: (ended) => {
      isError(LuaInterruptError, "the call was aborted")(ended);
      assert.match(String(((ended as PromiseRejectedResult).reason as LuaError).traceback), /work/);
    },
  },
  "a timeout": {
    code: "work()",
    options: { timeout: 50 },
    end: ({ clock }) => clock.pass(60),
    check: isError(LuaTimeoutError, "the call took longer than 50 ms"),
  },
  "a race that is lost": { code: "return async.race(function() tick() return 'won' end, work)", check: isValue("won") },
  "a race that is lost to an error": {
    code: "return select(2, pcall(async.race, function() tick() error('lost', 0) end, work))",
    check: isValue("lost"),
  },
  "another function that fails": {
    code: "return select(2, pcall(async.all, work, function() tick() error('failed', 0) end))",
    check: isValue("failed"),
  },
  "a race that is lost, in a function that is run side by side": {
    code: "return async.all(function() return async.race(function() tick() return 'won' end, work) end)",
    check: isValue("won"),
  },
  "a signal to the one that runs it": {
    code: "local o <close> = closer('outer') async.all(work, function() never() end)",
    end: ({ controller }) => controller.abort("enough"),
    check: isError(LuaInterruptError, "the call was aborted"),
  },
  "lua.interrupt()": {
    code: "work()",
    end: ({ lua }) => lua.interrupt(),
    check: isError(LuaInterruptError, "interrupted"),
    now: true,
  },
  "lua.close()": { code: "work()", end: ({ lua }) => lua.close(), check: isError(LuaClosedError, /./), now: true },
};

/**
 * Kinds of closing methods: the body, and what is said of the variable `n` where it can wait, and where not.
 */
const METHODS: Readonly<Record<string, { body: string; said: (n: string) => string[]; now: (n: string) => string[] }>> =
  {
    "that only says something": { body: "say(n)", said: (n) => [n], now: (n) => [n] },
    "that fails": { body: "say(n) error(n)", said: (n) => [n], now: (n) => [n] },
    "that waits": { body: "say(n) tick() say(n .. '!')", said: (n) => [n, `${n}!`], now: (n) => [n] },
    "that waits for a time": {
      body: "say(n) async.sleep(0) say(n .. '!')",
      said: (n) => [n, `${n}!`],
      now: (n) => [n],
    },
    "that waits, and fails": { body: "tick() say(n) tick() error(n)", said: (n) => [n], now: () => [] },
    "that catches what it waits for": {
      body: "local ok, e = pcall(tick) say(n .. tostring(ok)) if not ok then say(tostring(e):match('nothing here can wait')) end",
      said: (n) => [`${n}true`],
      now: (n) => [`${n}false`, "nothing here can wait"],
    },
    "that runs others side by side": {
      body: "async.all(function() tick() say(n) end, function() tick() tick() end) say(n .. '!')",
      said: (n) => [n, `${n}!`],
      now: () => [],
    },
    "that waits in a coroutine": {
      body: "coroutine.wrap(function() tick() say(n) end)() say(n .. '!')",
      said: (n) => [n, `${n}!`],
      now: () => [],
    },
    "that closes a coroutine": {
      body: `local co = coroutine.create(function()
        local i <close> = setmetatable({}, { __close = function() say(n) tick() say(n .. '!') end }) coroutine.yield()
      end)
      coroutine.resume(co) say(n .. tostring(coroutine.close(co)))`,
      said: (n) => [n, `${n}!`, `${n}true`],
      now: (n) => [n, `${n}false`],
    },
  };

const program = (body: string, code: string) => `
  local function closer(n)
    return setmetatable({}, { __close = function() ${body} end })
  end
  local function work()
    local a <close> = closer('a')
    local b <close> = closer('b')
    coroutine.wrap(function() local c <close> = closer('c') never() end)()
  end
  ${code}`;

async function begin(t: TestContext, body: string, { code, options }: Pick<End, "code" | "options">): Promise<Case> {
  const clock = new ManualClock(t);
  const log: string[] = [];
  const functions = { say: (text: string) => void log.push(text), async tick() {}, never: () => new Promise(() => {}) };
  const lua = await Lua.create({ functions });
  const controller = new AbortController();
  const call = lua.evalAsync(program(body, code), { ...options, signal: controller.signal });
  call.catch(() => {});
  await settled(3);
  return { lua, log, controller, clock, call };
}

/** Turns the clock a little, until the promise settles. */
async function ended(one: Case, promise: Promise<unknown> = one.call): Promise<PromiseSettledResult<unknown>> {
  let over = false;
  const [result] = await inTime(
    Promise.all([
      Promise.allSettled([promise]).finally(() => (over = true)),
      (async () => {
        while (!over) {
          await one.clock.pass(1);
          await settled();
        }
      })(),
    ]),
    () => `the end; so far: ${one.log.join(" ")}`,
  );
  return result[0] as PromiseSettledResult<unknown>;
}

suite("closing methods of calls that are ended", () => {
  for (const [way, end] of Object.entries(ENDS)) {
    for (const [kind, method] of Object.entries(METHODS)) {
      test(`by ${way}: one ${kind}`, async (t) => {
        const one = await begin(t, method.body, end);
        void end.end?.(one);
        end.check(await ended(one));
        // All of it is over by then, and the innermost came first.
        const variables = ["c", "b", "a", ...(end.code.includes("outer") ? ["outer"] : [])];
        assert.deepEqual(one.log, variables.flatMap(end.now ? method.now : method.said));
        if (way !== "lua.close()") assert.equal(one.lua.eval("return 1"), 1);
        await one.lua.close();
      });
    }
  }

  const ENDLESS = {
    "waits for ever": "say(n) never()",
    "waits again and again": "say(n) while true do async.sleep(1) end",
    "waits for others": "say(n) async.all(function() never() end)",
    "waits in a coroutine": "say(n) coroutine.wrap(never)()",
    "catches everything": "say(n) while true do pcall(async.sleep, 1) end",
  };
  for (const [kind, body] of Object.entries(ENDLESS)) {
    for (const way of ["a timeout", "a signal", "a signal to the one that runs it"]) {
      test(`by ${way}: one that ${kind} ends with the allowance`, async (t) => {
        const end = ENDS[way] as End;
        const one = await begin(t, body, { code: end.code, options: { timeout: 50 } });
        void end.end?.(one);
        const before = one.clock.now;
        const result = await ended(one);
        end.check(result);
        assert.equal(one.log[0], "c");
        const most = way === "a timeout" ? 110 : 60;
        assert.ok(one.clock.now - before <= most, `${one.clock.now - before} ms`);
        const { cause } = (result as PromiseRejectedResult).reason as LuaError;
        if (way === "a timeout") assert.ok(cause instanceof LuaTimeoutError, String(cause));
        else assert.equal(cause, "enough");
        assert.equal(one.lua.eval("return 1"), 1);
        await one.lua.close();
      });
    }
  }

  test("end at once when the VM is closed or interrupted while they wait", async (t) => {
    for (const how of ["close", "interrupt"] as const) {
      const one = await begin(t, "say(n) pcall(never) say(n .. '!')", ENDS["a signal"] as End);
      one.controller.abort("enough");
      await settled(2);
      assert.deepEqual(one.log, ["c"]);
      await one.lua[how]();
      isError(LuaInterruptError, "the call was aborted")(await ended(one));
      // The one that waited is cut off; the others find that they cannot.
      assert.deepEqual(one.log, ["c", "b", "b!", "a", "a!"]);
      await one.lua.close();
      t.mock.restoreAll();
    }
  });

  test("nest until Lua says that they are too deep", async () => {
    const lua = await Lua.create({ functions: { async tick() {} }, memoryLimit: 16 << 20 });
    const code = `local function close(n)
        local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = function() tick() if n > 0 then close(n - 1) end end })
          coroutine.yield()
        end)
        coroutine.resume(co)
        local ok, message = coroutine.close(co)
        if not ok then error(message, 0) end
      end
      local function fail(n)
        local ok, message = pcall(coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() tick() if n > 0 then fail(n - 1) end end })
          error('first', 0)
        end))
        if message ~= 'first' then error(message, 0) end
      end
      local results = {}
      for i, f in ipairs({ close, fail }) do
        for j, n in ipairs({ 20, 10000 }) do results[#results + 1] = (pcall(f, n)) end
      end
      return results`;
    assert.deepEqual(await lua.evalAsync(code), [true, false, true, false]);
    assert.equal(lua.eval("return 1"), 1);
    await lua.close();
  });

  test("of a function that has lost belong to the call that goes on, and end with it", async (t) => {
    const code = "return async.race(function() tick() return 'won' end, work)";
    const one = await begin(t, "say(n) never()", { code, options: { timeout: 50 } });
    await settled(3);
    assert.deepEqual(one.log, ["c"]);
    await one.clock.pass(55);
    assert.deepEqual(one.log, ["c"], "as much time again");
    isError(LuaTimeoutError, "the call took longer than 50 ms")(await ended(one));
    await one.lua.close();
  });
});

suite("closing methods that wait, in an image", () => {
  const functions = (log: string[]) => ({ say: (text: string) => void log.push(text), tick: async () => {} });
  const method = "say(n) async.sleep(10) say(n .. '!') async.sleep(10) say(n .. '!!')";
  const code = (end: string) => program(method.replaceAll("never()", ""), end).replace("never()", "async.sleep(1000)");

  async function restored(t: TestContext, end: string, options: object, after: (one: Case) => unknown) {
    const clock = new ManualClock(t);
    const log: string[] = [];
    const lua = await Lua.create({ functions: functions(log) });
    const controller = new AbortController();
    const call = lua.evalAsync(code(end), { ...options, signal: controller.signal });
    call.catch(() => {});
    await settled(3);
    const one = { lua, log, controller, clock, call };
    await after(one);
    await settled(3);
    return one;
  }

  const CASES: Record<string, [end: string, options: object, after: (one: Case) => unknown, check: End["check"]]> = {
    "a call that has failed": [
      "local o <close> = closer('o') error('first')",
      {},
      () => {},
      isError(Object as never, "eval:10: first"),
    ],
    "one that was aborted": [
      "work()",
      {},
      ({ controller }) => controller.abort(),
      isError(LuaInterruptError, "the call was aborted"),
    ],
    "one whose time is over": [
      "work()",
      { timeout: 100 },
      ({ clock }) => clock.pass(101),
      isError(LuaTimeoutError, "the call took longer than 100 ms"),
    ],
    "a race that is won": ["return async.race(function() tick() return 'won' end, work)", {}, () => {}, isValue("won")],
    "one whose functions were aborted": [
      "local o <close> = closer('o') async.all(work, function() async.sleep(1000) end)",
      {},
      ({ controller }) => controller.abort(),
      isError(LuaInterruptError, "the call was aborted"),
    ],
  };
  for (const [name, [end, options, after, check]] of Object.entries(CASES)) {
    // In the middle of each state of its end.
    for (const passed of [0, 15, 25, 35]) {
      test(`go on: ${name}, ${passed} ms after its end has begun`, async (t) => {
        const one = await restored(t, end, options, after);
        await one.clock.pass(passed);
        const log = [...one.log];
        assert.ok(log.length > Math.min(passed / 10, 2), log.join(" "));
        const lua = await Lua.restore(one.lua.snapshot(), { functions: functions(log) });
        const { tasks } = lua.restored ?? assert.fail();
        const variables = [...(end.includes("work") ? ["c", "b", "a"] : []), ...(end.includes("'o'") ? ["o"] : [])];
        const expected = variables.flatMap((n) => [n, `${n}!`, `${n}!!`]);
        assert.equal(tasks.length, log.length < expected.length ? 1 : 0);
        if (tasks[0] !== undefined) {
          check(await ended({ ...one, lua, log }, tasks[0].result));
          assert.deepEqual(log, expected);
        }
        check(await ended(one));
        assert.deepEqual(one.log, expected);
        await lua.close();
        await one.lua.close();
      });
    }
  }

  test("have no more of the allowance than is left", async (t) => {
    const end = program("say(n) while true do async.sleep(5) end", "work()").replace("never()", "async.sleep(1000)");
    const clock = new ManualClock(t);
    const log: string[] = [];
    const lua = await Lua.create({ functions: functions(log) });
    const call = lua.evalAsync(end, { timeout: 100 });
    call.catch(() => {});
    await settled(3);
    await clock.pass(101);
    await clock.pass(70);
    const other = await Lua.restore(lua.snapshot(), { functions: functions(log) });
    const task = other.restored?.tasks[0] ?? assert.fail();
    const before = clock.now;
    isError(
      LuaTimeoutError,
      "the call took longer than 100 ms",
    )(await ended({ lua, log, clock, call, controller: new AbortController() }, task.result));
    assert.ok(clock.now - before <= 40, `${clock.now - before} ms`);
    await lua.close();
    await other.close();
  });
});
