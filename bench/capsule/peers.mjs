// Databases that the capsule is measured beside, with the same table, and settings as durable as its own.

import Sqlite from "better-sqlite3";

/** The table of most measures. */
export const TABLE = "CREATE TABLE tasks(id INTEGER PRIMARY KEY, title TEXT, completed INTEGER)";

/** Columns of the table as triggers show them. */
const image = (side) => `json_object('id', ${side}.id, 'title', ${side}.title, 'completed', ${side}.completed)`;

/** The log as one writes it by hand: a table, and a trigger for each operation. */
const LOG = `
  CREATE TABLE _capsule_watchers(id TEXT PRIMARY KEY, table_name TEXT);
  CREATE TABLE _capsule_events(
    id INTEGER PRIMARY KEY, operation TEXT, table_name TEXT, row_id, old_data TEXT, new_data TEXT, timestamp TEXT,
    watcher_id TEXT);
  INSERT INTO _capsule_watchers VALUES('w1', 'tasks');
  ${trigger("INSERT", "NEW", "NULL", image("NEW"))}
  ${trigger("UPDATE", "NEW", image("OLD"), image("NEW"))}
  ${trigger("DELETE", "OLD", image("OLD"), "NULL")}`;

function trigger(operation, side, before, after) {
  return `CREATE TRIGGER tasks_${operation.toLowerCase()}_capsule AFTER ${operation} ON tasks FOR EACH ROW BEGIN
    INSERT INTO _capsule_events(operation, table_name, row_id, old_data, new_data, timestamp, watcher_id)
    VALUES('${operation}', 'tasks', ${side}.id, ${before}, ${after}, CURRENT_TIMESTAMP,
      (SELECT id FROM _capsule_watchers WHERE table_name = 'tasks'));
  END;`;
}

/** Opens better-sqlite3, with the log by triggers or without. Commits survive the process, no power cut. */
export function openSqlite(file, { logged = true } = {}) {
  const sqlite = new Sqlite(file);
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma("synchronous = NORMAL");
  sqlite.exec(TABLE);
  if (logged) sqlite.exec(LOG);
  return sqlite;
}

/** Opens SQLite's own module for JavaScript, in memory. */
export async function openSqliteWasm() {
  const { default: init } = await import("@sqlite.org/sqlite-wasm");
  const sqlite3 = await init({ print() {}, printErr() {} });
  const db = new sqlite3.oo1.DB(":memory:");
  db.exec(TABLE);
  return { db, close: () => db.close() };
}
