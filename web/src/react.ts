/**
 * `perilune/react`: hooks over a capsule. They need a `react` with `useSyncExternalStore` (18 and later),
 * which the program has; this package does not depend on it.
 *
 * A hook subscribes while its component is there. What it returns is the same object until something has
 * changed.
 */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { ChangeEvent, LiveQuery, Row, SqlInput, SqlValue, Subscription, Watcher } from "./capsule/index.js";

/** The calls of a capsule that hooks use: a `GlyphCase` has them, and a `Capsule`. */
export interface ReactiveCapsule {
  live<T extends object = Row>(sql: string, params?: readonly SqlInput[]): LiveQuery<T>;
  watch(tableOrQuery: string, filter?: string): Watcher;
  unwatch(watcher: Watcher): unknown;
  subscribe(
    watcher: Watcher,
    listener: (events: ChangeEvent[]) => void,
    options?: { listenerType?: "react" },
  ): Subscription;
}

/** Result of a live query in a component. */
export interface LiveResult<T> {
  readonly rows: readonly T[];
  /** True until the first rows are there. */
  readonly loading: boolean;
  /** Reason for which there are none. */
  readonly error: Error | undefined;
}

/** Store as `useSyncExternalStore` takes it. */
interface Store<T> {
  readonly subscribe: (changed: () => void) => () => void;
  readonly current: () => T;
}

const NO_ROWS: readonly never[] = [];

/** Returns the rows of a query, which follow the database. Parameters are compared by their values. */
export function useLiveQuery<T extends object = Row>(
  db: ReactiveCapsule,
  sql: string,
  params?: readonly SqlInput[],
): LiveResult<T> {
  const key = keyOf(params);
  // What it is made of is the key: the list itself may be a new one each time.
  const store = useMemo(() => liveStore<T>(db, sql, params), [db, sql, key]);
  return useSyncExternalStore(store.subscribe, store.current, store.current);
}

/** Returns the row of a table with this key; undefined when there is none, or it is not there yet. */
export function useRow<T extends object = Row>(
  db: ReactiveCapsule,
  table: string,
  id: SqlInput,
  key: string = "id",
): T | undefined {
  return useLiveQuery<T>(db, `SELECT * FROM ${quoted(table)} WHERE ${quoted(key)} = ?`, [id]).rows[0];
}

/** Returns the events of the last batch of a table or a query; none before the first. */
export function useWatch(db: ReactiveCapsule, target: string, filter?: string): readonly ChangeEvent[] {
  const store = useMemo(() => watchStore(db, target, filter), [db, target, filter]);
  return useSyncExternalStore(store.subscribe, store.current, store.current);
}

/** Calls a function with each batch of events, while the component is there, without rendering it anew. */
export function useChanges(
  db: ReactiveCapsule,
  target: string,
  listener: (events: ChangeEvent[]) => void,
  filter?: string,
): void {
  useEffect(() => watching(db, target, filter, listener), [db, target, filter, listener]);
}

function liveStore<T extends object>(
  db: ReactiveCapsule,
  sql: string,
  params: readonly SqlInput[] | undefined,
): Store<LiveResult<T>> {
  let result: LiveResult<T> = { rows: NO_ROWS, loading: true, error: undefined };
  return {
    current: () => result,
    subscribe: (changed) => {
      const set = (next: LiveResult<T>) => {
        result = next;
        changed();
      };
      let live: LiveQuery<T>;
      const failed = (error: unknown) => set({ rows: NO_ROWS, loading: false, error: error as Error });
      try {
        live = db.live<T>(sql, params);
      } catch (error) {
        failed(error);
        return () => {};
      }
      let isThere = true;
      live.subscribe(({ rows }) => set({ rows, loading: false, error: undefined }));
      live.ready.catch((error: unknown) => {
        if (isThere) failed(error);
      });
      return () => {
        isThere = false;
        live.close();
      };
    },
  };
}

function watchStore(db: ReactiveCapsule, target: string, filter: string | undefined): Store<readonly ChangeEvent[]> {
  let last: readonly ChangeEvent[] = NO_ROWS;
  return {
    current: () => last,
    subscribe: (changed) =>
      watching(db, target, filter, (events) => {
        last = events;
        changed();
      }),
  };
}

/** Watches until the function that is returned is called. */
function watching(
  db: ReactiveCapsule,
  target: string,
  filter: string | undefined,
  listener: (events: ChangeEvent[]) => void,
): () => void {
  const watcher = db.watch(target, filter);
  const subscription = db.subscribe(watcher, listener, { listenerType: "react" });
  return () => {
    subscription();
    // A capsule that was closed meanwhile has none.
    Promise.resolve()
      .then(() => db.unwatch(watcher))
      .catch(() => {});
  };
}

/** Text that is the same for the same values. */
function keyOf(params: readonly SqlInput[] | undefined): string {
  return JSON.stringify(params, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
    return value;
  });
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export type { ChangeEvent, LiveQuery, Row, SqlInput, SqlValue };
