// Soak test: millions of crossings of many kinds, after which no memory may have grown.
//
// `node --expose-gc soak.mjs [--quick] [--filter TEXT]`, or `run.mjs --soak`. Each part has a state of its
// own. After a fifth of its calls (the warm-up), and after all of them, everything that can be collected is,
// in both languages, and what is left is measured: flat is what has not grown. In between Lua collects as it
// does by itself; what a collection hides that is forced every now and then shows here, such as a table that
// grows with what waits for its finalizer.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { perilune } from "./engines/perilune.mjs";
import { isLeftOut, markdown } from "./lib/report.mjs";
import { compiled } from "./vms/module.mjs";

const WARMUP = 1 / 5;
/** Most forgotten functions until V8 is made to collect: handles pile up until then. */
const FORGOTTEN_MAX = 500;
/** Number of calls of JavaScript in one eval. */
const CALLS_PER_EVAL = 1000;
const OUTPUT = fileURLToPath(new URL("../target/bench/", import.meta.url));

/**
 * Growth that still counts as flat, in bytes or pieces: a table of Lua that doubles late, the peak before a
 * late collection (linear memory never shrinks), code that V8 compiles late. What is lost with each of 80,000
 * calls is more: nothing takes less than 8 bytes.
 */
const TOLERANCES = {
  Lua: 64 * 1024,
  "linear memory": 256 * 1024,
  handles: 0,
  "JS functions": 0,
  "JS heap": 512 * 1024,
  "outside of it": 1024 * 1024,
};

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, filter: { type: "string", default: "" } },
});
if (!globalThis.gc) throw new Error("run it with --expose-gc");

/** The state of the part that runs. */
let lua;
/** Functions made for Lua that V8 has not collected: what the host table keeps, it keeps. */
let functions = 0;
const collected = new FinalizationRegistry(() => functions--);

const PARTS = [
  { id: "evals", title: "evals of ten kinds", count: 1_000_000, run: evals },
  { id: "js_to_lua", title: "JS calls Lua, numbers", count: 1_000_000, run: callsOfLua },
  { id: "lua_to_js", title: "Lua calls JS, numbers", count: 1_000_000, run: callsOfJs },
  { id: "js_to_lua/disposed", title: "JS calls Lua, functions both ways, disposed", count: 100_000, run: luaDisposed },
  { id: "lua_to_js/disposed", title: "Lua calls JS, functions both ways, disposed", count: 100_000, run: jsDisposed },
  {
    id: "js_to_lua/forgotten",
    title: "JS calls Lua, functions both ways, forgotten",
    count: 100_000,
    run: luaForgotten,
  },
  {
    id: "lua_to_js/forgotten",
    title: "Lua calls JS, functions both ways, forgotten",
    count: 100_000,
    run: jsForgotten,
  },
  { id: "host_errors", title: "errors of JS caught in Lua", count: 100_000, run: hostErrors },
  { id: "waits", title: "evalAsync with one wait", count: 100_000, run: waits },
  { id: "snapshot/rounds", title: "snapshot, restore, eval, close", count: 10_000, alone: true, run: rounds },
  { id: "snapshot/starts", title: "fork, start from an image, eval, close", count: 10_000, alone: true, run: starts },
];

const EVALS = [
  (i) => ["return 1"],
  (i) => [`return ${i} + 1`],
  (i) => [`local t = {} for i = 1, 10 do t[i] = "item " .. i end return t`],
  (i) => [`counter = (counter or 0) + 1 return counter`],
  (i) => [`return "text ${i % 1000}", ("x"):rep(100)`],
  (i) => [`local co = coroutine.wrap(function() coroutine.yield({}) end) return co()`],
  (i) => [`return pcall(error, { code = ${i % 7} })`],
  (i) => [`error("thrown ${i % 100}")`, true],
  (i) => [`return return`, true],
  (i) => [`return function() return ${i} end`],
];

// A process with no timer that waits for wasm waits in another way, in which Node 20 can stop for ever: its
// main thread for the compiler's, and that one for the main thread to collect.
const awake = setInterval(() => {}, 60_000);
await main();
clearInterval(awake);

async function main() {
  const results = [];
  for (const part of PARTS.filter(({ id }) => id.includes(options.filter))) {
    const result = await soak(part);
    console.error(`${result.id.padEnd(22)} ${verdict(result)}`);
    results.push(result);
  }
  mkdirSync(OUTPUT, { recursive: true });
  writeFileSync(`${OUTPUT}soak-latest.json`, JSON.stringify(results, null, 1));
  console.log(report(results));
  if (results.some((result) => !["yes", "–"].includes(verdict(result)))) process.exitCode = 1;
}

async function soak({ id, title, count: full, run, alone }) {
  const count = options.quick ? full / 20 : full;
  const result = { id, title, count };
  lua = await perilune.create();
  try {
    if (alone) await perilune.needSnapshots();
    else prepare();
    await run(0, count * WARMUP);
    result.before = await measure();
    const start = performance.now();
    await run(count * WARMUP, count);
    result.us = ((performance.now() - start) * 1000) / (count * (1 - WARMUP));
    result.after = await measure();
  } catch (error) {
    result.error = error.message;
  }
  await lua.close();
  return result;
}

/** Returns "yes" if it is flat; else what has grown, or what went wrong. */
function verdict({ error, before, after }) {
  if (error) return isLeftOut(error) ? "–" : `failed: ${error}`;
  const grown = Object.keys(TOLERANCES).filter((key) => after[key] - before[key] > TOLERANCES[key]);
  return grown.length === 0 ? "yes" : `no: ${grown.join(", ")}`;
}

/** Measures what is left when both collectors have run. */
async function measure() {
  await collect();
  const { memory, handles } = lua.stats();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    Lua: memory.luaUsed,
    "linear memory": memory.used,
    handles,
    "JS functions": functions,
    "JS heap": heapUsed,
    "outside of it": external,
    rss,
  };
}

/**
 * Collects in both languages. Forgotten functions go in turn: JavaScript lets go of Lua's, so Lua can of
 * JavaScript's, so V8 can of those.
 */
async function collect() {
  for (let i = 0; i < 3; i++) {
    await finalize();
    lua.collect();
  }
}

/** Defines the functions that the parts call. */
function prepare() {
  lua.eval(`
    function add(a, b) return a + b end
    -- Gets a function of JavaScript, gives one of Lua that has it.
    function wrap(fn) return function(n) return fn(n) + 1 end end
  `);
  lua.register("host_add", (a, b) => a + b);
  lua.register("fail", () => {
    throw new Error("no such thing");
  });
  lua.register("wait", () => Promise.resolve(1));
  // Get a function of Lua, give one of JavaScript.
  lua.register("use_and_dispose", (fn, n) => {
    const value = fn(n);
    fn.dispose();
    return made((m) => m + value);
  });
  lua.register("use_and_forget", (fn, n) => {
    const value = fn(n);
    return made((m) => m + value);
  });
  lua.eval(`
    local host_add, fail = host_add, fail
    function add_many(from, to)
      local sum = 0
      for i = from, to - 1 do sum = host_add(sum, i) end
      return sum
    end
    function fail_many(from, to)
      for i = from, to - 1 do
        local ok, e = pcall(fail)
        if ok or e.message ~= "no such thing" then error("caught by call " .. i .. ": " .. tostring(e)) end
      end
      return to - from
    end
    function use_many(use, from, to)
      local right = 0
      for i = from, to - 1 do
        local fn = use(function(n) return n + i end, 1)
        if fn(2) == i + 3 then right = right + 1 end
      end
      return right
    end
  `);
}

function evals(from, to) {
  for (let i = from; i < to; i++) {
    const [code, fails] = EVALS[i % EVALS.length](i);
    let failed = false;
    try {
      const value = lua.eval(code);
      value?.dispose?.();
    } catch {
      failed = true;
    }
    if (failed !== Boolean(fails)) throw new Error(`eval ${i} should ${fails ? "" : "not "}fail: ${code}`);
  }
}

function callsOfLua(from, to) {
  const add = lua.global("add");
  for (let i = from; i < to; i++) expect(add(i, 1), i + 1);
  add.dispose();
}

function callsOfJs(from, to) {
  inEvals(from, to, (a, b) => expect(lua.eval(`return add_many(${a}, ${b})`), ((b - a) * (a + b - 1)) / 2));
}

function luaDisposed(from, to) {
  const wrap = lua.global("wrap");
  for (let i = from; i < to; i++) {
    const wrapped = wrap(made((n) => n + i));
    expect(wrapped(1), i + 2);
    wrapped.dispose();
  }
  wrap.dispose();
}

async function luaForgotten(from, to) {
  const wrap = lua.global("wrap");
  for (let i = from; i < to; i++) {
    expect(wrap(made((n) => n + i))(1), i + 2);
    if (i % FORGOTTEN_MAX === 0) await finalize();
  }
  wrap.dispose();
}

function jsDisposed(from, to) {
  inEvals(from, to, (a, b) => expect(lua.eval(`return use_many(use_and_dispose, ${a}, ${b})`), b - a));
}

async function jsForgotten(from, to) {
  for (let i = from; i < to; i += FORGOTTEN_MAX) {
    const end = Math.min(i + FORGOTTEN_MAX, to);
    expect(lua.eval(`return use_many(use_and_forget, ${i}, ${end})`), end - i);
    await finalize();
  }
}

function hostErrors(from, to) {
  inEvals(from, to, (a, b) => expect(lua.eval(`return fail_many(${a}, ${b})`), b - a));
}

async function waits(from, to) {
  for (let i = from; i < to; i++) expect(await lua.evalAsync("return wait() + 1"), 2);
}

/**
 * Restores each VM from the one before: what the first had lost, the last would still have, ten thousand
 * times.
 */
async function rounds(from, to) {
  const wasm = await compiled(perilune.wasm);
  for (let i = from; i < to; i++) {
    const before = lua;
    lua = await perilune.restore(before.snapshot(), { wasm });
    await before.close();
    expect(lua.eval("rounds = (rounds or 0) + 1 return rounds"), i + 1);
  }
}

/** Starts VMs from one, and closes them. */
async function starts(from, to) {
  const wasm = await compiled(perilune.wasm);
  lua.eval("starts = starts or 0");
  const decoded = await perilune.image(lua.snapshot(), { wasm });
  for (let i = from; i < to; i++) {
    for (const other of [await lua.fork(), await perilune.restore(decoded)]) {
      expect(other.eval("starts = starts + 1 return starts"), 1);
      await other.close();
    }
  }
}

/** A function for Lua, counted until V8 collects it. */
function made(fn) {
  functions++;
  collected.register(fn);
  return fn;
}

/** Has V8 collect what was forgotten; the finalizers run in a task of their own. */
async function finalize() {
  gc();
  await new Promise((resolve) => setTimeout(resolve));
}

function inEvals(from, to, run) {
  for (let a = from; a < to; a += CALLS_PER_EVAL) run(a, Math.min(a + CALLS_PER_EVAL, to));
}

function expect(value, expected) {
  if (value !== expected) throw new Error(`${value} instead of ${expected}`);
}

function report(results) {
  const shown = (key, state) => {
    if (!state) return "–";
    return key === "handles" || key === "JS functions" ? String(state[key]) : (state[key] / 1024).toFixed(0);
  };
  const rows = results.map((result) => [
    result.title,
    String(result.count),
    result.us?.toFixed(2) ?? "–",
    ...Object.keys(TOLERANCES).map((key) => `${shown(key, result.before)} → ${shown(key, result.after)}`),
    verdict(result),
  ]);
  const heads = {
    Lua: "Lua, KB",
    "linear memory": "linear memory, KB",
    "JS heap": "JS heap, KB",
    "outside of it": "outside of it, KB",
  };
  return markdown(
    ["soak", "times", "µs each", ...Object.keys(TOLERANCES).map((key) => heads[key] ?? key), "flat"],
    rows,
  );
}
