/**
 * Layout of a database, and how it is opened, read and written: for its writer (indexeddb/backend.js) and for
 * those who follow it (indexeddb/follower.js).
 *
 * | object store | key  | record                                                                      |
 * |--------------|------|-----------------------------------------------------------------------------|
 * | `meta`       | name | `format`: version of this layout; `writer`: its id; `version`: of the data; |
 * |              |      | `records`: true if the last commit left any; `open`: true while a writer    |
 * |              |      | has it open (indexeddb/log.js)                                              |
 * | `records`    | `k`  | `{ k: string, v: Uint8Array, large?: 1 }`, with the index `large`           |
 *
 * This is format 2. What the records mean is the business of the caller (records.js). Format 1 had `tables`
 * and `entries` instead of `records`; the caller converts them once, when the database is opened for writing.
 *
 * Invariants:
 * - A database changes its format whole or not at all, within the one transaction that IndexedDB gives for
 *   that.
 * - What this version does not understand is left untouched.
 * - The page is never held up: large amounts are read and written in pieces, each in a task of its own.
 */
import { corrupt } from "../records.js";
import { storeError } from "../store_error.js";
import { FORMAT_VERSION } from "./meta.js";

/** Default of `openTimeout`, in milliseconds: a busy browser takes seconds, one that hangs for ever. */
export const OPEN_WAIT_MS = 30_000;

/** Prefix of the names of databases, before the user's name. */
export const DATABASE_PREFIX = "perilune/";

/** Time, or bytes, after which the page may do something else while records are written. */
const WRITE_CHUNK_MS = 8;
const WRITE_CHUNK_BYTES = 1024 * 1024;

/**
 * Time and bytes that one request for records should take, and the numbers of records in the first and at
 * most.
 */
const READ_CHUNK_MS = 5;
const READ_CHUNK_BYTES = 1024 * 1024;
const READ_CHUNK_FIRST = 64;
const READ_CHUNK_MAX = 128;

/**
 * Bytes above which a record is marked as large, and read alone: a request is answered as a whole, and
 * nothing else says that behind many small records there are large ones.
 */
const LARGE_BYTES = 64 * 1024;

/** Longest time that a timer can be set to, in milliseconds; a longer one means "for ever". */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * Table of format 1, which had a record for each entry: binary strings, in ascending order of `seq`.
 * @typedef {object} StoredTable
 * @property {number} id
 * @property {string} name
 * @property {number} seq
 * @property {{ seq: number, key: string, value: string }[]} entries
 */

/**
 * Code of an error.
 * @typedef {"name" | "unavailable" | "locked" | "newer" | "older" | "foreign" | "closed" | "quota" | "reset"
 *   | "host"} StorageCode
 */

/**
 * New bytes of a record; null: it is gone.
 * @typedef {readonly [key: string, bytes: Uint8Array | null]} Change
 */

/** @typedef {(key: string, bytes: Uint8Array) => void} Visit */
/** @typedef {(done: number, total: number) => void} Progress */
/** @typedef {(tables: StoredTable[]) => Iterable<readonly [key: string, bytes: Uint8Array]>} Upgrade */

/** @typedef {{ k: string, v: Uint8Array, large?: 1 }} StoredRecord */
/** @typedef {{ t: number, s: number, k: string, v: string }} EntryOfFormat1 */

/**
 * Names of the errors by which a platform refuses to open any database: in frames without an origin, in some
 * private windows, where storage is switched off or cannot be read.
 */
const REFUSALS = ["SecurityError", "InvalidStateError", "NotSupportedError", "NotAllowedError", "UnknownError"];

const INSTEAD = "use memory:// or a storage object";

/**
 * Names of the errors by which browsers say that they have closed a database under its user, or that they are
 * at it: because its data are cleared, or because the process that has it has ended.
 */
const LOSSES = ["AbortError", "InvalidStateError", "TransactionInactiveError", "UnknownError"];

/** Pauses before each further attempt to open a database that the browser has closed, in milliseconds. */
const AGAIN_MS = [0, 50, 200];

/** Throws when no database can have this name, or when there is no IndexedDB. @param {string} name */
export function checkName(name) {
  if (name === "") throw storeError("name", "the name of a database must not be empty");
  let there;
  try {
    // Some browsers refuse to be asked.
    there = globalThis.indexedDB;
  } catch (cause) {
    throw openingError(cause, name);
  }
  if (typeof there?.open !== "function") {
    throw storeError("unavailable", `IndexedDB is not available here; ${INSTEAD}`);
  }
}

/**
 * Error of the opening of a database, with a code: `unavailable` when the platform lets nobody open any.
 * @param {unknown} cause
 * @param {string} name
 */
export function openingError(cause, name) {
  const {
    name: kind,
    message,
    code,
  } = /** @type {{ name?: string, message?: string, code?: unknown }} */ (cause ?? {});
  if (typeof code === "string" || !REFUSALS.includes(String(kind))) {
    return wrapped(cause, `cannot open the database "${name}"`);
  }
  return storeError("unavailable", `IndexedDB refuses to work here (${message || kind}); ${INSTEAD}`, cause);
}

/**
 * Resolves as `work` does; rejects with `unavailable` when the platform has given no answer after `ms`.
 * @template T
 * @param {Promise<T>} work
 * @param {string} name of the database
 * @param {number} ms
 * @returns {Promise<T>}
 */
export function answered(work, name, ms) {
  return new Promise((resolve, reject) => {
    const stop = after(ms, () => reject(unansweredError(name, ms)));
    work.then(resolve, reject).finally(stop);
  });
}

/** @param {string} name @param {number} ms */
function unansweredError(name, ms) {
  return storeError("unavailable", `IndexedDB has not answered for ${ms} ms (database "${name}"); ${INSTEAD}`);
}

/**
 * Opens (or makes) the database, in the format of this version. Pages that have it open in an older one are
 * asked to close it, and waited for as long as `timeout` says, in milliseconds.
 * @param {string} name
 * @param {{ upgrade?: Upgrade | undefined, timeout: number, answer: number }} options `answer`: milliseconds
 *   that the platform may take to say anything
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name, { upgrade, timeout, answer }) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE_PREFIX + name, FORMAT_VERSION);
    // The request cannot be taken back: when its turn comes after all, it must leave everything as it is.
    let late = false;
    /** @param {number} ms @param {Error} error */
    const limit = (ms, error) =>
      after(ms, () => {
        late = true;
        reject(error);
      });
    let stop = limit(answer, unansweredError(name, answer));
    /** @type {unknown} */
    let refusal;
    request.onblocked = () => {
      stop();
      stop = limit(timeout, lockedError(name));
    };
    request.onupgradeneeded = ({ oldVersion }) => {
      stop();
      const transaction = /** @type {IDBTransaction} */ (request.transaction);
      if (late) return abort(transaction);
      migrate(name, transaction, oldVersion, upgrade).catch((error) => {
        refusal = error;
        abort(transaction);
      });
    };
    request.onsuccess = () => {
      stop();
      if (late) return request.result.close();
      try {
        resolve(checked(name, request.result));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => {
      stop();
      const newer = request.error?.name === "VersionError";
      const error =
        refusal === undefined ? openingError(request.error, name) : wrapped(refusal, `cannot open "${name}"`);
      reject(newer ? newerError(name) : error);
    };
  }).catch((error) => {
    // Thrown at once, by platforms that refuse.
    throw openingError(error, name);
  });
}

/**
 * Opens the database to follow its writer. One that is not there yet is made; one of an older format is
 * refused, and pages that have it open are not disturbed.
 * @param {string} name
 * @param {number} answer milliseconds that the platform may take
 * @returns {Promise<IDBDatabase>}
 */
export async function openToRead(name, answer) {
  const database = await openAsItIs(name, answer);
  if (database === null) return openDatabase(name, { timeout: Infinity, answer });
  return checked(name, database);
}

/**
 * Opens the database in whatever version it is; null when there is none.
 * @param {string} name
 * @param {number} answer
 * @returns {Promise<IDBDatabase | null>}
 */
function openAsItIs(name, answer) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE_PREFIX + name);
    let late = false;
    const stop = after(answer, () => {
      late = true;
      reject(unansweredError(name, answer));
    });
    let missing = false;
    request.onupgradeneeded = () => {
      // It would be made, in a version of the browser's choice.
      missing = true;
      /** @type {IDBTransaction} */ (request.transaction).abort();
    };
    request.onsuccess = () => {
      stop();
      if (late) return request.result.close();
      resolve(request.result);
    };
    request.onerror = () => {
      stop();
      if (missing) resolve(null);
      else reject(request.error);
    };
  }).catch((error) => {
    throw openingError(error, name);
  });
}

/**
 * Closes and refuses a database that is not of this format.
 * @param {string} name
 * @param {IDBDatabase} database
 */
function checked(name, database) {
  const { version, objectStoreNames } = database;
  if (version === FORMAT_VERSION && ["meta", "records"].every((store) => objectStoreNames.contains(store))) {
    return database;
  }
  database.close();
  if (version > FORMAT_VERSION) throw newerError(name);
  const older = ["meta", "tables", "entries"].every((store) => objectStoreNames.contains(store));
  throw older ? olderError(name) : foreignError(name);
}

/**
 * Brings the database to this format.
 * @param {string} name
 * @param {IDBTransaction} transaction
 * @param {number} oldVersion 0: it is new
 * @param {Upgrade} [upgrade]
 */
async function migrate(name, transaction, oldVersion, upgrade) {
  const database = transaction.db;
  if (oldVersion === 0) {
    describe(database.createObjectStore("meta", { keyPath: "name" }), 0);
    makeRecords(database);
    return;
  }
  for (const store of ["meta", "tables", "entries"]) {
    if (!database.objectStoreNames.contains(store)) throw foreignError(name);
  }
  const meta = transaction.objectStore("meta");
  const format = (await result(meta.get("format")))?.value;
  if (format !== 1) throw typeof format === "number" && format > 1 ? newerError(name) : foreignError(name);
  if (upgrade === undefined) throw olderError(name);
  const tables = await tablesOfFormat1(transaction);
  makeRecords(database);
  await writeRecords(transaction, upgrade(tables));
  database.deleteObjectStore("tables");
  database.deleteObjectStore("entries");
  describe(meta, 1);
}

/** Makes the store of records. @param {IDBDatabase} database */
function makeRecords(database) {
  database.createObjectStore("records", { keyPath: "k" }).createIndex("large", "large");
}

/**
 * Writes the format, and the version of the data.
 * @param {IDBObjectStore} meta
 * @param {number} version
 */
function describe(meta, version) {
  meta.put({ name: "format", value: FORMAT_VERSION });
  meta.put({ name: "version", value: version });
}

/**
 * Reads all tables of format 1.
 * @param {IDBTransaction} transaction
 * @returns {Promise<StoredTable[]>}
 */
async function tablesOfFormat1(transaction) {
  /** @type {Map<number, StoredTable>} */
  const tables = new Map();
  for (const { id, name, seq } of await result(transaction.objectStore("tables").getAll())) {
    if (typeof id !== "number" || typeof name !== "string" || typeof seq !== "number") throw corrupt(`t${id}`);
    tables.set(id, { id, name, seq, entries: [] });
  }
  await readStore(transaction.objectStore("entries"), {
    key: (/** @type {EntryOfFormat1} */ { t, s }) => [t, s],
    isSound: ({ k, v }) => typeof k === "string" && typeof v === "string",
    size: ({ k, v }) => k.length + v.length,
    visit: ({ t, s, k, v }) => tables.get(t)?.entries.push({ seq: s, key: k, value: v }),
  });
  return [...tables.values()];
}

/**
 * Gives all records to `visit`, and resolves to their number. Rejects with what it throws.
 * @param {IDBTransaction} transaction
 * @param {Visit} visit
 * @param {Progress} [progress]
 */
export async function readRecords(transaction, visit, progress) {
  const store = transaction.objectStore("records");
  let count = 0;
  try {
    const total = progress === undefined ? 0 : await result(store.count());
    progress?.(0, total);
    await readStore(store, {
      large: await result(store.index("large").getAllKeys()),
      key: (/** @type {StoredRecord} */ { k }) => k,
      isSound: ({ k, v }) => typeof k === "string" && ArrayBuffer.isView(v),
      size: ({ v }) => v.byteLength,
      visit({ k, v }) {
        count += 1;
        visit(k, v);
      },
      progress: (done) => progress?.(done, total),
    });
  } catch (error) {
    // The rest is not needed.
    abort(transaction);
    throw error;
  }
  return count;
}

/**
 * Gives all records of a store to `visit`, in the order of their keys and in chunks. The next chunk is asked
 * for before the last one is visited: so the database works meanwhile, and the transaction stays open.
 * @template R
 * @param {IDBObjectStore} store
 * @param {{ key: (record: R) => IDBValidKey, isSound: (record: R) => boolean, size: (record: R) => number,
 *   visit: (record: R) => void, progress?: (done: number) => void, large?: IDBValidKey[] }} how `large`:
 *   keys of records that are read alone
 */
async function readStore(store, { key, isSound, size, visit, progress, large = [] }) {
  const largeKeys = large.values();
  let end = largeKeys.next().value;
  let count = READ_CHUNK_FIRST;
  let msPerRecord = 0;
  let done = 0;
  /** @type {{ asked: number, answer: Promise<R[]> } | null} */
  let next = ask(store, undefined, end, count);
  while (next !== null) {
    const { asked, answer } = next;
    const records = await answer;
    for (const record of records) if (!isSound(record)) throw corrupt(String(key(record)));
    const last = records[asked - 1];
    if (last !== undefined) {
      const bytes = records.reduce((sum, record) => sum + size(record), 1);
      const room = Math.min((READ_CHUNK_BYTES / bytes) * asked, READ_CHUNK_MS / msPerRecord, READ_CHUNK_MAX, 2 * count);
      count = Math.max(1, Math.floor(room));
      next = ask(store, key(last), end, count);
    } else if (end !== undefined) {
      next = { asked: 1, answer: result(store.getAll(end)) };
      end = largeKeys.next().value;
    } else {
      next = null;
    }
    // It is never awaited when `visit` throws.
    next?.answer.catch(() => {});
    const start = performance.now();
    for (const record of records) visit(record);
    if (records.length > 0) msPerRecord = (performance.now() - start) / records.length;
    done += records.length;
    progress?.(done);
  }
}

/**
 * Requests the records between two keys.
 * @param {IDBObjectStore} store
 * @param {IDBValidKey | undefined} after
 * @param {IDBValidKey | undefined} before
 * @param {number} count
 */
function ask(store, after, before, count) {
  /** @type {IDBKeyRange | null} */
  let range = null;
  if (after !== undefined && before !== undefined) range = IDBKeyRange.bound(after, before, true, true);
  else if (after !== undefined) range = IDBKeyRange.lowerBound(after, true);
  else if (before !== undefined) range = IDBKeyRange.upperBound(before, true);
  return { asked: count, answer: result(store.getAll(range, count)) };
}

/**
 * Writes and removes records, and takes the changes one by one as it goes. Throws what the iteration throws;
 * then the caller has to abort the transaction.
 * @param {IDBTransaction} transaction
 * @param {Iterable<Change>} changes
 */
export async function writeRecords(transaction, changes) {
  const records = transaction.objectStore("records");
  /** @type {Promise<unknown>} */
  let answered = Promise.resolve();
  let until = performance.now() + WRITE_CHUNK_MS;
  let size = 0;
  for (const [k, bytes] of changes) {
    const request = bytes === null ? records.delete(k) : records.put(record(k, withOwnBuffer(bytes)));
    size += bytes?.byteLength ?? 0;
    if (size < WRITE_CHUNK_BYTES && performance.now() < until) continue;
    // The chunk before this one: so there is always one under way, which also keeps the transaction open.
    await answered;
    answered = result(request);
    answered.catch(() => {});
    until = performance.now() + WRITE_CHUNK_MS;
    size = 0;
  }
}

/**
 * Record as the database has it.
 * @param {string} k
 * @param {Uint8Array} v
 * @returns {StoredRecord}
 */
function record(k, v) {
  return v.byteLength > LARGE_BYTES ? { k, v, large: 1 } : { k, v };
}

/**
 * Bytes in a buffer of their own: a piece of a large buffer would be stored, and sent, with all of it.
 * @param {Uint8Array} bytes
 */
export function withOwnBuffer(bytes) {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/**
 * Resolves when the transaction is complete.
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
export function completion(transaction) {
  const done = /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      // Every error of a request that nobody handles ends in `abort`, and only that is the end.
      transaction.onabort = () => reject(wrapped(transaction.error, "the storage transaction was aborted"));
    })
  );
  // A caller that does not await it has an error of its own to report.
  done.catch(() => {});
  return done;
}

/** Aborts the transaction, if it has not ended yet. @param {IDBTransaction} transaction */
export function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has ended already, by an error of its own.
  }
}

/**
 * Resolves with the result of a request. Awaiting it keeps the transaction open.
 * @param {IDBRequest} request
 * @returns {Promise<any>}
 */
export function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(wrapped(request.error, "cannot use the database"));
  });
}

/**
 * Calls `work` after this time, never when it is for ever; returns what cancels it.
 * @param {number} ms
 * @param {() => void} work
 * @returns {() => void}
 */
export function after(ms, work) {
  if (ms > TIMER_MS_MAX) return () => {};
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}

/**
 * True if the reason of an error may be that the browser has closed the database: opened again, it may work.
 * @param {unknown} error made by `wrapped` or `openingError`
 */
export function isLoss(error) {
  const { code, cause } = /** @type {{ code?: unknown, cause?: { name?: unknown } | null }} */ (error ?? {});
  if (code !== "host" && code !== "unavailable") return false;
  // A transaction that was aborted from outside has no error of its own.
  return cause === null ? code === "host" : LOSSES.includes(String(cause?.name));
}

/**
 * Resolves as `work` does, which opens a database; where the browser closes that meanwhile, `work` is done
 * again.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function persistently(work) {
  for (const pause of AGAIN_MS) {
    try {
      return await work();
    } catch (error) {
      if (!isLoss(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return work();
}

/** Error that another writer has the database. @param {string} name */
export function lockedError(name) {
  return storeError("locked", `the database "${name}" is open in another tab or by another Lua`);
}

/** Error that the database has a later format. @param {string} name */
function newerError(name) {
  return storeError("newer", `the database "${name}" was written by a newer version of Perilune; it is left as it is`);
}

/** Error that the database has an earlier format. @param {string} name */
function olderError(name) {
  return storeError(
    "older",
    `the database "${name}" was written by an older version of Perilune; open it for writing once to bring it up to date`,
  );
}

/** Error that the database is not one of Perilune. @param {string} name */
function foreignError(name) {
  return storeError("foreign", `the database "${name}" was not made by Perilune; it is left as it is`);
}

/**
 * Error with a code for any error: itself when it has one.
 * @param {unknown} cause
 * @param {string} what failed
 * @returns {Error & { code: string }}
 */
export function wrapped(cause, what) {
  // That of a DOMException is a number.
  if (typeof (/** @type {{ code?: unknown } | null | undefined} */ (cause)?.code) === "string") {
    return /** @type {Error & { code: string }} */ (cause);
  }
  const reason = /** @type {{ name?: string, message?: string } | null} */ (cause);
  const code = reason?.name === "QuotaExceededError" ? "quota" : "host";
  return storeError(code, `${what}: ${reason?.message || reason?.name || "no reason given"}`, cause);
}
