/**
 * A module with a library in Rust (tests/extension), driven by this package: functions of Rust and of
 * JavaScript in one VM, and operations that the library adds. `cargo xtask test --only web` builds it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaTimeoutError, type LuaFunction } from "../src/index.ts";
import { createHostImports, noHost } from "#js/imports.js";
import { TableStore } from "#js/storage/table_store.js";
import { instantiate } from "../src/instance/imports.ts";
import { decodeList, written } from "./helpers.ts";

const wasm = new WebAssembly.Module(readFileSync(resolve("../target/wasm/extension.wasm")));
const create = (options: object = {}) => Lua.create({ wasm, ...options });

suite("functions of Rust and of JavaScript in one VM", () => {
  test("each calls the other through Lua", async () => {
    await using lua = await create();
    lua.register("js_double", (n: number) => 2 * n);
    assert.deepEqual(lua.evalAll("return probe.add(1, 2), js_double(4), host.probe.add == probe.add"), [3, 8, true]);
    assert.equal(lua.eval("return probe.call(js_double, 21)"), 42);
    assert.equal(lua.eval("return probe.call(function(x) return js_double(probe.add(x, 1)) end, 4)"), 10);
    // Both sides nest.
    lua.register("js_call", (code: string) => lua.eval(code));
    assert.equal(lua.eval("return probe.call(js_call, 'return probe.call(js_double, 3)')"), 6);
    assert.deepEqual(lua.eval("return require('json').decode('[1]')"), [1]);
    assert.throws(() => lua.eval("return require('base64')"), /module 'base64' not found/);
  });

  test("a function of Rust is one of Lua for JavaScript, and comes back as itself", async () => {
    await using lua = await create();
    const add = lua.eval("return probe.add") as LuaFunction;
    assert.equal(add(20, 22), 42);
    lua.register("same", (given: unknown) => given);
    assert.equal(lua.eval("return same(probe.add) == probe.add"), true);
    const adder = lua.eval("return probe.make(40)") as LuaFunction;
    assert.equal(adder(2), 42);
    adder.dispose();
    add.dispose();
    // Made, given to JavaScript and let go of again and again: nothing stays.
    lua.register("take", (given: LuaFunction) => given.dispose());
    const used = () => (lua.gc("collect"), lua.gc("collect"), lua.stats().memory.luaUsed);
    const round = () => lua.eval("for i = 1, 100 do take(probe.make(i)) end") as unknown;
    round();
    const before = used();
    for (let i = 0; i < 20; i++) (round(), used());
    assert.ok(used() <= before + 20_000, `${before} bytes became ${used()}`);
  });

  test("errors keep what they are, on either side and across both", async () => {
    await using lua = await create();
    const thrown = new Error("of JavaScript");
    lua.register("js_throw", () => {
      throw thrown;
    });
    assert.deepEqual(lua.evalAll("local ok, e = pcall(probe.refuse, 'full') return ok, e.code, tostring(e)"), [
      false,
      "full",
      "refused: full",
    ]);
    assert.throws(() => lua.eval("probe.fail()"), /a plain error of Rust/);
    assert.deepEqual(lua.evalAll("local ok, e = pcall(probe.fail) return ok, e.message"), [
      false,
      "a plain error of Rust",
    ]);
    assert.throws(
      () => lua.eval("probe.call(js_throw, 1)"),
      (error: LuaError) => error.message.includes("of JavaScript"),
    );
    assert.equal(
      lua.eval("local ok, e = pcall(probe.call, js_throw, 1) return select(2, pcall(js_throw)) ~= nil and not ok"),
      true,
    );
  });

  test("rows come without a tree of values, and work of Rust ends with its call", async () => {
    await using lua = await create();
    assert.deepEqual(lua.eval("return probe.rows(3)"), [{ id: 0 }, { id: 1 }, { id: 2 }]);
    assert.throws(() => lua.eval("pcall(probe.spin)", { fuel: 100_000 }), LuaTimeoutError);
    assert.equal(lua.eval("return 1"), 1);
  });

  test("a library that is taken away is not there", async () => {
    await using lua = await create({ sandbox: { libs: ["string", "table"] } });
    assert.deepEqual(lua.evalAll("return probe, json, string ~= nil"), [undefined, undefined, true]);
    await assert.rejects(create({ sandbox: { libs: ["prob"] } }), /no library 'prob'/);
    await using kept = await create({ sandbox: { libs: ["probe"] } });
    assert.equal(kept.eval("return probe.add(1, 2)"), 3);
  });

  test("images hold what Rust has given", async () => {
    await using lua = await create();
    lua.eval("adder = probe.make(40) function later(n) return adder(n) + probe.add(1, 1) end");
    await using again = await Lua.restore(lua.snapshot(), { wasm });
    assert.equal(again.call("later", 2), 44);
  });
});

suite("operations of a library", () => {
  /** An instance of the module, and its operations on lists. */
  async function raw() {
    let exports!: Awaited<ReturnType<typeof instantiate>>;
    const memory = () => exports.memory;
    const imports = createHostImports({ memory, host: noHost(memory) });
    imports.attach(new TableStore());
    exports = await instantiate(wasm, imports);
    assert.equal(exports.init(), 0);
    const request = (operation: number, ...values: unknown[]) => {
      const list = written((encoder) => {
        encoder.list(values);
      });
      new Uint8Array(exports.memory.buffer).set(list, exports.io_reserve(list.length));
      const length = exports.request(operation, list.length);
      assert.ok(length >= 16);
      const view = new DataView(exports.memory.buffer, exports.io_ptr(), length);
      const at = view.getUint32(4, true);
      const bytes = new Uint8Array(exports.memory.buffer).slice(at, at + view.getUint32(8, true));
      return { status: view.getUint8(0), values: decodeList(bytes) };
    };
    return { exports, request };
  }

  test("read their lists, answer with theirs, and say what went wrong", async () => {
    const { request } = await raw();
    assert.deepEqual(request(256, 1, 2, 39), { status: 0, values: [42] });
    const failed = request(257);
    assert.equal(failed.status, 1);
    assert.deepEqual(failed.values[4], { code: "of an operation" });
    assert.equal(request(258).status, 1, "js_double is not registered here");
    assert.equal(request(300).status, 8);
    assert.equal(request(18, false, null, 10_000).status, 0);
    assert.equal(request(259).status, 4);
    assert.deepEqual(request(256, 1), { status: 0, values: [1] });
  });

  test("the stack is the module's own", async () => {
    const { exports } = await raw();
    assert.equal(exports.stack_len(), 1024 * 1024);
  });
});
