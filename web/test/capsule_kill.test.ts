/**
 * Processes that are killed while they write through the hooks of a capsule. `CAPSULE_KILLS=100` for as many.
 *
 * What was said to be committed is there, the log tells of all that there is, and each reaction has run once.
 */
import assert from "node:assert/strict";
import * as system from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GlyphCase } from "../src/capsule/index.ts";
import { wasm } from "./capsules.ts";
import { part, partArguments, startChild } from "./child.ts";
import { Random } from "./random.ts";

const KILLS = Number(process.env["CAPSULE_KILLS"] ?? 15);

/** A mod whose hooks take part in each write, and answer it later. */
const RULES = `
  function before_insert(table_name, row)
    if table_name == "orders" then row.total = row.price * row.count end
    return row
  end
  function validate_insert(table_name, row)
    if table_name == "orders" and row.count < 1 then error("nothing is ordered") end
  end
  function after_save(table_name, row)
    if table_name == "orders" then
      glyphcase.execute("UPDATE stock SET left_over = left_over - ? WHERE id = 1", row.count)
    end
  end
  function on_data_changed(table_name, operation, row)
    if table_name == "orders" and operation == "INSERT" then
      glyphcase.insert("letters", { order_id = row.id, text = "Thank you for " .. row.total })
    end
  end`;

const SCHEMA = {
  tables: [
    {
      name: "orders",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "price", type: "INTEGER" as const },
        { name: "count", type: "INTEGER" as const },
        { name: "total", type: "INTEGER" as const },
        { name: "filler", type: "TEXT" as const },
      ],
    },
    {
      name: "stock",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "left_over", type: "INTEGER" as const },
      ],
    },
    {
      name: "letters",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "order_id", type: "INTEGER" as const },
        { name: "text", type: "TEXT" as const },
      ],
    },
  ],
};

async function opened(filename: string): Promise<GlyphCase> {
  const db = new GlyphCase({ filename, schema: SCHEMA, wasm, capsule: { batchInterval: 5 } });
  await db.installMod({ name: "rules", version: "1", files: { "rules.lua": RULES } });
  return db;
}

if (part === "write") {
  const db = await opened(partArguments[0] as string);
  if ((await db.queryScalar("SELECT count(*) FROM stock")) === 0) await db.insert("stock", { id: 1, left_over: 0 });
  for (let n = Number(await db.queryScalar("SELECT count(*) FROM orders")) + 1; ; n++) {
    await db.insert("orders", { id: n, price: n % 13, count: 1 + (n % 3), filler: "x".repeat((n % 5) * 900) });
    // At once: what is said is committed.
    system.writeSync(1, `${n}\n`);
  }
} else {
  const folder = system.realpathSync(system.mkdtempSync(join(tmpdir(), "perilune-killed-")));
  after(() => system.rmSync(folder, { recursive: true }));
  tests(join(folder, "shop.db"));
}

function tests(path: string): void {
  suite(`a capsule whose process is killed ${KILLS} times`, () => {
    test("loses nothing that was said to be committed, and answers each change once", async () => {
      const random = new Random(3);
      let said = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const child = startChild(fileURLToPath(import.meta.url), "write", path);
        const enough = said + 1 + random.below(30);
        await child.says((line) => Number(line) >= enough);
        await child.kill();
        said = Number(child.lines.at(-1));
        // Every third time the next writer finds all as it was left.
        if (kill % 3 !== 2 && kill < KILLS - 1) continue;
        await using db = await opened(path);
        await check(db, said);
      }
    });
  });
}

async function check(db: GlyphCase, said: number): Promise<void> {
  const number = async (sql: string) => Number(await db.queryScalar(sql));
  assert.equal(await db.queryScalar("PRAGMA integrity_check"), "ok");
  const orders = await number("SELECT count(*) FROM orders");
  assert.ok(orders >= said, `${said} orders were committed, ${orders} are there`);
  assert.equal(await number("SELECT max(id) FROM orders"), orders, "none is missing");
  assert.equal(
    await number("SELECT count(*) FROM orders WHERE total IS NOT price * count"),
    0,
    "each went by the hook",
  );
  assert.equal(
    await number("SELECT sum(count) + (SELECT left_over FROM stock) FROM orders"),
    0,
    "with what belongs to it",
  );
  // What was not answered before the end is answered now.
  await db.flush();
  assert.equal(await number("SELECT count(*) FROM _capsule_events WHERE processed = 0"), 0);
  const doubled = "SELECT count(*) FROM (SELECT order_id FROM letters GROUP BY order_id HAVING count(*) > 1)";
  assert.equal(await number(doubled), 0, "no reaction has run twice");
  const lost = "SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM letters)";
  assert.equal(await number(lost), 0, "each reaction has run");
  for (const table of ["orders", "letters"]) {
    const logged = `SELECT count(*) FROM _capsule_events WHERE table_name = '${table}' AND operation = 'INSERT'`;
    assert.equal(await number(logged), await number(`SELECT count(*) FROM ${table}`), `the log tells of all ${table}`);
  }
  const last = `SELECT new_data ->> 'left_over' FROM _capsule_events WHERE table_name = 'stock' ORDER BY id DESC LIMIT 1`;
  assert.equal(await number(last), await number("SELECT left_over FROM stock"), "and of the last change");
}
