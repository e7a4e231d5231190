/** Refusals of Chromium, and limits of a page in it: the documented code or class, never a raw error. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { setUp, type Setup } from "./browser.ts";

suite("refusals", () => {
  let setup: Setup;
  before(async () => void (setup = await setUp()));
  after(() => setup.close());

  test("a page without an origin has no IndexedDB: unavailable, and falling back by the code works", async () => {
    const page = await setup.open("/sandboxed");
    const results = await page.evaluate(async () => {
      const refusal = async (options: object) => {
        const error = await perilune.Lua.create(options).then(
          () => undefined,
          (error: unknown) => error as { code: string; cause: unknown; name: string },
        );
        return [error?.name, error?.code, error?.cause instanceof DOMException && error.cause.name];
      };
      const storage = "idb://sandboxed";
      const here = (error: { code: string }) =>
        error.code === "unavailable" ? perilune.Lua.create() : Promise.reject(error);
      const lua = await perilune.Lua.create({ storage }).catch(here);
      return [
        self.origin,
        await refusal({ storage }),
        await refusal({ storage, readOnly: true }),
        lua.eval("return 6 * 7"),
      ];
    });
    const expected = ["LuaStorageError", "unavailable", "SecurityError"];
    assert.deepEqual(results, ["null", expected, expected, 42]);
    await page.close();
  });

  test("one VM too many is a LuaMemoryError, and there is room again when others are closed", async (context) => {
    const page = await setup.open();
    const { count, name, cause, again } = await page.evaluate(async () => {
      const all: import("../src/index.ts").Lua[] = [];
      let failure: { name?: string; cause?: { name?: string } } = {};
      while (all.length < 1000) {
        const one = await perilune.Lua.create().catch((error: unknown) => void (failure = error as object));
        if (one === undefined) break;
        all.push(one);
      }
      const count = all.length;
      for (const one of all.splice(0)) await one.close();
      let again: unknown;
      for (let round = 0; round < 100 && again === undefined; round++) {
        (globalThis as unknown as { gc(): void }).gc();
        await new Promise((resolve) => setTimeout(resolve));
        again = await perilune.Lua.create().then(
          (lua) => lua.eval("return 'again'"),
          () => undefined,
        );
      }
      return { count, name: failure.name, cause: failure.cause?.name, again };
    });
    context.diagnostic(`${count} VMs in one page`);
    assert.ok(count >= 100, `${count} VMs`);
    if (count < 1000) assert.deepEqual([name, cause], ["LuaMemoryError", "RangeError"]);
    assert.equal(again, "again");
    await page.close();
  });

  test("records of wrong types, or all gone, are damage", async () => {
    const page = await setup.open();
    const codes = await page.evaluate(async () => {
      const damages: Record<string, (records: IDBObjectStore, meta: IDBObjectStore) => void> = {
        "text for bytes": (records) => records.put({ k: "t1", v: "text" }),
        "no bytes": (records) => records.put({ k: "t1" }),
        "numbers for bytes": (records) => records.put({ k: "t1", v: [1, 2, 3] }),
        "a buffer for bytes": (records) => records.put({ k: "t1", v: new ArrayBuffer(8) }),
        "a number for a key": (records) => records.put({ k: 5, v: new Uint8Array(8) }),
        "a date for a key": (records) => records.put({ k: new Date(0), v: new Uint8Array(8) }),
        "all records gone": (records) => records.clear(),
        "the version as text": (_, meta) => meta.put({ name: "version", value: "one" }),
        "no version": (_, meta) => meta.delete("version"),
        "no format": (_, meta) => meta.delete("format"),
        "the format as text": (_, meta) => meta.put({ name: "format", value: "2" }),
        "everything gone": (records, meta) => {
          records.clear();
          meta.clear();
        },
      };
      const codes: Record<string, unknown> = {};
      for (const [name, damage] of Object.entries(damages)) {
        const storage = `idb://damage ${name}`;
        const lua = await perilune.Lua.create({ storage });
        lua.table("t").set("x", 1);
        await lua.close();
        const database = await new Promise<IDBDatabase>((resolve) => {
          const request = indexedDB.open(`perilune/damage ${name}`);
          request.onsuccess = () => resolve(request.result);
        });
        await new Promise<void>((resolve) => {
          const transaction = database.transaction(["records", "meta"], "readwrite");
          damage(transaction.objectStore("records"), transaction.objectStore("meta"));
          transaction.oncomplete = () => resolve();
        });
        database.close();
        const code = (options: object) =>
          perilune.Lua.create({ storage, ...options }).then(
            () => "opened",
            (error: { code: string }) => error.code,
          );
        codes[name] = [await code({}), await code({ readOnly: true })];
      }
      return codes;
    });
    for (const [name, found] of Object.entries(codes)) assert.deepEqual(found, ["corrupt", "corrupt"], name);
    assert.equal(Object.keys(codes).length, 12);
    await page.close();
  });

  test("a database whose tables were all dropped is empty, and no damage", async () => {
    const page = await setup.open();
    const tables = await page.evaluate(async () => {
      const storage = "idb://dropped";
      const found: string[][] = [];
      for (const code of [
        "ext.table('t').x = 1 ext.table('u').x = 1",
        "ext.drop('t')",
        "ext.drop('u')",
        "",
        "ext.table('v').x = 1",
        "",
      ]) {
        const lua = await perilune.Lua.create({ storage });
        lua.eval(code);
        await lua.close();
        const reader = await perilune.Lua.create({ storage, readOnly: true });
        found.push(reader.tables());
        await reader.close();
      }
      return found;
    });
    assert.deepEqual(tables, [["t", "u"], ["u"], [], [], ["v"], ["v"]]);
    await page.close();
  });
});
