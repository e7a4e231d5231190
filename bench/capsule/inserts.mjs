// Rows that are inserted: in one transaction, and one by one.

import { Capsule, GlyphCase } from "../../web/dist/capsule_node.js";
import { TABLE, openSqlite, openSqliteWasm } from "./peers.mjs";
import { makePlace } from "./places.mjs";
import { timed } from "./timed.mjs";

const ROWS = 10_000;
/** Rows that are committed one by one. */
const COMMITS = 500;
const INSERT = "INSERT INTO tasks(title, completed) VALUES(?, ?)";

export const title = (n) => `the title of task ${n}`;
const rows = Array.from({ length: ROWS }, (_, n) => ({ title: title(n), completed: n % 2 }));
const count = "SELECT count(*) FROM tasks";

/** A side with a fresh database for each sample: `open` makes it, `fill` is timed, `found` is what it has. */
const fresh = ({ open, fill, found, close }) => ({
  async open() {
    return {
      async sample() {
        const place = makePlace();
        const db = await open(place.file);
        try {
          const ms = await timed(() => fill(db));
          return { value: ms, check: await found(db) };
        } finally {
          await close(db);
          place.remove();
        }
      },
    };
  },
});

const capsuleSide = (fill, { file = true, enabled = true } = {}) =>
  fresh({
    async open(path) {
      const capsule = await Capsule.open(file ? path : ":memory:", { capsule: { enabled } });
      capsule.execute(TABLE);
      return capsule;
    },
    fill,
    found: (capsule) => capsule.queryScalar(count),
    close: (capsule) => capsule.close(),
  });

const glyphcaseSide = (fill) =>
  fresh({
    async open(path) {
      const db = new GlyphCase(path);
      await db.execute(TABLE);
      return db;
    },
    fill,
    found: (db) => db.queryScalar(count),
    close: (db) => db.close(),
  });

const sqliteSide = (fill, { file = true, logged = true } = {}) =>
  fresh({
    open: (path) => openSqlite(file ? path : ":memory:", { logged }),
    fill,
    found: (sqlite) => sqlite.prepare(count).pluck().get(),
    close: (sqlite) => sqlite.close(),
  });

const sqliteWasmSide = (fill) =>
  fresh({ open: openSqliteWasm, fill, found: ({ db }) => db.selectValue(count), close: (opened) => opened.close() });

function sqliteInserts(sqlite) {
  const insert = sqlite.prepare(INSERT);
  sqlite.transaction(() => {
    for (const row of rows) insert.run(row.title, row.completed);
  })();
}

function sqliteWasmInserts({ db }) {
  const insert = db.prepare(INSERT);
  db.transaction(() => {
    for (const row of rows) insert.bind([row.title, row.completed]).stepReset();
  });
  insert.finalize();
}

const oneByOne = (capsule) =>
  capsule.transaction(() => {
    for (const row of rows) capsule.insert("tasks", row);
  });
const statements = (capsule) =>
  capsule.transaction(() => {
    for (const row of rows) capsule.execute(INSERT, [row.title, row.completed]);
  });
const LUA = `glyphcase.transaction(function()
  for n = 0, ${ROWS - 1} do
    glyphcase.insert("tasks", { title = "the title of task " .. n, completed = n % 2 })
  end
end)`;

export const INSERTS = [
  {
    id: "insert/transaction",
    title: `${ROWS} inserts in one transaction, logged, in a file`,
    unit: "ms",
    goal: 0.5,
    peer: "better-sqlite3, log by triggers",
    sides: {
      "Capsule.insert": capsuleSide(oneByOne),
      "Capsule.execute": capsuleSide(statements),
      "Capsule.insertMultiple": capsuleSide((capsule) => capsule.insertMultiple("tasks", rows)),
      "glyphcase.insert in Lua": capsuleSide((capsule) => capsule.executeLua(LUA)),
      "GlyphCase.insert, awaited": glyphcaseSide((db) =>
        db.transaction(async (tx) => {
          for (const row of rows) await tx.insert("tasks", row);
        }),
      ),
      "GlyphCase.insertMultiple": glyphcaseSide((db) => db.insertMultiple("tasks", rows)),
      peer: sqliteSide(sqliteInserts),
    },
  },
  {
    id: "insert/commit",
    title: "one insert, committed and logged, in a file",
    unit: "µs",
    goal: 0.5,
    peer: "better-sqlite3, log by triggers",
    scale: 1000 / COMMITS,
    sides: {
      "Capsule.insert": capsuleSide((capsule) => {
        for (const row of rows.slice(0, COMMITS)) capsule.insert("tasks", row);
      }),
      "GlyphCase.insert": glyphcaseSide(async (db) => {
        for (const row of rows.slice(0, COMMITS)) await db.insert("tasks", row);
      }),
      peer: sqliteSide((sqlite) => {
        const insert = sqlite.prepare(INSERT);
        for (const row of rows.slice(0, COMMITS)) insert.run(row.title, row.completed);
      }),
    },
  },
  {
    id: "insert/logged",
    title: `${ROWS} inserts in memory, logged`,
    unit: "ms",
    goal: 2.2,
    peer: "the same with `capsule: { enabled: false }`: captured, not logged",
    sides: {
      "Capsule.execute": capsuleSide(statements, { file: false }),
      peer: capsuleSide(statements, { file: false, enabled: false }),
    },
  },
  {
    id: "insert/wasm",
    title: `${ROWS} inserts in memory`,
    unit: "ms",
    peer: "sqlite-wasm alone, one compiled statement: neither captured nor logged",
    sides: {
      "captured and logged": capsuleSide(statements, { file: false }),
      captured: capsuleSide(statements, { file: false, enabled: false }),
      peer: sqliteWasmSide(sqliteWasmInserts),
    },
  },
];
