/** The package in a page of Chromium, under a strict content security policy. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import { conversions, describe, described } from "../test/helpers.ts";
import { setUp, type Setup } from "./browser.ts";

suite("in a page", () => {
  let setup: Setup;
  before(async () => void (setup = await setUp()));
  after(() => setup.close());

  test("runs Lua", async () => {
    const page = await setup.open();
    const result = await page.evaluate(async () => {
      const lua = await perilune.Lua.create();
      const { output, values } = lua.run("print('hello') return 1, 'é', { a = 1.5 }");
      const failed = lua.tryEval("error({ code = 42 })", { name: "page.lua" });
      const stats = lua.stats();
      await lua.close();
      return {
        output,
        values,
        code: !failed.ok && (failed.error.value as { code: number }).code,
        limit: stats.memory.limit,
      };
    });
    assert.deepEqual(result, { output: "hello\n", values: [1, "é", { a: 1.5 }], code: 42, limit: 2 << 20 });
    await page.close();
  });

  test("loads one script and the module, and each part when it is used", async () => {
    const page = await setup.open();
    const loaded = await page.evaluate(async () => {
      const names = () =>
        performance
          .getEntriesByType("resource")
          .map(({ name }) => name.slice(name.lastIndexOf("/") + 1))
          .filter((name) => name !== "page.js" && name !== "favicon.ico");
      const { Lua } = perilune;
      const lua = await Lua.create();
      lua.eval("ext.table('t').x = 1");
      await lua.evalAsync("async.sleep(0)");
      lua.load(lua.dump());
      lua.load(lua.dump({ format: "json" }));
      const image = lua.snapshot();
      await lua.flush();
      const first = names();
      await Promise.all([(await lua.fork()).close(), (await Lua.restore(image)).close()]);
      const forked = names();
      const stored = await Lua.create({ storage: "idb://parts" });
      await stored.close();
      await lua.close();
      return { first, forked, stored: names() };
    });
    const first = ["index.js", "perilune.wasm"];
    assert.deepEqual(loaded, {
      first,
      forked: [...first, "restoring.js"],
      stored: [...first, "restoring.js", "lasting.js"],
    });
    await page.close();
  });

  test("converts as the table of conversion says", async () => {
    const page = await setup.open();
    await page.evaluate(`Object.assign(globalThis, { describe: ${describe}, described: ${described} })`);
    const { rows, given } = await page.evaluate(async ({ rows, given }) => {
      const { describe, described } = globalThis as unknown as typeof import("../test/helpers.ts");
      const lua = await perilune.Lua.create();
      const holds = (back: string, value: unknown) =>
        lua.eval<import("../src/index.ts").LuaFunction>(`return function(x) return ${back} end`)(value);
      return {
        rows: rows.map(({ lua: expression, js, back }) => {
          const value = lua.eval(`return ${expression}`);
          return [describe(value), holds(back, value), holds(back, described(js))];
        }),
        given: given.map(({ js, back }) => holds(back, described(js))),
      };
    }, conversions);
    conversions.rows.forEach(({ name, js }, i) => {
      assert.deepEqual(rows[i], [describe(described(js)), true, true], name);
    });
    conversions.given.forEach(({ name }, i) => assert.equal(given[i], true, name));
    await page.close();
  });

  test("a hundred VMs in one page are independent, and the module is fetched once", async () => {
    const page = await setup.open();
    const sums = await page.evaluate(async () => {
      const all = await Promise.all(Array.from({ length: 100 }, () => perilune.Lua.create()));
      all.forEach((one, i) => one.eval(`id = ${i}; ext.table('t').id = id`));
      const sums = [
        all.reduce((sum, one) => sum + one.eval<number>("return id"), 0),
        all.reduce((sum, one) => sum + (one.table("t").get("id") as number), 0),
        performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".wasm")).length,
      ];
      await Promise.all(all.map((one) => one.close()));
      return sums;
    });
    assert.deepEqual(sums, [4950, 4950, 1]);
    await page.close();
  });

  test("the module in the final encoding of wasm exceptions runs as well", async () => {
    // `cargo xtask test` builds it beside the one that ships.
    const module = await readFile("../target/wasm/perilune-exnref.wasm");
    const page = await setup.open();
    const results = await page.evaluate(
      async (bytes) => {
        const lua = await perilune.Lua.create({ wasm: Uint8Array.from(bytes) });
        return lua.evalAll(`
        local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end error({ code = 7 }) end)
        local sum = co() + co() + co()
        local ok, e = pcall(co)
        local deep = select(2, pcall(function() local function f() return 1 + f() end f() end))
        return sum, ok, e.code, deep:match("stack overflow"), select("#", pcall(string.rep))
      `);
      },
      [...module],
    );
    assert.deepEqual(results, [6, false, 7, "stack overflow", 2]);
    await page.close();
  });

  test("runs in a worker", async () => {
    const page = await setup.open();
    const version = await page.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker("/worker.js", { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => reject(new Error(event.message));
        }),
    );
    assert.equal(version, "Lua 5.4");
    await page.close();
  });

  test("a hundred thousand evals and errors keep memory flat", async () => {
    const page = await setup.open();
    const [before, after] = await page.evaluate(async () => {
      const lua = await perilune.Lua.create();
      const round = (count: number) => {
        for (let i = 0; i < count; i++) {
          lua.eval("local t = { 1, 2 } return t[1]");
          if (i % 10 === 0) lua.tryEval("error('x')");
        }
        lua.gc();
        return lua.stats().memory.used;
      };
      return [round(1000), round(100_000)];
    });
    assert.equal(after, before);
    await page.close();
  });
});
