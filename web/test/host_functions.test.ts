/** Lua calls JavaScript, and JavaScript Lua, to any depth: with the real module. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaFunction, LuaMultiReturn, type LuaValue } from "../src/index.ts";
import { Random, randomValue } from "./helpers.ts";
import { until } from "./time.ts";
import { RecordBackend } from "./record_backend.ts";

const lua = await Lua.create();

suite("register", () => {
  test("makes host.NAME and a global", () => {
    lua.register("add", (a: number, b: number) => a + b);
    assert.equal(lua.eval("return add(1, 2)"), 3);
    assert.equal(lua.eval("return host.add(1, 2)"), 3);
    assert.equal(lua.call("add", 3, 4), 7);
    assert.equal(lua.eval("return type(add)"), "function");
  });

  test("a dotted name makes tables", () => {
    lua.register("app.log.write", (text: string) => text.length);
    assert.equal(lua.eval("return app.log.write('four')"), 4);
    assert.equal(lua.eval("return host.app.log.write('four')"), 4);
    lua.register("app.log.read", () => "read");
    assert.equal(lua.eval("return app.log.read() .. app.log.write('four')"), "read4");
  });

  test("the same name again replaces the function, for those who hold it too", () => {
    lua.register("version", () => 1);
    lua.eval("held = version");
    lua.register("version", () => 2);
    assert.deepEqual(lua.evalAll("return version(), held(), host.version()"), [2, 2, 2]);
  });

  test("bad names and things that are no functions are refused", () => {
    for (const name of ["", ".", "a.", ".a", "a..b", "a\0b", 5, undefined]) {
      assert.throws(() => lua.register(name as string, () => 1), TypeError);
    }
    class Player {}
    for (const fn of [undefined, null, 1, "x", {}, Player, Map, Function, lua.eval("return print")]) {
      assert.throws(() => lua.register("refused", fn as never), TypeError);
    }
    assert.throws(() => lua.register("refused", Player as never), /the class Player cannot be given to Lua/);
    assert.equal(lua.eval("return host.refused == nil and refused == nil"), true);
    lua.eval("taken = 5");
    assert.throws(() => lua.register("taken.deeper", () => 1), LuaError);
  });
});

suite("functions as values", () => {
  test("go wherever a value goes", () => {
    const double = (n: number) => n * 2;
    lua.globals.set("double", double);
    assert.equal(lua.eval("return double(21)"), 42);
    lua.globals.set("api", { math: { double }, list: [double] });
    assert.equal(lua.eval("return api.math.double(api.list[1](1))"), 4);
    assert.equal(lua.eval<LuaFunction>("return function(f, x) return f(x) end")(double, 4), 8);
    assert.equal(lua.call("pcall", double, 4), true);
  });

  test("come back as they were", () => {
    const fn = (): void => {};
    lua.globals.set("fn", fn);
    assert.equal(lua.globals.get("fn"), fn);
    assert.deepEqual(lua.evalAll("return fn, { fn }, { a = fn }"), [fn, [fn], { a: fn }]);
    assert.equal(lua.eval("return fn == fn"), true);
    assert.equal(lua.eval<LuaFunction>("return function(a, b) return a == b, rawequal(a, b) end")(fn, fn), true);
    assert.equal(
      lua.call("rawequal", fn, () => {}),
      false,
    );
  });

  test("of Lua that pass through JavaScript are the same, too", () => {
    lua.register("same", (value: unknown) => value);
    assert.deepEqual(
      lua.evalAll("local f, t = function() end, coroutine.create(print) return same(f) == f, same(t) == t"),
      [true, true],
    );
    assert.equal(lua.eval("local t = ext.table('through') return same(t) == t"), true);
  });

  test("`this` is undefined, and arguments that are missing too", () => {
    let seen: unknown[] = [];
    lua.globals.set("look", function (this: unknown, a?: unknown, b?: unknown) {
      seen = [this, a, b, arguments.length];
    });
    lua.eval("look(1)");
    assert.deepEqual(seen, [undefined, 1, undefined, 1]);
    lua.eval("look(nil, nil)");
    assert.deepEqual(seen, [undefined, undefined, undefined, 2]);
  });

  test("nothing returned is no value, LuaMultiReturn is many", () => {
    lua.register("nothing", () => {});
    lua.register("null", () => null);
    lua.register("many", () => LuaMultiReturn.of(1, "two", undefined));
    lua.register("list", () => [1, 2]);
    assert.deepEqual(lua.evalAll("return select('#', nothing()), select('#', null()), select('#', many())"), [0, 1, 3]);
    assert.deepEqual(lua.evalAll("return many()"), [1, "two", undefined]);
    assert.deepEqual(lua.evalAll("return nothing() == nil, #list()"), [true, 2]);
  });

  test("cannot be kept in external tables", () => {
    const t = lua.table("nokeep");
    assert.throws(() => t.set("f", () => 1), /cannot be kept in an external table/);
    lua.globals.set("f", () => 1);
    assert.throws(() => lua.eval("ext.table('nokeep').f = f"), LuaError);
    assert.equal(t.size, 0);
  });

  test("any value makes the round through Lua and back", () => {
    const random = new Random(11);
    let given: unknown;
    lua.register("give", () => LuaMultiReturn.of(given));
    lua.register("take", (value: unknown) => assert.deepStrictEqual(value, given));
    for (let round = 0; round < 1000; round++) {
      given = randomValue(random, 4);
      lua.eval("take(give())");
      assert.deepStrictEqual(lua.call("select", 1, given), given);
    }
  });

  test("large arguments and results pass", () => {
    lua.register("large", (text: string) => text + text);
    assert.equal(lua.eval("return #large(('x'):rep(100000))"), 200_000);
    assert.equal(lua.eval<string>("return large(('é'):rep(50000))"), "é".repeat(100_000));
    lua.register("list", () => Array.from({ length: 10_000 }, (_, i) => i));
    assert.equal(lua.eval("return #list()"), 10_000);
  });
});

suite("inside of each other", () => {
  test("a hundred deep", () => {
    lua.register("down", (n: number): LuaValue => (n === 0 ? "bottom" : lua.call("up", n - 1)));
    lua.eval("function up(n) return down(n) end");
    assert.equal(lua.eval("return down(100)"), "bottom");
  });

  test("endless recursion ends as an error, and Lua goes on", () => {
    lua.register("forever", (): LuaValue => lua.eval("return forever()"));
    assert.throws(() => lua.eval("return forever()"), LuaError);
    assert.throws(() => lua.call("forever"), LuaError);
    assert.equal(lua.eval("return 1"), 1);
  });

  test("a call inside disturbs nothing outside", () => {
    lua.register("inner", (n: number) => {
      assert.equal(lua.eval(`return '${"y".repeat(n)}'`), "y".repeat(n));
      assert.equal(lua.tryEval("error({ code = 1 })").ok, false);
      lua.globals.set("fromInside", { n });
      return LuaMultiReturn.of(n, "x".repeat(n));
    });
    for (const n of [0, 1, 10, 1000, 70_000]) {
      assert.deepEqual(lua.evalAll(`local a, b = inner(${n}) return a, #b, fromInside.n`), [n, n, n]);
    }
  });

  test("metamethods, iterators, sort and gsub may be host functions", () => {
    lua.register("less", (a: number, b: number) => a < b);
    lua.register("upper", (text: string) => text.toUpperCase());
    assert.deepEqual(lua.eval("local t = { 3, 1, 2 } table.sort(t, less) return t"), [1, 2, 3]);
    assert.equal(lua.eval("return (('abc'):gsub('%w', upper))"), "ABC");
    lua.register("index", (_t: unknown, key: string) => `no ${key}`);
    assert.equal(lua.eval("return setmetatable({}, { __index = index }).thing"), "no thing");
    lua.register("next3", (_s: unknown, i: number) => (i < 3 ? i + 1 : undefined));
    assert.equal(lua.eval("local n = 0 for i in next3, nil, 0 do n = n + i end return n"), 6);
  });

  test("in a coroutine, too", () => {
    assert.deepEqual(
      lua.evalAll(
        "local co = coroutine.wrap(function() coroutine.yield(add(1, 2)) return add(3, 4) end) return co(), co()",
      ),
      [3, 7],
    );
  });

  test("closing from inside is refused", async () => {
    const other = await Lua.create();
    let refused: Promise<unknown> | undefined;
    other.register("shut", () => {
      refused = assert.rejects(other.close(), (error) => error instanceof LuaError && error.kind === "usage");
    });
    other.eval("shut()");
    await refused;
    assert.equal(other.eval("return 1"), 1);
    await other.close();
  });

  test("what JavaScript writes to tables is part of the batch that runs, and of its transaction", async () => {
    const storage = new RecordBackend();
    const other = await Lua.create({ storage });
    other.register("write", (key: string) => void other.table("t").set(key, 1));
    other.register("nested", () => void other.eval("ext.table('t').nested = 1"));
    other.eval("local t = ext.table('t') t.before = 1 write('host') nested() t.after = 1");
    await other.flush();
    assert.equal(storage.commits, 1);
    assert.deepEqual([...other.table("t").keys()], ["before", "host", "nested", "after"]);
    assert.throws(() => other.eval("ext.transaction(function() write('gone') nested() error('no') end)"), /no/);
    assert.equal(other.table("t").has("gone"), false);
    await other.close();
  });

  test("output keeps its order", async () => {
    const received: string[] = [];
    const other = await Lua.create({ stdout: (text) => received.push(text) });
    other.register("say", (text: string) => void received.push(text));
    other.eval("io.write('1') say('2') io.write('3') say('4') print('5')");
    assert.equal(received.join(""), "12345\n");
    const { output } = other.run("print('a') say('b') print('c')");
    assert.equal(output, "a\nc\n");
    await other.close();
  });

  test("a line that is not finished when a host function runs is still one line", (t) => {
    const log = t.mock.method(console, "log", () => {});
    lua.register("pause", () => {});
    lua.eval("io.write('one ') pause() io.write('line') return 5");
    assert.deepEqual(
      log.mock.calls.map((call) => call.arguments[0]),
      ["one line"],
    );
    lua.eval("io.write('left open') pause() return 5");
    assert.equal(log.mock.calls.at(-1)?.arguments[0], "left open");
  });
});

suite("what Lua holds", () => {
  test("is let go when Lua forgets it", async () => {
    const other = await Lua.create();
    let collected = 0;
    const registry = new FinalizationRegistry(() => (collected += 1));
    const give = () => {
      const fn = () => 1;
      registry.register(fn, 0);
      other.globals.set("f", fn);
    };
    for (let i = 0; i < 100; i++) give();
    other.globals.delete("f");
    other.gc();
    other.gc();
    await until(() => {
      globalThis.gc?.();
      return collected >= 90;
    });
    await other.close();
  });

  test("is kept while Lua holds it, however often it was given", () => {
    const fn = () => "here";
    for (let i = 0; i < 10; i++) lua.globals.set("kept", [fn, fn]);
    lua.gc();
    lua.eval("only = kept[1] kept = nil");
    lua.gc();
    lua.gc();
    assert.equal(lua.eval("return only()"), "here");
    assert.equal(lua.globals.get("only"), fn);
  });

  test("errors and arguments that were refused leave nothing behind", () => {
    const before = lua.stats();
    lua.register("fails", () => {
      throw new Error("x");
    });
    for (let i = 0; i < 2000; i++) {
      lua.tryEval("fails()");
      assert.throws(() => lua.call("print", () => i, Symbol("no")), TypeError);
    }
    lua.gc();
    lua.gc();
    const after = lua.stats();
    assert.equal(after.handles, before.handles);
    assert.ok(after.memory.luaUsed < before.memory.luaUsed + 20_000);
  });
});
