/**
 * Compiled code where it is hardest: ended at each tick, by its time and for want of memory; photographed at
 * each wait; deep in calls; with a collection at each allocation; ten thousand functions one after another.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clock } from "#js/clock.js";
import { Lua, type LuaError } from "../src/index.ts";
import type { LuaOptions } from "../src/options.ts";
import { difference, look, looks, LOW, see, type Knobs } from "./compiled.ts";
import { OPTIONS } from "./programs.ts";

clock.now = look;

const [HOT] = LOW as [Knobs];

/** Loops of every kind, over values whose types change, with calls, closures, coroutines and errors. */
const BUSY = `
  local Point = {} Point.__index = Point
  Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y - b.y }, Point) end
  function Point:sum() return self.x + self.y end
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  local function each(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * 0.5) end end) end
  function busy(rounds)
    local sum, text, list = 0, "", {}
    local p = setmetatable({ x = 1, y = 2.5 }, Point)
    for round = 1, rounds do
      for i = 1, 40 do
        sum = sum + i % 7 * (round & 3)
        list[#list % 20 + 1] = i
        if i % 13 == 0 then sum = sum + 0.25 end
      end
      p = p + setmetatable({ x = round, y = #list }, Point)
      sum = sum + p:sum() + fib(7)
      for i, half in each(5) do sum = sum + i - half end
      local ok, err = pcall(function() local bad = list[round % 25 + 1] return bad + #text end)
      text = (text .. (ok and "o" or "e") .. round):sub(-30)
      table.sort(list, function(a, b) return a > b end)
      while #text > 25 do text = text:sub(2) end
      goto on
      sum = nil
      ::on::
      do local c <close> = setmetatable({}, { __close = function() sum = sum + 1 end }) end
    end
    return sum, text
  end`;

async function hot(options: LuaOptions, knobs: Knobs = HOT): Promise<Lua> {
  looks.step = knobs.step;
  return await Lua.create({
    ...OPTIONS,
    fuel: Infinity,
    timeout: Infinity,
    ...options,
    jit: knobs as unknown as boolean,
  });
}

test("fuel ends compiled code within a few instructions of where it ends interpreted code", async () => {
  const seen: { kinds: string[]; used: number[]; reached: unknown[] }[] = [];
  for (const jit of [false, HOT]) {
    looks.step = 2;
    const lua = await Lua.create({ ...OPTIONS, fuel: Infinity, timeout: Infinity, jit } as LuaOptions);
    lua.eval(BUSY);
    lua.eval("return busy(30)");
    const kinds: string[] = [];
    const used: number[] = [];
    const reached: unknown[] = [];
    for (let fuel = 1; fuel < 3000; fuel += fuel < 400 ? 1 : 7) {
      lua.eval("reached = nil");
      const ended = lua.tryEval(`reached = busy(1) reached = reached + busy(1)`, { fuel });
      kinds.push(ended.ok ? "" : ended.error.message.replace(/^eval:\d+: /, ""));
      used.push(lua.stats().fuelUsed);
      reached.push(lua.eval("return reached"));
    }
    if (jit !== false) assert.ok(lua.stats().jit.functions > 1, "was compiled");
    seen.push({ kinds, used, reached });
    await lua.close();
  }
  const [interpreted, compiled] = seen as [(typeof seen)[0], (typeof seen)[0]];
  assert.deepEqual(compiled.kinds, interpreted.kinds);
  assert.deepEqual(compiled.reached, interpreted.reached);
  const apart = compiled.used.map((used, n) => Math.abs(used - (interpreted.used[n] ?? 0)));
  assert.ok(Math.max(...apart) <= 8, `${Math.max(...apart)} ticks apart`);
});

test("time and interrupts end compiled loops, and the VM goes on", async () => {
  const lua = await hot({});
  lua.eval(BUSY);
  const expected = lua.evalAll("return busy(50)");
  const loops = [
    "while true do end",
    "repeat until false",
    "for i = 1, math.huge do n = i end",
    "::again:: goto again",
    "local t = { x = 1 } while true do t.x = t.x + 1 end",
    "while true do busy(3) end",
    "while true do pcall(busy, 3) end",
    "local function f() return f() end f()",
    "local co = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do co() end",
    "table.sort({ 3, 2, 1 }, function() while true do end end)",
    "return setmetatable({}, { __index = function(t, k) while true do end end })[1]",
    "return ('x'):rep(9):gsub('.', function() while true do end end)",
    "return setmetatable({}, { __add = function() while true do end end }) + 1",
  ];
  for (const loop of loops) {
    for (const timeout of [1, 7, 20, 100, 301]) {
      const ended = lua.tryEval(`${loop}`, { timeout });
      assert.ok(!ended.ok && ended.error.kind === "timeout", `${loop}: ${ended.ok ? "ended" : ended.error.message}`);
      assert.deepEqual(lua.evalAll("return busy(50)"), expected, loop);
    }
  }
  assert.ok(lua.stats().jit.functions > 1, "was compiled");
  await lua.close();
});

test("memory runs out in compiled code at each size, and the VM goes on", async () => {
  const fills = [
    "local t = {} for i = 1, 1e7 do t[i] = i end",
    "local t = {} for i = 1, 1e7 do t[i] = { i, x = i } end",
    "local s, t = 'x', {} for i = 1, 1e7 do s = s .. i t[#t + 1] = s end",
    "local t = {} for i = 1, 1e7 do t[i] = function() return i + t end end",
    "local function f(a, ...) return f(a, a, ...) end f(1, 2)",
    "local function f(n, t) t = { t, n } return 1 + f(n + 1, t) end f(1)",
    "local t = {} for i = 1, 1e7 do t[i] = coroutine.wrap(function() return i end) end",
    "local t = {} for i = 1, 1e7 do t[i .. ''] = i * 0.5 end",
  ];
  let functions = 0;
  for (let memoryLimit = 832 << 10; memoryLimit < 3 << 20; memoryLimit += 77 << 10) {
    const lua = await hot({ memoryLimit });
    lua.eval(BUSY);
    const expected = lua.evalAll("return busy(20)");
    for (const fill of fills) {
      const ended = lua.tryEval(fill);
      assert.ok(!ended.ok && ["memory", "runtime"].includes(ended.error.kind), `${fill}: ${ended.ok || ended.error}`);
      lua.gc();
      assert.deepEqual(lua.evalAll("return busy(20)"), expected, `${memoryLimit} ${fill}`);
    }
    functions += lua.stats().jit.functions;
    await lua.close();
  }
  assert.ok(functions > 20, "was compiled");
});

test("deep calls end as they do interpreted", async () => {
  const recursions = [
    "local function f(n) depth = n return 1 + f(n + 1) end return f(1)",
    "local function f(n) depth = n local a, b = f(n + 1) return b, a end return f(1)",
    "local t = setmetatable({}, { __index = function(t, k) depth = k return t[k + 1] end }) return t[1]",
    "local t = setmetatable({}, { __add = function(t, k) depth = k return 1 + (t + (k + 1)) end }) return t + 1",
    "local t = setmetatable({}, { __lt = function(a, b) depth = depth + 1 return a < b end }) return t < t",
    "local t = setmetatable({}, { __concat = function(a, b) depth = depth + 1 return a .. b end }) return t .. t",
    "local t = setmetatable({}, { __call = function(t, n) depth = n return 1 + t(n + 1) end }) return t(1)",
    "local t = setmetatable({}, { __newindex = function(t, k, v) depth = v t[k] = v + 1 end }) t.x = 1",
    "local t = setmetatable({}, { __len = function(t) depth = depth + 1 return #t end }) return #t",
    "local t = setmetatable({}, { __eq = function(a, b) depth = depth + 1 return a == b end }) return t == setmetatable({}, getmetatable(t))",
    "local function f(n) depth = n return (('x'):gsub('.', function() return f(n + 1) end)) end return f(1)",
    "local function f(a, b) depth = depth + 1 table.sort({ 1, 2, 3 }, f) return a < b end return f(1, 2)",
    "local function f(n) depth = n local ok, err = pcall(f, n + 1) error(err, 0) end return f(1)",
    "local function f(n) depth = n return select(2, xpcall(f, function(e) return e end, n + 1)) end return f(1)",
    "local function f(n) depth = n return coroutine.wrap(f)(n + 1) end return f(1)",
    "local function f(n) depth = n for a in f, n + 1 do return a end end return f(1)",
    "local function f(n) depth = n local c <close> = setmetatable({}, { __close = function() f(n + 1) end }) end return f(1)",
    "local function f(n) depth = n return tostring(setmetatable({}, { __tostring = function() return f(n + 1) end })) end return f(1)",
    "local function a(n) depth = n return 1 + b(n + 1) end function b(n) return 2 + a(n + 1) end return a(1)",
  ];
  for (const recursion of recursions) {
    // The memory is large enough that it is the stack that ends first.
    const runs = {
      first: `function run() depth = 0 print(pcall(function() ${recursion} end)) print(depth) end`,
      source: `run() depth = 0 ${recursion}`,
      times: 4,
      name: "deep",
      options: { memoryLimit: 8 << 20, fuel: Infinity },
    };
    const interpreted = await see(Lua, runs, null);
    for (const knobs of LOW) {
      const compiled = await see(Lua, runs, knobs);
      assert.equal(difference(interpreted, compiled), undefined, recursion);
    }
  }
});

test("a collection at each allocation changes nothing", async () => {
  const runs = { first: BUSY, source: "print(busy(30))", times: 3, name: "busy" };
  for (const mode of [
    'collectgarbage("incremental", 1, 1000, 31)',
    'collectgarbage("generational", 1, 1)',
    'collectgarbage("incremental", 1, 100, 1)',
  ]) {
    const collecting = { ...runs, first: `${BUSY} ${mode}` };
    const interpreted = await see(Lua, collecting, null);
    for (const knobs of LOW) {
      const compiled = await see(Lua, collecting, knobs);
      assert.equal(difference(interpreted, compiled), undefined, `${mode} ${JSON.stringify(knobs)}`);
      assert.ok(compiled.functions > 1, `${compiled.functions} functions, ${mode} ${JSON.stringify(knobs)}`);
    }
  }
});

test("a VM is photographed at each wait inside of compiled code, and goes on in another", async () => {
  const program = `
    ${BUSY}
    local function inner(n) local s = 0 for i = 1, 30 do s = s + i if i == n then s = s + wait(i) end end return s end
    waits = 0
    function wait(i) waits = waits + 1 async.sleep(1) return i * 2 end
    function main()
      busy(20)
      local sum = 0
      for i = 1, 40 do
        sum = sum + inner(i)
        if i % 5 == 0 then
          local ok, err = pcall(function() return wait(i) + inner(3) + nil end)
          sum = sum + #err
        end
        for j, half in coroutine.wrap(function() for k = 1, 3 do coroutine.yield(k, wait(k)) end end) do
          sum = sum + j + half
        end
      end
      print(sum, busy(5))
      return sum
    end`;
  const outputs: string[] = [];
  for (const jit of [false, ...LOW]) {
    looks.step = 2;
    for (const breaks of [false, true]) {
      let output = "";
      const options = {
        ...OPTIONS,
        fuel: Infinity,
        timeout: Infinity,
        stdout: (text: string) => void (output += text),
        jit,
      } as LuaOptions;
      let lua = await Lua.create(options);
      lua.eval(program);
      let ended: Promise<unknown> = lua.evalAsync("return main()");
      let photographed = 0;
      let waits = 0;
      let done: unknown;
      let failed: unknown;
      const noted = (result: Promise<unknown>): void => {
        result.then(
          (value) => (done = value),
          // The VM that was photographed is closed; any other failure is the test's.
          (error: LuaError) => {
            if (error.kind !== "closed") failed = error;
          },
        );
      };
      noted(ended);
      while (done === undefined) {
        if (failed !== undefined) throw failed;
        await new Promise((resolve) => setImmediate(resolve));
        // Once for each wait: a VM that is restored sleeps anew.
        if (!breaks || done !== undefined || lua.eval("return waits") === waits) continue;
        waits = lua.eval<number>("return waits");
        const other = await Lua.restore(lua.snapshot(), options);
        await lua.close();
        lua = other;
        const [task] = lua.restored?.tasks ?? [];
        assert.ok(task !== undefined, "it waits in the other VM");
        ended = task.result;
        noted(ended);
        photographed++;
      }
      const [result] = [done].flat();
      outputs.push(`${output} ${String(result)}`);
      if (breaks) assert.ok(photographed > 20, `${photographed} images`);
      await lua.close();
    }
  }
  for (const output of outputs) assert.equal(output, outputs[0]);
});

test("ten thousand functions are compiled and dropped, and memory stays flat", async () => {
  const lua = await hot({ memoryLimit: 8 << 20 });
  const pages: number[] = [];
  let most = 0;
  let compiled = 0;
  for (let n = 0; n < 10_000; n++) {
    const { ok } = lua.tryEval(
      `local function f(a) local s = ${n} for i = 1, 400 do s = s + i * a end return s end assert(f(2) == 160400 + ${n}) f(1.5)`,
    );
    assert.ok(ok);
    const { modules, functions } = lua.stats().jit;
    most = Math.max(most, modules);
    compiled += functions > 0 ? 1 : 0;
    if (n % 1000 === 999) {
      lua.gc();
      pages.push(lua.stats().memory.used);
    }
  }
  assert.ok(compiled > 5000, `${compiled} times something was compiled`);
  assert.ok(most <= 64, `${most} modules`);
  const [, second = 0] = pages;
  assert.ok(Math.max(...pages.slice(1)) <= second + (256 << 10), `bytes after each thousand: ${pages}`);
  await lua.close();
});
