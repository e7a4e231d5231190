/** Capsules with files in a browser: they are there after a reload, and tabs share them. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import type { Capsule, Open } from "./capsule_main.ts";
import { setUp, type Setup } from "./browser.ts";

declare const capsule: Capsule;
declare const open: Open;

suite("a capsule in a browser", () => {
  let setup: Setup;

  before(async () => {
    setup = await setUp({ script: "capsule_main.ts" });
  });

  after(() => setup.close());

  test("is there after a reload", async () => {
    const page = await setup.open();
    const first = await page.evaluate(async () => {
      const db = new capsule.GlyphCase("reload.db");
      await db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text)");
      const key = await db.insert("notes", { text: "kept" });
      const { files, journal, survives, quota } = await db.durability();
      return { key, files, journal, survives, quota };
    });
    const { quota, ...facts } = first;
    assert.deepEqual(facts, { key: 1, files: "opfs", journal: "wal", survives: "crash" });
    assert.equal(typeof quota, "number");
    await page.reload();
    await page.waitForFunction(() => "ready" in globalThis);
    const rows = await page.evaluate(async () => {
      const db = new capsule.GlyphCase("reload.db");
      const rows = await db.query("SELECT * FROM notes");
      await db.close();
      return rows;
    });
    assert.deepEqual(rows, [{ id: 1, text: "kept" }]);
    await page.close();
  });

  test("is one for all tabs", async () => {
    const [first, second] = [await setup.open(), await setup.open()];
    const openIn = (page: Page) =>
      page.evaluate(async () => {
        const leads: boolean[] = [];
        const errors: string[] = [];
        const db = new capsule.GlyphCase("shared.db", {
          schema: {
            tables: [
              {
                name: "tasks",
                columns: [
                  { name: "id", type: "INTEGER", primary: true },
                  { name: "title", type: "TEXT", notNull: true },
                  { name: "data", type: "BLOB" },
                ],
              },
            ],
          },
        });
        db.on("leader", ({ isLeader }) => void leads.push(isLeader));
        db.on("error", (error) => void errors.push(error.message));
        open["db"] = db;
        const heard: unknown[] = [];
        const watcher = db.watch("tasks");
        db.subscribe(watcher, (events) => heard.push(...events));
        const live = db.live("SELECT title FROM tasks ORDER BY title");
        const sent: unknown[] = [];
        db.getEventBus().on("told", (payload) => sent.push(payload));
        Object.assign(globalThis, { heard, live, sent, leads, errors });
        await db.ready;
        await watcher.ready;
        return leads;
      });
    assert.deepEqual(await openIn(first), [true]);
    assert.deepEqual(await openIn(second), [false]);

    // What one writes the other hears as an event of the same kind, with the names of Lua, too.
    await second.evaluate(async () => {
      await open["db"]!.insert("tasks", { title: "b", data: new Uint8Array([1, 2]) });
      await open["db"]!.transaction(async (tx) => {
        await tx.insert("tasks", { title: "a" });
        await tx.update("tasks", 1, { title: "c" });
      });
    });
    for (const page of [first, second]) {
      await page.waitForFunction(
        () => (globalThis as any).heard.length === 3 && (globalThis as any).live.rows.length === 2,
      );
      const told = await page.evaluate(() => {
        const { heard, live, errors } = globalThis as any;
        return {
          events: heard.map((event: any) => [
            event.operation,
            event.new_data.title,
            event.rowId,
            event.timestamp instanceof Date,
          ]),
          data: [...heard[0].newData.data],
          rows: live.rows,
          errors,
        };
      });
      assert.deepEqual(told, {
        events: [
          ["INSERT", "b", 1, true],
          ["INSERT", "a", 2, true],
          ["UPDATE", "c", 1, true],
        ],
        data: [1, 2],
        rows: [{ title: "a" }, { title: "c" }],
        errors: [],
      });
    }

    // Errors are those of a capsule in this thread.
    const errors = await second.evaluate(async () => {
      const failure = async (work: () => Promise<unknown>) => {
        try {
          await work();
        } catch (error) {
          const { kind, code, sql, message, cause } = error as any;
          const caught = error instanceof capsule.CapsuleError;
          return { kind, code, sql, message, caught, lua: cause instanceof capsule.LuaError };
        }
        return undefined;
      };
      const db = open["db"]!;
      return [
        await failure(() => db.query("SELECT nothing FROM tasks")),
        await failure(() => db.insert("tasks", { id: 1, title: "again" })),
        await failure(() => db.executeLua("error('oops')")),
        await failure(() => db.execute("BEGIN")),
        await failure(() => db.insert("tasks", { title: (() => 1) as never })),
        await failure(() => db.executeLua("return print")),
        await failure(() => db.transaction(async () => Promise.reject(new TypeError("mine")))),
      ];
    });
    assert.deepEqual(
      errors.map((error) => [error?.kind, error?.caught, error?.lua]),
      [
        ["sql", true, false],
        ["constraint", true, false],
        ["lua", true, true],
        ["usage", true, false],
        ["usage", true, false],
        ["usage", true, false],
        [undefined, false, false],
      ],
    );
    assert.equal(errors[0]?.sql, "SELECT nothing FROM tasks");
    assert.match(String(errors[1]?.code), /^SQLITE_CONSTRAINT/);

    // Functions of a page, and the bus.
    const results = await second.evaluate(async () => {
      const db = open["db"]!;
      await db.registerLuaFunction("double", async (n: number) => n * 2);
      const doubled = await db.executeLua("return double(21)");
      await db.executeLua(
        "glyphcase.dispatch('told', { n = 1 }) function validate_insert(t, row) if t == 'tasks' and row.title == 'ask' then return double(1) == 2 end end",
      );
      let hook = "";
      try {
        await db.insert("tasks", { title: "ask" });
      } catch (error) {
        hook = (error as Error).message;
      }
      const undone = await db.undo((globalThis as any).heard[2].transactionId);
      return {
        doubled,
        hook,
        undone,
        previewed: (await db.preview(async (tx) => tx.delete("tasks", 1))).map(({ old_data }) => old_data?.["title"]),
      };
    });
    assert.equal(results.doubled, 42);
    assert.notEqual(results.hook, "");
    assert.deepEqual(results.undone, { undone: true, rows: 2 });
    assert.deepEqual(results.previewed, ["b"]);
    await first.waitForFunction(() => (globalThis as any).sent.length === 1);

    // Another database in its place, and everything goes on with it.
    await second.evaluate(async () => {
      const bytes = await open["db"]!.export();
      await open["db"]!.insert("tasks", { title: "later" });
      await open["db"]!.import(bytes);
    });
    await first.waitForFunction(() => (globalThis as any).live.rows.length === 1);
    await first.evaluate(() => open["db"]!.insert("tasks", { title: "after" }));
    await second.waitForFunction(() => (globalThis as any).heard.at(-1).newData.title === "after");

    // When the leader closes, the other one leads.
    await first.evaluate(() => open["db"]!.close());
    await second.waitForFunction(() => (globalThis as any).leads.at(-1) === true);
    const titles = await second.evaluate(async () => {
      await open["db"]!.insert("tasks", { title: "alone" });
      return await open["db"]!.query("SELECT title FROM tasks ORDER BY id");
    });
    assert.deepEqual(titles, [{ title: "b" }, { title: "after" }, { title: "alone" }]);
    await second.waitForFunction(() => (globalThis as any).heard.at(-1).newData.title === "alone");
    assert.deepEqual(await second.evaluate(() => (globalThis as any).errors), []);
    await Promise.all([first.close(), second.close()]);
  });

  test("is full at the quota, and has room again when something is deleted", async () => {
    const page = await setup.open();
    const session = await page.context().newCDPSession(page);
    const override = async (more: number) => {
      const { usage } = await session.send("Storage.getUsageAndQuota", { origin: setup.origin });
      await session.send("Storage.overrideQuotaForOrigin", { origin: setup.origin, quotaSize: usage + more });
    };
    await page.evaluate(async () => {
      // Without its log, in which what is deleted is kept for a while.
      const db = new capsule.GlyphCase("full.db", { capsule: { enabled: false } });
      open["db"] = db;
      await db.execute("CREATE TABLE blobs(id INTEGER PRIMARY KEY, data BLOB)");
      await db.insert("blobs", { data: new Uint8Array(1000) });
    });
    await override(8 * 1024 * 1024);
    const found = await page.evaluate(async () => {
      const db = open["db"]!;
      const data = new Uint8Array(512 * 1024).fill(7);
      let kind = "";
      let acknowledged = 1;
      while (kind === "") {
        try {
          await db.insert("blobs", { data });
          acknowledged += 1;
        } catch (error) {
          kind = (error as { kind: string }).kind;
        }
      }
      const count = await db.queryScalar("SELECT count(*) FROM blobs");
      await db.execute("DELETE FROM blobs WHERE id > 1");
      await db.insert("blobs", { data: new Uint8Array(1000) });
      const check = await db.queryScalar("PRAGMA integrity_check");
      return { kind, acknowledged, count, check, after: await db.queryScalar("SELECT count(*) FROM blobs") };
    });
    assert.equal(found.kind, "full");
    assert.equal(found.count, found.acknowledged);
    assert.deepEqual([found.check, found.after], ["ok", 2]);
    await session.send("Storage.overrideQuotaForOrigin", { origin: setup.origin });
    await page.close();
  });

  test("has no files where the browser gives none, and is in memory if that is wanted", async () => {
    const page = await setup.open();
    const found = await page.evaluate(async () => {
      const worker = () => new Worker("/without_files.js", { type: "module" });
      const refused = new capsule.GlyphCase("none.db", { worker });
      const kind = await refused.ready.catch((error: { kind: string }) => error.kind);
      const warnings: string[] = [];
      const db = new capsule.GlyphCase("none.db", { worker, fallback: "memory" });
      db.on("warning", ({ message }) => void warnings.push(message));
      const { files } = await db.durability();
      await db.close();
      return { kind, files, warnings: warnings.length };
    });
    assert.deepEqual(found, { kind: "unsupported", files: "memory", warnings: 1 });
    await page.close();
  });
});
