/**
 * Functions and objects of JavaScript that Lua has when its image is made: found again by name, kept by a
 * fork, or detached.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { fileStorage } from "../src/storage/file/storage.ts";
import { putTogether, takeApart } from "./forged_images.ts";
import { Lua, LuaDetachedObject, setFileStorage, type LuaFunction } from "../src/index.ts";

setFileStorage(fileStorage);

/** Counts the ids that an image has. */
async function ids(lua: Lua): Promise<number> {
  const image = lua.snapshot();
  const length = new DataView(image.buffer).getUint32(36, true);
  return (JSON.parse(new TextDecoder().decode(image.subarray(48, 48 + length))) as { host: unknown[] }).host.length;
}

suite("registered functions", () => {
  test("are bound again by name: as an option, or later, and missing until then", async () => {
    const lua = await Lua.create({ functions: { one: () => 1, "app.two": () => 2, three: () => 3 } });
    lua.eval("kept = app.two");
    const other = await Lua.restore(lua.snapshot(), { functions: { "app.two": () => 22, four: () => 4 } });
    assert.deepEqual(other.restored?.missing, ["one", "three"]);
    assert.deepEqual(other.evalAll("return app.two(), kept(), four(), host.app.two()"), [22, 22, 4, 22]);
    assert.throws(() => other.eval("one()"), /'one' is missing: nobody has registered it again/);
    other.register("one", () => 11);
    assert.deepEqual(other.restored?.missing, ["three"]);
    assert.equal(other.eval("return one()"), 11);
    other.register("one", () => 111);
    assert.equal(other.eval("return one() + host.one()"), 222);
    // What is missing stays missing in the next, and comes back there.
    const third = await Lua.restore(other.snapshot(), { functions: { three: () => 33 } });
    assert.deepEqual(third.restored?.missing, ["one", "app.two", "four"]);
    assert.equal(third.eval("return three()"), 33);
    for (const vm of [lua, other, third]) await vm.close();
  });

  test("stay where the script has put them: wrapped, moved, or gone", async () => {
    const lua = await Lua.create({
      functions: { log: (x: unknown) => `log ${String(x)}`, gone: () => 1, "app.x": () => 1 },
    });
    lua.eval("local real = log; function log(x) return '<' .. real(x) .. '>' end; gone = nil; app = 'mine'");
    const functions = { log: (x: unknown) => `new ${String(x)}`, gone: () => 2, "app.x": () => 3 };
    const other = await Lua.restore(lua.snapshot(), { functions });
    assert.deepEqual(other.evalAll("return log(1), gone, app, host.gone()"), ["<new 1>", undefined, "mine", 2]);
    await lua.close();
    await other.close();
  });

  test("one function under two names, names in other orders", async () => {
    const same = () => "same";
    const lua = await Lua.create({ functions: { a: same, b: same } });
    lua.eval("function give() return a, b end");
    const other = await Lua.restore(lua.snapshot(), { functions: { b: () => "b", a: () => "a" } });
    assert.deepEqual(other.evalAll("return a(), b()"), ["a", "b"]);
    assert.equal(other.eval("return a == b"), lua.eval("return a == b"));
    await lua.close();
    await other.close();
  });

  test("go to JavaScript as what they are now", async () => {
    const lua = await Lua.create({ functions: { f: () => 1 } });
    const mine = () => 2;
    const other = await Lua.restore(lua.snapshot());
    const missing = other.eval<() => unknown>("return f");
    assert.throws(missing, /is missing/);
    assert.equal(other.call("rawequal", missing, other.eval("return f")), true);
    other.register("f", mine);
    assert.equal(other.eval("return f"), mine);
    assert.equal(other.call("rawequal", mine, other.eval("return f")), true);
    await lua.close();
    await other.close();
  });
});

suite("detached objects", () => {
  test("of functions, objects and errors say what they were, and are the same thing on both sides", async () => {
    const lua = await Lua.create();
    lua.register("fail", () => { throw new RangeError("mine") }); // prettier-ignore
    lua.globals.set("fn", function named() {});
    lua.globals.set("nameless", [() => {}]);
    lua.globals.set("object", lua.ref(new Map(), { read: ["size"], methods: ["get"] }));
    lua.eval("ok, err = pcall(fail); get = object.get");
    const other = await Lua.restore(lua.snapshot());
    assert.throws(() => other.eval("fn()"), /host function 'named' stayed behind when the image of this VM was made/);
    assert.throws(() => other.eval("nameless[1]()"), /a host function stayed behind/);
    assert.throws(() => other.eval("return object.size"), /\[object Map\] stayed behind/);
    assert.throws(() => other.eval("get(object, 1)"), /stayed behind/);
    assert.throws(() => other.eval("return err.message"), /mine stayed behind/);
    assert.equal(other.eval("return tostring(err)"), "RangeError: mine");
    for (const name of ["fn", "object", "err", "get"]) {
      const out = other.globals.get(name);
      if (name === "object" || name === "err") assert.ok(out instanceof LuaDetachedObject, name);
      assert.equal(other.globals.get(name), out);
      assert.equal(other.call("rawequal", out, other.globals.get(name)), true, name);
      other.globals.set("back", out);
      assert.equal(other.eval(`return back == ${name}`), true, name);
    }
    // The next generation has them still.
    const third = await Lua.restore(other.snapshot());
    assert.throws(() => third.eval("fn()"), /'named' stayed behind/);
    assert.throws(() => third.eval("error(err)"), /RangeError: mine/);
    assert.equal((third.globals.get("err") as unknown as LuaDetachedObject).label, "RangeError: mine");
    for (const vm of [lua, other, third]) await vm.close();
  });

  test("give their ids back when Lua lets them go", async () => {
    let lua = await Lua.create();
    const before = await ids(lua);
    for (let round = 0; round < 30; round++) {
      lua.globals.set("given", [() => {}, lua.ref({}), () => {}]);
      const next = await Lua.restore(lua.snapshot());
      await lua.close();
      lua = next;
      if (round % 3 === 0) lua.globals.delete("given");
      lua.gc();
      lua.gc();
      assert.ok((await ids(lua)) <= before + 3);
    }
    lua.globals.delete("given");
    lua.gc();
    lua.gc();
    assert.equal(await ids(lua), before);
    await lua.close();
  });
});

suite("handles", () => {
  test("are of one VM", async () => {
    const lua = await Lua.create();
    const fn = lua.eval<LuaFunction>("f = function() return 1 end return f");
    const other = await Lua.restore(lua.snapshot());
    const fork = await lua.fork();
    const otherFn = other.eval<LuaFunction>("return f");
    assert.throws(() => other.call("print", fn), TypeError);
    assert.throws(() => fork.call("print", fn), TypeError);
    assert.throws(() => lua.call("print", otherFn), TypeError);
    assert.equal(fn() === otherFn(), true);
    assert.equal(fork.stats().handles, 0);
    fn.dispose();
    assert.equal(otherFn(), 1);
    for (const vm of [lua, other, fork]) await vm.close();
  });
});

suite("fork", () => {
  test("has the functions and objects, registered or not; a fork of a fork, too", async () => {
    const map = new Map([["k", "v"]]);
    const lua = await Lua.create({ functions: { reg: () => "reg" } });
    lua.globals.set("fn", (x: number) => x + 1);
    lua.globals.set("map", lua.ref(map, { read: ["size"], methods: ["get", "set"] }));
    lua.register("fail", () => { throw original }); // prettier-ignore
    const original = new Error("mine");
    lua.eval("ok, err = pcall(fail)");
    const fork = await (await lua.fork()).fork();
    assert.deepEqual(fork.restored?.missing, []);
    assert.deepEqual(fork.evalAll("return reg(), fn(1), map:get('k'), map.size, err.message"), [
      "reg",
      2,
      "v",
      1,
      "mine",
    ]);
    fork.eval("map:set('two', 2)");
    assert.equal(lua.eval("return map.size"), 2);
    assert.equal(fork.globals.get("err"), original);
    // Each has its own names.
    fork.register("reg", () => "of the fork");
    assert.deepEqual([lua.eval("return reg()"), fork.eval("return reg()")], ["reg", "of the fork"]);
    // And each its own uses.
    fork.eval("fn, map, err = nil");
    fork.gc();
    fork.gc();
    assert.equal(lua.eval("return fn(1)"), 2);
    await lua.close();
    assert.equal(fork.eval("return reg()"), "of the fork");
    await fork.close();
  });

  test("keeps what is missing missing, and takes options of its own", async () => {
    const lua = await Lua.create({ functions: { f: () => 1 }, stdout: () => assert.fail() });
    const restored = await Lua.restore(lua.snapshot());
    let output = "";
    const fork = await restored.fork({ stdout: (text) => (output += text), functions: { g: () => 2 } });
    assert.deepEqual(fork.restored?.missing, ["f"]);
    fork.eval("print(g())");
    assert.equal(output, "2\n");
    await assert.rejects(lua.fork({ sandbox: "strict" } as never), TypeError);
    for (const vm of [lua, restored, fork]) await vm.close();
  });
});

suite("external tables", () => {
  test("are in the image when they are in memory, in their order, and half way through a loop", async () => {
    const lua = await Lua.create();
    lua.eval(
      "t = ext.table('t') for i = 9, 1, -1 do t['k' .. i] = i end t.k5 = nil it, s, c = pairs(t) c = it(s, c) c = it(s, c) t.k9 = nil",
    );
    const order = "local all = {} for k in pairs(t) do all[#all + 1] = k end return table.concat(all, ' ')";
    for (const other of [await Lua.restore(lua.snapshot()), await lua.fork()]) {
      assert.equal(other.eval(order), lua.eval(order));
      assert.equal(other.eval("return (it(s, c))"), "k7");
      other.eval("t.new = 1");
      assert.equal(lua.table("t").get("new"), undefined);
      assert.equal(other.table("t").get("new"), 1);
      await other.close();
    }
    const without = await Lua.restore(lua.snapshot({ tables: false }));
    assert.equal(without.eval("return t.k1"), undefined);
    await without.close();
    await lua.close();
  });

  test("of several, dropped and made again, are each its own", async () => {
    const lua = await Lua.create();
    lua.eval("a, b, c = ext.table('a'), ext.table('b'), ext.table('c') a.n, b.n, c.n = 1, 2, 3 ext.drop('b')");
    const other = await Lua.restore(lua.snapshot());
    assert.deepEqual(other.evalAll("return a.n, c.n, pcall(function() return b.n end)").slice(0, 3), [1, 3, false]);
    assert.equal(other.eval("b2 = ext.table('b') b2.n = 22 a.n = 11 return ext.table('b').n"), 22);
    assert.deepEqual([other.table("a").get("n"), other.table("b").get("n"), other.table("c").get("n")], [11, 22, 3]);
    await lua.close();
    await other.close();
  });

  test("of a file stay there, come from there, or go there; a conflict must be decided", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perilune-"));
    const storage = `file:${join(folder, "data")}`;
    try {
      const lua = await Lua.create({ storage });
      lua.eval("t = ext.table('t') t.a = 1");
      const [image, full] = [lua.snapshot(), lua.snapshot({ tables: true })];
      const fork = await lua.fork();
      assert.equal(fork.eval("t.a = 2 return t.a"), 2);
      await fork.close();
      lua.eval("t.a = 5");
      await lua.close();
      await assert.rejects(Lua.restore(image, { tables: "image" }), { kind: "usage" });
      const same = await Lua.restore(image, { storage });
      assert.equal(same.eval("return t.a"), 5);
      await same.close();
      await assert.rejects(Lua.restore(full, { storage }), { kind: "usage" });
      const kept = await Lua.restore(full, { storage, tables: "storage" });
      assert.equal(kept.eval("return t.a"), 5);
      await kept.close();
      // An image that cannot be restored takes nothing away.
      const parts = takeApart(full);
      parts.pages.forEach(({ bytes }) => bytes.fill(0xff));
      await assert.rejects(Lua.restore(putTogether(parts), { storage, tables: "image" }), { code: "corrupt" });
      const still = await Lua.create({ storage });
      assert.equal(still.eval("return ext.table('t').a"), 5);
      await still.close();
      const brought = await Lua.restore(full, { storage, tables: "image" });
      assert.equal(brought.eval("t.b = 7 return t.a"), 1);
      await brought.flush();
      await brought.close();
      const again = await Lua.create({ storage });
      assert.deepEqual(again.evalAll("return ext.table('t').a, ext.table('t').b"), [1, 7]);
      await again.close();
      const memory = await Lua.restore(full);
      assert.equal(memory.eval("return t.a"), 1);
      const copy = await memory.fork({ storage: `file:${join(folder, "fork")}` });
      await copy.close();
      const forked = await Lua.create({ storage: `file:${join(folder, "fork")}` });
      assert.equal(forked.eval("return ext.table('t').a"), 1);
      await forked.close();
      await memory.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
