/** The small parts: options, errors, output, the loader, the imports. No VM needed. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { createHostImports, noHost } from "#js/imports.js";
import * as errors from "../src/errors.ts";
import { instantiate, plainName, type Exports } from "../src/instance/imports.ts";
import * as perilune from "../src/index.ts";
import { loadModule, perilune as main, setDefaultModule, type PackagedModule } from "../src/instance/loader.ts";
import { readCreateOptions, readEvalOptions } from "../src/options.ts";
import { OutputCollector, outputTo } from "../src/instance/output.ts";
import { openStorage } from "../src/storage/storage.ts";
import { bytesOf } from "./helpers.ts";

/** The empty module, and one with (import "x" "__wbg_mystery_0123456789abcdef" (func)). */
const EMPTY = bytesOf("0061736d 01000000") as Uint8Array<ArrayBuffer>;
const MYSTERY = new Uint8Array([
  ...EMPTY,
  1,
  4,
  1,
  0x60,
  0,
  0,
  ...section(2, [1, ...text("x"), ...text("__wbg_mystery_0123456789abcdef"), 0, 0]),
]);

/**
 * (import "x" "__wbg_double_0123456789abcdef" (func (param i32) (result i32)))
 * (import "x" "__wbg_output_0123456789abcdef" (func (param i32 i32 i32)))
 * (memory (export "memory") 1) (func (export "ask") (param i32) (result i32) local.get 0 call 0)
 */
const OTHER = new Uint8Array([
  ...EMPTY,
  ...section(1, [2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7f, 0x7f, 0]),
  ...section(2, [
    2,
    ...text("x"),
    ...text("__wbg_double_0123456789abcdef"),
    0,
    0,
    ...text("x"),
    ...text("__wbg_output_0123456789abcdef"),
    0,
    1,
  ]),
  ...section(3, [1, 0]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, ...text("memory"), 2, 0, ...text("ask"), 0, 2]),
  ...section(10, [1, 6, 0, 0x20, 0, 0x10, 0, 0x0b]),
]);

function emptyImports() {
  const memory = () => new WebAssembly.Memory({ initial: 1 });
  return createHostImports({ memory, host: noHost(memory) });
}

function text(name: string): number[] {
  return [name.length, ...new TextEncoder().encode(name)];
}

function section(id: number, contents: number[]): number[] {
  return [id, contents.length, ...contents];
}

suite("options", () => {
  const good: [string, object][] = [
    ["none", {}],
    ["undefined ones", { wasm: undefined, timeout: undefined }],
    [
      "all of this version",
      { wasm: EMPTY, storage: "memory://", memoryLimit: 4 << 20, sandbox: "strict", stdout() {}, stderr() {} },
    ],
    ["modules", { modules: {} }],
    ["modules in a Map, input", { modules: new Map(), stdin: () => null }],
    ["modules from a function", { modules: () => null }],
    ["limits", { timeout: 50, fuel: 1e9, interrupted: () => false }],
    ["no limits", { timeout: Infinity, fuel: Infinity }],
    ["a replay", { seed: -5n, now: () => 0 }],
    ["libraries", { sandbox: { libs: ["string"] } }],
    ["the standard ones", { sandbox: "standard" }],
    ["a storage object", { storage: { load() {}, commit() {}, close() {} } }],
  ];
  for (const [name, options] of good) test(name, () => void readCreateOptions(options));

  const bad: [object | null, RegExp][] = [
    [{ storge: "x" }, /option "storge" is unknown/],
    [{ timeout: -1 }, /option "timeout" must be 0 to 2147483647 milliseconds, or Infinity/],
    [{ timeout: "50" }, /"timeout" must be/],
    [{ timeout: NaN }, /"timeout" must be/],
    [{ fuel: 0 }, /"fuel" must be a positive safe integer, or Infinity/],
    [{ fuel: 1.5 }, /"fuel" must be/],
    [{ interrupted: true }, /"interrupted" must be a function/],
    [{ modules: null }, /"modules" must be an object, a Map or a function/],
    [{ modules: "./lib" }, /"modules" must be/],
    [{ stdin: "text" }, /"stdin" must be a function/],
    [{ seed: 0.5 }, /"seed" must be a safe integer, a bigint or "random"/],
    [{ now: 5 }, /"now" must be a function/],
    [{ readOnly: 1 }, /"readOnly" must be true or false/],
    [{ durability: "fast" }, /"durability" must be "relaxed" or "strict"/],
    [{ lockTimeout: -1 }, /"lockTimeout" must be 0 to/],
    [{ storageLimit: "1 MB" }, /"storageLimit" must be a number of bytes/],
    [{ onProgress: true }, /"onProgress" must be a function/],
    [{ sandbox: "none" }, /"sandbox" must be "strict", "standard" or/],
    [{ sandbox: { libs: "string" } }, /"sandbox" must be/],
    [{ storage: 5 }, /"storage" must be/],
    [{ storage: {} }, /"storage" must be/],
    [{ storage: null }, /"storage" must be/],
    [{ memoryLimit: 0 }, /"memoryLimit" must be/],
    [{ memoryLimit: -1 }, /"memoryLimit"/],
    [{ memoryLimit: 1.5 }, /"memoryLimit"/],
    [{ memoryLimit: "2 MB" }, /"memoryLimit"/],
    [{ memoryLimit: 2 ** 40 }, /"memoryLimit"/],
    [{ stdout: "console" }, /"stdout" must be a function/],
    [{ stderr: {} }, /"stderr" must be a function/],
    [{ toString: 1 }, /"toString" is unknown/],
    [null, /must be an object/],
  ];
  for (const [options, message] of bad) {
    test(`${JSON.stringify(options)} is refused`, async () => {
      assert.throws(() => readCreateOptions(options), { name: "TypeError", message });
      await assert.rejects(perilune.Lua.create(options as never), { name: "TypeError", message });
    });
  }

  test("of eval", () => {
    readEvalOptions({ name: "a.lua" });
    assert.throws(() => readEvalOptions({ name: 5 }), /"name" must be a string/);
    readEvalOptions({ timeout: 5, fuel: 5, env: {} });
    assert.throws(() => readEvalOptions({ timeout: -1 }), /"timeout" must be/);
    assert.throws(() => readEvalOptions({ env: [] }), /"env" must be an object or a Map/);
    assert.throws(() => readEvalOptions({ signal: {} }), /"signal" is not available/);
    assert.throws(() => readEvalOptions({ nmae: "x" }), /"nmae" is unknown/);
    assert.throws(() => readEvalOptions("a.lua"), /must be an object/);
  });
});

suite("errors", () => {
  test("are errors with their names", () => {
    const error = new errors.LuaSyntaxError("syntax", "oops", {
      line: 3,
      chunk: "x",
      traceback: "t",
      value: 1,
      cause: "c",
    });
    assert.ok(error instanceof errors.LuaError && error instanceof Error);
    assert.equal(String(error), "LuaSyntaxError: oops");
    assert.ok(error.stack?.startsWith("LuaSyntaxError: oops") || error.stack?.includes("oops"));
    assert.deepEqual(
      [error.kind, error.line, error.chunk, error.traceback, error.value, error.cause],
      ["syntax", 3, "x", "t", 1, "c"],
    );
    assert.equal("cause" in new errors.LuaError("bug", "x"), false);
    assert.equal(new errors.LuaClosedError().kind, "closed");
    for (const [name, value] of Object.entries(errors)) {
      if (name.startsWith("Lua")) assert.equal((value as { prototype: Error }).prototype.name, name);
    }
  });

  test("of a store become LuaStorageError with their code and cause", () => {
    const cause = Object.assign(new Error("full"), { code: "quota" });
    const error = errors.storageError(cause);
    assert.deepEqual([error.code, error.kind, error.message, error.cause], ["quota", "storage", "full", cause]);
    assert.equal(errors.storageError(error), error);
    assert.equal(errors.storageError("x").code, "host");
    assert.equal(errors.storageError(null).message, "null");
  });
});

suite("output", () => {
  const utf8 = (textual: string) => new TextEncoder().encode(textual);

  test("the console gets lines, a callback text as it comes", (t) => {
    const log = t.mock.method(console, "log", () => {});
    const received: string[] = [];
    const sink = outputTo({ stderr: (part) => received.push(part) });
    sink.write(1, utf8("a\nb"));
    sink.write(2, utf8("x\ny"));
    sink.write(1, utf8("c\n\nd"));
    sink.end();
    sink.end();
    assert.deepEqual(
      log.mock.calls.map((call) => call.arguments),
      [["a"], ["bc"], [""], ["d"]],
    );
    assert.deepEqual(received, ["x\ny"]);
  });

  test("stderr goes to console.error", (t) => {
    const error = t.mock.method(console, "error", () => {});
    const sink = outputTo({ stdout: () => {} });
    sink.write(2, utf8("oops\n"));
    assert.deepEqual(
      error.mock.calls.map((call) => call.arguments),
      [["oops"]],
    );
  });

  test("a character in two parts is one; bytes that are no text are shown as such", () => {
    const capture = new OutputCollector();
    const [first, second] = [utf8("é").subarray(0, 1), utf8("é").subarray(1)];
    capture.write(1, first);
    capture.write(2, utf8("!"));
    capture.write(1, second);
    capture.write(1, Uint8Array.of(0xff, 0x41));
    capture.end();
    assert.equal(capture.text, "!é\ufffdA");
    const received: string[] = [];
    const sink = outputTo({ stdout: (part) => received.push(part) });
    sink.write(1, first);
    sink.write(1, second);
    assert.deepEqual(received, ["é"]);
  });

  test("a callback that throws is reported, not passed on", (t) => {
    const error = t.mock.method(console, "error", () => {});
    const stdout = () => {
      throw new Error("mine");
    };
    outputTo({ stdout }).write(1, utf8("x"));
    assert.equal(error.mock.callCount(), 1);
  });
});

suite("the loader", () => {
  test("compiles bytes once, and a module not at all", async () => {
    const bytes = EMPTY.slice();
    const module = await loadModule(bytes, main);
    assert.equal(await loadModule(bytes, main), module);
    assert.equal(await loadModule(module, main), module);
    assert.notEqual(await loadModule(bytes.buffer, main), module);
  });

  test("an address is loaded once, and again after a failure", async (t) => {
    let fetched = 0;
    t.mock.method(globalThis, "fetch", async () => {
      fetched += 1;
      if (fetched === 1) return new Response("gone", { status: 404, statusText: "Not Found" });
      return new Response(EMPTY, { headers: { "content-type": "application/wasm" } });
    });
    const address = "https://example.test/perilune.wasm";
    await assert.rejects(loadModule(address, main), /cannot load .*404 Not Found/);
    const [one, two] = await Promise.all([loadModule(address, main), loadModule(new URL(address), main)]);
    assert.equal(one, two);
    assert.equal(fetched, 2);
  });

  test("takes the text that the JavaScript carries where the file is not there, and remembers it", async (t) => {
    const requests = t.mock.method(globalThis, "fetch", async () => new Response("<!doctype html>"));
    const text = Buffer.from(gzipSync(EMPTY)).toString("base64");
    let loaded = 0;
    const packaged: PackagedModule = {
      address: () => new URL("https://example.test/gone.wasm"),
      inline: async () => ({ default: (loaded++, text) }),
    };
    const [one, two] = await Promise.all([loadModule(undefined, packaged), loadModule(undefined, packaged)]);
    assert.ok(one instanceof WebAssembly.Module);
    assert.equal(one, two);
    assert.equal(await loadModule(undefined, packaged), one);
    assert.equal(loaded, 1);
    assert.equal(requests.mock.callCount(), 1);
    assert.equal(await loadModule(undefined, { address: () => new URL("nowhere"), inline: packaged.inline! }), one);
    // Who says where it is means just that.
    await assert.rejects(loadModule("https://example.test/page.html", packaged), /magic word/);
  });

  test("says why, and what helps, where neither file nor text is there", async (t) => {
    t.mock.method(globalThis, "fetch", async () => new Response("gone", { status: 404, statusText: "Not Found" }));
    const address = () => new URL("https://example.test/none.wasm");
    const inlines = [
      undefined,
      async () => Promise.reject(new Error("no")),
      async () => ({ default: "" }),
      async () => ({ default: "AAAA" }),
    ];
    for (const inline of inlines) {
      await assert.rejects(loadModule(undefined, { address, ...(inline && { inline }) }), (error: Error) => {
        assert.match(error.message, /404 Not Found.*as the option "wasm"/);
        assert.match((error.cause as Error).message, /404/);
        return true;
      });
    }
    const forbidden = new Error("unsafe-eval is not allowed");
    t.mock.method(WebAssembly, "compile", async () => Promise.reject(forbidden));
    t.mock.method(globalThis, "fetch", async () => new Response(EMPTY));
    const text = Buffer.from(gzipSync(EMPTY)).toString("base64");
    await assert.rejects(loadModule(undefined, { address, inline: async () => ({ default: text }) }), {
      cause: forbidden,
    });
  });

  test("takes responses, of the wrong type too, and promises of them", async () => {
    const module = await loadModule(new Response(EMPTY, { headers: { "content-type": "text/plain" } }), main);
    assert.ok(module instanceof WebAssembly.Module);
    assert.ok((await loadModule(Promise.resolve(new Response(EMPTY)), main)) instanceof WebAssembly.Module);
  });

  test("refuses anything else", async () => {
    await assert.rejects(loadModule({} as never, main), { name: "TypeError", message: /"wasm" must be/ });
    await assert.rejects(loadModule(5 as never, main), TypeError);
    await assert.rejects(loadModule(new Uint8Array(4), main), WebAssembly.CompileError);
    await assert.rejects(loadModule(new URL("file:///does/not/exist.wasm"), main), { code: "ENOENT" });
  });

  test("a default module can be set", async () => {
    const module = new WebAssembly.Module(EMPTY);
    setDefaultModule(module);
    assert.equal(await loadModule(undefined, main), module);
    setDefaultModule(undefined);
  });

  test("finds another module of the package where that says, and the default module is none for it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perilune-"));
    try {
      const file = join(folder, "other.wasm");
      writeFileSync(file, OTHER);
      const other: PackagedModule = { address: () => pathToFileURL(file) };
      setDefaultModule(new WebAssembly.Module(EMPTY));
      const module = await loadModule(undefined, other);
      assert.deepEqual(
        WebAssembly.Module.exports(module).map(({ name }) => name),
        ["memory", "ask"],
      );
      assert.equal(await loadModule(undefined, other), module);
      other.compiled = new WebAssembly.Module(OTHER);
      assert.equal(await loadModule(undefined, other), other.compiled);
      assert.equal(await loadModule(module, other), module);
    } finally {
      setDefaultModule(undefined);
      rmSync(folder, { recursive: true });
    }
  });
});

suite("the imports", () => {
  test("lose wasm-bindgen's decoration", () => {
    assert.equal(plainName("__wbg_table_get_0123456789abcdef"), "table_get");
    assert.equal(plainName("__wbg___wbindgen_throw_0123456789abcdef"), "__wbindgen_throw");
    assert.equal(plainName("__wbindgen_throw"), "__wbindgen_throw");
  });

  test("of wasm-bindgen itself are answered", async () => {
    // (module (import "x" "__wbindgen_throw" (func (param i32 i32)))
    //   (memory (export "memory") 1) (data (i32.const 0) "oops") (export "eval" (func 0)))
    const module = new WebAssembly.Module(
      new Uint8Array([
        ...EMPTY,
        ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 0]),
        ...section(2, [1, ...text("x"), ...text("__wbindgen_throw"), 0, 0]),
        ...section(5, [1, 0, 1]),
        ...section(7, [2, ...text("memory"), 2, 0, ...text("eval"), 0, 0]),
        ...section(11, [1, 0, 0x41, 0, 0x0b, ...text("oops")]),
      ]),
    );
    const exports = await instantiate(module, emptyImports());
    assert.throws(() => (exports.eval as unknown as (at: number, length: number) => void)(0, 4), /^Error: oops$/);
  });

  test("that nobody knows are an error that names them", async () => {
    const hostImports = emptyImports();
    const module = new WebAssembly.Module(MYSTERY);
    await assert.rejects(instantiate(module, hostImports), /asks for "__wbg_mystery_0123456789abcdef"/);
  });

  test("of another module are answered beside ours, by their plain names", async () => {
    const module = new WebAssembly.Module(OTHER);
    const answers = { double: (n: number) => 2 * n };
    const exports = await instantiate<Exports & { ask(n: number): number }>(module, emptyImports(), answers);
    assert.equal(exports.ask(21), 42);
    assert.ok(exports.memory instanceof WebAssembly.Memory);
    await assert.rejects(instantiate(module, emptyImports()), /asks for "__wbg_double_0123456789abcdef"/);
  });

  test("have one answer each", async () => {
    const module = new WebAssembly.Module(OTHER);
    for (const name of ["table_get", "output", "__wbindgen_throw"]) {
      const answers = { double: () => 0, [name]: () => 0 };
      await assert.rejects(instantiate(module, emptyImports(), answers), {
        message: `the import "${name}" has two answers`,
      });
    }
    // Nothing that every object has is taken for one.
    assert.ok(await instantiate(module, emptyImports(), { double: () => 0, toString: () => 0 }));
  });
});

suite("storage", () => {
  test("addresses that mean nothing are refused", async () => {
    const cases: [string, string][] = [
      ["file:/tmp/x", "unavailable"],
      ["opfs://x", "name"],
      ["", "name"],
      ["idb://", "name"],
      // Node has no IndexedDB.
      ["idb://notes", "unavailable"],
    ];
    for (const [address, code] of cases) {
      await assert.rejects(
        openStorage({ storage: address }),
        (error) => error instanceof errors.LuaStorageError && error.code === code,
      );
    }
  });

  test("a storage object that cannot load is closed again", async () => {
    let closed = 0;
    const load = () => Promise.reject(new Error("broken"));
    const storage = { load, commit: async () => {}, close: () => void (closed += 1) };
    await assert.rejects(openStorage({ storage }), { name: "LuaStorageError", message: "broken" });
    assert.equal(closed, 1);
  });
});

test("package.json names no addresses, pins its tools and exports what is there", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  assert.deepEqual(Object.keys(manifest.exports["."]), [
    "require",
    "types@<5.7",
    "types",
    "workerd",
    "browser",
    "deno",
    "bun",
    "node",
    "import",
    "default",
  ]);
  for (const folder of [".", "playground", "../bench"]) {
    const { devDependencies } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    for (const version of Object.values(devDependencies))
      assert.match(String(version), /^\d+\.\d+\.\d+(?:-build\d+)?$/);
    assert.equal(readFileSync(`${folder}/package-lock.json`, "utf8").includes('"resolved"'), false, folder);
  }
});
