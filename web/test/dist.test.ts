/** The built package, through its own exports: what npm will carry. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { SourceMap, type SourceMapping } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";

// Not what the compiler knows: these are the files in dist/.
const load = (path: string): Promise<any> => import(path);

/** The most bytes of what a page loads at first, compressed. */
const INDEX_GZIP_MAX = 41_900;

suite("perilune", () => {
  test("finds its module by itself", async () => {
    const { Lua } = await load("perilune");
    const lua = await Lua.create();
    assert.equal(lua.eval("return 1 + 1"), 2);
    assert.equal(Lua.name, "Lua");
    await lua.close();
  });

  test("takes the module from elsewhere", async () => {
    const { Lua } = await load("perilune");
    const file = new URL(import.meta.resolve("perilune/perilune.wasm"));
    const bytes = readFileSync(file);
    const response = () => new Response(bytes, { headers: { "content-type": "application/wasm" } });
    for (const wasm of [
      file,
      file.href,
      bytes,
      new WebAssembly.Module(bytes),
      response(),
      Promise.resolve(response()),
    ]) {
      const lua = await Lua.create({ wasm });
      assert.equal(lua.eval("return 1"), 1);
      await lua.close();
    }
  });

  test("has the capsule's module beside its own, which nothing of it asks for", async () => {
    const module = new WebAssembly.Module(readFileSync(new URL(import.meta.resolve("perilune/capsule.wasm"))));
    assert.equal(WebAssembly.Module.customSections(module, "perilune.build")[0]?.byteLength, 16);
    for (const entry of ["index", "lasting", "restoring", "node", "raw", "wasmoon", "whole", "workerd"]) {
      assert.doesNotMatch(readFileSync(`dist/${entry}.js`, "utf8"), /[cC]apsule/, entry);
    }
  });

  test("is small", async () => {
    const { gzipSync } = await import("node:zlib");
    const { fileURLToPath } = await import("node:url");
    const index = readFileSync(fileURLToPath(new URL("index.js", import.meta.resolve("perilune"))));
    assert.ok(gzipSync(index, { level: 9 }).length <= INDEX_GZIP_MAX);
    // What Node shows of it when an error is not caught.
    for (const line of index.toString().split("\n")) assert.ok(line.length < 5000);
  });

  test("has one file at first, and parts that are functions of what they share with it", async () => {
    const [index, lasting, restoring] = ["index", "lasting", "restoring"].map((name) =>
      readFileSync(`dist/${name}.js`, "utf8"),
    ) as [string, string, string];
    assert.doesNotMatch(index, /\bfrom"|\bimport"/);
    // Databases, and images that are read.
    assert.doesNotMatch(index, /indexedDB|these bytes are not an image/);
    assert.match(lasting, /indexedDB/);
    assert.match(restoring, /these bytes are not an image/);
    for (const part of [lasting, restoring]) {
      const [, stamp] = /^export function (part_[0-9a-f]{8})\(core\)\{/.exec(part) ?? [];
      assert.ok(stamp !== undefined && index.includes(`.${stamp}([`));
      assert.doesNotMatch(part, /\bimport\b/);
      // What an index without it would still have.
      assert.doesNotMatch(part, /class[^{]*extends Error/);
    }
  });

  test("loads a part once, and the whole has all of them", async () => {
    const [{ Lua: Part }, { Lua: Whole }] = await Promise.all([load("perilune"), load("../../../dist/whole.js")]);
    // One package: the whole stands on the same file.
    assert.equal(Part, Whole);
    const lua = await Whole.create({ storage: "idb://no" }).catch((error: Error) => error);
    assert.equal(lua.code, "unavailable");
    assert.match(lua.message, /IndexedDB/);
  });
});

suite("perilune/capsule", () => {
  test("finds its module by itself, and has files here", async () => {
    const { Capsule, CapsuleError, GlyphCase } = await load("perilune/capsule");
    const db = new GlyphCase(":memory:");
    assert.equal(await db.executeLua(`return glyphcase.queryScalar("SELECT 6 * 7")`), 42);
    await assert.rejects(db.query("SELECT * FROM nobody"), CapsuleError);
    await db.close();
    const sync = Capsule.openSync(":memory:");
    assert.equal(sync.queryScalar("SELECT 1"), 1);
    await sync.close();
    const folder = mkdtempSync(join(tmpdir(), "perilune-dist-"));
    try {
      const file = await Capsule.open(join(folder, "a.db"));
      assert.equal(file.durability().files, "file");
      await file.close();
      // Of the other copy of the class, which came with the files.
      const nowhere = new GlyphCase(join(folder, "no", "a.db"));
      nowhere.on("error", () => {});
      await assert.rejects(nowhere.query("SELECT 1"), CapsuleError);
    } finally {
      rmSync(folder, { recursive: true });
    }
    assert.deepEqual([GlyphCase.name, Capsule.name, CapsuleError.name], ["GlyphCase", "Capsule", "CapsuleError"]);
  });

  test("has an entry for pages without files, and one for React without React", () => {
    const page = readFileSync("dist/capsule.js", "utf8");
    assert.doesNotMatch(page, /"node:fs"[^,]/);
    // Bundlers would carry along what is named.
    assert.doesNotMatch(page, /"\.\/perilune\.wasm"/);
    const react = readFileSync("dist/react.js", "utf8");
    assert.match(react, /from"react"/);
    assert.ok(react.length < 3000);
  });
});

test("source maps are right on both sides of the comments that were put back", () => {
  for (const entry of ["index", "raw", "capsule"]) {
    const text = readFileSync(`dist/${entry}.js`, "utf8").split("\n");
    const map = new SourceMap(JSON.parse(readFileSync(`dist/${entry}.js.map`, "utf8")));
    const line = text.findIndex((found) => found.includes("/* webpackIgnore"));
    const sourceAt = (word: string) => {
      const at = text[line]?.indexOf(word, text[line].indexOf("/* webpackIgnore")) ?? -1;
      assert.ok(at >= 0, `${entry}.js: ${word}`);
      const { originalSource, originalLine, originalColumn } = map.findEntry(line, at) as SourceMapping;
      const source = readFileSync(`dist/${originalSource}`, "utf8").split("\n");
      return source[originalLine]?.slice(originalColumn) ?? "";
    };
    assert.match(sourceAt('["node:fs"'), /^\["node:fs", "promises"\]/);
    // The rest of the line is moved as far as the comments are long.
    assert.match(sourceAt('join("/")'), /^join\("\/"\)/);
    assert.match(sourceAt("readFile("), /^readFile\(address\)/);
  }
});

suite("perilune/raw", () => {
  test("is the interface of docs/codec.md", async () => {
    const { openRaw, Operation, Status, IO_BUFFER_BYTES } = await load("perilune/raw");
    const raw = await openRaw();
    assert.equal(raw.init(), Status.ok);
    assert.equal(raw.init(), Status.usage);
    assert.equal(raw.io_len(), IO_BUFFER_BYTES);
    const call = (bytes: Uint8Array, run: (length: number) => number) => {
      const at = raw.io_reserve(bytes.length);
      new Uint8Array(raw.memory.buffer).set(bytes, at);
      const length = run(bytes.length);
      const view = new DataView(raw.memory.buffer, raw.io_ptr());
      assert.equal(length, 16 + view.getUint32(8, true) + view.getUint32(12, true));
      return view;
    };
    const view = call(new TextEncoder().encode("return 42"), raw.eval);
    assert.equal(view.getUint8(0), Status.ok);
    assert.equal(view.getUint32(4, true), raw.io_ptr() + 16);
    assert.equal(view.getBigInt64(21, true), 42n);
    assert.equal(call(Uint8Array.of(9, 0, 0, 0), (n) => raw.request(Operation.globalGet, n)).getUint8(0), Status.value);
    assert.equal(call(Uint8Array.of(0, 0, 0, 0), (n) => raw.request(99, n)).getUint8(0), Status.usage);
    await raw.flush();
    await raw.close();
  });
});

suite("perilune/wasmoon", () => {
  test("runs what was written for wasmoon", async () => {
    const { LuaFactory } = await load("perilune/wasmoon");
    const engine = await new LuaFactory().createEngine({ openStandardLibs: true });
    engine.global.set("x", 1e300);
    assert.equal(await engine.doString("return x"), 1e300);
    assert.equal(engine.doStringSync("y = 'a\\0b' return y"), "a\0b");
    assert.equal(engine.global.get("y"), "a\0b");
    engine.global.set("f", async (n: number) => n + 1);
    assert.equal(await engine.doString("return f(1)"), 2);
    engine.global.set("d", new Date(5));
    assert.equal(await engine.doString("return d:getTime()"), 5);
    await assert.rejects(new LuaFactory().createEngine({ functionTimeout: null as never }), /functionTimeout/);
    // No second copy of what index has: it stands on it.
    assert.ok(readFileSync("dist/wasmoon.js").length < 17_600);
    engine.global.close();
    await assert.rejects(engine.doString("return 1"), { name: "LuaClosedError" });
  });
});

test("node: the entry stands on index, and only it knows files", async () => {
  const { fileURLToPath } = await import("node:url");
  assert.match(fileURLToPath(import.meta.resolve("perilune")), /dist\/node\.js$/);
  assert.match(readFileSync("dist/node.js", "utf8"), /from"\.\/index\.js"/);
  for (const entry of ["index", "lasting", "restoring", "node", "raw", "wasmoon", "whole", "workerd"]) {
    assert.doesNotMatch(readFileSync(`dist/${entry}.js`, "utf8"), /from"node:/, entry);
  }
  // Loaded when one is opened.
  assert.match(readFileSync("dist/file_storage.js", "utf8"), /from"node:fs/);
  assert.match(readFileSync("dist/node.js", "utf8"), /import\("\.\/file_storage\.js"\)/);
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  // It does its work by being imported.
  assert.ok(manifest.sideEffects.includes("./dist/node.js"));
});

test("workerd: the entry sets the module that the platform compiled", () => {
  const text = readFileSync("dist/workerd.js", "utf8");
  assert.match(text, /from"\.\/perilune\.wasm"/);
  assert.match(text, /from"\.\/index\.js"/);
  // It has all parts: nothing is loaded later from a script that is deployed as one.
  assert.match(text, /from"\.\/whole\.js"/);
});
