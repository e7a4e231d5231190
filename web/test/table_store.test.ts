/**
 * The store by itself: order, cursors, tables, batches. What random programs do to it is in
 * storage_model.test.ts.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Changes } from "#js/storage/changes.js";
import { openStore } from "#js/storage/open_store.js";
import { TableStore } from "#js/storage/table_store.js";
import { settled } from "./helpers.ts";
import { RecordBackend, contents } from "./record_backend.ts";

suite("order and cursors", () => {
  const filled = (count: number) => {
    const table = new TableStore().open("t");
    for (let i = 1; i <= count; i++) table.set(`k${i}`, `v${i}`);
    return table;
  };

  test("an overwritten entry keeps its place, one set again goes to the end", () => {
    const store = new TableStore();
    const table = store.open("t");
    for (const key of ["a", "b", "c"]) table.set(key, "1");
    table.set("a", "2");
    table.remove("b");
    table.set("b", "3");
    assert.deepEqual(contents(store).get("t"), [
      ["a", "2"],
      ["c", "1"],
      ["b", "3"],
    ]);
  });

  test("removing while iterating misses nothing else", () => {
    const table = filled(1000);
    const seen: string[] = [];
    for (let entry = table.next(0); entry !== undefined; entry = table.next(entry.seq)) {
      seen.push(entry.key);
      table.remove(entry.key);
    }
    assert.equal(seen.length, 1000);
    assert.equal(table.count, 0);
  });

  test("a cursor survives compaction and entries that come behind it", () => {
    const table = filled(10_000);
    const cursor = table.next(499)?.seq;
    assert.equal(cursor, 500);
    for (let i = 1; i <= 9900; i++) table.remove(`k${i}`);
    assert.ok(table.pages.length < 80);
    assert.equal(table.next(500)?.key, "k9901");
    table.set("late", "x");
    assert.equal(table.next(10_000)?.key, "late");
    assert.equal(table.next(10_001), undefined);
  });

  test("setting and removing the same key for ever takes no room", () => {
    const table = filled(1);
    for (let i = 0; i < 10_000; i++) {
      table.set("x", "1");
      table.remove("x");
    }
    assert.ok(table.pages.length < 100);
    assert.ok(table.emptied < 32, "a page that is filled again is not counted as empty");
  });
});

suite("tables", () => {
  test("the same name is the same table", () => {
    const store = new TableStore();
    assert.equal(store.open("t"), store.open("t"));
  });

  test("names are in the order of making, and a roll back does not change it", () => {
    const store = new TableStore();
    for (const name of ["c", "a", "b"]) store.open(name);
    store.begin();
    store.drop("c");
    store.rollback();
    assert.deepEqual(store.names(), ["c", "a", "b"]);
  });

  test("a dropped table refuses", () => {
    const store = new TableStore();
    const table = store.open("t");
    table.set("a", "1");
    store.drop("t");
    for (const use of [
      () => table.get("a"),
      () => table.set("a", "2"),
      () => table.remove("a"),
      () => table.next(0),
      () => table.count,
      () => table.clear(),
    ]) {
      assert.throws(use, { code: "closed", message: /dropped/ });
    }
    assert.equal(store.open("t").count, 0);
  });

  test("a dropped table that is rolled back works again", () => {
    const store = new TableStore();
    const table = store.open("t");
    table.set("a", "1");
    store.begin();
    store.drop("t");
    store.rollback();
    assert.equal(table.get("a"), "1");
    assert.equal(store.open("t"), table);
  });

  test("bad names are refused", () => {
    const store = new TableStore();
    for (const name of ["", "x".repeat(1025), "\xff", "a\xc3"]) assert.throws(() => store.open(name), { code: "name" });
    assert.equal(store.open("x".repeat(1024)).count, 0);
    assert.equal(store.open("\xc3\xa9").count, 0);
  });

  test("stats count entries and bytes", () => {
    const store = new TableStore();
    const table = store.open("t");
    table.set("key", "value");
    table.set("key", "v");
    table.set("k", "v");
    table.remove("k");
    assert.deepEqual(store.stats(), {
      tables: [{ name: "t", entries: 1, bytes: 4, loaded: true }],
      bytes: 4 + 128,
      listBytes: 512 + 1,
      // The table was made, two entries, and one of them was removed.
      held: 48 + 513 + 48 + 48 + 2,
      evals: 0,
      storage: { state: "none", pendingBytes: 0 },
    });
    store.begin();
    table.clear();
    table.set("abc", "def");
    store.rollback();
    assert.equal(store.stats().tables[0]?.bytes, 4);
  });
});

suite("batches", () => {
  test("what a batch changed is one commit, and nothing is none", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    store.endBatch();
    await store.flush();
    assert.equal(disk.commits, 0);
    store.open("a").set("k", "v");
    store.open("b").set("k", "v");
    store.endBatch();
    store.endBatch();
    await store.flush();
    assert.equal(disk.commits, 1);
  });

  test("only the pages that changed are written", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    const table = store.open("t");
    for (let i = 1; i <= 1000; i++) table.set(`k${i}`, "1");
    await store.flush();
    let keys: string[] = [];
    disk.committed = (changes) => (keys = changes.map(([key, bytes]) => (bytes === null ? `-${key}` : key)).sort());
    table.set("k50", "2");
    table.set("k51", "3");
    table.remove("k500");
    table.set("fleeting", "1");
    table.remove("fleeting");
    await store.flush();
    // 1 to 64, 449 to 512, and the last, where something came and went.
    assert.deepEqual(keys, ["p1:0", "p1:15", "p1:7", "t1"]);
    for (let i = 1; i <= 64; i++) table.remove(`k${i}`);
    await store.flush();
    assert.deepEqual(keys, ["-p1:0", "t1"]);
    store.drop("t");
    await store.flush();
    assert.equal(keys.length, 16);
    assert.equal(disk.records.size, 0);
  });

  test("a large entry is written alone, and not again with its neighbours", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    const table = store.open("t");
    const large = "x".repeat(3 * 2 ** 20);
    table.set("small", "1");
    table.set("large", large);
    await store.flush();
    let written: Record<string, number> = {};
    disk.committed = (changes) => {
      written = Object.fromEntries(changes.map(([key, bytes]) => [key, bytes?.length ?? -1]));
    };
    assert.deepEqual([...disk.records.keys()].sort(), ["p1:0", "t1", "v1:2:0", "v1:2:1", "v1:2:2", "v1:2:3"]);
    table.set("small", "2");
    await store.flush();
    assert.deepEqual(Object.keys(written).sort(), ["p1:0", "t1"]);
    assert.ok((written["p1:0"] ?? 0) < 100);
    table.set("large", large.slice(0, 2 ** 20));
    await store.flush();
    assert.deepEqual(Object.keys(written).sort(), ["p1:0", "t1", "v1:2:0", "v1:2:1", "v1:2:2", "v1:2:3"]);
    assert.deepEqual([written["v1:2:2"], written["v1:2:3"]], [-1, -1]);
    table.set("large", "now it fits");
    await store.flush();
    assert.deepEqual([...disk.records.keys()].sort(), ["p1:0", "t1"]);
    assert.deepEqual(contents(await openStore(disk)), contents(store));
  });

  test("an entry of 64 MiB comes back; a larger one is refused, and changes nothing", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    const table = store.open("t");
    const largest = "\xff".repeat(64 * 2 ** 20);
    table.set("k", largest);
    assert.throws(() => table.set("k", `${largest}${"x".repeat(2000)}`), { code: "too-large" });
    await store.flush();
    const again = await openStore(disk);
    assert.ok(again.open("t").get("k") === largest);
  });

  test("past the limit entries are refused, and what is there can still change and go", () => {
    const store = new TableStore(null, { limit: 1000 });
    const table = store.open("t");
    const fill = () => {
      for (let i = 0; ; i++) table.set(`k${i}`, "0123456789");
    };
    assert.throws(fill, { code: "quota", message: /1000 bytes/ });
    assert.equal(table.count, 7);
    assert.throws(() => table.set("k0", "x".repeat(500)), { code: "quota" });
    table.set("k0", "9876543210");
    table.remove("k1");
    table.set("new", "1");
    store.begin();
    table.clear();
    table.set("large", "x".repeat(500));
    store.rollback();
    assert.equal(table.count, 7);
    assert.throws(() => table.set("more", "x".repeat(500)), { code: "quota" });
    contents(store);
  });

  test("a batch that dies is not written, and nowhere to be seen", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    const table = store.open("t");
    table.set("a", "1");
    store.endBatch();
    table.set("a", "2");
    table.set("b", "2");
    store.begin();
    store.drop("t");
    store.open("new");
    store.abandon();
    assert.deepEqual([...contents(store)], [["t", [["a", "1"]]]]);
    assert.throws(() => table.set("c", "3"), { code: "read-only" });
    assert.throws(() => store.drop("t"), { code: "read-only" });
    assert.throws(() => store.begin(), { code: "read-only" });
    store.endBatch();
    await store.flush();
    assert.deepEqual(contents(await openStore(disk)).get("t"), [["a", "1"]]);
    await store.close();
  });

  test("a transaction of JavaScript stays open when a call into Lua ends", () => {
    const store = new TableStore();
    const table = store.open("t");
    store.endBatch();
    assert.throws(
      () =>
        store.transaction(() => {
          table.set("a", "1");
          store.begin();
          table.set("b", "1");
          // What Lua left open is its own affair.
          store.endBatch("lua");
          assert.equal(table.get("b"), undefined);
          assert.equal(table.get("a"), "1");
          throw new Error("no");
        }),
      /no/,
    );
    assert.equal(table.count, 0);
    assert.equal(
      store.transaction(() => {
        table.set("a", "2");
        return 5;
      }),
      5,
    );
    store.endBatch();
    assert.equal(table.get("a"), "2");
  });
});

suite("changes", () => {
  const listening = () => {
    const store = new TableStore();
    const heard: Changes[] = [];
    const stop = store.on("change", (changes: Changes) => heard.push(changes));
    const told = async () => {
      await settled();
      return heard
        .splice(0)
        .map(({ tables, list, eval: number, origin }) => [
          tables,
          list.map((change) => [change.table, change.key, change.old, change.new]),
          number,
          origin,
        ]);
    };
    return { store, stop, told, heard };
  };

  test("each entry once, with what it was before the batch and what it is after; told later", async () => {
    const { store, stop, told, heard } = listening();
    const table = store.open("t");
    for (const key of ["a", "b", "c", "d"]) table.set(key, "1");
    store.endBatch("lua");
    assert.deepEqual(heard, []);
    assert.equal((await told()).length, 1);
    table.set("a", "2");
    table.set("a", "3");
    table.remove("b");
    table.set("b", "2");
    table.remove("c");
    table.set("d", "2");
    table.set("d", "1");
    table.set("fleeting", "1");
    table.remove("fleeting");
    store.endBatch("lua");
    const changes = [
      ["t", "a", "1", "3"],
      ["t", "b", "1", "2"],
      ["t", "c", "1", undefined],
    ];
    assert.deepEqual(await told(), [[["t"], changes, 2, "lua"]]);
    stop();
    table.set("a", "4");
    store.endBatch();
    assert.deepEqual(await told(), []);
  });

  test("clearing and dropping tell what was there; what was rolled back nothing", async () => {
    const { store, told } = listening();
    const table = store.open("t");
    table.set("a", "1");
    table.set("b", "1");
    store.endBatch();
    await told();
    table.set("a", "2");
    table.clear();
    table.set("b", "1");
    table.set("c", "1");
    store.endBatch();
    const cleared = [
      ["t", "a", "1", undefined],
      ["t", "c", undefined, "1"],
    ];
    assert.deepEqual(await told(), [[["t"], cleared, undefined, "js"]]);
    store.drop("t");
    store.open("t").set("c", "1");
    store.open("other");
    store.endBatch();
    assert.deepEqual(await told(), [[["t", "other"], [["t", "b", "1", undefined]], undefined, "js"]]);
    store.begin();
    store.open("t").set("x", "1");
    store.rollback();
    store.endBatch();
    assert.deepEqual(await told(), []);
  });
});

suite("the end", () => {
  test("after close everything is refused", async () => {
    const disk = new RecordBackend();
    const store = await openStore(disk);
    const table = store.open("t");
    table.set("a", "1");
    await store.close();
    await store.close();
    assert.deepEqual([disk.commits, disk.closed], [1, 1]);
    assert.throws(() => table.get("a"), { code: "closed" });
    assert.throws(() => store.open("t"), { code: "closed" });
    assert.throws(() => store.drop("t"), { code: "closed" });
    assert.throws(() => store.begin(), { code: "closed" });
  });
});
