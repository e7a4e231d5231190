// A million evals on one state, of many kinds: does anything grow? `node soak.mjs [EVALS]`, or `run.mjs --soak`.

import { create } from "./engines/perilune.mjs";
import { markdown } from "./lib/report.mjs";

const EVALS = Number(process.argv[2] ?? 1_000_000);
const STEPS = 10;

const KINDS = [
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

const lua = await create();
const rows = [];
const measure = (done, ms) => {
  globalThis.gc?.();
  lua.collect();
  const { memory } = lua.stats();
  const { rss, heapUsed } = process.memoryUsage();
  const kb = (bytes) => (bytes === undefined ? "–" : (bytes / 1024).toFixed(1));
  rows.push(
    [done, ms && (ms * 1000) / (EVALS / STEPS), kb(memory.luaUsed), kb(memory.used), kb(heapUsed), kb(rss)].map(shown),
  );
};
const shown = (value) => (typeof value === "number" ? String(Math.round(value * 100) / 100) : (value ?? ""));

measure(0);
let done = 0;
for (let step = 0; step < STEPS; step++) {
  const start = performance.now();
  for (const until = done + EVALS / STEPS; done < until; done++) {
    const [code, fails] = KINDS[done % KINDS.length](done);
    let failed = false;
    try {
      const value = lua.eval(code);
      value?.dispose?.();
    } catch {
      failed = true;
    }
    if (failed !== Boolean(fails)) throw new Error(`eval ${done} should ${fails ? "" : "not "}fail: ${code}`);
  }
  measure(done, performance.now() - start);
}
console.log(markdown(["evals", "µs each", "Lua KB", "linear memory KB", "JS heap KB", "RSS KB"], rows));
await lua.close();
