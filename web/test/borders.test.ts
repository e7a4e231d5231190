/**
 * Every border that a value may cross, as a table: what goes in comes out. A way for values that is new
 * belongs in the table, and is tried with random values like the others.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  Lua,
  LuaError,
  LuaRuntimeError,
  type ConversionOptions,
  type LuaFunction,
  type LuaValue,
} from "../src/index.ts";
import { Random, randomValue, settled } from "./helpers.ts";

/** A place where a value goes in, and out again. */
type Border = (value: unknown) => unknown;

/** Makes a VM with these options, and all its borders. */
async function bordersOf(
  options: ConversionOptions,
): Promise<{ lua: Lua; borders: Record<string, Border>; slow: Record<string, Border> }> {
  const lua = await Lua.create({ memoryLimit: 8 << 20, ...options });
  const other = await Lua.create({ memoryLimit: 8 << 20, ...options });
  const same = lua.eval<LuaFunction>("return function(...) return ... end");
  const table = lua.table("kept");
  let given: unknown;
  let taken: unknown;
  lua.register("give", () => given);
  lua.register("later", async () => given);
  lua.register("take", (value: unknown) => void (taken = value));
  const box = { value: undefined as unknown, give: () => given };
  lua.globals.set("box", lua.ref(box, { read: ["value"], write: ["value"], methods: ["give"] }));

  const borders: Record<string, Border> = {
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
      if (!result.ok) throw result.error;
      return result.value;
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
      } catch (error) {
        // As it is, whatever the options say.
        assert.ok(error instanceof LuaRuntimeError);
        return same((error.value as LuaValue[])[0]);
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
      const events: { changes: readonly unknown[] }[] = [];
      const stop = table.on("change", (event) => events.push(event));
      table.set("a", value);
      await settled();
      table.delete("a");
      await settled();
      stop();
      // Decoded here: a listener that throws is nobody's.
      const [set, deleted] = events.flatMap((event) => event.changes) as [{ new: unknown }, { old: unknown }];
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

  // These make a VM each time.
  const slow: Record<string, Border> = {
    "an image": async (value) => {
      lua.globals.set("v", value);
      table.set("a", value);
      const restored = await Lua.restore(lua.snapshot(), options);
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

  return { lua, borders, slow };
}

/** Returns what arrives of a value that came out of Lua by "auto". */
function converted(value: unknown, as: ConversionOptions): unknown {
  const key = (of: unknown) => (typeof of === "string" ? of : converted(of, as));
  if (typeof value === "string" && as.strings === "bytes") return new TextEncoder().encode(value);
  if (typeof value === "number" && as.integers === "bigint") {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
  }
  if (typeof value === "bigint" && as.integers === "number") throw new RangeError("no safe integer");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((of: unknown) => converted(of, as));
  if (value instanceof Map) return new Map([...value].map(([name, of]) => [key(name), converted(of, as)]));
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, converted(of, as)]));
}

async function crosses(border: Border, seeds: number, as: ConversionOptions): Promise<void> {
  let refused = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const value = randomValue(new Random(seed), 4);
    const given = seed % 2 === 0 ? value : [[], {}, { list: [], of: [value, []] }];
    let expected: unknown;
    try {
      expected = converted(given, as);
    } catch {
      refused += 1;
      await assert.rejects(async () => await border(given), /is no safe integer, and option "integers" is "number"/);
      continue;
    }
    assert.deepStrictEqual(await border(given), expected, `seed ${seed}`);
  }
  assert.equal(refused > 0, as.integers === "number");
}

const CONVERSIONS: ConversionOptions[] = [
  {},
  { strings: "bytes" },
  { integers: "number" },
  { integers: "bigint" },
  { strings: "bytes", integers: "bigint" },
];

suite("a value comes out as it went in", () => {
  for (const as of CONVERSIONS) {
    test(JSON.stringify(as), async (t) => {
      const { borders, slow } = await bordersOf(as);
      for (const [name, border] of Object.entries(borders)) await t.test(name, () => crosses(border, 100, as));
      for (const [name, border] of Object.entries(slow)) await t.test(name, () => crosses(border, 30, as));
    });
  }
});

suite("a single call", () => {
  /** Calls with options of their own, of a value that is a global and an entry. */
  const calls = (lua: Lua): Record<string, (as: ConversionOptions) => unknown> => ({
    eval: (as) => lua.eval("return v", as),
    evalAll: (as) => lua.evalAll("return v", as)[0],
    tryEval: (as) => {
      const result = lua.tryEval("return v", as);
      if (!result.ok) throw result.error;
      return result.value;
    },
    run: (as) => lua.run("return v", as).values[0],
    evalAsync: async (as) => await lua.evalAsync("async.sleep(0) return v", as),
    "globals.get": (as) => lua.globals.get("v", as),
    "table.get": (as) => lua.table("kept").get("v", as),
  });

  test("has what it says itself, and else what the VM says", async () => {
    for (const usual of CONVERSIONS) {
      const lua = await Lua.create(usual);
      for (const own of CONVERSIONS) {
        const both = { ...usual, ...own };
        for (const [name, call] of Object.entries(calls(lua))) {
          for (const value of [
            7,
            0.5,
            "text",
            { n: 1, list: [1, "a"], s: "é" },
            new Map<unknown, unknown>([
              [true, 1],
              [2, "b"],
            ]),
          ]) {
            lua.globals.set("v", value);
            lua.table("kept").set("v", value);
            const what = `${name}, ${JSON.stringify([usual, own])}`;
            assert.deepStrictEqual(await call({ ...own }), converted(value, both), what);
          }
          lua.globals.set("v", { deep: [2n ** 60n] });
          lua.table("kept").set("v", { deep: [2n ** 60n] });
          if (both.integers === "number") {
            const isTyped = (error: unknown) => error instanceof LuaError && error.kind === "value";
            await assert.rejects(async () => await call({ ...own }), isTyped, name);
          } else {
            assert.deepStrictEqual(await call({ ...own }), { deep: [2n ** 60n] });
          }
        }
      }
      await lua.close();
    }
  });

  test("that is refused loses neither its output nor the VM", async () => {
    let text = "";
    const lua = await Lua.create({ integers: "number", stdout: (part) => (text += part) });
    assert.throws(() => lua.eval("print 'before' return math.maxinteger"), LuaError);
    assert.equal(text, "before\n");
    await assert.rejects(lua.evalAsync("print 'again' async.sleep(0) return math.maxinteger"), LuaError);
    assert.equal(text, "before\nagain\n");
    assert.equal(lua.eval("return 1"), 1);
    lua.register("take", () => assert.fail("it was called"));
    assert.equal(lua.eval("return pcall(take, math.maxinteger)"), false);
    await lua.close();
  });

  test("names of members and keys are text, whatever strings are", async () => {
    const lua = await Lua.create({ strings: "bytes", integers: "bigint", modules: { m: "return 5" } });
    const object = { a: 1, set: undefined as unknown, m: (given: unknown) => given };
    lua.globals.set("o", lua.ref(object, { read: ["a"], write: ["set"], methods: ["m"] }));
    assert.equal(lua.eval("o.set = 'x' return o.a"), 1n);
    assert.deepEqual(object.set, new TextEncoder().encode("x"));
    assert.deepEqual(lua.eval("return o:m('y')"), new TextEncoder().encode("y"));
    assert.equal(lua.eval("return require('m')"), 5n);
    lua.table("kept").set("é", "v").set(5, 1);
    assert.deepEqual(
      [...lua.table("kept")],
      [
        ["é", new TextEncoder().encode("v")],
        [5n, 1n],
      ],
    );
    assert.ok(lua.globals.keys().includes("print"));
    assert.equal(lua.stats().evals > 0, true);
    assert.equal(lua.gc(), 0);
    await assert.rejects(lua.evalAsync("while true do end", { fuel: 1000 }), { reason: "fuel" });
    await lua.close();
  });
});

const lua = await Lua.create({ memoryLimit: 8 << 20 });

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
