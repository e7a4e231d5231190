/** The store against a model that is too simple to be wrong. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TableStore, type Batch, type Writer } from "#js/table_store.js";
import { Random, settled } from "./helpers.ts";

/** Every entry in order, per table. */
type Contents = Map<string, [string, string][]>;

function contents(store: TableStore): Contents {
  const all: Contents = new Map();
  for (const name of store.names()) {
    const table = store.open(name);
    const entries: [string, string][] = [];
    for (let entry = table.next(0); entry !== undefined; entry = table.next(entry.seq)) {
      entries.push([entry.key, entry.value]);
    }
    assert.equal(table.count, entries.length);
    for (const [key, value] of entries) assert.equal(table.get(key), value);
    all.set(name, entries);
  }
  return all;
}

/** A writer that keeps what a database would hold. */
class Disk implements Writer {
  readonly tables = new Map<
    number,
    { id: number; name: string; seq: number; entries: Map<number, { key: string; value: string }> }
  >();
  batches = 0;

  push(batch: Batch): void {
    this.batches += 1;
    for (const { id, name, seq, fate, puts, removes } of batch.values()) {
      if (fate === "dropped") {
        assert.ok(this.tables.delete(id), "only what was stored is dropped");
        continue;
      }
      const entries = fate === "cleared" ? new Map() : (this.tables.get(id)?.entries ?? new Map());
      for (const gone of removes)
        assert.ok(fate === "cleared" || entries.delete(gone), "only what was stored is removed");
      for (const [at, entry] of puts) entries.set(at, { ...entry });
      this.tables.set(id, { id, name, seq, entries });
    }
  }

  async load() {
    return [...this.tables.values()].map(({ entries, ...table }) => ({
      ...table,
      entries: [...entries].sort(([a], [b]) => a - b).map(([seq, entry]) => ({ seq, ...entry })),
    }));
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
  listen(): void {}
  stats() {
    return { state: "idle", pendingBytes: 0 };
  }
}

/** Tables as plain Maps, whose order is that of insertion; a transaction is a copy. */
class Model {
  tables = new Map<string, Map<string, string>>();
  saved: Map<string, Map<string, string>>[] = [];

  copy(): Map<string, Map<string, string>> {
    return new Map([...this.tables].map(([name, table]) => [name, new Map(table)]));
  }

  contents(): Contents {
    return new Map([...this.tables].map(([name, table]) => [name, [...table]]));
  }
}

suite("random programs", () => {
  for (const withDisk of [false, true]) {
    test(withDisk ? "the disk has what the last batch left" : "the store does what the model does", async () => {
      for (let seed = 1; seed <= 150; seed++) await program(seed, withDisk);
    });
  }
});

async function program(seed: number, withDisk: boolean): Promise<void> {
  const random = new Random(seed);
  const disk = new Disk();
  let store = new TableStore(withDisk ? disk : null);
  const model = new Model();
  const names = ["a", "b", "c"];
  for (let step = 0; step < 400; step++) {
    const name = random.pick(names);
    const key = `k${random.below(random.pick([3, 40]))}`;
    const table = () => store.open(name);
    const expected = () => {
      let found = model.tables.get(name);
      if (found === undefined) model.tables.set(name, (found = new Map()));
      return found;
    };
    switch (random.below(16)) {
      case 0:
        // Order of names: a dropped and rolled back table is where it was; the model's Map agrees only by luck.
        assert.equal(store.drop(name), model.tables.delete(name));
        break;
      case 1:
        table().clear();
        expected().clear();
        break;
      case 2:
        store.begin();
        model.saved.push(model.copy());
        break;
      case 3:
        if (model.saved.pop() === undefined) assert.throws(() => store.commit());
        else store.commit();
        break;
      case 4: {
        const saved = model.saved.pop();
        if (saved === undefined) assert.throws(() => store.rollback());
        else {
          store.rollback();
          model.tables = saved;
        }
        break;
      }
      case 5: {
        // What is open is rolled back.
        const outermost = model.saved[0];
        if (outermost !== undefined) model.tables = outermost;
        model.saved = [];
        store.endBatch();
        same(contents(store), model.contents(), seed, step);
        if (withDisk && random.below(4) === 0) {
          store = await TableStore.load(disk);
          same(contents(store), model.contents(), seed, step);
        }
        break;
      }
      case 6:
      case 7:
      case 8:
        assert.equal(table().remove(key), expected().delete(key));
        break;
      default:
        table().set(key, `v${step}`);
        expected().set(key, `v${step}`);
    }
    if (random.below(20) === 0) same(contents(store), model.contents(), seed, step);
  }
}

function same(actual: Contents, expected: Contents, seed: number, step: number): void {
  const sorted = (all: Contents) => [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(actual), sorted(expected), `seed ${seed}, step ${step}`);
}

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
    const table = filled(1000);
    const cursor = table.next(499)?.seq;
    assert.equal(cursor, 500);
    for (let i = 1; i <= 900; i++) table.remove(`k${i}`);
    assert.ok(table.order.length < 1000);
    assert.equal(table.next(500)?.key, "k901");
    table.set("late", "x");
    assert.equal(table.next(1000)?.key, "late");
    assert.equal(table.next(1001), undefined);
  });

  test("setting and removing the same key for ever takes no room", () => {
    const table = filled(1);
    for (let i = 0; i < 10_000; i++) {
      table.set("x", "1");
      table.remove("x");
    }
    assert.ok(table.order.length < 100);
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
      tables: [{ name: "t", entries: 1, bytes: 4 }],
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
  test("what a batch changed is one push, and nothing is none", () => {
    const disk = new Disk();
    const store = new TableStore(disk);
    store.endBatch();
    assert.equal(disk.batches, 0);
    store.open("a").set("k", "v");
    store.open("b").set("k", "v");
    store.endBatch();
    store.endBatch();
    assert.equal(disk.batches, 1);
  });

  test("only what changed is in it, with its last value", () => {
    const pushed: Batch[] = [];
    const disk = new Disk();
    disk.push = (batch) => void pushed.push(batch);
    const store = new TableStore(disk);
    const table = store.open("t");
    for (let i = 1; i <= 100; i++) table.set(`k${i}`, "1");
    store.endBatch();
    table.set("k50", "2");
    table.set("k50", "3");
    table.remove("k60");
    table.set("fleeting", "1");
    table.remove("fleeting");
    store.endBatch();
    const change = pushed[1]?.get(1);
    assert.deepEqual([...(change?.puts ?? [])], [[50, { key: "k50", value: "3" }]]);
    assert.deepEqual([...(change?.removes ?? [])], [60]);
  });

  test("a batch that dies is not written, and the store is read-only from then on", async () => {
    const disk = new Disk();
    const store = new TableStore(disk);
    const table = store.open("t");
    table.set("a", "1");
    store.endBatch();
    table.set("a", "2");
    table.set("b", "2");
    store.abandon();
    assert.throws(() => table.set("c", "3"), { code: "read-only" });
    assert.throws(() => store.open("new"), { code: "read-only" });
    assert.throws(() => store.drop("t"), { code: "read-only" });
    assert.throws(() => store.begin(), { code: "read-only" });
    store.endBatch();
    await store.flush();
    assert.deepEqual(contents(await TableStore.load(disk)).get("t"), [["a", "1"]]);
    await store.close();
  });

  test("change tells which tables, later", async () => {
    const store = new TableStore();
    const heard: unknown[] = [];
    const stop = store.on("change", (detail) => heard.push(detail));
    store.open("t").set("a", "1");
    store.endBatch();
    assert.deepEqual(heard, []);
    await settled();
    assert.deepEqual(heard, [{ tables: ["t"] }]);
    stop();
    store.open("t").set("a", "2");
    store.endBatch();
    await settled();
    assert.equal(heard.length, 1);
  });

  test("after close everything is refused", async () => {
    const disk = new Disk();
    const store = new TableStore(disk);
    const table = store.open("t");
    table.set("a", "1");
    await store.close();
    await store.close();
    assert.equal(disk.batches, 1);
    assert.throws(() => table.get("a"), { code: "closed" });
    assert.throws(() => store.open("t"), { code: "closed" });
    assert.throws(() => store.drop("t"), { code: "closed" });
    assert.throws(() => store.begin(), { code: "closed" });
  });
});
