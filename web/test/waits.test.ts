/**
 * Tests that every limit ends a call, however it waits, and that the event loop goes on meanwhile. The cases
 * run in a process of their own, which this one watches: one that is lost says nothing any more.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { suite, test } from "node:test";
import * as perilune from "../src/index.ts";
import { LuaFactory } from "../src/wasmoon.ts";
import { part, startChild } from "./child.ts";
import { ManualClock, inTime, settled } from "./time.ts";
import { outcomes, problems, type Outcome } from "./waits.ts";

const { Lua, LuaTimeoutError } = perilune;

if (part === "cases") {
  for await (const outcome of outcomes(perilune)) console.log(JSON.stringify(outcome));
  console.log("end");
} else {
  suite("a call that waits", () => {
    test("is ended by every limit, in whatever way it waits", async () => {
      const child = startChild(fileURLToPath(import.meta.url), "cases");
      try {
        await inTime(
          child.says((line) => line === "end"),
          () => `the case after ${child.lines.at(-1)}`,
        );
      } finally {
        await child.kill();
      }
      const told: Outcome[] = child.lines.filter((line) => line !== "end").map((line) => JSON.parse(line));
      assert.ok(told.length > 150, `${told.length} cases`);
      assert.deepEqual(problems(told), []);
    });

    test("has one budget for all its runs: fuel is the sum, to the tick", async () => {
      const lua = await Lua.create({ functions: { async tick() {} } });
      const code = (waits: string) => `for i = 1, 300 do ${waits} end`;
      const least = async (waits: string) => {
        let [low, high] = [0, 10_000];
        while (high - low > 1) {
          const fuel = (low + high) >> 1;
          await lua.evalAsync(code(waits), { fuel }).then(
            () => (high = fuel),
            () => (low = fuel),
          );
        }
        return high;
      };
      const waiting = await least("tick()");
      assert.ok(waiting > 300);
      // Its runs together need what they need one by one, and are not given more.
      await assert.rejects(lua.evalAsync(code("tick()"), { fuel: waiting - 1 }), LuaTimeoutError);
      await lua.close();
    });

    test("that others run side by side with uses its budget together with them", async () => {
      const lua = await Lua.create({ functions: { async tick() {} } });
      const code = (count: number) =>
        `local fs = {} for i = 1, ${count} do fs[i] = function() for i = 1, 100 do tick() end end end async.all(fs)`;
      await lua.evalAsync(code(1), { fuel: 2000 });
      await assert.rejects(lua.evalAsync(code(50), { fuel: 2000 }), LuaTimeoutError);
      await lua.close();
    });

    test("names the whole limit in its message, and leaves names of chunks alone", async () => {
      const lua = await Lua.create({ functions: { async tick() {} } });
      const run = (fuel: number) => lua.evalAsync("while true do tick() end", { fuel, name: "after 3 x.lua" });
      await assert.rejects(run(1000), { message: "after 3 x.lua:1: out of fuel after 1000 ticks" });
      await lua.close();
    });
  });

  suite("listeners that write", () => {
    test("are called as long as they do, and let timers come", async () => {
      const lua = await Lua.create();
      const table = lua.table<string, number>("t");
      let timers = 0;
      lua.on("change", () => timers < 3 && table.set("n", (table.get("n") ?? 0) + 1));
      const timer = setInterval(() => (timers += 1), 1);
      table.set("n", 0);
      while (timers < 3) await settled();
      clearInterval(timer);
      assert.ok((table.get("n") ?? 0) > 0);
      await lua.close();
    });
  });

  suite("what a script has made", () => {
    const tables = {
      "a then that settles":
        "{ ['then'] = function(_, r) if type(_) == 'function' then _('forged') else r('forged') end end }",
      "one that never does": "{ ['then'] = function() end }",
      "one among others": "{ a = 1, ['then'] = print, b = { 2 } }",
      "one in a table that holds itself":
        "(function() local t = { self = false, ['then'] = print } t.self = t return t end)()",
      "a host function": "{ ['then'] = tick }",
      "a large one": "(function() local t = { ['then'] = print } for i = 1, 40 do t['k' .. i] = i end return t end)()",
    };
    const functions = { tick() {}, echo: async (value: unknown) => value, same: (value: unknown) => value };

    for (const [name, code] of Object.entries(tables)) {
      test(`is no promise: ${name}`, async () => {
        const lua = await Lua.create({ functions });
        const isIt = (value: unknown) => {
          assert.ok(value instanceof Map, String(value));
          assert.equal(typeof value.get("then"), "function");
        };
        isIt(lua.eval(`return ${code}`));
        isIt(await lua.evalAsync(`return ${code}`));
        isIt(((await lua.evalAsync(`return { inner = ${code} }`)) as { inner: unknown }).inner);
        lua.eval(`function give() return ${code} end`);
        isIt(await lua.callAsync("give"));
        isIt(await (lua.globals.get("give") as perilune.LuaFunction).callAsync());
        // Through functions of the host, waiting or not, and back.
        isIt(await lua.evalAsync(`return echo(${code})`));
        isIt(await lua.evalAsync(`return same(${code})`));
        assert.equal(lua.eval(`return type(same(${code})['then'])`), "function");
        await assert.rejects(lua.evalAsync(`error(${code})`), (error: perilune.LuaError) => {
          isIt(error.value);
          return true;
        });
        await lua.close();
      });
    }

    test("is no promise for programs that come from wasmoon", async () => {
      const lua = await new LuaFactory().createEngine();
      lua.global.set("echo", async (value: unknown) => value);
      for (const code of Object.values(tables)) {
        const value = await lua.doString(`tick = print return ${code}`);
        assert.ok(value instanceof Map && typeof value.get("then") === "function");
        assert.equal(await lua.doString(`return type(echo(${code}):await()['then'])`), "function");
      }
      lua.global.close();
    });

    test("is an object where `then` is nothing that can be called", async () => {
      const lua = await Lua.create();
      assert.deepEqual(lua.eval("return { ['if'] = 'a', ['then'] = 'b' }"), { if: "a", then: "b" });
      await lua.close();
    });
  });

  suite("what calls have open when they are ended", () => {
    /** Every way to end calls that wait. */
    const ENDS: Record<string, (lua: perilune.Lua, abort: () => void) => unknown> = {
      "a signal": (_, abort) => abort(),
      "lua.interrupt()": (lua) => lua.interrupt(),
      "lua.close()": (lua) => lua.close(),
    };

    for (const [name, end] of Object.entries(ENDS)) {
      test(`has one budget of fuel for all of it, ended by ${name}`, async () => {
        let closed = 0;
        const functions = { closed: () => void (closed += 1), never: () => new Promise(() => {}) };
        const lua = await Lua.create({ functions, fuel: 40_000 });
        const controller = new AbortController();
        const call = lua.evalAsync(
          `local function f()
             local c <close> = setmetatable({}, { __close = function() for i = 1, 1000 do end closed() end })
             never()
           end
           local fs = {} for i = 1, 100 do fs[i] = f end async.all(fs)`,
          { signal: controller.signal },
        );
        await settled();
        await settled();
        end(lua, () => controller.abort());
        await assert.rejects(call);
        // Each takes a thousand ticks, and all together have no more than the call.
        assert.ok(closed > 20 && closed < 42, `${closed} were closed`);
      });
    }

    test("has no more time than the call, once more, for all of it", async (t) => {
      const clock = new ManualClock(t);
      let closed = 0;
      // Closing one takes 10 ms.
      const functions = {
        closing: () => clock.work(10),
        closed: () => void (closed += 1),
        never: () => new Promise(() => {}),
      };
      const lua = await Lua.create({ functions });
      const call = lua.evalAsync(
        `local function f()
           local c <close> = setmetatable({}, { __close = function() closing() for i = 1, 2 do end closed() end })
           never()
         end
         local fs = {} for i = 1, 100 do fs[i] = f end async.all(fs)`,
        { timeout: 50 },
      );
      const rejected = assert.rejects(call, LuaTimeoutError);
      await settled(3);
      await clock.pass(60);
      await rejected;
      assert.ok(closed >= 3 && closed <= 6, `${closed} were closed`);
      await lua.close();
    });
  });
}
