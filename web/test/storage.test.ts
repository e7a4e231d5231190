/**
 * The contract of every storage, over those that Node has; and a storage object that fails at every place it
 * can.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { fileStorage } from "../src/storage/file/storage.ts";
import { Lua, LuaStorageError, setFileStorage } from "../src/index.ts";
import { RecordBackend } from "./record_backend.ts";
import { PARTS } from "./storage_conformance.ts";

// As the entry for Node does.
setFileStorage(fileStorage);

suite("a storage object keeps the contract", () => {
  for (const [name, part] of PARTS) {
    test(name, () => part({ Lua, options: { storage: new RecordBackend() }, shared: false }));
  }
});

suite("a storage object that is slow keeps the contract", () => {
  for (const [name, part] of PARTS) {
    test(name, async () => {
      const storage = new RecordBackend();
      let taken = 0;
      storage.between = () => (++taken % 16 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined);
      await part({ Lua, options: { storage }, shared: false });
    });
  }
});

suite("a file keeps the contract", () => {
  const folder = mkdtempSync(join(tmpdir(), "perilune-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const durability of ["relaxed", "strict"] as const) {
    for (const [index, [name, part]] of PARTS.entries()) {
      const storage = `file:${join(folder, `${durability}-${index}`)}`;
      test(`${name} (${durability})`, () => part({ Lua, options: { storage, durability }, shared: true }));
    }
  }
});

/** Fails once, at the n-th of everything it does: a load, a commit, a record that it takes, a close. */
class FailingOnce extends RecordBackend {
  #left;
  failed = false;

  constructor(n: number) {
    super();
    this.#left = n;
    this.between = () => this.#step("record");
    this.fails = () => {
      this.#step("commit");
      return false;
    };
  }

  override async load(visit: (key: string, bytes: Uint8Array) => void): Promise<void> {
    this.#step("load");
    await super.load(visit);
    this.#step("loaded");
  }

  override close(): void {
    super.close();
    this.#step("close");
  }

  #step(what: string): void {
    if (--this.#left !== 0) return;
    this.failed = true;
    throw Object.assign(new Error(`${what} fails`), { code: "quota" });
  }
}

test("whatever fails is heard of, and nothing is lost, at every place where it can happen", async () => {
  const scripts = [
    "local t = ext.table('t') for i = 1, 200 do t[i] = i end",
    "local t = ext.table('t') for i = 1, 150 do t[i] = nil end t.large = ('x'):rep(3000)",
    "ext.transaction(function() ext.drop('t') ext.table('u').a = 1 end)",
    "ext.table('t').again = { 1, 2, 3 } ext.table('u').a = nil",
  ];
  let n = 0;
  for (let failing = true; failing;) {
    const storage = new FailingOnce(++n);
    const errors: unknown[] = [];
    /** Tries until it works, which is the second time. */
    const insist = async <T>(work: () => Promise<T>): Promise<T> =>
      work().catch((error: unknown) => {
        assert.ok(error instanceof LuaStorageError && error.code === "quota", `n = ${n}: ${String(error)}`);
        errors.push(error);
        return work();
      });
    const lua = await insist(() => Lua.create({ storage }));
    lua.on("storage-error", () => {});
    const model = await Lua.create();
    for (const script of scripts) {
      for (const each of [lua, model]) each.eval(script);
      await insist(() => lua.flush());
      assert.equal(await storage.image(), await imageOf(model), `n = ${n}`);
    }
    await insist(() => lua.close());
    const again = await insist(() => Lua.create({ storage }));
    assert.deepEqual(again.dump({ format: "json" }), model.dump({ format: "json" }), `n = ${n}`);
    await insist(() => again.close());
    await model.close();
    failing = storage.failed;
    assert.equal(errors.length, failing ? 1 : 0, `n = ${n}: it was heard of once`);
  }
  assert.ok(n > 30, `${n} places`);
});

/** Returns the image of a database with the same tables. */
async function imageOf(lua: Lua): Promise<string> {
  const storage = new RecordBackend();
  const copy = await Lua.create({ storage });
  copy.load(lua.dump());
  await copy.close();
  return storage.image();
}

test("a memory storage keeps what can be asked of it", async () => {
  // It does not outlive its Lua: the parts that open it again are not for it.
  const lua = await Lua.create({ storage: "memory://" });
  lua.eval("ext.table('t').a = 1");
  await lua.flush();
  assert.equal(lua.stats().storage.state, "none");
  await lua.close();
});
