/**
 * Events of the module against the tables themselves: after random transactions the events of each table are
 * the difference between what was in it and what is. `CAPSULE_TRANSACTIONS=200000` for as many.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Capsule, ChangeEvent, Row, SqlValue } from "../src/capsule/index.ts";
import { openSync } from "./capsules.ts";
import { Random } from "./random.ts";

const TRANSACTIONS = Number(process.env["CAPSULE_TRANSACTIONS"] ?? 20_000);

/** Transactions of one schema. */
const OF_ONE = 500;

/** Tables of a schema, with the expressions that are their keys. */
const TABLES: Record<string, { sql: string; key: string[] }> = {
  plain: {
    sql: "CREATE TABLE plain(id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT COLLATE NOCASE, b BLOB, g AS (i * 2))",
    key: ["id"],
  },
  pairs: { sql: "CREATE TABLE pairs(x TEXT, y INTEGER, v, PRIMARY KEY(x, y)) WITHOUT ROWID", key: ["x", "y"] },
  named: { sql: "CREATE TABLE named(name TEXT PRIMARY KEY NOT NULL, v, kept AS (v || 'k') STORED)", key: ["name"] },
  loose: { sql: "CREATE TABLE loose(a, b)", key: ["rowid"] },
  parents: { sql: "CREATE TABLE parents(id INTEGER PRIMARY KEY, u TEXT UNIQUE ON CONFLICT REPLACE)", key: ["id"] },
  children: {
    sql: `CREATE TABLE children(id INTEGER PRIMARY KEY,
      parent INTEGER REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
      v INTEGER CHECK(v < 90))`,
    key: ["id"],
  },
  words: { sql: "CREATE VIRTUAL TABLE words USING fts5(text)", key: ["rowid"] },
  audit: { sql: "CREATE TABLE audit(line TEXT)", key: ["rowid"] },
};

const TRIGGERS = `
  CREATE TRIGGER noted AFTER UPDATE ON plain WHEN NEW.i > 5 BEGIN INSERT INTO audit VALUES(OLD.i || '>' || NEW.i); END;
  CREATE TRIGGER swept AFTER INSERT ON audit WHEN (SELECT count(*) FROM audit) > 6 BEGIN DELETE FROM audit; END;`;

/** A literal of SQL. */
function literal(random: Random): string {
  switch (random.below(8)) {
    case 0:
      return "NULL";
    case 1:
      return `x'${Buffer.from(random.bytes(random.below(4))).toString("hex")}'`;
    case 2:
      return `${random.below(20) / 4}`;
    case 3:
      return random.pick(["9223372036854775807", "-9007199254740993", "1e300", "'1'", "'a'", "'A'", "''"]);
    default:
      return String(random.below(12));
  }
}

const small = (random: Random): string => String(1 + random.below(8));
const letter = (random: Random): string => `'${random.pick(["a", "b", "c", "A"])}'`;

/** A statement, which may fail. */
function statement(random: Random): string {
  const v = () => literal(random);
  const verb = () => random.pick(["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT OR FAIL"]);
  return random.pick([
    () => `${verb()} INTO plain(id, i, r, t, b) VALUES(${small(random)}, ${small(random)}, ${v()}, ${v()}, ${v()})`,
    () =>
      `UPDATE plain SET i = ${random.below(12)}, t = ${v()} WHERE id ${random.pick(["=", "<", ">"])} ${small(random)}`,
    () => `UPDATE OR REPLACE plain SET id = ${small(random)} WHERE id = ${small(random)}`,
    () => `DELETE FROM plain WHERE id % ${1 + random.below(4)} = 0`,
    () => `${verb()} INTO pairs VALUES(${letter(random)}, ${small(random)}, ${v()}), (${letter(random)}, 1, ${v()})`,
    () => `UPDATE OR IGNORE pairs SET y = y + 1, v = ${v()} WHERE x = ${letter(random)}`,
    () => `DELETE FROM pairs WHERE y > ${small(random)}`,
    () => `${verb()} INTO named(name, v) VALUES(${letter(random)}, ${v()})`,
    () => `UPDATE OR REPLACE named SET name = ${letter(random)} WHERE name = ${letter(random)}`,
    () => `INSERT INTO named(name, v) VALUES(${letter(random)}, 1) ON CONFLICT DO UPDATE SET v = ${v()}`,
    () => `INSERT INTO loose VALUES(${v()}, ${v()})`,
    () => `UPDATE loose SET b = ${v()} WHERE rowid = ${small(random)}`,
    () => `DELETE FROM loose WHERE rowid < ${small(random)}`,
    () => `${verb()} INTO parents VALUES(${small(random)}, ${letter(random)})`,
    () => `UPDATE OR IGNORE parents SET id = ${small(random)} WHERE id = ${small(random)}`,
    () => `DELETE FROM parents WHERE id = ${small(random)}`,
    () => `${verb()} INTO children VALUES(${small(random)}, ${small(random)}, ${random.below(100)})`,
    () => `UPDATE children SET v = v + ${random.below(40)}`,
    () => `INSERT INTO words(rowid, text) VALUES(${small(random)}, 'the ' || ${letter(random)})`,
    () => `UPDATE words SET text = text || ' moon' WHERE rowid = ${small(random)}`,
    () => `DELETE FROM words WHERE words MATCH 'moon'`,
    () => `DELETE FROM ${random.pick(["plain", "pairs", "loose", "children", "audit"])}`,
    () => "INSERT INTO nowhere VALUES(1)",
  ])();
}

type Snapshot = Map<string, Row>;

function text(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? `${part}n` : part instanceof Uint8Array ? [...part] : part,
  );
}

function snapshot(db: Capsule, table: string): Snapshot {
  const { key } = TABLES[table] as { key: string[] };
  const keys = key.map((name, index) => `${name} AS "_key${index}"`).join(", ");
  return new Map(
    db.query(`SELECT ${keys}, * FROM ${table}`).map((row) => {
      const values = key.map((_, index) => row[`_key${index}`] as SqlValue);
      key.forEach((_, index) => delete row[`_key${index}`]);
      return [text(values), row];
    }),
  );
}

/** The changes from one state of a table to the next, as texts. */
function difference(table: string, before: Snapshot, after: Snapshot): string[] {
  const changes: string[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(key), after.get(key)];
    if (text(old) !== text(now)) changes.push(`${table} ${key} ${text(old)} ${text(now)}`);
  }
  return changes.sort();
}

test(`events of ${TRANSACTIONS} random transactions are what has changed`, () => {
  const random = new Random(2026);
  let events = 0;
  for (let done = 0; done < TRANSACTIONS; done += OF_ONE) {
    const db = openSync();
    const names = Object.keys(TABLES);
    for (const name of names) db.execute((TABLES[name] as { sql: string }).sql);
    db.execute(TRIGGERS);
    const heard: ChangeEvent[] = [];
    for (const name of names) db.subscribe(db.watch(name), (batch) => void heard.push(...batch));
    let before = new Map(names.map((name) => [name, snapshot(db, name)]));
    const replayed = new Map(names.map((name) => [name, new Map<string, string>()]));
    for (let i = 0; i < OF_ONE; i++) {
      const statements: string[] = [];
      const run = (sql: string) => {
        statements.push(sql);
        try {
          db.execute(sql);
        } catch {
          // A statement that fails is a part of the test.
        }
      };
      if (random.below(3) === 0) run(statement(random));
      else {
        run("BEGIN");
        for (let k = random.below(6); k >= 0; k--) {
          if (random.below(5) === 0) run(random.pick(["SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"]));
          else run(statement(random));
        }
        run(random.below(5) === 0 ? "ROLLBACK" : "COMMIT");
        // A commit may have failed, of a deferred reference; or SQLite has ended it before.
        if (Number(db.stats()["openParts"]) > 0) run("ROLLBACK");
      }
      heard.length = 0;
      db.flush();
      const after = new Map(names.map((name) => [name, snapshot(db, name)]));
      const expected = names.flatMap((name) =>
        difference(name, before.get(name) as Snapshot, after.get(name) as Snapshot),
      );
      const told = heard.map((e) => `${e.tableName} ${text(e.key)} ${text(e.oldData)} ${text(e.newData)}`);
      assert.deepEqual(told.sort(), expected.sort(), statements.join(";\n"));
      for (const { tableName, key, newData } of heard as { tableName: string; key: unknown; newData?: Row }[]) {
        const table = replayed.get(tableName) as Map<string, string>;
        if (newData === undefined) table.delete(text(key));
        else table.set(text(key), text(newData));
      }
      events += told.length;
      before = after;
    }
    for (const name of names) {
      const rows = [...(before.get(name) as Snapshot)].map(([key, row]) => `${key} ${text(row)}`).sort();
      const events = [...(replayed.get(name) as Map<string, string>)].map(([key, row]) => `${key} ${row}`).sort();
      assert.deepEqual(events, rows, `the events of ${name}, one after the other, give the table`);
    }
    void db.close();
  }
  assert.ok(events > TRANSACTIONS, `${events} events`);
});
