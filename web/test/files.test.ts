/** Files, arguments, environment variables and exit of programs, and streams in the place of callbacks. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaExitError } from "../src/index.ts";
import { RecordBackend } from "./record_backend.ts";

suite("files", () => {
  test("are read and written by programs, and by the page", async () => {
    const lua = await Lua.create({
      files: {
        "main.lua": { content: "local greet = require 'lib.greet' return greet(...)", readOnly: true },
        "lib/greet.lua": "return function(who) return 'Hello ' .. who end",
        "data.bin": new Uint8Array([0, 255, 10]),
      },
    });
    assert.equal(lua.eval("return loadfile('main.lua')('you')"), "Hello you");
    assert.equal(lua.eval("return #io.open('data.bin', 'rb'):read('a')"), 3);
    lua.eval("local f <close> = assert(io.open('out/log.txt', 'a')) f:write('one\\n', 2, '\\n')");
    assert.equal(lua.files.readText("out/log.txt"), "one\n2\n");
    assert.deepEqual(lua.files.read("/data.bin"), new Uint8Array([0, 255, 10]));
    assert.equal(lua.files.read("none"), undefined);
    lua.files.write("in.txt", "a\nb\n");
    assert.equal(
      lua.eval("local t = {} for l in io.lines 'in.txt' do t[#t + 1] = l end return table.concat(t, '|')"),
      "a|b",
    );
    assert.deepEqual(
      lua.files.list().map(({ path, bytes, readOnly }) => [path, bytes, readOnly]),
      [
        ["data.bin", 3, false],
        ["in.txt", 4, false],
        ["lib/greet.lua", 47, false],
        ["main.lua", 51, true],
        ["out/log.txt", 6, false],
      ],
    );
    assert.deepEqual(lua.evalAll("return io.open('main.lua', 'w')"), [undefined, "main.lua: Permission denied", 13]);
    assert.equal(lua.files.remove("in.txt"), true);
    assert.equal(lua.files.remove("in.txt"), false);
    await lua.close();
  });

  test("are not there unless they are given", async () => {
    const lua = await Lua.create();
    assert.deepEqual(lua.evalAll("return io.open, loadfile, os.exit, os.remove, arg"), Array(5).fill(undefined));
    assert.throws(() => lua.files.list(), /this VM has no files/);
    await lua.close();
  });

  test("wait where a program that is a file waits", async () => {
    const lua = await Lua.create({
      files: { "slow.lua": "async.sleep(1) return later()" },
      functions: { later: async () => "done" },
    });
    assert.equal(await lua.evalAsync("return dofile 'slow.lua'"), "done");
    assert.equal(await lua.evalAsync("return require 'slow'"), "done");
    await lua.close();
  });

  test("have limits, and count as memory", async () => {
    const lua = await Lua.create({ fileSystem: { limit: 10 } });
    assert.deepEqual(lua.evalAll("return io.open('a', 'w'):write('12345678901')"), [
      undefined,
      "No space left on device",
      28,
    ]);
    assert.throws(() => lua.files.write("a", "12345678901"), /a: No space left on device/);
    await lua.close();
    const small = await Lua.create({ memoryLimit: 1024 * 1024, fileSystem: {} });
    const filled =
      "local f, s = io.open('a', 'w'), ('x'):rep(20000) " +
      "for i = 1, 1e6 do local ok, m, c = f:write(s) if not ok then return m, c end end";
    assert.deepEqual(small.evalAll(filled), ["Cannot allocate memory", 12]);
    assert.equal(small.eval("os.remove('a') collectgarbage() return io.open('b', 'w'):write('x') ~= nil"), true);
    await small.close();
    const fixed = await Lua.create({ files: { a: "1" }, fileSystem: { readOnly: true } });
    assert.deepEqual(fixed.evalAll("return os.remove 'a'"), [undefined, "a: Read-only file system", 30]);
    await fixed.close();
  });

  test("travel with the VM, open ones too", async () => {
    const lua = await Lua.create({ files: { a: "12345" }, args: ["x"], env: { HOME: "/home" } });
    lua.eval("f = io.open('a', 'r+') f:read(2)");
    const restored = await Lua.restore(lua.snapshot());
    const forked = await lua.fork();
    lua.eval("f:write('__')");
    for (const other of [restored, forked]) {
      assert.deepEqual(other.evalAll("return f:read('a'), os.getenv 'HOME', ..."), ["345", "/home", "x"]);
      other.eval("io.open('b', 'w'):write('own'):close()");
      assert.equal(other.files.readText("b"), "own");
      await other.close();
    }
    assert.equal(lua.files.read("b"), undefined);
    assert.equal(lua.files.readText("a"), "12__5");
    await assert.rejects(Lua.restore(lua.snapshot(), { args: ["y"] } as object), /option "args" is that of the image/);
    await lua.close();
  });

  test("are kept in the storage, with the tables", async () => {
    const storage = new RecordBackend();
    const files = { "start.txt": "given", "code.lua": { content: "return 1", readOnly: true } };
    const first = await Lua.create({ storage: storage, files });
    first.eval("io.open('start.txt', 'w'):write('kept'):close() io.open('new', 'wb'):write('\\0\\255'):close()");
    first.eval("ext.table('t').n = 1 io.open(os.tmpname(), 'w'):write('temporary'):close()");
    await first.close();
    const second = await Lua.create({ storage: storage, files });
    assert.equal(second.files.readText("start.txt"), "kept");
    assert.deepEqual(second.files.read("new"), new Uint8Array([0, 255]));
    assert.deepEqual(
      second.files.list().map(({ path }) => path),
      ["code.lua", "new", "start.txt"],
    );
    second.eval("os.remove('new')");
    await second.close();
    const third = await Lua.create({ storage: storage, files });
    assert.equal(third.files.read("new"), undefined);
    const image = third.snapshot();
    await third.close();
    const elsewhere = new RecordBackend();
    const restored = await Lua.restore(image, { storage: elsewhere });
    await restored.close();
    const fourth = await Lua.create({ storage: elsewhere, fileSystem: {} });
    assert.equal(fourth.files.readText("start.txt"), "kept");
    await fourth.close();
  });

  test("stay what they are when tables are rolled back or replaced", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage, files: { a: "1" } });
    const dump = lua.dump();
    const write = (text: string) => lua.eval(`io.open('a', 'w'):write('${text}'):close()`);
    assert.throws(() =>
      lua.transaction(() => {
        write("2");
        throw new Error("undone");
      }),
    );
    assert.equal(lua.files.readText("a"), "2");
    assert.equal(lua.table("files").get("a"), "2");
    lua.load(dump);
    assert.equal(lua.table("files").get("a"), "2");
    await lua.close();
    const next = await Lua.create({ storage, fileSystem: {} });
    assert.equal(next.files.readText("a"), "2");
    await next.close();
  });

  test("go on with a VM that is resumed", async () => {
    const storage = new RecordBackend();
    const make = () => Lua.create({ storage: storage, resume: true, files: { a: "1" }, args: ["x"] });
    const first = await make();
    first.eval("f = io.open('a', 'a') f:write('2')");
    await first.close();
    const second = await make();
    assert.deepEqual(second.evalAll("f:write('3') return io.open('a'):read('a'), ..."), ["123", "x"]);
    await second.close();
  });

  test("are checked as options", async () => {
    for (const [options, message] of [
      [{ files: 1 }, /option "files" must be an object or a Map/],
      [{ files: { a: 1 } }, /must be an object of strings, bytes or \{ content, readOnly \}: "a" is none/],
      [{ files: { "../": "x" } }, /Is a directory/],
      [{ files: { a: "1", "a/b": "2" } }, /a\/b: Not a directory/],
      [{ fileSystem: { size: 1 } }, /option "size" is unknown/],
      [{ fileSystem: { keep: "" } }, /option "keep" must be true, false or the name of a table/],
      [{ args: "x" }, /option "args" must be an array of strings/],
      [{ env: { a: 1 } }, /option "env" must be an object of strings/],
      [{ stdout: {} }, /option "stdout" must be a function or a stream/],
      [{ stdin: {} }, /option "stdin" must be a function or a stream/],
    ] as const) {
      await assert.rejects(Lua.create(options as object), message);
    }
  });
});

suite("programs", () => {
  test("end with a code, past everything that catches", async () => {
    const lua = await Lua.create({ args: ["a", "b"] });
    for (const [program, code] of [
      ["os.exit()", 0],
      ["os.exit(false)", 1],
      ["pcall(os.exit, 42)", 42],
    ] as const) {
      for (const run of [() => lua.evalAsync(program), async () => lua.eval(program)]) {
        await assert.rejects(
          run,
          (error) => error instanceof LuaExitError && error.code === code && error.kind === "exit",
        );
      }
    }
    await assert.rejects(
      lua.evalAsync("async.all(function() async.sleep(1) os.exit(5) end, function() async.sleep(1000) end)"),
      (error) => error instanceof LuaExitError && error.code === 5,
    );
    lua.register("call", (fn: () => void) => {
      assert.throws(fn, LuaError);
      return 1;
    });
    assert.throws(() => lua.eval("call(function() os.exit(6) end) error('went on')"), LuaExitError);
    assert.deepEqual(lua.evalAll("return #arg, ..."), [2, "a", "b"]);
    await lua.close();
  });

  test("see the environment variables that they are given", async () => {
    const lua = await Lua.create({ env: { LANG: "de", EMPTY: "" } });
    assert.deepEqual(lua.evalAll("return os.getenv 'LANG', os.getenv 'EMPTY', os.getenv 'PATH'"), [
      "de",
      "",
      undefined,
    ]);
    await lua.close();
  });

  test("read and write streams", async () => {
    let written = "";
    const lua = await Lua.create({
      stdin: Readable.from([Buffer.from("first\nsec"), "ond\n", "12 x"]),
      stdout: { write: (text: string) => (written += text) },
    });
    const read = await lua.evalAsync("print(io.read(), io.read()) return io.read('n')");
    assert.equal(read, 12);
    assert.equal(written, "first\tsecond\n");
    await lua.close();
  });
});
