/**
 * Values of every kind - functions, objects, shared and cyclic tables, bytes - both ways through the real
 * module, by seed.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaFunction, LuaMultiReturn, LuaReference, type LuaValue } from "../src/index.ts";
import { Random, randomValue } from "./helpers.ts";
import { until } from "./time.ts";

const lua = await Lua.create({ memoryLimit: 8 << 20 });

/** Random values for Lua, with what comes back for them. */
class Sample {
  readonly #random: Random;
  readonly #lua: Lua;
  /** Tables that may be referred to again: those that are finished, and those around us. */
  readonly #tables: object[] = [];
  readonly #functions: (() => void)[] = [];
  /** Values that objects became, where they are not the objects themselves. */
  readonly back = new Map<unknown, unknown>();

  constructor(random: Random, lua: Lua) {
    this.#random = random;
    this.#lua = lua;
  }

  value(depth: number): unknown {
    const random = this.#random;
    switch (random.below(depth > 0 ? 12 : 8)) {
      case 0:
        return this.#function();
      case 1:
        return random.pick([new Error("e"), new RangeError("r"), new DOMException("d")]);
      case 2:
        return this.#ref();
      case 3:
        return this.#view();
      case 4:
        return random.pick([
          () => this.#lua.eval("return function(...) return ... end"),
          () => this.#lua.eval("return coroutine.create(print)"),
          () => this.#lua.eval("return io.stdout"),
          () => this.#lua.table(`t${random.below(3)}`),
        ])();
      case 5:
        return this.#tables.length > 0 ? random.pick(this.#tables) : this.#function();
      case 6:
      case 7:
        return randomValue(random, 0);
      case 8:
      case 9:
        return this.#array(depth);
      case 10:
        return this.#record(depth);
      default:
        return this.#map(depth);
    }
  }

  #function(): () => void {
    if (this.#functions.length === 0 || this.#random.below(2) === 0) this.#functions.push(() => {});
    return this.#random.pick(this.#functions);
  }

  #ref(): unknown {
    class Thing {}
    const thing = new Thing();
    const ref = this.#lua.ref(thing);
    this.back.set(ref, thing);
    return ref;
  }

  /** Bytes that are no text, in a view or a buffer of any kind. */
  #view(): unknown {
    const random = this.#random;
    const { buffer } = Uint8Array.of(...random.bytes(8), 0xff, ...random.bytes(23));
    const view = random.pick([
      () => new Uint8Array(buffer, 8),
      () => new Uint8ClampedArray(buffer),
      () => new Int16Array(buffer, 8, 1 + random.below(12)),
      () => new Float64Array(buffer, 8, 1 + random.below(3)),
      () => new BigInt64Array(buffer, 8),
      () => new DataView(buffer, 8, 1 + random.below(24)),
      () => Buffer.from(buffer, 8, 3),
    ])();
    const bytes = new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    const given = random.below(4) === 0 ? bytes.buffer : view;
    this.back.set(given, bytes);
    return given;
  }

  #array(depth: number): unknown {
    const array: unknown[] = [];
    this.#tables.push(array);
    for (let i = this.#random.below(5); i > 0; i--) array.push(this.value(depth - 1));
    return array;
  }

  #record(depth: number): unknown {
    const record: Record<string, unknown> = {};
    this.#tables.push(record);
    for (let i = this.#random.below(5); i > 0; i--) {
      const name = this.#random.pick([
        "a",
        "é",
        "__proto__",
        "constructor",
        "toString",
        "x\0",
        `n${i}`,
        "long".repeat(9),
      ]);
      const property = { value: this.value(depth - 1), enumerable: true, writable: true, configurable: true };
      Object.defineProperty(record, name, property);
    }
    return record;
  }

  #map(depth: number): unknown {
    const random = this.#random;
    const map = new Map<unknown, unknown>();
    this.#tables.push(map);
    // Text first, so that it could have been a record; at least one key that no record has.
    for (let i = random.below(3); i > 0; i--) map.set(`k${i}`, this.value(depth - 1));
    const key = random.pick([() => true, () => -1, () => 0.5, () => 2n ** 60n, () => this.#function()])();
    return map.set(key, this.value(depth - 1));
  }
}

/**
 * Asserts that what came back is what was given: the same shape, with the same things shared, everything else
 * the same thing.
 */
function assertSame(given: unknown, got: unknown, { back }: Sample): void {
  const pairs = new Map<unknown, unknown>();
  const compare = (a: unknown, b: unknown): void => {
    if (back.has(a)) a = back.get(a);
    if (a instanceof LuaFunction || a instanceof LuaReference) return assertSameInLua(a, b);
    if (ArrayBuffer.isView(a)) return assert.deepEqual(b, a);
    if (!isTable(a)) return assert.ok(Object.is(a, b), `${String(a)} is not ${String(b)}`);
    if (pairs.has(a)) return assert.equal(b, pairs.get(a), "what was shared is shared");
    pairs.set(a, b);
    assert.equal(Object.getPrototypeOf(b), Object.getPrototypeOf(a));
    const [entries, others] = [entriesOf(a), entriesOf(b as object)];
    assert.equal(others.size, entries.size);
    for (const [key, value] of entries) {
      assert.ok(others.has(key), String(key));
      compare(value, others.get(key));
    }
  };
  compare(given, got);
  assert.equal(new Set(pairs.values()).size, pairs.size, "what was two is two");
}

function isTable(value: unknown): value is object {
  return Array.isArray(value) || value instanceof Map || Object.getPrototypeOf(value ?? 0) === Object.prototype;
}

function entriesOf(table: object): Map<unknown, unknown> {
  return table instanceof Map ? table : new Map<unknown, unknown>(Object.entries(table));
}

function assertSameInLua(a: unknown, b: unknown): void {
  assert.equal(lua.call("rawequal", a, b), true);
}

suite("from JavaScript through Lua and back", () => {
  test("as an argument and a result, as a global, as what a host function gives and takes", () => {
    let given: unknown;
    let taken: unknown;
    lua.register("give", () => LuaMultiReturn.of(given));
    lua.register("take", (value: unknown) => void (taken = value));
    const same = lua.eval<LuaFunction>("return function(...) return ... end");
    for (let seed = 0; seed < 500; seed++) {
      const sample = new Sample(new Random(seed), lua);
      given = sample.value(4);
      try {
        assertSame(given, same(given), sample);
        lua.globals.set("given", given);
        assertSame(given, lua.globals.get("given"), sample);
        lua.eval("take(give())");
        assertSame(given, taken, sample);
        // Twice in one message: one thing.
        const [first, second] = same.callAll(given, given);
        assertSame([given, given], [first, second], sample);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });

  test("as what a promise is fulfilled with", async () => {
    let given: unknown;
    lua.register("later", async () => LuaMultiReturn.of(given));
    for (let seed = 0; seed < 100; seed++) {
      const sample = new Sample(new Random(seed), lua);
      given = sample.value(4);
      assertSame(given, await lua.evalAsync("return later()"), sample);
    }
  });

  test("nothing of it stays when Lua has forgotten it", async () => {
    let collected = 0;
    const registry = new FinalizationRegistry(() => (collected += 1));
    const other = await Lua.create();
    for (let seed = 0; seed < 100; seed++) {
      const fn = () => {};
      registry.register(fn, 0);
      other.globals.set("given", [new Sample(new Random(seed), other).value(4), fn, { fn }]);
      assert.throws(() => other.globals.set("given", [fn, Symbol("no")]), TypeError);
    }
    other.globals.delete("given");
    await until(() => {
      other.gc();
      globalThis.gc?.();
      return collected >= 90 && other.stats().handles <= 5;
    });
    await other.close();
  });
});

/** A value of Lua's making, and whether another one is the same; in Lua. */
const FROM_LUA = String.raw`
  local numbers = { 0, 1, -1, 0.5, 1e300, -1/0, 1/0, math.maxinteger, math.mininteger, 1 << 53, (1 << 53) - 1 }
  local texts = { "", "a", "1", "a\0b", "\u{e9}", "\u{1f600}", "\xff", "\xc3", "\xed\xa0\x80", ("x"):rep(100), ("\xfe"):rep(100), "__proto__" }
  local things = { print, function() end, coroutine.create(print), io.stdout, ext.table("a"), ext.table("b"), host.same }

  local function pick(list) return list[math.random(#list)] end

  local function make(depth, tables)
    local kind = math.random(depth > 0 and 9 or 5)
    if kind == 1 then return pick(numbers) end
    if kind == 2 then return pick(texts) end
    if kind == 3 then return pick(things) end
    if kind == 4 then return math.random(2) == 1 end
    if kind == 5 then return #tables > 0 and pick(tables) or "none" end
    local t = kind == 6 and math.random(2) == 1 and require("json").array() or {}
    tables[#tables + 1] = t
    if kind ~= 6 then for i = 1, math.random(0, 4) do t[i] = make(depth - 1, tables) end end
    if kind ~= 7 and not getmetatable(t) then for i = 1, math.random(0, 3) do t[pick(texts) .. i] = make(depth - 1, tables) end end
    if kind == 9 then
      t[pick(things)] = make(depth - 1, tables)
      t[pick { true, 0, -7, 2.5, 9, math.maxinteger }] = make(depth - 1, tables)
    end
    return t
  end

  local function check(a, b, seen, back)
    if rawequal(a, b) and math.type(a) == math.type(b) then return end
    assert(type(a) == "table" and type(b) == "table", "another " .. type(a))
    local mark, other = getmetatable(a), getmetatable(b)
    assert((mark and mark.__jsontype) == (other and other.__jsontype), "another mark")
    assert(not mark or next(a) == nil, "a mark on more than an empty list")
    assert(seen[a] == nil or seen[a] == b, "what was shared is shared")
    assert(back[b] == nil or back[b] == a, "what was two is two")
    if seen[a] then return end
    seen[a], back[b] = b, a
    for key, value in next, a do check(value, b[key], seen, back) end
    for key in next, b do assert(a[key] ~= nil, "more keys than before") end
  end

  function round(seed)
    math.randomseed(seed)
    local value = make(4, {})
    check(value, same(value), {}, {})
    check({ value, value }, { same(value, value) }, {}, {})
  end`;

suite("from Lua through JavaScript and back", () => {
  test("as arguments and results", () => {
    lua.register("same", (...values: LuaValue[]) => LuaMultiReturn.of(...values));
    lua.eval(FROM_LUA);
    for (let seed = 1; seed <= 1000; seed++) {
      const result = lua.tryEval(`round(${seed})`);
      assert.ok(result.ok, `seed ${seed}: ${result.ok || result.error.message}`);
    }
  });

  test("kept in JavaScript for a while", async () => {
    lua.register("same", async (...values: LuaValue[]) => {
      await null;
      return LuaMultiReturn.of(...values);
    });
    await Promise.all(Array.from({ length: 100 }, (_, seed) => lua.evalAsync(`round(${seed + 1})`)));
  });
});
