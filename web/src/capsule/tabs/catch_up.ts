/** Changes that a subscriber has missed while the database had no owner, read from its log. */
import { changeOf, makeEvent, rowIdOf } from "../messages.js";
import type { ChangeEvent, ChangeOperation, Params, Row, SqlValue } from "../types.js";

/** Function that runs a query. */
export type Query = (sql: string, params?: Params) => Row[];

/** Changes of a table since a transaction, one row for each part of a key or an image. */
const CHANGES = `
  SELECT l.seq, l.tx, l.op, l.row_id, l.at, l.source, t.cause, part, j.key AS name, j.type, j.atom, j.value
  FROM _capsule_log l LEFT JOIN _capsule_tx t ON t.tx = l.tx,
    (SELECT 'key' AS part UNION ALL SELECT 'old' UNION ALL SELECT 'new') p,
    json_each(CASE part WHEN 'key' THEN l.key WHEN 'old' THEN l.old ELSE l.new END) j
  WHERE l.tbl = ? AND l.tx > ?
  ORDER BY l.seq, part, j.id`;

/** Returns the number of the last transaction in the log. */
export function lastTransaction(query: Query): number {
  return Number(query("SELECT coalesce(max(tx), 0) AS last FROM _capsule_log")[0]?.["last"]);
}

/** Says whether anything has changed since a transaction: of one table, or at all. */
export function hasChanged(query: Query, since: number, table?: string): boolean {
  const of = table === undefined ? "" : " AND tbl = ?";
  const params = table === undefined ? [since] : [since, table];
  return query(`SELECT 1 FROM _capsule_log WHERE tx > ?${of} LIMIT 1`, params).length > 0;
}

/** Returns the changes of a table since a transaction, as its watcher would have told them. */
export function changesSince(
  query: Query,
  watcherId: string,
  table: string,
  since: number,
  device: string,
): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  let seq: SqlValue | undefined;
  let parts: { first: Row; key: SqlValue[]; old: Row | undefined; new: Row | undefined } | undefined;
  const end = () => {
    if (parts !== undefined) events.push(eventOf(parts, watcherId, table, device));
  };
  for (const row of query(CHANGES, [table, since])) {
    if (row["seq"] !== seq) {
      end();
      seq = row["seq"] as SqlValue;
      parts = { first: row, key: [], old: undefined, new: undefined };
    }
    const value = valueOf(row);
    if (row["part"] === "key") parts!.key.push(value);
    else (parts![row["part"] as "old" | "new"] ??= {})[String(row["name"])] = value;
  }
  end();
  return events;
}

function eventOf(
  parts: { first: Row; key: SqlValue[]; old: Row | undefined; new: Row | undefined },
  watcherId: string,
  tableName: string,
  device: string,
): ChangeEvent {
  const { first, key, old: oldData, new: newData } = parts;
  const operation = first["op"] as ChangeOperation;
  const cause = first["cause"];
  return makeEvent({
    watcherId,
    operation,
    tableName,
    rowId: rowIdOf(key, first["row_id"]),
    key,
    oldData,
    newData,
    timestamp: new Date(Number(first["at"])),
    transactionId: `${device}-${String(first["tx"])}`,
    source: first["source"] as ChangeEvent["source"],
    change: changeOf(operation),
    cause: typeof cause === "number" ? cause : undefined,
    seq: Number(first["seq"]),
  });
}

/** A value as the log has it: exact by its type of JSON; a blob is an object of its base64. */
function valueOf({ type, atom, value }: Row): SqlValue {
  if (type !== "object") return type === "null" ? null : (atom as SqlValue);
  const { $blob } = JSON.parse(String(value)) as { $blob: string };
  return Uint8Array.from(atob($blob), (character) => character.charCodeAt(0));
}
