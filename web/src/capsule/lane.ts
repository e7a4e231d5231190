/**
 * Order of calls: one after the other, each as a whole. A transaction is one in the lane that it is in, and
 * has a lane of its own for what is called within.
 */
import { CapsuleError, usageError } from "./errors.js";

/** Calls in their order. */
export class Lane {
  #last: Promise<unknown> = Promise.resolve();
  /** Work that comes before all that waits. */
  #urgent: (() => Promise<unknown>)[] = [];

  /** Runs `work` when all before it have ended. */
  run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    const done = this.#last.then(() => (this.#urgent.length === 0 ? work() : this.#runAfterUrgent(work)));
    this.#last = done.catch(() => {});
    return done;
  }

  async #runAfterUrgent<T>(work: () => T | PromiseLike<T>): Promise<T> {
    for (let first; (first = this.#urgent.shift()) !== undefined;) await first();
    return await work();
  }

  /** Runs `work` before all that waits, after what runs now. It must not fail. */
  runFirst(work: () => Promise<unknown>): Promise<void> {
    this.#urgent.push(work);
    return this.run(() => {});
  }

  /** Resolves when everything has ended, what comes meanwhile included. */
  async idle(): Promise<void> {
    for (let last; last !== this.#last;) await (last = this.#last);
  }
}

/** A transaction, or what is outside of all: the calls that belong to it, and its end. */
export class Scope {
  /** Transaction within this one that all calls belong to, until its function has ended. */
  ambient: Scope | undefined;
  /** Error of calls after its end. */
  ended: Error | undefined;
  /** Number of calls so far. */
  calls = 0;
  readonly #lane = new Lane();
  /** Scripts that have begun in it and not ended. */
  readonly #scripts = new Set<Promise<unknown>>();

  /** Runs a call, in its turn. */
  run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    this.calls += 1;
    return this.#lane.run(() => {
      if (this.ended !== undefined) throw this.ended;
      return work();
    });
  }

  /** Runs work before all calls that wait, after the one that runs now. It must not fail. */
  runFirst(work: () => Promise<unknown>): Promise<void> {
    return this.#lane.runFirst(work);
  }

  /** Starts a script, in its turn: what comes after it does not wait for its end. */
  async start<T>(work: () => Promise<T>): Promise<T> {
    const { script } = await this.run(() => {
      const script = work();
      const over = script.catch(() => {}).finally(() => this.#scripts.delete(over));
      this.#scripts.add(over);
      return { script };
    });
    return await script;
  }

  /** Returns the scope that calls on this one belong to. */
  get current(): Scope {
    return this.ambient?.current ?? this;
  }

  /** Resolves when all calls and scripts in it have ended. */
  async idle(): Promise<void> {
    do {
      await this.#lane.idle();
      await Promise.all(this.#scripts);
    } while (this.#scripts.size > 0);
  }
}

/** Makes the error of a call on a transaction that has ended. */
export function endedError(): CapsuleError {
  return usageError("this transaction has ended: its object cannot be used any more");
}

/** Makes the error of a transaction that was open too long. */
export function lateError(ms: number): CapsuleError {
  return new CapsuleError("timeout", `the transaction was open for more than ${ms} ms, and was rolled back`);
}
