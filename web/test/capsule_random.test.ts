/**
 * Random programs of callers side by side, against a model: each transaction is whole, calls of others are
 * never within one that is taken back, and what subscribers and live queries were told adds up to what is in
 * the database.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeEvent, Transaction } from "../src/capsule/index.ts";
import { errorsOf, open } from "./capsules.ts";
import { Random } from "./helpers.ts";

/** Programs of one run. */
const PROGRAMS = 30;

/** Error with which a caller takes its transaction back. */
class TakenBack extends Error {}

/** A caller: what it writes goes into `model` if it stays. */
async function caller(db: Parameters<typeof work>[0], name: string, random: Random, model: Set<string>): Promise<void> {
  for (let step = 0; step < 4; step++) {
    for (let wait = random.below(3); wait > 0; wait--) await null;
    const written = new Set<string>();
    try {
      await work(db, `${name}.${step}`, random, written);
      for (const row of written) model.add(row);
    } catch (error) {
      if (!(error instanceof TakenBack)) throw error;
    }
  }
}

/** Does one thing of a caller; what it has written is in `written` if it does not throw. */
async function work(
  db: Pick<Transaction, "insert" | "transaction" | "executeLua">,
  name: string,
  random: Random,
  written: Set<string>,
  depth = 0,
): Promise<void> {
  switch (random.below(depth > 1 ? 2 : 4)) {
    case 0:
      await db.insert("items", { name });
      written.add(name);
      return;
    case 1:
      await db.executeLua(`wait(${random.below(3)}) glyphcase.insert("items", { name = "${name}" })`);
      written.add(name);
      return;
    default: {
      const inner = new Set<string>();
      const isTakenBack = random.below(3) === 0;
      await db.transaction(async (tx) => {
        for (let part = 0; part < 2; part++) {
          const parts = new Set<string>();
          try {
            await work(tx, `${name}.${part}`, random, parts, depth + 1);
            for (const row of parts) inner.add(row);
          } catch (error) {
            if (!(error instanceof TakenBack)) throw error;
          }
        }
        if (isTakenBack) throw new TakenBack();
      });
      for (const row of inner) written.add(row);
    }
  }
}

test("callers side by side", async () => {
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const random = new Random(seed);
    await using db = open({ transactionTimeout: Infinity });
    const errors = errorsOf(db);
    await db.execute("CREATE TABLE items(name TEXT PRIMARY KEY)");
    await db.registerLuaFunction("wait", async (turns: number) => {
      for (let turn = 0; turn < turns; turn++) await null;
    });
    const heard: string[] = [];
    db.subscribe(db.watch("items"), (events: ChangeEvent[]) =>
      heard.push(...events.map(({ newData }) => newData["name"] as string)),
    );
    const live = db.live<{ name: string }>("SELECT name FROM items ORDER BY name");
    const model = new Set<string>();
    await Promise.all(Array.from({ length: 5 }, (_, index) => caller(db, `c${index}`, random, model)));
    await db.flush();
    const expected = [...model].sort();
    const names = (await db.query<{ name: string }>("SELECT name FROM items ORDER BY name")).map(({ name }) => name);
    assert.deepEqual(names, expected, `seed ${seed}`);
    assert.deepEqual(heard.sort(), expected, `seed ${seed}`);
    assert.deepEqual(
      live.rows.map(({ name }) => name),
      expected,
      `seed ${seed}`,
    );
    assert.equal((await db.stats())["openParts"], 0);
    assert.deepEqual(errors, []);
  }
});
