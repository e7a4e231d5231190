// Statements one after the other: one, a thousand, ten thousand; and in databases of several sizes.

import { Capsule } from "../../web/dist/capsule_node.js";
import { openSqlite, TABLE } from "./peers.mjs";
import { makePlace } from "./places.mjs";
import { title } from "./inserts.mjs";
import { timed } from "./timed.mjs";

/** Rows of the table that is asked. */
const ROWS = 1000;

const INDEXED = "SELECT id, title, completed FROM tasks WHERE id = ?";
const SCAN = "SELECT count(*) FROM tasks WHERE title = ?";
const INSERT = "INSERT INTO tasks(title, completed) VALUES(?, ?)";
const UPDATE = "UPDATE tasks SET completed = ? WHERE id = ?";
const DELETE = "DELETE FROM tasks WHERE id = ?";

/** Statements: what runs for the `n`th of them, after `before` has made as many rows as they need. */
const KINDS = [
  { name: "select", title: "SELECT by an index", reads: true, step: (db, n) => db.get(INDEXED, [1 + (n % ROWS)]) },
  { name: "scan", title: `SELECT, all ${ROWS} rows scanned`, reads: true, step: (db, n) => db.get(SCAN, [title(n)]) },
  { name: "insert", title: "INSERT", step: (db, n) => db.run(INSERT, [title(n), 0]) },
  { name: "update", title: "UPDATE", step: (db, n) => db.run(UPDATE, [n, 1 + (n % ROWS)]) },
  { name: "delete", title: "DELETE", needs: (count) => count, step: (db, n) => db.run(DELETE, [n + 1]) },
];

async function openCapsule(file) {
  const capsule = await Capsule.open(file);
  capsule.execute(TABLE);
  return {
    get: (sql, params) => capsule.queryOne(sql, params),
    run: (sql, params) => capsule.execute(sql, params),
    transaction: (work) => capsule.transaction(work),
    fill: (count) => capsule.insertMultiple("tasks", rowsFor(count)),
    close: () => capsule.close(),
  };
}

function openPeer(file) {
  const sqlite = openSqlite(file);
  const statements = new Map();
  const prepared = (sql) => {
    if (!statements.has(sql)) statements.set(sql, sqlite.prepare(sql));
    return statements.get(sql);
  };
  const db = {
    get: (sql, params) => prepared(sql).get(params),
    run: (sql, params) => prepared(sql).run(params),
    transaction: (work) => sqlite.transaction(work)(),
    fill: (count) =>
      db.transaction(() => {
        for (const { title, completed } of rowsFor(count)) db.run(INSERT, [title, completed]);
      }),
    close: () => sqlite.close(),
  };
  return db;
}

const rowsFor = (count) => Array.from({ length: count }, (_, n) => ({ title: title(n), completed: n % 2 }));

const side = (open, { step, reads, needs }, count) => ({
  open: async () => ({
    async sample() {
      const place = makePlace();
      const db = await open(place.file);
      try {
        db.fill(Math.max(ROWS, needs?.(count) ?? 0));
        // Warm: every statement is compiled.
        step(db, 0);
        const all = () => {
          for (let n = 1; n < count; n += 1) step(db, n);
          step(db, count === 1 ? 1 : 0);
        };
        // Statements that write are one transaction, as a program that has many of them makes it.
        const value = await timed(() => (reads ? all() : db.transaction(all)));
        return { value };
      } finally {
        await db.close();
        place.remove();
      }
    },
  }),
});

/** Expected times in ms, as they were printed once: one, 1,000, 10,000. */
const EXPECTED = {
  select: [0.5, 50, 400],
  scan: [2, 1500, 12_000],
  insert: [1, 100, 800],
  update: [1.5, 150, 1200],
  delete: [1, 100, 800],
};

export const STATEMENTS = KINDS.flatMap((kind) =>
  [1, 1000, 10_000].map((count, at) => ({
    id: `statement/${kind.name}/${count}`,
    title: `${kind.title}, ${count === 1 ? "one" : `${count} in a row`}`,
    unit: "ms",
    expected: EXPECTED[kind.name][at],
    peer: "better-sqlite3, log by triggers",
    sides: { Capsule: side(openCapsule, kind, count), peer: side(openPeer, kind, count) },
  })),
);
