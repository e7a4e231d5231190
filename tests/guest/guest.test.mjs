/**
 * A module of one's own on the crate, without JavaScript: what it imports and exports as the linker leaves
 * it, in both encodings of exceptions, and how it runs. `cargo xtask test --only guest` builds it.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { suite, test } from "node:test";
import { sections } from "./sections.mjs";

const root = resolve(import.meta.dirname, "../..");
const release = "wasm32-unknown-unknown/release/guest.wasm";
const built = {
  legacy: readFileSync(join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), release)),
  exnref: readFileSync(join(root, "target/exnref", release)),
};
const module = new WebAssembly.Module(built.legacy);

/** src/lib.rs. */
const IMPORTS = ["call", "clock_ms", "interrupted", "monotonic_ms", "random_u64", "write"];
const EXPORTS = ["allocated", "answer_at", "answer_len", "eval", "input", "memory", "start"];
/** Two constants that rustc has every wasm module export. */
const TOOLCHAIN = ["__data_end", "__heap_base"];
/** build.rs. */
const STACK_BYTES = 256 * 1024;
const MEMORY_BYTES = 2 * 1024 * 1024;

/** A new instance with its six imports; `world` replaces some of them. */
function guest(world = {}, memoryBytes = MEMORY_BYTES) {
  const written = ["", "", ""];
  const bytes = (at, length) => new Uint8Array(exports.memory.buffer, at, length);
  const text = (at, length) => Buffer.from(bytes(at, length)).toString("latin1");
  const imports = {
    clock_ms: () => 1_700_000_000_000,
    monotonic_ms: () => performance.now(),
    random_u64: () => 42n,
    interrupted: () => 0,
    write: (stream, at, length) => void (written[stream] += text(at, length)),
    // Operation 1: upper case.
    call: (operation, at, length, room) => {
      if (operation !== 1) return 0;
      const answer = Buffer.from(text(at, length).toUpperCase(), "latin1").subarray(0, room);
      bytes(at, answer.length).set(answer);
      return answer.length;
    },
    ...world,
  };
  const { exports } = new WebAssembly.Instance(module, { guest: imports });
  const answer = (status) => ({ status, text: text(exports.answer_at(), exports.answer_len()) });
  const lua = {
    exports,
    written,
    eval(source) {
      const input = Buffer.from(source);
      bytes(exports.input(input.length), input.length).set(input);
      return answer(exports.eval());
    },
  };
  assert.deepEqual(answer(exports.start(memoryBytes)), { status: 0, text: "" });
  return lua;
}

suite("the module as the linker leaves it", () => {
  for (const [encoding, bytes] of Object.entries(built)) {
    test(`${encoding}: it imports and exports its own, and nothing else`, () => {
      const { imports, exports } = sections(bytes);
      assert.deepEqual(
        imports.sort(),
        IMPORTS.map((name) => `guest.${name}`),
      );
      assert.deepEqual(exports.sort(), [...TOOLCHAIN, ...EXPORTS].sort());
    });

    test(`${encoding}: its stack has the size that it set itself`, () => {
      assert.equal(sections(bytes).stackPointer, STACK_BYTES);
    });
  }

  test("the two encodings are two", () => {
    assert.notDeepEqual(built.legacy, built.exnref);
  });
});

suite("the module at work", () => {
  test("it evaluates Lua, and keeps its state", () => {
    const lua = guest();
    assert.deepEqual(lua.eval("x = 6 * 7; print('out'); return x, 'two'"), { status: 0, text: "42\ttwo" });
    assert.deepEqual(lua.eval("return x + 1"), { status: 0, text: "43" });
    assert.deepEqual(lua.written, ["", "out\n", ""]);
  });

  test("it catches errors of Lua, also through C, and reports those that nothing catches", () => {
    const lua = guest();
    const caught = "return select(2, pcall(string.gsub, 'x', 'x', function() error('inside', 0) end))";
    assert.deepEqual(lua.eval(caught), { status: 0, text: "inside" });
    const { status, text } = lua.eval("local t = nil; return t.x");
    assert.equal(status, 1);
    assert.match(text, /^runtime: golden:1: attempt to index a nil value/);
    assert.match(lua.eval("return +").text, /^syntax: /);
    assert.deepEqual(lua.eval("return 1"), { status: 0, text: "1" });
  });

  test("it keeps to its memory, and goes on", () => {
    const lua = guest();
    const before = lua.exports.allocated();
    const { status, text } = lua.eval("t = {} for i = 1, math.huge do t[i] = ('x'):rep(1000) .. i end");
    assert.equal(status, 1);
    assert.match(text, /^memory: /);
    assert.ok(lua.exports.allocated() > before);
    assert.ok(lua.exports.memory.buffer.byteLength < 4 * MEMORY_BYTES);
    assert.deepEqual(lua.eval("t = nil collectgarbage() return 'on'"), { status: 0, text: "on" });
  });

  test("recursion ends as an error on that stack", () => {
    const lua = guest();
    for (const source of [
      "local function f(s) return (s:gsub('.', f)) end f('x')",
      "local function f(a, b) table.sort({ 3, 2, 1, 5, 4 }, f) return a < b end f(1, 2)",
      "return string.find(('a'):rep(10000), ('a?'):rep(10000))",
    ]) {
      const { status, text } = lua.eval(source);
      assert.equal(status, 1, source);
      assert.match(text, /^runtime: .*(overflow|too complex)/, source);
    }
  });

  test("it asks its host: clocks, functions, an end", () => {
    const lua = guest();
    assert.deepEqual(lua.eval("return ask(1, 'shout'), os.time()"), { status: 0, text: "SHOUT\t1700000000" });
    let asked = 0;
    const endless = guest({ interrupted: () => Number(++asked > 3) });
    assert.match(endless.eval("while true do end").text, /^interrupt: /);
    assert.equal(asked, 4);
  });

  test("a panic comes to its own hook before it traps", () => {
    const lua = guest();
    assert.throws(() => lua.eval("panic()"), WebAssembly.RuntimeError);
    assert.match(lua.written[0], /panicked at .*lib\.rs.*:\nasked for/s);
  });
});

/** tests/golden/README.md: the language and the libraries on a libc that C finds by pointers. */
suite("golden scripts", () => {
  const folder = join(root, "tests/golden");
  const scripts = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".lua"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  assert.ok(scripts.length > 100, `only ${scripts.length} scripts`);
  for (const path of scripts) {
    test(relative(folder, path), () => {
      const script = readFileSync(path, "latin1");
      const header = script.slice(0, script.search(/^---$/m)).split("\n").slice(0, -1);
      const output = header.slice(1).map((line) => `${line.slice("--- ".length)}\n`);
      const lua = guest();
      const { status, text } = lua.eval(Buffer.from(script, "latin1"));
      // Dropping the VM runs its last finalizers.
      lua.exports.start(MEMORY_BYTES);
      const failure = /^--- fail: (.*)$/.exec(header[0])?.[1];
      if (failure === undefined) assert.equal(status, 0, text);
      else assert.ok(status === 1 && text.includes(failure), text);
      assert.equal(lua.written[1], output.join(""));
    });
  }
});
