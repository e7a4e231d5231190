/**
 * The IndexedDB backend by itself: what it promises those above it, and what the browser and other pages do
 * to it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import type { CDPSession, Page } from "playwright-core";
import { backendConformance } from "../test/backend_conformance.ts";
import { setUp, type Setup } from "./browser.ts";
import type { Format1 } from "./indexeddb_page.ts";

const fixture: Format1 = JSON.parse(readFileSync(resolve("../tests/vectors/storage/idb-format-1.json"), "utf8"));

/** Bytes that a large commit or load may take from a page, or give it, before it lets others have a turn. */
const MOST_BYTES = 1024 * 1024;
/** Bytes that the first answer of a load may have: 64 records that are not read one by one. */
const FIRST_BYTES = 64 * 65_536;
/** Records that a load may give a page before it lets others have a turn. */
const MOST_RECORDS = 128;

let setup: Setup;
before(async () => void (setup = await setUp({ script: "indexeddb_main.ts" })));
after(() => setup.close());

/** A test with so many pages, closed afterwards. */
function paged(name: string, count: number, run: (...pages: [Page, Page, Page]) => Promise<void>): void {
  test(name, async () => {
    const pages = await Promise.all(Array.from({ length: count }, () => setup.open()));
    await run(...(pages as [Page, Page, Page]));
    await Promise.all(pages.map((page) => page.close()));
  });
}

function devtools(page: Page): Promise<CDPSession> {
  return page.context().newCDPSession(page);
}

suite("the contract of a backend", () => {
  let page: Page;
  before(async () => void (page = await setup.open()));
  after(() => page.close());
  // Only its names are wanted here.
  for (const [name] of backendConformance(() => Promise.reject(new Error("not in Node")))) {
    test(name, () => page.evaluate((name) => idb.conforms(name), name));
  }
});

suite("records", () => {
  paged("are what was committed, overwritten and removed", 1, async (page) => {
    const found = await page.evaluate(async () => {
      const codes = [await idb.open("records"), await idb.commit({ a: "1", b: "2", c: "3", empty: "" })];
      codes.push(await idb.commit({ a: "changed", b: null, never: null, d: "4" }), await idb.commit({}));
      const before = await idb.contents();
      idb.backend().close();
      codes.push(await idb.open("records"));
      return { codes, before, after: await idb.contents() };
    });
    assert.deepEqual(found.codes, ["ok", "ok", "ok", "ok", "ok"]);
    assert.deepEqual(found.before, [
      ["a", "changed"],
      ["c", "3"],
      ["d", "4"],
      ["empty", ""],
    ]);
    assert.deepEqual(found.after, found.before);
  });

  paged("lie in the database as the layout says", 1, async (page) => {
    const found = await page.evaluate(async () => {
      await idb.open("layout");
      // A piece of something larger is kept without the rest.
      const piece = new Uint8Array(1000).subarray(10, 12);
      await idb.backend().commit([["a", piece]]);
      await idb.commit({ b: "x" });
      const database = await idb.rawOpen("layout");
      const meta = (await idb.rawAll(database, "meta")) as { name: string; value: unknown }[];
      const records = (await idb.rawAll(database, "records")) as { k: string; v: Uint8Array }[];
      database.close();
      return {
        version: database.version,
        stores: [...database.objectStoreNames],
        meta: meta.map(({ name, value }) => [name, name === "writer" ? typeof value : value]),
        records: records.map(({ k, v }) => [k, [...v], v.buffer.byteLength]),
      };
    });
    assert.deepEqual(found, {
      version: 2,
      stores: ["meta", "records"],
      meta: [
        ["format", 2],
        ["open", true],
        ["records", true],
        ["version", 2],
        ["writer", "string"],
      ],
      records: [
        ["a", [0, 0], 2],
        ["b", [120], 1],
      ],
    });
  });

  paged("are loaded with progress; what visit throws ends it", 1, async (page) => {
    const found = await page.evaluate(async () => {
      await idb.open("progress");
      await idb.backend().commit(idb.many(1000, 100));
      const told: [number, number][] = [];
      let visited = 0;
      await idb.backend().load(
        () => (visited += 1),
        (done, total) => told.push([done, total]),
      );
      const cause = new Error("enough");
      const thrown = await idb
        .backend()
        .load(() => {
          throw cause;
        })
        .catch((error: unknown) => error);
      return { told, visited, same: thrown === cause, still: (await idb.contents()).length };
    });
    assert.equal(found.visited, 1000);
    assert.deepEqual(found.told[0], [0, 1000]);
    assert.deepEqual(found.told.at(-1), [1000, 1000]);
    assert.ok(found.told.length > 3);
    assert.ok(found.told.every(([done], i) => i === 0 || done > found.told[i - 1]![0]));
    assert.deepEqual([found.same, found.still], [true, 1000]);
  });

  paged("of any size are written and read without holding the page up", 1, async (page) => {
    const round = (count: number, size: number, recordMs: number) =>
      page.evaluate(
        async ([name, count, size, recordMs]) => {
          await idb.open(name);
          const commit = await idb.stretches(recordMs, (note) => {
            const changes = function* () {
              for (const change of idb.many(count, size)) {
                note(size);
                yield change;
              }
            };
            return idb.backend().commit(changes());
          });
          let records = 0;
          let wrong = 0;
          const load = await idb.stretches(recordMs, (note) =>
            idb.backend().load((key, bytes) => {
              note(size);
              records += 1;
              if (bytes.length !== size || bytes[size - 1] !== (Number(key.slice(1)) + 1) % 256) wrong += 1;
            }),
          );
          idb.backend().close();
          await idb.deleteDatabase(name);
          return { commit, load, records, wrong };
        },
        [`many ${count} ${size} ${recordMs}`, count, size, recordMs] as const,
      );
    const most = (all: { records: number; bytes: number }[], what: "records" | "bytes") =>
      Math.max(...all.map((stretch) => stretch[what]));
    for (const [count, size] of [
      [1600, 2500],
      [16_000, 2500],
      [600, 65_536],
      [40, 1_048_576],
    ] as const) {
      // By their size, where each takes no time.
      const { commit, load, records, wrong } = await round(count, size, 0);
      assert.deepEqual([records, wrong], [count, 0]);
      assert.ok(most(commit, "bytes") <= MOST_BYTES + size, `${most(commit, "bytes")} bytes written in one go`);
      // Before the first answer nobody knows how large they are; the second was asked for by then.
      const [first, ...later] = load.map(({ bytes }) => bytes);
      assert.ok((first ?? 0) <= FIRST_BYTES, `${first} bytes read at first`);
      assert.ok(Math.max(0, ...later) <= MOST_BYTES + size, `${Math.max(...later)} bytes read in one go`);
      assert.ok(most(load, "records") <= MOST_RECORDS);
    }
    for (const [count, size] of [
      [1600, 100],
      [300, 65_536],
    ] as const) {
      // By the time that they take.
      const { commit, load, records, wrong } = await round(count, size, 1);
      assert.deepEqual([records, wrong], [count, 0]);
      assert.ok(most(commit, "records") <= 10, `${most(commit, "records")} records written in one go`);
      // Before the first one was read, nobody knows how long it takes; and one more was asked for by then.
      const later = load.filter(({ records }, i) => i > 1 && records > 6);
      assert.ok(later.length === 0, `read in one go: ${load.map(({ records }) => records).join()}`);
    }
  });

  paged("are all there, whatever sizes follow one another", 1, async (page) => {
    const wrong = await page.evaluate(async () => {
      await idb.open("mixed");
      const small = [0, 1, 100, 65_536];
      const large = [65_537, 300_000, 1_048_576];
      // Runs of small and large ones: at the beginning, in between, side by side, at the end.
      const sizes = [...large, ...Array(300).fill(50), ...large, ...large, ...small, ...large, ...Array(128).fill(9)];
      for (const order of [sizes, sizes.reverse()]) {
        const records = order.map((size, i): [string, Uint8Array] => [String(i + 1000), new Uint8Array(size).fill(i)]);
        await idb.backend().commit(records);
        const found: [string, Uint8Array][] = [];
        await idb.backend().load((key, bytes) => found.push([key, bytes]));
        const same = records.every(([key, bytes], i) => {
          const [foundKey, foundBytes] = found[i] ?? [];
          return foundKey === key && foundBytes?.length === bytes.length && foundBytes.at(-1) === bytes.at(-1);
        });
        if (!same || found.length !== records.length) return `${found.length} of ${records.length}`;
      }
      return "nothing";
    });
    assert.equal(wrong, "nothing");
  });
});

suite("a commit that fails", () => {
  paged("because pulling throws: nothing is committed, the error is passed on", 1, async (page) => {
    const found = await page.evaluate(async () => {
      await idb.open("throwing");
      await idb.commit({ a: "1", n: "0" });
      const cause = new Error("no more");
      const results: boolean[] = [];
      for (const good of [0, 1, 5000]) {
        let ended = false;
        const changes = function* () {
          try {
            yield ["n", idb.ascii(String(good))] as const;
            yield* idb.many(good, 1000);
            throw cause;
          } finally {
            ended = true;
          }
        };
        const error = await idb
          .backend()
          .commit(changes())
          .catch((error: unknown) => error);
        results.push(error === cause && ended);
      }
      const before = await idb.contents();
      const again = await idb.commit({ b: "2" });
      return { results, before, again, after: await idb.contents() };
    });
    assert.deepEqual(found, {
      results: [true, true, true],
      before: [
        ["a", "1"],
        ["n", "0"],
      ],
      again: "ok",
      after: [
        ["a", "1"],
        ["b", "2"],
        ["n", "0"],
      ],
    });
  });

  paged("because the database refuses: nothing is committed, pulling is ended", 1, async (page) => {
    const found = await page.evaluate(async () => {
      await idb.open("refusing");
      await idb.commit({ a: "1" });
      const { put } = IDBObjectStore.prototype;
      const codes: string[] = [];
      let ended = 0;
      const changes = function* () {
        try {
          yield* idb.many(5000, 1000);
        } finally {
          ended += 1;
        }
      };
      const attempt = async () => codes.push(await idb.code(idb.backend().commit(changes())));
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      await attempt();
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args);
        if (args[0].k === "r000000400") request.addEventListener("success", () => this.transaction.abort());
        return request;
      };
      await attempt();
      IDBObjectStore.prototype.put = put;
      const before = await idb.contents();
      await attempt();
      return { codes, ended, before, after: (await idb.contents()).length };
    });
    // What is refused before anything was pulled has nothing to end.
    assert.ok(found.ended >= 2);
    assert.deepEqual(found.codes, ["quota", "host", "ok"]);
    assert.deepEqual(found.before, [["a", "1"]]);
    assert.equal(found.after, 5001);
  });

  test("because the disk is full says so, and goes on when there is room again", async () => {
    // A browser of its own: Chromium remembers for a while how much room an origin has.
    const setup = await setUp({ script: "indexeddb_main.ts" });
    const { origin } = setup;
    const page = await setup.open();
    const cdp = await devtools(page);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 2_000_000 });
    const full = await page.evaluate(async () => [
      await idb.open("full"),
      await idb.commit({ a: "1" }),
      await idb.code(idb.backend().commit(idb.many(300, 60_000))),
      await idb.code(idb.backend().commit(idb.many(1, 20_000_000))),
      (await idb.contents()).length,
    ]);
    assert.deepEqual(full, ["ok", "ok", "quota", "quota", 1]);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin });
    const room = await page.evaluate(async () => [
      await idb.code(idb.backend().commit(idb.many(300, 60_000))),
      (await idb.contents()).length,
    ]);
    assert.deepEqual(room, ["ok", 301]);
    await setup.close();
  });
});

suite("one writer", () => {
  paged("others wait as long as they say, and follow when it lets go", 2, async (first, second) => {
    assert.equal(await first.evaluate(() => idb.open("shared")), "ok");
    const refused = await second.evaluate(async () => {
      const { setTimeout } = globalThis;
      const waits: number[] = [];
      globalThis.setTimeout = ((work: () => void, ms: number) => {
        waits.push(ms);
        return setTimeout(work, 1);
      }) as typeof setTimeout;
      const codes = [await idb.open("shared", { lockTimeout: 0 }), await idb.open("shared", { lockTimeout: 123_456 })];
      globalThis.setTimeout = setTimeout;
      return { codes, waits };
    });
    assert.deepEqual(refused, { codes: ["locked", "locked"], waits: [123_456] });
    const waiting = second.evaluate(() => idb.open("shared", { lockTimeout: Infinity }));
    await first.evaluate(async () => {
      await idb.until(async () => (await navigator.locks.query()).pending!.length > 0);
      await idb.commit({ a: "last" });
      idb.backend().close();
    });
    assert.equal(await waiting, "ok");
    assert.deepEqual(await second.evaluate(() => idb.contents()), [["a", "last"]]);
    // Whoever dies lets go, too.
    const next = first.evaluate(() => idb.open("shared", { lockTimeout: Infinity }));
    await second.close();
    assert.equal(await next, "ok");
    assert.equal(await first.evaluate(() => idb.code(idb.openIndexedDb("free", { lockTimeout: 0 }))), "ok");
    const closed = await first.evaluate(async () => {
      idb.backend().close();
      return [await idb.commit({ a: "2" }), await idb.code(idb.contents())];
    });
    assert.deepEqual(closed, ["closed", "closed"]);
  });

  paged("without Web Locks the one who comes later wins, and the other hears of it", 2, async (first, second) => {
    for (const page of [first, second]) {
      await page.evaluate(() => Object.defineProperty(navigator, "locks", { value: undefined }));
    }
    await first.evaluate(() => idb.open("unlocked").then(() => idb.commit({ a: "first" })));
    await second.evaluate(() => idb.open("unlocked").then(() => idb.commit({ b: "second" })));
    const codes = await first.evaluate(async () => [await idb.commit({ a: "again" }), await idb.commit({})]);
    assert.deepEqual(codes, ["locked", "locked"]);
    assert.equal(await second.evaluate(() => idb.commit({ c: "third" })), "ok");
    assert.deepEqual(await second.evaluate(() => idb.contents()), [
      ["a", "first"],
      ["b", "second"],
      ["c", "third"],
    ]);
  });
});

suite("older, newer and foreign databases", () => {
  paged("format 1 is brought up to date, whole", 1, async (page) => {
    const found = await page.evaluate(async (fixture) => {
      await idb.makeFormat1("old", fixture);
      let given: unknown;
      const code = await idb.open("old", {
        *upgrade(tables) {
          given = tables;
          for (const { id, name } of tables) yield [`t${id}`, idb.ascii(name)];
          yield* idb.many(2000, 1000) as Iterable<[string, Uint8Array]>;
        },
      });
      const records = await idb.contents();
      const database = await idb.rawOpen("old");
      const { version } = database;
      const stores = [...database.objectStoreNames];
      database.close();
      await idb.commit({ t1: "changed" });
      idb.backend().close();
      const again = await idb.open("old");
      return { code, given, count: records.length, first: records.at(-1), version, stores, again };
    }, fixture);
    const tables = fixture.tables.map((table) => ({
      ...table,
      entries: fixture.entries.filter(({ t }) => t === table.id).map(({ s, k, v }) => ({ seq: s, key: k, value: v })),
    }));
    assert.deepEqual(found.given, tables);
    assert.equal(found.count, tables.length + 2000);
    assert.deepEqual([found.code, found.version, found.stores, found.again], ["ok", 2, ["meta", "records"], "ok"]);
  });

  paged("what goes wrong in between leaves format 1 as it was", 1, async (page) => {
    const found = await page.evaluate(async (fixture) => {
      await idb.makeFormat1("stays", fixture);
      const cause = new Error("cannot read this");
      const thrown = await idb
        .openIndexedDb("stays", {
          *upgrade() {
            yield* idb.many(3000, 1000) as Iterable<[string, Uint8Array]>;
            throw cause;
          },
        })
        .catch((error: { cause?: unknown }) => error.cause);
      const follower = await idb.follow("stays");
      return { same: thrown === cause, follower, after: await idb.format1("stays") };
    }, fixture);
    assert.deepEqual([found.same, found.follower], [true, "older"]);
    assert.deepEqual(found.after, { version: 1, meta: fixture.meta, tables: fixture.tables, entries: fixture.entries });
  });

  paged("a page that holds format 1 open is waited for, and nothing happens later", 2, async (first, second) => {
    const held = await first.evaluate(async (fixture) => {
      await idb.makeFormat1("held", fixture);
      idb.shared.database = await idb.rawOpen("held");
      let asked = 0;
      idb.shared.database.onversionchange = () => (asked += 1);
      // Who only reads along does not even ask.
      const code = await idb.follow("held");
      return [code, asked];
    }, fixture);
    assert.deepEqual(held, ["older", 0]);
    const upgrading = (lockTimeout: number) =>
      second.evaluate(
        (lockTimeout) =>
          idb.open("held", { lockTimeout, upgrade: (tables) => tables.map(({ id }) => [`t${id}`, idb.ascii("x")]) }),
        lockTimeout,
      );
    assert.equal(await upgrading(300), "locked");
    const after = await first.evaluate(async () => {
      idb.shared.database!.close();
      await idb.pause(300);
      const { version } = await idb.format1("held");
      idb.shared.database = await idb.rawOpen("held");
      return version;
    });
    assert.equal(after, 1);
    const asked = first.evaluate(
      () =>
        new Promise<void>((resolve) => {
          idb.shared.database!.onversionchange = () => {
            idb.shared.database!.close();
            resolve();
          };
        }),
    );
    const waiting = upgrading(Infinity);
    await asked;
    assert.equal(await waiting, "ok");
    assert.equal((await second.evaluate(() => idb.contents())).length, fixture.tables.length);
  });

  paged("what is not understood is refused and left alone", 1, async (page) => {
    const found = await page.evaluate(async () => {
      const make = async (name: string, version: number, stores: string[], format?: number) => {
        const database = await idb.rawOpen(name, version, (database) => {
          for (const store of stores) database.createObjectStore(store, { keyPath: "name" });
        });
        if (format !== undefined) {
          const meta = database.transaction("meta", "readwrite").objectStore("meta");
          await new Promise((resolve) => (meta.put({ name: "format", value: format }).onsuccess = resolve));
        }
        database.close();
      };
      await make("later", 3, ["meta", "records"], 3);
      await make("later 1", 1, ["meta", "tables", "entries"], 3);
      await make("other", 1, ["things"]);
      await make("other 2", 2, ["things"]);
      await make("odd", 1, ["meta", "tables", "entries"]);
      const codes: string[][] = [];
      for (const name of ["later", "later 1", "other", "other 2", "odd", ""]) {
        const upgrade = () => [];
        const writing = [await idb.open(name, { upgrade }), await idb.open(name, { upgrade, lockTimeout: 0 })];
        codes.push([...writing, await idb.follow(name)]);
      }
      return codes;
    });
    assert.deepEqual(found, [
      ["newer", "newer", "newer"],
      // Only its version is looked at by who reads along.
      ["newer", "newer", "older"],
      ["foreign", "foreign", "foreign"],
      ["foreign", "foreign", "foreign"],
      ["foreign", "foreign", "older"],
      ["name", "name", "name"],
    ]);
  });
});

suite("a database that goes away", () => {
  paged("data that was cleared is handed over anew", 2, async (page, reader) => {
    const cdp = await devtools(page);
    await page.evaluate(() => idb.open("cleared").then(() => idb.commit({ a: "1", b: "2" })));
    await reader.evaluate(() => idb.follow("cleared"));
    await cdp.send("Storage.clearDataForOrigin", { origin: setup.origin, storageTypes: "indexeddb" });
    const found = await page.evaluate(async () => {
      // The browser may end the transaction before it says that the database is gone.
      const codes = [await idb.commit({ c: "3" })];
      // Everything, as the caller has it.
      codes.push(await idb.commit({ a: "1", b: "2", c: "3" }), await idb.commit({ d: "4", a: null }));
      return { codes, after: await idb.contents() };
    });
    const expected = [
      ["b", "2"],
      ["c", "3"],
      ["d", "4"],
    ];
    assert.deepEqual(found, { codes: ["reset", "ok", "ok"], after: expected });
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("d")));
    assert.deepEqual(await reader.evaluate(() => idb.mirror().contents()), expected);
    // It is still the writer.
    assert.equal(await reader.evaluate(() => idb.open("cleared", { lockTimeout: 0 })), "locked");
  });

  paged("a connection that breaks is made anew; what another has changed meanwhile is replaced", 1, async (page) => {
    const found = await page.evaluate(async () => {
      const opened: IDBDatabase[] = [];
      const { transaction } = IDBDatabase.prototype;
      IDBDatabase.prototype.transaction = function (...args) {
        opened.push(this);
        return transaction.apply(this, args);
      };
      const broken = (said: boolean) => {
        const database = opened.at(-1)!;
        database.close();
        if (said) database.dispatchEvent(new Event("close"));
      };
      await idb.open("broken");
      const codes = [await idb.commit({ a: "1" })];
      broken(true);
      codes.push(await idb.commit({ b: "2" }));
      broken(false);
      codes.push(await idb.commit({ c: "3" }));
      broken(true);
      const loaded = await idb.contents();
      broken(true);
      const other = await idb.rawOpen("broken");
      await new Promise((resolve) => {
        const changing = other.transaction("meta", "readwrite");
        changing.objectStore("meta").put({ name: "version", value: 77 });
        changing.oncomplete = resolve;
      });
      other.close();
      codes.push(await idb.commit({ d: "4" }), await idb.commit({ only: "this" }), await idb.commit({ d: "5" }));
      return { codes, loaded, after: await idb.contents() };
    });
    assert.deepEqual(found, {
      codes: ["ok", "ok", "ok", "reset", "ok", "ok"],
      loaded: [
        ["a", "1"],
        ["b", "2"],
        ["c", "3"],
      ],
      after: [
        ["d", "5"],
        ["only", "this"],
      ],
    });
  });

  paged("a commit that was made, and said to have failed, has succeeded; one that was not fails", 1, async (page) => {
    const found = await page.evaluate(async () => {
      await idb.open("unsure");
      await idb.commit({ a: "1", b: "1" });
      const { oncomplete } = Object.getOwnPropertyDescriptors(IDBTransaction.prototype);
      Object.defineProperty(IDBTransaction.prototype, "oncomplete", {
        ...oncomplete,
        set(this: IDBTransaction) {
          this.addEventListener("complete", () => this.onabort?.(new Event("abort")));
        },
      });
      const codes = [await idb.commit({ a: "2" })];
      Object.defineProperty(IDBTransaction.prototype, "oncomplete", oncomplete!);
      codes.push(await idb.commit({ b: "2" }));
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function () {
        this.transaction.abort();
        throw new DOMException("it is closing", "InvalidStateError");
      };
      codes.push(await idb.commit({ c: "3" }));
      IDBObjectStore.prototype.put = put;
      codes.push(await idb.commit({ d: "4" }));
      return { codes, after: await idb.contents() };
    });
    assert.deepEqual(found, {
      codes: ["ok", "ok", "host", "ok"],
      after: [
        ["a", "2"],
        ["b", "2"],
        ["d", "4"],
      ],
    });
  });

  paged("deleting it is not stood in the way of", 2, async (page, other) => {
    await page.evaluate(() => idb.open("deleted").then(() => idb.commit({ a: "1" })));
    await other.evaluate(async () => {
      let lost = "";
      await idb.follow("deleted", false, (error) => (lost = (error as Error & { code: string }).code));
      await idb.deleteDatabase("deleted");
      await idb.until(() => lost === "closed");
    });
    const codes = await page.evaluate(async () => [await idb.commit({ a: "2" }), await idb.open("deleted")]);
    assert.deepEqual(codes, ["closed", "ok"]);
    assert.deepEqual(await page.evaluate(() => idb.contents()), []);
    assert.equal(await other.evaluate(() => idb.code(idb.contents(idb.shared.follower))), "closed");
  });
});

suite("followers", () => {
  paged("hear of every commit, in order, whoever came first", 2, async (writer, reader) => {
    assert.equal(await reader.evaluate(() => idb.follow("followed")), "ok");
    await writer.evaluate(async () => {
      await idb.open("followed");
      await idb.commit({ a: "1", b: "2" });
      await idb.commit({ a: null, c: "3" });
    });
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("c")));
    const found = await reader.evaluate(() => {
      const { complete, commits } = idb.mirror();
      return { complete, commits, contents: idb.mirror().contents() };
    });
    const contents = [
      ["b", "2"],
      ["c", "3"],
    ];
    assert.deepEqual(found, { complete: 0, commits: 2, contents });
    // One who comes later, in the page of the writer itself.
    assert.equal(await writer.evaluate(() => idb.follow("followed")), "ok");
    assert.deepEqual(await writer.evaluate(() => idb.mirror().contents()), contents);
    await writer.evaluate(async () => {
      await idb.commit({ d: "4" });
      await idb.until(() => idb.mirror().records.has("d"));
    });
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("d")));
  });

  paged("read what is too large to be sent, and what they have not heard", 2, async (writer, reader) => {
    await writer.evaluate(() => idb.open("missed"));
    await reader.evaluate(() => idb.follow("missed"));
    await writer.evaluate(async () => {
      await idb.commit({ a: "1" });
      await idb.backend().commit([["large", new Uint8Array(5_000_000).fill(7)]]);
      await idb.commit({ a: "2" });
    });
    await reader.evaluate(() => idb.until(() => idb.mirror().records.size === 2));
    assert.ok(await reader.evaluate(() => idb.mirror().complete >= 1));
    const found = await reader.evaluate(() =>
      idb
        .mirror()
        .records.get("large")
        ?.every((byte) => byte === 7),
    );
    assert.equal(found, true);
    // Deaf for one commit.
    await writer.evaluate(async () => {
      const { postMessage } = BroadcastChannel.prototype;
      BroadcastChannel.prototype.postMessage = () => {};
      await idb.commit({ lost: "yes" });
      BroadcastChannel.prototype.postMessage = postMessage;
      await idb.commit({ after: "yes" });
    });
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("after")));
    assert.equal(await reader.evaluate(() => idb.mirror().records.has("lost")), true);
    // A page that was frozen looks for itself when it is seen again.
    await writer.evaluate(async () => {
      BroadcastChannel.prototype.postMessage = () => {};
      await idb.commit({ asleep: "yes" });
    });
    await reader.evaluate(async () => {
      document.dispatchEvent(new Event("visibilitychange"));
      await idb.until(() => idb.mirror().records.has("asleep"));
    });
  });

  paged("miss no commit between reading and being heard", 2, async (writer, reader) => {
    // Long enough before for the writer to believe that nobody follows.
    await writer.evaluate(async () => {
      await idb.open("unheard");
      const { now } = Date;
      Date.now = () => now() + 3_600_000;
    });
    await reader.evaluate(async () => {
      const { postMessage } = BroadcastChannel.prototype;
      const held: (() => void)[] = [];
      BroadcastChannel.prototype.postMessage = function (message) {
        held.push(() => postMessage.call(this, message));
      };
      await idb.follow("unheard");
      Object.assign(globalThis, { release: () => held.forEach((post) => post()) });
    });
    await writer.evaluate(() => idb.commit({ a: "1" }));
    await reader.evaluate(async () => {
      (globalThis as unknown as { release(): void }).release();
      await idb.until(() => idb.mirror().records.has("a"));
    });
  });

  paged("are told what a dead writer could not say", 3, async (first, reader, second) => {
    await first.evaluate(() => idb.open("changing").then(() => idb.commit({ a: "1" })));
    await reader.evaluate(() => idb.follow("changing"));
    await first.evaluate(async () => {
      BroadcastChannel.prototype.postMessage = () => {};
      await idb.commit({ b: "2" });
    });
    await first.close();
    assert.equal(await second.evaluate(() => idb.open("changing")), "ok");
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("b")));
    await second.evaluate(() => idb.commit({ c: "3" }));
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("c")));
    assert.deepEqual(await reader.evaluate(() => idb.mirror().contents()), [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
    // The last to leave is not written to any more; those who stay are.
    await second.evaluate(() => idb.follow("changing"));
    await reader.evaluate(() => idb.shared.follower!.close());
    await second.evaluate(async () => {
      await idb.pause(50);
      await idb.commit({ d: "4" });
      await idb.until(() => idb.mirror().records.has("d"));
    });
  });

  paged("look for themselves where there is no BroadcastChannel", 2, async (writer, reader) => {
    for (const page of [writer, reader]) {
      await page.evaluate(() => Object.defineProperty(globalThis, "BroadcastChannel", { value: undefined }));
    }
    await reader.evaluate(() => idb.follow("polled"));
    await writer.evaluate(() => idb.open("polled").then(() => idb.commit({ a: "1" })));
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("a")));
    await writer.evaluate(() => idb.commit({ a: null, b: "2" }));
    await reader.evaluate(() => idb.until(() => idb.mirror().records.has("b")));
    assert.deepEqual(await reader.evaluate(() => idb.mirror().contents()), [["b", "2"]]);
  });

  paged("miss nothing of 500 commits, with writers that come and go", 3, async (first, second, reader) => {
    const COMMITS = 500;
    await reader.evaluate(() => idb.follow("series", true));
    const write = (page: Page, from: number, to: number) =>
      page.evaluate(
        async ([from, to]) => {
          await idb.open("series", { lockTimeout: Infinity });
          for (let n = from; n <= to; n++) {
            await idb.backend().commit(idb.changesOf(n));
            if (n % 7 === 0) await idb.pause(n % 5);
          }
          idb.backend().close();
        },
        [from, to] as const,
      );
    /** Comes and goes while the others write. */
    const visits = async (page: Page) => {
      const problems: string[] = [];
      for (let n = 0; n < COMMITS;) {
        const found = await page.evaluate(async () => {
          const code = await idb.follow("series", true);
          const mirror = idb.mirror();
          await idb.pause(60);
          idb.shared.follower!.close();
          return { n: mirror.n, problems: code === "ok" ? mirror.problems : [code] };
        });
        n = found.n;
        problems.push(...found.problems);
      }
      return problems;
    };
    const visitor = await setup.open();
    const visited = visits(visitor);
    for (let n = 1; n <= COMMITS; n += 50) await write(n % 100 === 1 ? first : second, n, n + 49);
    await reader.evaluate((n) => idb.until(() => idb.mirror().n === n), COMMITS);
    assert.deepEqual(await visited, []);
    const { problems, commits, complete } = await reader.evaluate(() => {
      const { problems, commits, complete } = idb.mirror();
      return { problems, commits, complete };
    });
    assert.deepEqual(problems, []);
    console.log(`${COMMITS} commits: ${commits} heard, everything read ${complete} times`);
    // Each change of writers may cost one, a commit that is too large one.
    assert.ok(commits > COMMITS / 2);
    await visitor.close();
  });
});
