/**
 * Every border that a value may cross, as a table: what goes in comes out. A way for values that is new
 * belongs in the table, and is tried with random values like the others.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaRuntimeError, type LuaFunction, type LuaValue } from "../src/index.ts";
import { Random, randomValue, settled } from "./helpers.ts";

const lua = await Lua.create({ memoryLimit: 8 << 20 });
const other = await Lua.create({ memoryLimit: 8 << 20 });
const same = lua.eval<LuaFunction>("return function(...) return ... end");
const table = lua.table("kept");
let given: unknown;
let taken: unknown;
lua.register("give", () => given);
lua.register("later", async () => given);
lua.register("take", (value: unknown) => void (taken = value));
const box = { value: undefined as unknown, give: () => given };
lua.globals.set("box", lua.ref(box, { read: ["value"], write: ["value"], methods: ["give"] }));

/** Places where a value goes in, and out again. */
const borders: Record<string, (value: unknown) => unknown> = {
  "a function of Lua": (value) => same(value),
  "all its results": (value) => same.callAll(value)[0],
  "a function of Lua that may wait": async (value) => await same.callAsync(value),
  call: (value) => {
    lua.eval("function echo(...) return ... end");
    return lua.call("echo", value);
  },
  callAll: (value) => lua.callAll("echo", value)[0],
  callAsync: async (value) => await lua.callAsync("echo", value),
  "a global": (value) => {
    lua.globals.set("v", value);
    return lua.globals.get("v");
  },
  eval: (value) => lua.eval("return v", { env: { v: value } }),
  evalAll: (value) => lua.evalAll("return v", { env: { v: value } })[0],
  tryEval: (value) => {
    const result = lua.tryEval("return v", { env: { v: value } });
    return result.ok ? result.value : assert.fail();
  },
  run: (value) => lua.run("return v", { env: { v: value } }).values[0],
  evalAsync: async (value) => await lua.evalAsync("return v", { env: { v: value } }),
  "what a host function returns": (value) => {
    given = value;
    return lua.eval("return give()");
  },
  "what a host function is given": (value) => {
    lua.eval("take(v)", { env: { v: value } });
    return taken;
  },
  "what a promise is fulfilled with": async (value) => {
    given = value;
    return await lua.evalAsync("return later()");
  },
  "a task in a group": async (value) => {
    given = value;
    return await lua.evalAsync("return async.all(later, later)");
  },
  "a member of an object": (value) => {
    box.value = value;
    const read = lua.eval("return box.value");
    lua.eval("box.value = v", { env: { v: read } });
    return box.value;
  },
  "a method of an object": (value) => {
    given = value;
    return lua.eval("return box:give()");
  },
  "the value of an error": (value) => {
    try {
      lua.eval("error(v)", { env: { v: [value] } });
      return assert.fail("no error");
    } catch (error) {
      assert.ok(error instanceof LuaRuntimeError);
      return (error.value as LuaValue[])[0];
    }
  },
  "an external table, from JavaScript to JavaScript": (value) => table.set("a", value).get("a"),
  "an external table, from JavaScript to Lua": (value) => {
    table.setMany({ a: value });
    return lua.eval('return ext.table("kept").a');
  },
  "an external table, from Lua to Lua": (value) =>
    lua.eval('local t = ext.table("kept") t.a = v return t.a', { env: { v: value } }),
  "an external table, from Lua to JavaScript": (value) => {
    lua.eval('ext.table("kept").a = v', { env: { v: value } });
    return table.get("a");
  },
  "the entries of an external table": (value) => {
    table.clear();
    table.set("a", value);
    const [[, first] = []] = table;
    lua.eval('for _, v in pairs(ext.table("kept")) do take(v) end');
    assert.deepStrictEqual(taken, first);
    return [...table.values()][0];
  },
  "a change of an external table": async (value) => {
    table.delete("a");
    await null;
    const changes: unknown[] = [];
    const stop = table.on("change", (event) => changes.push(...event.changes));
    table.set("a", value);
    await settled();
    table.delete("a");
    await settled();
    stop();
    const [set, deleted] = changes as [{ new: unknown }, { old: unknown }];
    assert.deepStrictEqual(set.new, deleted.old);
    return set.new;
  },
  "a dump": (value) => {
    table.set("a", value);
    other.load(lua.dump());
    return other.table("kept").get("a");
  },
  "a dump as JSON": (value) => {
    table.set("a", value);
    other.load(lua.dump({ format: "json" }));
    return other.eval('return ext.table("kept").a');
  },
};

/** Borders that make a VM each time. */
const slow: Record<string, (value: unknown) => Promise<unknown>> = {
  "an image": async (value) => {
    lua.globals.set("v", value);
    table.set("a", value);
    const restored = await Lua.restore(lua.snapshot());
    const [first, second] = restored.evalAll('return v, ext.table("kept").a');
    await restored.close();
    assert.deepStrictEqual(first, second);
    return first;
  },
  "a fork": async (value) => {
    lua.globals.set("v", value);
    const fork = await lua.fork();
    const first = fork.globals.get("v");
    await fork.close();
    return first;
  },
};

async function crosses(cross: (value: unknown) => unknown, seeds: number): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const value = randomValue(new Random(seed), 4);
    const given = seed % 2 === 0 ? value : [[], {}, { list: [], of: [value, []] }];
    assert.deepStrictEqual(await cross(given), given, `seed ${seed}`);
  }
}

suite("a value comes out as it went in", () => {
  for (const [name, cross] of Object.entries(borders)) test(name, () => crosses(cross, 200));
  for (const [name, cross] of Object.entries(slow)) test(name, () => crosses(cross, 8));
});

suite("what JSON made", () => {
  test("arrives as it was written, empty lists and all", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const make = (depth: number): unknown => {
        switch (random.below(depth > 0 ? 5 : 3)) {
          case 0:
            return random.below(100) / 4;
          case 1:
            return random.pick([true, "", "é", null]);
          case 2:
            return random.pick([[], {}]);
          case 3:
            return Array.from({ length: random.below(4) }, () => make(depth - 1));
          default:
            return Object.fromEntries(Array.from({ length: random.below(4) }, (_, i) => [`k${i}`, make(depth - 1)]));
        }
      };
      const value = make(4);
      const text = JSON.stringify(value);
      assert.deepStrictEqual(lua.eval("return require('json').decode(text)", { env: { text } }), value);
      // Back in Lua nulls are nil, which lists and objects do not keep.
      if (text.includes("null")) continue;
      const again = lua.eval<string>("return require('json').encode(v)", { env: { v: value } });
      assert.deepStrictEqual(JSON.parse(again), value);
    }
  });
});
