/** IndexedDB as the storage: what a reload, another tab and a broken database do to it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { vectors } from "../test/helpers.ts";
import { reload, setUp, type Setup } from "./browser.ts";
import { inTime } from "../test/time.ts";

/** Compares in Lua: what is equal there is equal; `seen` is a table, empty at first. */
const SAME = `
  function same(a, b, seen)
    if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end
    if type(a) ~= "table" then return a == b and (a ~= 0 or 1 / a == 1 / b) or (a ~= a and b ~= b) end
    if seen[a] then return seen[a] == b end
    seen[a] = b
    local n, m = 0, 0
    for key, value in pairs(a) do
      n = n + 1
      if type(key) ~= "table" and not same(value, b[key], seen) then return false end
    end
    for _ in pairs(b) do m = m + 1 end
    return n == m
  end`;

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
    const comparing = `
      ${SAME}
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
      const meta = ((await all("meta")) as { name: string; value: unknown }[]).filter(
        ({ name }) => name !== "writer" && name !== "open",
      );
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
      { name: "records", value: true },
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
        lua.eval("t = ext.table('t') if not t.a then t.a, t.b, t.x50 = 1, 1, 1 end");
        await lua.flush();
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

  test("a second tab reads along, and takes over when the first is gone", async () => {
    const [writer, reader] = [await setup.open(), await setup.open()];
    await create(writer, "idb://along", () => lua.eval("t = ext.table('t') t.n = 0"));
    await writer.evaluate(() => lua.flush());
    await reader.evaluate(async () => {
      globalThis.lua = await perilune.Lua.create({ storage: "idb://along", readOnly: true });
    });
    const seen = reader.evaluate(
      () =>
        new Promise<number[]>((resolve) => {
          const values: number[] = [];
          lua.table("t").on("change", ({ changes, origin }) => {
            for (const { new: n } of changes) values.push(origin === "storage" ? (n as number) : -1);
            if (values.at(-1) === 200) resolve(values);
          });
        }),
    );
    await writer.evaluate(async () => {
      for (let i = 1; i <= 200; i++) {
        lua.eval("t.n = t.n + 1 t['key' .. t.n] = nil");
        // Some commits take several evals, some one.
        if (i % 3 === 0) await lua.flush();
      }
    });
    const values = await seen;
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
    );
    assert.ok(values.length > 60, `${values.length} commits were followed`);
    assert.equal(await reader.evaluate(() => lua.eval("return ext.table('t').n")), 200);
    // The reader waits to become the writer; the other dies without a word.
    const taking = reader.evaluate(async () => {
      await lua.close();
      globalThis.lua = await perilune.Lua.create({ storage: "idb://along", lockTimeout: Infinity });
      return lua.eval("return ext.table('t').n");
    });
    await writer.close();
    assert.equal(await taking, 200);
    await reader.close();
  });

  test("a reader is a world between two evals, however large a commit is", async () => {
    const [writer, reader] = [await setup.open(), await setup.open()];
    await create(writer, "idb://worlds", () =>
      lua.eval("function fill(n) local t = ext.table('t') for i = 1, 40000 do t[i] = n end ext.table('u').n = n end"),
    );
    await reader.evaluate(async () => {
      globalThis.lua = await perilune.Lua.create({ storage: "idb://worlds", readOnly: true });
    });
    await writer.evaluate(async () => {
      const padding = "x".repeat(100);
      for (let n = 1; n <= 6; n++) {
        // The largest are beyond what is sent.
        lua.call("fill", n % 2 === 0 ? padding.repeat(2) + n : n);
        await lua.flush();
      }
    });
    const wrong = await reader.evaluate(async () => {
      const problems: string[] = [];
      for (;;) {
        const [n, first, last] = lua.evalAll("return ext.table('u').n, ext.table('t')[1], ext.table('t')[40000]");
        if (n !== first || n !== last) problems.push(`${n} ${first} ${last}`);
        if (String(n).endsWith("6")) return problems;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    assert.deepEqual(wrong, []);
    await Promise.all([writer.close(), reader.close()]);
  });

  test("a database of format 1 is taken over, whole and in its order", async () => {
    const page = await setup.open();
    const fixture = JSON.parse(readFileSync(resolve("../tests/vectors/storage/idb-format-1.json"), "utf8"));
    const wrong = await page.evaluate(
      async ([fixture, same]) => {
        await new Promise<void>((resolve, reject) => {
          const request = indexedDB.open("perilune/old", 1);
          request.onupgradeneeded = () => {
            for (const [name, keyPath] of [
              ["meta", "name"],
              ["tables", "id"],
              ["entries", ["t", "s"]],
            ] as const) {
              const store = request.result.createObjectStore(name, { keyPath: keyPath as string | string[] });
              for (const record of fixture[name]) store.put(record);
            }
          };
          request.onsuccess = () => {
            request.result.close();
            resolve();
          };
          request.onerror = () => reject(request.error);
        });
        const problems: string[] = [];
        for (const round of ["upgraded", "opened again"]) {
          const lua = await perilune.Lua.create({ storage: "idb://old" });
          lua.eval(`${same} function equal(a, b) return same(a, b, {}) end`);
          const expected = fixture.contents.map(
            ({ name, rows }: { name: string; rows: [string, string][] }) =>
              `{ ${name}, { ${rows.map(([key, value]) => `{ ${key}, ${value} }`).join(", ")} } }`,
          );
          problems.push(
            ...(lua.eval(`
            local names, wrong = ext.tables(), {}
            for i, pair in ipairs { ${expected.join(",\n")} } do
              local name, rows = table.unpack(pair)
              if names[i] ~= name then wrong[#wrong + 1] = ("table %d is %q"):format(i, names[i]) end
              local n = 0
              for key, value in pairs(ext.table(name)) do
                n = n + 1
                local row = rows[n]
                if not row or not (row[1] == key or equal(row[1], key)) or not equal(row[2], value) then wrong[#wrong + 1] = name .. " " .. n end
              end
              if n ~= #rows then wrong[#wrong + 1] = ("%q has %d entries"):format(name, n) end
            end
            return #wrong > 0 and wrong or { "${round}" }`) as string[]),
          );
          await lua.close();
        }
        return problems;
      },
      [fixture, SAME],
    );
    assert.deepEqual(wrong, ["upgraded", "opened again"]);
    await page.close();
  });

  test("site data that is cleared under a page that runs is written again, whole", async () => {
    const page = await setup.open();
    await create(page, "idb://cleared", () =>
      lua.eval("for i = 1, 1000 do ext.table('t')[i] = i end ext.table('u').x = 1"),
    );
    await page.evaluate(() => lua.flush());
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.clearDataForOrigin", { origin: setup.origin, storageTypes: "indexeddb" });
    const codes = await page.evaluate(async () => {
      const codes: string[] = [];
      lua.on("storage-error", ({ code }) => codes.push(code));
      lua.eval("ext.table('t')[1001] = 1001");
      for (;;) {
        const done = await lua.flush().then(
          () => true,
          () => false,
        );
        if (done) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await lua.close();
      globalThis.lua = await perilune.Lua.create({ storage: "idb://cleared" });
      return [...codes, ...lua.evalAll("return ext.count(ext.table('t')), ext.table('t')[500], ext.table('u').x")];
    });
    assert.deepEqual(codes, ["reset", 1001, 500, 1]);
    await page.close();
  });

  test("a disk that is full keeps everything in the page, and takes it when there is room", async () => {
    // A browser of its own: Chromium remembers for a while how much room an origin has.
    const own = await setUp();
    const page = await own.open();
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: own.origin, quotaSize: 2_000_000 });
    await create(page, "idb://quota", () => lua.eval("ext.table('t').a = 1"));
    await page.evaluate(() => lua.flush());
    const full = await page.evaluate(async () => {
      const bytes = crypto.getRandomValues(new Uint8Array(60_000));
      lua.on("storage-error", () => {});
      for (let i = 0; i < 300; i++) lua.table("t").set(i, bytes);
      const code = await lua.flush().then(
        () => "none",
        (error: { code: string }) => error.code,
      );
      return [code, lua.stats().storage.state, lua.table("t").size, typeof (await lua.estimate()).usage];
    });
    assert.deepEqual(full, ["quota", "failed", 301, "number"]);
    await session.send("Storage.overrideQuotaForOrigin", { origin: own.origin });
    const after = await page.evaluate(async () => {
      await lua.flush();
      await lua.close();
      globalThis.lua = await perilune.Lua.create({ storage: "idb://quota" });
      return lua.table("t").size;
    });
    assert.equal(after, 301);
    await own.close();
  });

  test("a page that goes to the background tries again at once", async () => {
    const page = await setup.open();
    await create(page, "idb://hidden", () => lua.eval("ext.table('t').a = 1"));
    const trying = page.evaluate(async () => {
      await lua.flush();
      lua.on("storage-error", () => {});
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      lua.eval("ext.table('t').a = 2");
      // The next try by itself would be after seconds: here they never end.
      const { setTimeout } = globalThis;
      globalThis.setTimeout = ((work: () => void, ms = 0) =>
        ms < 1000 ? setTimeout(work, ms) : 0) as typeof setTimeout;
      for (let i = 0; i < 6; i++) await lua.flush().catch(() => {});
      IDBObjectStore.prototype.put = put;
      const states = [lua.stats().storage.state];
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      const committed = new Promise((resolve) => lua.on("commit", resolve));
      document.dispatchEvent(new Event("visibilitychange"));
      await committed;
      states.push(lua.stats().storage.state);
      await lua.close();
      // Nobody listens any more.
      document.dispatchEvent(new Event("visibilitychange"));
      return states;
    });
    assert.deepEqual(await inTime(trying, () => "the next try"), ["failed", "idle"]);
    await page.close();
  });

  test("opening tells how far it is", async () => {
    const page = await setup.open();
    const steps = await page.evaluate(async () => {
      const first = await perilune.Lua.create({ storage: "idb://progress" });
      first.eval("for i = 1, 50000 do ext.table('t')[i] = i end");
      await first.close();
      const steps: [number, number][] = [];
      const second = await perilune.Lua.create({
        storage: "idb://progress",
        onProgress: ({ loaded, total }) => steps.push([loaded, total]),
      });
      await second.close();
      return steps;
    });
    const records = Math.ceil(50_000 / 64) + 1;
    assert.deepEqual(steps[0], [0, records]);
    assert.deepEqual(steps.at(-1), [records, records]);
    assert.ok(steps.length > 4);
    assert.ok(
      steps.every(([loaded], i) => i === 0 || loaded > (steps[i - 1] as [number, number])[0] || loaded === records),
    );
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
