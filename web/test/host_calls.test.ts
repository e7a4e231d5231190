/** Host calls, called as the module calls them: with addresses. And the table of what Lua has of the host. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LuaError } from "../src/errors.ts";
import { HostCalls, LuaMultiReturn } from "../src/host/host_calls.ts";
import { checkFunction } from "../src/host/functions.ts";
import { HostTable } from "../src/host/host_table.ts";
import { Memory } from "../src/instance/memory.ts";
import { Decoder } from "../src/codec/decoder.ts";
import { makeRef } from "../src/host/refs.ts";
import { RaisedErrors } from "../src/instance/reply.ts";
import type { LuaValue, ValueContext } from "../src/codec/values.ts";
import { withEncoder } from "../src/codec/encoder.ts";
import { context as fake, settled } from "./helpers.ts";

const ARGS = 1000;
const OUT = 40_000;

function setUp() {
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 100 });
  const host = new HostTable();
  const context: ValueContext = { ...fake, host };
  const errors = new RaisedErrors();
  const decoder = new Decoder(context);
  const calls = new HostCalls(context, new Memory(wasm), decoder, errors, { 2: (name: string) => [name] });
  const bytes = () => new Uint8Array(wasm.buffer);
  const write = (values: unknown[]): number =>
    withEncoder(
      context,
      (encoder) => encoder.list(values),
      (encoder) => (bytes().set(encoder.bytes.subarray(0, encoder.length), ARGS), encoder.length),
    );
  const read = (at: number, length: number): LuaValue[] => {
    const data = bytes().slice(at, at + length);
    return new Decoder(context).list({ bytes: data, view: new DataView(data.buffer) }, 0, length);
  };
  /** Calls a host function; returns the outcome, and the list. */
  const call = (id: number, args: unknown[] = [], mayWait = 0, capacity = 256): [number, LuaValue[]] => {
    const length = write(args);
    const answer = calls.call(id, ARGS, length, mayWait, OUT, capacity);
    const size = answer >>> 2;
    if (size > capacity) assert.equal(calls.take(OUT, size), size);
    return [answer & 3, size === 0 ? [] : read(OUT, size)];
  };
  const run = (fn: unknown, ...args: unknown[]) => call(host.use(fn as object), args);
  return { wasm, host, context, errors, calls, call, run, bytes };
}

suite("results", () => {
  const cases: [string, unknown, LuaValue[]][] = [
    ["nothing is no result", undefined, []],
    ["null is a nil", null, [undefined]],
    ["an integer", 42, [42]],
    ["a float", 0.5, [0.5]],
    ["minus zero", -0, [-0]],
    ["a boolean", true, [true]],
    ["a bigint", 2n ** 60n, [2n ** 60n]],
    ["text", "é", ["é"]],
    ["text that does not fit", "x".repeat(1000), ["x".repeat(1000)]],
    ["text that might not have fitted", "x".repeat(200), ["x".repeat(200)]],
    ["bytes", Uint8Array.of(255), [Uint8Array.of(255)]],
    ["a table", { a: [1, 2] }, [{ a: [1, 2] }]],
    ["an array is one table", [1, 2], [[1, 2]]],
    ["several", LuaMultiReturn.of(1, "two", undefined, [4]), [1, "two", undefined, [4]]],
    ["several that are none", LuaMultiReturn.of(), []],
  ];
  for (const [name, result, expected] of cases) {
    test(name, () => {
      const { run } = setUp();
      assert.deepStrictEqual(
        run(() => result),
        [0, expected],
      );
    });
  }

  test("arguments arrive, and `this` does not", () => {
    const { run } = setUp();
    let seen: unknown;
    const args = [1, -0.5, "a", true, undefined, { a: 1 }, [1], 2n ** 62n, Uint8Array.of(255)];
    run(
      function (this: unknown, ...given: unknown[]) {
        seen = [this, ...given];
      },
      ...args,
    );
    assert.deepStrictEqual(seen, [undefined, ...args]);
  });

  test("memory that grows while the function runs is found again", () => {
    const { run, wasm } = setUp();
    assert.deepEqual(
      run(
        (a: number, b: number) => {
          wasm.grow(2);
          return { sum: a + b };
        },
        2,
        3,
      ),
      [0, [{ sum: 5 }]],
    );
    assert.deepEqual(
      run((a: number) => (wasm.grow(1), a + 1), 2),
      [0, [3]],
    );
  });

  test("a function inside a function inside ... keeps what is its own", () => {
    const { call, host } = setUp();
    const id = host.use((depth: number): unknown =>
      depth === 0 ? [0] : { here: depth, below: call(id, [depth - 1])[1][0] },
    );
    const [end, [value]] = call(id, [20]);
    assert.equal(end, 0);
    assert.match(JSON.stringify(value), /^{"here":20,"below":{"here":19,.*"below":\[0\]}+$/);
  });

  test("what cannot be given is an error that names the function", () => {
    const { run } = setUp();
    class Foo {}
    function fetchIt() {
      return [new Foo()];
    }
    const [end, [error]] = run(fetchIt);
    assert.equal(end, 1);
    assert.ok((error as unknown) instanceof TypeError);
    assert.match(String(error), /result of 'fetchIt': a Foo cannot be given to Lua/);
    assert.match(String(run(() => 2n ** 70n)[1][0]), /result of a host function: .*64 bits/);
    assert.match(String(run(() => "\ud800")[1][0]), /result of a host function: .*surrogate/);
  });

  test("malformed arguments are an error", () => {
    const { calls, host, bytes } = setUp();
    let called = 0;
    const id = host.use(() => void called++);
    bytes().set([2, 0, 0, 0, 0], ARGS);
    assert.equal(calls.call(id, ARGS, 5, 0, OUT, 256) & 3, 1);
    bytes().set([1, 0, 0, 0, 0x77], ARGS);
    assert.equal(calls.call(id, ARGS, 5, 0, OUT, 256) & 3, 1);
    assert.equal(called, 0);
  });

  test("an id that is none is an error", () => {
    const { call, host, context } = setUp();
    const object = host.use(makeRef(context.host, {}));
    for (const id of [9, 15, 16 + 50, object]) assert.equal(call(id)[0], 1);
  });
});

suite("errors", () => {
  test("arrive as themselves, with a label for Lua", () => {
    const { run } = setUp();
    const thrown: [unknown, string][] = [
      [new Error("plain"), "plain"],
      [new RangeError("far"), "RangeError: far"],
      [new DOMException("gone", "AbortError"), "AbortError: gone"],
      ["text", "text"],
      [null, "null"],
      [undefined, "undefined"],
      [42, "42"],
      [Symbol("s"), "Symbol(s)"],
      [{ message: "like an error", name: "Odd" }, "Odd: like an error"],
      [new Error("half \ud800"), "half \ufffd"],
      [
        new Proxy(
          {},
          {
            get() {
              throw new Error("never look");
            },
            getPrototypeOf() {
              throw new Error("never look");
            },
          },
        ),
        "an error that cannot be shown",
      ],
    ];
    for (const [error, label] of thrown) {
      const { call, host, bytes } = setUp();
      const [end, [back]] = call(
        host.use(() => {
          throw error;
        }),
      );
      assert.equal(end, 1);
      assert.equal(back, error);
      const length = new DataView(bytes().buffer).getUint32(OUT + 9, true);
      assert.equal(new TextDecoder().decode(bytes().slice(OUT + 13, OUT + 13 + length)), label);
    }
    assert.equal(
      run(() => {
        throw new Error("x".repeat(5000));
      })[0],
      1,
    );
  });

  test("of this Lua go back as their value", () => {
    const { errors, run } = setUp();
    const fail = (error: LuaError) => () => {
      throw error;
    };
    const make = (value: LuaValue, number?: number) =>
      errors.make(
        {
          status: 1,
          list: ["message", undefined, undefined, undefined, value, number],
          hosted: false,
          output: undefined,
          refusal: undefined,
        },
        null,
      );
    assert.deepStrictEqual(run(fail(make({ code: 42 }))), [1, [{ code: 42 }]]);
    // With nothing that can be given, as an object.
    const bare = make(undefined);
    assert.equal(run(fail(bare))[1][0], bare);
    class Foo {}
    const odd = make(new Foo() as never);
    assert.equal(run(fail(odd))[1][0], odd);
    // Of nobody.
    const foreign = new LuaError("runtime", "of another", { value: 1 });
    assert.equal(run(fail(foreign))[1][0], foreign);
    // The last one is still there.
    const first = make(1, 7);
    const second = make(2, 8);
    assert.deepEqual(run(fail(second)), [3, []]);
    assert.deepEqual(run(fail(first)), [1, [1]]);
    const again = make(2, 8);
    assert.equal(again.cause, second);
    assert.deepEqual(run(fail(second)), [3, []]);
    assert.deepEqual(run(fail(again)), [3, []]);
    errors.begin();
    assert.deepEqual(run(fail(second)), [1, [2]]);
  });
});

suite("promises", () => {
  test("are waited for where that may be", async () => {
    const { call, calls, host } = setUp();
    const id = host.use(async function later() {
      return 5;
    });
    assert.deepEqual(call(id, [], 1), [2, []]);
    const wait = calls.takeWait();
    assert.equal(wait?.name, "'later'");
    assert.equal(await wait?.promise, 5);
    assert.equal(calls.takeWait(), undefined);
  });

  test("are an error elsewhere, and their rejection is nobody's", async () => {
    const { call, calls, host } = setUp();
    const id = host.use(async function fetch() {
      throw new Error("late");
    });
    const [end, [error]] = call(id);
    assert.equal(end, 1);
    assert.match(
      String(error),
      /'fetch' returned a promise, and nothing here can wait: run it with evalAsync or callAsync/,
    );
    assert.equal(calls.takeWait(), undefined);
    // An unhandled rejection would fail this test.
    await settled(3);
  });

  test("need only be thenable, and never run anything at once", async () => {
    const { call, calls, host } = setUp();
    let asked = 0;
    const id = host.use(() => ({
      then(resolve: (value: number) => void) {
        asked += 1;
        resolve(7);
      },
    }));
    assert.equal(call(id, [], 1)[0], 2);
    assert.equal(asked, 0);
    assert.equal(await calls.takeWait()?.promise, 7);
  });
});

suite("what Lua holds", () => {
  test("one function has one id, until all its uses are given back", () => {
    const host = new HostTable();
    const fn = () => 1;
    const id = host.use(fn);
    assert.equal(id, 16);
    assert.equal(host.use(fn), id);
    assert.equal(host.entry(id)?.value, fn);
    host.release(id, 1);
    assert.equal(host.use(fn), id);
    host.release(id, 2);
    assert.equal(host.entry(id), undefined);
    host.release(id, 2);
    host.release(999, 1);
    assert.equal(
      host.use(() => 2),
      id,
    );
    assert.equal(host.use(fn), id + 1);
  });

  test("a message that fails half-way leaves nothing in use", () => {
    const { context, host } = setUp();
    const fn = () => 1;
    assert.throws(() =>
      withEncoder(
        context,
        (encoder) => encoder.list([fn, [fn], new Error("x"), Symbol("no")]),
        () => 0,
      ),
    );
    assert.equal(host.entry(16), undefined);
    assert.equal(host.entry(17), undefined);
    assert.throws(() =>
      withEncoder(
        context,
        (encoder) => encoder.list([fn]),
        () => {
          throw new Error("no room");
        },
      ),
    );
    assert.equal(host.entry(16), undefined);
  });

  test("a registered function stays; its name may get another one", () => {
    const host = new HostTable();
    const [first, second] = [() => 1, () => 2];
    const notified: number[] = [];
    host.register("app.f", first, (id) => notified.push(id));
    host.release(16, 5);
    assert.equal(host.entry(16)?.value, first);
    assert.equal(host.use(first), 16);
    host.register("app.f", second, (id) => notified.push(id));
    assert.deepEqual(notified, [16, 16]);
    assert.equal(host.entry(16)?.value, second);
    assert.equal(host.entry(16)?.label, "app.f");
    assert.equal(host.use(second), 16);
    assert.equal(host.use(first), 17);
  });

  test("a name that Lua refuses is not there", () => {
    const host = new HostTable();
    const refuse = () => {
      throw new Error("no table");
    };
    assert.throws(() => host.register("a", () => 1, refuse), /no table/);
    assert.equal(host.entry(16), undefined);
    const fn = () => 1;
    host.register("a", fn, () => {});
    assert.throws(() => host.register("a", () => 2, refuse), /no table/);
    assert.equal(host.entry(16)?.value, fn);
  });

  test("classes are refused by name, functions of every kind are not", () => {
    class Player {}
    for (const [fn, name] of [
      [Player, /the class Player cannot/],
      [class {}, /the class \(nameless\)/],
      [Map, /Map/],
      [Function, /Function/],
      [(async () => {}).constructor, /AsyncFunction/],
      [new Proxy(Player, {}), /Player/],
    ] as const) {
      assert.throws(() => checkFunction(fn), { name: "TypeError", message: name });
      assert.throws(() => new HostTable().use(fn), TypeError);
    }
    const old = function () {};
    for (const fn of [
      () => 1,
      old,
      Object.freeze(function () {}),
      async () => 1,
      function* () {},
      { method() {} }.method,
      Math.max,
      old.bind(null),
      new Proxy(old, {}),
      class {
        static of() {}
      }.of,
    ]) {
      checkFunction(fn);
    }
    for (const no of [undefined, null, 1, "f", {}]) assert.throws(() => checkFunction(no), TypeError);
  });
});

suite("objects", () => {
  class Player {
    x = 1;
    secret = 2;
    #steps = 0;
    get steps() {
      return this.#steps;
    }
    set half(value: number) {
      this.x = value / 2;
    }
    move(by: number) {
      this.x += by;
      this.#steps += 1;
      return this;
    }
  }
  /** Asks as `obj.key` and `obj.key = value` do. */
  const world = (player: object, members?: Parameters<typeof makeRef>[2]) => {
    const made = setUp();
    const ref = makeRef(made.host, player, members);
    return {
      ...made,
      ref,
      get: (key: unknown) => made.call(0, [ref, key]),
      set: (key: unknown, value: unknown) => made.call(1, [ref, key, value]),
    };
  };

  test("show what the list has, and nothing else", () => {
    const player = new Player();
    const { get, set, call, host, ref } = world(player, ["x", "steps", "move"]);
    assert.deepEqual(get("x"), [0, [1]]);
    const [, [move]] = get("move");
    assert.equal(get("move")[1][0], move);
    assert.deepEqual(call(host.use(move as object), [ref, 4]), [0, [player]]);
    assert.deepEqual(get("x"), [0, [5]]);
    assert.deepEqual(get("steps"), [0, [1]]);
    const [end, [error]] = get("secret");
    assert.equal(end, 1);
    assert.match(String(error), /the member 'secret' of \[object Player\]/);
    assert.equal(set("x", 9)[0], 1);
    assert.equal(player.x, 5);
    for (const key of ["constructor", "__proto__", "prototype", "toString", "hasOwnProperty", 1, undefined, {}]) {
      assert.equal(get(key)[0], 1);
      assert.equal(set(key, 1)[0], 1);
    }
  });

  test("are written where the list says so", () => {
    const player = new Player();
    const { get, set } = world(player, { read: ["x"], write: ["x", "half"], methods: ["move"] });
    assert.deepEqual(set("x", 7), [0, []]);
    assert.deepEqual(set("half", 7), [0, []]);
    assert.deepEqual(get("x"), [0, [3.5]]);
    assert.equal(get("half")[0], 1);
    assert.equal(typeof get("move")[1][0], "function");
  });

  test("a method wants its object", () => {
    const { get, call, host } = world(new Player(), { methods: ["move"] });
    const id = host.use(get("move")[1][0] as object);
    for (const args of [[], [4], [makeRef(host, new Player()), 4]]) {
      const [end, [error]] = call(id, args);
      assert.equal(end, 1);
      assert.match(String(error), /call it with a colon/);
    }
  });

  test("without a list they are opaque", () => {
    const { get, set } = world(new Player());
    assert.equal(get("x")[0], 1);
    assert.equal(set("x", 1)[0], 1);
  });

  test("lists that lead to the class are refused, and so is nonsense", () => {
    const host = new HostTable();
    for (const name of ["constructor", "__proto__", "prototype"]) {
      assert.throws(() => makeRef(host, {}, [name]), /leads to the class/);
      assert.throws(() => makeRef(host, {}, { write: [name] }), TypeError);
      assert.throws(() => makeRef(host, {}, { methods: [name] }), TypeError);
    }
    assert.throws(() => makeRef(host, {}, [1 as never]), TypeError);
    assert.throws(() => makeRef(host, {}, { reed: ["x"] } as never), /option "reed" is unknown/);
    for (const no of [1, "text", null, undefined, true]) assert.throws(() => makeRef(host, no as never), TypeError);
  });

  test("of another Lua are refused", () => {
    const { run } = setUp();
    const ref = makeRef(new HostTable(), {});
    assert.match(String(run(() => ref)[1][0]), /made for another Lua/);
  });

  test("errors show name, message and code, as plain values only", () => {
    const error = Object.assign(new TypeError("bad"), { code: "E_BAD", extra: 1 });
    const ask = (about: Error) => (key: string) => setUp().call(0, [about, key]);
    const get = ask(error);
    assert.deepEqual(get("name"), [0, ["TypeError"]]);
    assert.deepEqual(get("message"), [0, ["bad"]]);
    assert.deepEqual(get("code"), [0, ["E_BAD"]]);
    assert.equal(get("stack")[0], 1);
    assert.equal(get("extra")[0], 1);
    assert.equal(get("cause")[0], 1);
    assert.deepEqual(ask(Object.assign(new Error("x"), { code: { deep: 1 } }))("code"), [0, []]);
  });

  test("a member that cannot be given says whose it is", () => {
    const { get } = world({ inner: new Player() }, ["inner"]);
    assert.match(String(get("inner")[1][0]), /result of 'inner' of \[object Object\]: a Player cannot be given to Lua/);
  });
});
