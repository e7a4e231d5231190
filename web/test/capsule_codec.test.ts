/**
 * Values between JavaScript and SQLite: a model of what each becomes, random values both ways through a
 * database, and everything that is refused, with the path and what to do instead.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Capsule, SqlInput, SqlValue } from "../src/capsule/index.ts";
import { failure, openSync } from "./capsules.ts";
import { Random } from "./helpers.ts";

let db: Capsule;
before(() => {
  db = openSync();
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c BLOB, d TEXT)");
});
after(() => db.close());

/** Value that comes back for one that was given, and SQLite's name of its type. */
function model(value: SqlInput): { read: SqlValue; type: string } {
  if (value === null) return { read: null, type: "null" };
  if (typeof value === "boolean") return { read: value ? 1 : 0, type: "integer" };
  if (typeof value === "string") return { read: value, type: "text" };
  if (typeof value === "bigint")
    return { read: Number.isSafeInteger(Number(value)) ? Number(value) : value, type: "integer" };
  if (typeof value === "number")
    return { read: value, type: Number.isSafeInteger(value) && !Object.is(value, -0) ? "integer" : "real" };
  if (value instanceof ArrayBuffer) return { read: new Uint8Array(value.slice(0)), type: "blob" };
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
    return { read: bytes.slice(), type: "blob" };
  }
  return { read: JSON.stringify(value), type: "text" };
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e300,
  -1e-300,
  2 ** 53 - 1,
  -(2 ** 53 - 1),
  2 ** 53,
  2 ** 63,
  2 ** 31,
  -(2 ** 31) - 1,
  Infinity,
  -Infinity,
  5e-324,
];
const BIGINTS = [0n, 5n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
const TEXTS = ["", "a", "a\0b", "é", "😀", "\ufeff", "'; DROP TABLE t; --", "x".repeat(100), "é".repeat(50_000)];

function someValue(random: Random): SqlInput {
  const bytes = () => Uint8Array.from({ length: random.below(40) }, () => random.below(256));
  switch (random.below(10)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 1;
    case 2:
      return random.pick(NUMBERS);
    case 3:
      return random.pick(BIGINTS);
    case 4:
      return random.pick(TEXTS);
    case 5:
      return bytes();
    case 6:
      return bytes().buffer as ArrayBuffer;
    case 7:
      return new DataView(new ArrayBuffer(8), random.below(8));
    case 8:
      return [1, "two", null, { three: [true] }];
    default:
      return { a: random.below(100), "two words": [random.below(10)], none: null };
  }
}

suite("values of SQL", () => {
  test("are what the model says, as parameters and in rows, and read as such", () => {
    const random = new Random(7);
    for (let round = 0; round < 500; round++) {
      const value = someValue(random);
      const { read, type } = model(value);
      const found = db.queryOne<{ v: SqlValue; t: string }>("SELECT ?1 AS v, typeof(?1) AS t", [value]);
      assert.deepEqual(found, { v: read, t: type });
      assert.ok(Object.is(found?.v, read) || typeof read === "object");
      assert.deepEqual(db.queryScalar("SELECT :x", { x: value }), read);
      const id = db.insert("t", { a: value, b: "after" });
      assert.deepEqual(db.queryOne("SELECT a, b FROM t WHERE id = ?", [id]), { a: read, b: "after" });
    }
  });

  test("large ones pass the buffer", () => {
    const blob = new Uint8Array(300_000).fill(7);
    assert.deepEqual(db.queryScalar("SELECT ?", [blob]), blob);
    const text = "é".repeat(200_000);
    assert.equal(db.queryScalar("SELECT ?", [text]), text);
  });

  test("integers of 64 bits are exact, and text that is no UTF-8 comes as its bytes", () => {
    const row = db.queryOne("SELECT 9007199254740991 AS a, 9007199254740992 AS b, -9223372036854775808 AS c");
    assert.deepEqual(row, { a: 2 ** 53 - 1, b: 2n ** 53n, c: -(2n ** 63n) });
    assert.deepEqual(db.queryScalar("SELECT CAST(x'ff41' AS TEXT)"), Uint8Array.of(0xff, 0x41));
  });

  test("a column may have any name", () => {
    const row = db.queryOne(`SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS "", 4 AS "a b"`) as object;
    assert.deepEqual(Object.entries(row), [
      ["__proto__", 1],
      ["constructor", 2],
      ["", 3],
      ["a b", 4],
    ]);
    assert.equal(Object.getPrototypeOf(row), Object.prototype);
    db.execute(`CREATE TABLE odd(id INTEGER PRIMARY KEY, "__proto__")`);
    const given = JSON.parse(`{"__proto__": 5}`) as { [name: string]: number };
    db.insert("odd", given);
    assert.equal(db.queryScalar(`SELECT "__proto__" FROM odd`), 5);
  });

  test("keys are values, or lists of them", () => {
    db.execute("CREATE TABLE pairs(a TEXT, b INTEGER, c, PRIMARY KEY(a, b)) WITHOUT ROWID");
    assert.deepEqual(db.insert("pairs", { a: "x", b: 1, c: 1 }), ["x", 1]);
    assert.equal(db.update("pairs", ["x", 1], { c: 2 }), true);
    assert.equal(db.update("pairs", ["x", 2], { c: 2 }), false);
    assert.equal(db.delete("pairs", ["x", 1]), true);
  });

  test("undefined in a row is a column that is not given", () => {
    const id = db.insert("t", { a: undefined, b: 1 });
    assert.deepEqual(db.queryOne("SELECT a, b FROM t WHERE id = ?", [id]), { a: null, b: 1 });
    assert.equal(typeof db.insert("t", {}), "number");
  });

  test("a getter may call the capsule", () => {
    const row = {
      a: 1,
      get b() {
        db.execute("CREATE TABLE IF NOT EXISTS made_by_getter(x)");
        return db.queryScalar("SELECT 42") as number;
      },
    };
    const id = db.insert("t", row);
    assert.deepEqual(db.queryOne("SELECT a, b FROM t WHERE id = ?", [id]), { a: 1, b: 42 });
  });
});

/** Values that have no place in SQLite, and what is said of them. */
const REFUSED: [value: unknown, why: RegExp][] = [
  [Promise.resolve(1), /is a Promise; await it first/],
  [new Date(), /is a Date; pass date\.getTime\(\)/],
  [() => 1, /is a function/],
  [Symbol("x"), /is a symbol/],
  [new Map(), /is a Map; pass Object\.fromEntries/],
  [new Set(), /is a Set/],
  [NaN, /is NaN/],
  [2n ** 63n, /does not fit in 64 bits/],
  ["\ud800", /lone surrogate/],
  [new (class User {})(), /is a User; pass a plain object/],
  [{ a: [{ b: Promise.resolve(1) }] }, /at \.a\[0\]\.b is a Promise; await it first/],
  [{ when: new Date() }, /at \.when is a Date/],
  [[1, undefined], /at \[1\] is undefined; pass null/],
  [{ "two words": NaN }, /at \["two words"\] is NaN, which JSON does not have/],
  [{ big: 5n }, /at \.big is a bigint/],
  [{ bytes: new Uint8Array(2) }, /at \.bytes is a Uint8Array, which JSON does not have; pass base64/],
];

suite("refusals", () => {
  test("name the parameter or the column, the path, and what to do", async () => {
    for (const [value, why] of REFUSED) {
      const asParameter = await failure(() => db.query("SELECT ?, ?", [1, value as SqlInput]));
      assert.equal(asParameter.kind, "usage");
      assert.match(asParameter.message, why);
      assert.match(asParameter.message, /^parameter 2/);
      const named = await failure(() => db.query("SELECT :v", { v: value as SqlInput }));
      assert.match(named.message, /^parameter :v/);
      const inRow = await failure(() => db.insert("t", { a: 1, b: value as SqlInput }));
      assert.match(inRow.message, /^column "b"/);
      const inRows = await failure(() => db.insertMultiple("t", [{ a: 1 }, { a: value as SqlInput }]));
      assert.match(inRows.message, /^row 1, column "a"/);
    }
  });

  test("of what is no row, no list of parameters, no text", async () => {
    const cases: [() => unknown, RegExp][] = [
      [
        () => db.query("SELECT ?", 5 as never),
        /parameters are a list, or an object of names, so for a single one \[value\]/,
      ],
      [() => db.query("SELECT ?", [undefined as never]), /parameter 1 is undefined; pass null/],
      [() => db.query(5 as never), /SQL must be a string, not a number/],
      [() => db.insert("t", [1] as never), /a row must be an object of columns, not a list/],
      [() => db.insert("t", new Date() as never), /a row must be an object of columns, not a Date/],
      [() => db.insert("t", null as never), /a row must be an object of columns, not null/],
      [() => db.insertMultiple("t", {} as never), /the rows must be a list, not an object/],
      [() => db.insertMultiple("t", [1] as never), /row 0, a row must be an object/],
      [() => db.insert(undefined as never, {}), /the name of a table must be a string, not undefined/],
      [() => db.update("t", undefined as never, {}), /the key is undefined/],
      [() => db.updateWhere("t", 1 as never, [], {}), /the condition must be a string/],
    ];
    for (const [call, why] of cases) {
      const { kind, message } = await failure(call);
      assert.match(message, why);
      assert.equal(kind, "usage");
    }
  });

  test("a list that is in itself is no JSON", async () => {
    const list: unknown[] = [];
    list.push(list);
    assert.match(
      (await failure(() => db.query("SELECT ?", [list]))).message,
      /at \[0\] refers to an object that it is in/,
    );
  });
});
