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
import { RULES, SCHEMA, shopProblems } from "./capsule_shop.ts";
import { wasm } from "./capsules.ts";
import { part, partArguments, startChild } from "./child.ts";
import { Random } from "./random.ts";

const KILLS = Number(process.env["CAPSULE_KILLS"] ?? 15);

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
  const orders = await number("SELECT count(*) FROM orders");
  assert.ok(orders >= said, `${said} orders were committed, ${orders} are there`);
  assert.equal(await number("SELECT max(id) FROM orders"), orders, "none is missing");
  // What was not answered before the end is answered now.
  await db.flush();
  assert.deepEqual(await shopProblems((sql) => db.queryScalar(sql)), []);
}
