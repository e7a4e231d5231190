/**
 * Scripts and statements that mean harm, in the module: after each the capsule works as before. The attacks
 * are those that native builds go through (crates/capsule/tests/hostile.rs).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite, test } from "node:test";
import type { Capsule, CapsuleError } from "../src/capsule/index.ts";
import { openSync } from "./capsules.ts";

const linesOf = (name: string): string[] =>
  readFileSync(resolve("../tests/vectors/hostile", name), "utf8").trimEnd().split("\n");

/** Ticks of one call: much for what is right, little for what has no end. */
const FUEL = 2_000_000;

const HOOKS = `function validate_insert(name, row) if row.v == 'bad' then error('is bad') end end`;

function prepared(fuel = FUEL): Capsule {
  // By fuel alone: a machine may be as slow as it likes.
  const capsule = openSync({ sandbox: { fuel, maxMemory: 32 * 1024 * 1024, maxExecutionTime: Infinity } });
  capsule.on("error", () => {});
  capsule.execute(`CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE log(line TEXT);
    INSERT INTO t VALUES(1, 'one'), (2, 'two')`);
  capsule.executeLua(HOOKS);
  return capsule;
}

/** Kind of the error of a call; undefined when it has none. */
function kindOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    const { kind, message } = error as CapsuleError;
    assert.notEqual(kind, "bug", message);
    assert.ok(typeof kind === "string", String(error));
    return kind;
  }
}

function check(capsule: Capsule, attack: string): void {
  assert.deepEqual(
    capsule.query("SELECT id, v FROM t ORDER BY id"),
    [
      { id: 1, v: "one" },
      { id: 2, v: "two" },
    ],
    attack,
  );
  assert.equal(capsule.queryScalar("PRAGMA integrity_check"), "ok", attack);
  assert.equal(
    kindOf(() => capsule.execute("INSERT INTO t VALUES(3, 'bad')")),
    "veto",
    attack,
  );
  capsule.execute("BEGIN; INSERT INTO log VALUES('x'); ROLLBACK");
  assert.equal(capsule.insert("log", { line: attack.slice(0, 10) }), capsule.queryScalar("SELECT max(rowid) FROM log"));
  capsule.flush();
}

suite("hostile scripts", () => {
  let refused = 0;
  for (const attack of linesOf("scripts.txt")) {
    test(attack.slice(0, 100), async () => {
      await using capsule = prepared();
      const kind = kindOf(() => capsule.executeLua(attack));
      const cleared = kindOf(() => {
        capsule.flush();
        capsule.executeLua("before_insert, before_commit, after_save = nil, nil, nil");
      });
      // What was allowed, or has made its own globals useless, has its right.
      if (kind === undefined || cleared !== undefined) return;
      capsule.executeLua(HOOKS);
      check(capsule, attack);
      refused += 1;
    });
  }

  test("are nearly all refused", () => assert.ok(refused >= linesOf("scripts.txt").length - 6, String(refused)));
});

suite("hostile statements", () => {
  const capsule = prepared();
  for (const attack of [...linesOf("statements.txt"), "\0"]) {
    test(attack.slice(0, 100), () => {
      assert.notEqual(
        kindOf(() => capsule.execute(attack)),
        undefined,
      );
      capsule.execute("DROP TRIGGER IF EXISTS main.x");
      check(capsule, attack);
    });
  }
});

suite("chains that lead SQLite deep into itself are refused, or work", () => {
  const chain = (links: number, link: (n: number) => string) =>
    Array.from({ length: links - 1 }, (_, n) => link(n + 1)).join("");
  for (const links of [50, 190, 600]) {
    test(`of ${links}`, async () => {
      await using capsule = prepared(100 * FUEL);
      const run = (what: string, setup: string, sql: string) => {
        const kind = kindOf(() => (capsule.execute(setup), capsule.query(sql)));
        if (links <= 190) assert.equal(kind, undefined, what);
      };
      const tables = chain(links + 1, (n) => `CREATE TABLE a${n}(v);`);
      const fires = (n: number) =>
        `CREATE TRIGGER r${n} AFTER INSERT ON a${n} BEGIN INSERT INTO a${n + 1} VALUES(1); END;`;
      run("triggers", tables + chain(links, fires), "INSERT INTO a1 VALUES(1)");
      const refers = (n: number) => `CREATE TABLE f${n}(v PRIMARY KEY REFERENCES f${n - 1} ON DELETE CASCADE);`;
      run("references", `CREATE TABLE f0(v PRIMARY KEY);${chain(links, refers)}`, "DELETE FROM f0");
      const columns = chain(links, (n) => `, c${n} AS (c${n - 1} + 1)`);
      run("columns", `CREATE TABLE g(c0${columns})`, `SELECT c${links - 1} FROM g`);
      const views = chain(links, (n) => `CREATE VIEW v${n} AS SELECT max(v) AS v FROM v${n - 1};`);
      run("views", `CREATE VIEW v0 AS SELECT 1 AS v;${views}`, `SELECT * FROM v${links - 1}`);
      for (const [open, close] of [
        ["(", ")"],
        ["abs(", ")"],
        ["NOT ", ""],
        ["CASE WHEN 1 THEN ", " END"],
        ["~", ""],
      ] as const) {
        run(open, "", `SELECT ${open.repeat(links)}1${close.repeat(links)}`);
      }
      for (const between of [" OR ", " + ", " || ", " UNION ALL SELECT ", " UNION SELECT "])
        run(between, "", `SELECT 1${`${between}1`.repeat(links)}`);
      run("subqueries", "", `${"SELECT max(v) AS v FROM (".repeat(links)}SELECT 1 AS v${")".repeat(links)}`);
      run("LIKE", "", `SELECT '${"a".repeat(links + 5)}' LIKE '${"%a".repeat(links)}b'`);
      run("JSON", "", `SELECT json('${"[".repeat(links)}${"]".repeat(links)}')`);
      const ctes = chain(links, (n) => `, c${n} AS (SELECT max(v) AS v FROM c${n - 1})`);
      run("CTEs", "", `WITH c0 AS (SELECT 1 AS v)${ctes} SELECT * FROM c${links - 1}`);
      check(capsule, `chains of ${links}`);
    });
  }
});
