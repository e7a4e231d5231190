/**
 * The worker of a capsule as a program bundles it: `perilune/capsule/worker` of the built package, in a file
 * of the program's own, with its module from elsewhere.
 */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import type { Capsule } from "./capsule_main.ts";
import { setUp } from "./browser.ts";

declare const capsule: Capsule;

test("a bundled worker serves two tabs, of which one goes", async () => {
  const { outputFiles } = await build({
    stdin: { contents: `import "perilune/capsule/worker"; globalThis.ofProgram = true;`, resolveDir: resolve(".") },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
  });
  const code = outputFiles[0]!.text;
  const setup = await setUp({ script: "capsule_main.ts", scripts: { "/assets/worker-1a2b.js": code } });
  const use = () => {
    const worker = () => new Worker("/assets/worker-1a2b.js", { type: "module" });
    const wasm = new URL("/dist/capsule.wasm", location.href).href;
    const db = new capsule.GlyphCase("bundled.db", { worker, wasm });
    Object.assign(globalThis, { db });
    return db.execute("CREATE TABLE IF NOT EXISTS t(x)").then(() => db.durability());
  };
  const [first, second] = [await setup.open(), await setup.open()];
  assert.equal((await first.evaluate(use)).files, "opfs");
  assert.equal((await second.evaluate(use)).files, "opfs");
  const add = () => (globalThis as any).db.executeLua("glyphcase.insert('t', { x = 1 })");
  await first.evaluate(add);
  await second.evaluate(add);
  await first.close();
  await second.evaluate(() => (globalThis as any).db.insert("t", { x: 2 }));
  assert.equal(await second.evaluate(() => (globalThis as any).db.queryScalar("SELECT count(*) FROM t")), 3);
  // Without its module beside it, it says so, in words.
  const message = await second.evaluate(async () => {
    const worker = () => new Worker("/assets/worker-1a2b.js", { type: "module" });
    const db = new capsule.GlyphCase("nowhere.db", { worker });
    return await db.ready.then(
      () => "",
      ({ kind, message }: { kind: string; message: string }) => `${kind}: ${message}`,
    );
  });
  assert.match(message, /^unsupported: the module of the capsule cannot be loaded/);
  await setup.close();
});
