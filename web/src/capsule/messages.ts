/**
 * Messages of the module: what happens in a capsule while no call waits for it (docs/codec.md, section 7).
 */
import { fromFailure, type CapsuleError } from "./errors.js";
import type { ResultReader } from "./sql_codec.js";
import type { LuaValue } from "../codec/values.js";
import type { ChangeEvent, ChangeOperation, Explanation, Patch, Row, Rung, SchemaChange, SqlValue } from "./types.js";

/** A message. */
export type Message =
  | { readonly kind: "dispatched"; readonly name: string; readonly payload: LuaValue }
  | { readonly kind: "events"; readonly watcher: string; readonly events: ChangeEvent[] }
  | { readonly kind: "live"; readonly number: number; readonly seq: number; readonly patches: Patch[] }
  | { readonly kind: "error"; readonly error: CapsuleError }
  | CommittedMessage;

/** Facts of a commit. */
export interface CommittedMessage {
  readonly kind: "committed";
  /** Number of the transaction; 0 when no row has changed. */
  readonly transaction: number;
  readonly source: string;
  /** Number of the last change; 0 for none. */
  readonly seq: number;
  readonly changes: readonly { readonly operation: ChangeOperation; readonly table: string }[];
  readonly schema: readonly SchemaChange[];
}

/** Reads a message; undefined when there is none. `all` reads it as values of Lua. */
export function readMessage(results: ResultReader, all: () => LuaValue[]): Message | undefined {
  const kind = results.optionalText();
  switch (kind) {
    case "dispatched": {
      const name = results.text();
      return { kind, name, payload: all()[3] };
    }
    case "error":
      return { kind, error: fromFailure(all()[2]) };
    case "events": {
      const watcher = results.text();
      return { kind, watcher, events: many(results, () => readEvent(results, watcher)) };
    }
    case "live": {
      const number = results.integer();
      const seq = results.integer();
      const row = results.rowReader(results.texts());
      return { kind, number, seq, patches: readPatches(results, row) };
    }
    case "committed":
      return {
        kind,
        transaction: results.integer(),
        source: results.text(),
        seq: results.integer(),
        changes: many(results, () => ({ operation: results.text() as ChangeOperation, table: results.text() })),
        schema: many(results, () => {
          const change = { kind: results.text() as SchemaChange["kind"], table: results.text() };
          const to = results.optionalText();
          return to === undefined ? change : { ...change, to };
        }),
      };
    default:
      return undefined;
  }
}

/** Reads as many things as the count before them says. */
export function many<T>(results: ResultReader, read: () => T): T[] {
  return Array.from({ length: results.integer() }, read);
}

function readEvent(results: ResultReader, watcherId: string): ChangeEvent {
  const operation = results.text() as ChangeOperation;
  const tableName = results.text();
  const rowId = results.value();
  const key = results.keyValues();
  const oldData = results.image();
  const newData = results.image();
  const timestamp = new Date(results.integer());
  const transactionId = results.text();
  const source = results.text() as ChangeEvent["source"];
  const change = results.text() as ChangeEvent["change"];
  const cause = results.optionalInteger();
  const seq = results.integer();
  return new Event({
    watcherId,
    operation,
    tableName,
    rowId,
    key,
    oldData,
    newData,
    timestamp,
    transactionId,
    source,
    change,
    cause,
    seq,
  });
}

/** Reads a change that was previewed: an event of nobody's. */
export function readChange(results: ResultReader): ChangeEvent {
  const operation = results.text() as ChangeOperation;
  const tableName = results.text();
  const rowid = results.optionalInteger();
  const key = results.keyValues();
  const oldData = results.image();
  const newData = results.image();
  return new Event({
    watcherId: "",
    operation,
    tableName,
    rowId: rowIdOf(key, rowid),
    key,
    oldData,
    newData,
    timestamp: new Date(),
    transactionId: "",
    source: "trigger",
    change: changeOf(operation),
    cause: undefined,
    seq: 0,
  });
}

/** Returns what an event calls its row: a key of one value, its rowid where that is NULL, else a list. */
export function rowIdOf(key: readonly SqlValue[], rowid: SqlValue | undefined): SqlValue {
  return key.length === 1 ? (key[0] ?? rowid ?? null) : JSON.stringify(key, jsonPart);
}

/** Returns what a change of a table is to a watcher of the whole table. */
export function changeOf(operation: ChangeOperation): ChangeEvent["change"] {
  return operation === "INSERT" ? "enter" : operation === "DELETE" ? "leave" : "change";
}

function jsonPart(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Reads how a watcher or a live query finds what has changed. */
export function readExplanation(results: ResultReader): Explanation {
  const rung = results.text() as Rung;
  const reason = results.text();
  const tables = Object.fromEntries(many(results, () => [results.text(), results.texts()]));
  const [columns = 0, images = 0, keys = 0, again = 0] = [1, 2, 3, 4].map(() => results.integer());
  const lastFall = results.optionalText();
  return {
    rung,
    reason,
    tables,
    decided: { columns, images, keys, again },
    ...(lastFall !== undefined && { lastFall }),
  };
}

/** Reads the patches of a live query whose rows `row` reads. */
export function readPatches(results: ResultReader, row: () => Row): Patch[] {
  return many(results, () => readPatch(results, row));
}

function readPatch(results: ResultReader, row: () => Row): Patch {
  const op = results.text() as Patch["op"];
  const at = results.integer();
  if (op === "delete") return { op, at };
  if (op === "move") return { op, at, from: results.integer() };
  return { op, at, row: row() };
}

/** Facts that an event is made of. */
export interface EventFacts {
  watcherId: string;
  operation: ChangeOperation;
  tableName: string;
  rowId: SqlValue;
  key: readonly SqlValue[];
  oldData?: Row | undefined;
  newData?: Row | undefined;
  timestamp: Date;
  transactionId: string;
  source: ChangeEvent["source"];
  change: ChangeEvent["change"];
  cause?: number | undefined;
  seq: number;
}

/** Makes an event. */
export function makeEvent(facts: EventFacts): ChangeEvent {
  return new Event(facts);
}

/** A change; the names that Lua has are on the prototype, so that consoles print each thing once. */
class Event implements ChangeEvent {
  readonly watcherId: string;
  readonly operation: ChangeOperation;
  readonly tableName: string;
  readonly rowId: SqlValue;
  readonly key: readonly SqlValue[];
  declare readonly oldData?: Row;
  readonly newData: Row;
  readonly timestamp: Date;
  readonly transactionId: string;
  readonly source: ChangeEvent["source"];
  readonly change: ChangeEvent["change"];
  declare readonly cause?: number;
  readonly seq: number;

  constructor(facts: EventFacts) {
    this.watcherId = facts.watcherId;
    this.operation = facts.operation;
    this.tableName = facts.tableName;
    this.rowId = facts.rowId;
    this.key = facts.key;
    if (facts.oldData !== undefined) this.oldData = facts.oldData;
    // Undefined for a DELETE, against its type: see ChangeEvent.
    this.newData = facts.newData as Row;
    this.timestamp = facts.timestamp;
    this.transactionId = facts.transactionId;
    this.source = facts.source;
    this.change = facts.change;
    if (facts.cause !== undefined) this.cause = facts.cause;
    this.seq = facts.seq;
  }

  get watcher_id(): string {
    return this.watcherId;
  }

  get table_name(): string {
    return this.tableName;
  }

  get row_id(): SqlValue {
    return this.rowId;
  }

  get old_data(): Row {
    return this.oldData as Row;
  }

  get new_data(): Row {
    return this.newData;
  }

  get transaction_id(): string {
    return this.transactionId;
  }
}
