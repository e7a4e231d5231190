/** Types of what users of a capsule give and get. */
import type { HostFunction } from "../host/entries.js";
import type { CapsuleError } from "./errors.js";

/** A value of SQL as it is read: an integer beyond 2^53 is a bigint, TEXT that is not UTF-8 its bytes. */
export type SqlValue = null | number | bigint | string | Uint8Array<ArrayBuffer>;

/** A value that can be stored: objects and lists as JSON, booleans as 0 or 1. */
export type SqlInput =
  | null
  | number
  | bigint
  | string
  | boolean
  | ArrayBuffer
  | ArrayBufferView
  | readonly unknown[]
  | { readonly [name: string]: unknown };

/** A row that was read: its columns by their names. */
export type Row = { [column: string]: SqlValue };

/** A row that is written. A property that is undefined is a column that is not given. */
export type RowInput = { readonly [column: string]: SqlInput | undefined };

/** Parameters of a statement: a list, or an object of names (with or without `:`, `@` or `$`). */
export type Params = readonly SqlInput[] | { readonly [name: string]: SqlInput };

/** A key of a row: a value, or a list of them where the primary key has several columns. */
export type Key = SqlInput | readonly SqlInput[];

/** Kind of a change of a row. */
export type ChangeOperation = "INSERT" | "UPDATE" | "DELETE";

/**
 * A change of a row, or of a row of a query's result.
 *
 * `newData` is undefined for a DELETE, and `rowId` may be a bigint beyond 2^53, or the text of a text key:
 * their types say what is usual, since nearly every use would have to be a cast otherwise.
 */
export interface ChangeEvent {
  /** Id of the watcher that has detected it. */
  readonly watcherId: string;
  readonly operation: ChangeOperation;
  /** Name of the table; of a query its text. */
  readonly tableName: string;
  /** Primary key of one column, the rowid where there is none; of several columns a JSON list. */
  readonly rowId: any;
  /** Values of the primary key, or the rowid where there is none. */
  readonly key: readonly SqlValue[];
  /** Row before an UPDATE or a DELETE. */
  readonly oldData?: Record<string, any>;
  /** Row after an INSERT or an UPDATE. */
  readonly newData: Record<string, any>;
  /** Time of the commit. */
  readonly timestamp: Date;
  /** Name of the transaction, which groups changes: `DEVICE-NUMBER`. */
  readonly transactionId: string;
  /** Author of the change: the application, a script, sync, or `undo`. */
  readonly source: "trigger" | "lua" | "sync" | "undo";
  /** Meaning for the watcher's filter. */
  readonly change: "enter" | "leave" | "change";
  /** Number of the transaction that this one answers. */
  readonly cause?: number;
  /** Number of the change in the log; of a query that of the last change of the transaction. */
  readonly seq: number;
  /** The same under the names that Lua has. */
  readonly watcher_id: string;
  readonly table_name: string;
  readonly row_id: any;
  readonly old_data?: Record<string, any>;
  readonly new_data: Record<string, any>;
  readonly transaction_id: string;
}

/**
 * Rung by which a watcher or a live query follows its data. `table`: changes of a table are told as they are;
 * `keys`: rows are read by the keys that have changed; `images`: a condition is asked about the images of
 * changed rows, and what passes it runs again; `columns`: the query runs again when a column that it reads
 * has changed; `commits`: after every commit.
 */
export type Rung = "table" | "keys" | "images" | "columns" | "commits";

/** Explanation of how a watcher or a live query finds what has changed. */
export interface Explanation {
  /** The cheapest rung that can be used. */
  readonly rung: Rung;
  /** Reason that no cheaper one can be, or what this one does. */
  readonly reason: string;
  /** Tables that it depends on, with the columns that count; without columns its rows count. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /** Numbers of commits so far, by the rung that has decided about them. */
  readonly decided: Readonly<Record<"columns" | "images" | "keys" | "again", number>>;
  /** Reason that it ran again after the last commit for which it did. */
  readonly lastFall?: string;
}

/** A watcher of a table or of a query. */
export interface Watcher {
  /** Unique identifier. */
  readonly id: string;
  /** Table name or SQL query. */
  readonly tableOrQuery: string;
  /** Condition that limits it. */
  readonly filterExpression?: string;
  /** Ids of the subscriptions. */
  readonly subscriptions: Set<string>;
  readonly createdAt: Date;
  /** Resolves when it watches; rejects when it cannot: an unknown table, a filter that is no expression. */
  readonly ready: Promise<void>;
  /** Explains how it finds what has changed. */
  explain(): Promise<Explanation>;
}

/** Options of a watcher. */
export interface WatchOptions {
  /** Identifier; one of its own by default. */
  id?: string | undefined;
}

/** Listener of a subscription: gets the events of a batch. */
export type ChangeListener = (events: ChangeEvent[]) => void;

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Name of who listens: a component, a script. */
  listenerId?: string | undefined;
  /** Kind of who listens. */
  listenerType?: "react" | "custom" | undefined;
  /** Function that says which events are wanted. */
  filter?(event: ChangeEvent): boolean;
}

/** A subscription. Calling it ends it. */
export interface Subscription {
  (): void;
  /** Unique identifier. */
  readonly id: string;
  readonly watcherId: string;
  /** Name of who listens. */
  readonly listenerId: string;
  /** Function that says which events are wanted. (Of any events: who reads it may have a type of his own.) */
  readonly filter?: (event: any) => boolean;
  /** Gives the listener a single event. */
  readonly handler: (event: any) => void;
}

/** A step from the rows of a live query before to those after. */
export type Patch<T = Row> =
  | { readonly op: "insert"; readonly at: number; readonly row: T }
  | { readonly op: "update"; readonly at: number; readonly row: T }
  | { readonly op: "delete"; readonly at: number }
  | { readonly op: "move"; readonly at: number; readonly from: number };

/** Update of a live query. */
export interface LiveUpdate<T = Row> {
  /** All rows. Those that did not change are the same objects as before. */
  readonly rows: readonly T[];
  /** Steps from the rows before; none with `reset`. */
  readonly patches: readonly Patch<T>[];
  /** Number of the last change in the log. */
  readonly seq: number;
  /** True if all rows are to be looked at anew: another database was imported. */
  readonly reset?: true;
}

/** Options of a live query. */
export interface LiveOptions {
  /** Rows that are kept, at most; all of them by default. The query has no LIMIT of its own then. */
  limit?: number | undefined;
  /** Rows before them. */
  offset?: number | undefined;
  /** Names of columns whose values tell rows apart, where they are not rows of one table. */
  key?: readonly string[] | undefined;
  /** Number of the last change that was seen (`seq` of an update): `unchanged` says whether that holds. */
  since?: number | undefined;
}

/** A query whose rows follow the database. */
export interface LiveQuery<T = Row> {
  /** Rows as they are now; none before it is ready. */
  readonly rows: readonly T[];
  /** Resolves to the first rows; rejects when the query is wrong. */
  readonly ready: Promise<readonly T[]>;
  /** Number of the last change that the rows know of. */
  readonly seq: number;
  /** True if the first rows are proven to be those of the option `since`. */
  readonly unchanged: boolean;
  /** Moves the window of a query with a `limit`; listeners hear of it. */
  move(limit: number, offset?: number): Promise<void>;
  /** Explains how it is kept up. */
  explain(): Promise<Explanation>;
  /** Adds a listener, which gets each update; a new one gets the rows at once when they are there. */
  subscribe(listener: (update: LiveUpdate<T>) => void): () => void;
  /** Ends it. */
  close(): void;
}

/** The bus of events by their names: `glyphcase.dispatch` of Lua is heard here, and `emit` there. */
export interface EventBus {
  /** Adds a listener; returns a function that removes it. `watcher:ID` is the channel of a watcher. */
  on(name: string, listener: (payload: any) => void): () => void;
  /** Adds a listener that is removed when it has been called. */
  once(name: string, listener: (payload: any) => void): () => void;
  /** Removes a listener; without one all of this name. */
  off(name: string, listener?: (payload: any) => void): void;
  /** Dispatches a payload, to handlers of Lua, too. */
  emit(name: string, payload?: unknown): Promise<void>;
}

/** Name of a type of columns. */
export type ColumnType = "INTEGER" | "TEXT" | "REAL" | "BLOB" | "JSON";

/** Declaration of a column. */
export interface ColumnDef {
  name: string;
  type: ColumnType;
  primary?: boolean;
  unique?: boolean;
  notNull?: boolean;
  /** A value; `{ sql }` for an expression; or a function, which runs for inserts made from JavaScript. */
  default?: any;
  /** Column that it refers to: `"users(id) ON DELETE CASCADE"`, or in parts. */
  references?: string | { table: string; column?: string; onDelete?: string; onUpdate?: string };
  /** Condition that its values have to meet. */
  check?: string;
}

/** Declaration of a table. */
export interface TableDef {
  name: string;
  columns: ColumnDef[];
  capsule?: {
    /** Makes a watcher with the table's name as its id. */
    watch: true;
    /** Events that make a batch full. */
    batchSize?: number;
    /** Days for which its changes stay in the log. */
    retentionDays?: number;
  };
}

/** Declaration of an index. */
export interface IndexDef {
  name?: string;
  table: string;
  columns: string[];
  unique?: boolean;
  where?: string;
}

/** Declaration of a trigger: its statement. */
export type TriggerDef = string;

/** A migration, which runs once, in the order of versions. `X` is what its function gets to work with. */
export interface MigrationDef<X = any> {
  version: number;
  /** Statements of SQL, or a function. */
  up: string | ((tx: X) => unknown);
}

/** Declaration of what is in a database. */
export interface SchemaDefinition<X = any> {
  tables: TableDef[];
  indexes?: IndexDef[];
  triggers?: TriggerDef[];
  migrations?: MigrationDef<X>[];
}

/** Result of `undo`. */
export type UndoResult =
  | { readonly undone: true; readonly rows: number }
  | { readonly undone: false; readonly blockers: readonly UndoBlocker[] };

/** Row that is not as the transaction left it, so that it cannot be undone. */
export interface UndoBlocker {
  readonly table: string;
  readonly key: SqlValue | SqlValue[];
  /** Name of the last transaction that changed the row, where the log says so. */
  readonly transactionId?: string;
}

/** A mod: Lua files that belong together. */
export interface ModDefinition {
  name: string;
  version: string;
  /** Source of each file by its name; they run in this order. */
  files: { readonly [name: string]: string };
}

/** A mod that is installed. */
export interface ModInfo {
  readonly name: string;
  readonly version: string;
  readonly active: boolean;
}

/** Facts of how well what was committed is kept. */
export interface Durability {
  /** Place of the database. */
  readonly files: "memory" | "file" | "opfs";
  /** Journal of SQLite: `wal`, or `memory`. */
  readonly journal: string;
  /** Setting `synchronous` of SQLite. */
  readonly synchronous: "off" | "normal" | "full" | "extra";
  /** Worst that committed transactions survive. */
  readonly survives: "nothing" | "crash" | "power-cut";
  /** True if the browser has promised not to clear the storage by itself; undefined where there is none. */
  readonly persisted: boolean | undefined;
  /** Bytes in use by this origin, and that it may use; undefined where the platform does not say. */
  readonly usage: number | undefined;
  readonly quota: number | undefined;
}

/** Figures, by their names. */
export interface CapsuleStats {
  readonly [name: string]: number;
}

/** Functions for Lua, by their names; names between dots are tables. */
export type LuaFunctions = { readonly [name: string]: HostFunction };

/** Arguments of the listeners of `on`, by event. */
export interface CapsuleEvents {
  /** Failure that no call has waited for: of a listener, a timer, a hook that reacts, a watcher. */
  error: CapsuleError | Error;
  /** Change of the schema. */
  schema: { readonly changes: readonly SchemaChange[] };
  /** Statement that took long. */
  "slow-query": { readonly sql: string; readonly ms: number };
  /** Change of who owns the files. */
  leader: { readonly isLeader: boolean };
  /** Loss against what was asked for. */
  warning: { readonly message: string };
}

/** A change of the schema. */
export interface SchemaChange {
  readonly kind: "created" | "altered" | "renamed" | "dropped" | "renumbered";
  readonly table: string;
  /** New name of a table that was renamed. */
  readonly to?: string;
}
