/** Places of errors, chunk and line, whatever the chunk is called and however it is run; and their kinds. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaRuntimeError, LuaSyntaxError } from "../src/index.ts";

const NAMES = [
  "app.lua",
  "cell:3",
  "cell:3:",
  "cell:3: a:4: b",
  ":1:",
  "1",
  "a b\tc",
  "after 3 x.lua",
  "eval: timed out after 5 ms",
  "/a/rather/long/path/of/folders/that/goes/on/and/on/up/to/the/name/of/the/file/itself.lua",
  "ä".repeat(29) + "x" + "ä".repeat(40),
  "日本語".repeat(100),
  "x".repeat(1024),
  "é".repeat(512),
  '[string "x"]',
  "=x",
  "@x",
];

/** Ways to run source under a name. */
const WAYS: { name: string; run: (lua: Lua, code: string, name: string) => unknown }[] = [
  { name: "eval", run: (lua, code, name) => lua.eval(code, { name }) },
  { name: "evalAsync", run: (lua, code, name) => lua.evalAsync(code, { name }) },
  { name: "env", run: (lua, code, name) => lua.eval(code, { name, env: {} }) },
  {
    name: "a module",
    run: (lua, code, name) => {
      modules.set(name, code);
      return lua.call("require", name);
    },
  },
];

const modules = new Map<string, string>();

async function made(): Promise<Lua> {
  return Lua.create({ modules: (name) => modules.get(name) });
}

async function thrownBy(work: () => unknown): Promise<LuaError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof LuaError, String(error));
    return error;
  }
  assert.fail("nothing was thrown");
}

/** Programs that fail, each with the line of the error. */
const PROGRAMS: { code: string; line: number; syntax?: boolean; message?: string }[] = [
  { code: "\nerror('x')", line: 2, message: "x" },
  { code: "local t\n\nreturn t.x", line: 3 },
  { code: "local function f()\n  error('m', 2)\nend\n\nf()\nlocal x = 1", line: 5, message: "m" },
  {
    code: "local function f()\n  error('m', 2)\nend\nlocal function g()\n  f()\nend\ng()\nlocal x = 1",
    line: 5,
    message: "m",
  },
  {
    code: "local function f()\n  error('m', 3)\nend\nlocal function g()\n  f()\n  local y\nend\ng()\nlocal x = 1",
    line: 8,
    message: "m",
  },
  { code: "local ok, e = pcall(error, 'a:7: x')\nerror(e)", line: 2, message: "a:7: x" },
  { code: "coroutine.wrap(function()\n  error('x')\nend)()", line: 3, message: "2: x" },
  { code: "local x = 1\nlocal y = = 2", line: 2, syntax: true },
  { code: "local x = 'abc\n'", line: 1, syntax: true },
  { code: "goto nowhere", line: 1, syntax: true },
  { code: "\n\nfor", line: 3, syntax: true },
];

suite("the place of an error", () => {
  for (const way of WAYS) {
    test(`of ${way.name}, under every name`, async () => {
      const lua = await made();
      for (const name of NAMES) {
        for (const { code, line, syntax, message } of PROGRAMS) {
          const error = await thrownBy(() => way.run(lua, code, name));
          const place = `${JSON.stringify(name)}: ${JSON.stringify(code)}: ${error.message}`;
          assert.equal(error.chunk, name, place);
          assert.equal(error.line, line, place);
          assert.ok(error instanceof (syntax ? LuaSyntaxError : LuaRuntimeError), `${place}: ${error.kind}`);
          assert.ok(error.message.includes(`${name}:${line}:`), place);
          if (message !== undefined) assert.ok(error.message.endsWith(message), place);
          assert.equal(typeof error.value, "string", place);
          if (!syntax) assert.ok(error.traceback?.includes(`${name}:${line}:`), `${place}\n${error.traceback}`);
        }
      }
      await lua.close();
    });
  }

  test("is cut within no character where a name is too long, or source is the name", async () => {
    const lua = await made();
    for (const first of ["", "=", "@"]) {
      for (const character of ["ä", "日", "😀", "x"]) {
        for (let shift = 0; shift < 5; shift++) {
          const name = first + "y".repeat(shift) + character.repeat(1100);
          const [, message] = lua.evalAll(`return load("=", ${JSON.stringify(name)})`);
          assert.ok(typeof message === "string" && message.length < 200, `${first} ${character} ${shift}: ${message}`);
          assert.ok(message.includes(character), message);
        }
      }
    }
    await lua.close();
  });

  test("of a module that does not compile is its own, wherever it is required", async () => {
    const lua = await Lua.create({
      modules: { "bad:1": "\nlocal x = = 1", outer: "\n\nrequire('bad:1')", unknown: "x.y.z()" },
    });
    for (const code of [
      "require('bad:1')",
      "require('outer')",
      "\n\nlocal ok, e = pcall(require, 'outer') error(e, 0)",
    ]) {
      const error = await thrownBy(() => lua.eval(code));
      assert.ok(error instanceof LuaSyntaxError, `${code}: ${error}`);
      assert.deepEqual([error.chunk, error.line], ["bad:1", 2], code);
      assert.match(error.message, /error loading module 'bad:1' from 'bad:1'/);
      assert.ok((await thrownBy(() => lua.evalAsync(code))) instanceof LuaSyntaxError);
    }
    // One that was caught is no reason for those that follow.
    const later = await thrownBy(() => lua.eval("pcall(require, 'bad:1') error('other')"));
    assert.deepEqual([later.kind, later.chunk, later.line], ["runtime", "eval", 1]);
    await lua.close();
  });
});

suite("a file", () => {
  const MARK = "\uFEFF";

  test("may begin with a mark of UTF-8 and with a line for a shell", async () => {
    for (const first of [MARK, "#!/usr/bin/lua\n", `${MARK}# x\n`, `${MARK}#\r\n`, "#", `${MARK}`]) {
      const newline = first.endsWith("\n");
      const code = newline
        ? `${first}local x = 1 error('here')`
        : first.endsWith("#")
          ? first
          : `${first}error('here')`;
      const lua = await Lua.create({ modules: { m: code } });
      const runs = [
        () => lua.eval(code),
        () => lua.evalAsync(code),
        () => lua.eval(code, { name: "eval", env: {} }),
        () => lua.eval("require('m')"),
        () => lua.evalAsync("require('m')", { env: {} }),
      ];
      for (const run of runs) {
        if (first === "#") await run();
        else assert.equal((await thrownBy(run)).line, newline ? 2 : 1, JSON.stringify(first));
      }
      assert.equal(lua.eval(`return (load(${JSON.stringify(code)}))`), undefined, "load takes text, not files");
      await lua.close();
    }
  });
});

suite("the kind of an error", () => {
  test("of an operation that is misused is 'usage'", async () => {
    const lua = await made();
    const f = lua.eval<{ (...args: unknown[]): unknown; close?: () => void }>("return function() end");
    lua.register("give", (value: unknown) => value);
    const misuses: [string, () => unknown][] = [
      ["a name that names nothing", () => lua.call("no.such.function")],
      ["a name through what is no table", () => lua.call("print.x")],
      ["a name that is too long", () => lua.eval("return 1", { name: "x".repeat(1025) })],
      ["a name with a NUL", () => lua.eval("return 1", { name: "x\0" })],
      ["an async call of a name that names nothing", () => lua.callAsync("no.such.function")],
    ];
    for (const [name, misuse] of misuses) assert.equal((await thrownBy(misuse)).kind, "usage", name);
    assert.equal(typeof f, "function");
    await lua.close();
  });

  test("is the error's, not that of one that was caught before", async () => {
    const lua = await made();
    lua.register("give", (value: unknown) => value);
    const deep = "local t = {} for i = 1, 300 do t = { t } end";
    assert.equal((await thrownBy(() => lua.eval(`${deep} return t`))).kind, "value");
    assert.equal((await thrownBy(() => lua.eval(`${deep} give(t)`))).kind, "value");
    assert.equal((await thrownBy(() => lua.eval(`${deep} pcall(give, t) error('x')`))).kind, "runtime");
    await lua.close();
  });

  test("for want of memory is 'memory', whatever it comes through", async () => {
    const big = "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end";
    const vm = await Lua.create({
      modules: (name) => (name === "source" ? `return { ${"{1},".repeat(60000)} }` : name === "big" ? big : undefined),
    });
    vm.register("nested", () => vm.eval(big));
    const runs: [string, () => unknown][] = [
      ["an eval", () => vm.eval(big)],
      ["a source", () => vm.eval(`return { ${"{1},".repeat(60000)} }`)],
      ["a module that runs", () => vm.eval("require('big')")],
      ["a module that is compiled", () => vm.eval("require('source')")],
      ["a module in an environment", () => vm.eval("require('source')", { env: {} })],
      ["a coroutine", () => vm.eval(`coroutine.wrap(function() ${big} end)()`)],
      [
        "coroutines in coroutines",
        () =>
          vm.eval(
            `coroutine.wrap(function() coroutine.wrap(function() coroutine.wrap(function() ${big} end)() end)() end)()`,
          ),
      ],
      ["a task", () => vm.evalAsync(big)],
      ["tasks", () => vm.evalAsync(`async.all(function() ${big} end)`)],
      ["pcall and error", () => vm.eval(`local ok, e = pcall(function() ${big} end) error(e, 0)`)],
      ["a result", () => vm.eval("return ('x'):rep(500000), ('y'):rep(500000), ('z'):rep(500000)")],
      ["an argument", () => vm.call("print", "x".repeat(3_000_000))],
      ["a host function", () => vm.eval("nested()")],
    ];
    for (const [name, run] of runs) {
      const error = await thrownBy(run);
      assert.equal(error.kind, "memory", `${name}: ${error.message}`);
      assert.match(error.message, /memoryLimit/, name);
      if (error.value !== undefined) assert.equal(error.value, "not enough memory", name);
      assert.equal(vm.eval("return 1"), 1, name);
    }
    await vm.close();
  });
});
