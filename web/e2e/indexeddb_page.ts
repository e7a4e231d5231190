/** Functions for the pages of indexeddb.test.ts, as `idb`: the backend itself, and short ways to use it. */
import { openIndexedDb, type IndexedDbBackend, type IndexedDbOptions } from "#js/storage/indexeddb/backend.js";
import { followIndexedDb, type IndexedDbFollower } from "#js/storage/indexeddb/follower.js";
import { backendConformance } from "../test/backend_conformance.ts";
import { Random } from "../test/random.ts";
import { pause, until } from "../test/time.ts";

type Change = readonly [key: string, bytes: Uint8Array | null];
type Source = Pick<IndexedDbBackend, "load">;

/** Changes as tests write them: text for bytes. */
type Shorthand = Record<string, string | null>;

export const shared: {
  backend?: IndexedDbBackend;
  follower?: IndexedDbFollower;
  mirror?: Mirror;
  database?: IDBDatabase;
} = {};

export { followIndexedDb, openIndexedDb };

/** Opens `shared.backend`; gives the code of the error, or "ok". */
export function open(name: string, options?: IndexedDbOptions): Promise<string> {
  return code(openIndexedDb(name, options).then((backend) => void (shared.backend = backend)));
}

export function commit(changes: Shorthand): Promise<string> {
  return code(
    backend().commit(Object.entries(changes).map(([key, text]) => [key, text === null ? null : ascii(text)])),
  );
}

/** Everything there is, in the order of keys. */
export async function contents(source: Source = backend()): Promise<[string, string][]> {
  const found: [string, string][] = [];
  await source.load((key, bytes) => found.push([key, new TextDecoder("latin1").decode(bytes)]));
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

export function backend(): IndexedDbBackend {
  if (shared.backend === undefined) throw new Error("no backend is open");
  return shared.backend;
}

export async function code(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Records of this size, made while they are pulled. */
export function* many(count: number, size: number, mark = 1): Generator<Change> {
  for (let i = 0; i < count; i++) yield [`r${String(i).padStart(9, "0")}`, new Uint8Array(size).fill((i + mark) % 256)];
}

export { pause, until };

/** Runs one check of the contract of backends. */
export async function conforms(name: string): Promise<void> {
  const database = `conformance: ${name}`;
  const place = { open: () => openIndexedDb(database), cleanUp: () => deleteDatabase(database) };
  const checks = new Map(backendConformance(async () => place));
  await checks.get(name)?.();
}

/** Records that came in one go: nothing else of the page had a turn meanwhile. */
export interface Stretch {
  records: number;
  bytes: number;
}

/**
 * Runs `work`, which calls the function that it is given for each record, and tells which of them came in one
 * go. Meanwhile the clock goes on by `recordMs` with each record, and not otherwise.
 */
export async function stretches(
  recordMs: number,
  work: (note: (bytes: number) => void) => Promise<unknown>,
): Promise<Stretch[]> {
  const { now } = performance;
  let ms = now.call(performance);
  performance.now = () => ms;
  const all: Stretch[] = [];
  let current: Stretch | undefined;
  try {
    await work((bytes) => {
      ms += recordMs;
      if (current === undefined) {
        all.push((current = { records: 0, bytes: 0 }));
        // Behind everything that is called before the next wait.
        queueMicrotask(() => (current = undefined));
      }
      current.records += 1;
      current.bytes += bytes;
    });
  } finally {
    performance.now = now;
  }
  return all;
}

/** Opens a database without the backend. */
export function rawOpen(name: string, version?: number, make?: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`perilune/${name}`, version);
    request.onupgradeneeded = () => make?.(request.result);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export function rawAll(database: IDBDatabase, store: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const request = database.transaction(store).objectStore(store).getAll();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve) => (indexedDB.deleteDatabase(`perilune/${name}`).onsuccess = () => resolve()));
}

/** Contents of tests/vectors/storage/idb-format-1.json. */
export interface Format1 {
  meta: object[];
  tables: { id: number; name: string; seq: number }[];
  entries: { t: number; s: number; k: string; v: string }[];
}

export async function makeFormat1(name: string, { meta, tables, entries }: Format1): Promise<void> {
  const database = await rawOpen(name, 1, (database) => {
    const fill = (store: string, keyPath: string | string[], records: object[]) => {
      const made = database.createObjectStore(store, { keyPath });
      for (const record of records) made.put(record);
    };
    fill("meta", "name", meta);
    fill("tables", "id", tables);
    fill("entries", ["t", "s"], entries);
  });
  database.close();
}

/** Everything in a database of format 1, as it was given to `makeFormat1`. */
export async function format1(name: string): Promise<Format1 & { version: number }> {
  const database = await rawOpen(name);
  const [meta, tables, entries] = await Promise.all(["meta", "tables", "entries"].map((s) => rawAll(database, s)));
  const { version } = database;
  database.close();
  return { version, meta, tables, entries } as Format1 & { version: number };
}

/**
 * A deterministic series of commits: `n` alone says what commit n changes, and so what is there after it.
 * Some are too large to be sent to followers.
 */
export function changesOf(n: number): Change[] {
  const random = new Random(n);
  const changes = new Map<string, Uint8Array | null>([["n", ascii(String(n))]]);
  for (let i = random.below(6); i > 0; i--) {
    const key = `k${random.below(40)}`;
    changes.set(key, random.below(3) === 0 ? null : ascii(`${n}/${i}`));
  }
  const chance = random.below(100);
  if (chance === 0) changes.set("large", new Uint8Array(5_000_000).fill(n % 251));
  else if (chance < 40) changes.set("large", null);
  return [...changes];
}

/** Records that a follower has, checked against the series after every change that it receives. */
export class Mirror {
  records: Map<string, Uint8Array> = new Map();
  problems: string[] = [];
  complete = 0;
  commits = 0;
  #model = new Map<string, Uint8Array>();
  #modelN = 0;

  get n(): number {
    const bytes = this.records.get("n");
    return bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes));
  }

  /** `checked`: what is followed is the series of `changesOf`. */
  async start(follower: IndexedDbFollower, checked: boolean, lost?: (error: Error) => void): Promise<this> {
    await follower.load((key, bytes) => this.records.set(key, bytes));
    if (checked) this.#check();
    follower.follow((changes, complete) => {
      const before = this.n;
      if (complete) this.records.clear();
      for (const [key, bytes] of changes) {
        if (bytes === null) this.records.delete(key);
        else this.records.set(key, bytes);
      }
      if (complete) this.complete += 1;
      else this.commits += 1;
      if (!checked) return;
      if (complete ? this.n < before : this.n !== before + 1) this.problems.push(`${before} then ${this.n}`);
      this.#check();
    }, lost);
    return this;
  }

  contents(): [string, string][] {
    const text = new TextDecoder("latin1");
    return [...this.records].map(([key, bytes]): [string, string] => [key, text.decode(bytes)]).sort();
  }

  #check(): void {
    while (this.#modelN < this.n) {
      for (const [key, bytes] of changesOf(++this.#modelN)) {
        if (bytes === null) this.#model.delete(key);
        else this.#model.set(key, bytes);
      }
    }
    const same = (key: string, bytes: Uint8Array) => {
      const other = this.records.get(key);
      return other?.length === bytes.length && other.every((byte, i) => byte === bytes[i]);
    };
    if (this.records.size !== this.#model.size || ![...this.#model].every(([key, bytes]) => same(key, bytes))) {
      this.problems.push(`not the state after ${this.n}`);
    }
  }
}

/** Follows into `shared.mirror`; gives the code of the error, or "ok". */
export function follow(name: string, checked = false, lost?: (error: Error) => void): Promise<string> {
  const work = async () => {
    shared.follower = await followIndexedDb(name);
    shared.mirror = await new Mirror().start(shared.follower, checked, lost);
  };
  return code(work());
}

export function mirror(): Mirror {
  if (shared.mirror === undefined) throw new Error("nothing is followed");
  return shared.mirror;
}
