/**
 * The IndexedDB backend: one database per program, one transaction per commit.
 *
 * | object store | key           | record                                                     |
 * |--------------|---------------|------------------------------------------------------------|
 * | `meta`       | name          | `format`: version of this layout; `writer`: who may write  |
 * | `tables`     | `id`          | `{ id, name, seq }`                                        |
 * | `entries`    | `[t, s]`      | `{ t: table id, s: seq, k: key, v: value }`                |
 *
 * Keys, values and names are binary strings (table_store.js). Entries are read in the order of their key, which is the
 * order of the table.
 *
 * Invariants:
 * - A commit resolves when its transaction is *complete*, never on the success of a request.
 * - One writer per database: a Web Lock, and behind it (where there are no Web Locks: pages that are not a secure
 *   context) the record `writer`, which each commit compares with its own, so that an opener that was overtaken fails
 *   loudly instead of mixing its data with the other's.
 * - What this version does not understand is left untouched.
 *
 * This file imports nothing: wasm-bindgen carries it into other people's builds as a snippet.
 */

/** The layout above. */
export const FORMAT_VERSION = 1;

/** Databases are named with this before the user's name. */
export const DATABASE_PREFIX = "perilune/";

/**
 * How long an opener waits for the lock. A page that is reloaded or closed lets go a moment after its successor asks;
 * a tab that stays open does not.
 */
const LOCK_WAIT_MS = 3000;

/** How many entries are asked for at once when loading. */
const LOAD_CHUNK_ENTRIES = 4096;

/**
 * How many requests are made before their answers are waited for: each takes the page some 20 us, and a page that
 * writes a hundred thousand entries should still move meanwhile.
 */
const WRITE_CHUNK_REQUESTS = 256;

/** @typedef {import("./table_store.js").StoredTable} StoredTable */
/** @typedef {import("./table_store.js").TableChange} TableChange */

/**
 * @typedef {"name" | "unavailable" | "locked" | "newer" | "foreign" | "closed" | "quota" | "host"} StorageCode
 */

/** @typedef {{ t: number, s: number, k: string, v: string }} EntryRecord */

/**
 * Opens (or makes) the database of this name for writing. Rejects with an Error that has a `code`:
 * `name` empty name, `unavailable` no IndexedDB here, `locked` open elsewhere, `newer` written by a later version,
 * `foreign` not a database of Perilune, `host` anything else, with the reason as `cause`.
 * @param {string} name
 * @returns {Promise<IndexedDbBackend>}
 */
export async function openIndexedDb(name) {
  if (name === "") throw storageError("name", "the name of a database must not be empty");
  if (globalThis.indexedDB === undefined) {
    throw storageError("unavailable", "IndexedDB is not available here; use memory:// or a storage object");
  }
  const unlock = await lock(name);
  try {
    const database = await openDatabase(name);
    try {
      return await claim(name, database, unlock);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    unlock();
    throw error;
  }
}

/** An open database. Made by `openIndexedDb`. */
export class IndexedDbBackend {
  #name;
  #database;
  #writer;
  #unlock;
  /** Why it takes no more commits. @type {Error | null} */
  #gone = null;

  /**
   * @param {string} name
   * @param {IDBDatabase} database
   * @param {string} writer
   * @param {() => void} unlock
   */
  constructor(name, database, writer, unlock) {
    this.#name = name;
    this.#database = database;
    this.#writer = writer;
    this.#unlock = unlock;
    // Somebody deletes or upgrades the database: standing in the way would hang them.
    database.onversionchange = () => this.#leave("the database is being deleted or upgraded elsewhere");
    database.onclose = () => this.#leave("the browser closed the database");
  }

  /**
   * Everything that was committed.
   * @returns {Promise<StoredTable[]>}
   */
  async load() {
    const transaction = this.#transaction(["tables", "entries"], "readonly");
    /** @type {Map<number, StoredTable & { entries: { seq: number, key: string, value: string }[] }>} */
    const tables = new Map();
    for (const { id, name, seq } of await result(transaction.objectStore("tables").getAll())) {
      tables.set(id, { id, name, seq, entries: [] });
    }
    const entries = transaction.objectStore("entries");
    /** @type {IDBKeyRange | null} */
    let range = null;
    for (;;) {
      /** @type {EntryRecord[]} */
      const chunk = await result(entries.getAll(range, LOAD_CHUNK_ENTRIES));
      for (const { t, s, k, v } of chunk) tables.get(t)?.entries.push({ seq: s, key: k, value: v });
      const last = chunk[LOAD_CHUNK_ENTRIES - 1];
      if (last === undefined) break;
      range = IDBKeyRange.lowerBound([last.t, last.s], true);
    }
    return [...tables.values()];
  }

  /**
   * Writes one batch in one transaction.
   * @param {Iterable<TableChange>} changes
   * @returns {Promise<void>}
   */
  async commit(changes) {
    const transaction = this.#transaction(["meta", "tables", "entries"], "readwrite");
    const done = completion(transaction);
    this.#checkWriter(transaction);
    try {
      let made = 0;
      /** @type {Promise<unknown>} */
      let answered = Promise.resolve();
      for (const request of requests(transaction, changes)) {
        made += 1;
        if (made % WRITE_CHUNK_REQUESTS !== 0) continue;
        // The chunk before this one: so there is always one under way, which also keeps the transaction open.
        await answered;
        answered = result(request);
        answered.catch(() => {});
      }
    } catch (error) {
      // The transaction must not commit the half that was asked for before this.
      abort(transaction);
      // Its own error, if it has one, is the reason (a full disk); requests only say that it was aborted.
      throw this.#gone ?? wrapped(transaction.error ?? error, "cannot write to the database");
    }
    await done.catch((error) => {
      throw this.#gone ?? error;
    });
  }

  /** Closes the database and lets others open it. */
  close() {
    this.#leave("the database is closed");
  }

  /**
   * @param {string[]} stores
   * @param {IDBTransactionMode} mode
   */
  #transaction(stores, mode) {
    if (this.#gone !== null) throw this.#gone;
    try {
      return this.#database.transaction(stores, mode);
    } catch (error) {
      throw wrapped(error, "cannot use the database");
    }
  }

  /**
   * Aborts the transaction when another opener has taken the database over.
   * @param {IDBTransaction} transaction
   */
  #checkWriter(transaction) {
    const request = transaction.objectStore("meta").get("writer");
    request.onsuccess = () => {
      if (request.result?.value === this.#writer) return;
      this.#leave("another page has taken the database over", "locked");
      abort(transaction);
    };
  }

  /**
   * @param {string} why
   * @param {StorageCode} [code]
   */
  #leave(why, code = "closed") {
    if (this.#gone !== null) return;
    this.#gone = storageError(code, `${DATABASE_PREFIX}${this.#name}: ${why}`);
    this.#database.close();
    this.#unlock();
  }
}

/**
 * Takes the lock of this name; returns what gives it back.
 * @param {string} name
 * @returns {Promise<() => void>}
 */
async function lock(name) {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return () => {};
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), LOCK_WAIT_MS);
  return new Promise((resolve, reject) => {
    const held = () => {
      clearTimeout(timer);
      return /** @type {Promise<void>} */ (new Promise((release) => resolve(release)));
    };
    locks.request(DATABASE_PREFIX + name, { signal: waiting.signal }, held).catch((error) => {
      const taken = `the database "${name}" is open in another tab or by another Lua`;
      reject(waiting.signal.aborted ? storageError("locked", taken) : wrapped(error, `cannot lock "${name}"`));
    });
  });
}

/**
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 */
function openDatabase(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE_PREFIX + name, FORMAT_VERSION);
    request.onupgradeneeded = ({ oldVersion }) => {
      // `oldVersion` 0: it is new. There is no older format yet.
      if (oldVersion !== 0) return;
      const database = request.result;
      database.createObjectStore("meta", { keyPath: "name" }).put({ name: "format", value: FORMAT_VERSION });
      database.createObjectStore("tables", { keyPath: "id" });
      database.createObjectStore("entries", { keyPath: ["t", "s"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      const newer = request.error?.name === "VersionError";
      reject(newer ? newerError(name) : wrapped(request.error, `cannot open the database "${name}"`));
    };
  });
}

/**
 * Makes sure that the database is ours and of our format, and writes down who may write from now on.
 * @param {string} name
 * @param {IDBDatabase} database
 * @param {() => void} unlock
 */
async function claim(name, database, unlock) {
  for (const store of ["meta", "tables", "entries"]) {
    if (!database.objectStoreNames.contains(store)) {
      throw storageError("foreign", `the database "${name}" was not made by Perilune`);
    }
  }
  const writer = `${Date.now()}-${Math.random()}`;
  const transaction = database.transaction("meta", "readwrite");
  const done = completion(transaction);
  const meta = transaction.objectStore("meta");
  const format = (await result(meta.get("format")))?.value;
  if (typeof format !== "number" || format < 1) {
    throw storageError("foreign", `the database "${name}" has no format that Perilune knows`);
  }
  if (format > FORMAT_VERSION) throw newerError(name);
  meta.put({ name: "writer", value: writer });
  await done;
  return new IndexedDbBackend(name, database, writer, unlock);
}

/**
 * Makes the requests that the changes need, one after the other.
 * @param {IDBTransaction} transaction
 * @param {Iterable<TableChange>} changes
 * @returns {Generator<IDBRequest>}
 */
function* requests(transaction, changes) {
  const tables = transaction.objectStore("tables");
  const entries = transaction.objectStore("entries");
  for (const { id, name, seq, fate, puts, removes } of changes) {
    // In IndexedDB's order every number comes before every array: this is all keys that begin with `id`.
    if (fate !== "kept") yield entries.delete(IDBKeyRange.bound([id], [id, []]));
    if (fate === "dropped") {
      yield tables.delete(id);
      continue;
    }
    yield tables.put({ id, name, seq });
    for (const gone of removes) yield entries.delete([id, gone]);
    for (const [s, { key, value }] of puts) yield entries.put({ t: id, s, k: key, v: value });
  }
}

/** @param {IDBTransaction} transaction */
function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has ended already, by an error of its own.
  }
}

/**
 * Resolves when the transaction is complete.
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
function completion(transaction) {
  const done = /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      // Every error of a request that nobody handles ends in `abort`, and only that is the end.
      transaction.onabort = () => reject(wrapped(transaction.error, "the storage transaction was aborted"));
    })
  );
  // Whoever leaves early has an error of its own to report.
  done.catch(() => {});
  return done;
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(wrapped(request.error, "cannot read from the database"));
  });
}

/** @param {string} name */
function newerError(name) {
  return storageError(
    "newer",
    `the database "${name}" was written by a newer version of Perilune; it is left as it is`,
  );
}

/**
 * @param {unknown} cause
 * @param {string} what
 */
function wrapped(cause, what) {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause;
  const reason = /** @type {{ name?: string, message?: string } | null} */ (cause);
  const code = reason?.name === "QuotaExceededError" ? "quota" : "host";
  return storageError(code, `${what}: ${reason?.message || reason?.name || "no reason given"}`, cause);
}

/**
 * @param {StorageCode} code
 * @param {string} message
 * @param {unknown} [cause]
 */
function storageError(code, message, cause) {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });
}
