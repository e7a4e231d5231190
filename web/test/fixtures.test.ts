/**
 * Storage that older versions left is still read, entry by entry: a fixture of each format that was ever
 * written.
 *
 * tests/vectors/storage: `idb-format-1.json` (see e2e/storage.test.ts), `records-2.json` (format 2, what
 * IndexedDB and storage objects keep: bytes as hex under their keys), `file-1.log` (a log, closed),
 * `dump-1.*` (see dump.test.ts). None of them is ever made anew: a new format gets a new file.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { suite, test } from "node:test";
import { fileStorage } from "../src/storage/file/storage.ts";
import { Lua, setFileStorage } from "../src/index.ts";
import { bytesOf, hexOf } from "./helpers.ts";
import { RecordBackend } from "./record_backend.ts";

setFileStorage(fileStorage);

const folder = resolve("../tests/vectors/storage");

/** Programs that wrote them: three steps, each a commit. */
const STEPS = [
  `local t = ext.table("everything")
   t.yes, t.no, t.integer, t.float, t.whole = true, false, math.mininteger, 0.1, 1.0
   t.nan, t.inf, t.zero = 0 / 0, -math.huge, -0.0
   t.text, t.bytes, t.empty = "h\\u{e9}llo", "\\0\\xff\\x80", ""
   t.nested = { 1, 2, { x = { y = "z" } }, [true] = 1.5 }
   local cycle = { "me" } cycle.self = cycle
   t.cycle, t.other = cycle, ext.table("other \\u{1F600}")
   t[1], t[-1], t[1.5], t[true], t[""], t["\\xff"], t[math.maxinteger] = 1, 2, 3, 4, 5, 6, 7
   t.page, t.apart = ("x"):rep(900), ("y"):rep(1500)
   local list = ext.table("list")
   for i = 1, 200 do list[i] = i * i end
   ext.table("gone").x = 1`,
  `local list = ext.table("list")
   for i = 65, 128 do list[i] = nil end
   list[1], list.last = "first still", true
   ext.drop("gone")
   ext.table("everything").apart = ("z"):rep(1200)`,
  `ext.table("other \\u{1F600}").late = 1`,
];

/** The same, in memory: what must be read. */
async function expected(): Promise<string> {
  const lua = await Lua.create();
  for (const step of STEPS) lua.eval(step);
  const dump = lua.dump({ format: "json" });
  await lua.close();
  return dump;
}

suite("what older versions left is read as it was written", () => {
  test("records of format 2", async () => {
    const storage = new RecordBackend();
    const records: Record<string, string> = JSON.parse(readFileSync(join(folder, "records-2.json"), "utf8"));
    for (const [key, hex] of Object.entries(records)) storage.records.set(key, bytesOf(hex));
    const lua = await Lua.create({ storage });
    assert.equal(lua.dump({ format: "json" }), await expected());
    // Reading has changed nothing, and writing goes on from there.
    await lua.flush();
    assert.equal(storage.commits, 0);
    lua.eval("ext.table('list').more = 1");
    await lua.close();
    assert.deepEqual([storage.commits], [1]);
  });

  test("a log of format 1", async () => {
    const scratch = mkdtempSync(join(tmpdir(), "perilune-"));
    try {
      const path = join(scratch, "copy");
      copyFileSync(join(folder, "file-1.log"), path);
      for (const readOnly of [true, false]) {
        const lua = await Lua.create({ storage: `file:${path}`, readOnly });
        assert.equal(lua.dump({ format: "json" }), await expected());
        await lua.close();
      }
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

/** Folder for the fixtures of the next format: `PERILUNE_FIXTURES=folder npm test -- fixtures`. */
const target = process.env["PERILUNE_FIXTURES"];
if (target !== undefined) {
  test("write fixtures", async () => {
    const storage = new RecordBackend();
    for (const place of [storage, `file:${join(target, "file.log")}`]) {
      const lua = await Lua.create({ storage: place });
      for (const step of STEPS) {
        lua.eval(step);
        await lua.flush();
      }
      await lua.close();
    }
    const records = Object.fromEntries([...storage.records].map(([key, bytes]) => [key, hexOf(bytes)]));
    writeFileSync(join(target, "records.json"), `${JSON.stringify(records, null, 1)}\n`);
  });
}
