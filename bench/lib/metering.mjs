// Time of a tick: every case of tests/vectors/metering.json at three sizes. A tick that takes long is a hole
// in the limit of time: between two looks at the clock there are up to 20,000 of them.

import { readFileSync } from "node:fs";

const SIZES = [1_000, 10_000, 100_000];
/** A tick that takes longer than this is named. */
const LONG_NS = 400;
/** Samples of a case at a size; the fastest counts, on which other processes weigh least. */
const SAMPLES = 3;
/** Most ticks of a sample. */
const FUEL = 3_000_000;
/** Shorter calls are repeated, so that the call from JavaScript is not what is measured. */
const SAMPLE_MS = 2;

const rows = JSON.parse(readFileSync(new URL("../../tests/vectors/metering.json", import.meta.url), "utf8"));

const EMPTY = "return function() end";

/** Fewer ticks than these say nothing about their time. */
const TICKS_MIN = 16;

/** The fastest sample of one case: nanoseconds and ticks of a call; undefined where memory is short. */
async function sampled(Lua, wasm, source, size) {
  const input = [];
  const lua = await Lua.create({
    wasm,
    memoryLimit: 256 << 20,
    timeout: 120_000,
    stdout: () => {},
    stderr: () => {},
    stdin: () => input.shift() ?? null,
    fileSystem: {},
  });
  lua.register("input", (text) => void input.push(text));
  lua.register("echo", (value) => value);
  lua.eval("json, base64 = require 'json', require 'base64'");
  let best;
  try {
    for (let sample = 0; sample < SAMPLES; sample++) {
      let [ns, ticks, calls] = [0, 0, 0];
      while (ns < SAMPLE_MS * 1e6) {
        // Input is read once, and entries of a table are cleared once: so the case is prepared each time.
        lua.eval(`local n = ${size} measured = (function(...) ${source}\n end)(n) collectgarbage()`);
        const start = performance.now();
        // Some take quadratic time; their ticks are alike.
        const result = lua.tryEval("pcall(measured)", { fuel: FUEL });
        if (!result.ok && result.error.kind !== "timeout") throw result.error;
        ns += (performance.now() - start) * 1e6;
        ticks += lua.stats().fuelUsed;
        calls++;
      }
      if (best === undefined || ns / ticks < best.ns / best.ticks) best = { ns: ns / calls, ticks: ticks / calls };
    }
    return best;
  } catch (error) {
    if (error.kind !== "memory") throw error;
    return undefined;
  } finally {
    await lua.close();
  }
}

/** Prints the slowest case of each function, and the cases whose ticks take long. */
export async function printMetering(Lua, wasm, filter = "") {
  console.log(`\n| ns of a tick, the slowest case | ${SIZES.map((size) => `n = ${size}`).join(" | ")} |`);
  console.log(`|---|${SIZES.map(() => "---:|").join("")}`);
  const empty = await sampled(Lua, wasm, EMPTY, 1);
  const long = [];
  for (const { function: name, cases } of rows) {
    const worst = SIZES.map(() => 0);
    for (const source of cases.map((one) => one.works ?? one.fails).filter(Boolean)) {
      if (!name.includes(filter)) continue;
      for (const [i, size] of SIZES.entries()) {
        const one = await sampled(Lua, wasm, source, size);
        if (one === undefined || one.ticks - empty.ticks < TICKS_MIN) continue;
        const ns = Math.max(0, (one.ns - empty.ns) / (one.ticks - empty.ticks));
        worst[i] = Math.max(worst[i], ns);
        if (ns > LONG_NS) long.push(`- ${ns.toFixed(0)} ns: ${name}, n = ${size}: \`${source}\``);
      }
    }
    if (worst.some(Boolean)) console.log(`| \`${name}\` | ${worst.map((ns) => ns.toFixed(0)).join(" | ")} |`);
  }
  console.log(long.length ? `\nAbove ${LONG_NS} ns:\n\n${long.join("\n")}` : `\nNone takes more than ${LONG_NS} ns.`);
}
