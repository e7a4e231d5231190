/**
 * Precaution against a fault of LevelDB, which Chromium keeps IndexedDB in, all databases of an origin
 * together.
 *
 * LevelDB writes first to a log. When the browser is killed in the middle of that, the log ends in half a
 * record. The next start skips it, but goes on writing behind it
 * (https://github.com/google/leveldb/issues/1287). The start after that takes what it finds there for the
 * other half: it passes over commits, or it sees damage, and Chromium deletes all databases of the origin. So
 * a torn log does harm only when it is written to, and read once more.
 *
 * Deleting a database makes Chromium compact LevelDB, which ends the log: what is in it goes to a table file,
 * and a new one is begun. This is done when the last writer did not close, before anything of Perilune's is
 * written. Doing it always would cost more than it is worth: up to 10 MiB of tables are written anew in the
 * background.
 *
 * Not covered: a second kill between the start of LevelDB and the end of this, some milliseconds later; and
 * logs that were torn while no page had a database of ours open.
 */
import { result } from "./database.js";

/** Name of the record of `meta` that is there while a writer has the database open. */
const MARK = "open";

/**
 * Prefix of the databases that are made and deleted: not that of others, so that no user's name meets these.
 */
const PREFIX = "perilune-log/";

/** True in browsers based on Chromium; others use SQLite, which has no such fault. */
const CONCERNED = /Chrom(e|ium)\//.test(globalThis.navigator?.userAgent ?? "");

/**
 * Ends the log if the last writer of this database may have been killed.
 * @param {string} name
 * @param {IDBDatabase} database nothing has been written to it yet
 */
export async function retireTornLog(name, database) {
  if (!CONCERNED) return;
  if ((await result(database.transaction("meta").objectStore("meta").get(MARK))) === undefined) return;
  const passing = await settled(indexedDB.open(PREFIX + name));
  passing?.close();
  // What is not there would not be deleted, and nothing compacted.
  if (passing !== null) await settled(indexedDB.deleteDatabase(PREFIX + name));
}

/**
 * Notes that a writer has the database open, or has left it.
 * @param {IDBDatabase | null} database
 * @param {boolean} open
 */
export function mark(database, open) {
  if (!CONCERNED || database === null) return;
  try {
    const transaction = database.transaction("meta", "readwrite");
    const meta = transaction.objectStore("meta");
    if (open) meta.put({ name: MARK, value: true });
    else meta.delete(MARK);
    // At once: a page that is about to end gets no answer.
    transaction.commit();
  } catch {
    // The browser has closed it. What is there stays; at worst a log is ended that was not torn.
  }
}

/**
 * Calls `change` with false when the page is left, with true when it is used again (by "back"); returns what
 * ends that. Workers get no such events: what they have open counts as torn unless it was closed.
 * @param {(used: boolean) => void} change
 * @returns {() => void}
 */
export function whileUsed(change) {
  const left = () => change(false);
  const back = (/** @type {Event} */ event) => {
    if (/** @type {PageTransitionEvent} */ (event).persisted) change(true);
  };
  globalThis.addEventListener?.("pagehide", left);
  globalThis.addEventListener?.("pageshow", back);
  return () => {
    globalThis.removeEventListener?.("pagehide", left);
    globalThis.removeEventListener?.("pageshow", back);
  };
}

/**
 * Result of a request, null when it failed: a reason that concerns the database that matters shows there,
 * too.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T | null>}
 */
function settled(request) {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
}
