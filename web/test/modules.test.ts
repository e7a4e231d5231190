/** Modules that `require` finds, and input that `io.read` reads: with the real module. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError } from "../src/index.ts";
import { until } from "./time.ts";

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

  test("from a function that has to wait, for two at once, is found and run once", async () => {
    const asked: string[] = [];
    const modules = async (name: string) => (asked.push(name), "loads = (loads or 0) + 1 return loads");
    const lua = await Lua.create({ modules });
    const both = Array.from({ length: 3 }, () => lua.evalAsync("return require('slow')"));
    assert.deepEqual(await Promise.all(both), [1, 1, 1]);
    assert.deepEqual(asked, ["slow"]);
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

suite("modules that wait in a circle", () => {
  /** Modules in a ring of `count`, each of which waits, and then requires the next one in its own way. */
  const ring = (count: number, way: (next: string) => string) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`m${i}`, `async.sleep(1) return ${way(`m${(i + 1) % count}`)}`]),
    );
  const ways: Record<string, (next: string) => string> = {
    directly: (next) => `require '${next}'`,
    "in a coroutine": (next) => `coroutine.wrap(function() return require '${next}' end)()`,
    "in async.all": (next) => `async.all(function() return 1 end, function() return require '${next}' end)`,
    "in async.race": (next) => `async.race(function() return require '${next}' end)`,
    "in async.all of async.all": (next) =>
      `async.all(function() return async.all(function() return require '${next}' end, async.all) end)`,
    "through a module of its own": (next) =>
      `(function() package.preload['for ${next}'] = function() return require '${next}' end return require 'for ${next}' end)()`,
  };

  for (const [name, way] of Object.entries(ways)) {
    for (const count of [1, 2, 3, 5]) {
      for (const env of [undefined, {}]) {
        test(`${count} of them, ${name}${env ? ", in an environment" : ""}`, async () => {
          const lua = await Lua.create({ modules: ring(count, way) });
          // Environments have modules of their own: those of one call are loaded from two sides there.
          const sides = Array.from({ length: count }, (_, i) => `require 'm${i}'`);
          const calls = env ? [`async.all(${sides.map((side) => `function() ${side} end`).join()})`] : sides;
          const ends = await Promise.allSettled(
            calls.map((code) => lua.evalAsync(code, { ...(env && { env }), timeout: 60_000 })),
          );
          for (const end of ends) {
            assert.equal(end.status, "rejected");
            const { message } = (end as PromiseRejectedResult).reason as LuaError;
            const found = /module '(.*?)' requires itself: (.*)/.exec(message);
            assert.ok(found, message);
            const chain = found[2]!.split(" -> ");
            assert.equal(chain[0], found[1]);
            assert.equal(chain.at(-1), found[1]);
            assert.equal(new Set(chain).size, chain.length - 1);
            assert.equal(chain.length - 1, name === "through a module of its own" ? 2 * count : count);
          }
          // Nothing is left behind: alone it is the same.
          await assert.rejects(lua.evalAsync("require 'm0'"), /requires itself/);
          await lua.close();
        });
      }
    }
  }

  test("the one that closes the circle has the error; who can do without goes on", async () => {
    const modules = {
      a: "async.sleep(1) return 'a needs ' .. require 'b'",
      b: "async.sleep(20) local ok, e = pcall(require, 'a') return ok and 'nothing' or e",
    };
    const lua = await Lua.create({ modules });
    const [a, b] = await Promise.all([lua.evalAsync("return require 'a'"), lua.evalAsync("return require 'b'")]);
    assert.equal(b, "module 'a' requires itself: a -> b -> a");
    assert.equal(a, `a needs ${b as string}`);
    await lua.close();
  });

  test("who waits beside something that ends the wait is no circle", async () => {
    const modules = {
      a: "return async.race(function() return require 'b' end, function() async.sleep(30) return 'late' end)",
      b: "async.sleep(5) return 'b and ' .. require 'a'",
    };
    const lua = await Lua.create({ modules });
    const both = Promise.all([lua.evalAsync("return require 'a'"), lua.evalAsync("return require 'b'")]);
    assert.deepEqual(await both, ["late", "b and late"]);
    await lua.close();
  });

  test("a circle that a cancelled task was in is none any more", async () => {
    const modules = {
      a: "async.sleep(1) return require 'b'",
      b: "async.sleep(1) reached = true return require 'c'",
      c: "async.sleep(1e6)",
    };
    const lua = await Lua.create({ modules });
    const stop = new AbortController();
    const cancelled = assert.rejects(lua.evalAsync("require 'c'", { signal: stop.signal }));
    const others = Promise.all([lua.evalAsync("return require 'a'"), lua.evalAsync("return require 'b'")]);
    await until(() => lua.eval("return reached") === true);
    lua.eval("package.preload.c = function() return 'c' end");
    stop.abort();
    await cancelled;
    assert.deepEqual(await others, ["c", "c"]);
    await lua.close();
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

  const TEXT = "first line\n\n  -0x1.8p+3 12e-5x\nthe rest 17 18\n0xzz +\nlast, without an end";
  const CALLS = [
    "io.read()",
    "io.read('l', 'L', 'n', 'n', 1, 'L')",
    "io.read(3, 0, 'n', 'l', 'a', 'a', 'l')",
    "io.read('n', 'l')",
    "io.read(1000), io.read(0), io.read('a')",
    "io.stdin:read('L', 'L', 'n', 'n'), io.stdin:read('a')",
    "(function() local all = {} for a, b in io.lines(nil, 'n', 'l') do all[#all + 1] = tostring(a) .. '|' .. b end return all end)()",
    "(function() local all = {} for line in io.stdin:lines('L') do all[#all + 1] = line end return all end)()",
    "coroutine.wrap(function() local line = io.read() return line, io.read('n', 'n', 'n') end)()",
    "pcall(io.read, 'l', 'l', 'n', 'n', 'l', 'l', 'n', 'l')",
    "select('#', io.read('l', 'x'))",
    "async.all(function() return io.read('l', 'l') end, function() return 1 end)",
  ];

  /** Gives the text in pieces. */
  function pieces(text: string, size: number): () => string | null {
    let at = 0;
    return () => (at < text.length ? text.slice(at, (at += size)) : null);
  }

  test("that waits gives what one that does not wait gives, whatever is read and in what pieces", async () => {
    for (const size of [1, 2, 3, 7, 1000]) {
      for (const env of [undefined, { n: 1 }]) {
        for (const call of CALLS) {
          const [now, later, mixed] = [pieces(TEXT, size), pieces(TEXT, size), pieces(TEXT, size)];
          let asked = 0;
          const ends = [];
          for (const stdin of [now, async () => later(), () => (asked++ % 2 ? mixed() : Promise.resolve(mixed()))]) {
            const lua = await Lua.create({ stdin });
            const code = `return table.pack(pcall(function() return ${call} end)), io.read(4)`;
            ends.push(await lua.evalAsync(`return table.pack((function() ${code} end)())`, env && { env }));
            await lua.close();
          }
          assert.deepEqual(ends[1], ends[0], `${call} in pieces of ${size}`);
          assert.deepEqual(ends[2], ends[0], `${call} in pieces of ${size}`);
        }
      }
    }
  });

  test("that waits loses nothing when it fails, when the call ends, or when two read", async () => {
    const answers: (() => Promise<unknown>)[] = [];
    const lua = await Lua.create({ stdin: () => (answers.shift() ?? (async () => null))() as Promise<string> });
    const broken = new Error("broken");
    answers.push(
      async () => "one\ntwo ",
      () => Promise.reject(broken),
      async () => "parts\n",
    );
    assert.equal(await lua.evalAsync("return io.read()"), "one");
    await assert.rejects(lua.evalAsync("return io.read()"), (error: LuaError) => error.cause === broken);
    assert.equal(await lua.evalAsync("return io.read()"), "two parts");
    answers.push(
      async () => "three",
      async () => 5,
    );
    await assert.rejects(lua.evalAsync("return io.read()"), /stdin must give a string/);
    let come!: (piece: string) => void;
    answers.push(() => new Promise((resolve) => (come = resolve)));
    const stop = new AbortController();
    const aborted = assert.rejects(lua.evalAsync("return io.read()", { signal: stop.signal }), { kind: "interrupt" });
    stop.abort();
    await aborted;
    come("'s");
    answers.push(
      async () => " and\nfour\nfi",
      async () => "ve\n",
    );
    const two = [lua.evalAsync("return io.read()"), lua.evalAsync("return io.read()")];
    assert.deepEqual((await Promise.all(two)).sort(), ["four", "three's and"]);
    assert.equal(await lua.evalAsync("return io.read('a')"), "five\n");
    await lua.close();
  });

  test("may have somebody else read before it answers", async () => {
    let taken: unknown;
    let asked = 0;
    const lua: Lua = await Lua.create({
      stdin() {
        if (asked++ === 0) return "abcdef";
        taken ??= lua.eval("return io.read(4)");
        return "g\nh";
      },
    });
    assert.equal(lua.eval("return io.read()"), "efg");
    assert.equal(taken, "abcd");
    await lua.close();
  });

  test("that returns a promise where nothing can wait is an error that says so", async () => {
    const lua = await Lua.create({ stdin: async () => "line\n" });
    for (const code of ["io.read()", "for l in io.lines() do end", "io.stdin:read('n')"]) {
      assert.throws(() => lua.eval(code), /'io.read' returned a promise, and nothing here can wait/);
      await assert.rejects(lua.evalAsync(`table.sort({ 1, 2 }, function() ${code} end)`), /nothing here can wait/);
    }
    await lua.close();
  });
});

suite("a module whose loading was ended from outside", () => {
  const ends: Record<string, (lua: Lua, code: string) => unknown> = {
    "by time": (lua, code) => lua.eval(code, { timeout: 20 }),
    "by fuel": (lua, code) => lua.eval(code, { fuel: 10_000 }),
    "by fuel, in a call that waits": (lua, code) => lua.evalAsync(code, { fuel: 10_000 }),
    "where it waits": (lua, code) => lua.evalAsync(`waits = true ${code}`, { timeout: 20 }),
  };
  for (const [name, end] of Object.entries(ends)) {
    test(`is loaded the next time: ended ${name}`, async () => {
      const module = "if ok then return 7 end if waits then async.sleep(1e6) end while true do end";
      const lua = await Lua.create({ modules: { m: module, n: "return require('m')" } });
      for (const wanted of ["m", "n"]) {
        await assert.rejects(async () => end(lua, `require('${wanted}')`), { kind: "timeout" });
      }
      lua.eval("ok = true");
      assert.deepEqual(lua.evalAll("return (require('n')), (require('m'))"), [7, 7]);
      await lua.close();
    });
  }
});
