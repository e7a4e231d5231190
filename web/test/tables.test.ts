/** Tables as JavaScript uses them: many at once, transactions, who hears of what, limits. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { openStore } from "#js/storage/open_store.js";
import type { Follower } from "#js/storage/write_behind.js";
import {
  Lua,
  LuaError,
  LuaRuntimeError,
  LuaStorageError,
  LuaTimeoutError,
  type LuaChangeEvent,
  type LuaFunction,
  type LuaOptions,
  type LuaTable,
  type LuaTableChangeEvent,
} from "../src/index.ts";
import { setFileStorage } from "../src/storage/storage.ts";
import { settled } from "./helpers.ts";
import { RecordBackend, contents } from "./record_backend.ts";

const refused = (code: string) => (error: unknown) => error instanceof LuaStorageError && error.code === code;

/** The events that a listener got since it was asked last. */
function notifications(from: { on(event: "change", listener: (event: LuaChangeEvent) => void): () => void }) {
  const events: LuaChangeEvent[] = [];
  from.on("change", (event) => events.push(event));
  return async () => {
    await settled();
    return events.splice(0);
  };
}

/** Changes as text that can be compared. */
const described = ({ changes }: Pick<LuaChangeEvent, "changes">) =>
  changes.map((change) => `${change.table}.${String(change.key)}: ${String(change.old)} -> ${String(change.new)}`);

/** Collects what is reported as unhandled while `work` runs. */
async function unhandled(work: () => unknown): Promise<unknown[]> {
  const caught: unknown[] = [];
  const before = process.listeners("uncaughtException");
  const listener = (error: unknown) => caught.push(error);
  process.removeAllListeners("uncaughtException").on("uncaughtException", listener);
  try {
    await work();
    await settled();
  } finally {
    process.off("uncaughtException", listener);
    for (const one of before) process.on("uncaughtException", one);
  }
  return caught;
}

suite("setMany", () => {
  test("pairs, a Map, an object, another table; nil and undefined remove", async () => {
    const lua = await Lua.create();
    const t = lua.table("t");
    assert.equal(
      t.setMany([
        ["a", 1],
        [2, { x: 1 }],
        [true, "yes"],
      ]),
      t,
    );
    t.setMany(
      new Map<string | bigint, unknown>([
        ["a", 2],
        [2n ** 60n, [1]],
      ]),
    );
    t.setMany({ b: 1, ["__proto__"]: 2, 3: "text" });
    assert.deepEqual(
      [...t],
      [
        ["a", 2],
        [2, { x: 1 }],
        [true, "yes"],
        [2n ** 60n, [1]],
        ["3", "text"],
        ["b", 1],
        ["__proto__", 2],
      ],
    );
    t.setMany({ b: null, a: undefined }).setMany([
      [2, undefined],
      [true, null],
      ["none", undefined],
    ]);
    assert.deepEqual([...t.keys()], [2n ** 60n, "3", "__proto__"]);
    assert.deepEqual([...lua.table("copy").setMany(t)], [...t]);
    assert.equal(t.setMany([]).setMany({}).setMany(new Map()).size, 3);
    t.setMany(t);
    assert.equal(t.size, 3);
    // The last of one key counts, and the first says where it stands.
    lua.table("u").setMany([
      ["k", 1],
      ["l", 1],
      ["k", 2],
      ["l", undefined],
      ["k", 3],
    ]);
    assert.deepEqual([...lua.table("u")], [["k", 3]]);
    await lua.close();
  });

  test("what is in the middle and cannot be stored leaves everything as it was", async () => {
    const lua = await Lua.create();
    const events = notifications(lua);
    const t = lua.table("t").set("a", 1);
    await events();
    const cyclic: unknown[] = [];
    for (let depth = 0, inner = cyclic; depth < 200; depth++) inner.push((inner = []));
    const bad = [
      () => {},
      new Date(),
      Symbol("x"),
      lua.eval("return print"),
      cyclic,
      "\ud800",
      2n ** 64n,
      new Error("x"),
    ];
    for (const value of bad) {
      assert.throws(
        () =>
          t.setMany([
            ["a", 2],
            ["b", value],
            ["c", 3],
          ]),
        (error) => !(error instanceof LuaError),
      );
      assert.throws(
        () => t.setMany({ a: 2, b: { deep: [value] } }),
        (error) => !(error instanceof LuaError),
      );
    }
    for (const key of [NaN, null, undefined, {}, Symbol("x"), 2n ** 64n, "\udfff"]) {
      assert.throws(() =>
        t.setMany([
          ["a", 2],
          [key as never, 1],
        ]),
      );
    }
    for (const wrong of [
      null,
      undefined,
      5,
      "ab",
      [1],
      [null],
      Promise.resolve([]),
      new Date(),
      new WeakMap(),
      () => {},
    ]) {
      assert.throws(() => t.setMany(wrong as never), TypeError, String(wrong));
    }
    assert.deepEqual([...t], [["a", 1]]);
    assert.deepEqual(await events(), []);
    await lua.close();
  });

  test("no room in the middle of it", async () => {
    const lua = await Lua.create({ storageLimit: 1000 });
    const t = lua.table("t").setMany({ a: 1, b: 2 });
    assert.throws(() => t.setMany({ a: 5, c: 3, d: "x".repeat(1000), e: 4 }), refused("quota"));
    assert.deepEqual(
      [...t],
      [
        ["a", 1],
        ["b", 2],
      ],
    );
    assert.throws(
      () =>
        t.setMany([
          ["a", 5],
          ["x", "x".repeat(70 << 20)],
        ]),
      refused("too-large"),
    );
    assert.deepEqual(
      [...t],
      [
        ["a", 1],
        ["b", 2],
      ],
    );
    // What goes makes room for what comes, in the order in which it is given.
    t.setMany([
      ["a", undefined],
      ["b", undefined],
      ["c", "x".repeat(700)],
    ]);
    assert.deepEqual([...t.keys()], ["c"]);
    await lua.close();
  });

  test("a generator that throws, one that writes to the same table, one that drops it", async () => {
    const lua = await Lua.create();
    const t = lua.table("t").set("a", 1);
    function* throwing(): Generator<[string, number]> {
      yield ["a", 2];
      throw new RangeError("no more");
    }
    assert.throws(() => t.setMany(throwing()), new RangeError("no more"));
    assert.deepEqual([...t], [["a", 1]]);
    function* writing(): Generator<[string, unknown]> {
      for (const key of t.keys()) {
        t.set(`${String(key)}'`, "written");
        yield [key as string, "given"];
        if (t.size > 5) break;
      }
      lua.eval("ext.table('t').lua = true");
      yield ["last", t.size];
    }
    t.setMany(writing());
    assert.deepEqual(Object.fromEntries(t), {
      a: "given",
      "a'": "given",
      "a''": "given",
      "a'''": "given",
      "a''''": "given",
      "a'''''": "written",
      lua: true,
      last: 7,
    });
    function* dropping(): Generator<[string, number]> {
      yield ["a", 2];
      lua.eval("ext.drop('t')");
    }
    assert.throws(() => t.setMany(dropping()), refused("closed"));
    assert.deepEqual(lua.tables(), []);
    await lua.close();
  });

  test("is in one batch with what else is written in the same job", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    const events = notifications(lua);
    lua.table("a").set("before", 1);
    lua.table("b").setMany({ x: 1, y: 2 });
    lua.table("a").delete("before");
    lua.table("a").set("after", 1);
    const [event, ...others] = await events();
    assert.deepEqual(others, []);
    assert.deepEqual(event?.tables, ["a", "b"]);
    assert.deepEqual(described(event), ["a.after: undefined -> 1", "b.x: undefined -> 1", "b.y: undefined -> 2"]);
    assert.equal(storage.commits, 1);
    await lua.close();
  });

  test("what is written to a table that was just made is committed by itself", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    lua.table("new").set("a", 1);
    await settled();
    assert.equal(storage.commits, 1);
    lua.table("empty");
    await settled();
    assert.equal(storage.commits, 2);
    // Reading makes it, too.
    lua.table("new").set("b", lua.table("gone"));
    lua.eval("ext.drop('gone')");
    await settled();
    const { commits } = storage;
    assert.equal((lua.table("new").get("b") as LuaTable).name, "gone");
    await settled();
    assert.equal(storage.commits, commits + 1);
    assert.deepEqual([...contents(await openStore(storage.survivor())).keys()], ["new", "empty", "gone"]);
    await lua.close();
  });
});

suite("transaction", () => {
  test("gives what its function gives; what it throws goes through, and takes everything back", async () => {
    const lua = await Lua.create();
    const t = lua.table("t").set("a", 1);
    assert.equal(
      lua.transaction(() => t.set("a", 2)),
      t,
    );
    for (const thrown of [new Error("no"), null, undefined, "text", Object.assign(new Error("x"), { code: "quota" })]) {
      let caught: unknown = lua;
      try {
        lua.transaction(() => {
          t.set("a", 3).set("b", 1).setMany({ c: 1, d: 2 });
          lua.table("new").set("x", 1);
          lua.eval("ext.table('t').lua = 1 ext.drop('t') ext.table('t').z = 1");
          throw thrown;
        });
      } catch (error) {
        caught = error;
      }
      assert.equal(caught, thrown);
      assert.deepEqual([...t], [["a", 2]]);
      assert.deepEqual(lua.tables(), ["t"]);
    }
    assert.equal(lua.eval("return ext.table('t').a"), 2);
    for (const wrong of [undefined, 5, "return 1", class {}])
      assert.throws(() => lua.transaction(wrong as never), TypeError);
    await lua.close();
  });

  test("cannot wait", async () => {
    const lua = await Lua.create();
    const t = lua.table("t").set("a", 1);
    const later: Promise<unknown>[] = [];
    assert.throws(
      () =>
        lua.transaction(() => {
          t.set("a", 2);
          const promise = (async () => {})();
          later.push(promise);
          return promise;
        }),
      { name: "TypeError", message: /cannot wait/ },
    );
    assert.throws(() => lua.transaction(async () => t.set("a", 3)), /cannot wait/);
    assert.throws(() => lua.transaction(() => ({ then() {} })), /cannot wait/);
    assert.deepEqual([...t], [["a", 1]]);
    await Promise.all(later);
    await lua.close();
  });

  test("nested: an inner one that fails takes back its own, an outer one everything", async () => {
    const lua = await Lua.create();
    const t = lua.table("t");
    lua.transaction(() => {
      t.set("a", 1);
      assert.throws(() =>
        lua.transaction(() => {
          t.set("a", 2).set("b", 1);
          lua.transaction(() => t.set("c", 1));
          throw new Error("inner");
        }),
      );
      assert.deepEqual([...t], [["a", 1]]);
      lua.transaction(() => t.set("d", 1));
    });
    assert.deepEqual(
      [...t],
      [
        ["a", 1],
        ["d", 1],
      ],
    );
    assert.throws(() =>
      lua.transaction(() => {
        lua.transaction(() => t.clear());
        throw new Error("outer");
      }),
    );
    assert.deepEqual(
      [...t],
      [
        ["a", 1],
        ["d", 1],
      ],
    );
    await lua.close();
  });

  test("with evals that fail, or exceed a limit, in transactions of their own", async () => {
    const lua = await Lua.create();
    const t = lua.table("t");
    const inside = (work: string) =>
      `local t = ext.table('t') t.before = 1 ext.transaction(function() t.inside = 1 ${work} end)`;
    lua.transaction(() => {
      t.set("js", 1);
      assert.throws(() => lua.eval(inside("error('no')")), /no/);
      assert.deepEqual(
        [...t],
        [
          ["js", 1],
          ["before", 1],
        ],
      );
      t.delete("before");
      assert.throws(() => lua.eval(inside("while true do end"), { fuel: 100_000 }), LuaTimeoutError);
      assert.throws(
        () => lua.eval(inside("ext.transaction(function() while true do end end)"), { fuel: 100_000 }),
        LuaTimeoutError,
      );
      assert.throws(() => lua.eval(inside("coroutine.wrap(function() t.x = 1 error('co') end)()")), /co/);
      lua.eval(`pcall(function() ${inside("error('no')")} end)`);
      lua.eval(inside(""));
    });
    assert.deepEqual([...t.keys()], ["js", "before", "inside"]);
    assert.throws(
      () =>
        lua.transaction(() => {
          lua.eval("ext.table('t').more = 1");
          lua.eval(inside("while true do end"), { fuel: 100_000 });
        }),
      LuaTimeoutError,
    );
    assert.deepEqual([...t.keys()], ["js", "before", "inside"]);
    await lua.close();
  });

  test("from a host function, inside of ext.transaction", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    const t = lua.table("t");
    lua.register("work", (fail: boolean, code: string) =>
      lua.transaction(() => {
        t.set("js", 1);
        lua.eval(code);
        if (fail) throw new Error("js fails");
      }),
    );
    const around = (call: string, more = "") =>
      `local t = ext.table('t') t.outer = 1 ext.transaction(function() t.middle = 1 ${call} t.after = 1 ${more} end)`;
    lua.eval(around("host.work(false, 'ext.table(\"t\").inner = 1')"));
    assert.deepEqual([...t.keys()], ["outer", "middle", "js", "inner", "after"]);
    t.clear();
    lua.eval(around("assert(not pcall(host.work, true, 'ext.table(\"t\").inner = 1'))"));
    assert.deepEqual([...t.keys()], ["outer", "middle", "after"]);
    t.clear();
    assert.throws(
      () => lua.eval(around("host.work(false, 'ext.table(\"t\").inner = 1')", "error('lua fails')")),
      /lua fails/,
    );
    assert.deepEqual([...t.keys()], ["outer"]);
    t.clear();
    assert.throws(() => lua.eval(around("host.work(true, '')")), /js fails/);
    assert.deepEqual([...t.keys()], ["outer"]);
    t.clear();
    const endless = 'ext.transaction(function() ext.table("t").trip = 1 while true do end end)';
    assert.throws(() => lua.eval(around(`host.work(false, [[${endless}]])`), { fuel: 100_000 }), LuaTimeoutError);
    assert.deepEqual([...t.keys()], ["outer"]);
    // And nothing is open any more.
    t.clear();
    lua.eval("ext.table('t').x = 1");
    await lua.flush();
    assert.deepEqual(contents(await openStore(storage.survivor())).get("t")?.length, 1);
    await lua.close();
  });

  test("is told, and committed, only for what stays; a flush inside of it is for what comes out", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    const t = lua.table("t").set("a", 1);
    await lua.flush();
    await settled();
    const events = notifications(lua);
    const { commits } = storage;
    assert.throws(() =>
      lua.transaction(() => {
        t.set("a", 2);
        lua.eval("ext.table('u').x = 1");
        throw new Error("no");
      }),
    );
    assert.deepEqual(await events(), []);
    const flushed: Promise<void>[] = [];
    lua.transaction(() => {
      t.set("a", 2);
      flushed.push(lua.flush());
      lua.eval("ext.table('t').b = 1");
      t.set("a", 3);
    });
    await Promise.all(flushed);
    const [event, ...others] = await events();
    assert.deepEqual(others, []);
    assert.ok(event);
    assert.deepEqual(described(event), ["t.a: 1 -> 3", "t.b: undefined -> 1"]);
    assert.deepEqual([event.origin, event.eval], ["js", undefined]);
    assert.equal(storage.commits, commits + 1);
    assert.equal((await openStore(storage.survivor())).open("t").count, 2);
    await lua.close();
  });

  test("evalAsync begun in it belongs to it until it first waits", async () => {
    const lua = await Lua.create();
    lua.register("wait", () => Promise.resolve());
    const t = lua.table("t");
    let running: Promise<unknown> | undefined;
    assert.throws(() =>
      lua.transaction(() => {
        running = lua.evalAsync("local t = ext.table('t') t.a = 1 host.wait() t.b = 1 return 5");
        assert.equal(t.get("a"), 1);
        throw new Error("no");
      }),
    );
    assert.deepEqual([...t], []);
    assert.equal(await running, 5);
    assert.deepEqual([...t], [["b", 1]]);
    await lua.close();
  });

  test("in which the program dies", async (t) => {
    const { instantiate } = WebAssembly;
    let dies = false;
    t.mock.method(WebAssembly, "instantiate", async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      const { exports } = await instantiate(module, imports);
      const real = exports as unknown as { eval(length: number): number };
      const dying = (length: number) => {
        if (dies) throw new WebAssembly.RuntimeError("unreachable");
        return real.eval(length);
      };
      return { exports: { ...exports, eval: dying } };
    });
    for (const caught of [false, true]) {
      dies = false;
      const storage = new RecordBackend();
      const lua = await Lua.create({ storage });
      const table = lua.table("t").set("a", 1);
      await lua.flush();
      dies = true;
      const work = () =>
        lua.transaction(() => {
          table.set("a", 2);
          if (caught) lua.tryEval("return 1");
          else lua.eval("return 1");
        });
      assert.throws(
        work,
        (error) => error instanceof LuaError && (caught ? refused("read-only")(error) : error.kind === "bug"),
      );
      assert.equal(table.get("a"), 1);
      assert.throws(() => lua.transaction(() => 1), refused("read-only"));
      await lua.close();
      assert.equal(storage.commits, 1);
    }
  });
});

suite("changes", () => {
  test("each batch once, with its number", async () => {
    const lua = await Lua.create();
    const events = notifications(lua);
    lua.register("write", () => void lua.table("t").set("host", 1));
    lua.register("later", () => Promise.resolve());
    const numbers = async (call: () => unknown) => {
      const { evals } = lua.stats();
      await call();
      const list = await events();
      const last = list.filter(({ origin }) => origin === "lua").at(-1);
      if (last !== undefined) assert.equal(lua.stats().evals, last.eval);
      return list.map(({ eval: number, origin }) => [origin, number === undefined ? undefined : number - evals]);
    };
    lua.table("t");
    await events();
    assert.deepEqual(await numbers(() => lua.eval("ext.table('t').a = 1")), [["lua", 1]]);
    assert.deepEqual(await numbers(() => lua.eval("return 1")), []);
    assert.deepEqual(await numbers(() => [lua.eval("return 1"), lua.eval("ext.table('t').a = 2")]), [["lua", 2]]);
    assert.deepEqual(await numbers(() => lua.eval("host.write()")), [["lua", 1]]);
    assert.deepEqual(await numbers(() => lua.tryEval("ext.table('t').b = 1 error('x')")), [["lua", 1]]);
    assert.deepEqual(await numbers(() => lua.run("ext.table('t').b = 2", { fuel: 10_000 })), [["lua", 1]]);
    assert.deepEqual(await numbers(() => lua.table("t").set("a", 3)), [["js", undefined]]);
    assert.deepEqual(
      await numbers(() => [lua.table("t").set("a", 4), lua.eval("ext.table('t').a = 5"), lua.table("t").set("a", 6)]),
      [
        ["js", undefined],
        ["lua", 1],
        ["js", undefined],
      ],
    );
    assert.deepEqual(await numbers(() => lua.evalAsync("local t = ext.table('t') t.a = 7 host.later() t.a = 8")), [
      ["lua", 1],
      ["lua", 2],
    ]);
    const f = lua.eval<LuaFunction>("return function(x) ext.table('t').f = x end");
    assert.deepEqual(await numbers(() => [f(1), f(2)]), [
      ["lua", 1],
      ["lua", 2],
    ]);
    // What is as it was is no change of an entry.
    assert.deepEqual(await numbers(() => lua.eval("ext.table('t').f = 2")), [["lua", 1]]);
    await lua.close();
  });

  test("old and new, of any kind; cleared and dropped", async () => {
    const lua = await Lua.create();
    const events = notifications(lua);
    const t = lua.table("t");
    t.setMany([
      ["a", { x: [1] }],
      [1, 1n << 60n],
      [true, Uint8Array.of(255)],
    ]);
    const [made] = await events();
    assert.deepEqual(made?.changes, [
      { table: "t", key: "a", old: undefined, new: { x: [1] } },
      { table: "t", key: 1, old: undefined, new: 1n << 60n },
      { table: "t", key: true, old: undefined, new: Uint8Array.of(255) },
    ]);
    lua.eval("local t = ext.table('t') t.a = nil t[1] = 2 t[1] = 3 t.x = 1 t.x = nil");
    const [changed] = await events();
    assert.deepEqual(changed?.changes, [
      { table: "t", key: "a", old: { x: [1] }, new: undefined },
      { table: "t", key: 1, old: 1n << 60n, new: 3 },
    ]);
    t.clear();
    const [cleared] = await events();
    assert.deepEqual(described(cleared as LuaChangeEvent), ["t.1: 3 -> undefined", "t.true: 255 -> undefined"]);
    t.set("é", 1);
    await events();
    lua.eval("ext.drop('t') ext.table('t').n = 1 ext.table('Tür').x = 1");
    const [dropped] = await events();
    assert.deepEqual(dropped?.tables, ["t", "Tür"]);
    assert.deepEqual(described(dropped), ["t.é: 1 -> undefined", "t.n: undefined -> 1", "Tür.x: undefined -> 1"]);
    await lua.close();
  });

  test("of one table: its own only, also when it was dropped and made again", async () => {
    const lua = await Lua.create();
    const t = lua.table<string, number>("t");
    const events: LuaTableChangeEvent<string, number>[] = [];
    const stop = t.on("change", (event) => events.push(event));
    const { evals } = lua.stats();
    lua.eval("ext.table('t').a = 1 ext.table('other').b = 1");
    lua.table("other").set("c", 1);
    await settled();
    assert.equal(events.length, 1);
    assert.deepEqual(
      { ...events[0] },
      { changes: [{ table: "t", key: "a", old: undefined, new: 1 }], eval: evals + 1, origin: "lua" },
    );
    lua.eval("ext.drop('t')");
    lua.table("t").set("d", 1);
    await settled();
    assert.deepEqual(events.slice(1).flatMap(described), ["t.a: 1 -> undefined", "t.d: undefined -> 1"]);
    stop();
    stop();
    lua.table("t").set("e", 1);
    await settled();
    assert.equal(events.length, 3);
    assert.throws(() => t.on("changes" as never, () => {}), TypeError);
    assert.throws(() => t.on("change", 5 as never), TypeError);
    await lua.close();
  });

  test("are decoded when they are asked for, once for each who listens", async () => {
    const lua = await Lua.create();
    lua.eval("ext.table('t').k = ext.table('x') ext.drop('x')");
    const events: Pick<LuaChangeEvent, "changes">[] = [];
    await settled();
    lua.on("change", (event) => events.push(event));
    lua.on("change", (event) => events.push(event));
    lua.table("t").on("change", (event) => events.push(event));
    lua.eval("ext.table('t').k = { ext.table('x') } ext.drop('x')");
    await settled();
    assert.equal(events.length, 3);
    // Reading an external table makes it: a trace of the decoding.
    assert.deepEqual(lua.tables(), ["t"]);
    const [first, second] = events.map(({ changes }) => changes);
    assert.deepEqual(lua.tables(), ["t", "x"]);
    assert.equal(events[0]?.changes, first);
    assert.equal(events[2]?.changes, events[2]?.changes);
    assert.deepEqual(first, second);
    assert.notEqual(first?.[0]?.new, second?.[0]?.new);
    // As they were then, whatever is there by now.
    const late: LuaChangeEvent[] = [];
    lua.on("change", (event) => late.push(event));
    lua.table("t").set("k", 1);
    await settled();
    lua.table("t").set("k", 2);
    await settled();
    assert.deepEqual(late.map(described)[1], ["t.k: 1 -> 2"]);
    await lua.close();
    assert.match(late.map(described)[0]?.[0] ?? "", /-> 1$/);
  });

  test("a listener that writes makes another event; nobody hears one inside a call", async () => {
    const lua = await Lua.create();
    const t = lua.table<string, number>("t");
    let inside = false;
    const seen: string[] = [];
    lua.on("change", (event) => {
      assert.equal(inside, false);
      seen.push(...described(event));
      const count = t.get("count") ?? 0;
      if (count < 3) t.set("count", count + 1);
    });
    lua.register("write", () => void t.set("x", 1));
    inside = true;
    lua.eval("ext.table('t').a = 1 host.write()");
    lua.transaction(() => t.set("b", 1));
    inside = false;
    await settled();
    assert.deepEqual(seen, [
      "t.a: undefined -> 1",
      "t.x: undefined -> 1",
      "t.b: undefined -> 1",
      // It has heard of two batches by then.
      "t.count: undefined -> 2",
      "t.count: 2 -> 3",
    ]);
    await lua.close();
  });

  test("a listener that throws is reported, and disturbs nobody", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    const calls: string[] = [];
    lua.table("t");
    await settled();
    lua.on("change", () => calls.push("first"));
    lua.on("change", () => {
      throw new Error("second");
    });
    lua.table("t").on("change", () => {
      throw new Error("third");
    });
    lua.on("commit", () => {
      throw new Error("commit");
    });
    lua.on("change", () => calls.push("last"));
    const reported = await unhandled(async () => {
      lua.eval("ext.table('t').a = 1");
      lua.table("t").set("b", 2);
      await lua.flush();
    });
    assert.deepEqual(calls, ["first", "last", "first", "last"]);
    const messages = reported.map((error) => (error as Error).message);
    assert.deepEqual(
      messages.filter((message) => message !== "commit"),
      ["second", "third", "second", "third"],
    );
    assert.ok(messages.includes("commit"));
    assert.equal(storage.commits, 1 + messages.length - 4);
    assert.equal(lua.stats().storage.state, "idle");
    await unhandled(() => lua.close());
    assert.equal(contents(await openStore(storage)).get("t")?.length, 2);
  });

  test("a listener that is ended, by itself or another, hears nothing more; a new one only what comes", async () => {
    const lua = await Lua.create();
    const calls: string[] = [];
    const stopFirst = lua.on("change", () => {
      calls.push("first");
      stopFirst();
      stopSecond();
      lua.on("change", () => calls.push("new"));
    });
    const stopSecond = lua.on("change", () => calls.push("second"));
    const same = () => calls.push("same");
    const stops = [lua.on("change", same), lua.on("change", same)];
    lua.table("t").set("a", 1);
    await settled();
    assert.deepEqual(calls.splice(0), ["first", "same", "same"]);
    stops[0]?.();
    lua.table("t").set("a", 2);
    await settled();
    assert.deepEqual(calls.splice(0), ["same", "new"]);
    await lua.close();
  });

  test("thousands of listeners, and tables with one each", async () => {
    const lua = await Lua.create();
    let calls = 0;
    for (let i = 0; i < 2000; i++) lua.on("change", () => (calls += 1));
    for (let i = 0; i < 200; i++) lua.table(`t${i}`).on("change", () => (calls += 10_000));
    await settled();
    calls = 0;
    lua.table("t5").set("a", 1).set("b", 2);
    await settled();
    assert.equal(calls, 12_000);
    await lua.close();
  });

  test("closing tells what it has ended", async () => {
    const lua = await Lua.create();
    const events = notifications(lua);
    lua.table("t").set("a", { x: 1 });
    await lua.close();
    assert.deepEqual((await events()).map(described), [["t.a: undefined -> [object Object]"]]);
  });
});

suite("iteration", () => {
  test("while the table changes: what is removed is not met, what comes behind is", async () => {
    const lua = await Lua.create();
    const t = lua.table<number, number>("t");
    const fill = () => {
      t.clear();
      t.setMany(Array.from({ length: 200 }, (_, i) => [i, i] as const));
    };
    fill();
    const met: number[] = [];
    for (const [key] of t) {
      met.push(key);
      t.delete(key);
      t.delete(key + 1);
      if (key < 10) t.set(1000 + key, key);
    }
    assert.deepEqual(met, [...Array.from({ length: 100 }, (_, i) => 2 * i), 1000, 1002, 1004, 1006, 1008]);
    assert.equal(t.size, 0);
    fill();
    met.length = 0;
    for (const key of t.keys()) {
      met.push(key);
      if (key === 3) t.clear();
      if (key === 3) t.set(9, 9);
    }
    assert.deepEqual(met, [0, 1, 2, 3, 9]);
    fill();
    assert.throws(() => {
      for (const value of t.values()) if (value === 3) lua.eval("ext.drop('t')");
    }, refused("closed"));
    const again = lua.table<number, number>("t").set(1, 1).set(2, 2);
    const seen: unknown[] = [];
    again.forEach((value, key, table) => {
      if (key === 1) lua.eval("ext.table('t')[3] = 3 ext.table('t')[2] = 'two'");
      seen.push([value, key, table === again]);
    });
    assert.deepEqual(seen, [
      [1, 1, true],
      ["two", 2, true],
      [3, 3, true],
    ]);
    assert.throws(() =>
      lua.transaction(() => {
        for (const key of again.keys()) if (key === 2) throw new Error(`left at ${again.set(5, 5).size}`);
      }),
    );
    assert.deepEqual([...again.keys()], [1, 2, 3]);
    await lua.close();
  });
});

test("types say what is read and what may be written", async () => {
  interface Note {
    text: string;
    at: number;
  }
  const lua = await Lua.create();
  const notes = lua.table<string, Note>("notes");
  notes.set("a", { text: "x", at: 1 }).setMany({ b: { text: "y", at: 2 }, c: undefined });
  notes.setMany([["d", { text: "z", at: 3 }]]).setMany(new Map([["e", null]]));
  const text: string | undefined = notes.get("a")?.text;
  assert.equal(text, "x");
  for (const [key, { at }] of notes) assert.equal(typeof key + typeof at, "stringnumber");
  notes.on("change", ({ changes }) => changes.map(({ key, new: note }) => key.length + (note?.at ?? 0)));
  const untyped = lua.table("notes");
  untyped.set(1, { anything: [true] }).setMany([
    [1, null],
    [true, undefined],
  ]);
  const never = () => {
    // @ts-expect-error a number is no key of it
    notes.get(1);
    // @ts-expect-error a string is no Note
    notes.set("a", "text");
    // @ts-expect-error something is missing
    notes.setMany({ a: { text: "x" } });
    // @ts-expect-error what is read may be missing
    notes.get("a").text;
    // @ts-expect-error an object is no key
    lua.table<Note, string>("x");
    // @ts-expect-error what is read of a plain table is any Lua value
    const wrong: string = untyped.get("a");
    // @ts-expect-error there is one event
    notes.on("commit", () => {});
    // @ts-expect-error no such format
    lua.dump({ format: "xml" });
    const bytes: Uint8Array = lua.dump();
    const json: string = lua.dump({ format: "json" });
    const number: number = lua.transaction(() => 5);
    return [wrong, bytes, json, number];
  };
  assert.equal(typeof never, "function");
  await lua.close();
});

suite("limits", () => {
  test("storageLimit is an error of Lua that pcall catches; the store is as before, and goes on", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage, storageLimit: 10_000 });
    assert.equal(lua.eval("t = ext.table('t') t.a = 1 return t.a"), 1);
    assert.throws(() => lua.eval("t.big = ('x'):rep(20000)"), refused("quota"));
    assert.match(String(lua.eval("return select(2, pcall(function() t.big = ('x'):rep(20000) end))")), /full.*10000/);
    assert.deepEqual([...lua.table("t")], [["a", 1]]);
    assert.throws(() => lua.eval("ext.transaction(function() for i = 1, 1e6 do t[i] = i end end)"), refused("quota"));
    assert.equal(lua.table("t").size, 1);
    const count = lua.eval<number>("local i = 0 while pcall(function() t[i + 1] = 'x' end) do i = i + 1 end return i");
    assert.ok(count > 50 && count < 80, String(count));
    assert.throws(() => lua.table("t").set("js", 1), refused("quota"));
    assert.throws(() => lua.table("u").setMany({ a: 1 }), refused("quota"));
    lua.eval("t[1] = nil t.js = 5");
    assert.equal(lua.table("t").get("js"), 5);
    assert.ok(lua.stats().memory.tables <= 10_000);
    await lua.close();
    // What is there is read, also where the limit is smaller by now; it can go, and not grow.
    const smaller = await Lua.create({ storage, storageLimit: 500 });
    assert.equal(smaller.table("t").size, count + 1);
    assert.throws(() => smaller.table("t").set("new", 1), refused("quota"));
    smaller.eval("ext.clear(ext.table('t')) ext.table('t').new = 1");
    assert.deepEqual([...smaller.table("t")], [["new", 1]]);
    await smaller.close();
    const none = await Lua.create({ storageLimit: 0 });
    assert.throws(() => none.table("t").set("a", 1), refused("quota"));
    assert.equal(none.table("t").size, 0);
    await none.close();
  });

  test("64 MiB are one value, through JavaScript and through Lua", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage, memoryLimit: 400 << 20, timeout: Infinity });
    const t = lua.table("t");
    const bytes = new Uint8Array(64 << 20).fill(0xff);
    bytes[5] = 7;
    t.set("js", bytes);
    assert.equal(Buffer.compare(t.get("js") as Uint8Array, bytes), 0);
    assert.equal(
      lua.eval("t = ext.table('t') local s = t.js return #s == 64 << 20 and s:byte(6) == 7 and s:byte(-1) == 255"),
      true,
    );
    lua.eval("t.lua = ('lua'):rep((64 << 20) // 3)");
    assert.equal((t.get("lua") as string).length, Math.floor((64 << 20) / 3) * 3);
    assert.throws(() => t.set("js", new Uint8Array((64 << 20) + 2048)), refused("too-large"));
    assert.throws(() => lua.eval("t.lua = ('x'):rep((64 << 20) + 2048)"), refused("too-large"));
    assert.equal((t.get("lua") as string).slice(-3), "lua");
    t.delete("lua");
    await lua.close();
    const again = await openStore(storage);
    assert.equal(again.open("t").next(0)?.value.length, (64 << 20) + 5);
  });
});

suite("the browser's storage", () => {
  const navigated = async (navigator: unknown, work: () => Promise<void>) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
    try {
      await work();
    } finally {
      if (before === undefined) Reflect.deleteProperty(globalThis, "navigator");
      else Object.defineProperty(globalThis, "navigator", before);
    }
  };

  test("where there is none: nothing is promised, and nothing known", async () => {
    const lua = await Lua.create();
    const nothing = { usage: undefined, quota: undefined, persisted: false };
    for (const navigator of [undefined, {}, { storage: undefined }, { storage: {} }]) {
      await navigated(navigator, async () => {
        assert.equal(await lua.persist(), false);
        assert.deepEqual(await lua.estimate(), nothing);
      });
    }
    await lua.close();
  });

  test("where there is: what it says", async () => {
    const lua = await Lua.create();
    let asked = 0;
    const storage = {
      persist: async () => (asked += 1) > 1,
      persisted: async () => asked > 1,
      estimate: async () => ({ usage: 5, quota: 100, usageDetails: {} }),
    };
    await navigated({ storage }, async () => {
      assert.equal(await lua.persist(), false);
      assert.deepEqual(await lua.estimate(), { usage: 5, quota: 100, persisted: false });
      assert.equal(await lua.persist(), true);
      assert.deepEqual(await lua.estimate(), { usage: 5, quota: 100, persisted: true });
    });
    await navigated({ storage: { estimate: async () => ({}) } }, async () => {
      assert.deepEqual(await lua.estimate(), { usage: undefined, quota: undefined, persisted: false });
    });
    const failing = { storage: { persist: () => Promise.reject(new TypeError("opaque origin")) } };
    await navigated(failing, () => assert.rejects(lua.persist(), /opaque origin/));
    await lua.close();
  });
});

suite("options", () => {
  test("that are not as they should be", async () => {
    const wrong: Record<string, unknown[]> = {
      storageLimit: [-1, 1.5, NaN, "1000", 1n, null],
      readOnly: [1, "yes", null],
      durability: ["safe", true],
      lockTimeout: [-1, NaN, "1", 2 ** 31],
      onProgress: [5, {}],
      storage: [5, {}, { load() {} }, null],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        await assert.rejects(Lua.create({ [name]: value } as LuaOptions), {
          name: "TypeError",
          message: new RegExp(name),
        });
      }
    }
    await (
      await Lua.create({ storageLimit: Infinity, readOnly: false, durability: "strict", lockTimeout: Infinity })
    ).close();
    for (const storage of ["idb", "", "sqlite:x", "memory:", "file"])
      await assert.rejects(Lua.create({ storage }), refused("name"));
    await assert.rejects(Lua.create({ readOnly: true }), refused("name"));
    await assert.rejects(Lua.create({ readOnly: true, storage: new RecordBackend() }), refused("name"));
  });

  test("readOnly: reads along, and refuses every change", async () => {
    const backend = new RecordBackend();
    const follower: Follower = {
      load: (visit) => backend.load(visit),
      follow: (changed) => {
        backend.committed = (changes) => changed(changes, false);
      },
      close: () => {
        backend.committed = () => {};
      },
    };
    setFileStorage({ open: async () => backend, follow: async () => follower });
    const writer = await Lua.create({ storage: "file:x" });
    writer.table("t").set("a", 1);
    const dump = writer.dump();
    await writer.flush();
    const { commits } = backend;
    const reader = await Lua.create({ storage: "file:x", readOnly: true });
    const events = notifications(reader);
    const [t, coming] = [reader.table("t"), reader.table("coming")];
    for (const use of [
      () => t.set("a", 2),
      () => t.delete("a"),
      () => t.clear(),
      () => t.setMany({ a: 2 }),
      () => t.setMany({}),
      () => reader.transaction(() => t.get("a")),
      () => reader.load(dump),
      () => reader.eval("ext.table('t').a = 2"),
      () => reader.eval("ext.table('coming').a = 2"),
      () => reader.eval("ext.drop('t')"),
      () => reader.eval("ext.clear(ext.table('t'))"),
      () => reader.eval("ext.transaction(function() end)"),
    ]) {
      assert.throws(use, refused("read-only"), String(use));
    }
    assert.deepEqual([coming.size, [...coming], reader.tables()], [0, [], ["t"]]);
    assert.deepEqual([[...t], reader.eval("return ext.table('t').a")], [[["a", 1]], 1]);
    assert.deepEqual(reader.stats().storage, { state: "following", pendingBytes: 0 });
    assert.deepEqual(reader.dump({ format: "json" }), writer.dump({ format: "json" }));
    await reader.flush();
    assert.deepEqual(await events(), []);
    writer.eval("ext.table('t').a = 2 ext.table('coming').x = { 1 }");
    await writer.flush();
    const [event, ...others] = await events();
    assert.deepEqual(others, []);
    assert.deepEqual(described(event as LuaChangeEvent), ["t.a: 1 -> 2", "coming.x: undefined -> 1"]);
    assert.deepEqual([event?.origin, event?.eval], ["storage", undefined]);
    assert.deepEqual([coming.get("x"), reader.eval("return ext.table('coming').x[1]")], [[1], 1]);
    writer.load(dump);
    await writer.flush();
    assert.deepEqual(reader.tables(), ["t"]);
    assert.equal(t.get("a"), 1);
    assert.ok(backend.commits > commits);
    await Promise.all([reader.close(), writer.close()]);
    assert.throws(() => t.get("a"), { kind: "closed" });
    setFileStorage(undefined as never);
  });
});

test("errors of the host that pass through a transaction keep what they are", async () => {
  const lua = await Lua.create();
  class Own extends Error {}
  lua.register("fail", () => {
    throw new Own("mine");
  });
  const own = (error: unknown) => error instanceof LuaRuntimeError && error.cause instanceof Own;
  assert.throws(
    () => lua.transaction(() => lua.eval("ext.transaction(function() ext.table('t').x = 1 host.fail() end)")),
    own,
  );
  assert.equal(lua.table("t").size, 0);
  await lua.close();
});

suite("preload", () => {
  test("makes the entries ahead, in slices, and gives way to whoever is faster", async (t) => {
    const storage = new RecordBackend();
    const first = await Lua.create({ storage });
    first.eval(
      "local t = ext.table('large') for i = 1, 50000 do t[i] = i end ext.table('small').x = 1 ext.table('third').y = 1",
    );
    await first.close();
    const loaded = (lua: Lua) =>
      lua
        .stats()
        .tables.filter((table) => table.loaded)
        .map(({ name }) => name);

    const lua = await Lua.create({ storage });
    assert.deepEqual(loaded(lua), []);
    // Each look at the clock takes a millisecond: a slice is as many pages of the table on every machine.
    let [turns, ms] = [0, 0];
    const clock = t.mock.method(performance, "now", () => (ms += 1));
    const timer = setInterval(() => (turns += 1));
    await lua.preload("large", "none");
    clearInterval(timer);
    clock.mock.restore();
    assert.ok(turns > 5, `others had ${turns} turns`);
    assert.deepEqual(loaded(lua), ["large"]);
    assert.equal(lua.eval("local n = 0 for k, v in pairs(ext.table('large')) do n = n + v end return n"), 1250025000);
    await lua.preload();
    assert.deepEqual(loaded(lua), ["large", "small", "third"]);
    assert.deepEqual(lua.tables(), ["large", "small", "third"]);
    await lua.close();

    for (const meanwhile of [
      "ext.table('large')[1] = 'new'",
      "ext.clear(ext.table('large')) ext.table('large')[1] = 'new'",
      "ext.drop('large') ext.table('large')[1] = 'new'",
    ]) {
      const other = await Lua.create({ storage: storage.survivor() });
      const made = other.preload("large");
      other.eval(meanwhile);
      await made;
      assert.equal(other.eval("return ext.table('large')[1]"), "new");
      await other.close();
    }
    await assert.rejects(lua.preload(), { name: "LuaClosedError" });
  });

  test("of what is damaged says so", async () => {
    const storage = new RecordBackend();
    const first = await Lua.create({ storage });
    first.eval("ext.table('t').x = 1 ext.table('t').y = ('x'):rep(2000)");
    await first.close();
    storage.records.delete("v1:2:0");
    const lua = await Lua.create({ storage });
    await assert.rejects(lua.preload("t"), { name: "LuaStorageError", code: "corrupt" });
    assert.throws(() => lua.table("t").get("x"), { name: "LuaStorageError", code: "corrupt" });
    await lua.close();
  });
});
