/**
 * Messages of tabs: every kind arrives as it was, what would not is refused, answers that are kept are read
 * as they were written, and each call has its care.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { CapsuleError } from "../src/capsule/errors.ts";
import { makeEvent, type Message } from "../src/capsule/messages.ts";
import { answerBytes, answerFrom } from "../src/capsule/tabs/answers.ts";
import { careOf, isBoundary, type Care } from "../src/capsule/tabs/care.ts";
import { effectOf, takesBack } from "../src/capsule/tabs/protocol.ts";
import { crossing, errorData, errorFrom, isEnvelope, messageData, messageFrom } from "../src/capsule/tabs/wire.ts";
import {
  LuaError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaSyntaxError,
  LuaTimeoutError,
} from "../src/errors.ts";
import { Random } from "./random.ts";
import { World } from "./tab_world.ts";

/** Sends as a channel does. */
const sent = <T>(data: T): T => structuredClone(data);

suite("messages", () => {
  const event = makeEvent({
    watcherId: "w",
    operation: "UPDATE",
    tableName: "t",
    rowId: 7n,
    key: [7n],
    oldData: { id: 7n, data: new Uint8Array([1, 2]) },
    newData: { id: 7n, data: null },
    timestamp: new Date(5),
    transactionId: "device-3",
    source: "lua",
    change: "change",
    cause: 2,
    seq: 9,
  });

  test("of every kind arrive as they were", () => {
    const messages: { [kind in Message["kind"]]: Message } = {
      error: { kind: "error", error: new CapsuleError("limit", "too much", { code: "SQLITE_FULL" }) },
      events: { kind: "events", watcher: "w", events: [event] },
      live: {
        kind: "live",
        number: 3,
        seq: 4,
        patches: [{ op: "insert", at: 0, row: { a: 1n } }],
      } as unknown as Message,
      dispatched: { kind: "dispatched", name: "told", payload: { n: [1, null, "x", new Map([[1, 2]])] } } as Message,
      committed: {
        kind: "committed",
        transaction: 3,
        source: "trigger",
        seq: 9,
        changes: [],
        schema: [],
      } as unknown as Message,
    };
    for (const message of Object.values(messages)) {
      const arrived = messageFrom(sent(messageData(message)));
      assert.deepEqual(arrived, message, message.kind);
    }
    const arrived = messageFrom(sent(messageData(messages.events))) as typeof messages.events & { kind: "events" };
    assert.equal((arrived.events[0] as unknown as { new_data: unknown }).new_data, arrived.events[0]!.newData);
  });

  test("with what stays in its thread are refused, with the path to it", () => {
    const refused = (value: unknown, path: RegExp) =>
      assert.throws(() => crossing(value, "the value"), { name: "CapsuleError", kind: "usage", message: path });
    refused(() => 1, /^the value is /);
    refused({ a: [1, { b: Symbol("x") }] }, /^the value at a\.1\.b is /);
    refused(new Map([["k", new (class Own {})()]]), /^the value at k is /);
    refused([new WeakMap()], /at 0 is /);
    const circle: unknown[] = [];
    circle.push(circle);
    assert.equal(crossing(circle, "the value"), circle);
    let deep: unknown = 1;
    for (let depth = 0; depth < 2000; depth++) deep = [deep];
    refused(deep, /nested more than/);
    assert.throws(() => messageData({ kind: "dispatched", name: "told", payload: () => 1 } as unknown as Message), {
      message: /the payload of "told"/,
    });
    const fine = { a: new Uint8Array(1), b: new Date(0), c: new Float64Array(1), d: 1n, e: undefined, f: [null] };
    assert.equal(crossing(fine, "the value"), fine);
  });

  test("that are errors keep their class, and all that is known of them", () => {
    const cause = new LuaSyntaxError("syntax", "m/main.lua:2: no", { chunk: "m/main.lua", line: 2, value: { a: 1 } });
    const details = { code: "SQLITE_BUSY", sql: "SELECT 1", offset: 3, table: "t", cause };
    const error = new CapsuleError("veto", "refused", details);
    const arrived = errorFrom(sent(errorData(error))) as CapsuleError;
    assert.ok(arrived instanceof CapsuleError);
    for (const name of ["kind", "message", "code", "sql", "offset", "table", "retryable"] as const)
      assert.equal(arrived[name], error[name], name);
    const arrivedCause = arrived.cause as LuaError;
    assert.ok(arrivedCause instanceof LuaSyntaxError);
    assert.deepEqual(
      [arrivedCause.kind, arrivedCause.chunk, arrivedCause.line, arrivedCause.value],
      ["syntax", "m/main.lua", 2, { a: 1 }],
    );
    for (const [kind, Class] of [
      ["runtime", LuaRuntimeError],
      ["memory", LuaMemoryError],
      ["timeout", LuaTimeoutError],
      ["interrupt", LuaInterruptError],
    ] as const) {
      const again = errorFrom(sent(errorData(new Class(kind, "text", { value: () => 1 }))));
      assert.ok(again instanceof Class, kind);
      assert.equal((again as LuaError).value, undefined, "a value that cannot cross stays");
    }
    const other = errorFrom(sent(errorData(new RangeError("out of it"))));
    assert.deepEqual([other.name, other.message], ["RangeError", "out of it"]);
    for (const thrown of [undefined, null, "text", 5, Symbol("x"), { message: 1 }])
      assert.equal(typeof errorFrom(sent(errorData(thrown))).message, "string");
    const circle = new CapsuleError("sql", "one");
    Object.defineProperty(circle, "cause", { value: circle });
    assert.equal(errorFrom(sent(errorData(circle))).message, "one");
  });

  test("that nobody of us has sent harm nobody", async (t) => {
    const world = new World(1, t);
    const tab = world.open();
    while (tab.attachments === 0) await world.step();
    const odd: unknown[] = [undefined, null, 0, "x", [], {}, { from: 1 }, { from: "x" }, { from: "x", for: "me" }];
    for (const whom of ["leader", "member"]) {
      for (const to of [undefined, tab.id, 5]) {
        for (const body of [undefined, null, "hello", [], {}, { t: 5 }]) odd.push({ from: "x", for: whom, to, body });
        odd.push({ from: "x", for: whom, to, body: { t: "nothing" } });
      }
    }
    odd.push({ from: tab.id, for: "leader", to: tab.id, body: { t: "nothing" } });
    for (const data of odd) tab.onmessage?.({ data });
    assert.equal(odd.filter((data) => isEnvelope(data)).length, 4);
    let answer: unknown;
    void tab.request("queryScalar", "SELECT 42").then((value) => (answer = value));
    while (answer === undefined) await world.step();
    assert.equal(answer, 42);
    let closed = false;
    void tab.tab.close().then(() => (closed = true));
    while (!closed) await world.step();
  });
});

suite("answers that are kept", () => {
  const random = new Random(5);
  const value = (depth: number): unknown => {
    const leaves = [
      null,
      undefined,
      true,
      false,
      0,
      -0,
      1.5,
      NaN,
      Infinity,
      -Infinity,
      2 ** 53,
      12345678901234567890n,
      -1n,
      "",
      "ü\ud83d\ude00\0",
      new Uint8Array(0),
      new Uint8Array([0, 15, 16, 255]),
    ];
    switch (random.below(depth > 4 ? 1 : 3)) {
      case 0:
        return leaves[random.below(leaves.length)];
      case 1:
        return Array.from({ length: random.below(4) }, () => value(depth + 1));
      default: {
        const names = ["a", "0", "__proto__", "constructor", "", "i"];
        return Object.fromEntries(
          Array.from({ length: random.below(4) }, () => [names[random.below(names.length)], value(depth + 1)]),
        );
      }
    }
  };

  test("are read as they were written", () => {
    for (let i = 0; i < 2000; i++) {
      const answer = value(0);
      assert.deepEqual(answerFrom(answerBytes(answer)), answer);
    }
  });

  test("are refused where they are damaged", () => {
    const damaged = (text: string | Uint8Array) => {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      assert.throws(() => answerFrom(bytes), { name: "CapsuleError", kind: "corrupt" }, String(text));
    };
    for (const text of ["", "{", "[", "undefined", "{}", '{"a":1}', "[]", '["z"]', "[1]", "[null]", "[[]]"])
      damaged(text);
    for (const text of ['["i"]', '["i","x"]', '["i",5]', '["i",true]', '["n"]', '["n","5x"]', '["n",1]']) damaged(text);
    for (const text of ['["b"]', '["b","0"]', '["b","0g"]', '["b",[]]', '["o",1]', '["o",["a",["z"]]]']) damaged(text);
    damaged(new Uint8Array([0x22, 0xff, 0x22]));
    // Any byte may be another one: it is read as some answer, or refused, and nothing else.
    const whole = answerBytes([1n, { a: [new Uint8Array([1, 2]), "x", -0] }]);
    for (let i = 0; i < whole.length; i++) {
      for (const byte of [0, 0x22, 0x5b, 0x7f, 0xff]) {
        const bytes = whole.slice();
        bytes[i] = byte;
        try {
          answerFrom(bytes);
        } catch (error) {
          assert.equal((error as CapsuleError).kind, "corrupt");
        }
      }
    }
  });
});

suite("the care of a call", () => {
  const cares: [sql: string, query: Care, execute: Care][] = [
    ["SELECT 1", "again", "write"],
    ["  -- INSERT\n /* UPDATE */ select 1", "again", "write"],
    ["VALUES (1)", "again", "write"],
    ["EXPLAIN INSERT INTO t VALUES (1)", "again", "write"],
    ["WITH a AS (SELECT 1) SELECT * FROM a", "again", "write"],
    ["WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a RETURNING *", "write", "write"],
    ["WITH a AS (SELECT 'DELETE') SELECT * FROM a", "write", "write"],
    ["INSERT INTO t VALUES (1) RETURNING id", "write", "write"],
    ["UPDATE t SET a = 1", "write", "write"],
    ["SELECTED", "write", "write"],
    ["VACUUM", "again", "again"],
    ["pragma journal_mode;  -- so", "again", "again"],
    ["PRAGMA a = 1; INSERT INTO t VALUES (1)", "write", "write"],
    ["", "write", "write"],
  ];

  test("is that of what it does", () => {
    for (const [sql, query, execute] of cares) {
      for (const name of ["query", "queryOne", "queryScalar"] as const) assert.equal(careOf(name, [sql]), query, sql);
      assert.equal(careOf("execute", [sql]), execute, sql);
    }
    for (const name of ["insert", "insertMultiple", "update", "updateWhere", "delete", "deleteWhere"] as const)
      assert.equal(careOf(name, ["SELECT 1"]), "write");
    for (const name of ["begin", "beginPreview", "beginUpgrade"] as const) assert.equal(careOf(name, []), "open");
    for (const name of ["commit", "rollBack", "startEval", "startCall", "startCallMod", "dispatch", "undo"] as const)
      assert.equal(careOf(name, []), "once");
    for (const name of ["watch", "subscribe", "installMod", "activateMods", "flush", "export"] as const)
      assert.equal(careOf(name, []), "again");
    assert.equal(careOf("query", [undefined]), "write");
  });

  test("knows the boundaries of transactions, and what a call does to one", () => {
    for (const sql of ["BEGIN", " /* x */ commit", "-- y\nROLLBACK", "SAVEPOINT a", "RELEASE a", "END"])
      assert.equal(isBoundary("execute", [sql]), true, sql);
    for (const sql of ["BEGINNING", "SELECT 'BEGIN'", "CREATE TRIGGER a BEGIN END", ""])
      assert.equal(isBoundary("execute", [sql]), false, sql);
    assert.equal(isBoundary("insert", ["BEGIN"]), false);
    assert.equal(effectOf("begin", [], 1), "opens");
    assert.equal(effectOf("begin", [], 2), undefined);
    assert.equal(effectOf("beginUpgrade", [], { versions: [] }), "opens");
    assert.equal(effectOf("beginUpgrade", [], { done: [] }), undefined);
    assert.equal(effectOf("commit", [1], undefined), "ends");
    assert.equal(effectOf("commit", [2], undefined), undefined);
    assert.equal(effectOf("rollBack", [0], undefined), "ends");
    assert.equal(effectOf("rollBack", [1], undefined), undefined);
    assert.equal(effectOf("insert", ["t"], 1), undefined);
    assert.deepEqual(
      [
        takesBack("rollBack", [0]),
        takesBack("rollBack", [1]),
        takesBack("cancelUpgrade", []),
        takesBack("commit", [1]),
      ],
      [true, false, true, false],
    );
  });
});
