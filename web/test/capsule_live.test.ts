/** Live queries and watchers of a capsule: windows, keys, what was seen before, and explanations. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { GlyphCase, LiveUpdate, Row } from "../src/capsule/index.ts";
import { apply, open } from "./capsules.ts";
import { Random } from "./random.ts";

async function withItems(count: number): Promise<GlyphCase> {
  const db = open();
  await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, place INTEGER, name TEXT)");
  await db.insertMultiple(
    "items",
    Array.from({ length: count }, (_, i) => ({ id: i + 1, place: i, name: `item ${i}` })),
  );
  return db;
}

suite("live queries", () => {
  test("have a window that moves", async () => {
    await using db = await withItems(20);
    const live = db.live("SELECT id, name FROM items ORDER BY place", [], { limit: 3, offset: 2 });
    const updates: LiveUpdate[] = [];
    live.subscribe((update) => updates.push(update));
    assert.deepEqual(ids(await live.ready), [3, 4, 5]);
    const [, fourth] = live.rows;
    await live.move(3, 3);
    assert.deepEqual(ids(live.rows), [4, 5, 6]);
    assert.equal(live.rows[0], fourth, "a row that stays is the same object");
    await db.update("items", 5, { name: "five" });
    assert.equal(live.rows[1]?.["name"], "five");
    await live.move(2);
    assert.deepEqual(ids(live.rows), [1, 2]);
    let rows: Row[] = [];
    for (const update of updates) rows = apply(update.patches.length > 0 ? rows : [...update.rows], update.patches);
    assert.deepEqual(rows, live.rows);
  });

  test("say what is wrong with their options", async () => {
    await using db = await withItems(1);
    db.on("error", () => {});
    assert.throws(() => db.live("SELECT 1", [], { offset: 1 }), /offset.*needs a limit/);
    assert.throws(() => db.live("SELECT 1", [], { limit: -1 }), /"limit" must be a whole number/);
    assert.throws(() => db.live("SELECT 1", [], { sinse: 1 } as object), /sinse/);
    await assert.rejects(db.live("SELECT id FROM items LIMIT 1", [], { limit: 1 }).ready, { kind: "usage" });
    await assert.rejects(db.live("SELECT id FROM items", [], { key: ["nothing"] }).ready, { kind: "usage" });
    const live = db.live("SELECT id FROM items");
    await live.ready;
    await assert.rejects(live.move(1), /without a window/);
    live.close();
    await assert.rejects(live.move(1), /is closed/);
    await assert.rejects(live.explain(), /is closed/);
  });

  test("know whether what was seen before still holds", async () => {
    await using db = await withItems(5);
    const first = db.live("SELECT id FROM items WHERE place < 3");
    await first.ready;
    const { seq } = first;
    assert.ok(seq > 0);
    first.close();
    await db.execute("CREATE TABLE other(v)");
    const beyond = db.live("SELECT name FROM items", [], { since: seq });
    await beyond.ready;
    assert.equal(beyond.unchanged, false, "the schema has changed");
    await db.insert("other", { v: 1 });
    const then = db.live("SELECT id FROM items");
    await then.ready;
    await db.insert("other", { v: 2 });
    const same = db.live("SELECT id FROM items WHERE place < 3", [], { since: then.seq });
    await same.ready;
    assert.equal(same.unchanged, true);
    await db.update("items", 1, { place: 4 });
    const changed = db.live("SELECT id FROM items WHERE place < 3", [], { since: same.seq - 1 });
    await changed.ready;
    assert.equal(changed.unchanged, false);
  });

  test("explain themselves", async () => {
    await using db = await withItems(50);
    const byKey = db.live("SELECT id, name FROM items ORDER BY place, id");
    const grouped = db.live("SELECT count(*) AS n FROM items GROUP BY place % 2");
    await byKey.ready;
    await db.update("items", 7, { name: "seven" });
    const keys = await byKey.explain();
    assert.equal(keys.rung, "keys", keys.reason);
    assert.deepEqual(Object.keys(keys.tables), ["items"]);
    assert.equal(keys.decided.keys, 1);
    const columns = await grouped.explain();
    assert.equal(columns.rung, "columns");
    assert.ok(columns.reason.length > 0);
    assert.deepEqual({ ...columns.decided }, { columns: 1, images: 0, keys: 0, again: 0 });
    const watcher = db.watch("items", "place > 3");
    assert.equal((await watcher.explain()).rung, "table");
    await assert.rejects(db.watch("nowhere").explain(), /nowhere/);
  });

  test("are what a fresh run gives, after any changes", async () => {
    const random = new Random(5);
    await using db = await withItems(30);
    const queries: [string, { limit?: number; offset?: number }][] = [
      ["SELECT id, place FROM items ORDER BY place DESC, id", {}],
      ["SELECT id, name FROM items WHERE place % 3 = 1 ORDER BY name", {}],
      ["SELECT id FROM items ORDER BY place, id", { limit: 5, offset: 3 }],
      ["SELECT place % 4 AS p, count(*) AS n, max(name) AS m FROM items GROUP BY 1 ORDER BY 1", {}],
    ];
    const lives = queries.map(([sql, options]) => {
      const live = db.live(sql, [], options);
      const seen: { rows: Row[] } = { rows: [] };
      live.subscribe(({ rows, patches }) => {
        seen.rows = patches.length > 0 ? apply(seen.rows, patches) : [...rows];
      });
      return { sql, options, live, seen };
    });
    for (let i = 0; i < 150; i++) {
      await db.transaction(async (tx) => {
        for (let k = 0; k < 1 + random.below(4); k++) {
          const id = 1 + random.below(40);
          const row = { place: random.below(30), name: `n${random.below(9)}` };
          if (random.below(4) === 0) await tx.delete("items", id);
          else if (!(await tx.update("items", id, row))) await tx.insert("items", { id, ...row });
        }
      });
      for (const { sql, options, live, seen } of lives) {
        const { limit = -1, offset = 0 } = options;
        const fresh = await db.query(`SELECT * FROM (${sql}) LIMIT ${limit} OFFSET ${offset}`);
        assert.deepEqual(live.rows, fresh, sql);
        assert.deepEqual(seen.rows, fresh, sql);
      }
    }
  });
});

function ids(rows: readonly Row[]): unknown[] {
  return rows.map((row) => row["id"]);
}
