/**
 * Following: how the writer of a database announces its commits, and how others keep up with them.
 *
 * They send messages over a BroadcastChannel of the database's name:
 *
 * | sender     | message                                 | when                                       |
 * |------------|-----------------------------------------|--------------------------------------------|
 * | the writer | `{ type: "anyone", version }`           | it begins to write                         |
 * | the writer | `{ type: "version", version }`          | to each `hello`                            |
 * | the writer | `{ type: "commit", version, changes? }` | a commit is complete, and somebody follows |
 * | a follower | `{ type: "hello", id }`                 | it begins to listen; or receives `anyone`  |
 * | a follower | `{ type: "bye", id }`                   | it closes                                  |
 *
 * Invariants:
 * - A follower has, at any time, all the records of one version: it applies the changes of the next version
 *   only, and where they are missing it reads everything anew, in one transaction.
 * - It never writes, and never keeps a database from being upgraded or deleted.
 */
import {
  checkName,
  DATABASE_PREFIX,
  isLoss,
  OPEN_WAIT_MS,
  openToRead,
  persistently,
  readRecords,
  result,
  wrapped,
} from "./database.js";
import { checkCount, readMeta } from "./meta.js";
import { interruption, storeError } from "../store_error.js";

/** Interval at which the version is read where there is no BroadcastChannel, in milliseconds. */
const POLL_MS = 1000;

/** Times that a database is opened again in a row because a transaction on it cannot begin. */
const CLOSING_MAX = 4;

/** Pause after reading has failed, in milliseconds. */
const RETRY_MS = 1000;

/** Time for which a new writer sends to possible followers, in milliseconds: by then all have answered. */
const ANSWER_MS = 1000;

/** Number of waiting messages from which on it is simpler to read everything. */
const WAITING_MAX = 256;

/** @typedef {import("./database.js").Change} Change */
/** @typedef {import("./database.js").Progress} Progress */
/** @typedef {import("./database.js").Visit} Visit */

/**
 * Message about the database.
 * @typedef {{ type: string, id?: string, version?: number, changes?: Change[] }} Message
 */

/**
 * Receives what a commit has changed; with `complete` these are all records that there are.
 * @typedef {(changes: Iterable<Change>, complete: boolean) => void} Changed
 */

/** Sender of commits, on the side of the writer. */
export class Announcer {
  /** Bytes above which changes are not sent: followers read them from the database. */
  static CHANGES_BYTES_MAX = 4 * 1024 * 1024;

  /** Ids of the followers. A page that dies sends no `bye` and stays here, which does no harm. */
  #followers = new Set();
  #asked = Date.now();
  #channel;
  #version;

  /**
   * @param {string} name
   * @param {number} version of the last commit
   */
  constructor(name, version) {
    this.#version = version;
    this.#channel = channel(name, ({ type, id }) => {
      if (type === "bye") this.#followers.delete(id);
      if (type !== "hello") return;
      this.#followers.add(id);
      // It may have read before a commit that was not sent.
      this.#post({ type: "version", version: this.#version });
    });
    this.#post({ type: "anyone", version });
  }

  /** True if there may be a follower. */
  get followed() {
    return this.#followers.size > 0 || Date.now() - this.#asked < ANSWER_MS;
  }

  /**
   * Sends a commit to followers.
   * @param {number} version
   * @param {Change[] | null} changes null: to be read
   */
  committed(version, changes) {
    this.#version = version;
    if (!this.followed) return;
    this.#post(changes === null ? { type: "commit", version } : { type: "commit", version, changes });
  }

  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {Message} message */
  #post(message) {
    this.#channel?.postMessage(message);
  }
}

/**
 * Opens the database of this name to follow its writer; one that is not there yet is made, empty. Rejects
 * with an Error that has a `code`, as `openIndexedDb`, and with `older` when a writer has to bring it up to
 * date first.
 * @param {string} name
 * @param {{ openTimeout?: number | undefined }} [options] milliseconds that IndexedDB may take to answer
 * @returns {Promise<IndexedDbFollower>}
 */
export async function followIndexedDb(name, { openTimeout = OPEN_WAIT_MS } = {}) {
  checkName(name);
  const follower = new IndexedDbFollower(name, openTimeout);
  try {
    await follower.open();
    return follower;
  } catch (error) {
    follower.close();
    throw wrapped(error, `cannot open the database "${name}"`);
  }
}

/** Reader of a database that another page writes. Made by `followIndexedDb`. */
export class IndexedDbFollower {
  #name;
  #openTimeout;
  #id = `${Date.now()}-${Math.random()}`;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /**
   * Database; null when the browser has closed it: the next use opens it again.
   * @type {IDBDatabase | null}
   */
  #database = null;
  /** Reason why it follows no more. @type {Error | null} */
  #gone = null;
  /** Version of the records that the caller has; null before `load`. @type {number | null} */
  #version = null;
  /** @type {Changed | null} */
  #changed = null;
  /** @type {(error: Error) => void} */
  #lost = () => {};
  /** Messages that were not looked at yet. @type {Message[]} */
  #waiting = [];
  /** True if something was missed: everything must be read. */
  #stale = false;
  #advancing = false;
  /** Functions that end timers and listeners. @type {(() => void)[]} */
  #cleanups = [];

  /** @param {string} name @param {number} openTimeout */
  constructor(name, openTimeout) {
    this.#name = name;
    this.#openTimeout = openTimeout;
  }

  /** Opens the database. For `followIndexedDb` only. */
  async open() {
    // Before anything is read, so that no later commit is missed.
    this.#channel = channel(this.#name, (message) => this.#receive(message));
    this.#channel?.postMessage({ type: "hello", id: this.#id });
    await this.#connected();
    if (this.#channel === null) {
      const timer = setInterval(() => this.#look(), POLL_MS);
      this.#cleanups.push(() => clearInterval(timer));
    }
    // A page that was frozen has received nothing.
    const { document } = globalThis;
    const woken = () => void (document?.visibilityState === "visible" && this.#look());
    document?.addEventListener("visibilitychange", woken);
    globalThis.addEventListener?.("pageshow", woken);
    this.#cleanups.push(() => {
      document?.removeEventListener("visibilitychange", woken);
      globalThis.removeEventListener?.("pageshow", woken);
    });
  }

  /**
   * Gives every committed record to `visit`, all of one moment. Rejects with what that throws; with an
   * interruption when the database was closed meanwhile.
   * @param {Visit} visit
   * @param {Progress} [progress] gets how many of how many records were read
   */
  async load(visit, progress) {
    try {
      this.#version = await this.#read(visit, progress);
    } catch (error) {
      if (this.#gone !== null) throw this.#gone;
      const cause = wrapped(error, "cannot read the database");
      if (!isLoss(cause)) throw error;
      this.#disconnect();
      throw interruption(cause);
    }
    void this.#advance();
  }

  /**
   * Calls `changed` for every commit after what was loaded, and `lost` when it follows no more: the database
   * is being deleted or upgraded.
   * @param {Changed} changed
   * @param {(error: Error) => void} [lost]
   */
  follow(changed, lost = () => {}) {
    this.#changed = changed;
    this.#lost = lost;
    void this.#advance();
  }

  close() {
    this.#end(storeError("closed", `${DATABASE_PREFIX}${this.#name}: it is closed`));
  }

  /** Queues a message. @param {Message} message */
  #receive(message) {
    if (message.type === "anyone") this.#channel?.postMessage({ type: "hello", id: this.#id });
    if (typeof message.version !== "number") return;
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting = [];
      this.#stale = true;
    }
    void this.#advance();
  }

  /** Applies the waiting messages, in order, and reads everything where something is missing. */
  async #advance() {
    if (this.#changed === null || this.#version === null || this.#gone !== null || this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#gone === null) {
        if (this.#stale) {
          await this.#refresh(this.#changed);
          continue;
        }
        const message = this.#waiting.shift();
        if (message === undefined) break;
        this.#apply(message, this.#changed);
      }
    } finally {
      this.#advancing = false;
    }
  }

  /**
   * Applies one message.
   * @param {Message} message
   * @param {Changed} changed
   */
  #apply({ type, version = 0, changes }, changed) {
    const current = this.#version ?? 0;
    if (type === "commit") {
      if (version <= current) return;
      if (version === current + 1 && changes !== undefined) {
        this.#version = version;
        changed(changes, false);
        return;
      }
    }
    // Not `<`: a database that was deleted and made anew counts from the beginning.
    if (version !== current) this.#stale = true;
  }

  /** Reads everything. @param {Changed} changed */
  async #refresh(changed) {
    // What happens while it reads may make it stale again.
    this.#stale = false;
    /** @type {Change[]} */
    const records = [];
    try {
      this.#version = await this.#read((key, bytes) => void records.push([key, bytes]));
    } catch (error) {
      this.#stale = true;
      const cause = wrapped(error, "cannot read the database");
      const { code } = cause;
      if (isLoss(cause)) this.#disconnect();
      // Reading again would give the same.
      if (code === "newer" || code === "older" || code === "foreign") return this.#lose(cause);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return;
    }
    changed(records, true);
  }

  /** Reads everything if something was missed. */
  async #look() {
    if (this.#version === null || this.#gone !== null || this.#advancing) return;
    try {
      const transaction = await this.#begin();
      if ((await metaIn(this.#name, transaction)).version === this.#version) return;
    } catch {
      // Whatever it is, reading everything will show it.
    }
    this.#stale = true;
    await this.#advance();
  }

  /**
   * Reads all records.
   * @param {Visit} visit
   * @param {Progress} [progress]
   * @returns {Promise<number>} the version that was read
   */
  async #read(visit, progress) {
    const transaction = await this.#begin();
    const meta = await metaIn(this.#name, transaction);
    checkCount(this.#name, meta, await readRecords(transaction, visit, progress));
    return meta.version;
  }

  async #begin() {
    for (let closings = 0; ; closings++) {
      const database = await this.#connected();
      try {
        return database.transaction(["meta", "records"], "readonly");
      } catch (error) {
        // The browser is closing it and has not said so yet.
        const closing = /** @type {{ name?: unknown } | null} */ (error)?.name === "InvalidStateError";
        if (closings === CLOSING_MAX || !closing) throw wrapped(error, "cannot use the database");
        this.#disconnect();
      }
    }
  }

  async #connected() {
    if (this.#gone !== null) throw this.#gone;
    if (this.#database !== null) return this.#database;
    const database = await persistently(() => openToRead(this.#name, this.#openTimeout));
    if (this.#gone !== null) {
      database.close();
      throw this.#gone;
    }
    database.onversionchange = () => {
      database.close();
      this.#lose(storeError("closed", `${DATABASE_PREFIX}${this.#name}: it is being deleted or upgraded elsewhere`));
    };
    database.onclose = () => {
      if (this.#database !== database) return;
      this.#database = null;
      void this.#look();
    };
    this.#database = database;
    return database;
  }

  /** Closes the database; the next use opens it again. */
  #disconnect() {
    this.#database?.close();
    this.#database = null;
  }

  /** Ends, and says so. @param {Error} error */
  #lose(error) {
    if (this.#gone !== null) return;
    this.#end(error);
    this.#lost(error);
  }

  /** Ends. @param {Error} error */
  #end(error) {
    if (this.#gone !== null) return;
    this.#gone = error;
    this.#channel?.postMessage({ type: "bye", id: this.#id });
    this.#channel?.close();
    this.#database?.close();
    for (const cleanup of this.#cleanups) cleanup();
    this.#waiting = [];
  }
}

/**
 * Opens the channel of the database; null where there are none.
 * @param {string} name
 * @param {(message: Message) => void} onMessage
 * @returns {BroadcastChannel | null}
 */
function channel(name, onMessage) {
  if (globalThis.BroadcastChannel === undefined) return null;
  const channel = new BroadcastChannel(DATABASE_PREFIX + name);
  channel.onmessage = ({ data }) => {
    if (typeof data?.type === "string") onMessage(data);
  };
  return channel;
}

/**
 * Meta data that a transaction sees.
 * @param {string} name
 * @param {IDBTransaction} transaction
 */
async function metaIn(name, transaction) {
  return readMeta(name, await result(transaction.objectStore("meta").getAll()));
}
