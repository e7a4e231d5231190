/** Limits of time and fuel, interrupts, replays and environments: with the real module. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite, test } from "node:test";
import { Lua, LuaInterruptError, LuaRuntimeError, LuaTimeoutError, type LuaOptions } from "../src/index.ts";
import { ManualClock, settled } from "./time.ts";

interface Escape {
  name: string;
  lua: string;
  fuel?: number;
}

const escapes: Escape[] = JSON.parse(readFileSync(resolve("../tests/vectors/escapes.json"), "utf8"));

/** Some of the escapes fill 2 MiB before they meet their limit. */
const memoryLimit = 16 << 20;
const SPIN = "while true do end";
const HIDE = "while true do pcall(function() while true do end end) end";

function ends(run: () => unknown, reason: "timeout" | "fuel"): LuaTimeoutError {
  let thrown: unknown;
  assert.throws(run, (error) => ((thrown = error), true));
  assert.ok(thrown instanceof LuaTimeoutError, String(thrown));
  assert.equal(thrown.reason, reason);
  return thrown;
}

function endsAsync(promise: Promise<unknown>, reason: "timeout" | "fuel"): Promise<void> {
  return assert.rejects(promise, (error) => error instanceof LuaTimeoutError && error.reason === reason);
}

async function withLua(options: LuaOptions, use: (lua: Lua) => unknown): Promise<void> {
  const lua = await Lua.create(options);
  await use(lua);
  await lua.close();
}

suite("what would not end", () => {
  test("ends by time, after as many looks at the clock on every machine", async (t) => {
    const clock = new ManualClock(t);
    for (const { name, lua: code, fuel } of escapes) {
      await withLua({ memoryLimit }, (lua) => {
        clock.readingMs = 1;
        const start = clock.now;
        const result = lua.tryEval(code, { timeout: 50 });
        clock.readingMs = 0;
        if (result.ok) assert.ok(fuel !== undefined, name);
        else {
          assert.ok(
            result.error instanceof LuaTimeoutError && result.error.reason === "timeout",
            `${name}: ${result.error}`,
          );
          // The first look is the beginning.
          assert.equal(clock.now - start, 51, name);
        }
        assert.equal(lua.eval("return went_on"), undefined, `${name} went on`);
        assert.equal(lua.eval("return 1"), 1, name);
      });
    }
  });

  test("ends by fuel, at the same tick each time", async () => {
    for (const { name, lua: code } of escapes) {
      const used: number[] = [];
      for (let i = 0; i < 2; i++) {
        await withLua({ memoryLimit, timeout: Infinity, seed: 1, now: () => 0 }, (lua) => {
          const result = lua.tryEval(code, { fuel: 200_000 });
          if (!result.ok) assert.equal((result.error as LuaTimeoutError).reason, "fuel", `${name}: ${result.error}`);
          used.push(lua.stats().fuelUsed);
          assert.equal(lua.eval("return went_on"), undefined, `${name} went on`);
        });
      }
      assert.equal(used[0], used[1], name);
    }
  });

  test("uses the same fuel as natively", async () => {
    const counted = escapes.filter(({ fuel }) => fuel !== undefined);
    assert.ok(counted.length >= 5);
    for (const { name, lua: code, fuel } of counted) {
      await withLua({}, (lua) => {
        assert.equal(lua.run(code).fuel, fuel, name);
        assert.equal(lua.stats().fuelUsed, fuel, name);
        ends(() => lua.eval(code, { fuel: Math.floor(fuel! / 2) }), "fuel");
        lua.eval(code, { fuel: fuel! });
      });
    }
  });
});

suite("limits", () => {
  test("say why and where", async () => {
    await withLua({}, (lua) => {
      const code = "local function spin()\n  while true do end\nend\nspin()";
      const late = ends(() => lua.eval(code, { timeout: 20, name: "app.lua" }), "timeout");
      assert.equal(late.message, "app.lua:2: timed out after 20 ms");
      assert.deepEqual([late.kind, late.chunk, late.line], ["timeout", "app.lua", 2]);
      assert.match(late.traceback ?? "", /'spin'/);
      assert.equal(ends(() => lua.eval(SPIN, { fuel: 1000 }), "fuel").message, "eval:1: out of fuel after 1000 ticks");
    });
  });

  test("of the VM are for calls that say nothing, and of one call for that call only", async () => {
    await withLua({ timeout: 20, fuel: 1_000_000_000 }, async (lua) => {
      lua.globals.set("spin", () => {});
      lua.eval("function spin() while true do end end");
      ends(() => lua.eval(SPIN), "timeout");
      ends(() => lua.call("spin"), "timeout");
      ends(() => lua.eval<() => void>("return spin")(), "timeout");
      await endsAsync(lua.evalAsync(HIDE), "timeout");
      ends(() => lua.eval(SPIN, { fuel: 1000 }), "fuel");
      ends(() => lua.eval(SPIN, { timeout: Infinity, fuel: 100_000 }), "fuel");
      ends(() => lua.evalAll(HIDE, { timeout: 5 }), "timeout");
      ends(() => lua.run(HIDE, { timeout: 5 }), "timeout");
      const result = lua.tryEval(HIDE, { timeout: 5 });
      assert.ok(!result.ok && result.error instanceof LuaTimeoutError);
      ends(() => lua.eval(SPIN), "timeout");
    });
    await withLua({ fuel: 1000 }, (lua) => {
      ends(() => lua.eval(SPIN), "fuel");
      lua.eval("for i = 1, 100000 do end", { fuel: Infinity });
      ends(() => lua.eval(SPIN, { timeout: 60_000 }), "fuel");
    });
  });

  test("of a call inside a host function are never more, and may be less", async () => {
    await withLua({}, (lua) => {
      lua.register("try", (code: string, options: object) => lua.tryEval(code, options).ok);
      assert.deepEqual(lua.evalAll("return try('while true do end', { fuel = 1000 }), try('return 1', {}), 'on'"), [
        false,
        true,
        "on",
      ]);
      ends(
        () => lua.eval("try('while true do end', { fuel = 1e9 // 1 | 0 }) went_on = true", { fuel: 10_000 }),
        "fuel",
      );
      ends(() => lua.eval("try('while true do end', {}) went_on = true", { timeout: 20 }), "timeout");
      assert.equal(lua.eval("return went_on"), undefined);
    });
  });

  test("count what host functions take", async (t) => {
    const clock = new ManualClock(t);
    await withLua({}, (lua) => {
      let calls = 0;
      lua.register("slow", () => {
        calls += 1;
        clock.work(15);
      });
      ends(() => lua.eval("while true do pcall(slow) end", { timeout: 50 }), "timeout");
      // The time begins at the first look at the clock, which may be after the first call.
      assert.ok(calls === 4 || calls === 5, String(calls));
    });
  });

  test("are not left to the next call when the input cannot be put", async () => {
    await withLua({}, (lua) => {
      assert.throws(() => lua.eval("x".repeat(3 << 20), { fuel: 1 }));
      assert.throws(() => lua.eval("\ud800", { fuel: 1 }), TypeError);
      lua.eval("for i = 1, 1000 do end");
    });
  });

  test("fuel is counted inside of a call, too", async () => {
    await withLua({}, (lua) => {
      const inside: number[] = [];
      lua.register("look", () => inside.push(lua.stats().fuelUsed, lua.run("for i = 1, 500 do end").fuel));
      const alone = lua.run("for i = 1, 500 do end").fuel;
      const { fuel } = lua.run("for i = 1, 1000 do end look() for i = 1, 1000 do end");
      assert.ok(inside[0]! > 900 && inside[0]! < 1100, String(inside));
      assert.equal(inside[1], alone);
      assert.ok(fuel > 2500 && fuel < 2700, String(fuel));
    });
  });
});

suite("limits of calls that wait", () => {
  test("are for the whole call", async (t) => {
    await withLua({}, async (lua) => {
      await endsAsync(lua.evalAsync("async.sleep(5) while true do end", { timeout: 40 }), "timeout");
      await endsAsync(lua.evalAsync("while true do pcall(async.sleep, 5) end", { timeout: 40 }), "timeout");
      await endsAsync(lua.evalAsync("async.sleep(60000)", { timeout: 20 }), "timeout");
      const some = "for i = 1, 100 do async.sleep(0) for k = 1, 1000 do end end";
      await endsAsync(lua.evalAsync(some, { fuel: 50_000 }), "fuel");
      await lua.evalAsync(some, { fuel: 200_000 });
      await assert.rejects(lua.evalAsync(`async.sleep(1) ${SPIN}`, { fuel: 1000 }), /out of fuel after 1000 ticks/);
      const clock = new ManualClock(t);
      const spinning = lua.evalAsync(`async.sleep(1) ${SPIN}`, { timeout: 30 });
      const ended = assert.rejects(spinning, /timed out after 30 ms/);
      clock.readingMs = 1;
      await clock.pass(1);
      await ended;
      assert.equal(lua.eval("return 1"), 1);
    });
  });

  test("are those of what they run side by side", async () => {
    await withLua({}, async (lua) => {
      const both = `async.all(function() ${SPIN} end, function() async.sleep(1) end) went_on = true`;
      await endsAsync(lua.evalAsync(both, { timeout: 30 }), "timeout");
      await endsAsync(lua.evalAsync(both, { fuel: 10_000 }), "fuel");
      await endsAsync(lua.evalAsync(`pcall(function() ${both} end) ${SPIN}`, { fuel: 10_000 }), "fuel");
      assert.equal(lua.eval("return went_on"), undefined);
    });
  });

  test("what nothing can wait for does not run later", async () => {
    await withLua({}, async (lua) => {
      lua.tryEval("async.all(function() later = true end)");
      await settled(3);
      assert.equal(lua.eval("return later"), undefined);
    });
  });

  test("hold for what is closed when they end", async () => {
    await withLua({}, async (lua) => {
      const code = `local c <close> = setmetatable({}, { __close = function() ${HIDE} end }) async.sleep(60000)`;
      await endsAsync(lua.evalAsync(code, { timeout: 30 }), "timeout");
    });
  });

  test("the defaults are for all runs of a call, and not for its waits", async (t) => {
    const clock = new ManualClock(t);
    await withLua({ timeout: 40, fuel: 60_000 }, async (lua) => {
      lua.register("work", () => clock.work(9));
      const code = (runs: number, work: string) => `for i = 1, ${runs} do async.sleep(8) ${work} end return true`;
      const waits = lua.evalAsync(code(10, "for k = 1, 5000 do end"));
      await clock.pass(80);
      assert.equal(await waits, true);
      const burns = endsAsync(lua.evalAsync(code(20, "for k = 1, 5000 do end")), "fuel");
      await clock.pass(160);
      await burns;
      const works = lua.evalAsync(code(4, "work()"));
      await clock.pass(100);
      assert.equal(await works, true);
      const longer = endsAsync(lua.evalAsync(code(5, "work()")), "timeout");
      await clock.pass(100);
      await longer;
    });
  });

  test("a wait that is none counts as running", async (t) => {
    const clock = new ManualClock(t);
    await withLua({ timeout: 40 }, async (lua) => {
      const code = (runs: number) => `for i = 1, ${runs} do async.sleep(3) end return true`;
      const few = lua.evalAsync(code(13));
      await clock.pass(100);
      assert.equal(await few, true);
      const many = endsAsync(lua.evalAsync(code(15)), "timeout");
      await clock.pass(100);
      await many;
    });
  });
});

suite("interrupt", () => {
  const interrupted = (error: unknown) => error instanceof LuaInterruptError && error.kind === "interrupt";

  test("from a host function ends the call", async () => {
    await withLua({}, (lua) => {
      lua.register("stop", () => lua.interrupt());
      assert.throws(() => lua.eval(`stop() ${HIDE}`), interrupted);
      assert.equal(lua.eval("return 1"), 1);
      lua.register("inner", () => lua.tryEval(`stop() ${HIDE}`).ok);
      assert.throws(() => lua.eval("inner() went_on = true while true do end"), interrupted);
      assert.equal(lua.eval("return went_on"), undefined);
    });
  });

  test("from an output callback ends the call", async () => {
    let lua!: Lua;
    const options = { stdout: (text: string) => text === "stop" && lua.interrupt() } as LuaOptions;
    lua = await Lua.create(options);
    assert.throws(() => lua.eval(`io.write('stop') io.flush() ${HIDE}`), interrupted);
    lua.eval("for i = 1, 1e6 do end");
    await lua.close();
  });

  test("ends what waits", async () => {
    await withLua({}, async (lua) => {
      const waits = [
        lua.evalAsync("async.sleep(60000)"),
        lua.evalAsync("async.all(function() async.sleep(60000) end)"),
      ];
      const ended = Promise.all(waits.map((wait) => assert.rejects(wait, interrupted)));
      lua.interrupt();
      await ended;
      assert.equal(await lua.evalAsync("async.sleep(1) return 1"), 1);
    });
  });

  test("does nothing when nothing runs", async () => {
    await withLua({}, (lua) => {
      lua.interrupt();
      lua.eval("for i = 1, 1e6 do end");
    });
  });

  test("from another thread, by a flag", async () => {
    // The second one: the script runs.
    const flag = new Int32Array(new SharedArrayBuffer(8));
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(
      "const flag = require('worker_threads').workerData; Atomics.wait(flag, 1, 0); Atomics.store(flag, 0, 1)",
      { eval: true, workerData: flag },
    );
    await withLua({ interrupted: () => Atomics.load(flag, 0) === 1 }, (lua) => {
      lua.register("started", () => {
        Atomics.store(flag, 1, 1);
        Atomics.notify(flag, 1);
      });
      assert.throws(() => lua.eval(`started() ${HIDE}`), interrupted);
      Atomics.store(flag, 0, 0);
      assert.equal(lua.eval("return 1"), 1);
    });
    await worker.terminate();
  });

  test("a callback that throws ends the call with what it threw", async () => {
    const error = new Error("broken");
    let broken = true;
    const options = {
      interrupted() {
        if (broken) throw error;
        return false;
      },
    };
    await withLua(options, async (lua) => {
      assert.throws(
        () => lua.eval(HIDE),
        (thrown) => thrown === error,
      );
      await assert.rejects(lua.evalAsync(HIDE), (thrown) => thrown === error);
      broken = false;
      lua.eval("for i = 1, 1e6 do end");
    });
  });
});

suite("a replay", () => {
  const PROGRAM = `
    local t = {}
    for i = 1, 20 do t[tostring(math.random(1 << 40))] = i end
    t[print] = true
    t[{}] = true
    for k, v in pairs(t) do print(k, v) end
    print(math.random(), os.time(), os.clock(), os.date("!%c"), {}, print, coroutine.create(print))
    ext.table("t").x = 1
    for k in pairs(_G) do io.write(k, " ") end
    for i = 1, 1000 do setmetatable({}, { __gc = function() n = (n or 0) + 1 end }) end
    print(n, collectgarbage("count"))`;

  async function play(seed: number | bigint): Promise<{ output: string; fuel: number }> {
    let ms = 1e12;
    const lua = await Lua.create({ seed, now: () => (ms += 7) });
    const { output, fuel } = lua.run(PROGRAM);
    await lua.close();
    return { output, fuel };
  }

  test("is the same run, to the last bit", async () => {
    const first = await play(5);
    assert.deepEqual(await play(5), first);
    assert.deepEqual(await play(5n), first);
    assert.deepEqual(await play(5n + 2n ** 64n), first);
    for (const other of [6, -5, 5n + 2n ** 32n]) assert.notEqual((await play(other)).output, first.output);
  });

  test("needs a clock that works", async () => {
    let now: () => number = () => 5000;
    await withLua({ now: () => now() }, (lua) => {
      assert.equal(lua.eval("return os.time()"), 5);
      now = () => NaN;
      assert.throws(
        () => lua.eval("return os.time()"),
        /option "now" must return a finite number of milliseconds, not NaN/,
      );
      now = () => 6000;
      assert.equal(lua.eval("return os.time()"), 6);
    });
  });

  test("timeouts have a clock of their own", async () => {
    await withLua({ now: () => 0 }, (lua) => ends(() => lua.eval(SPIN, { timeout: 20 }), "timeout"));
  });
});

suite("env", () => {
  test("is a fresh environment that reads the globals", async () => {
    await withLua({}, async (lua) => {
      lua.eval("shared = 1");
      assert.deepEqual(lua.evalAll("y = x + shared shared = 9 return y, shared", { env: { x: 2 } }), [3, 9]);
      assert.deepEqual(lua.evalAll("return x, y, shared"), [undefined, undefined, 1]);
      assert.equal(lua.eval("return x", { env: new Map([["x", 5]]) }), 5);
      assert.equal(lua.eval("return f(20)", { env: { f: (n: number) => n + 1 } }), 21);
      assert.equal(lua.run("return x", { env: { x: 7 } }).values[0], 7);
      assert.equal(await lua.evalAsync("async.sleep(1) return x", { env: { x: 8 } }), 8);
      ends(() => lua.eval(SPIN, { env: { x: 1 }, fuel: 100 }), "fuel");
      assert.throws(() => lua.eval("error('no')", { env: {}, name: "e.lua" }), /^LuaRuntimeError: e.lua:1: no/);
    });
  });

  test("reading what is given may call Lua, which uses no limit of this call", async () => {
    await withLua({}, (lua) => {
      const env = {
        get x() {
          return lua.eval("for i = 1, 10000 do end return 5");
        },
      };
      assert.equal(lua.eval("return x", { env, fuel: 5000 }), 5);
    });
  });
});

suite("sandbox", () => {
  test("libs are the only libraries", async () => {
    await withLua({ sandbox: { libs: ["string", "table"] } }, (lua) => {
      assert.deepEqual(
        lua.evalAll("return type(string), type(table), type(math), type(io), type(ext), type(load), ('x'):upper()"),
        ["table", "table", "nil", "nil", "nil", "function", "X"],
      );
    });
    await withLua({ sandbox: { libs: [] } }, (lua) => {
      assert.throws(() => lua.eval("return ('x'):upper()"), LuaRuntimeError);
    });
    await assert.rejects(Lua.create({ sandbox: { libs: ["sockets"] } }), /no library 'sockets'/);
    await withLua({ sandbox: "standard" }, (lua) => assert.equal(lua.eval("return type(math)"), "table"));
  });
});
