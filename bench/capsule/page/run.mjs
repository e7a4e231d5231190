// Benchmarks of the capsule in Chromium: `npm run capsule:page` in bench, after `cargo xtask build`.
// README.md says how it measures.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { modules } from "../../lib/bundle.mjs";
import { launchChromium } from "../../lib/chromium.mjs";
import { markdown } from "../../lib/report.mjs";
import { serve } from "../../lib/server.mjs";
import { HEAD, rows } from "../rows.mjs";
import { PAGE_MEASURES } from "./measures.mjs";

const USAGE = `npm run capsule:page -- [OPTIONS]

  --quick          one page and three rounds for each measure: a look, not a result
  --filter TEXT    only measures whose name begins with TEXT
  --pages N        fresh pages for each measure (2)
  --rounds N       samples of each side in each of them (5)
  --list           the names`;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const ROOT = path("../../../");
const OUTPUT = `${ROOT}target/bench/`;
const PACKAGES = path("../../node_modules/");
/** SQLocal brings a version of SQLite of its own. */
const SQLITE_OF_SQLOCAL = `${PACKAGES}sqlocal/node_modules/@sqlite.org/sqlite-wasm/`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    filter: { type: "string", default: "" },
    pages: { type: "string" },
    rounds: { type: "string" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const pages = Number(options.pages ?? (options.quick ? 1 : 2));
const rounds = Number(options.rounds ?? (options.quick ? 3 : 5));
const warmups = options.quick ? 1 : 2;

async function main() {
  await bundleSqlocal();
  const server = await serve(ROOT);
  const chromium = await launchChromium();
  const before = loadavg()[0];
  const results = [];
  try {
    for (const measure of PAGE_MEASURES.filter(({ id }) => id.startsWith(options.filter))) {
      process.stderr.write(`${measure.id}\n`);
      results.push({ measure, ...(await measured(measure, server, chromium)) });
    }
  } finally {
    await chromium.close();
    server.close();
  }
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model}, ${cpus().length} cores, Linux ${release()},`,
  );
  console.log(`Chromium ${chromium.version}; load ${before.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after.`);
  console.log(`Medians of ${pages * rounds} interleaved samples (fresh pages: ${pages}). ${versions()}.\n`);
  console.log(markdown(HEAD, results.flatMap(rows)));
  const kept = results.map(({ measure, samples, error }) => ({ id: measure.id, samples, error }));
  writeFileSync(`${OUTPUT}capsule-page.json`, JSON.stringify(kept, null, 1));
  if (results.some(({ error }) => error)) process.exitCode = 1;
}

/** Samples of all sides, from all pages. Each page has an origin of its own, with files on the disk. */
async function measured(measure, server, chromium) {
  const samples = Object.fromEntries(Object.keys(measure.sides).map((name) => [name, []]));
  for (let n = 0; n < pages; n += 1) {
    const { url, ask, forget } = server.newPage({ ownOrigin: true, path: "/bench/capsule/page/page.html" });
    const page = await chromium.openOrdinary(url);
    try {
      const answer = await ask({ id: measure.id, rounds, warmups });
      for (const name of Object.keys(samples)) samples[name].push(...answer.samples[name]);
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
      return { samples, error: error.message };
    } finally {
      await page.close();
      forget();
    }
  }
  return { samples };
}

/** Bundles SQLocal and its worker, and puts the files beside it that SQLite looks for there. */
async function bundleSqlocal() {
  const folder = `${OUTPUT}sqlocal/`;
  mkdirSync(folder, { recursive: true });
  const source = (name) => `${PACKAGES}sqlocal/dist/${name}.js`;
  await modules({ client: source("client"), worker: source("worker") }, folder);
  for (const name of ["sqlite3.wasm", "sqlite3-opfs-async-proxy.js"]) {
    copyFileSync(`${SQLITE_OF_SQLOCAL}dist/${name}`, `${folder}${name}`);
  }
}

function versions() {
  const version = (folder) => JSON.parse(readFileSync(`${folder}package.json`, "utf8")).version;
  return [
    `SQLocal ${version(`${PACKAGES}sqlocal/`)} with sqlite-wasm ${version(SQLITE_OF_SQLOCAL)}`,
    `@sqlite.org/sqlite-wasm ${version(`${PACKAGES}@sqlite.org/sqlite-wasm/`)}`,
  ].join(", ");
}

if (options.help) console.log(USAGE);
else if (options.list) for (const { id, title } of PAGE_MEASURES) console.log(id.padEnd(28), title);
else await main();
