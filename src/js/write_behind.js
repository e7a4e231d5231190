/**
 * Takes batches to a backend, behind the program's back and in order.
 *
 * Invariants:
 * - A batch is never split: what it changed is committed together. Batches that wait are joined, newer over older.
 * - One commit at a time. A batch that fails is kept, under what came later, until it is committed or given up by
 *   `close({ discard: true })`; its failure is told to whoever listens and to whoever waits in `flush()`.
 *
 * This file imports nothing: wasm-bindgen carries it into other people's builds as a snippet.
 */

/** First and longest pause before a failed commit is tried again. */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 30_000;

/** What an entry costs in storage beside its key and value; for `pendingBytes`. */
const ENTRY_OVERHEAD_BYTES = 16;

/** @typedef {import("./table_store.js").TableChange} TableChange */
/** @typedef {import("./table_store.js").Batch} Batch */
/** @typedef {import("./table_store.js").StoredTable} StoredTable */

/**
 * A place that keeps tables.
 * @typedef {object} Backend
 * @property {() => Promise<Iterable<StoredTable>>} load everything that was committed
 * @property {(changes: Iterable<TableChange>) => Promise<void>} commit all of it or nothing; resolves when committed
 * @property {() => Promise<void> | void} close called once, last
 */

/**
 * Time, as something that a test can turn by hand.
 * @typedef {object} Clock
 * @property {(work: () => void) => void} soon runs `work` after the current job
 * @property {(work: () => void, ms: number) => unknown} later
 * @property {(timer: any) => void} cancel
 */

/**
 * @typedef {{ name: "idle" }
 *   | { name: "scheduled" }
 *   | { name: "committing", done: Promise<void> }
 *   | { name: "failed", cause: unknown, retry: unknown }
 *   | { name: "closed" }} State
 */

/** @type {Clock} */
const realClock = {
  soon: (work) => queueMicrotask(work),
  later: (work, ms) => setTimeout(work, ms),
  cancel: (timer) => clearTimeout(timer),
};

/** The write-behind queue of one store. */
export class WriteBehind {
  /** @type {State} */
  #state = { name: "idle" };
  /** What waits to be committed. @type {Batch} */
  #pending = new Map();
  /** How often `push` was called; up to which of them all is committed. */
  #pushed = 0;
  #committed = 0;
  #failures = 0;
  /** @type {{ upTo: number, resolve: () => void, reject: (cause: unknown) => void }[]} */
  #waiting = [];
  /** @type {((event: "commit" | "storage-error", detail: unknown) => void)[]} */
  #listeners = [];
  /** Bytes of the batch under way. */
  #committingBytes = 0;
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

  /** Everything the backend has. */
  load() {
    return this.#backend.load();
  }

  /**
   * Takes one batch over. It is committed soon.
   * @param {Batch} batch
   */
  push(batch) {
    if (this.#state.name === "closed") throw closedError();
    this.#pushed += 1;
    this.#pending = merged(this.#pending, batch);
    if (this.#state.name === "idle") this.#schedule();
  }

  /** Resolves when all that was pushed is committed; rejects when a commit fails before that. Tries at once. */
  flush() {
    if (this.#state.name === "closed") return Promise.reject(closedError());
    if (this.#committed === this.#pushed) return Promise.resolve();
    /** @type {Promise<void>} */
    const done = new Promise((resolve, reject) => {
      this.#waiting.push({ upTo: this.#pushed, resolve, reject });
    });
    if (this.#state.name === "failed") {
      this.#clock.cancel(this.#state.retry);
      this.#commit();
    }
    return done;
  }

  /**
   * Flushes, then closes the backend. When flushing fails it stays open, unless `discard` gives the rest up.
   * @param {{ discard?: boolean }} [options]
   */
  async close({ discard = false } = {}) {
    if (this.#state.name === "closed") return;
    if (!discard) await this.flush();
    // What came since (`discard`: what was left) is given up, but a commit under way is not torn from its backend.
    for (;;) {
      this.#pending = new Map();
      const state = /** @type {State} */ (this.#state);
      if (state.name === "closed") return;
      if (state.name === "failed") this.#clock.cancel(state.retry);
      if (state.name !== "committing") break;
      await state.done;
    }
    this.#state = { name: "closed" };
    await this.#backend.close();
  }

  /**
   * @param {(event: "commit" | "storage-error", detail: unknown) => void} listener
   */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** How far storage is behind. */
  stats() {
    return { state: this.#state.name, pendingBytes: this.#committingBytes + size(this.#pending).bytes };
  }

  #schedule() {
    this.#state = { name: "scheduled" };
    this.#clock.soon(() => {
      if (this.#state.name === "scheduled") this.#commit();
    });
  }

  #commit() {
    const batch = this.#pending;
    const upTo = this.#pushed;
    const { entries, bytes } = size(batch);
    this.#pending = new Map();
    this.#committingBytes = bytes;
    // `async`, so that a backend that throws at once fails like one that rejects.
    const attempt = (async () => this.#backend.commit(batch.values()))();
    const done = attempt.then(
      () => this.#succeeded(upTo, { tables: batch.size, entries, bytes }),
      (cause) => this.#failed(batch, cause),
    );
    this.#state = { name: "committing", done };
  }

  /**
   * @param {number} upTo
   * @param {{ tables: number, entries: number, bytes: number }} what
   */
  #succeeded(upTo, what) {
    this.#committingBytes = 0;
    this.#committed = upTo;
    this.#failures = 0;
    this.#state = { name: "idle" };
    if (this.#pending.size > 0) this.#schedule();
    const ready = this.#waiting.filter((waiter) => waiter.upTo <= upTo);
    this.#waiting = this.#waiting.filter((waiter) => waiter.upTo > upTo);
    for (const { resolve } of ready) resolve();
    this.#tell("commit", what);
  }

  /**
   * @param {Batch} batch
   * @param {unknown} cause
   */
  #failed(batch, cause) {
    this.#committingBytes = 0;
    this.#pending = merged(batch, this.#pending);
    this.#failures += 1;
    const pause = Math.min(RETRY_FIRST_MS * 2 ** (this.#failures - 1), RETRY_LAST_MS);
    const retry = this.#clock.later(() => this.#commit(), pause);
    this.#state = { name: "failed", cause, retry };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(cause);
    this.#tell("storage-error", cause);
  }

  /**
   * @param {"commit" | "storage-error"} event
   * @param {unknown} detail
   */
  #tell(event, detail) {
    for (const listener of this.#listeners) listener(event, detail);
  }
}

/**
 * `newer` laid over `older`, which may be changed by it.
 * @param {Batch} older
 * @param {Batch} newer
 * @returns {Batch}
 */
function merged(older, newer) {
  if (older.size === 0) return newer;
  for (const [id, change] of newer) {
    const base = older.get(id);
    if (base === undefined || change.fate === "dropped") {
      older.set(id, change);
    } else if (change.fate === "cleared") {
      older.set(id, change);
    } else {
      base.seq = change.seq;
      for (const seq of change.removes) {
        base.puts.delete(seq);
        base.removes.add(seq);
      }
      for (const [seq, entry] of change.puts) base.puts.set(seq, entry);
    }
  }
  return older;
}

/** @param {Batch} batch */
function size(batch) {
  let entries = 0;
  let bytes = 0;
  for (const { puts, removes } of batch.values()) {
    entries += puts.size + removes.size;
    bytes += (puts.size + removes.size) * ENTRY_OVERHEAD_BYTES;
    for (const { key, value } of puts.values()) bytes += key.length + value.length;
  }
  return { entries, bytes };
}

function closedError() {
  return Object.assign(new Error("the storage is closed"), { code: "closed" });
}
