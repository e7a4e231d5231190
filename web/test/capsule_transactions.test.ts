/**
 * Transactions of JavaScript: what belongs to them, in which order things happen, and every way in which they
 * end.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ChangeEvent, GlyphCase, GlyphCaseOptions, Transaction } from "../src/capsule/index.ts";
import { errorsOf, failure, open, openSync } from "./capsules.ts";

async function withItems(options: Partial<GlyphCaseOptions> = {}): Promise<GlyphCase> {
  const db = open(options);
  await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)");
  return db;
}

const names = async (db: Pick<GlyphCase, "query">) =>
  (await db.query<{ name: string }>("SELECT name FROM items ORDER BY id")).map(({ name }) => name);

/** A promise, and the function that resolves it. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

suite("what belongs to a transaction", () => {
  test("calls on its object do, and others wait", async () => {
    await using db = await withItems();
    const waits = gate();
    const done = db.transaction(async (tx) => {
      await tx.insert("items", { name: "within" });
      await waits.promise;
      assert.deepEqual(await names(tx), ["within"]);
      await tx.insert("items", { name: "within, too" });
      return "result";
    });
    const other = db.insert("items", { name: "after" });
    const count = db.queryScalar("SELECT count(*) FROM items");
    waits.open();
    assert.equal(await done, "result");
    await other;
    assert.equal(await count, 3);
    assert.deepEqual(await names(db), ["within", "within, too", "after"]);
  });

  test("to a function without a parameter belongs everything on the object", async () => {
    await using db = await withItems();
    const begun = gate();
    const waits = gate();
    const done = db.transaction(async () => {
      await db.insert("items", { name: "within" });
      begun.open();
      await waits.promise;
      throw new Error("no");
    });
    await begun.promise;
    await db.insert("items", { name: "of somebody else" });
    waits.open();
    await assert.rejects(done, /^Error: no$/);
    assert.deepEqual(await names(db), []);
  });

  test("what was called and not awaited has ended before the commit", async () => {
    await using db = await withItems();
    await db.transaction((tx) => {
      void tx.insert("items", { name: "one" });
      void tx.insert("items", { name: "two" });
    });
    assert.deepEqual(await names(db), ["one", "two"]);
  });

  test("after its end nothing gets through its object", async () => {
    await using db = await withItems();
    let kept!: Transaction;
    await db.transaction(async (tx) => void (kept = tx));
    const { kind, message } = await failure(() => kept.insert("items", { name: "late" }));
    assert.equal(kind, "usage");
    assert.match(message, /this transaction has ended/);
    await db.transaction(async () => {});
    await db.insert("items", { name: "outside" });
  });

  test("many callers at once: each is whole", async () => {
    await using db = await withItems();
    const callers = Array.from({ length: 20 }, (_, caller) =>
      db
        .transaction(async (tx) => {
          await tx.insert("items", { name: `${caller} a` });
          await null;
          await tx.insert("items", { name: `${caller} b` });
          if (caller % 3 === 0) throw new Error("taken back");
        })
        .catch(() => {}),
    );
    await Promise.all(callers);
    const expected = Array.from({ length: 20 }, (_, caller) => caller)
      .filter((caller) => caller % 3 !== 0)
      .flatMap((caller) => [`${caller} a`, `${caller} b`]);
    assert.deepEqual(await names(db), expected);
  });

  test("subscribers get one batch", async () => {
    await using db = await withItems();
    const batches: ChangeEvent[][] = [];
    db.subscribe(db.watch("items"), (events) => void batches.push(events));
    await db.transaction(async (tx) => {
      for (const name of ["a", "b", "c"]) await tx.insert("items", { name });
      await tx.delete("items", 1);
    });
    await db.flush();
    assert.deepEqual(
      batches.map((events) => events.map(({ newData }) => newData["name"] as string)),
      [["b", "c"]],
    );
  });

  test("its functions are checked", async () => {
    await using db = await withItems();
    const { kind, message } = await failure(() => db.transaction(5 as never));
    assert.equal(kind, "usage");
    assert.match(message, /transaction takes a function, not a number/);
  });
});

suite("transactions within transactions", () => {
  test("are savepoints", async () => {
    await using db = await withItems();
    await db.transaction(async (tx) => {
      await tx.insert("items", { name: "outer" });
      await assert.rejects(
        tx.transaction(async (inner) => {
          await inner.insert("items", { name: "inner" });
          throw new Error("inner");
        }),
        /inner/,
      );
      await tx.transaction(async (inner) => void (await inner.insert("items", { name: "kept" })));
    });
    assert.deepEqual(await names(db), ["outer", "kept"]);
  });

  test("without parameters, too", async () => {
    await using db = await withItems();
    await db.transaction(async () => {
      await db.insert("items", { name: "outer" });
      await db.transaction(async () => void (await db.insert("items", { name: "inner" })));
      await assert.rejects(
        db.transaction(async () => {
          await db.insert("items", { name: "gone" });
          throw new Error("inner");
        }),
        /inner/,
      );
      await db.insert("items", { name: "last" });
    });
    assert.deepEqual(await names(db), ["outer", "inner", "last"]);
  });

  test("scripts within belong to them", async () => {
    await using db = await withItems();
    await assert.rejects(
      db.transaction(async (tx) => {
        await tx.executeLua(`glyphcase.transaction(function() glyphcase.insert("items", { name = "lua" }) end)`);
        throw new Error("no");
      }),
      /no/,
    );
    assert.deepEqual(await names(db), []);
  });

  test("a script that fails within takes back its own part only", async () => {
    await using db = await withItems();
    await db.transaction(async (tx) => {
      await tx.insert("items", { name: "kept" });
      const failed = await failure(() =>
        tx.executeLua(`glyphcase.transaction(function() glyphcase.insert("items", { name = "x" }) error("no") end)`),
      );
      assert.equal(failed.kind, "lua");
    });
    assert.deepEqual(await names(db), ["kept"]);
  });
});

suite("ends of transactions", () => {
  test("one that is open too long is rolled back, and its function cannot write any more", async (t) => {
    await using db = await withItems();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const waits = gate();
    let late: unknown;
    let begun!: () => void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const done = db.transaction(async (tx) => {
      await tx.insert("items", { name: "too long" });
      begun();
      await waits.promise;
      late = await tx.insert("items", { name: "later" }).catch((error: unknown) => error);
    });
    await hasBegun;
    t.mock.timers.tick(4_999);
    t.mock.timers.tick(1);
    const { kind, message } = await failure(() => done);
    assert.equal(kind, "timeout");
    assert.match(message, /open for more than 5000 ms, and was rolled back/);
    assert.deepEqual(await names(db), []);
    waits.open();
    await db.insert("items", { name: "next" });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((late as { kind: string }).kind, "timeout");
    assert.deepEqual(await names(db), ["next"]);
  });

  test("what one without a parameter still calls is refused, not done outside", async (t) => {
    await using db = await withItems({ transactionTimeout: 50 });
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const waits = gate();
    let begun!: () => void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    let late: unknown;
    const done = db.transaction(async () => {
      await db.insert("items", { name: "first half" });
      begun();
      await waits.promise;
      late = await db.insert("items", { name: "second half" }).catch((error: unknown) => error);
    });
    await hasBegun;
    t.mock.timers.tick(50);
    await assert.rejects(done, /50 ms/);
    assert.equal((await failure(() => db.query("SELECT 1"))).kind, "timeout");
    waits.open();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((late as { kind: string }).kind, "timeout");
    assert.deepEqual(await names(db), []);
  });

  test("a commit that a hook refuses takes everything back", async () => {
    await using db = await withItems();
    await db.executeLua(`function before_commit(events) if #events > 1 then error("too many") end end`);
    const { kind, message } = await failure(() =>
      db.transaction(async (tx) => {
        await tx.insert("items", { name: "a" });
        await tx.insert("items", { name: "b" });
      }),
    );
    assert.equal(kind, "veto");
    assert.match(message, /too many/);
    assert.deepEqual(await names(db), []);
    await db.insert("items", { name: "alone" });
  });

  test("a statement that fails leaves the transaction as it is", async () => {
    await using db = await withItems();
    await db.transaction(async (tx) => {
      await tx.insert("items", { id: 1, name: "a" });
      assert.equal((await failure(() => tx.insert("items", { id: 1 }))).kind, "constraint");
      await tx.insert("items", { name: "b" });
    });
    assert.deepEqual(await names(db), ["a", "b"]);
  });

  test("timers of scripts wait for the end", async (t) => {
    t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000 });
    await using db = await withItems({ transactionTimeout: Infinity });
    await db.executeLua(`scheduler.after(20, function() glyphcase.insert("items", { name = "timer" }) end)`);
    await assert.rejects(
      db.transaction(async (tx) => {
        await tx.insert("items", { name: "tx" });
        t.mock.timers.tick(100);
        assert.deepEqual(await names(tx), ["tx"]);
        throw new Error("no");
      }),
    );
    await db.stats();
    t.mock.timers.tick(1);
    assert.deepEqual(await names(db), ["timer"]);
  });
});

suite("previews and undoing", () => {
  test("a preview says what would change, and changes nothing", async () => {
    await using db = await withItems();
    await db.insert("items", { name: "there" });
    const changes = await db.preview(async (tx) => {
      await tx.update("items", 1, { name: "else" });
      await tx.insert("items", { name: "new" });
    });
    assert.deepEqual(
      changes.map(({ operation, tableName, rowId, oldData, newData }) => [
        operation,
        tableName,
        rowId,
        oldData,
        newData,
      ]),
      [
        ["UPDATE", "items", 1, { id: 1, name: "there" }, { id: 1, name: "else" }],
        ["INSERT", "items", 2, undefined, { id: 2, name: "new" }],
      ],
    );
    assert.deepEqual(await names(db), ["there"]);
    await assert.rejects(
      db.preview(async () => {
        throw new Error("no");
      }),
      /no/,
    );
    await db.insert("items", { name: "next" });
  });

  test("a transaction is undone, and done again; or it is said what is in the way", async () => {
    await using db = await withItems();
    const ids: string[] = [];
    db.subscribe(db.watch("items"), (events) => void ids.push(...events.map(({ transactionId }) => transactionId)));
    await db.insert("items", { name: "there" });
    await db.flush();
    const [id = ""] = ids;
    assert.deepEqual(await db.undo(id), { undone: true, rows: 1 });
    assert.deepEqual(await names(db), []);
    await db.flush();
    assert.deepEqual(await db.undo(ids[1] ?? ""), { undone: true, rows: 1 });
    await db.update("items", 1, { name: "changed" });
    const blocked = await db.undo(id);
    assert.equal(blocked.undone, false);
    assert.equal((await failure(() => db.undo("nonsense"))).kind, "usage");
    assert.match((await failure(() => db.undo("other-5"))).message, /of another device/);
    assert.match((await failure(() => db.undo(`${id.split("-")[0]}-99999`))).message, /no transaction 99999/);
  });
});

suite("scripts that wait", () => {
  test("let others go on, and go on when no transaction of others is open", async () => {
    await using db = await withItems();
    const waits = gate();
    await db.registerLuaFunction("wait", async () => await waits.promise);
    const script = db.executeLua(`wait() glyphcase.insert("items", { name = "script" }) return "ended"`);
    await db.insert("items", { name: "meanwhile" });
    const inTransaction = gate();
    const failed = db.transaction(async (tx) => {
      await tx.insert("items", { name: "taken back" });
      waits.open();
      await inTransaction.promise;
      throw new Error("no");
    });
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    inTransaction.open();
    await assert.rejects(failed, /no/);
    assert.equal(await script, "ended");
    assert.deepEqual(await names(db), ["meanwhile", "script"]);
  });

  test("within a transaction end before it", async () => {
    await using db = await withItems();
    await db.registerLuaFunction("later", async (n: number) => n + 1);
    await assert.rejects(
      db.transaction((tx) => {
        void tx.executeLua(`glyphcase.insert("items", { name = "x" .. later(1) })`).catch(() => {});
        void tx.executeLua(`later(1) later(2) glyphcase.insert("items", { name = "y" })`).then(
          () => {},
          () => {},
        );
        return Promise.reject(new Error("no"));
      }),
      /no/,
    );
    assert.deepEqual(await names(db), []);
  });

  test("cannot wait in a transaction of Lua, and say so", async () => {
    await using db = await withItems();
    await db.registerLuaFunction("later", async () => 1);
    const { kind, message } = await failure(() =>
      db.executeLua(`glyphcase.transaction(function() glyphcase.insert("items", { name = "x" }) later() end)`),
    );
    assert.equal(kind, "lua");
    assert.match(message, /wait/);
    assert.deepEqual(await names(db), []);
  });

  test("a function of JavaScript may call the capsule that called it", async () => {
    await using db = await withItems();
    const errors = errorsOf(db);
    await db.registerLuaFunction("from_js", async (name: string) => await db.insert("items", { name }));
    assert.equal(await db.executeLua(`return from_js("a") + from_js("b")`), 3);
    assert.deepEqual(await names(db), ["a", "b"]);
    assert.deepEqual(errors, []);
  });
});

suite("limits", () => {
  test("end a script, and take back what it has begun", async () => {
    await using db = await withItems({ sandbox: { fuel: 2_000_000 } });
    const { kind, error } = await failure(() =>
      db.executeLua(
        `glyphcase.transaction(function() glyphcase.insert("items", { name = "x" }) while true do end end)`,
      ),
    );
    assert.equal(kind, "timeout");
    assert.equal((error.cause as { reason: string }).reason, "fuel");
    assert.deepEqual(await names(db), []);
  });

  test("end an endless statement", async () => {
    await using db = await withItems({ sandbox: { fuel: 2_000_000 } });
    const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    assert.equal((await failure(() => db.query(endless))).kind, "timeout");
    assert.deepEqual(await names(db), []);
  });

  test("of memory", async () => {
    await using db = open({ sandbox: { maxMemory: 8 * 1024 * 1024 } });
    const { kind } = await failure(() =>
      db.executeLua(`local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end`),
    );
    assert.equal(kind, "limit");
    assert.equal(await db.executeLua("return 1"), 1);
  });
});

suite("synchronously", () => {
  test("transactions and previews, whose functions cannot wait", async () => {
    const db = openSync();
    db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)");
    assert.equal(
      db.transaction(() => db.insert("items", { name: "a" })),
      1,
    );
    assert.throws(
      () =>
        db.transaction(() => {
          db.insert("items", { name: "b" });
          throw new Error("no");
        }),
      /no/,
    );
    const { kind, message } = await failure(() => db.transaction(async () => {}));
    assert.equal(kind, "usage");
    assert.match(message, /cannot wait/);
    assert.equal(db.preview(() => db.insert("items", { name: "c" })).length, 1);
    assert.equal(db.queryScalar("SELECT count(*) FROM items"), 1);
    await db.close();
    assert.equal((await failure(() => db.query("SELECT 1"))).kind, "closed");
  });
});
