/**
 * Memory of the host that a script can take by external tables: whatever it does in one call, what is
 * reachable from the store stays within bounds, and is counted.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TableStore } from "#js/storage/table_store.js";
import { WriteBehind } from "#js/storage/write_behind.js";
import { Lua, LuaStorageError } from "../src/index.ts";
import { Random } from "./random.ts";
import { RecordBackend } from "./record_backend.ts";

/** Bytes of the texts that can be reached from an object, each object once: Maps, private fields too. */
function reachableBytes(root: TableStore): number {
  const seen = new Set<unknown>();
  let bytes = 0;
  const todo: unknown[] = [root, ...(root.journal.steps() as unknown[])];
  while (todo.length > 0) {
    const next = todo.pop();
    if (typeof next === "string") bytes += next.length;
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof Map) for (const [key, value] of next) todo.push(key, value);
    else if (Array.isArray(next)) for (const value of next) todo.push(value);
    else if (next instanceof Set) for (const value of next) todo.push(value);
    todo.push(...Object.values(next));
  }
  return bytes;
}

const LIMIT = 1 << 18;
const LARGE = "x".repeat(10_000);
/** Entries, names, and what was taken of each, with what is free beyond the limit. */
const MOST = 4 * LIMIT + 3 * 65_536 + 2 * LARGE.length;

/** Ways to make a store keep what nobody can see any more: each may be repeated for ever. */
const LOOPS: Record<string, string> = {
  overwrite: "t[1] = s .. i",
  clear: "t[1] = s t[2] = s ext.clear(t)",
  drop: "local u = ext.table('u') u[1] = s ext.drop('u')",
  "drop of many": "local u = ext.table('u' .. i) u[1] = s ext.drop('u' .. i)",
  "come and go": "t[i] = s t[i] = nil",
  "another key each time": "t['k' .. i] = s t['k' .. i] = nil",
  names: "ext.table(('n'):rep(1000) .. i)",
  "names that come and go": "ext.table(('n'):rep(1000) .. i) ext.drop(('n'):rep(1000) .. i)",
  "small entries": "t[i] = i",
  "long keys": "t[s .. i] = 1",
  "rolled back": "pcall(ext.transaction, function() t[1] = s .. i error('no') end)",
  "rolled back, and again":
    "pcall(ext.transaction, function() t[i] = s pcall(ext.transaction, function() t[1] = s .. i error('no') end) end)",
};

suite("memory of the host", () => {
  for (const [name, code] of Object.entries(LOOPS)) {
    for (const where of ["one call", "one transaction"] as const) {
      test(`is bounded in ${where}: ${name}`, async () => {
        const lua = await Lua.create({ storageLimit: LIMIT, fuel: 2_000_000, storage: new RecordBackend() });
        let most = 0;
        lua.register("look", () => {
          const { tables, names, undo } = lua.stats().memory;
          most = Math.max(most, tables + names + undo);
        });
        const body = `for i = 1, 1000 do ${code} if i % 50 == 0 then look() end end`;
        const whole = where === "one call" ? body : `ext.transaction(function() ${body} end)`;
        const result = lua.tryEval(`local s, t = ('x'):rep(10000), ext.table('t') ${whole}`);
        if (!result.ok) {
          assert.ok(result.error instanceof LuaStorageError && result.error.code === "quota", String(result.error));
        }
        // Entries, names, what was taken from them.
        assert.ok(most <= MOST, `${most} bytes`);
        assert.equal(lua.stats().memory.undo, 0);
        await lua.close();
      });
    }
  }

  test("is counted: what can be reached is not more than what is said, for random programs", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const store = new TableStore(new WriteBehind(new RecordBackend()), { limit: LIMIT });
      let text = 0;
      const value = () => `${(text += 1)}`.padEnd(10 + random.below(9000), "v");
      for (let step = 0; step < 400; step++) {
        try {
          const table = store.open(`t${random.below(6)}`);
          const key = `k${random.below(12)}`;
          const next = random.below(20);
          if (next < 9) table.set(key, value());
          else if (next < 12) table.remove(key);
          else if (next < 14) table.clear();
          else if (next < 15) store.drop(table.name);
          else if (next < 16) store.begin();
          else if (next < 17 && store.journal.depth > 0) store.commit();
          else if (next < 18 && store.journal.depth > 0) store.rollback();
          else if (next < 19 && random.below(8) === 0) store.endBatch();
        } catch (error) {
          assert.equal((error as { code?: string }).code, "quota");
        }
        const { bytes, listBytes, held } = store.stats();
        assert.ok(bytes >= 0 && held >= 0 && bytes + listBytes + held <= MOST, `seed ${seed}: ${bytes} ${held}`);
        if (step % 20 === 0) {
          const reachable = reachableBytes(store);
          assert.ok(
            reachable <= bytes + listBytes + held + LARGE.length,
            `seed ${seed}, step ${step}: ${reachable} of ${bytes} + ${held}`,
          );
        }
      }
      store.abandon();
      assert.equal(store.stats().held, 0);
    }
  });

  test("has a bound where nobody has set one, and more when somebody has", async () => {
    const lua = await Lua.create({ memoryLimit: 2 ** 23, timeout: Infinity });
    const code = "local t, s = ext.table('t'), ('x'):rep(2^20) for i = 1, 300 do t[i] = s end";
    assert.throws(() => lua.eval(code), { code: "quota" });
    await lua.close();
    const more = await Lua.create({ memoryLimit: 2 ** 23, timeout: Infinity, storageLimit: Infinity });
    more.eval(code);
    await more.close();
  });
});
