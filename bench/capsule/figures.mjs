// Figures that are measured once: memory by part, bytes of records, databases of several sizes, sizes of
// what a page loads.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { minified } from "../lib/bundle.mjs";
import { markdown } from "../lib/report.mjs";
import { makePlace } from "./places.mjs";
import { title } from "./inserts.mjs";
import { timed } from "./timed.mjs";

const MIB = 1 << 20;
const RECORDS = 1000;
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const capsuleEntry = () => import("../../web/dist/capsule_node.js");
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
const mb = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
const ms = (value) => value.toFixed(value < 1 ? 3 : value < 100 ? 1 : 0);

/** Returns the table of memory: that of an empty capsule, of one with tables, and of one with Lua at work. */
export async function memoryTable() {
  const { Capsule } = await capsuleEntry();
  const rows = [];
  const note = (name, capsule) => {
    const { memoryBytes, sqliteMemory, luaBytes, databaseBytes, logChanges } = capsule.stats();
    rows.push([name, mb(memoryBytes), mb(sqliteMemory), kb(luaBytes), mb(databaseBytes), String(logChanges)]);
  };
  const capsule = await Capsule.open(":memory:");
  note("empty", capsule);
  capsule.execute("CREATE TABLE tasks(id INTEGER PRIMARY KEY, title TEXT, completed INTEGER)");
  note("one table", capsule);
  capsule.executeLua("function validate_insert(t, row) return #row.title > 3 end");
  note("and a rule in Lua", capsule);
  const rowsOf = (count) => Array.from({ length: count }, (_, n) => ({ title: title(n), completed: n % 2 }));
  capsule.insertMultiple("tasks", rowsOf(10_000));
  note("and 10,000 rows, logged, in one transaction", capsule);
  await capsule.close();
  const head = ["memory", "of the module", "of SQLite", "of Lua", "database", "changes in the log"];
  return markdown(head, rows);
}

/** Returns the table of bytes for 1,000 records: in the database, and in the log. */
export async function recordTable() {
  const { Capsule } = await capsuleEntry();
  const text = (n) => ({ content: `the text of record ${n} `.repeat(3) });
  const json = (n) => ({ content: { id: n, name: `record ${n}`, tags: ["a", "b", "c"], address: { city: "Berlin" } } });
  const rows = [];
  for (const [name, record] of [
    ["text of 70 letters", text],
    ["JSON of 90 letters", json],
  ]) {
    const grown = async (enabled) => {
      const place = makePlace();
      const capsule = await Capsule.open(place.file, { capsule: { enabled } });
      capsule.execute("CREATE TABLE records(id INTEGER PRIMARY KEY, content TEXT)");
      const used = () => capsule.stats().databaseBytes - capsule.stats().freeBytes;
      const before = used();
      const count = 10 * RECORDS;
      capsule.insertMultiple(
        "records",
        Array.from({ length: count }, (_, n) => record(n)),
      );
      const bytes = ((used() - before) / count) * RECORDS;
      await capsule.close();
      place.remove();
      return bytes;
    };
    const [without, logged] = [await grown(false), await grown(true)];
    rows.push([name, kb(without), kb(logged - without)]);
  }
  return markdown(["1,000 records", "in their table", "their events in the log"], rows);
}

/** Returns the table of databases of `sizes` MB. */
export async function databaseTable(sizes) {
  const { Capsule } = await capsuleEntry();
  const rows = [];
  for (const size of sizes) {
    const place = makePlace();
    let capsule = await Capsule.open(place.file, { capsule: { enabled: false } });
    capsule.execute("CREATE TABLE records(id INTEGER PRIMARY KEY, n INTEGER, content TEXT)");
    const content = "x".repeat(1000);
    const count = size * 1000;
    for (let from = 0; from < count; from += 5000) {
      const some = Array.from({ length: Math.min(5000, count - from) }, (_, n) => ({ n: from + n, content }));
      capsule.insertMultiple("records", some);
    }
    await capsule.close();
    const opened = await timed(async () => {
      capsule = await Capsule.open(place.file);
      capsule.queryScalar("SELECT 1 FROM records");
    });
    const scanned = await timed(() => capsule.queryScalar("SELECT count(*) FROM records WHERE n % 7 = 0"));
    const times = async (repeats, work) =>
      (await timed(() => {
        for (let n = 0; n < repeats; n += 1) work(n);
      })) / repeats;
    const step = Math.max(1, Math.floor(count / 1000));
    const selected = await times(1000, (n) => capsule.queryOne("SELECT * FROM records WHERE id = ?", [1 + n * step]));
    const inserted = await times(200, (n) => capsule.insert("records", { n, content }));
    const { memoryBytes } = capsule.stats();
    rows.push([`${size} MB`, ms(opened), ms(selected), ms(scanned), ms(inserted), mb(memoryBytes)]);
    await capsule.close();
    place.remove();
  }
  const head = ["database", "open, ms", "row by key, ms", "scan, ms", "insert and commit, ms", "memory"];
  return markdown(head, rows);
}

const PACKAGES = [
  ["perilune/capsule", "../../web/dist/capsule.js", ["../../web/dist/capsule.wasm"]],
  [
    "sqlite-wasm",
    "../node_modules/@sqlite.org/sqlite-wasm/dist/index.mjs",
    ["../node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm"],
  ],
  [
    "PGlite with live queries",
    "../node_modules/@electric-sql/pglite/dist/index.js",
    ["../node_modules/@electric-sql/pglite/dist/pglite.wasm", "../node_modules/@electric-sql/pglite/dist/pglite.data"],
  ],
];

/** Returns the table of sizes of what a page loads. */
export async function sizesTable() {
  const sized = (all) => ({
    raw: all.reduce((sum, bytes) => sum + bytes.length, 0),
    gzip: all.reduce((sum, bytes) => sum + gzipSync(bytes, { level: 9 }).length, 0),
  });
  const shown = ({ raw, gzip }) => `${raw} (${gzip})`;
  const rows = [];
  for (const [name, entry, files] of PACKAGES) {
    try {
      const binary = files.map((file) => readFileSync(path(file)));
      const js = [await minified(path(entry))];
      rows.push([name, shown(sized(binary)), shown(sized(js)), shown(sized([...binary, ...js]))]);
    } catch (error) {
      rows.push([name, "failed", error.message.split("\n")[0], ""]);
    }
  }
  return markdown(["size, bytes (gzip -9)", "wasm and data", "JS, minified", "together"], rows);
}
