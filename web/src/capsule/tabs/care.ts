/**
 * Care that a call needs when the tab that owned the database has ended before its answer came.
 *
 * | care | what is done |
 * |---|---|
 * | `again` | it is made again: it changes nothing, or a second time changes nothing more |
 * | `write` | it is made once: it has a number, and its answer is kept in the commit that it makes |
 * | `once` | it fails: nobody knows how far it has come |
 * | `open` | it begins a transaction. It is made again: what a dead transaction had done is gone |
 */
import type { CallName } from "../driver.js";

export type Care = "again" | "write" | "once" | "open";

const CARES: { readonly [name in CallName]: Care } = {
  query: "write",
  queryOne: "write",
  queryScalar: "write",
  execute: "write",
  insert: "write",
  insertMultiple: "write",
  update: "write",
  updateWhere: "write",
  delete: "write",
  deleteWhere: "write",
  // It is a transaction by itself, and cannot be a part of one.
  undo: "once",
  begin: "open",
  commit: "once",
  rollBack: "once",
  beginPreview: "open",
  endPreview: "once",
  beginUpgrade: "open",
  noteMigration: "once",
  endUpgrade: "once",
  cancelUpgrade: "once",
  checkTable: "again",
  watch: "again",
  unwatch: "again",
  subscribe: "again",
  unsubscribe: "again",
  live: "again",
  endLive: "again",
  moveLive: "again",
  explain: "again",
  explainLive: "again",
  listen: "again",
  unlisten: "again",
  dispatch: "once",
  flush: "again",
  startEval: "once",
  startCall: "once",
  startCallMod: "once",
  installMod: "again",
  activateMod: "again",
  deactivateMod: "again",
  uninstallMod: "once",
  activateMods: "again",
  mods: "again",
  export: "again",
  sweep: "again",
  settings: "again",
  stats: "again",
};

const SPACE = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[^]*?\*/)*`;
const READS = new RegExp(`^${SPACE}(?:SELECT|VALUES|EXPLAIN)\\b`, "i");
const WITH = new RegExp(`^${SPACE}WITH\\b`, "i");
const WRITES = /\b(?:INSERT|UPDATE|DELETE|REPLACE)\b/i;
/** Statements that cannot be a part of a transaction, alone. */
const UPKEEP = new RegExp(`^${SPACE}(?:VACUUM|ANALYZE|REINDEX|PRAGMA)\\b[^;]*;?${SPACE}$`, "i");
/** Statements that are for `transaction`. */
const BOUNDARY = new RegExp(`^${SPACE}(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\\b`, "i");

/** Says which care a call needs. */
export function careOf(name: CallName, args: readonly unknown[]): Care {
  const care = CARES[name];
  const [sql] = args;
  if (care !== "write" || typeof sql !== "string") return care;
  if (name !== "execute" && !name.startsWith("query")) return care;
  if (UPKEEP.test(sql)) return "again";
  if (name === "execute") return care;
  // One statement, which only reads.
  return READS.test(sql) || (WITH.test(sql) && !WRITES.test(sql)) ? "again" : "write";
}

/** True if it is a statement that would leave a transaction open, or end one that it has not begun. */
export function isBoundary(name: CallName, args: readonly unknown[]): boolean {
  const [sql] = args;
  return (name === "execute" || name.startsWith("query")) && typeof sql === "string" && BOUNDARY.test(sql);
}
