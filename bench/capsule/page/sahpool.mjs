// Worker with SQLite's own module and its files `opfs-sahpool`: answers one call after the other.

import init from "/bench/node_modules/@sqlite.org/sqlite-wasm/dist/index.mjs";

let db;
let pool;

const CALLS = {
  async open(name, statements) {
    const sqlite3 = await init({ print() {}, printErr() {} });
    pool = await sqlite3.installOpfsSAHPoolVfs({ name: "pool", directory: "/pool", initialCapacity: 6 });
    db = new pool.OpfsSAHPoolDb(`/${name}`);
    for (const sql of statements) db.exec(sql);
  },
  run(sql, params) {
    db.exec(sql, { bind: params });
  },
  runAll(sql, all) {
    const statement = db.prepare(sql);
    for (const params of all) statement.bind(params).stepReset();
    statement.finalize();
  },
  scalar: (sql) => db.selectValue(sql),
  async close() {
    db.close();
    await pool.wipeFiles();
    await pool.removeVfs();
  },
};

self.onmessage = async ({ data: { what, args } }) => {
  try {
    self.postMessage({ value: await CALLS[what](...args) });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};
