/**
 * IndexedDB backend: keeps records in one database (indexeddb/database.js), one transaction for each commit.
 *
 * Invariants:
 * - A commit resolves when its transaction is *complete*, never on the success of a request.
 * - One writer per database: a Web Lock, and behind it (where there are no Web Locks: pages that are not a
 *   secure context) the record `writer`, which each commit compares with its own id, so that the commits of a
 *   writer that was replaced fail instead of mixing its data with the other's.
 * - Each commit raises the number `version` by one, in its own transaction. When the browser has closed the
 *   database (its data was cleared, its storage process has crashed), that number tells whether the data is
 *   still ours; if it is not, the commit fails with `reset`, and the caller gives everything to the next.
 * - A commit that fails for a reason that the browser does not name looks at that number at once: so it is
 *   known before anybody is told whether the data was cleared (`reset`), whether the commit was made and only
 *   its end was lost, or whether it is only to be made again (an interruption).
 */
import {
  abort,
  after,
  answered,
  withOwnBuffer,
  checkName,
  completion,
  DATABASE_PREFIX,
  isLoss,
  lockedError,
  OPEN_WAIT_MS,
  openDatabase,
  openingError,
  persistently,
  readRecords,
  result,
  wrapped,
  writeRecords,
} from "./database.js";
import { Announcer } from "./follower.js";
import { mark, retireTornLog, whileUsed } from "./log.js";
import { FORMAT_VERSION, checkCount, readMeta } from "./meta.js";
import { isParticipantKey, recordsOfFormat1 } from "../records.js";
import { interruption, storeError } from "../store_error.js";

/** Times that a database is opened again in a row because a transaction on it cannot begin. */
const CLOSING_MAX = 4;

/**
 * Default of `lockTimeout`, in milliseconds. A page that is reloaded or closed frees the lock a moment after
 * the next one asks; a tab that stays open does not.
 */
export const LOCK_WAIT_MS = 3000;

/** @typedef {import("./database.js").Change} Change */
/** @typedef {import("./database.js").Progress} Progress */
/** @typedef {import("./database.js").StorageCode} StorageCode */
/** @typedef {import("./database.js").Upgrade} Upgrade */
/** @typedef {import("./database.js").Visit} Visit */

/**
 * Options of a writer.
 * @typedef {object} IndexedDbOptions
 * @property {"relaxed" | "strict"} [durability] `strict`: a commit waits until the disk has it; default
 *   `relaxed`
 * @property {number} [lockTimeout] milliseconds to wait for another writer to close, Infinity: as long as it
 *   takes
 * @property {number} [openTimeout] milliseconds that IndexedDB may take to answer, Infinity: as long as it
 *   takes
 * @property {Upgrade} [upgrade] makes records of the tables of format 1
 */

/**
 * Opens (or makes) the database of this name for writing. Rejects with an Error that has a `code`: `name`
 * empty name, `unavailable` no IndexedDB here, or one that refuses or does not answer, `locked` open
 * elsewhere, `newer` written by a later version, `foreign` not a database of Perilune, `corrupt` damaged,
 * `host` anything else, with the reason as `cause`.
 * @param {string} name
 * @param {IndexedDbOptions} [options]
 * @returns {Promise<IndexedDbBackend>}
 */
export async function openIndexedDb(name, options = {}) {
  checkName(name);
  const unlock = await lock(name, options.lockTimeout ?? LOCK_WAIT_MS);
  const backend = new IndexedDbBackend(name, options, unlock);
  try {
    await backend.claim();
    return backend;
  } catch (error) {
    backend.close();
    throw wrapped(error, `cannot open the database "${name}"`);
  }
}

/** An open database. Made by `openIndexedDb`. */
export class IndexedDbBackend {
  #name;
  #options;
  #unlock;
  /** Id of this writer. */
  #writer = `${Date.now()}-${Math.random()}`;
  /**
   * Database; null when the browser has closed it: the next use opens it again.
   * @type {IDBDatabase | null}
   */
  #database = null;
  /** Version of the last commit. */
  #version = 0;
  /** Version of a commit that failed and may have been made; null: there is none. @type {number | null} */
  #unsure = null;
  /** True if the last commit certainly left records. */
  #filled = false;
  /** True if the data is not this writer's any more: the next commit replaces all of it. */
  #replacesAll = false;
  /** Reason why it takes no more commits. @type {Error | null} */
  #gone = null;
  /** @type {Announcer | null} */
  #announcer = null;
  #unwatch = () => {};

  /**
   * @param {string} name
   * @param {IndexedDbOptions} options
   * @param {() => void} unlock
   */
  constructor(name, options, unlock) {
    this.#name = name;
    this.#options = options;
    this.#unlock = unlock;
  }

  /** Opens the database and makes this the one writer of it. For `openIndexedDb` only. */
  async claim() {
    await persistently(async () => {
      this.#disconnect();
      this.#database = await this.#open();
      await this.#claim(this.#database);
    });
    this.#announcer = new Announcer(this.#name, this.#version);
    this.#unwatch = whileUsed((used) => mark(this.#database, used));
  }

  /** Makes this the writer of a database that is open. @param {IDBDatabase} database */
  async #claim(database) {
    const { openTimeout = OPEN_WAIT_MS } = this.#options;
    try {
      await answered(retireTornLog(this.#name, database), this.#name, openTimeout);
      mark(database, true);
      const transaction = database.transaction("meta", "readwrite");
      const done = completion(transaction);
      const meta = transaction.objectStore("meta");
      const claimed = (async () => {
        ({ version: this.#version, filled: this.#filled } = readMeta(this.#name, await result(meta.getAll())));
        meta.put({ name: "writer", value: this.#writer });
        await done;
      })();
      await answered(claimed, this.#name, openTimeout);
    } catch (error) {
      throw this.#gone ?? wrapped(error, "cannot use the database");
    }
  }

  /**
   * Gives every committed record to `visit`, all of one moment. Rejects with what that throws; with an
   * interruption when the database was closed or cleared meanwhile.
   * @param {Visit} visit
   * @param {Progress} [progress] gets how many of how many records were read
   */
  async load(visit, progress) {
    try {
      const count = await readRecords(await this.#begin("readonly"), visit, progress);
      checkCount(this.#name, { version: this.#version, filled: this.#filled }, count);
    } catch (error) {
      if (this.#gone !== null) throw this.#gone;
      const cause = wrapped(error, "cannot read the database");
      if (cause.code === "reset") this.#filled = false;
      else if (isLoss(cause)) this.#disconnect();
      else throw error;
      throw interruption(cause);
    }
  }

  /**
   * Writes and removes records in one transaction. Rejects with `reset` when the data has been cleared from
   * outside: the next commit then replaces everything that is there, and must have everything. Rejects with
   * an interruption when the browser has ended the transaction, and the data is still there.
   * @param {Iterable<Change>} changes
   * @returns {Promise<void>}
   */
  async commit(changes) {
    const transaction = await this.#begin("readwrite");
    const done = completion(transaction);
    const version = this.#version + 1;
    const replaces = this.#replacesAll;
    const stream = new ChangeStream(changes, !replaces && this.#announcer?.followed === true);
    const check = { refusal: /** @type {Error | null} */ (null) };
    let filled = () => false;
    try {
      this.#check(transaction, check);
      const meta = transaction.objectStore("meta");
      meta.put({ name: "version", value: version });
      if (replaces) {
        meta.put({ name: "format", value: FORMAT_VERSION });
        meta.put({ name: "writer", value: this.#writer });
        transaction.objectStore("records").clear();
      }
      await writeRecords(transaction, stream);
      filled = this.#noteFilled(transaction, stream);
      // A page that is about to end gets no answers, nor that of the check; with the lock this is the only
      // writer.
      if (globalThis.document?.visibilityState === "hidden" && globalThis.navigator.locks) transaction.commit();
      await done;
      if (check.refusal !== null) throw check.refusal;
    } catch (error) {
      // The transaction must not commit the half that was asked for before this.
      abort(transaction);
      if (stream.failure !== null) throw stream.failure.cause;
      if (this.#gone !== null || check.refusal !== null) throw this.#gone ?? check.refusal;
      // Its own error, if it has one, is the reason (a full disk); requests only say that it was aborted.
      const cause = wrapped(transaction.error ?? error, "cannot write to the database");
      if (cause.code !== "host") throw cause;
      await this.#lookAgain(version, cause);
    }
    this.#version = version;
    this.#filled = filled();
    this.#replacesAll = false;
    if (replaces) mark(this.#database, true);
    this.#announcer?.committed(version, stream.kept);
  }

  /** Closes the database and frees its lock. */
  close() {
    if (this.#gone === null && this.#announcer !== null) mark(this.#database, false);
    this.#end("the database is closed");
  }

  /**
   * Notes in the transaction if it leaves records; returns a function that tells it in the end.
   * @param {IDBTransaction} transaction
   * @param {ChangeStream} stream that has been written
   * @returns {() => boolean}
   */
  #noteFilled(transaction, { written, removed }) {
    const meta = transaction.objectStore("meta");
    let filled = written || (this.#filled && !removed);
    // Where some are only removed the database has to be asked; until it answers, nothing is said.
    meta.put({ name: "records", value: filled });
    if (!filled && this.#filled) {
      const request = transaction.objectStore("records").getAllKeys(null, 1);
      request.onsuccess = () => {
        filled = request.result.length > 0;
        try {
          meta.put({ name: "records", value: filled });
        } catch {
          // A page that is about to end has the transaction committed as it is.
          filled = false;
        }
      };
    }
    return () => filled;
  }

  /**
   * Looks what is there after a commit of this version has failed, for a reason that says nothing about it.
   * Throws the reason as an interruption, or a better one; returns if the commit was made after all.
   * @param {number} version
   * @param {Error} cause
   */
  async #lookAgain(version, cause) {
    // Some browsers lose a database without a word, and every transaction fails from then on.
    this.#disconnect();
    this.#unsure = version;
    try {
      await this.#connected();
    } catch (error) {
      throw isLoss(error) ? interruption(cause) : error;
    }
    if (this.#version !== version) throw interruption(cause);
  }

  /** Begins a transaction over everything. @param {IDBTransactionMode} mode */
  async #begin(mode) {
    for (let closings = 0; ; closings++) {
      const database = await this.#connected();
      try {
        return database.transaction(["meta", "records"], mode, { durability: this.#options.durability ?? "relaxed" });
      } catch (error) {
        // The browser is closing it and has not said so yet.
        const closing = /** @type {{ name?: unknown } | null} */ (error)?.name === "InvalidStateError";
        if (closings === CLOSING_MAX || !closing) throw wrapped(error, "cannot use the database");
        this.#disconnect();
      }
    }
  }

  /** Database, opened again if need be. Throws when it is not what it was. */
  async #connected() {
    if (this.#gone !== null) throw this.#gone;
    return this.#database ?? (await persistently(() => this.#reopened()));
  }

  async #reopened() {
    const database = await this.#open();
    try {
      const meta = database.transaction("meta").objectStore("meta");
      const refusal = this.#refusal(await result(meta.getAll()));
      if (this.#gone !== null) throw this.#gone;
      this.#database = database;
      if (refusal === null) return database;
      throw refusal;
    } catch (error) {
      if (this.#database !== database) database.close();
      throw this.#gone ?? wrapped(error, "cannot use the database");
    }
  }

  async #open() {
    const { upgrade = recordsOfFormat1, lockTimeout: timeout = LOCK_WAIT_MS } = this.#options;
    const { openTimeout: answer = OPEN_WAIT_MS } = this.#options;
    const database = await openDatabase(this.#name, { upgrade, timeout, answer });
    // Somebody deletes or upgrades the database: standing in the way would hang them.
    database.onversionchange = () => {
      database.close();
      this.#end("the database is being deleted or upgraded elsewhere");
    };
    database.onclose = () => {
      if (this.#database === database) this.#database = null;
    };
    return database;
  }

  /** Closes the database; the next use opens it again. */
  #disconnect() {
    this.#database?.close();
    this.#database = null;
  }

  /**
   * Has the transaction aborted when the database is not what the last commit left.
   * @param {IDBTransaction} transaction
   * @param {{ refusal: Error | null }} check gets the reason
   */
  #check(transaction, check) {
    const request = transaction.objectStore("meta").getAll();
    request.onsuccess = () => {
      check.refusal = this.#refusal(request.result);
      if (check.refusal !== null) abort(transaction);
    };
  }

  /**
   * Error that says what is wrong with the records of `meta`; null: nothing.
   * @param {{ name: string, value: unknown }[]} records
   * @returns {Error | null}
   */
  #refusal(records) {
    const meta = new Map(records.map(({ name, value }) => [name, value]));
    const writer = meta.get("writer");
    if (writer !== undefined && writer !== this.#writer) {
      this.#end("another page has taken the database over", "locked");
      return this.#gone;
    }
    const version = meta.get("version");
    if (this.#unsure !== null && writer === this.#writer && version === this.#unsure) {
      this.#version = this.#unsure;
      this.#replacesAll = false;
    }
    this.#unsure = null;
    if (this.#replacesAll || (writer === this.#writer && version === this.#version)) return null;
    this.#replacesAll = true;
    return storeError("reset", `the data of the database "${this.#name}" was cleared; everything is written anew`);
  }

  /**
   * Closes everything; later commits fail for this reason.
   * @param {string} why
   * @param {StorageCode} [code]
   */
  #end(why, code = "closed") {
    if (this.#gone !== null) return;
    this.#gone = storeError(code, `${DATABASE_PREFIX}${this.#name}: ${why}`);
    this.#unwatch();
    this.#announcer?.close();
    this.#database?.close();
    this.#unlock();
  }
}

/** Changes on their way to the database, copied for those who follow. */
class ChangeStream {
  #changes;
  /** Error that the source of the changes threw. @type {{ cause: unknown } | null} */
  failure = null;
  /**
   * Changes that have gone through; null: nobody follows, or they are too many bytes.
   * @type {Change[] | null}
   */
  kept;
  /** True if a record was written. */
  written = false;
  /** True if a record was removed. */
  removed = false;
  #keptBytes = 0;

  /**
   * @param {Iterable<Change>} changes
   * @param {boolean} keep
   */
  constructor(changes, keep) {
    this.#changes = changes;
    this.kept = keep ? [] : null;
  }

  /** @returns {Generator<Change>} */
  *[Symbol.iterator]() {
    try {
      for (const [key, bytes] of this.#changes) {
        /** @type {Change} */
        const change = [key, bytes === null ? null : withOwnBuffer(bytes)];
        if (bytes === null) this.removed = true;
        else this.written = true;
        if (this.kept !== null) this.#keep(change);
        yield change;
      }
    } catch (cause) {
      this.failure = { cause };
      throw cause;
    }
  }

  /** @param {Change} change */
  #keep(change) {
    // Followers have no use for records of participants.
    if (isParticipantKey(change[0])) return;
    this.#keptBytes += change[0].length + (change[1]?.byteLength ?? 0);
    if (this.#keptBytes > Announcer.CHANGES_BYTES_MAX) this.kept = null;
    else this.kept?.push(change);
  }
}

/**
 * Takes the lock of this name; returns what frees it.
 * @param {string} name
 * @param {number} timeout in milliseconds
 * @returns {Promise<() => void>}
 */
async function lock(name, timeout) {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return () => {};
  const waiting = new AbortController();
  // The request takes time, too: a caller that does not wait must not be refused because of that.
  const options = timeout <= 0 ? { ifAvailable: true } : { signal: waiting.signal };
  const stop = timeout <= 0 ? () => {} : after(timeout, () => waiting.abort());
  return /** @type {Promise<() => void>} */ (
    new Promise((resolve, reject) => {
      const held = (/** @type {Lock | null} */ lock) => {
        stop();
        if (lock === null) return reject(lockedError(name));
        return /** @type {Promise<void>} */ (new Promise((release) => resolve(release)));
      };
      locks.request(DATABASE_PREFIX + name, options, held).catch((error) => {
        stop();
        reject(waiting.signal.aborted ? lockedError(name) : error);
      });
    })
  ).catch((error) => {
    throw openingError(error, name);
  });
}
