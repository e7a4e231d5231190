/**
 * Answers of a capsule to everything that is wrong, with calls from within what it calls, with the ends of
 * its life, and with another database in its place.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  Capsule,
  CapsuleError,
  GlyphCase,
  LuaError,
  LuaSyntaxError,
  isCapsuleError,
  setFiles,
  type SchemaDefinition,
  type CapsuleErrorKind,
  type ChangeEvent,
  type LiveUpdate,
} from "../src/capsule/index.ts";
import { takeNodeFiles } from "../src/capsule/places_node.ts";
import { errorsOf, failure, open, openSync, wasm } from "./capsules.ts";

/** A schema that a table `t(x)` differs from. */
const WRONG: SchemaDefinition = { tables: [{ name: "t", columns: [{ name: "x", type: "TEXT", unique: true }] }] };

const folder = mkdtempSync(join(tmpdir(), "capsule-calls-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";

async function withItems(): Promise<GlyphCase> {
  const db = open({ sandbox: { fuel: 5_000_000, maxExecutionTime: Infinity } });
  await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER CHECK(n < 100))");
  return db;
}

/** Resolves when everything that was set off has happened. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

suite("what is wrong", () => {
  const CASES: [what: string, call: (db: GlyphCase) => unknown, kind: CapsuleErrorKind, message: RegExp][] = [
    ["an unknown table", (db) => db.query("SELECT * FROM nobody"), "sql", /no such table: nobody/],
    ["an unknown table of a row", (db) => db.insert("nobody", { a: 1 }), "sql", /no such table: nobody/],
    ["an unknown column", (db) => db.insert("items", { nope: 1 }), "sql", /no column named nope/],
    ["an unknown column of a query", (db) => db.query("SELECT nope FROM items"), "sql", /no such column: nope/],
    ["SQL that is none", (db) => db.execute("SELEKT"), "sql", /near "SELEKT": syntax error/],
    ["a parameter without a value", (db) => db.query("SELECT ?, ?", [1]), "usage", /2 parameters.* 1 value/],
    ["a value without a parameter", (db) => db.query("SELECT 1", [1]), "usage", /0 parameters/],
    ["a name without a value", (db) => db.query("SELECT :a", {}), "usage", /the parameter :a has no value/],
    ["a promise as a value", (db) => db.insert("items", { name: db.ready as never }), "usage", /await it first/],
    ["two statements in a query", (db) => db.query("SELECT 1; SELECT 2"), "usage", /one statement is expected/],
    ["a query without a statement", (db) => db.query("-- nothing"), "usage", /no statement/],
    ["a condition that ends its statement", (db) => db.deleteWhere("items", "0) OR (1", []), "usage", /no expression/],
    ["a filter that is no expression", (db) => db.watch("items", "1) OR (1").ready, "usage", /no expression/],
    ["a statement without an end", (db) => db.query(ENDLESS), "timeout", /^out of fuel after 5000000 ticks$/],
    ["a value that is there already", (db) => db.insert("items", { name: "there" }), "constraint", /items\.name/],
    ["a check", (db) => db.insert("items", { n: 100 }), "constraint", /CHECK/],
    ["a script that does not compile", (db) => db.executeLua("while true do"), "lua", /'end' expected/],
    ["a script that is none", (db) => db.executeLua(5 as never), "usage", /executeLua takes source, not a number/],
    ["an error of a script", (db) => db.executeLua("error('mine')"), "lua", /mine/],
    ["a function that is not there", (db) => db.callLuaFunction("nope"), "usage", /no function 'nope'/],
    ["a name that is none", (db) => db.callLuaFunction(5 as never), "usage", /a name must be a string/],
    ["a class as a function", (db) => db.registerLuaFunction("f", class {} as never), "usage", /class/],
    ["a value that Lua cannot have", (db) => db.callLuaFunction("print", new Date()), "usage", /Date/],
    [
      "a mod that does not compile",
      (db) => db.installMod({ name: "m", version: "1", files: { "a.lua": "x =" } }),
      "lua",
      /a\.lua/,
    ],
    ["a mod without files", (db) => db.installMod({ name: "m", version: "1" } as never), "usage", /"files" is missing/],
    ["an unknown mod", (db) => db.activateMod("nope"), "usage", /nope/],
    ["a function of an unknown mod", (db) => db.mod("nope").call("f"), "usage", /nope/],
    ["bytes that are no database", (db) => db.import(new Uint8Array(5000)), "corrupt", /no database/],
    ["something else than bytes", (db) => db.import("x" as never), "usage", /import takes the bytes of a database/],
    ["a file that does not belong here", (db) => db.execute("ATTACH 'x.db' AS x"), "usage", /ATTACH/],
    [
      "an event that does not exist",
      (db) => db.on("eror" as never, () => {}),
      "usage",
      /no event "eror"; there are error/,
    ],
    ["a listener that is none", (db) => db.subscribe("x", 5 as never), "usage", /subscribe takes a function/],
    ["a watcher that is none", (db) => db.subscribe({} as never, () => {}), "usage", /what watch has returned/],
    [
      "an unknown option of watch",
      (db) => db.watch("items", undefined, { key: 1 } as never),
      "usage",
      /option "key" is unknown/,
    ],
    [
      "a table twice",
      (db) =>
        db.migrate({
          tables: [
            { name: "a", columns: [{ name: "x", type: "TEXT" }] },
            { name: "A", columns: [{ name: "x", type: "TEXT" }] },
          ],
        }),
      "schema",
      /a/i,
    ],
    [
      "a part of a schema that does not exist",
      (db) => db.createTable("a", [{ name: "x", type: "TEXT", nonNull: true } as never]),
      "schema",
      /schema\.tables\[0\]\.columns\[0\] has an unknown part "nonNull"; it has name, type/,
    ],
    [
      "a type that does not exist",
      (db) => db.createTable("a", [{ name: "x", type: "STRING" as never }]),
      "schema",
      /STRING/,
    ],
    [
      "a table that differs",
      (db) => db.createTable("items", [{ name: "id", type: "TEXT", primary: true }]),
      "schema",
      /items/,
    ],
  ];

  for (const [what, call, kind, message] of CASES) {
    test(`${what} is said`, async () => {
      await using db = await withItems();
      // Some are told there, too.
      db.on("error", () => {});
      await db.insert("items", { name: "there" });
      const found = await failure(() => call(db));
      assert.match(found.message, message);
      assert.equal(found.kind, kind);
      assert.ok(found.error instanceof CapsuleError && isCapsuleError(found.error));
      assert.equal(found.error.name, "CapsuleError");
      // It is as before, and works.
      assert.equal(await db.queryScalar("SELECT count(*) FROM items"), 1);
    });
  }

  test("no text is a fault of the capsule, and none lets another statement run", async () => {
    await using db = await withItems();
    db.on("error", () => {});
    await db.insert("items", { name: "there" });
    const texts = ["", " ", ";", "--", "/*", "\ufeff", "(", ")", "1) OR (1", "'", '"', "[", "?", ":a", "NULL", "WHERE"];
    texts.push("items", "1; DELETE FROM items", "SELECT", "VALUES", "WITH", "EXPLAIN", "PRAGMA", "BEGIN; ROLLBACK");
    const row = { name: "there" };
    const calls: Record<string, (text: string) => unknown> = {
      query: (text) => db.query(text),
      queryOne: (text) => db.queryOne(text, []),
      queryScalar: (text) => db.queryScalar(text, [1]),
      named: (text) => db.query(text, { a: 1 }),
      // Not `execute` without parameters, whose text may be several statements.
      execute: (text) => db.execute(text, [1]),
      insert: (text) => db.insert(text, { [text]: 1 }),
      update: (text) => db.update(text, text, row),
      updateWhere: (text) => db.updateWhere("items", text, [], row),
      deleteOf: (text) => db.deleteWhere(text, "0", []),
      watch: (text) => db.watch(text).ready,
      filter: (text) => db.watch("items", text).ready,
      live: (text) => db.live(text).ready,
      table: (text) => db.createTable(text, [{ name: text, type: "TEXT", check: text }]),
      reference: (text) => db.createTable("other", [{ name: "a", type: "TEXT", references: text }]),
      lua: (text) => db.executeLua(`return glyphcase.query(${JSON.stringify(text)})`),
      functions: (text) => db.callLuaFunction(text),
      undo: (text) => db.undo(text),
      mod: (text) => db.installMod({ name: text, version: text, files: { [text]: text } }),
      uninstalled: (text) => db.uninstallMod(text),
    };
    for (const [name, call] of Object.entries(calls)) {
      for (const text of texts) {
        const error = await Promise.resolve()
          .then(() => call(text))
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        if (error === undefined) continue;
        assert.ok(isCapsuleError(error), `${name} ${text}: ${String(error)}`);
        assert.ok(error.kind !== "bug" && error.message !== "", `${name} ${text}: ${error.kind} ${error.message}`);
      }
      assert.equal(await db.queryScalar("SELECT count(*) FROM items"), 1, name);
    }
  });

  test("an error has what is known of it", async () => {
    await using db = await withItems();
    await db.insert("items", { name: "there" });
    const { error } = await failure(() => db.execute("INSERT INTO items(name) VALUES(?)", ["there"]));
    assert.equal(error.code, "SQLITE_CONSTRAINT_UNIQUE");
    assert.equal(error.sql, "INSERT INTO items(name) VALUES(?)");
    assert.equal(error.table, "items");
    assert.equal(error.retryable, false);
    const script = await failure(() => db.executeLua("x = = 1"));
    assert.ok(script.error.cause instanceof LuaSyntaxError && script.error.cause instanceof LuaError);
    const inner = await failure(() => db.executeLua(`glyphcase.insert("items", { name = "there" })`));
    assert.equal(inner.kind, "constraint");
    assert.equal(inner.error.code, "SQLITE_CONSTRAINT_UNIQUE");
  });

  test("a watcher of nothing is told by its promise and as an error; unwatching nothing is false", async () => {
    await using db = await withItems();
    const errors = errorsOf(db);
    const cases: [string, string | undefined, RegExp][] = [
      ["nobody", undefined, /nobody/],
      ["items", "name = (", /no expression/],
      ["items", "name =", /syntax/],
      ["items", "nope = 1", /nope/],
      ["SELECT * FROM nobody", undefined, /nobody/],
    ];
    for (const [target, filter, message] of cases) {
      const watcher = db.watch(target, filter);
      const subscription = db.subscribe(watcher, () => assert.fail("it tells nothing"));
      await assert.rejects(watcher.ready, message);
      await turn();
      assert.match(String(errors.shift()?.message), message);
      assert.equal(db.unsubscribe(subscription), false);
    }
    assert.equal(errors.length, 0);
    assert.equal(await db.unwatch("nothing"), false);
    const live = db.live("SELECT * FROM nobody");
    await assert.rejects(live.ready, /nobody/);
    assert.match(String(errors.shift()?.message), /nobody/);
  });

  test("options are refused by name", () => {
    const cases: [unknown, unknown, RegExp][] = [
      [undefined, undefined, /GlyphCase takes the name of a file, or options/],
      ["", undefined, /option "filename" must be the name of a file/],
      [{}, undefined, /option "filename" is missing/],
      [{ filename: "x", schemas: {} }, undefined, /option "schemas" is unknown/],
      [
        ":memory:",
        { capsule: { interval: 1 } },
        /option "capsule" has an unknown part "interval"; it has enabled, batchInterval/,
      ],
      [
        ":memory:",
        { capsule: { batchSize: 0 } },
        /option "capsule" has a part "batchSize" that must be a number of events/,
      ],
      [":memory:", { sandbox: { maxMemory: "1 GB" } }, /"maxMemory" that must be a number of bytes/],
      [":memory:", { durability: "full" }, /option "durability" must be "relaxed" or "strict"/],
      [":memory:", { functions: { f: 1 } }, /option "functions" has something else in it/],
      [":memory:", { sync: {} }, /option "sync" is not available in this version/],
      [":memory:", { filename: "y" }, /option "filename" was given twice/],
      [":memory:", { fallback: true }, /option "fallback" must be "memory"/],
    ];
    for (const [first, second, message] of cases) {
      assert.throws(
        () => new GlyphCase(first as never, second as never),
        (error: CapsuleError) => error.kind === "usage" && message.test(error.message),
      );
    }
  });

  test("a database that cannot be opened is told once: to who asks for it, or on the console", async (t) => {
    const log = t.mock.method(console, "error", () => {});
    const name = join(folder, "no", "such", "folder.db");
    const awaited = new GlyphCase(name, { wasm });
    await assert.rejects(awaited.ready, /folder\.db/);
    await turn();
    assert.equal(log.mock.callCount(), 0);
    const alone = new GlyphCase(name, { wasm });
    while (log.mock.callCount() === 0) await turn();
    assert.match(String(log.mock.calls[0]?.arguments[0]), /folder\.db/);
    assert.equal((await failure(() => alone.query("SELECT 1"))).kind, "unsupported");
  });

  test("a database that cannot be opened fails every call, in the same way", async () => {
    const db = new GlyphCase(join(folder, "no", "such", "folder.db"), { wasm });
    const errors = errorsOf(db);
    const first = await failure(() => db.query("SELECT 1"));
    assert.equal(first.kind, "unsupported");
    assert.match(first.message, /folder\.db/);
    assert.equal((await failure(() => db.ready)).error, first.error);
    assert.equal((await failure(() => db.executeLua("return 1"))).error, first.error);
    assert.deepEqual(errors, [first.error]);
    await db.close();
  });
});

suite("errors that nobody waits for", () => {
  test("go to the listeners, and else to the console", async (t) => {
    await using db = await withItems();
    const shown = t.mock.method(console, "error", () => {});
    db.subscribe(db.watch("items"), () => {
      throw new Error("of a listener");
    });
    await db.insert("items", {});
    await db.flush();
    assert.equal(shown.mock.callCount(), 1);
    const errors = errorsOf(db);
    await db.insert("items", {});
    await db.flush();
    assert.equal(shown.mock.callCount(), 1);
    assert.deepEqual(
      errors.map(({ message }) => message),
      ["of a listener"],
    );
  });

  test("of promises of listeners, and of hooks that react", async () => {
    await using db = await withItems();
    const errors = errorsOf(db);
    db.subscribe(db.watch("items"), (async () => {
      await null;
      throw new Error("later");
    }) as () => void);
    await db.executeLua(`function on_data_changed() error("of a hook") end`);
    await db.insert("items", {});
    await db.flush();
    await turn();
    assert.deepEqual(errors.map(({ message }) => /later|of a hook/.exec(message)?.[0]).sort(), ["later", "of a hook"]);
  });
});

suite("calls from within", () => {
  test("a subscriber that writes is told of that, too", async () => {
    await using db = await withItems();
    const heard: string[] = [];
    const writes: Promise<unknown>[] = [];
    db.subscribe(db.watch("items"), (events) => {
      for (const { newData } of events) {
        heard.push(newData["name"] as string);
        if (heard.length < 3) writes.push(db.insert("items", { name: `${String(newData["name"])}+` }));
      }
    });
    await db.insert("items", { name: "a" });
    await db.flush();
    await Promise.all(writes);
    await db.flush();
    await Promise.all(writes);
    await db.flush();
    assert.deepEqual(heard, ["a", "a+", "a++"]);
  });

  test("a subscriber that writes synchronously is told after it has returned", async () => {
    const db = openSync();
    db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name)");
    const heard: string[] = [];
    let depth = 0;
    db.subscribe(db.watch("items"), (events) => {
      assert.equal(depth++, 0);
      for (const { newData } of events) heard.push(newData["name"] as string);
      if (heard.length < 3) {
        db.insert("items", { name: `n${heard.length}` });
        db.flush();
      }
      depth--;
    });
    db.insert("items", { name: "n0" });
    db.flush();
    db.flush();
    assert.deepEqual(heard, ["n0", "n1", "n2"]);
    await db.close();
  });

  test("a subscriber that closes", async () => {
    const db = await withItems();
    let closed: Promise<void> | undefined;
    db.subscribe(db.watch("items"), () => {
      closed ??= db.close();
    });
    await db.insert("items", {});
    await db.flush();
    await closed;
    assert.equal((await failure(() => db.query("SELECT 1"))).kind, "closed");
    const sync = openSync();
    sync.execute("CREATE TABLE t(x)");
    sync.subscribe(sync.watch("t"), () => void sync.close());
    sync.execute("INSERT INTO t VALUES(1)");
    sync.flush();
    assert.equal((await failure(() => sync.query("SELECT 1"))).kind, "closed");
  });

  test("a subscriber that unsubscribes another", async () => {
    await using db = await withItems();
    const heard: string[] = [];
    const watcher = db.watch("items");
    db.subscribe(watcher, () => {
      heard.push("first");
      second();
    });
    const second = db.subscribe(watcher, () => void heard.push("second"));
    await db.insert("items", {});
    await db.flush();
    assert.deepEqual(heard, ["first"]);
    assert.equal(db.unsubscribe(second), false);
  });

  test("a function of Lua that calls the capsule synchronously belongs to the script", async () => {
    const db = openSync();
    db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name)");
    db.registerLuaFunction("add", (name: string) => db.insert("items", { name }));
    assert.throws(() => db.executeLua(`glyphcase.transaction(function() add("a") error("no") end)`), /no/);
    assert.equal(db.queryScalar("SELECT count(*) FROM items"), 0);
    assert.equal(db.executeLua(`return add("b")`), 1);
    db.registerLuaFunction("close", () => db.close());
    assert.throws(() => db.executeLua("close()"), /cannot be closed by what it runs/);
    assert.equal(db.executeLua("return 1"), 1);
    await db.close();
  });

  test("functions that scripts have given are called from JavaScript", async () => {
    await using db = await withItems();
    const add = (await db.executeLua(
      `return function(name) return glyphcase.insert("items", { name = name }) end`,
    )) as (name: string) => number;
    assert.equal(add("a"), 1);
    assert.throws(() => add("a"), /UNIQUE/);
    const failing = (await db.executeLua(
      `return function() glyphcase.transaction(function() glyphcase.insert("items", { name = "x" }) error("no") end) end`,
    )) as () => void;
    assert.throws(failing, /no/);
    assert.equal(await db.queryScalar("SELECT count(*) FROM items"), 1);
  });
});

suite("live queries", () => {
  test("follow, by patches, and keep the rows that stay", async () => {
    await using db = await withItems();
    await db.insertMultiple("items", [{ name: "a" }, { name: "c" }]);
    const live = db.live<{ id: number; name: string }>("SELECT id, name FROM items ORDER BY name");
    const updates: LiveUpdate<{ id: number; name: string }>[] = [];
    live.subscribe((update) => void updates.push(update));
    const [a, c] = await live.ready;
    await db.insert("items", { name: "b" });
    assert.deepEqual(
      live.rows.map(({ name }) => name),
      ["a", "b", "c"],
    );
    assert.ok(live.rows[0] === a && live.rows[2] === c);
    await db.insert("items", { n: 1, name: "zz" });
    await db.execute("DELETE FROM items WHERE name = 'zz'");
    await db.update("items", 1, { name: "d" });
    assert.deepEqual(
      live.rows.map(({ name }) => name),
      ["b", "c", "d"],
    );
    for (const { rows, patches, seq } of updates.slice(1)) assert.ok(rows.length > 0 && patches.length > 0 && seq > 0);
    const before = updates.length;
    await db.update("items", 1, { n: 7 });
    assert.equal(updates.length, before, "nothing is told when nothing that it shows has changed");
    live.close();
    await db.insert("items", { name: "e" });
    assert.equal(updates.length, before);
    assert.equal((await db.stats())["liveQueries"], 0);
  });

  test("at once where nothing waits", async () => {
    const db = openSync();
    db.execute("CREATE TABLE t(x)");
    const live = db.live("SELECT x FROM t ORDER BY x LIMIT ?", [2]);
    db.execute("INSERT INTO t VALUES(3), (1), (2)");
    assert.deepEqual(live.rows, [{ x: 1 }, { x: 2 }]);
    assert.throws(() => db.live("SELECT nope"), /nope/);
    assert.throws(() => db.watch("nobody"), /nobody/);
    await db.close();
  });

  test("agree with the query that runs again, after random writes", async () => {
    const db = openSync();
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, g, x)");
    const queries = [
      "SELECT * FROM t ORDER BY id",
      "SELECT id, x FROM t WHERE x > 50 ORDER BY x DESC, id LIMIT 5",
      "SELECT g, count(*) AS n, sum(x) AS total FROM t GROUP BY g ORDER BY g",
    ];
    const lives = queries.map((sql) => db.live(sql));
    let state = 12345;
    const random = (below: number) => (state = (state * 1103515245 + 12345) % 2 ** 31) % below;
    for (let round = 0; round < 200; round++) {
      db.transaction(() => {
        for (let n = random(4); n >= 0; n--) {
          const id = random(20);
          if (random(3) === 0) db.delete("t", id);
          else db.execute("INSERT OR REPLACE INTO t VALUES(?, ?, ?)", [id, random(3), random(100)]);
        }
      });
      lives.forEach((live, index) => assert.deepEqual(live.rows, db.query(queries[index] as string)));
    }
    await db.close();
  });
});

suite("the bus", () => {
  test("hears what is emitted, once and again, until it is off", async () => {
    await using db = open();
    const bus = db.getEventBus();
    const heard: unknown[] = [];
    const listener = (payload: unknown) => void heard.push(payload);
    bus.on("x", listener);
    bus.once("x", (payload) => void heard.push(["once", payload]));
    await bus.emit("x", { n: 1 });
    await bus.emit("x", [2]);
    bus.off("x", listener);
    await bus.emit("x", 3);
    assert.deepEqual(heard, [{ n: 1 }, ["once", { n: 1 }], [2]]);
    assert.equal((await failure(() => bus.emit("x", new Date()))).kind, "usage");
    assert.equal((await failure(() => bus.on("x", 5 as never))).kind, "usage");
  });

  test("does not hear what was dispatched in a transaction that was taken back", async () => {
    await using db = open();
    const heard: unknown[] = [];
    db.getEventBus().on("x", (payload) => void heard.push(payload));
    await failure(() => db.executeLua(`glyphcase.transaction(function() glyphcase.dispatch("x", 1) error("no") end)`));
    await db.executeLua(`glyphcase.transaction(function() glyphcase.dispatch("x", 2) end)`);
    assert.deepEqual(heard, [2]);
  });

  test("has channels of watchers", async () => {
    await using db = await withItems();
    const watcher = db.watch("items");
    const heard: ChangeEvent[][] = [];
    const off = db.getEventBus().on(`watcher:${watcher.id}`, (events) => void heard.push(events));
    await db.insert("items", {});
    await db.flush();
    off();
    await db.insert("items", {});
    await db.flush();
    assert.deepEqual(
      heard.map((events) => events.length),
      [1],
    );
  });
});

suite("what is told", () => {
  test("subscriptions have names, and filters of their own", async () => {
    await using db = await withItems();
    const heard: number[] = [];
    const watcher = db.watch("items", undefined, { id: "mine" });
    const subscription = db.subscribe(watcher, (events) => void heard.push(events.length), {
      listenerId: "list",
      listenerType: "react",
      filter: ({ newData }) => newData["n"] === 1,
    });
    await db.insertMultiple("items", [{ n: 1 }, { n: 2 }, { n: 1 }]);
    await db.insert("items", { n: 3 });
    await db.flush();
    assert.deepEqual(heard, [2]);
    const rows = await db.query("SELECT watcher_id, listener_id, listener_type FROM _capsule_subscriptions");
    assert.deepEqual(rows, [{ watcher_id: "mine", listener_id: "list", listener_type: "react" }]);
    assert.equal(await db.queryScalar("SELECT subscription_count FROM _capsule_watchers"), 1);
    subscription();
    assert.equal(await db.queryScalar("SELECT count(*) FROM _capsule_subscriptions"), 0);
    assert.equal(await db.unwatch(watcher), true);
  });

  test("lines of the log, changes of the schema, slow statements, and figures", async () => {
    const lines: string[] = [];
    const slow: [string, number][] = [];
    await using db = open({ log: (line) => void lines.push(line) });
    const schema: unknown[] = [];
    db.on("schema", ({ changes }) => void schema.push(...changes));
    await db.createTable("users", [{ name: "id", type: "INTEGER", primary: true }], true);
    await db.insert("users", { id: 1 });
    await db.delete("users", 1);
    assert.deepEqual(lines, ["[Capsule] INSERT on users", "[Capsule] DELETE on users"]);
    assert.deepEqual(schema, [{ kind: "created", table: "users" }]);
    db.on("slow-query", ({ sql, ms }) => void slow.push([sql, ms]));
    db.performance.trackQuery("SELECT slow", 100.5);
    db.performance.trackQuery("SELECT slow", 20);
    assert.deepEqual(slow, [["SELECT slow", 100.5]]);
    assert.deepEqual(db.performance.report().queries["SELECT slow"], { count: 2, p50: 20, p95: 100.5 });
    assert.equal(db.performance.report().queries["INSERT INTO users"]?.count, 1);
    db.subscribe("users", () => {});
    await db.insert("users", { id: 2 });
    await db.flush();
    assert.equal(db.performance.report().watchers["users"]?.count, 1);
    const replaced: string[] = [];
    db.performance.trackQuery = (sql) => void replaced.push(sql);
    await db.query("SELECT 1");
    assert.deepEqual(replaced, ["SELECT 1"]);
  });

  test("a slow statement is a warning where nobody listens", async (t) => {
    await using db = open();
    const shown = t.mock.method(console, "warn", () => {});
    db.performance.trackQuery("SELECT slow", 250);
    assert.deepEqual(shown.mock.calls[0]?.arguments, ["Slow query: SELECT slow (250ms)"]);
  });
});

suite("schemas and migrations", () => {
  test("migrations run once, in order, as one transaction: SQL and functions", async () => {
    await using db = open({
      schema: {
        tables: [{ name: "a", columns: [{ name: "x", type: "INTEGER" }] }],
        migrations: [
          { version: 1, up: "CREATE TABLE a(x INTEGER); INSERT INTO a VALUES(1)" },
          { version: 2, up: async (tx) => void (await tx.insert("a", { x: 2 })) },
          { version: 3, up: () => db.execute("INSERT INTO a VALUES(3)") },
        ],
      },
    });
    assert.deepEqual(await db.query("SELECT x FROM a"), [{ x: 1 }, { x: 2 }, { x: 3 }]);
    const more = { tables: [], migrations: [{ version: 4, up: "INSERT INTO a VALUES(4)" }] };
    assert.equal((await db.migrate(more)).length, 1);
    assert.deepEqual(await db.migrate(more), []);
    const failing = {
      tables: [],
      migrations: [
        { version: 5, up: "INSERT INTO a VALUES(5)" },
        { version: 6, up: "INSERT INTO nobody VALUES(6)" },
      ],
    };
    assert.equal((await failure(() => db.migrate(failing))).kind, "sql");
    assert.equal(await db.queryScalar("SELECT count(*) FROM a"), 4);
    await db.transaction(async (tx) => void (await tx.insert("a", { x: 9 })));
  });

  test("synchronously", async () => {
    const db = openSync({
      schema: {
        tables: [
          {
            name: "a",
            columns: [
              { name: "x", type: "INTEGER" },
              { name: "made", type: "TEXT", default: () => "js" },
            ],
          },
        ],
        migrations: [{ version: 1, up: (capsule) => capsule.execute("CREATE TABLE a(x INTEGER)") }],
      },
    });
    db.insert("a", { x: 1 });
    assert.deepEqual(db.query("SELECT * FROM a"), [{ x: 1, made: "js" }]);
    const waits = { tables: [], migrations: [{ version: 2, up: async () => {} }] };
    assert.match((await failure(() => db.migrate(waits))).message, /migration to version 2 cannot wait/);
    await db.close();
  });

  test("defaults are values, expressions, blobs, lists, or functions", async () => {
    await using db = open();
    await db.createTable("d", [
      { name: "id", type: "INTEGER", primary: true },
      { name: "text", type: "TEXT", default: "it's" },
      { name: "sql", type: "INTEGER", default: { sql: "1 + 1" } },
      { name: "blob", type: "BLOB", default: Uint8Array.of(1, 255) },
      { name: "list", type: "JSON", default: [1, 2] },
      { name: "made", type: "TEXT", default: () => "js" },
    ]);
    await db.insert("d", {});
    await db.insert("D", { made: "given" });
    await db.execute("INSERT INTO d DEFAULT VALUES");
    const row = { text: "it's", sql: 2, blob: Uint8Array.of(1, 255), list: "[1,2]" };
    assert.deepEqual(await db.query("SELECT * FROM d"), [
      { id: 1, ...row, made: "js" },
      { id: 2, ...row, made: "given" },
      { id: 3, ...row, made: null },
    ]);
  });
});

suite("files, and another database in its place", () => {
  test("a database is one program's, once at a time, and any call after the end says so", async () => {
    const filename = join(folder, "one.db");
    const db = new GlyphCase({ filename, wasm });
    await db.execute("CREATE TABLE t(x)");
    const second = new GlyphCase({ filename, wasm });
    const { kind, error } = await failure(() => second.query("SELECT 1"));
    assert.equal(kind, "locked");
    assert.equal(error.retryable, true);
    const { files, journal, survives } = await db.durability();
    assert.deepEqual([files, journal, survives], ["file", "wal", "crash"]);
    await db.close();
    await db.close();
    for (const call of [
      () => db.query("SELECT 1"),
      () => db.watch("t"),
      () => db.live("SELECT 1"),
      () => db.executeLua(""),
    ])
      assert.equal((await failure(call)).kind, "closed");
    await using again = new GlyphCase(filename, { wasm, durability: "strict" });
    assert.equal((await again.durability()).survives, "power-cut");
    assert.equal(await again.queryScalar("SELECT count(*) FROM t"), 0);
  });

  test("Capsule.open, Capsule.openSync", async () => {
    const filename = join(folder, "sync.db");
    const db = await Capsule.open(filename, { wasm });
    db.execute("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    assert.equal((await failure(() => Capsule.openSync(filename, { wasm }))).kind, "locked");
    await db.close();
    const again = Capsule.openSync({ filename, wasm });
    assert.equal(again.queryScalar("SELECT x FROM t"), 1);
    await again.close();
    assert.equal((await failure(() => Capsule.openSync({ filename, wasm, schema: WRONG }))).kind, "schema");
    await Capsule.openSync(filename, { wasm }).close();
    assert.equal((await failure(() => Capsule.openSync(join(folder, "none", "a.db"), { wasm }))).kind, "unsupported");
    setFiles(async (name) => takeNodeFiles(name));
    try {
      assert.equal((await failure(() => Capsule.openSync(filename, { wasm }))).kind, "unsupported");
    } finally {
      setFiles(takeNodeFiles);
    }
    // What was taken in vain is let go of.
    await (await Capsule.open(filename, { wasm })).close();
    assert.match((await failure(() => Capsule.openSync(":memory:"))).message, /"wasm" must be the compiled module/);
  });

  for (const name of ["import.db", ":memory:"]) {
    test(`what is attached goes on with what was imported (${name})`, async () => {
      const filename = name === ":memory:" ? name : join(folder, name);
      let bytes: Uint8Array<ArrayBuffer>;
      {
        await using other = open();
        await other.execute(
          "CREATE TABLE items(id INTEGER PRIMARY KEY, name); INSERT INTO items VALUES(7, 'imported')",
        );
        bytes = await other.export();
      }
      await using db = new GlyphCase({ filename, wasm, functions: { twice: (n: number) => 2 * n } });
      await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name); INSERT INTO items VALUES(1, 'before')");
      await db.registerLuaFunction("thrice", (n: number) => 3 * n);
      const heard: unknown[] = [];
      db.subscribe(db.watch("items"), (events) => void heard.push(...events.map(({ rowId }) => rowId as number)));
      db.getEventBus().on("x", (payload) => void heard.push(payload));
      const live = db.live("SELECT name FROM items ORDER BY id");
      const resets: boolean[] = [];
      live.subscribe(({ reset = false }) => void resets.push(reset));
      await live.ready;
      await db.import(bytes);
      assert.deepEqual(live.rows, [{ name: "imported" }]);
      await db.insert("items", { name: "after" });
      await db.flush();
      await db.executeLua(`glyphcase.dispatch("x", twice(4) + thrice(5))`);
      assert.deepEqual(heard, [8, 23]);
      assert.deepEqual(live.rows, [{ name: "imported" }, { name: "after" }]);
      assert.deepEqual(resets, [false, true, false]);
      // What cannot be used changes nothing.
      assert.equal((await failure(() => db.import(bytes.slice(0, 5000)))).kind, "corrupt");
      assert.deepEqual(live.rows, [{ name: "imported" }, { name: "after" }]);
      await db.insert("items", { name: "on" });
      assert.equal(live.rows.length, 3);
    });
  }

  test("what is attached before the database is open, or while another one comes, is there once", async () => {
    await using db = open({ schema: { tables: [{ name: "t", columns: [{ name: "x", type: "INTEGER" }] }] } });
    const heard: unknown[] = [];
    const attach = () => {
      db.subscribe(db.watch("t"), (events) => void heard.push(...events.map(({ newData }) => newData["x"] as number)));
      return db.live("SELECT x FROM t ORDER BY x");
    };
    const early = attach();
    db.getEventBus().on("bus", (payload) => heard.push(payload));
    await db.insert("t", { x: 1 });
    await db.flush();
    const bytes = await db.export();
    const imported = db.import(bytes);
    const late = attach();
    await imported;
    await db.insert("t", { x: 2 });
    await db.getEventBus().emit("bus", 3);
    await db.flush();
    assert.deepEqual(heard.sort(), [1, 2, 2, 3]);
    for (const live of [early, late]) assert.deepEqual(live.rows, [{ x: 1 }, { x: 2 }]);
    const { watchers, subscriptions, liveQueries } = await db.stats();
    assert.deepEqual([watchers, subscriptions, liveQueries], [2, 2, 2]);
  });

  test("scripts that wait end when it is closed", async () => {
    const db = await withItems();
    await db.registerLuaFunction("forever", () => new Promise(() => {}));
    const script = db.executeLua("forever()");
    const ended = failure(() => script);
    await db.close();
    assert.equal((await ended).kind, "closed");
  });

  test("without files there is an error, or memory, which is said", async () => {
    setFiles(undefined);
    try {
      const none = new GlyphCase("some.db", { wasm });
      const { kind, message } = await failure(() => none.query("SELECT 1"));
      assert.equal(kind, "unsupported");
      assert.match(message, /no files here for the database "some\.db"/);
      await using db = new GlyphCase("some.db", { wasm, fallback: "memory" });
      const warnings: string[] = [];
      db.on("warning", ({ message }) => void warnings.push(message));
      const { files, survives } = await db.durability();
      assert.deepEqual([files, survives], ["memory", "nothing"]);
      assert.match(String(warnings), /"some\.db" is in memory/);
    } finally {
      setFiles(takeNodeFiles);
    }
  });

  test("a module of functions is named by its address", async () => {
    const path = join(folder, "functions.mjs");
    writeFileSync(
      path,
      "export const twice = (n) => 2 * n; export const version = 5; export async function later(n) { return n + 1 }",
    );
    await using db = open({ functions: pathToFileURL(path) });
    assert.equal(await db.executeLua("return twice(20) + later(1)"), 42);
    const none = open({ functions: new URL("nowhere.mjs", pathToFileURL(path)) });
    assert.match((await failure(() => none.ready)).message, /nowhere/);
  });

  test("nothing that waits keeps the process alive", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    await using db = await withItems();
    db.subscribe(db.watch("items"), () => {});
    await db.executeLua(`scheduler.every("1h", function() end)`);
    await db.insert("items", {});
    await turn();
    assert.equal(timers(), before);
  });

  test("events can be off", async () => {
    await using db = open({ capsule: { enabled: false } });
    await db.execute("CREATE TABLE t(x)");
    assert.match((await failure(() => db.watch("t"))).message, /events are off/);
    await db.execute("INSERT INTO t VALUES(1)");
    assert.equal(await db.queryScalar("SELECT count(*) FROM t"), 1);
  });
});
