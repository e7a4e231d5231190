// Lua beside the data: rules that judge rows, functions that query.

import { Capsule } from "../../web/dist/capsule_node.js";
import { TABLE, openSqlite, openSqliteWasm } from "./peers.mjs";
import { title } from "./inserts.mjs";
import { timed } from "./timed.mjs";

const ROWS = 10_000;
const CALLS = 2000;
const INSERT = "INSERT INTO tasks(title, completed) VALUES(?, ?)";
const QUERY = "SELECT id, title, completed FROM tasks WHERE id = ?";

const RULE = `function validate_insert(table_name, row)
  return #row.title >= 3 and row.completed >= 0
end`;
const TRIGGER = `CREATE TEMP TRIGGER judge AFTER INSERT ON tasks BEGIN
  SELECT CASE WHEN NOT is_valid(NEW.title, NEW.completed) THEN RAISE(ABORT, 'refused') END;
END`;

/** A side that fills its table again and again. */
const filled = (open) => ({
  async open() {
    const { insertAll, clear, count, close } = await open();
    return {
      async sample() {
        clear();
        const ms = await timed(insertAll);
        return { value: ms, check: count() };
      },
      close,
    };
  },
});

const capsule = (rule) =>
  filled(async () => {
    // Neither log nor events: what is measured is the rule.
    const db = Capsule.openSync(":memory:", { capsule: { enabled: false } });
    db.execute(TABLE);
    if (rule) db.executeLua(RULE);
    return {
      insertAll: () =>
        db.transaction(() => {
          for (let n = 0; n < ROWS; n += 1) db.execute(INSERT, [title(n), n % 2]);
        }),
      clear: () => db.execute("DELETE FROM tasks"),
      count: () => db.queryScalar("SELECT count(*) FROM tasks"),
      close: () => db.close(),
    };
  });

const sqliteWasm = (rule) =>
  filled(async () => {
    const { db, close } = await openSqliteWasm();
    if (rule) {
      db.createFunction("is_valid", (context, name, completed) => (name.length >= 3 && completed >= 0 ? 1 : 0), {
        innocuous: true,
      });
      db.exec(TRIGGER);
    }
    return {
      insertAll() {
        const insert = db.prepare(INSERT);
        db.transaction(() => {
          for (let n = 0; n < ROWS; n += 1) insert.bind([title(n), n % 2]).stepReset();
        });
        insert.finalize();
      },
      clear: () => db.exec("DELETE FROM tasks"),
      count: () => db.selectValue("SELECT count(*) FROM tasks"),
      close,
    };
  });

/** Measures the calls of a function `find`, given the key of a row. */
function calls(find, close) {
  return {
    async sample() {
      let check = 0;
      const ms = await timed(() => {
        for (let n = 0; n < CALLS; n += 1) check += find(1 + (n % 1000));
      });
      return { value: ms, check };
    },
    close,
  };
}

const capsuleCalls = {
  async open() {
    const db = Capsule.openSync(":memory:");
    db.execute(TABLE);
    db.insertMultiple(
      "tasks",
      Array.from({ length: 1000 }, (_, n) => ({ title: title(n), completed: n % 2 })),
    );
    db.executeLua(`function find(id)
      local row = glyphcase.queryOne("${QUERY}", id)
      return #row.title + row.completed
    end`);
    return calls(
      (id) => db.callLuaFunction("find", id),
      () => db.close(),
    );
  },
};

const wasmoonCalls = {
  async open() {
    const { LuaFactory } = await import("wasmoon");
    const lua = await new LuaFactory().createEngine();
    const sqlite = openSqlite(":memory:", { logged: false });
    const insert = sqlite.prepare(INSERT);
    for (let n = 0; n < 1000; n += 1) insert.run(title(n), n % 2);
    const query = sqlite.prepare(QUERY);
    lua.global.set("queryOne", (id) => query.get(id));
    await lua.doString(`function find(id)
      local row = queryOne(id)
      return #row.title + row.completed
    end`);
    const find = lua.global.get("find");
    return calls(find, () => {
      lua.global.close();
      sqlite.close();
    });
  },
};

export const LUA = [
  {
    id: "lua/validated",
    title: `${ROWS} inserts in memory, each judged: by validate_insert, by a function in a trigger`,
    unit: "ms",
    goal: 1,
    peer: "sqlite-wasm, a function of JavaScript in a trigger",
    sides: {
      "Capsule, Lua": capsule(true),
      "Capsule, no rule": capsule(false),
      peer: sqliteWasm(true),
      "sqlite-wasm, no rule": sqliteWasm(false),
    },
    // What judging costs: with the rule, less without.
    difference: {
      title: "the judging of one row",
      unit: "µs",
      scale: 1000 / ROWS,
      ours: ["Capsule, Lua", "Capsule, no rule"],
      peer: ["peer", "sqlite-wasm, no rule"],
    },
  },
  {
    id: "lua/query",
    title: "a Lua function that queries one row, called from JavaScript",
    unit: "µs",
    scale: 1000 / CALLS,
    goal: 0.4,
    peer: "wasmoon with better-sqlite3",
    sides: { "Capsule.callLuaFunction": capsuleCalls, peer: wasmoonCalls },
  },
];
