// Benchmarks of the capsule: `npm run capsule` in bench, after `cargo xtask build`. README.md says how it
// measures.

import { fork } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { markdown } from "../lib/report.mjs";
import { databaseTable, memoryTable, recordTable, sizesTable } from "./figures.mjs";
import { MEASURES } from "./measures.mjs";
import { HEAD, rows } from "./rows.mjs";

const USAGE = `npm run capsule -- [OPTIONS]

  --quick          one process and three rounds for each measure: a look, not a result
  --filter TEXT    only measures whose name begins with TEXT (memory, records, databases and size are names, too)
  --processes N    fresh processes for each measure (2)
  --rounds N       samples of each side in each of them (5)
  --large          a database of 1 GB, too: minutes, and twice its bytes on the disk
  --list           the names`;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const OUTPUT = path("../../target/bench/");

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    filter: { type: "string", default: "" },
    processes: { type: "string" },
    rounds: { type: "string" },
    large: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const processes = Number(options.processes ?? (options.quick ? 1 : 2));
const rounds = Number(options.rounds ?? (options.quick ? 3 : 5));
const warmups = options.quick ? 1 : 2;

const FIGURES = [
  { id: "memory", table: memoryTable },
  { id: "records", table: recordTable },
  { id: "databases", table: () => databaseTable(options.large ? [1, 10, 100, 1000] : [1, 10, 100]) },
  { id: "size", table: sizesTable },
];

async function main() {
  const asked = MEASURES.filter(({ id }) => id.startsWith(options.filter));
  const before = loadavg()[0];
  const results = [];
  for (const measure of asked) {
    process.stderr.write(`${measure.id}\n`);
    results.push({ measure, ...(await measured(measure)) });
  }
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model}, ${cpus().length} cores, Linux ${release()},`,
  );
  console.log(`Node ${process.versions.node}; load ${before.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after.`);
  console.log(`Medians of ${processes * rounds} interleaved samples (fresh processes: ${processes}). ${versions()}.\n`);
  if (results.length > 0) console.log(`${markdown(HEAD, results.flatMap(rows))}\n`);
  for (const { id, table } of FIGURES.filter(({ id }) => id.startsWith(options.filter))) {
    process.stderr.write(`${id}\n`);
    console.log(`${await table()}\n`);
  }
  mkdirSync(OUTPUT, { recursive: true });
  const kept = results.map(({ measure, samples, error }) => ({ id: measure.id, samples, error }));
  writeFileSync(`${OUTPUT}capsule.json`, JSON.stringify(kept, null, 1));
  if (results.some(({ error }) => error)) process.exitCode = 1;
}

/** Samples of all sides, from all processes. */
async function measured(measure) {
  const samples = Object.fromEntries(Object.keys(measure.sides).map((name) => [name, []]));
  for (let n = 0; n < processes; n += 1) {
    try {
      const found = await inProcess(measure.id);
      for (const name of Object.keys(samples)) samples[name].push(...found[name]);
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
      return { samples, error: error.message };
    }
  }
  return { samples };
}

function inProcess(id) {
  return new Promise((resolve, reject) => {
    const child = fork(path("./child.mjs"), [id, String(rounds), String(warmups)]);
    child.on("message", ({ samples }) => resolve(samples));
    child.on("error", reject);
    child.on("exit", (code) => code === 0 || reject(new Error(`${id}: the process has ended with ${code}`)));
  });
}

function versions() {
  const names = ["better-sqlite3", "@sqlite.org/sqlite-wasm", "@electric-sql/pglite", "rxdb", "wasmoon"];
  const version = (name) => JSON.parse(readFileSync(path(`../node_modules/${name}/package.json`), "utf8")).version;
  return names.map((name) => `${name} ${version(name)}`).join(", ");
}

if (options.help) console.log(USAGE);
else if (options.list) for (const { id, title } of [...MEASURES, ...FIGURES]) console.log(id.padEnd(28), title ?? "");
else await main();
