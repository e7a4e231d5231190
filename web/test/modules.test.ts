/** Modules that `require` finds, and input that `io.read` reads: with the real module. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError } from "../src/index.ts";

suite("modules", () => {
  test("from an object, by name or by path", async () => {
    const lua = await Lua.create({
      modules: {
        plain: "return { name = ... }",
        "a/b.lua": "return { from = 'path', name = ... }",
        "pkg/init.lua": "return { sub = require('pkg.sub') }",
        "pkg/sub.lua": "return 'sub'",
        bytes: new TextEncoder().encode("return 'bytes'"),
        both: "return 'name'",
        "both.lua": "return 'path'",
      },
    });
    assert.equal(lua.eval("return require('plain').name"), "plain");
    assert.deepEqual(lua.eval("return require('a.b')"), { from: "path", name: "a.b" });
    assert.equal(lua.eval("return require('pkg').sub"), "sub");
    assert.equal(lua.eval("return require('bytes')"), "bytes");
    assert.equal(lua.eval("return require('both')"), "name");
    assert.equal(lua.eval("return require('plain') == require('plain')"), true);
    assert.throws(() => lua.eval("require('missing')"), /module 'missing' not found/);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      assert.throws(() => lua.eval(`require('${name}')`), /not found/);
    }
    await lua.close();
  });

  test("from a Map", async () => {
    const lua = await Lua.create({ modules: new Map([["m", "return 5"]]) });
    assert.equal(lua.eval("return require('m')"), 5);
    await lua.close();
  });

  test("from a function", async () => {
    const asked: string[] = [];
    const lua = await Lua.create({
      modules(name) {
        asked.push(name);
        return name === "known" ? "return ..." : null;
      },
    });
    assert.equal(lua.eval("return require('known')"), "known");
    assert.equal(lua.eval("return require('known')"), "known");
    assert.throws(() => lua.eval("require('unknown')"), /not found/);
    assert.deepEqual(asked, ["known", "unknown"]);
    await lua.close();
  });

  test("from a function that has to wait", async () => {
    const lua = await Lua.create({ modules: async (name) => (name === "slow" ? "return 'loaded'" : null) });
    assert.equal(await lua.evalAsync("return require('slow')"), "loaded");
    assert.equal(lua.eval("return require('slow')"), "loaded");
    await assert.rejects(lua.evalAsync("require('missing')"), /not found/);
    assert.throws(() => lua.eval("require('other')"), /'require' returned a promise/);
    await lua.close();
  });

  test("an error in a module names its file and line", async () => {
    const lua = await Lua.create({ modules: { "lib/bad.lua": "\nerror('broken')", syntax: "x = = 1" } });
    assert.throws(
      () => lua.eval("require('lib.bad')"),
      (error) => error instanceof LuaError && error.chunk === "lib/bad.lua" && error.line === 2,
    );
    assert.throws(() => lua.eval("require('syntax')"), /error loading module 'syntax'[^]*syntax:1:/);
    await lua.close();
  });

  test("what is no source is a TypeError that names the module", async () => {
    const lua = await Lua.create({ modules: { odd: 5 as never } });
    assert.throws(
      () => lua.eval("require('odd')"),
      (error) => error instanceof LuaError && error.cause instanceof TypeError && /module 'odd'/.test(error.message),
    );
    const fails = await Lua.create({
      modules() {
        throw new Error("no disk");
      },
    });
    assert.throws(() => fails.eval("require('x')"), /no disk/);
    await Promise.all([lua.close(), fails.close()]);
  });

  test("without the option there are none", async () => {
    const lua = await Lua.create();
    assert.throws(() => lua.eval("require('x')"), /module 'x' not found/);
    await lua.close();
    await assert.rejects(Lua.create({ modules: "x" as never }), /"modules" must be an object, a Map or a function/);
  });
});

suite("stdin", () => {
  test("gives what io.read asks for, until nothing comes", async () => {
    const parts: (string | Uint8Array | null)[] = ["one\ntw", "o\n", new TextEncoder().encode("3\n"), null];
    const lua = await Lua.create({ stdin: () => parts.shift() });
    assert.deepEqual(lua.evalAll("return io.read(), io.read('l'), io.read('n'), io.read('l')"), ["one", "two", 3, ""]);
    assert.equal(lua.eval("return io.read()"), undefined);
    await lua.close();
  });

  test("without the option is empty; something else is an error", async () => {
    const lua = await Lua.create();
    assert.equal(lua.eval("return io.read()"), undefined);
    await lua.close();
    const odd = await Lua.create({ stdin: () => 5 as never });
    assert.throws(() => odd.eval("return io.read()"), /stdin must give a string/);
    await odd.close();
    await assert.rejects(Lua.create({ stdin: "x" as never }), /"stdin" must be a function/);
  });
});
