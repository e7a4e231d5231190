/**
 * A database in memory that fails, waits and crashes when told to, and what stores look like from outside.
 */
import assert from "node:assert/strict";
import { followStore, openStore } from "#js/storage/open_store.js";
import { TableStore } from "#js/storage/table_store.js";
import type { Backend, Follower } from "#js/storage/write_behind.js";

type Changes = Iterable<readonly [key: string, bytes: Uint8Array | null]>;

export class RecordBackend implements Backend {
  records: Map<string, Uint8Array> = new Map();
  /** Number of commits that have begun. */
  commits = 0;
  open = 0;
  closed = 0;
  /** Says whether the commit of this number fails, after it was given everything. */
  fails: (commit: number) => boolean = () => false;
  /** Runs after each record that is taken, and is waited for. */
  between: ((commit: number) => Promise<void> | void) | undefined;
  /** Commits wait for `release` at their end. */
  held = false;
  releases: (() => void)[] = [];
  /** Runs after each commit. */
  committed: (changes: (readonly [string, Uint8Array | null])[]) => void = () => {};

  async load(visit: (key: string, bytes: Uint8Array) => void): Promise<void> {
    for (const [key, bytes] of this.records) visit(key, bytes);
  }

  async commit(changes: Changes): Promise<void> {
    assert.equal(this.open, 0, "one commit at a time");
    this.open += 1;
    const number = ++this.commits;
    try {
      const taken: (readonly [string, Uint8Array | null])[] = [];
      for (const change of changes) {
        taken.push(change);
        if (this.between !== undefined) await this.between(number);
      }
      if (this.held) await new Promise<void>((resolve) => this.releases.push(resolve));
      if (this.fails(number)) throw Object.assign(new Error(`commit ${number} fails`), { code: "quota" });
      assert.equal(new Set(taken.map(([key]) => key)).size, taken.length, "a key comes once in a commit");
      for (const [key, bytes] of taken) {
        if (bytes === null) assert.ok(this.records.delete(key), `only what is there is removed: ${key}`);
        else this.records.set(key, bytes);
      }
      this.committed(taken);
    } finally {
      this.open -= 1;
    }
  }

  close(): void {
    this.closed += 1;
  }

  /** Returns what is committed as a database of its own: that of a program that died at this moment. */
  survivor(): RecordBackend {
    const survivor = new RecordBackend();
    survivor.records = new Map(this.records);
    return survivor;
  }

  /** The committed tables, comparable. */
  async image(): Promise<string> {
    return image(await openStore(this.survivor()));
  }

  /** A store that reads along. */
  follower(): Promise<TableStore> {
    const follower: Follower = {
      load: (visit) => this.load(visit),
      follow: (changed) => {
        this.committed = (changes) => changed(changes, false);
      },
      close: () => {
        this.committed = () => {};
      },
    };
    return followStore(follower);
  }
}

/** Every entry in order, per table. */
export type Contents = Map<string, [key: string, value: string][]>;

/** Everything in a store, which has to agree with itself. */
export function contents(store: TableStore): Contents {
  const all: Contents = new Map();
  let total = 0;
  for (const name of store.names()) {
    const table = store.open(name);
    const entries: [string, string][] = [];
    for (let entry = table.next(0); entry !== undefined; entry = table.next(entry.seq)) {
      entries.push([entry.key, entry.value]);
    }
    assert.equal(table.count, entries.length);
    for (const [key, value] of entries) assert.equal(table.get(key), value);
    const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    assert.equal(table.bytes, bytes);
    total += table.footprint;
    all.set(name, entries);
  }
  assert.equal(store.bytes, total);
  return all;
}

/** Names, keys and values in order, comparable. */
export function image(store: TableStore): string {
  return JSON.stringify([...contents(store)]);
}
