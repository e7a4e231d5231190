/** `perilune/wasmoon`: what programs that were written for wasmoon call. */
import assert from "node:assert/strict";
import process from "node:process";
import { suite, test } from "node:test";
import {
  LuaFactory,
  LuaMultiReturn,
  LuaReturn,
  LuaThread,
  LuaType,
  decorate,
  decorateProxy,
  decorateUserdata,
  type LuaEngine,
} from "../src/wasmoon.ts";
import { settled } from "./time.ts";

async function engineOf(options = {}): Promise<LuaEngine> {
  return new LuaFactory().createEngine(options);
}

suite("promises", () => {
  test("are objects that :await() waits for", async () => {
    const engine = await engineOf();
    engine.global.set("later", (n: number) => Promise.resolve(n));
    assert.equal(await engine.doString("local p = later(20) return p:await() + later(1):await()"), 21);
    engine.global.set("api", { fetch: async () => ({ text: async () => "hello" }) });
    assert.equal(await engine.doString("return api.fetch():await().text():await()"), "hello");
    engine.global.set("ready", Promise.resolve("given as it is"));
    assert.equal(await engine.doString("return ready:await()"), "given as it is");
    engine.global.close();
  });

  test("that are rejected raise their reason where they are awaited", async () => {
    const engine = await engineOf();
    engine.global.set("fail", async () => {
      throw new Error("no network");
    });
    assert.equal(
      await engine.doString("local ok, e = pcall(function() return fail():await() end) return e.message"),
      "no network",
    );
    await assert.rejects(engine.doString("fail():await()"), /no network/);
    engine.global.close();
  });

  test("next, catch, finally go on when they have settled", async () => {
    const engine = await engineOf();
    engine.global.set("later", (n: number) => Promise.resolve(n));
    engine.global.set("fail", () => Promise.reject(new Error("no")));
    assert.equal(
      await engine.doString(`
        local log = {}
        later(1):next(function(n) log[#log + 1] = "next " .. n end):await()
        fail():catch(function(e) log[#log + 1] = "catch " .. e.message end):await()
        later(2):finally(function() log[#log + 1] = "finally" end):await()
        return table.concat(log, ", ")
      `),
      "next 1, catch no, finally",
    );
    engine.global.close();
  });

  test("cannot be awaited where nothing can wait, and come back as what they are", async () => {
    const engine = await engineOf();
    const promise = new Promise((resolve) => setImmediate(resolve, "settled"));
    engine.global.set("later", () => promise);
    assert.throws(() => engine.doStringSync("return later():await()"), /cannot await in the main thread/);
    const back = engine.doStringSync("return later()");
    assert.ok(back instanceof Promise);
    assert.equal(await back, "settled");
    assert.equal(await engine.doString("return later()"), "settled");
    engine.global.set("pass", (given: unknown) => (given as Promise<unknown>).then((text) => `${String(text)} twice`));
    assert.equal(await engine.doString("return pass(later()):await()"), "settled twice");
    engine.global.close();
  });

  test("injectObjects gives Promise.create and Promise.all", async () => {
    const engine = await engineOf({ injectObjects: true });
    assert.equal(await engine.doString("return Promise.create(function(resolve) resolve(5) end):await()"), 5);
    engine.global.set("later", (n: number) => Promise.resolve(n));
    assert.deepEqual(await engine.doString("return Promise.all({ later(1), later(2), 3 }):await()"), [1, 2, 3]);
    engine.global.close();
    const plain = await engineOf({ injectObjects: false });
    assert.equal(plain.doStringSync("return Promise"), null);
    plain.global.close();
  });
});

suite("files", () => {
  test("are run, and found by require, in all engines of the factory", async () => {
    const factory = new LuaFactory();
    await factory.mountFile("main.lua", "local m = require('lib.m') return m.double(21), ...");
    await factory.mountFile("/lib/m.lua", new TextEncoder().encode("return { double = function(n) return 2 * n end }"));
    const one = await factory.createEngine();
    const two = await factory.createEngine();
    assert.equal(await one.doFile("main.lua"), 42);
    assert.equal(two.doFileSync("./main.lua"), 42);
    await factory.mountFile("bad.lua", "\nerror('here')");
    await assert.rejects(one.doFile("bad.lua"), /bad\.lua:2: here/);
    await assert.rejects(one.doFile("none.lua"), /cannot open none\.lua/);
    assert.throws(() => one.doFileSync("none.lua"), /cannot open none\.lua/);
    await assert.rejects(factory.mountFile("x.lua", 5 as never), TypeError);
    await assert.rejects(factory.mountFile(5 as never, ""), TypeError);
    await factory.mountFile("data", Uint8Array.of(0xff));
    assert.equal(two.doStringSync("return io.open('data'):read('a'):byte()"), 255);
    one.global.close();
    two.global.close();
  });
});

suite("engines", () => {
  test("functionTimeout ends what runs too long", async () => {
    const engine = await engineOf({ functionTimeout: 5 });
    engine.doStringSync("function spin() while true do end end");
    assert.throws(() => engine.global.call("spin"), /thread timeout exceeded/);
    const spin = engine.global.get("spin") as () => void;
    assert.throws(() => spin(), /thread timeout exceeded/);
    engine.global.close();
    await assert.rejects(engineOf({ functionTimeout: "5" }), /option "functionTimeout" must be 0 to/);
    const given = await new LuaFactory(undefined, { NAME: "value", NONE: undefined }).createEngine();
    assert.equal(given.doStringSync("return os.getenv('NAME')"), "value");
    assert.equal(given.doStringSync("return os.getenv('NONE')"), null);
    given.global.close();
  });

  test("global: get, set, call, getTable", async () => {
    const engine = await engineOf();
    const fn = (n: number) => n + 1;
    engine.global.set("inc", fn);
    assert.equal(engine.global.get("inc"), fn);
    assert.equal(engine.doStringSync("return inc(1)"), 2);
    engine.doStringSync("t = { x = 1 }");
    engine.global.getTable("t", (index) => {
      assert.equal(engine.global.getField(index, "x"), 1);
      engine.global.setField(index, "y", { z: [1, 2] });
      assert.throws(() => engine.global.getField(index + 1, "x"), RangeError);
    });
    assert.equal(engine.doStringSync("return t.y.z[2]"), 2);
    assert.throws(() => engine.global.getField(1, "x"), RangeError);
    assert.throws(() => engine.global.getTable("none", () => {}), /Unexpected type in none\. Expected table/);
    const circle: { self?: unknown; n: number } = { n: 1 };
    circle.self = circle;
    engine.global.set("circle", circle);
    assert.equal(engine.doStringSync("return circle.self.self.n"), 1);
    engine.global.close();
  });

  test("close leaves nothing unhandled, also from inside of a call", async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", hear);
    const engine = await engineOf();
    engine.global.set("close", () => engine.global.close());
    assert.equal(engine.doStringSync("close() return 'went on'"), "went on");
    await settled();
    assert.throws(() => engine.doStringSync("return 1"), { name: "LuaClosedError" });
    engine.global.close();
    engine.global.close();
    await settled();
    process.off("unhandledRejection", hear);
    assert.deepEqual(unhandled, []);
  });
});

class Counter {
  n: number;

  static create(n: number): Counter {
    return new Counter(n);
  }

  constructor(n: number) {
    this.n = n;
  }

  add(by: number): number {
    return (this.n += by);
  }
}

suite("values", () => {
  test("instances and classes are objects whose members Lua uses", async () => {
    const engine = await engineOf();
    const counter = new Counter(5);
    engine.global.set("counter", counter);
    engine.global.set("Counter", Counter);
    assert.equal(await engine.doString("counter.n = counter.n + 1 return counter:add(4)"), 10);
    assert.equal(counter.n, 10);
    assert.equal(await engine.doString("return Counter.create(1):add(1)"), 2);
    assert.equal(await engine.doString("return { inner = counter }").then(({ inner }) => inner as unknown), counter);
    assert.equal(engine.global.get("Counter"), Counter);
    assert.equal(engine.doStringSync("return counter.none"), null);
    engine.global.close();
  });

  test("decorations say how something is given", async () => {
    const engine = await engineOf();
    const target = { instance: decorateUserdata(new Counter(3)), own: 1 };
    const index = (self: { instance: Counter }, key: string) => (key === "sum" ? self.instance.add(1) : null);
    engine.global.set("object", decorate(target, { metatable: { __index: index } }));
    assert.equal(engine.doStringSync("return object.sum + object.own"), 5);
    const fn = Object.assign(() => 1, { text: "of a function" });
    engine.global.set("fn", decorateProxy(fn));
    assert.equal(engine.doStringSync("return fn.text"), "of a function");
    engine.global.set("opaque", decorateUserdata(new Counter(1)));
    assert.throws(() => engine.doStringSync("return opaque.n"), /no members for Lua/);
    engine.global.close();
  });

  test("tables come back as objects and arrays, cycles and all", async () => {
    const engine = await engineOf();
    const value = await engine.doString("local t = { 1, 2, name = 'x' } t.self = t return { t, { t } }");
    assert.equal(value[0].self, value[0]);
    assert.deepEqual(Object.keys(value[0]).sort(), ["1", "2", "name", "self"]);
    assert.equal(value[1][0], value[0]);
    engine.global.close();
  });

  test("null is a value in Lua, nil is null here", async () => {
    const engine = await engineOf();
    engine.global.set("given", null);
    assert.deepEqual(
      [...engine.doStringSync("return { given == null, tostring(given), type(given) }")],
      [true, "null", "userdata"],
    );
    assert.equal(engine.doStringSync("return given"), null);
    assert.equal(engine.doStringSync("return nil"), null);
    engine.global.close();
  });

  test("errors are objects whose text has their name", async () => {
    const engine = await engineOf();
    const error = new TypeError("not that");
    engine.global.set("fail", () => {
      throw error;
    });
    assert.equal(engine.doStringSync("return tostring(select(2, pcall(fail)))"), "TypeError: not that");
    assert.equal(engine.doStringSync("return select(2, pcall(fail))"), error);
    await assert.rejects(engine.doString("local function f() fail() end f()"), (caught: Error) => {
      assert.equal(caught.cause, error);
      assert.match(caught.message, /^TypeError: not that\nstack traceback:/);
      return true;
    });
    await assert.rejects(engine.doString("\nerror('here')"), /\[string "\.\.\."\]:2: here\nstack traceback/);
    await assert.rejects(engine.doString("x ="), /near <eof>/);
    engine.global.close();
  });
});

suite("threads", () => {
  test("are loaded, resumed, and have a stack", async () => {
    const engine = await engineOf();
    const thread = engine.global.newThread();
    thread.loadString("local a = ... local b = coroutine.yield(a + 1) return a, b");
    thread.pushValue(1);
    assert.deepEqual(thread.resume(1), { result: LuaReturn.Yield, resultCount: 1 });
    assert.equal(thread.getValue(-1), 2);
    thread.pop(1);
    thread.pushValue("x");
    assert.deepEqual(thread.resume(1), { result: LuaReturn.Ok, resultCount: 2 });
    assert.deepEqual([...thread.getStackValues()], [1, "x"]);
    assert.equal(thread.getTop(), 2);
    thread.remove(1);
    assert.equal(thread.indexToString(-1), "x");
    thread.loadString("error('broken')");
    assert.equal(thread.resume().result, LuaReturn.ErrorRun);
    assert.throws(() => thread.loadString("x ="), /near <eof>/);
    engine.global.close();
  });

  test("run to their end, and let others run when they yield", async () => {
    const engine = await engineOf();
    const thread = engine.global.newThread();
    thread.loadString("coroutine.yield() while not ready do coroutine.yield() end return ready, ...");
    thread.pushValue(7);
    const running = thread.run(1);
    setImmediate(() => engine.global.set("ready", "now"));
    assert.deepEqual(await running, LuaMultiReturn.of("now", 7));
    thread.loadString("while true do end");
    await assert.rejects(thread.run(0, { timeout: 5 }), /thread timeout exceeded/);
    assert.equal(await engine.doString("return 42"), 42);
    engine.global.close();
  });

  test("come from Lua, and go back", async () => {
    const engine = await engineOf();
    const thread = await engine.doString("co = coroutine.create(function(x) return x end) return co");
    assert.ok(thread instanceof LuaThread);
    engine.global.set("same", thread);
    assert.equal(engine.doStringSync("return same == co"), true);
    thread.pushValue(3);
    assert.equal(thread.resume(1).result, LuaReturn.Ok);
    assert.equal(thread.getValue(-1), 3);
    engine.global.close();
  });

  test("take a table that can be called for a function", async () => {
    const engine = await engineOf();
    engine.doStringSync("sum = setmetatable({}, { __call = function(_, x, y) return x + y end })");
    const { global } = engine;
    assert.equal(global.lua.lua_getglobal(global.address, "sum"), LuaType.Table);
    assert.equal(global.getValue(-1, LuaType.Function)(10, 30), 40);
    engine.global.close();
    assert.equal(global.isClosed(), true);
  });

  test("memory is told where it is traced", async () => {
    const engine = await engineOf({ traceAllocations: true });
    assert.ok(engine.global.getMemoryUsed() > 0);
    engine.global.close();
    const plain = await engineOf();
    assert.throws(() => plain.global.getMemoryUsed(), /not traced/);
    plain.global.close();
  });
});
