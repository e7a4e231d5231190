// Cost of the ticks that limit time and fuel: the workloads on the module as it ships, with a timeout and a
// fuel limit that are not reached, and on the same sources built without ticks. And the time after its limit
// at which a script is ended. And the time of a tick in every function (lib/metering.mjs).
//
// `cargo xtask bench --ticks` builds both and runs this:
// node ticks.mjs SHIPPED UNMETERED [--rounds N] [--functions [WORD]]

import { readFileSync, readdirSync } from "node:fs";

import { printMetering } from "./lib/metering.mjs";

const [shipped, unmetered] = process.argv.slice(2);
const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 15;
const { Lua } = await import(new URL("../web/dist/index.js", import.meta.url).href);
const directory = new URL("./workloads/", import.meta.url);

const functions = process.argv.indexOf("--functions");
if (functions > 0) {
  await printMetering(Lua, readFileSync(shipped), process.argv[functions + 1]);
  process.exit();
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

async function engine(file, options) {
  return Lua.create({ wasm: readFileSync(file), memoryLimit: 64 << 20, ...options });
}

const limits = { timeout: 1e6, fuel: Number.MAX_SAFE_INTEGER };
const ratios = [];
console.log(`| compute, ms (median of ${rounds}, interleaved) | with all limits | without ticks | ratio |`);
console.log("|---|---:|---:|---:|");
for (const file of readdirSync(directory).filter((name) => name.endsWith(".lua"))) {
  const source = readFileSync(new URL(file, directory), "utf8");
  const [, title] = /^-- (.*?)(?::|\.?$)/m.exec(source);
  const units = Math.max(1, Math.round(Number(/^-- units: (\d+)$/m.exec(source)[1]) / 2));
  const engines = [await engine(shipped, limits), await engine(unmetered, { timeout: Infinity })];
  const times = [[], []];
  for (const lua of engines) lua.eval(source);
  for (let round = -2; round < rounds; round++) {
    engines.forEach((lua, i) => {
      const start = performance.now();
      lua.eval(`bench(${units})`);
      if (round >= 0) times[i].push(performance.now() - start);
    });
  }
  const [a, b] = times.map(median);
  ratios.push(a / b);
  console.log(`| ${title} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${(a / b).toFixed(3)} |`);
  await Promise.all(engines.map((lua) => lua.close()));
}
const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
console.log(`| geometric mean | | | ${mean.toFixed(3)} |\n`);

const lua = await engine(shipped);
console.log("| a script that never ends, timeout 50 ms | median, ms | longest, ms |\n|---|---:|---:|");
for (const [name, source] of [
  ["while true do end", "while true do end"],
  ["pcall in a loop", "while true do pcall(function() while true do end end) end"],
  ["a pattern", "(('a'):rep(200000)):find('.-.-.-.-b$')"],
  ["collectgarbage", "while true do collectgarbage() end"],
]) {
  const times = [];
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    const { ok } = lua.tryEval(source, { timeout: 50 });
    if (ok) throw new Error(`${name} ended`);
    times.push(performance.now() - start);
  }
  console.log(`| ${name} | ${median(times).toFixed(1)} | ${Math.max(...times).toFixed(1)} |`);
}
await lua.close();
await printMetering(Lua, readFileSync(shipped));
