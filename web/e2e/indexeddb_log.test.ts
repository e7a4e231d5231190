/**
 * Tests, on the disk, how src/js/storage/indexeddb/log.js helps LevelDB: a log that is torn, as by a kill in
 * the middle of a write, is not written to any more once a database has been opened, so no later start
 * stumbles over it.
 *
 * Nothing is killed here (crash.test.ts does that): the log is torn by hand, and pages are kept from
 * announcing their end.
 */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { chromium } from "playwright-core";
import { EXECUTABLE, FLAGS, LEVELDB, serve, type Site } from "./browser.ts";
import { until } from "../test/time.ts";

/** LevelDB divides its logs into blocks of this size. */
const BLOCK_BYTES = 32 * 1024;
/** Bytes of the header of a record: checksum, length, kind. */
const HEADER_BYTES = 7;
/** The kind of a record that is all in one piece. */
const FULL = 1;

/** Behaviour of a page. */
interface How {
  /** True for a page that does not announce its end, as if it had been killed. */
  silent?: boolean;
  /** True for a page that closes the database before it ends. */
  close?: boolean;
  userAgent?: string;
}

/** Contents of storage that a start of the browser found, and the logs that it left. */
interface Found {
  contents: [string, string][];
  databases: (string | undefined)[];
  /** Paths of the logs. */
  logs: string[];
}

suite("a torn log of LevelDB", () => {
  let folder: string;
  let site: Site;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "perilune-log-"));
    site = await serve({ script: "indexeddb_main.ts" });
  });
  after(async () => {
    site.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  // What is written behind half a record is taken for its other half. When that shows, Chromium deletes
  // everything; when the log is at its end before the record is, what was written is passed over without a
  // word.
  for (const [kind, bytes] of [
    ["short", 64],
    ["long", 16 * 1024],
  ] as const) {
    test(`is ended when a database is opened, and nothing is lost (a ${kind} record)`, async () => {
      const { torn, second, third } = await threeStarts(join(folder, kind), bytes, { silent: true });
      assert.ok(!second.logs.includes(torn), "the torn log is still in use");
      assert.deepEqual(second.contents, [["before", "1"]]);
      assert.deepEqual(second.databases, ["perilune/torn"]);
      assert.deepEqual(third.contents, [
        ["after", "2"],
        ["before", "1"],
      ]);
    });

    test(`is left alone where the browser is not known to be based on Chromium (a ${kind} record)`, async () => {
      const how = { silent: true, userAgent: "some other browser" };
      const { torn, second, third } = await threeStarts(join(folder, `${kind}, else`), bytes, how);
      assert.deepEqual(second.logs, [torn]);
      // When this is everything one day, indexeddb/log.js has done its duty.
      console.log("without it there is left:", third.contents);
    });
  }

  test("is not suspected when the page was closed, left or has closed the database", async () => {
    const profile = join(folder, "clean");
    const { logs } = await start(profile, {}, { a: "1" });
    assert.deepEqual((await start(profile, {}, { b: "2" })).logs, logs);
    assert.deepEqual((await start(profile, { silent: true, close: true }, { c: "3" })).logs, logs);
    assert.deepEqual((await start(profile, { silent: true }, {})).logs, logs);
    assert.notDeepEqual((await start(profile, {}, {})).logs, logs);
  });

  test("is suspected again when the browser has kept the page and goes back to it", async () => {
    const context = await chromium.launchPersistentContext(join(folder, "back"), {
      executablePath: EXECUTABLE,
      args: [...FLAGS, LEVELDB],
    });
    const page = await context.newPage();
    await page.goto(site.origin);
    await page.waitForFunction(() => "ready" in globalThis);
    const found = await page.evaluate(async () => {
      await idb.open("back");
      const database = await idb.rawOpen("back");
      const open = [];
      for (const event of ["", "pagehide", "pageshow"]) {
        if (event !== "") dispatchEvent(new PageTransitionEvent(event, { persisted: true }));
        const meta = (await idb.rawAll(database, "meta")) as { name: string }[];
        open.push(meta.some(({ name }) => name === "open"));
      }
      return open;
    });
    assert.deepEqual(found, [true, false, true]);
    await context.close();
  });

  /** Writes, tears the log in a record of so many bytes, writes again, and starts once more. */
  async function threeStarts(profile: string, bytes: number, how: How) {
    const first = await start(profile, how, { before: "1" });
    const [torn = ""] = first.logs;
    await tear(torn, bytes);
    const second = await start(profile, how, { after: "2" });
    const third = await start(profile, how, {});
    return { torn, second, third };
  }

  /** Opens the database in a new browser, reads it, and writes to it. */
  async function start(profile: string, { silent, close, userAgent }: How, changes: Record<string, string>) {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: EXECUTABLE,
      args: [...FLAGS, LEVELDB],
      ...(userAgent === undefined ? {} : { userAgent }),
    });
    try {
      const page = await context.newPage();
      if (silent === true) {
        await page.addInitScript(() => addEventListener("pagehide", (event) => event.stopImmediatePropagation()));
      }
      await page.goto(site.origin);
      await page.waitForFunction(() => "ready" in globalThis);
      const found = await page.evaluate(async (changes) => {
        const opened = await idb.open("torn");
        const contents = await idb.contents();
        const committed = await idb.commit(changes);
        const databases = (await indexedDB.databases()).map(({ name }) => name);
        return { codes: [opened, committed], contents, databases };
      }, changes);
      assert.deepEqual(found.codes, ["ok", "ok"]);
      if (close === true) await page.evaluate(() => idb.backend().close());
      await page.goto("about:blank");
      return { ...found, logs: await logs(profile) } satisfies Found;
    } finally {
      await context.close();
    }
  }
});

/** The logs that are there when Chromium has deleted those it needs no more. */
async function logs(profile: string): Promise<string[]> {
  const databases = join(profile, "Default", "IndexedDB");
  let found: string[] = [];
  await until(async () => {
    const [folder = ""] = (await readdir(databases)).filter((name) => name.endsWith(".indexeddb.leveldb"));
    const names = (await readdir(join(databases, folder))).filter((name) => name.endsWith(".log"));
    found = names.map((name) => join(databases, folder, name));
    return found.length === 1;
  });
  return found;
}

/** Begins a record of so many bytes and does not end it. */
async function tear(log: string, bytes: number): Promise<void> {
  // Records do not cross the borders of blocks.
  assert.ok(((await stat(log)).size % BLOCK_BYTES) + HEADER_BYTES + bytes <= BLOCK_BYTES);
  const record = Buffer.alloc(HEADER_BYTES + bytes / 2);
  record.writeUInt16LE(bytes, 4);
  record[6] = FULL;
  await appendFile(log, record);
}
