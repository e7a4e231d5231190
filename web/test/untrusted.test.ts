/** Objects, functions and programs that mean harm, or are made as if they did: with the real module. */
import assert from "node:assert/strict";
import { afterEach, suite, test } from "node:test";
import { runInNewContext } from "node:vm";
import { Lua, LuaClosedError, LuaError, LuaMultiReturn, type HostFunction, type LuaFunction } from "../src/index.ts";

const lua = await Lua.create();
lua.register("back", (value: unknown) => value);

/** Asserts after each test that Lua is alive, and whole. */
afterEach(() => {
  assert.deepEqual(lua.call("back", { a: [1, "two", true] }), { a: [1, "two", true] });
  assert.equal(lua.eval("return select('#', pcall(error, 1))"), 2);
});

function mine(): never {
  throw original;
}
const original = new Error("mine");

suite("objects", () => {
  test("a getter that calls Lua", () => {
    const object = {
      get inner() {
        return lua.eval("return { 1, 2 }");
      },
      after: 3,
    };
    lua.register("object", () => object);
    assert.deepEqual(lua.eval("return object()"), { inner: [1, 2], after: 3 });
    assert.deepEqual(lua.call("select", 1, object), { inner: [1, 2], after: 3 });
  });

  test("a getter that throws", () => {
    const mine = new Error("mine");
    const object = {
      get bad(): never {
        throw mine;
      },
    };
    assert.throws(
      () => lua.globals.set("x", object),
      (error) => error === mine,
    );
    lua.register("object", () => object);
    assert.throws(
      () => lua.eval("object()"),
      (error) => error instanceof LuaError && error.cause === mine,
    );
  });

  test("a getter that closes Lua", async () => {
    const other = await Lua.create();
    let closing: Promise<void> | undefined;
    const object = {
      get bad() {
        closing = other.close();
        return 1;
      },
    };
    assert.throws(() => other.globals.set("x", object), { kind: "closed" });
    await closing;
  });

  test("a proxy, an object that changes while it is read, an array that claims to be huge", () => {
    lua.register("back", (value: unknown) => value);
    const proxy = new Proxy({ a: 1 }, {});
    assert.deepEqual(lua.call("back", proxy), { a: 1 });
    const growing: Record<string, unknown> = {
      get first() {
        growing.later = 2;
        delete growing.gone;
        return 1;
      },
      gone: 3,
    };
    assert.deepEqual(lua.call("back", growing), { first: 1 });
    const sparse: unknown[] = [];
    sparse[4_000_000_000] = 1;
    assert.deepEqual(lua.call("back", sparse), new Map([[4_000_000_001, 1]]));
    assert.throws(() => lua.call("back", new Proxy(() => 1, {}), new Proxy(class {}, {})), TypeError);
  });

  test("traps of a proxy that throw, or lie", () => {
    for (const trap of ["ownKeys", "get", "getOwnPropertyDescriptor", "getPrototypeOf"] as const) {
      const proxy = new Proxy({ a: 1 }, { [trap]: mine });
      assert.throws(
        () => lua.call("back", { proxy }),
        (error) => error === original,
        trap,
      );
    }
    const many = new Proxy(
      {},
      {
        ownKeys: () => ["a", "a2"],
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }),
        get: (_t, key) => key,
      },
    );
    assert.deepEqual(lua.call("back", many), { a: "a", a2: "a2" });
    const plain = new Proxy(new (class Secret {})(), { getPrototypeOf: () => Object.prototype });
    assert.deepEqual(lua.call("back", plain), {});
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    assert.throws(() => lua.call("back", proxy), TypeError);
    assert.throws(() => lua.call("back", [proxy]), TypeError);
  });

  test("an array that shrinks, grows or changes its kind while it is read", () => {
    const shrinking: unknown[] = [{ get a() { shrinking.length = 1; return 1; } }, 2, 3]; // prettier-ignore
    assert.deepEqual(lua.call("back", shrinking), [{ a: 1 }]);
    const growing: unknown[] = [{ get a() { if (growing.length < 50) growing.push(growing.length); return 1; } }]; // prettier-ignore
    assert.deepEqual(lua.call("back", growing), [{ a: 1 }, 1]);
    const numbers: unknown[] = Array.from({ length: 100 }, (_, i) => i);
    Object.defineProperty(numbers, 50, { get: () => ((numbers[60] = "text"), (numbers.length = 70), 1.5) });
    const expected = Array.from({ length: 70 }, (_, i) => (i === 50 ? 1.5 : i === 60 ? "text" : i));
    assert.deepEqual(lua.call("back", numbers), expected);
  });

  test("a Map that changes while it is read, or has methods of its own", () => {
    const map = new Map<unknown, unknown>([[0, 1]]);
    map.set("x", { get a() { map.delete("gone"); map.set("late", 2); return 1; } }).set("gone", 3); // prettier-ignore
    assert.deepEqual(lua.call("back", map), new Map<unknown, unknown>([[0, 1], ["x", { a: 1 }], ["late", 2]])); // prettier-ignore
    class Odd extends Map<unknown, unknown> {
      override get = mine;
      override [Symbol.iterator] = mine;
    }
    assert.throws(
      () => lua.call("back", new Odd([["a", 1]])),
      (error) => error === original,
    );
  });

  test("subclasses of arrays and Maps are their contents", () => {
    class List extends Array {}
    class Dictionary extends Map<unknown, unknown> {}
    assert.deepEqual(lua.call("back", List.from([1, 2])), [1, 2]);
    assert.deepEqual(lua.call("back", new Dictionary([["a", 1]])), { a: 1 });
    assert.deepEqual(lua.call("back", LuaMultiReturn.of(1, 2)), [1, 2]);
  });

  test("what pretends to be a text, a number or JSON is not asked", () => {
    const object = { toString: mine, valueOf: mine, toJSON: mine, [Symbol.toPrimitive]: mine };
    const { toString, valueOf, toJSON } = lua.call<Record<string, unknown>>("back", object);
    assert.deepEqual([toString, valueOf, toJSON], [mine, mine, mine]);
    assert.throws(() => lua.globals.set({ toString: () => "x" } as never, 1), TypeError);
    assert.throws(() => lua.eval({ toString: () => "return 1" } as never), TypeError);
  });

  test("buffers that are detached, shared or change their length", () => {
    const detached = Uint8Array.of(255, 1);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    assert.throws(() => lua.call("back", detached), /detached ArrayBuffer/);
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    shared.set([255, 1]);
    assert.deepEqual(lua.call("back", shared), Uint8Array.of(255, 1));
    assert.throws(() => lua.call("back", new SharedArrayBuffer(2)), /a SharedArrayBuffer cannot/);
    // Views of the module's own memory are bytes like any others.
    assert.deepEqual(lua.call("back", Uint8Array.of(255)), Uint8Array.of(255));
  });

  test("names of classes that cannot be read, or are none", () => {
    const unreadable = Object.create({ get constructor(): never { return mine(); } }); // prettier-ignore
    assert.throws(() => lua.call("back", unreadable), Error);
    for (const name of [5, "", "\ud800", { toString: mine }]) {
      class Named {
        static readonly name = name as string;
      }
      assert.throws(() => lua.call("back", new Named()), /cannot be given to Lua/);
    }
  });

  test("objects of another realm", () => {
    const foreign = runInNewContext("({ list: [1], map: new Map([[0, 1]]), bytes: Uint8Array.of(255), fn: () => 1, error: new Error('far') })") as Record<string, unknown>; // prettier-ignore
    const got = lua.call<Record<string, unknown>>("back", { ...foreign, map: 1 });
    assert.deepEqual([got["list"], got["bytes"]], [[1], Uint8Array.of(255)]);
    assert.equal(got["fn"], foreign["fn"]);
    assert.equal(got["error"], foreign["error"]);
    assert.deepEqual(lua.call("back", foreign["map"]), new Map([[0, 1]]));
    assert.throws(() => lua.call("back", runInNewContext("Function")), /the class Function cannot/);
    assert.throws(() => lua.call("back", runInNewContext("class Far {}; new Far()")), /a Far cannot/);
  });
});

suite("functions", () => {
  test("names that cannot be read, or are none", () => {
    for (const name of [5, "", "\ud800", "a\0b", "x".repeat(100_000)]) {
      const fn = Object.defineProperty(() => 1, "name", { value: name });
      assert.equal(lua.eval<LuaFunction>("return function(f) return f() end")(fn), 1);
    }
    const fn = Object.defineProperty(() => 1, "name", { get: mine });
    assert.throws(
      () => lua.call("back", fn),
      (error) => error === original,
    );
  });

  test("bound, of a proxy, of another realm, generators: all are called; constructors of the platform are not", () => {
    const calls: HostFunction[] = [
      ((a: number, b: number) => a + b).bind(undefined, 1),
      new Proxy((n: number) => n + 1, {}),
      runInNewContext("(n) => n + 1") as HostFunction,
      (n: number) => LuaMultiReturn.of(n + 1),
    ];
    for (const fn of calls) assert.equal(lua.eval<LuaFunction>("return function(f) return f(1) end")(fn), 2);
    for (const constructor of [Function, Object, Array, Promise, Date, eval("(async () => {}).constructor")]) {
      assert.throws(() => lua.call("back", constructor), TypeError, constructor.name);
    }
  });

  test("that throw what cannot be looked at", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const unreadable = { get message(): never { return mine(); }, get name(): never { return mine(); } }; // prettier-ignore
    const error = Object.defineProperties(new Error("x"), {
      message: { get: mine },
      name: { get: mine },
      code: { get: mine },
    });
    for (const thing of [proxy, unreadable, error, Object.create(null), new Proxy(new Error("x"), { get: mine })]) {
      lua.register("fails", () => {
        throw thing;
      });
      const result = lua.tryEval("fails()");
      assert.ok(!result.ok && result.error.cause === thing);
      assert.equal(lua.eval("return (pcall(fails))"), false);
      assert.equal(lua.eval("return type(tostring(select(2, pcall(fails))))"), "string");
      lua.tryEval("local _, e = pcall(fails) return e.message, e.name, e.code");
    }
  });

  test("thenables that throw, settle twice, settle at once or never, or resolve with each other", async () => {
    const thenables: [unknown, unknown][] = [
      [{ then(resolve: (value: unknown) => void) { resolve(1); resolve(2); } }, 1], // prettier-ignore
      [{ then(resolve: (value: unknown) => void) { resolve(1); mine(); } }, 1], // prettier-ignore
      [{ then(resolve: (value: unknown) => void) { resolve({ then: (again: (value: unknown) => void) => again(3) }); } }, 3], // prettier-ignore
      [Object.assign(() => 1, { then: (resolve: (value: unknown) => void) => resolve(4) }), 4],
    ];
    for (const [thenable, expected] of thenables) {
      lua.register("later", () => thenable);
      assert.equal(await lua.evalAsync("return later()"), expected);
    }
    lua.register("later", () => ({ then: mine }));
    await assert.rejects(lua.evalAsync("later()"), (error) => error instanceof LuaError && error.cause === original);
    lua.register("later", () => ({ get then(): never { return mine(); } })); // prettier-ignore
    assert.throws(
      () => lua.eval("later()"),
      (error) => error instanceof LuaError && error.cause === original,
    );
    lua.register("later", () => ({ then() {} }));
    await assert.rejects(lua.evalAsync("later()", { timeout: 5 }), { kind: "timeout" });
  });

  test("a promise that calls Lua when it settles, while it settles", async () => {
    lua.register("later", () => Promise.resolve().then(() => lua.evalAsync("return back(7)")));
    assert.equal(await lua.evalAsync("return later() + later()"), 14);
  });

  test("that register, forget and replace themselves while they run", () => {
    lua.register("self", () => {
      lua.register("self", () => 2);
      lua.eval("host.self = nil self = nil collectgarbage()");
      return 1;
    });
    assert.equal(lua.eval("local f = self return f() + f()"), 3);
    lua.globals.set("once", () => {
      lua.globals.delete("once");
      lua.gc();
      lua.gc();
      return "gone";
    });
    assert.equal(lua.eval("return once()"), "gone");
  });

  test("that dispose of what they were given, or keep it", () => {
    let kept: LuaFunction | undefined;
    lua.register("take", (fn: LuaFunction) => {
      kept = fn;
      const result = fn(1);
      fn.dispose();
      assert.throws(() => fn(1), LuaClosedError);
      return result;
    });
    assert.equal(lua.eval("return take(function(x) return x + 1 end)"), 2);
    assert.throws(() => lua.call("back", kept), LuaClosedError);
  });
});

suite("from Lua", () => {
  test("__proto__ pollutes nothing, either way", () => {
    lua.register("keys", (value: object) => Object.keys(value));
    assert.deepEqual(lua.eval("return keys({ __proto__ = { polluted = 1 } })"), ["__proto__"]);
    const given = JSON.parse('{"__proto__": {"polluted": 1}}') as object;
    assert.equal(lua.call("rawget", given, "polluted"), undefined);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  test("nothing that Lua has of a function leads any further", () => {
    lua.globals.set("f", () => 1);
    assert.equal(lua.tryEval("return f.constructor").ok, false);
    assert.equal(lua.eval("return getmetatable(f)"), undefined);
  });
});
