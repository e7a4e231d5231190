/**
 * Write-behind queue: takes what changed to a backend while the program goes on, one commit after the other.
 *
 * It holds no data: the source does, and gives the next commit (`takeCommit`) when the last one is over. So
 * what changes while one runs is joined into the next, and what failed is written again as it is by then.
 *
 * Invariants:
 * - A batch is never split: a commit is taken between two of them.
 * - One commit at a time. What failed stays changed, until it is committed or given up by `close({ discard:
 *   true })`; listeners and those who wait in `flush()` get the failure.
 * - A commit that was interrupted is made again before anybody hears of it, a few times in a row.
 */

import { Commit } from "./commit.js";
import { isInterruption, storeError } from "./store_error.js";

/** Commits in a row that may be interrupted before that is a failure. */
const INTERRUPTED_MAX = 3;

/** First and longest pause before a failed commit is tried again, in milliseconds. */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 30_000;

/** @typedef {import("./records.js").RecordChange} RecordChange */

/**
 * Place that keeps records: bytes under a key, and nothing else. Keys are ASCII, at most 64 characters.
 * @typedef {object} Backend
 * @property {(visit: (key: string, bytes: Uint8Array) => void, progress?: (done: number, total: number) =>
 *   void) => Promise<void>} load gives `visit` every committed record, in any order, all of one moment;
 *   rejects with what it throws. `progress` hears how far it is, in units of the backend's own
 * @property {(changes: Iterable<readonly [key: string, bytes: Uint8Array | null]>) => Promise<void>} commit
 *   writes (bytes) and removes (null) records: all or nothing, resolves when committed. Takes `changes` to
 *   their end, at its own pace, and keeps the bytes; each key comes once. Never called while another commit
 *   runs
 * @property {() => Promise<void> | void} close called once, last
 * @property {() => Promise<void>} [verify] rejects, as a commit would, if what was committed is not there any
 *   more; not every backend can tell
 */

/**
 * Backend that only reads, and follows what another program writes.
 * @typedef {object} Follower
 * @property {Backend["load"]} load
 * @property {(changed: (changes: Iterable<readonly [key: string, bytes: Uint8Array | null]>, complete:
 *   boolean) => void, lost: (error: Error) => void) => void} follow calls `changed` with what each commit of
 *   the writer changed (`complete`: these are all records that there are), and `lost` when there is nothing
 *   to follow any more
 * @property {Backend["close"]} close
 */

/**
 * Commit that was taken from the source (class `Commit`).
 * @typedef {object} TakenCommit
 * @property {() => Iterable<RecordChange>} records
 * @property {() => void} succeeded
 * @property {() => void} failed
 * @property {{ readonly length: number }} tables
 * @property {number} entries
 * @property {number} bytes
 */

/** @typedef {import("./dirty_set.js").Dirty} Dirty */
/** @typedef {import("./participants.js").Part} Part */
/** @typedef {import("./table_store.js").TableStore} TableStore */

/**
 * Owner of the data (class `TableStore`).
 * @typedef {object} Source
 * @property {() => TakenCommit | null} takeCommit takes what has changed since the last commit; null when
 *   nothing has. When it throws, that is a commit that failed
 * @property {() => void} markAllDirty marks everything as changed: storage has lost it
 * @property {number | null} pauseMs milliseconds to wait before the next commit; null: it begins after the
 *   current job
 */

/**
 * Clock and timers, which a test can replace.
 * @typedef {object} Clock
 * @property {(work: () => void) => void} soon runs `work` after the current job
 * @property {(work: () => void, ms: number) => unknown} later
 * @property {(timer: any) => void} cancel
 */

/**
 * State of the queue.
 *
 * | state        | goes on to                                                                        |
 * |--------------|-----------------------------------------------------------------------------------|
 * | `idle`       | `scheduled` when something is pushed                                              |
 * | `scheduled`  | `committing` after the current job, or after the pause, or by `flush` and `close` |
 * | `committing` | `idle`, or `scheduled` when there is more, or `failed`, or itself, anew           |
 * | `failed`     | `committing` after a pause, or when somebody asks (`flush`, `close`)              |
 * | `closed`     |                                                                                   |
 *
 * `committing` is over at once when there is nothing to commit (then as after a commit), or when `takeCommit`
 * throws (`failed`). `timer`: of the pause, null where there is none.
 * @typedef {{ name: "idle" }
 *   | { name: "scheduled", timer: unknown }
 *   | { name: "committing", done: Promise<void> }
 *   | { name: "failed", cause: unknown, timer: unknown }
 *   | { name: "closed" }} State
 */

/** @type {Clock} */
const realClock = {
  soon: (work) => queueMicrotask(work),
  later: (work, ms) => setTimeout(work, ms),
  cancel: (timer) => clearTimeout(timer),
};

/** Write-behind queue of one store. */
export class WriteBehind {
  /** @type {State} */
  #state = { name: "idle" };
  /** Number of calls of `push`. */
  #pushed = 0;
  /** Number of calls of `push` that are committed. */
  #committed = 0;
  /** Number of commits that failed since the last that succeeded. */
  #failures = 0;
  /** Number of commits that were interrupted since the last that ended otherwise. */
  #interrupted = 0;
  /**
   * Calls of `flush` that wait.
   * @type {{ upTo: number, resolve: () => void, reject: (cause: unknown) => void }[]}
   */
  #waiting = [];
  /** @type {((event: "commit" | "storage-error", detail: unknown) => void)[]} */
  #listeners = [];
  /** @type {Source | undefined} */
  #source;
  #backend;
  #clock;

  /**
   * @param {Backend} backend
   * @param {Clock} [clock]
   */
  constructor(backend, clock = realClock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /**
   * Sets the owner of the data. Called before anything else.
   * @param {Source} source
   */
  attach(source) {
    this.#source = source;
  }

  /**
   * Makes a commit of what a store has taken for it. Here, because a store that is written nowhere needs
   * none.
   * @param {TableStore} store
   * @param {Dirty} dirty
   * @param {Part[]} parts
   */
  commitOf(store, dirty, parts) {
    return new Commit(store, dirty, parts);
  }

  /** Notes that something has changed, and has it committed soon. */
  push() {
    if (this.#state.name === "closed") throw closedError();
    this.#pushed += 1;
    if (this.#state.name === "idle") this.#schedule();
  }

  /**
   * Resolves when all that was pushed is committed; rejects when a commit fails before that. Tries at once.
   */
  flush() {
    if (this.#state.name === "closed") return Promise.reject(closedError());
    if (this.#committed === this.#pushed) return this.#verified();
    /** @type {Promise<void>} */
    const done = new Promise((resolve, reject) => {
      this.#waiting.push({ upTo: this.#pushed, resolve, reject });
    });
    if (this.#stop()) this.#commit();
    return done;
  }

  /** Resolves if the backend still has everything; where it does not, that is a commit that failed. */
  async #verified() {
    try {
      await this.#backend.verify?.();
    } catch (cause) {
      if (this.#state.name === "idle") {
        this.#pushed += 1;
        this.#failed(cause);
      }
      throw cause;
    }
  }

  /**
   * Flushes, then closes the backend. When flushing fails it stays open, unless `discard` gives up what is
   * left.
   * @param {{ discard?: boolean }} [options]
   */
  async close({ discard = false } = {}) {
    if (this.#state.name === "closed") return;
    if (!discard) await this.flush();
    // What came since (`discard`: what was left) is given up, but a commit under way is not torn from its
    // backend.
    for (;;) {
      const state = /** @type {State} */ (this.#state);
      if (state.name === "closed") return;
      if (state.name !== "committing") break;
      await state.done;
    }
    this.#stop();
    this.#state = { name: "closed" };
    await this.#backend.close();
  }

  /**
   * Adds a listener for the ends of commits.
   * @param {(event: "commit" | "storage-error", detail: unknown) => void} listener
   */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** State of the queue. */
  stats() {
    return { state: this.#state.name };
  }

  #schedule() {
    // Those who wait in `flush()` do not wait for the pause.
    const pause = this.#waiting.length > 0 ? null : (this.#source?.pauseMs ?? null);
    /** @type {State} */
    const state = { name: "scheduled", timer: null };
    const work = () => {
      if (this.#state === state) this.#commit();
    };
    if (pause === null) this.#clock.soon(work);
    else state.timer = this.#clock.later(work, pause);
    this.#state = state;
  }

  /** Stops the timer; true if one was running. */
  #stop() {
    const state = this.#state;
    if ((state.name !== "scheduled" && state.name !== "failed") || state.timer === null) return false;
    this.#clock.cancel(state.timer);
    return true;
  }

  #commit() {
    let commit;
    try {
      commit = this.#source?.takeCommit() ?? null;
    } catch (cause) {
      this.#failed(cause);
      return;
    }
    // `takeCommit` may have ended a batch, which is in the commit.
    const upTo = this.#pushed;
    if (commit === null) {
      this.#succeeded(upTo);
      return;
    }
    // `async`, so that a backend that throws at once fails like one that rejects.
    const attempt = (async () => this.#backend.commit(commit.records()))();
    const done = attempt.then(
      () => {
        commit.succeeded();
        this.#succeeded(upTo);
        this.#notify("commit", { tables: commit.tables.length, entries: commit.entries, bytes: commit.bytes });
      },
      (cause) => {
        commit.failed();
        if (!isInterruption(cause) || ++this.#interrupted === INTERRUPTED_MAX) this.#failed(cause);
        else this.#commit();
      },
    );
    this.#state = { name: "committing", done };
  }

  /** @param {number} upTo */
  #succeeded(upTo) {
    this.#committed = upTo;
    this.#failures = 0;
    this.#interrupted = 0;
    this.#state = { name: "idle" };
    const done = this.#waiting.filter((waiting) => waiting.upTo <= upTo);
    this.#waiting = this.#waiting.filter((waiting) => waiting.upTo > upTo);
    for (const { resolve } of done) resolve();
    if (this.#pushed > this.#committed) this.#schedule();
  }

  /**
   * @param {unknown} cause
   */
  #failed(cause) {
    // The backend is empty: what it had before counts as changed, too.
    if (/** @type {{ code?: unknown } | null | undefined} */ (cause)?.code === "reset") this.#source?.markAllDirty();
    this.#failures += 1;
    this.#interrupted = 0;
    const pause = Math.min(RETRY_FIRST_MS * 2 ** (this.#failures - 1), RETRY_LAST_MS);
    const timer = this.#clock.later(() => this.#commit(), pause);
    this.#state = { name: "failed", cause, timer };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(cause);
    this.#notify("storage-error", cause);
  }

  /**
   * @param {"commit" | "storage-error"} event
   * @param {unknown} detail
   */
  #notify(event, detail) {
    for (const listener of this.#listeners) listener(event, detail);
  }
}

function closedError() {
  return storeError("closed", "the storage is closed");
}
