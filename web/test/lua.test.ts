/** The package as its users meet it, with the real module. Its storage in a browser is tested in e2e/. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  Lua,
  LuaClosedError,
  LuaError,
  LuaFunction,
  LuaMemoryError,
  LuaReference,
  LuaRuntimeError,
  LuaStorageError,
  LuaSyntaxError,
  LuaTable,
  type LuaValue,
} from "../src/index.ts";
import { conversions, described, evaluate, settled, vectors } from "./helpers.ts";
import { until } from "./time.ts";
import { RecordBackend } from "./record_backend.ts";

const lua = await Lua.create();

suite("making a VM", () => {
  test("holds the event loop while it is made, and not longer", async () => {
    // Without anything that does, Node waits for V8's work in the background.
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const making = Lua.create();
    assert.equal(timers(), before + 1);
    const lua = await making;
    assert.equal(timers(), before);
    await assert.rejects(Lua.create({ memoryLimit: 1 }), RangeError);
    assert.equal(timers(), before);
    await lua.close();
  });
});

suite("evaluation", () => {
  const cases: [string, LuaValue[]][] = [
    ["return 1", [1]],
    ["", []],
    ["return", []],
    ["return nil", [undefined]],
    ["return nil, 2, nil", [undefined, 2, undefined]],
    ["return 1.5, -0.0, 1/0", [1.5, -0, Infinity]],
    ["return 2^53, math.maxinteger, math.mininteger", [2 ** 53, 2n ** 63n - 1n, -(2n ** 63n)]],
    ["return 'a\\0b', 'é', '\\xff'", ["a\0b", "é", Uint8Array.of(255)]],
    [
      "return {1, 2, 3}, {a = 1}, {}, {1, x = 2}",
      [
        [1, 2, 3],
        { a: 1 },
        {},
        new Map<LuaValue, LuaValue>([
          [1, 1],
          ["x", 2],
        ]),
      ],
    ],
    ["return true, false", [true, false]],
    ["-- é only a comment", []],
    ["return '" + "x".repeat(100_000) + "'", ["x".repeat(100_000)]],
    ["return ('é'):rep(100000)", ["é".repeat(100_000)]],
  ];
  for (const [code, expected] of cases) {
    test(code.slice(0, 60), () => {
      assert.deepStrictEqual(lua.evalAll(code), expected);
      assert.deepStrictEqual(lua.eval(code), expected[0]);
      assert.deepStrictEqual(lua.tryEval(code), { ok: true, value: expected[0] });
      assert.deepStrictEqual(lua.run(code).values, expected);
    });
  }

  test("state stays", () => {
    lua.eval("counter = (counter or 0) + 1");
    lua.eval("counter = counter + 1; co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)");
    assert.equal(lua.eval("return counter"), 2);
    assert.deepEqual([lua.eval("return co()"), lua.eval("return co()")], [1, 2]);
  });

  test("a chunk has the name it was given", () => {
    const { error } = lua.tryEval("\nerror('oops')", { name: "main.lua" }) as { error: LuaError };
    assert.equal(error.chunk, "main.lua");
    assert.equal(error.line, 2);
    assert.match(error.message, /^main\.lua:2: oops/);
  });

  test("large sources and results pass by the spill", () => {
    const lines = "x = 1 -- é\n".repeat(8000) + "return {" + "1,".repeat(20_000) + "}";
    const result = lua.eval<number[]>(lines);
    assert.equal(result.length, 20_000);
    assert.equal(lua.eval("return 7"), 7);
  });
});

suite("conversion through Lua", () => {
  lua.eval("function echo(...) return ... end");
  for (const { name, lua: expression, js, oneway } of vectors.values) {
    if (expression === undefined || js === undefined) continue;
    test(name, () => {
      const expected = evaluate(js) as LuaValue;
      assert.deepStrictEqual(lua.eval(`return ${expression}`), expected);
      assert.deepStrictEqual(lua.call("echo", expected), expected);
      if (!oneway && !(expected instanceof Map)) {
        lua.globals.set("given", expected);
        assert.equal(
          lua.eval("return math.type(given) or type(given)"),
          lua.eval(`local v = ${expression}; return math.type(v) or type(v)`),
        );
      }
    });
  }

  for (const { name, lua: expression, js, back } of conversions.rows) {
    test(`${name}: as the table of conversion says`, () => {
      const expected = described(js) as LuaValue;
      const value = lua.eval(`return ${expression}`);
      assert.deepStrictEqual(value, expected);
      const holds = lua.eval<LuaFunction>(`return function(x) return ${back} end`);
      assert.equal(holds(value), true);
      assert.equal(holds(expected), true);
    });
  }

  for (const { name, js, back } of conversions.given) {
    test(`${name}: as the table of conversion says, to Lua`, () => {
      assert.equal(lua.eval<LuaFunction>(`return function(x) return ${back} end`)(described(js)), true);
    });
  }

  test("what was shared is shared", () => {
    const shared = { a: 1 };
    lua.globals.set("pair", [shared, shared]);
    assert.equal(lua.eval("return pair[1] == pair[2]"), true);
    const [first, second] = lua.eval<object[]>("return pair");
    assert.equal(first, second);
  });

  test("nothing that is refused leaves a trace", () => {
    for (const value of [new Date(), Symbol("x"), Map, "\ud800", 2n ** 63n, new (class Point {})()]) {
      assert.throws(() => lua.globals.set("refused", value), /Lua|surrogate|64 bits/);
    }
    assert.equal(lua.globals.has("refused"), false);
  });

  test("nothing leads from Lua to JavaScript's prototypes", () => {
    lua.globals.set("object", { a: [1] });
    assert.deepEqual(
      lua.evalAll("return object.constructor, object.__proto__, object.a.constructor, object.toString"),
      [undefined, undefined, undefined, undefined],
    );
  });
});

suite("functions", () => {
  test("are called like functions", () => {
    const add = lua.eval<LuaFunction>("return function(a, b) return a + b, 'more' end");
    assert.ok(add instanceof LuaFunction && typeof add === "function");
    assert.equal(add instanceof Function, true);
    assert.equal(add(1, 2), 3);
    assert.equal(add.call(null, 1, 2), 3);
    add.dispose();
    add.dispose();
    assert.throws(() => add(1, 2), LuaClosedError);
    assert.throws(() => lua.globals.set("x", add), LuaClosedError);
  });

  test("go back as the same function", () => {
    const f = lua.eval<LuaFunction>("f = function() return 1 end return f");
    assert.equal(lua.call("rawequal", f, lua.globals.get("f")), true);
    assert.deepEqual(lua.eval<LuaFunction>("return function(t) return t.g == f, t end")({ g: f }), true);
  });

  test("raise their errors", () => {
    const fail = lua.eval<LuaFunction>("return function() error({ code = 7 }) end");
    assert.throws(fail, (error) => error instanceof LuaRuntimeError && (error.value as { code: number }).code === 7);
  });

  test("of another Lua are refused", async () => {
    const other = await Lua.create();
    const f = other.eval<LuaFunction>("return print");
    assert.throws(() => lua.globals.set("f", f), /another Lua/);
    await other.close();
    assert.throws(() => f(), LuaClosedError);
    f.dispose();
  });

  test("are let go when disposed of", () => {
    const before = lua.stats().handles;
    const held = lua.evalAll("return print, function() end, coroutine.create(print)");
    assert.equal(lua.stats().handles, before + 3);
    for (const value of held) (value as LuaFunction | LuaReference).dispose();
    assert.equal(lua.stats().handles, before);
    const f = lua.eval<LuaFunction>("return print");
    f[Symbol.dispose]();
    assert.equal(lua.stats().handles, before);
  });

  test("are let go when forgotten", async () => {
    const before = lua.stats().handles;
    for (let i = 0; i < 1000; i++) lua.eval("return function() end");
    await until(() => {
      globalThis.gc?.();
      return lua.stats().handles <= before + 100;
    });
  });

  test("threads and userdata can be held and given back", () => {
    const thread = lua.eval<LuaReference>("co = coroutine.create(function() end) return co");
    assert.ok(thread instanceof LuaReference);
    assert.equal(thread.type, "thread");
    assert.equal(lua.call("rawequal", thread, lua.globals.get("co")), true);
    assert.equal(lua.call("coroutine.status", thread), "suspended");
    thread.dispose();
    assert.throws(() => lua.call("coroutine.status", thread), LuaClosedError);
  });
});

suite("globals and calls", () => {
  test("get, set, has, delete, keys", () => {
    const { globals } = lua;
    assert.equal(globals.has("fresh"), false);
    globals.set("fresh", { a: 1 });
    assert.deepEqual(globals.get("fresh"), { a: 1 });
    assert.ok(globals.has("fresh") && globals.keys().includes("fresh") && globals.keys().includes("print"));
    assert.equal(globals.delete("fresh"), true);
    assert.equal(globals.delete("fresh"), false);
    assert.equal(globals.get("fresh"), undefined);
    globals.set("ünïcode", 1);
    assert.equal(lua.eval("return _G['ünïcode']"), 1);
  });

  test("call finds functions in tables", () => {
    assert.equal(lua.call("math.max", 3, 9, 4), 9);
    assert.equal(lua.call("string.rep", "ab", 3), "ababab");
    assert.throws(() => lua.call("math.nothing"), LuaError);
    assert.throws(() => lua.call("no.such.table"), LuaError);
    assert.throws(() => lua.call("error", "raised"), LuaRuntimeError);
  });
});

suite("errors", () => {
  test("have kind, message, chunk, line, traceback and value", () => {
    const { error } = lua.tryEval("local function inner()\n  error({ code = 42 })\nend\ninner()", {
      name: "app.lua",
    }) as { error: LuaError };
    assert.ok(error instanceof LuaRuntimeError);
    assert.equal(error.kind, "runtime");
    assert.deepEqual(error.value, { code: 42 });
    assert.equal(error.chunk, "app.lua");
    assert.equal(error.line, 2);
    assert.match(error.traceback ?? "", /app\.lua:2: in/);
    assert.equal(lua.eval("return 'still here'"), "still here");
  });

  test("syntax errors point at the line", () => {
    const { error } = lua.tryEval("x = 1\ny = = 2", { name: "app.lua" }) as { error: LuaError };
    assert.ok(error instanceof LuaSyntaxError);
    assert.equal(error.line, 2);
    assert.equal(error.chunk, "app.lua");
  });

  test("running out of memory is an error, and the VM goes on", () => {
    for (let i = 0; i < 20; i++) {
      assert.throws(() => lua.eval("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"), LuaMemoryError);
      assert.throws(() => lua.eval("return ('x'):rep(1e9)"), LuaMemoryError);
    }
    assert.equal(lua.eval("return 1"), 1);
    assert.ok(lua.stats().memory.used <= lua.stats().memory.limit);
  });

  test("a hundred thousand in a row do no harm", () => {
    for (let i = 0; i < 100_000; i++) lua.tryEval("error('x')");
    assert.equal(lua.eval("return 1"), 1);
  });

  test("values that cannot cross are an error", () => {
    const code = "local t = {} for _ = 1, 300 do t = { t } end return t";
    assert.throws(
      () => lua.eval(code),
      (error) => error instanceof LuaError && error.kind === "value",
    );
    assert.equal(lua.eval("return 1"), 1);
  });
});

suite("output", () => {
  test("run collects it, in order", () => {
    const { output, values, ms } = lua.run("print('a', 1) print('é') print('\\0') return 5");
    assert.equal(output, "a\t1\né\n\0\n");
    assert.deepEqual(values, [5]);
    assert.ok(ms >= 0);
  });

  test("an error has what was written before it", () => {
    assert.throws(
      () => lua.run("print('before') error('x')"),
      (error) => error instanceof LuaError && error.output === "before\n",
    );
    assert.throws(
      () => lua.eval("error('x')"),
      (error) => error instanceof LuaError && !("output" in error),
    );
  });

  test("eval writes to the console, by lines", (t) => {
    const log = t.mock.method(console, "log", () => {});
    lua.eval("print('one') print('two\\nthree')");
    assert.deepEqual(
      log.mock.calls.map((call) => call.arguments[0]),
      ["one", "two", "three"],
    );
  });

  test("more than a buffer of it arrives whole", () => {
    const { output } = lua.run("for i = 1, 20000 do print(i) end");
    assert.equal(output, Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join(""));
  });

  test("goes to the callbacks; calling Lua from one is refused while it runs", async () => {
    const received: string[] = [];
    const refused: unknown[] = [];
    const other: Lua = await Lua.create({
      stdout(text) {
        received.push(text);
        const result = other.tryEval("return 'inside'");
        if (!result.ok) refused.push(result.error.kind);
      },
    });
    other.eval("for i = 1, 10000 do print('0123456789') end");
    assert.equal(received.join("").length, 110_000);
    assert.ok(refused.length > 0 && refused.every((kind) => kind === "usage"));
    assert.equal(other.eval("return 1"), 1);
    await other.close();
  });
});

suite("external tables", () => {
  test("are the same from both sides", () => {
    const notes = lua.table("notes");
    assert.ok(notes instanceof LuaTable);
    notes
      .set("title", "Hello")
      .set(1, [1, { deep: true }])
      .set(true, 0.5);
    assert.deepEqual(lua.evalAll("local n = ext.table('notes') return n.title, n[1][2].deep, n[true], n.nothing"), [
      "Hello",
      true,
      0.5,
      undefined,
    ]);
    lua.eval("local n = ext.table('notes') n.title = nil n.bytes = '\\0\\xff' n[2^53] = 'big' n['1'] = 'text'");
    assert.deepEqual(
      [...notes],
      [
        [1, [1, { deep: true }]],
        [true, 0.5],
        ["bytes", Uint8Array.of(0, 255)],
        [2n ** 53n, "big"],
        ["1", "text"],
      ],
    );
    assert.equal(notes.size, 5);
    assert.deepEqual(notes.get(2 ** 53), "big");
    assert.equal(notes.has("title"), false);
    assert.equal(notes.delete("1"), true);
    assert.equal(notes.delete("1"), false);
    assert.deepEqual([...notes.keys()], [1, true, "bytes", 2n ** 53n]);
    assert.deepEqual([...notes.values()].length, 4);
    const visited: unknown[] = [];
    notes.forEach((_value, key, table) => visited.push([key, table === notes]));
    assert.equal(visited.length, 4);
    notes.set("bytes", undefined).set(1, null);
    assert.equal(notes.size, 2);
    notes.clear();
    assert.equal(lua.eval("return ext.count(ext.table('notes'))"), 0);
  });

  test("cross as their handles", () => {
    const handle = lua.eval("return ext.table('crossing')");
    assert.equal(handle, lua.table("crossing"));
    assert.equal(lua.call("rawequal", handle, handle), true);
    lua.globals.set("given", { inside: handle });
    lua.eval("given.inside.x = 1");
    assert.equal(lua.table("crossing").get("x"), 1);
    assert.equal(lua.eval("return ext.table('crossing') == given.inside"), true);
    lua.table("holder").set("ref", handle);
    assert.equal(lua.table("holder").get("ref"), handle);
  });

  test("are listed, dropped and made again", () => {
    const first = lua.table("passing");
    first.set("a", 1);
    assert.ok(lua.tables().includes("passing"));
    lua.eval("ext.drop('passing')");
    assert.equal(lua.tables().includes("passing"), false);
    assert.throws(
      () => first.get("a"),
      (error) => error instanceof LuaStorageError && error.code === "closed",
    );
    assert.notEqual(lua.table("passing"), first);
    assert.equal(lua.table("passing").size, 0);
  });

  test("a transaction is all or nothing", () => {
    const t = lua.table("accounts").set("a", 10).set("b", 0);
    const code =
      "local t = ext.table('accounts') ext.transaction(function() t.a = t.a - 20; t.b = t.b + 20; if t.a < 0 then error('poor') end end)";
    assert.throws(() => lua.eval(code), /poor/);
    assert.deepEqual(
      [...t],
      [
        ["a", 10],
        ["b", 0],
      ],
    );
  });

  test("what they cannot hold is refused", () => {
    const t = lua.table("picky");
    assert.throws(() => t.set("f", lua.eval("return print")), /cannot be kept/);
    assert.throws(() => t.set("d", new Date()), TypeError);
    assert.throws(() => t.set(NaN, 1), TypeError);
    assert.throws(() => t.set({} as never, 1), TypeError);
    assert.throws(() => t.get(undefined as never), TypeError);
    assert.throws(() => lua.eval("ext.table('picky').f = print"), LuaError);
    assert.equal(t.size, 0);
  });

  test("bad names are refused", () => {
    for (const code of ["ext.table('')", "ext.table('\\xff')", "ext.table(('x'):rep(2000))"]) {
      assert.throws(
        () => lua.eval(code),
        (error) => error instanceof LuaError,
      );
    }
    assert.throws(
      () => lua.table(""),
      (error) => error instanceof LuaStorageError && error.code === "name",
    );
    assert.throws(() => lua.table("\ud800"), TypeError);
    assert.throws(() => lua.table(5 as never), TypeError);
  });

  test("hold a value for every vector", () => {
    const t = lua.table("vectors");
    for (const { name, lua: expression, js } of vectors.values) {
      if (expression === undefined || js === undefined || js === "undefined") continue;
      const expected = evaluate(js);
      lua.eval(`ext.table('vectors')[${JSON.stringify(name)}] = ${expression}`);
      assert.deepStrictEqual(t.get(name), expected, name);
      t.set(name, expected);
      assert.deepStrictEqual(lua.eval(`return ext.table('vectors')[${JSON.stringify(name)}]`), expected, name);
    }
    for (const { name, lua: key, js } of vectors.keys) {
      lua.eval(`ext.table('keys')[${key}] = ${JSON.stringify(name)}`);
      assert.equal(lua.table("keys").get(evaluate(js) as string), name);
    }
  });
});

suite("numbers about itself", () => {
  test("stats", () => {
    lua.table("counted").clear();
    lua.table("counted").set("key", "value");
    const { memory, gc, tables, handles, storage } = lua.stats();
    assert.ok(memory.luaUsed > 0 && memory.luaUsed <= memory.peak && memory.used <= memory.limit);
    assert.equal(memory.limit, 2 << 20);
    assert.deepEqual(
      tables.find(({ name }) => name === "counted"),
      { name: "counted", entries: 1, bytes: 18, loaded: true },
    );
    assert.equal(gc.running, true);
    assert.equal(typeof handles, "number");
    assert.deepEqual(storage, { state: "none", pendingBytes: 0 });
    const before = lua.stats();
    lua.eval("ext.table('counted').more = ('x'):rep(1000)");
    assert.equal(lua.stats().memory.tables - before.memory.tables, 9 + 1005 + 128);
    assert.ok(lua.stats().evals > before.evals);
  });

  test("gc", () => {
    lua.eval("garbage = {} for i = 1, 1000 do garbage[i] = {} end garbage = nil");
    const before = lua.stats().memory.luaUsed;
    lua.gc();
    assert.ok(lua.stats().memory.luaUsed < before);
    lua.gc("stop");
    assert.equal(lua.stats().gc.running, false);
    lua.gc("restart");
    assert.equal(lua.stats().gc.running, true);
    lua.gc("generational");
    assert.equal(lua.stats().gc.mode, "generational");
    lua.gc("incremental");
    lua.gc("step");
    assert.throws(() => lua.gc("everything" as never), TypeError);
  });
});

suite("many", () => {
  test("a hundred VMs are independent", async () => {
    const many = await Promise.all(Array.from({ length: 100 }, () => Lua.create()));
    many.forEach((one, i) => {
      one.globals.set("id", i);
      one.eval("ext.table('t').id = id");
    });
    many.forEach((one, i) => {
      assert.equal(one.eval("return id"), i);
      assert.deepEqual([...one.table("t")], [["id", i]]);
    });
    many[0]?.tryEval("while true do t = { t } end");
    assert.equal(many[1]?.eval("return id"), 1);
    await Promise.all(many.map((one) => one.close()));
  });

  test("evals leave nothing behind", () => {
    for (let i = 0; i < 1000; i++) lua.eval("local t = { 1, 2, 3 } return t[1]");
    lua.gc();
    const before = lua.stats().memory;
    for (let i = 0; i < 100_000; i++) lua.eval("local t = { 1, 2, 3 } return t[1]");
    lua.gc();
    const after = lua.stats().memory;
    assert.equal(after.used, before.used);
    assert.ok(after.luaUsed <= before.luaUsed + 1000);
  });
});

suite("bad input", () => {
  test("a source that is no string", () => {
    for (const source of [undefined, null, 5, {}, ["return 1"], new Uint8Array(3), Symbol("x"), () => "return 1"]) {
      for (const call of ["eval", "evalAll", "tryEval", "run"] as const) {
        assert.throws(() => lua[call](source as never), { name: "TypeError", message: /must be a string, not / });
      }
    }
    assert.throws(() => lua.call(undefined as never), TypeError);
    assert.throws(() => lua.globals.get(5 as never), TypeError);
  });

  test("a source with NUL", () => {
    assert.throws(() => lua.eval("return 1 \0"), LuaSyntaxError);
    assert.equal(lua.eval("return '\0' == '\\0'"), true);
  });

  test("a source with half of a character", () => {
    assert.throws(() => lua.eval("return '\ud800'"), { name: "TypeError", message: /lone surrogate/ });
    assert.throws(() => lua.eval("return '\udfff" + "x".repeat(100_000) + "'"), /lone surrogate/);
  });

  test("ten million bytes of source", async () => {
    const source = "x=1\n".repeat(2_500_000);
    assert.throws(() => lua.eval(source), LuaMemoryError);
    assert.equal(lua.eval("return 1"), 1);
    const large = await Lua.create({ memoryLimit: 64 << 20 });
    large.eval(source);
    assert.equal(large.eval("return x"), 1);
    await large.close();
  });

  test("deeply nested source", () => {
    for (const source of [
      "return " + "(".repeat(10_000) + "1" + ")".repeat(10_000),
      "{".repeat(10_000),
      "do ".repeat(10_000),
    ]) {
      assert.throws(() => lua.eval(source), LuaError);
    }
    assert.equal(lua.eval("return 1"), 1);
  });

  test("a binary chunk", () => {
    assert.throws(() => lua.eval("\x1bLua"), LuaError);
    assert.throws(() => lua.eval("assert(load(string.dump(function() end)))"), LuaError);
  });

  test("endless recursion", () => {
    assert.throws(() => lua.eval("local function f() return 1 + f() end return f()"), LuaError);
    assert.throws(
      () =>
        lua.eval(
          "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.x",
        ),
      LuaError,
    );
    assert.equal(lua.eval("return 1"), 1);
  });

  test("a memoryLimit that is too small", async () => {
    await assert.rejects(
      Lua.create({ memoryLimit: 1000 }),
      (error) => error instanceof RangeError || error instanceof LuaMemoryError,
    );
  });

  test("events that do not exist", () => {
    assert.throws(() => lua.on("commited" as never, () => {}), /no event "commited"/);
    assert.throws(() => lua.on("commit", "x" as never), TypeError);
  });
});

suite("the end", () => {
  test("after close everything is refused", async () => {
    const other = await Lua.create();
    const f = other.eval<LuaFunction>("return print");
    const table = other.table("t").set("a", 1);
    await Promise.all([other.close(), other.close()]);
    await other.close();
    for (const use of [
      () => other.eval("return 1"),
      () => other.evalAll("return 1"),
      () => other.run("return 1"),
      () => other.call("print"),
      () => other.globals.get("x"),
      () => other.table("t"),
      () => other.tables(),
      () => other.stats(),
      () => other.gc(),
      () => f(),
      () => table.get("a"),
      () => table.set("a", 2),
      () => [...table],
    ]) {
      assert.throws(use, LuaClosedError);
    }
    await assert.rejects(other.flush(), LuaClosedError);
    const result = other.tryEval("return 1");
    assert.ok(!result.ok && result.error instanceof LuaClosedError);
  });

  test("await using closes", async () => {
    const other = await Lua.create();
    await other[Symbol.asyncDispose]();
    assert.throws(() => other.eval("return 1"), LuaClosedError);
  });

  test("a trap kills the instance, is reported, and storage keeps the world before it", async (t) => {
    const { instantiate } = WebAssembly;
    let trap: unknown;
    t.mock.method(WebAssembly, "instantiate", async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      let panicked = (_at: number, _length: number) => {};
      for (const functions of Object.values(imports) as Record<string, (...args: number[]) => number>[]) {
        for (const [name, call] of Object.entries(functions)) {
          // A program that dies does not get there.
          if (name.includes("end_batch")) functions[name] = (store) => (trap === undefined ? call(store ?? 0) : 0);
          if (name.includes("report_panic")) panicked = call;
        }
      }
      const { exports } = await instantiate(module, imports);
      const real = exports as unknown as { memory: WebAssembly.Memory; io_ptr(): number; eval(length: number): number };
      const dying = (length: number) => {
        const result = real.eval(length);
        if (trap === undefined) return result;
        const { written } = new TextEncoder().encodeInto("at x.rs", new Uint8Array(real.memory.buffer, real.io_ptr()));
        panicked(real.io_ptr(), written);
        throw trap;
      };
      return { exports: { ...exports, eval: dying } };
    });
    const spoken = t.mock.method(console, "error", () => {});
    for (const cause of [
      new WebAssembly.RuntimeError("unreachable"),
      new RangeError("Maximum call stack size exceeded"),
    ]) {
      const storage = new RecordBackend();
      const other = await Lua.create({ storage });
      other.eval("t = ext.table('t') t.a = 'before'");
      other.table("t").set("b", "from JavaScript");
      trap = cause;
      const died = (error: unknown) => error instanceof LuaError && error.kind === "bug" && error.cause === cause;
      assert.throws(() => other.eval("t.a = 'half'"), died);
      assert.deepEqual(spoken.mock.calls.at(-1)?.arguments, ["at x.rs"]);
      trap = undefined;
      assert.throws(() => other.eval("return 1"), died);
      assert.throws(() => other.globals.get("x"), died);
      assert.throws(() => other.stats(), died);
      assert.throws(() => other.table("t").set("a", 1), { code: "read-only" });
      await other.flush();
      await other.close();
      const survivor = await Lua.create({ storage });
      assert.deepEqual(
        [...survivor.table("t")],
        [
          ["a", "before"],
          ["b", "from JavaScript"],
        ],
      );
      await survivor.close();
    }
  });
});

suite("a storage of one's own", () => {
  test("gets each eval as a batch, and gives everything back", async () => {
    const storage = new RecordBackend();
    const first = await Lua.create({ storage });
    const events: string[] = [];
    const stop = first.on("commit", ({ tables, entries }) => events.push(`commit ${tables} ${entries}`));
    first.on("change", ({ tables }) => events.push(`change ${tables}`));
    first.eval("t = ext.table('t') t.a = 1 t.b = 2 t.a = 3");
    assert.equal(first.stats().storage.state, "scheduled");
    await first.flush();
    assert.equal(storage.commits, 1);
    first.eval("t.a = 4");
    await first.flush();
    await settled();
    assert.deepEqual(events, ["change t", "commit 1 2", "change t", "commit 1 1"]);
    stop();
    first.table("t").set("c", 5).set("d", 6);
    await settled();
    assert.equal(storage.commits, 3);
    await first.close();
    assert.equal(storage.closed, 1);

    const second = await Lua.create({ storage });
    assert.deepEqual(
      [...second.table("t")],
      [
        ["a", 4],
        ["b", 2],
        ["c", 5],
        ["d", 6],
      ],
    );
    await second.close();
  });

  test("a flush that is asked for while Lua runs waits for the end of the eval", async () => {
    const storage = new RecordBackend();
    const flushes: Promise<void>[] = [];
    const other: Lua = await Lua.create({ storage, stdout: () => void flushes.push(other.flush()) });
    other.eval(`
      local t = ext.table('t')
      ext.transaction(function()
        t.a = 1
        for i = 1, 10000 do print('more than the buffer holds') end
        t.b = 2
      end)`);
    assert.ok(flushes.length > 1);
    await Promise.all(flushes);
    assert.equal(storage.commits, 1);
    assert.deepEqual([...other.table("t").keys()], ["a", "b"]);
    await other.close();
  });

  test("that fails is heard of, and nothing is lost", async () => {
    let fail = true;
    const cause = new Error("disk full");
    const storage = new RecordBackend();
    storage.fails = () => {
      if (fail) throw cause;
      return false;
    };
    const other = await Lua.create({ storage });
    const received: LuaError[] = [];
    other.on("storage-error", (error) => received.push(error));
    other.eval("ext.table('t').a = 1");
    await assert.rejects(
      other.flush(),
      (error) => error instanceof LuaStorageError && error.cause === cause && error.code === "host",
    );
    await assert.rejects(other.close(), LuaStorageError);
    assert.equal(other.eval("return ext.table('t').a"), 1);
    await settled();
    assert.equal(received.length, 2);
    assert.ok(received[0] instanceof LuaStorageError);
    fail = false;
    await other.flush();
    assert.equal(
      await storage.image(),
      '[["t",[["\\u0004\\u0001\\u0000\\u0000\\u0000a","\\u0002\\u0001\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000"]]]]',
    );
    await other.close();
  });
});
