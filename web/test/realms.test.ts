/**
 * Values of another realm - an iframe, a `vm` context, a test runner's - are what they are: at no border does
 * the class of a value decide.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { bytesIn, isDate, isError, isErrorOf, isMap, isOptionsObject, isPlain, isUint8Array } from "../src/brands.ts";
import { Lua, LuaError } from "../src/index.ts";
import { conversions, describe, described, type Described } from "./helpers.ts";

const context = createContext({ URL, Response, AbortController, DOMException });

/** Evaluates an expression there. */
const there = <T>(expression: string, given: object = {}): T => {
  Object.assign(context, given);
  return runInContext(`(${expression})`, context) as T;
};

/** An expression for a value of the table of conversion. */
function expressionOf([tag, content]: Described): string {
  const list = (of: unknown) => (of as Described[]).map(expressionOf).join(", ");
  switch (tag) {
    case "undefined":
    case "null":
      return tag;
    case "number":
      return content === "-0" ? "-0" : `Number(${JSON.stringify(String(content))})`;
    case "bigint":
      return `${String(content)}n`;
    case "bytes":
      return `Uint8Array.from(${JSON.stringify(content)})`;
    case "array":
      return `[${list(content)}]`;
    case "object": {
      const pairs = (content as [string, Described][]).map(
        ([key, value]) => `[${JSON.stringify(key)}]: ${expressionOf(value)}`,
      );
      return `{ ${pairs.join(", ")} }`;
    }
    case "map": {
      const pairs = (content as [Described, Described][]).map(
        ([key, value]) => `[${expressionOf(key)}, ${expressionOf(value)}]`,
      );
      return `new Map([${pairs.join(", ")}])`;
    }
    default:
      return JSON.stringify(content);
  }
}

/** The classes whose `instanceof` may decide, because all of their values are made here. */
const OWN: Record<string, string> = {
  ClearUndo: "of the journal, which makes them",
  Entry: "of the journal, which makes them",
  Decoration: "of this package",
  ExternalTable: "of one Lua, which makes them",
  HeldLock: "of this file",
  FileError: "of the files of a capsule, which make it",
  HostRef: "made by lua.ref",
  LuaClosedError: "of this package",
  LuaDetachedObject: "made by Lua.restore",
  LuaError: "of this package",
  LuaExitError: "of this package",
  LuaFunction: "not a class: looks its values up",
  LuaImage: "made by Lua.image",
  LuaImageError: "of this package",
  LuaInterruptError: "of this package",
  LuaMemoryError: "of this package",
  LuaMultiReturn: "of this package: any other array is one table",
  LuaReference: "of one Lua, which makes them",
  LuaStorageError: "of this package",
  LuaTimeoutError: "of this package",
  PullError: "of this file",
};

suite("values of another realm", () => {
  test("no class but our own decides anywhere in the sources", () => {
    const used = new Set<string>();
    for (const folder of ["src", "../src/js"]) {
      for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!/\.(ts|js)$/.test(file)) continue;
        for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
          if (/^\s*(\*|\/[/*])/.test(line)) continue;
          for (const [, name = ""] of line.matchAll(/\binstanceof\s+([\w.]+)/g)) {
            assert.ok(name in OWN, `${file} asks for instanceof ${name}: ask brands.ts what the value is`);
            used.add(name);
          }
        }
      }
    }
    assert.deepEqual([...used].sort(), Object.keys(OWN).sort(), "listed, and not used any more");
  });

  test("convert as ours do, all of the table", async () => {
    const lua = await Lua.create();
    const rows = [...conversions.rows, ...conversions.given];
    assert.ok(rows.length > 30);
    for (const { name, js, back } of rows) {
      const value = there(expressionOf(js));
      const check = lua.eval<(value: unknown) => unknown>(`return function(x) return ${back} end`);
      assert.equal(check(value), true, name);
      const same = lua.eval<(value: unknown) => unknown>("return function(x) return x end");
      assert.deepEqual(describe(same(value)), describe(same(described(js))), name);
      lua.table("t").set("value", value);
      lua.table("u").set("value", described(js));
      assert.deepEqual(describe(lua.table("t").get("value")), describe(lua.table("u").get("value")), name);
    }
    await lua.close();
  });

  test("bytes of every kind, errors, functions, promises", async () => {
    const lua = await Lua.create();
    const size = lua.eval<(value: unknown) => unknown>("return function(x) return #x end");
    for (const made of [
      "new ArrayBuffer(3)",
      "new Uint8Array(3)",
      "new Uint8ClampedArray(3)",
      "new DataView(new ArrayBuffer(5), 1, 3)",
      "new Int8Array(3)",
    ]) {
      assert.equal(size(there(made)), 3, made);
    }
    for (const made of ["Error", "TypeError", "RangeError"]) {
      const error = there<Error>(`new ${made}("theirs")`);
      lua.register("fail", () => {
        throw error;
      });
      const result = lua.tryEval("fail()");
      assert.ok(!result.ok);
      assert.equal(result.error.cause, error);
      assert.match(result.error.message, /theirs$/);
      assert.equal(lua.eval("local ok, e = pcall(fail) return e.name"), made);
      const message = lua.eval<(error: unknown) => unknown>("return function(e) return e.message end");
      assert.equal(message(error), "theirs");
    }
    lua.register("later", there("async () => new Map([[true, 1]])"));
    assert.deepEqual(await lua.evalAsync("return later()"), new Map([[true, 1]]));
    for (const [made, text] of [
      ["new Date(0)", /a Date cannot be given to Lua; pass Math\.floor/],
      ["new Set([1])", /a Set cannot be given to Lua$/],
      ["Promise.resolve(1)", /a Promise cannot be given to Lua; await it first$/],
      ["new (class Foo {})()", /a Foo cannot be given to Lua$/],
    ] as const) {
      assert.throws(() => lua.globals.set("x", there(made)), { name: "TypeError", message: text }, made);
    }
    await lua.close();
  });

  test("options", async () => {
    const seen: string[] = [];
    const options = there<object>(
      `{
        modules: new Map([["m", "return 'of a Map'"], ["n.lua", Uint8Array.from([114, 101, 116, 117, 114, 110, 32, 50])]]),
        stdin: () => Uint8Array.from([104, 105, 10]),
        functions: { add: (a, b) => a + b },
        sandbox: { libs: ["package", "io", "host"] },
        stdout: (text) => seen.push(text),
        memoryLimit: 2 ** 21,
      }`,
      { seen },
    );
    const lua = await Lua.create(options);
    assert.deepEqual(lua.evalAll("print(add(1, 2)) return require('m'), require('n'), io.read()"), [
      "of a Map",
      2,
      "hi",
    ]);
    assert.deepEqual(seen, ["3\n"]);
    assert.equal(lua.eval("return x", there(`{ env: new Map([["x", 7]]), timeout: 1000 }`)), 7);
    const controller = there<AbortController>("new AbortController()");
    controller.abort("enough");
    await assert.rejects(lua.evalAsync("return 1", { signal: controller.signal }), { name: "LuaInterruptError" });
    await lua.close();
  });

  test("images and dumps", async () => {
    const lua = await Lua.create();
    lua.table("t").set("x", 1);
    const copy = (bytes: Uint8Array, kind: string) =>
      there<Uint8Array>(kind === "view" ? "Uint8Array.from(list)" : "Uint8Array.from(list).buffer", {
        list: [...bytes],
      });
    for (const kind of ["view", "buffer"]) {
      const other = await Lua.create();
      other.load(copy(lua.dump(), kind));
      assert.equal(other.table("t").get("x"), 1);
      const restored = await Lua.restore(copy(lua.snapshot(), kind));
      assert.equal(restored.table("t").get("x"), 1);
      await other.close();
      await restored.close();
    }
    lua.table("t").setMany(there(`new Map([["a", 1]])`));
    lua.table("t").setMany(there(`{ b: 2 }`));
    lua.table("t").setMany(there(`[["c", 3]]`));
    assert.deepEqual(lua.table("t").size, 4);
    await lua.close();
  });

  test("the wasm module: bytes, a Response of a library, a URL", async () => {
    const bytes = readFileSync("dist/perilune.wasm");
    const sources: unknown[] = [
      there("Uint8Array.from(list)", { list: bytes }),
      there("Uint8Array.from(list).buffer", { list: bytes }),
      // As node-fetch, and others that stand in for the platform's.
      {
        ok: true,
        headers: new Map([["content-type", "application/wasm"]]),
        arrayBuffer: async () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      },
      there("new URL(address)", { address: new URL(`file://${process.cwd()}/dist/perilune.wasm`).href }),
    ];
    for (const wasm of sources) {
      const lua = await Lua.create({ wasm: wasm as Uint8Array<ArrayBuffer> });
      assert.equal(lua.eval("return 1"), 1);
      await lua.close();
    }
  });
});

suite("nothing that Lua makes is taken for something else", () => {
  test("whatever its fields are called", async () => {
    const lua = await Lua.create();
    const seen: unknown[] = [];
    lua.register("see", (value: unknown) => void seen.push(value));
    lua.eval(`
      see { name = "TypeError", message = "m", stack = "s", code = "x" }
      see { size = 0, get = 1, set = 2, entries = 3 }
      see { byteLength = 3, byteOffset = 0, buffer = {} }
      see { href = "file:///x", protocol = "file:" }
      see { [1.5] = 1, size = 1 }
    `);
    for (const value of seen) {
      assert.equal(isError(value), false);
      assert.equal(isUint8Array(value) || bytesIn(value) !== undefined || isDate(value), false);
    }
    assert.deepEqual(
      seen.map((value) => isMap(value)),
      [false, false, false, false, true],
    );
    await lua.close();
  });

  test("brands ask for what a value is, not for what it calls itself", () => {
    for (const forged of [
      { [Symbol.toStringTag]: "Error" },
      { [Symbol.toStringTag]: "Map" },
      { [Symbol.toStringTag]: "Uint8Array" },
      Object.create(Map.prototype),
      Object.create(Uint8Array.prototype),
      Object.create(Date.prototype),
    ] as object[]) {
      const kinds = [isError, isMap, isUint8Array, isDate].map((is) => is(forged));
      assert.deepEqual(kinds, [false, false, false, false]);
    }
    // Classes below, with tags of their own, as libraries have.
    class FetchError extends there<typeof Error>("Error") {
      get [Symbol.toStringTag](): string {
        return "FetchError";
      }
    }
    assert.equal(isError(new FetchError("x")), true);
    assert.equal(isError(there("new DOMException('x', 'AbortError')")), true);
    assert.equal(isError(new LuaError("bug", "x")), true);
    assert.equal(isErrorOf(there("new RangeError('x')"), "RangeError"), true);
    assert.equal(isErrorOf(there("new RangeError('x')"), "TypeError"), false);
    assert.equal(isErrorOf({ name: "TypeError" }, "TypeError"), false);
    assert.deepEqual(
      [isPlain(there("{}")), isPlain(there("new (class {})()")), isPlain(there("new Map()"))],
      [true, false, false],
    );
    assert.deepEqual(
      ["{}", "new Map()", "[]", "null", "5", "() => 1", "new Date(0)"].map((made) => isOptionsObject(there(made))),
      [true, false, false, false, false, false, false],
    );
  });
});
