// Benchmarks: every figure of every engine, side by side in one run. `cargo xtask bench`, options below.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { BUILDS } from "./engines/index.mjs";
import { takeBase } from "./lib/base.mjs";
import { launch } from "./lib/browser.mjs";
import { coldNode, coldStarts } from "./lib/cold.mjs";
import { compare } from "./lib/compare.mjs";
import { FLAGS, nativeHarness } from "./lib/native.mjs";
import { STORES_IN, commits, wholes } from "./lib/persistence.mjs";
import { openPlace, openNative, openNode } from "./lib/process.mjs";
import { comparison, isLeftOut, table } from "./lib/report.mjs";
import { AUTO, resumeCost, resumeTable } from "./lib/resume.mjs";
import { sizeTable, sizes } from "./lib/sizes.mjs";
import { SNAPSHOTS, snapshots } from "./lib/snapshots.mjs";
import { MEASURES } from "./measures.mjs";
import { VMS } from "./vms/index.mjs";
import { STATES } from "./vms/programs.mjs";

const USAGE = `cargo xtask bench [OPTIONS]

  --quick           one process and three rounds of a quarter of the work: a look, not a result
  --filter TEXT     only measures whose name contains TEXT (start/cold, size, persistence/whole and persistence/commit
                    are names, too; snapshot is all about whole VMs)
  --browser         in Chromium; --all: in Node, then in Chromium
  --engines A,B     some of perilune, wasmoon, fengari, native
  --against FOLDER  beside another build of Perilune, the column "base": FOLDER is a built package (with index.js, node.js
                    and perilune.wasm), or has one in dist or web/dist. Only the two, unless --engines names more
  --processes N     fresh processes (or pages) for each measure and engine (3)
  --rounds N        samples from each of them (5); of persistence (7)
  --entries N,M     how many entries the storage keeps (100000; with --quick 10000); 1000000 takes minutes
  --soak            millions of crossings instead: does memory grow? With --quick a twentieth of them
  --list            the names
  --no-build        (xtask) measure what is there`;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const PERILUNE = path("../web/dist/perilune.wasm");
const OUTPUT = path("../target/bench/");
const COLD_ROUNDS = 15;
/** Rounds of persistence: one of a hundred thousand entries takes some 20 s, one of a million minutes. */
const PERSISTENCE_ROUNDS = 7;
const COMMITS = 100;
/** Time for which a busy program runs, with `resume` and without. */
const BUSY_MS = 2000;
const BUSY_ROUNDS = 9;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    filter: { type: "string", default: "" },
    browser: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    engines: { type: "string" },
    against: { type: "string" },
    processes: { type: "string" },
    rounds: { type: "string" },
    entries: { type: "string" },
    soak: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const plan = {
  processes: Number(options.processes ?? (options.quick ? 1 : 3)),
  rounds: Number(options.rounds ?? (options.quick ? 3 : 5)),
  persistenceRounds: Number(options.rounds ?? (options.quick ? 3 : PERSISTENCE_ROUNDS)),
  busyRounds: Number(options.rounds ?? (options.quick ? 3 : BUSY_ROUNDS)),
  warmups: options.quick ? 1 : 2,
  part: options.quick ? 1 / 4 : 1,
  entries: (options.entries ?? (options.quick ? "10000" : "100000")).split(",").map(Number),
};

const against = options.against === undefined || options.help || options.list ? null : takeBase(options.against);

if (options.help) console.log(USAGE);
else if (options.list) console.log(listed([...MEASURES, ...SNAPSHOTS, AUTO]));
else if (options.soak) process.exitCode = soak();
else await main();

function listed(measures) {
  return measures.map(({ id, title }) => `${id.padEnd(32)} ${title}`).join("\n");
}

async function main() {
  const environments = options.all ? ["node", "chromium"] : [options.browser ? "chromium" : "node"];
  let failed = false;
  for (const environment of environments) {
    const run = await runIn(environment);
    failed ||= report(run);
  }
  if (failed) process.exitCode = 1;
}

function soak() {
  if (options.against !== undefined) throw new Error("--soak is for one build: it has no --against");
  const args = ["--expose-gc", path("soak.mjs"), `--filter=${options.filter}`, ...(options.quick ? ["--quick"] : [])];
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status;
}

async function runIn(environment) {
  const browser = environment === "chromium" ? await launch() : null;
  const engines = available();
  const run = { environment, machine: machine(browser), plan, engines, against, results: [], sizes: [] };
  try {
    const openers = openersFor(engines, browser);
    for (const measure of MEASURES.filter(({ id }) => id.includes(options.filter))) {
      const asked = measure.engines.filter((engine) => engine in openers);
      if (asked.length === 0) continue;
      progress(run, await compare(measure, pick(openers, asked), plan));
    }
    const scripted = engines.filter((engine) => engine !== "native");
    if ("start/cold".includes(options.filter)) {
      const start = browser ? browser.cold : coldNode;
      progress(run, await coldStarts(scripted, start, options.quick ? 5 : COLD_ROUNDS));
    }
    if (builds(engines).length) {
      await persistence(run, browser?.openPlace ?? openPlace);
      await wholeVms(run, browser?.open ?? openNode, browser?.openPlace ?? openPlace);
    }
  } finally {
    await browser?.close();
  }
  if ("size".includes(options.filter)) run.sizes = await sizes(engines);
  run.machine.loadAfter = loadavg()[0];
  return run;
}

/** Returns those of `names` that are builds of Perilune. */
function builds(names) {
  return names.filter((name) => name in BUILDS);
}

/**
 * Returns the stores, or the VMs, among `all` that take part: the builds that do, and their peers when no
 * build is compared.
 */
function partakers(all, engines) {
  return all.filter((name) => (name in BUILDS ? engines.includes(name) : options.against === undefined));
}

async function persistence(run, subject) {
  const stores = partakers(STORES_IN[run.environment], run.engines);
  for (const entries of plan.entries) {
    const how = { entries, rounds: plan.persistenceRounds, commits: options.quick ? COMMITS / 4 : COMMITS };
    const measured = [];
    if ("persistence/whole".includes(options.filter)) measured.push(await wholes(stores, subject, how));
    if ("persistence/commit".includes(options.filter)) {
      for (const durability of ["relaxed", "strict"]) {
        measured.push(await commits(stores, subject, { ...how, durability }));
      }
    }
    for (const result of measured.flat()) progress(run, result);
  }
}

/** Measures whole VMs: each way to capture and to restore one, and what `resume` costs. */
async function wholeVms(run, open, subject) {
  const asked = SNAPSHOTS.filter(({ id }) => id.includes(options.filter));
  for (const result of await snapshots(asked, partakers(Object.keys(VMS), run.engines), open, plan))
    progress(run, result);
  if (!AUTO.id.includes(options.filter)) return;
  const how = { rounds: plan.busyRounds, ms: BUSY_MS * plan.part };
  for (const result of await resumeCost(builds(run.engines), subject, how)) progress(run, result);
}

function available() {
  const missing = (engine, why) => console.error(`${engine} is left out: ${why}`);
  const all = (options.engines ?? (against ? "perilune" : "perilune,wasmoon,fengari,native")).split(",");
  if (against && !all.includes("base")) all.splice(1, 0, "base");
  return all.filter((engine) => {
    if (engine === "perilune" && !existsSync(PERILUNE))
      return missing(engine, "web/dist/perilune.wasm is missing (cargo xtask build)");
    if (engine === "native" && !nativeHarness()) return missing(engine, "lua-5.4/src is missing (cargo xtask build)");
    if (engine === "base" && !against) throw new Error("the engine base is the build that --against names");
    if (!["perilune", "base", "wasmoon", "fengari", "native"].includes(engine)) throw new Error(`no engine ${engine}`);
    return true;
  });
}

function openersFor(engines, browser) {
  const opener = (engine) => {
    if (engine === "native") return (task) => openNative(nativeHarness(), task);
    return browser ? (task) => browser.open(engine, task) : (task) => openNode(engine, task);
  };
  return Object.fromEntries(engines.map((engine) => [engine, opener(engine)]));
}

function pick(openers, engines) {
  return Object.fromEntries(engines.map((engine) => [engine, openers[engine]]));
}

function progress(run, result) {
  run.results.push(result);
  const shown = Object.entries(result.engines).map(([engine, { median, error }]) =>
    error ? `${engine}: ${error}` : `${engine} ${median.toPrecision(3)}`,
  );
  console.error(`${result.id.padEnd(28)} ${result.unit}  ${shown.join("  ")}`);
}

/** Writes the JSON, prints the tables; true if an engine failed. */
function report(run) {
  mkdirSync(OUTPUT, { recursive: true });
  const stamp = run.machine.date.replace(/[:.]/g, "-");
  const json = JSON.stringify(run, null, 1);
  for (const name of [`${run.environment}-${stamp}`, `${run.environment}-latest`]) {
    writeFileSync(`${OUTPUT}${name}.json`, json);
  }

  console.log(`\n## ${run.environment === "node" ? "Node" : "Chromium"}\n\n${prose(run)}\n`);
  const groups = [
    ["compute", "compute/"],
    ["eval", "eval/"],
    ["calls", "cross/call/"],
    ["values that cross", "cross/value/"],
    ["tables", "table/"],
    ["start", "start/"],
    ["persistence", "persistence/"],
    ["snapshots", ...Object.keys(STATES).map((state) => `snapshot/${state}/`)],
  ];
  const tables = groups
    .map(([title, ...prefixes]) => {
      const results = run.results.filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix)));
      return { title, results };
    })
    .filter(({ results }) => results.length > 0);
  for (const { title, results } of tables) console.log(`${table(title, results, title === "compute")}\n`);
  const resumed = run.results.filter(({ id }) => id.startsWith(AUTO.id));
  if (resumed.length) console.log(`${resumeTable(resumed)}\n`);
  if (run.sizes.length) console.log(`${sizeTable(run.sizes)}\n`);
  if (run.against && tables.length) console.log(`${comparison(tables)}\n`);

  const failures = errors(run, (error) => !isLeftOut(error));
  const reasons = errors(run, (error) => isLeftOut(error) && error !== "unsupported");
  if (reasons.length) console.log(`Left out:\n${reasons.join("\n")}\n`);
  if (failures.length) console.log(`Failed:\n${failures.join("\n")}\n`);
  return failures.length > 0;
}

/** Returns a line for each error and its engine, however many rows it concerns. */
function errors(run, wanted) {
  const rows = new Map();
  for (const { id, engines } of run.results) {
    for (const [engine, { error }] of Object.entries(engines)) {
      if (!error || !wanted(error)) continue;
      const what = `${engine}: ${error}`;
      rows.set(what, [...(rows.get(what) ?? []), id]);
    }
  }
  return [...rows].map(
    ([what, [id, ...others]]) => `- ${id}${others.length ? ` and ${others.length} more` : ""}, ${what}`,
  );
}

function prose({ machine: m, plan: p, against }) {
  const samples = p.processes * p.rounds;
  return [
    `${m.date.slice(0, 10)}, ${m.cpu} (${m.cores} cores, Linux ${m.kernel}), ${m.runtime}, commit ${m.commit};`,
    `load ${m.loadBefore.toFixed(1)} before and ${m.loadAfter.toFixed(1)} after.`,
    `Times, so less is better: median ± median distance from it, of ${samples} interleaved samples`,
    `(fresh ${m.chromium ? "pages" : "processes"}: ${p.processes}, rounds in each: ${p.rounds}; of persistence: ${p.persistenceRounds}, of \`resume\`: ${p.busyRounds}) of work checked to be the same.`,
    ...(against
      ? [
          `base: ${against.folder} (${against.base}${against.base === against.ours ? ", the same files" : ""}); ours: ${against.ours}.`,
        ]
      : []),
    `wasmoon ${m.versions.wasmoon}, fengari ${m.versions.fengari} (an eighth of each workload, scaled up),`,
    `native: the same C files, ${m.gcc}, ${FLAGS.join(" ")}; idb-keyval ${m.versions["idb-keyval"]}, quickjs-wasi ${m.versions["quickjs-wasi"]}.${options.quick ? " A quick look: not a result." : ""}`,
  ].join("\n");
}

function machine(browser) {
  const said = (program, ...args) => {
    try {
      return execFileSync(program, args, {
        encoding: "utf8",
        cwd: path(".."),
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    } catch {
      return "";
    }
  };
  const installed = (name) => JSON.parse(readFileSync(path(`node_modules/${name}/package.json`), "utf8")).version;
  const dirty = said("git", "status", "--porcelain", "--untracked-files=no") ? "+" : "";
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0].model,
    cores: cpus().length,
    kernel: release(),
    runtime: browser ? `Chromium ${browser.version}` : `Node ${process.versions.node}`,
    chromium: Boolean(browser),
    commit: (said("git", "rev-parse", "--short", "HEAD") || "none") + dirty,
    gcc: said("gcc", "--version").split("\n")[0],
    versions: Object.fromEntries(
      ["wasmoon", "fengari", "idb-keyval", "quickjs-wasi"].map((name) => [name, installed(name)]),
    ),
    loadBefore: loadavg()[0],
  };
}
