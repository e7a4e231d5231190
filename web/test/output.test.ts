/** Output: all of it arrives, or something says that it does not. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { OutputCollector, outputTo } from "../src/instance/output.ts";
import { Lua, LuaMemoryError } from "../src/index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

suite("what run() keeps", () => {
  test("is all of it, up to the limit", async () => {
    const lua = await Lua.create({ outputLimit: 1000 });
    const { output } = lua.run("io.write(('x'):rep(400)) io.stderr:write(('y'):rep(600))");
    assert.equal(output, "x".repeat(400) + "y".repeat(600));
    await lua.close();
  });

  test("beyond it the call ends, says so, and gives what there was", async () => {
    const lua = await Lua.create({ outputLimit: 1000, timeout: Infinity });
    for (const [name, code] of [
      ["at the end", "io.write(('x'):rep(1001))"],
      ["on the way, in a loop that nothing else ends", "while true do pcall(io.write, ('x'):rep(100)) io.flush() end"],
      ["of both streams", "io.write(('x'):rep(600)) io.stderr:write(('x'):rep(600))"],
    ] as const) {
      assert.throws(
        () => lua.run(code),
        (error) => {
          assert.ok(error instanceof LuaMemoryError, String(error));
          assert.match(error.message, /the output has more than 1000 bytes, which is outputLimit/);
          assert.equal(error.output, "x".repeat(1000), name);
          return true;
        },
      );
      // And it is as usable as before: nothing of the end is kept for the next call.
      assert.equal(lua.run("for i = 1, 1e6 do end print(1)").output, "1\n");
    }
    await lua.close();
  });

  test("an inner run ends the outer call, too", async () => {
    const lua = await Lua.create({ outputLimit: 10 });
    let inner: unknown;
    lua.register("inner", () => {
      try {
        lua.run("print(('x'):rep(100))");
      } catch (error) {
        inner = error;
      }
    });
    assert.throws(() => lua.eval("inner() while true do end"), LuaMemoryError);
    assert.ok(inner instanceof LuaMemoryError);
    assert.equal(lua.eval("return 1"), 1);
    await lua.close();
  });

  test("a default limit holds, and forks have it", async () => {
    const lua = await Lua.create({ memoryLimit: 64 << 20 });
    const fork = await lua.fork({ outputLimit: 5 });
    const code = "local s = ('x'):rep(2^20) for i = 1, 17 do io.write(s) end";
    assert.throws(() => lua.run(code), /more than 16777216 bytes/);
    assert.throws(() => fork.run("print 'longer'"), /more than 5 bytes/);
    await fork.close();
    await lua.close();
  });

  test("a mark of byte order at the beginning is kept", async () => {
    const lua = await Lua.create();
    assert.equal(lua.run("io.write('\\u{feff}a') io.stderr:write('\\u{feff}b')").output, "\ufeffa\ufeffb");
    await lua.close();
  });

  test("characters that come in parts, of each stream", () => {
    const collector = new OutputCollector();
    const [first = 0, ...rest] = bytes("é");
    collector.write(1, Uint8Array.of(first));
    collector.write(2, bytes("x"));
    collector.write(1, Uint8Array.from(rest));
    collector.end();
    assert.equal(collector.text, "xé");
  });
});

suite("callbacks and the console", () => {
  test("get a write of any length in pieces that a string can hold", () => {
    const parts: string[] = [];
    const sink = outputTo({ stdout: (text) => parts.push(text) });
    const long = bytes("é".repeat(2 << 20));
    sink.write(1, long);
    assert.ok(parts.length > 1 && Math.max(...parts.map((part) => part.length)) <= 1 << 20);
    assert.equal(parts.join(""), "é".repeat(2 << 20));
  });

  test("a line without an end comes in parts, each but the last with a mark", (context) => {
    const lines: string[] = [];
    const { mock } = context.mock.method(console, "log", (line: string) => void lines.push(line));
    const sink = outputTo({});
    for (let i = 0; i < 5; i++) sink.write(1, bytes("x".repeat(600_000)));
    sink.write(1, bytes("end\nnext"));
    sink.end();
    mock.restore();
    const mark = " [this line goes on]";
    assert.ok(lines.length >= 4);
    assert.ok(lines.slice(0, -2).every((line) => line.endsWith(mark)));
    assert.equal(
      lines
        .slice(0, -1)
        .map((line) => line.replace(mark, ""))
        .join(""),
      `${"x".repeat(3_000_000)}end`,
    );
    assert.equal(lines.at(-1), "next");
  });
});
