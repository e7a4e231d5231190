/** IndexedDB as the storage: what a reload, another tab and a broken database do to it. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { vectors } from "../test/helpers.ts";
import { reload, setUp, type Setup } from "./browser.ts";

suite("idb://", () => {
  let setup: Setup;
  before(async () => void (setup = await setUp()));
  after(() => setup.close());

  test("a counter goes on after a reload", async () => {
    const page = await setup.open();
    for (let visit = 1; visit <= 3; visit++) {
      const n = await page.evaluate(async () => {
        const lua = await perilune.Lua.create({ storage: "idb://counter" });
        const n = lua.eval("local t = ext.table('visits') t.n = (t.n or 0) + 1 return t.n");
        await lua.flush();
        return n;
      });
      assert.equal(n, visit);
      await reload(page);
    }
    await page.close();
  });

  test("every type, as value and as key, is after a reload what it was", async () => {
    const expressions = vectors.values.flatMap(({ lua, js }) => (lua === undefined || js === "undefined" ? [] : [lua]));
    const keys = vectors.keys.map(({ lua }) => lua);
    const setting = [
      "v, k = ext.table('values'), ext.table('keys')",
      ...expressions.map((expression, i) => `v[${i + 1}] = ${expression}`),
      ...keys.map((key, i) => `k[${key}] = ${i}`),
    ].join("\n");
    // Compares in Lua: what is equal there is equal.
    const comparing = `
      local function same(a, b, seen)
        if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end
        if type(a) ~= "table" then return a == b and (a ~= 0 or 1 / a == 1 / b) end
        if seen[a] then return seen[a] == b end
        seen[a] = b
        local n, m = 0, 0
        for key, value in pairs(a) do
          n = n + 1
          if type(key) ~= "table" and not same(value, b[key], seen) then return false end
        end
        for _ in pairs(b) do m = m + 1 end
        return n == m
      end
      local v, k, wrong = ext.table('values'), ext.table('keys'), {}
      local expected = { ${expressions.map((expression) => `(${expression})`).join(",\n")} }
      for i = 1, ${expressions.length} do
        if not same(expected[i], v[i], {}) then wrong[#wrong + 1] = "value " .. i end
      end
      ${keys.map((key) => `if k[${key}] == nil then wrong[#wrong + 1] = ${JSON.stringify(key)} end`).join("\n")}
      return table.concat(wrong, ", "), ext.count(v), ext.count(k)`;
    const page = await setup.open();
    const first = await page.evaluate(
      async ([setting, comparing]) => {
        const lua = await perilune.Lua.create({ storage: "idb://types" });
        lua.eval(setting!);
        const result = lua.evalAll(comparing!);
        await lua.flush();
        return result;
      },
      [setting, comparing],
    );
    await reload(page);
    const second = await page.evaluate(async (comparing) => {
      const lua = await perilune.Lua.create({ storage: "idb://types" });
      return lua.evalAll(comparing);
    }, comparing);
    assert.equal(first[0], "");
    assert.deepEqual(second, first);
    await page.close();
  });

  test("order, removals, cleared and dropped tables survive", async () => {
    const page = await setup.open();
    await page.evaluate(async () => {
      const lua = await perilune.Lua.create({ storage: "idb://order" });
      lua.eval(`
        t = ext.table('t')
        for i = 1, 20000 do t['k' .. i] = i end
        for i = 1, 20000 do if i % 3 == 0 then t['k' .. i] = nil end end
        t.k3 = 'again'
        ext.table('gone').x = 1
        ext.table('cleared').old = 1`);
      await lua.flush();
      lua.eval("ext.drop('gone') c = ext.table('cleared') ext.clear(c) c.new = 2 t.k1 = 'first still'");
      await lua.flush();
    });
    await reload(page);
    const found = await page.evaluate(async () => {
      const lua = await perilune.Lua.create({ storage: "idb://order" });
      const t = [...lua.table("t")];
      return {
        tables: lua.tables(),
        count: t.length,
        first: t[0],
        second: t[1],
        third: t[2],
        last: t.at(-1),
        cleared: [...lua.table("cleared")],
      };
    });
    assert.deepEqual(found, {
      tables: ["t", "cleared"],
      count: 20_000 - 6666 + 1,
      first: ["k1", "first still"],
      second: ["k2", 2],
      third: ["k4", 4],
      last: ["k3", "again"],
      cleared: [["new", 2]],
    });
    await page.close();
  });

  test("an eval is one transaction; flush resolves when it is complete, not before", async () => {
    const page = await setup.open();
    const result = await page.evaluate(async () => {
      const lua = await perilune.Lua.create({ storage: "idb://batches" });
      let begun = 0;
      let complete = 0;
      const { transaction } = IDBDatabase.prototype;
      IDBDatabase.prototype.transaction = function (...args) {
        begun += 1;
        const made = transaction.apply(this, args);
        made.addEventListener("complete", () => (complete += 1));
        return made;
      };
      const seen: number[][] = [];
      for (let i = 0; i < 5; i++) {
        lua.eval("for i = 1, 100 do ext.table('a')[i] = i ext.table('b')[i] = i end");
        await lua.flush();
        seen.push([begun, complete]);
      }
      // Several in one go wait for each other: fewer transactions, each with whole evals.
      for (let i = 0; i < 50; i++) lua.eval("ext.table('a').x = (ext.table('a').x or 0) + 1");
      await lua.flush();
      lua.eval("return 1");
      await lua.flush();
      return { seen, more: begun - 5, complete };
    });
    assert.deepEqual(result.seen, [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ]);
    assert.ok(result.more >= 1 && result.more <= 2);
    assert.equal(result.complete, 5 + result.more);
    await page.close();
  });

  test("what is flushed is in the database, whoever looks", async () => {
    const page = await setup.open();
    const records = await page.evaluate(async () => {
      const lua = await perilune.Lua.create({ storage: "idb://look" });
      lua.eval("ext.table('t').key = 'value'");
      await lua.flush();
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open("perilune/look");
        request.onsuccess = () => resolve(request.result);
      });
      const all = (store: string) =>
        new Promise((resolve) => {
          const request = database.transaction(store).objectStore(store).getAll();
          request.onsuccess = () => resolve(request.result);
        });
      const meta = ((await all("meta")) as { name: string; value: unknown }[]).filter(({ name }) => name !== "writer");
      const found = ((await all("records")) as { k: string; v: Uint8Array }[]).map(({ k, v }) => [k, [...v]]);
      database.close();
      return { meta, found, version: database.version };
    });
    const key = [4, 3, 0, 0, 0, ...Buffer.from("key")];
    const value = [4, 5, 0, 0, 0, ...Buffer.from("value")];
    const head = Buffer.from(Float64Array.of(1, 1, 18).buffer);
    const { meta, version } = records;
    // Without their checksums.
    const found = records.found.map(([k, bytes]) => [k, (bytes as number[]).slice(0, -4)]);
    assert.deepEqual(found, [
      ["p1:0", [0, 8, 10, ...key, ...value]],
      ["t1", [...head, ...Buffer.from("t")]],
    ]);
    assert.deepEqual(meta, [
      { name: "format", value: 2 },
      { name: "version", value: 1 },
    ]);
    assert.equal(version, 2);
    await page.close();
  });

  test("a page that dies leaves a world between two evals", async () => {
    for (let round = 0; round < 5; round++) {
      const page = await setup.open();
      await page.evaluate(async (round) => {
        globalThis.lua = await perilune.Lua.create({ storage: "idb://crash" });
        lua.eval("t = ext.table('t')");
        // Both are always the same, or half of an eval was written.
        const work = () => {
          for (let i = 0; i < 20; i++)
            lua.eval("t.a = (t.a or 0) + 1 for i = 1, 50 do t['x' .. i] = t.a end t.b = t.a");
          setTimeout(work);
        };
        work();
        await new Promise((resolve) => setTimeout(resolve, 20 + 15 * round));
      }, round);
      await page.close();
      const next = await setup.open();
      const [a, b, x] = await create(next, "idb://crash", () =>
        lua.evalAll("local t = ext.table('t') return t.a, t.b, t.x50"),
      );
      assert.ok((a as number) > 0);
      assert.equal(a, b);
      assert.equal(a, x);
      await next.evaluate(() => lua.close());
      await next.close();
    }
  });

  test("one writer: another tab, and another Lua, are refused until it closes", async () => {
    const [first, second] = [await setup.open(), await setup.open()];
    await create(first, "idb://shared", () => lua.eval("ext.table('t').a = 1"));
    assert.deepEqual(await failure(second, "idb://shared"), ["LuaStorageError", "locked"]);
    assert.deepEqual(await failure(first, "idb://shared"), ["LuaStorageError", "locked"]);
    await first.evaluate(() => lua.close());
    assert.equal(await create(second, "idb://shared", () => lua.eval("return ext.table('t').a")), 1);
    // A tab that is closed without a word lets go, too.
    await second.close();
    assert.equal(await create(first, "idb://shared", () => lua.eval("return ext.table('t').a")), 1);
    await first.close();
  });

  test("without Web Locks the one who comes later wins, and the other hears of it", async () => {
    const [first, second] = [await setup.open(), await setup.open()];
    for (const page of [first, second]) {
      await page.evaluate(() => Object.defineProperty(navigator, "locks", { value: undefined }));
    }
    await create(first, "idb://unlocked", () => lua.eval("ext.table('t').a = 1"));
    await first.evaluate(() => lua.flush());
    assert.equal(await create(second, "idb://unlocked", () => lua.eval("return ext.table('t').a")), 1);
    const [code, state] = await first.evaluate(async () => {
      lua.on("storage-error", () => {});
      lua.eval("ext.table('t').a = 2");
      const code = await lua.flush().then(
        () => "none",
        (error: { code: string }) => error.code,
      );
      return [code, lua.stats().storage.state];
    });
    assert.deepEqual([code, state], ["locked", "failed"]);
    assert.equal(
      await second.evaluate(async () => {
        lua.eval("ext.table('t').b = 1");
        await lua.flush();
        return lua.eval("return ext.table('t').a");
      }),
      1,
    );
    await Promise.all([first.close(), second.close()]);
  });

  test("bad names and databases that are not ours are refused, and left as they are", async () => {
    const page = await setup.open();
    assert.deepEqual(await failure(page, "idb://"), ["LuaStorageError", "name"]);
    assert.deepEqual(await failure(page, "opfs://x"), ["LuaStorageError", "name"]);
    const make = (name: string, version: number, store: string, record: object) =>
      page.evaluate(
        ({ name, version, store, record }) =>
          new Promise<void>((resolve) => {
            const request = indexedDB.open(name, version);
            request.onupgradeneeded = () => {
              request.result.createObjectStore(store, { keyPath: "name" }).put(record);
              if (store === "meta") {
                request.result.createObjectStore("tables");
                request.result.createObjectStore("entries");
              }
            };
            request.onsuccess = () => {
              request.result.close();
              resolve();
            };
          }),
        { name, version, store, record },
      );
    await make("perilune/later", 3, "meta", { name: "format", value: 3 });
    assert.deepEqual(await failure(page, "idb://later"), ["LuaStorageError", "newer"]);
    await make("perilune/later2", 1, "meta", { name: "format", value: 2 });
    assert.deepEqual(await failure(page, "idb://later2"), ["LuaStorageError", "newer"]);
    await make("perilune/other", 1, "things", { name: "x" });
    assert.deepEqual(await failure(page, "idb://other"), ["LuaStorageError", "foreign"]);
    await make("perilune/odd", 1, "meta", { name: "something" });
    assert.deepEqual(await failure(page, "idb://odd"), ["LuaStorageError", "foreign"]);
    // Refusing has let the lock go and written nothing.
    assert.deepEqual(await failure(page, "idb://later2"), ["LuaStorageError", "newer"]);
    await page.close();
  });

  test("a database that is deleted elsewhere is let go, and said so", async () => {
    const page = await setup.open();
    await create(page, "idb://doomed", () => lua.eval("ext.table('t').a = 1"));
    const result = await page.evaluate(async () => {
      lua.on("storage-error", () => {});
      await lua.flush();
      await new Promise((resolve) => (indexedDB.deleteDatabase("perilune/doomed").onsuccess = resolve));
      lua.eval("ext.table('t').a = 2");
      const code = await lua.flush().then(
        () => "none",
        (error: { code: string }) => error.code,
      );
      const value = lua.eval("return ext.table('t').a");
      await lua.close({ discard: true });
      return [code, value];
    });
    assert.deepEqual(result, ["closed", 2]);
    await page.close();
  });

  test("a write that the database refuses is kept and written later", async () => {
    const page = await setup.open();
    await create(page, "idb://refused", () => lua.eval("ext.table('t').a = 1"));
    const result = await page.evaluate(async () => {
      lua.on("storage-error", () => {});
      await lua.flush();
      const { put } = IDBObjectStore.prototype;
      const codes: string[] = [];
      const attempt = () =>
        lua.flush().then(
          () => codes.push("ok"),
          (error: { code: string }) => codes.push(error.code),
        );
      // At once, and as an error of the request, which aborts the transaction.
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      lua.eval("ext.table('t').a = 2");
      await attempt();
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args);
        request.addEventListener("success", () => {
          try {
            this.transaction.abort();
          } catch {
            /* done already */
          }
        });
        return request;
      };
      lua.eval("ext.table('t').b = 2");
      await attempt();
      // In the middle of many.
      lua.eval("for i = 1, 200000 do ext.table('t')[i] = i end");
      await attempt();
      IDBObjectStore.prototype.put = put;
      await attempt();
      await lua.close();
      globalThis.lua = await perilune.Lua.create({ storage: "idb://refused" });
      return [...codes, ...lua.evalAll("local t = ext.table('t') return t.a, t.b, t[200000], ext.count(t)")];
    });
    assert.deepEqual(result, ["quota", "host", "host", "ok", 2, 2, 200_000, 200_002]);
    await page.close();
  });

  test("close flushes", async () => {
    const page = await setup.open();
    const value = await page.evaluate(async () => {
      const first = await perilune.Lua.create({ storage: "idb://closing" });
      first.eval("ext.table('t').a = 1");
      first.table("t").set("b", 2);
      await first.close();
      const second = await perilune.Lua.create({ storage: "idb://closing" });
      return second.evalAll("local t = ext.table('t') return t.a, t.b");
    });
    assert.deepEqual(value, [1, 2]);
    await page.close();
  });
});

/** Makes `lua` in the page and runs `use` there. */
async function create<T>(page: Page, storage: string, use: () => T): Promise<Awaited<T>> {
  await page.evaluate(async (storage) => void (globalThis.lua = await perilune.Lua.create({ storage })), storage);
  return (await page.evaluate(use)) as Awaited<T>;
}

/** Name and code of the error that `Lua.create` rejects with. */
function failure(page: Page, storage: string): Promise<string[]> {
  return page.evaluate(
    (storage) =>
      perilune.Lua.create({ storage }).then(
        () => ["no error"],
        (error: { name: string; code: string }) => [error.name, error.code],
      ),
    storage,
  );
}
