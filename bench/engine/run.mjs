/**
 * Events of the script engine beside its peers, in one run: `cargo xtask engine bench --peers`.
 *
 * The first argument is the program of crates/engine/sandbox/examples/figures.rs. All figures are processor
 * time of a whole process for an event, so that collectors and other threads count. Peers and figures take
 * turns.
 */
import { execFileSync } from "node:child_process";
import { loadavg } from "node:os";
import { gopher, openresty, temporary } from "./peers.mjs";

const ROUNDS = 3;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Microseconds in a line of the figures. */
function figure(text, name) {
  const line = text.split("\n").find((line) => line.trim().startsWith(name));
  const number = line && /([\d.]+) us/.exec(line);
  if (!number) throw new Error(`the figures have no line ${JSON.stringify(name)}:\n${text}`);
  return Number(number[1]);
}

const [figures] = process.argv.slice(2);
const { folder, remove } = temporary();
const rows = new Map();
const add = (name, values) => rows.set(name, [...(rows.get(name) ?? []), ...values]);
const before = loadavg()[0];
let last = "";
let server;
try {
  const debian = gopher(folder);
  const source = process.env.GOPHER_LUA_SRC;
  const current = source ? gopher(folder, source) : undefined;
  server = await openresty(folder);
  for (let round = 0; round < ROUNDS; round++) {
    last = execFileSync(figures, { encoding: "utf8" });
    add("serde_json", [figure(last, "serde_json, natively")]);
    add("an event, fresh VM", [figure(last, "with all that the process does for it")]);
    for (const [name, measure] of [
      ["gopher-lua of Debian (2017)", debian],
      ["gopher-lua, given source", current],
    ]) {
      if (!measure) continue;
      const { fresh, reused } = measure();
      add(`${name}, fresh state`, fresh);
      add(`${name}, reused state`, reused);
    }
    add("OpenResty, a whole request, shared VM", await server.measure());
  }
} finally {
  server?.stop();
  remove();
}

console.log(last);
const floor = median(rows.get("serde_json"));
const ours = median(rows.get("an event, fresh VM"));
console.log(`load before ${before.toFixed(1)}, after ${loadavg()[0].toFixed(1)}\n`);
console.log("| | us of processor time | x serde_json | our event / this |\n|---|---|---|---|");
for (const [name, values] of rows) {
  const us = median(values);
  console.log(`| ${name} | ${us.toFixed(1)} | ${(us / floor).toFixed(2)} | ${(ours / us).toFixed(2)} |`);
}
