/**
 * Calls of Lua that may wait (docs/codec.md section 5): each is a promise here and a coroutine there.
 *
 * Invariants:
 * - A task runs only from the top: when it is started, and in the microtask in which what it waits for has
 *   settled, or a later turn of the event loop when this one has been long enough.
 * - Every run looks at the limits of its call first, however the call has waited.
 * - What a task starts inside of Lua (`async.all` ...) uses the budget of that task.
 * - A task ends once. What settles after that, the promise of a cancelled one too, changes nothing.
 */
import { clock } from "#js/clock.js";
import { inTurn } from "#js/turns.js";
import { LuaInterruptError, LuaTimeoutError } from "../errors.js";
import type { PendingWait, TaskPart } from "../snapshot/parts.js";
import { Budget, type Allowance, type Limits } from "../instance/limits.js";
import type { EvalAsyncOptions } from "../options.js";
import type { LuaValue } from "../codec/values.js";

/** Functions that belong to a promise. */
export interface WaitHooks {
  /** Ends what is behind the promise; what must be closed for that is closed within the allowance. */
  readonly cancel?: ((allowance?: Allowance) => void) | undefined;
  /** Says how the wait can go on in another VM. */
  readonly pending?: (() => PendingWait) | undefined;
}

/** Wait of a task. */
export interface Wait extends WaitHooks {
  readonly promise: Promise<unknown>;
  /** Name of the host function that returned the promise, for messages. */
  readonly name: string;
}

/** Outcome of a run of a task: its results, or its number in the module and its wait. */
export type Step = LuaValue[] | { readonly task: number; readonly wait: Wait };

/** The VM as a task sees it. */
export interface TaskOwner {
  /** Tasks that wait. */
  readonly waiting: Set<Task>;
  /** Task that runs. */
  running: Task | undefined;
  /** Limits of calls that have none of their own. */
  readonly usual: Limits;
  /**
   * Promise of its end while it is being closed: then nothing runs any more, or (rejected) everything goes
   * on.
   */
  readonly closing?: Promise<void> | undefined;
  start(operation: number, args: readonly unknown[], budget: Budget): Step;
  resume(task: number, name: string, fulfilled: boolean, value: unknown, budget: Budget): Step;
  /** Forgets a task that waits, and returns the traceback of where it did. */
  cancel(task: number, allowance: Allowance): string | undefined;
  /** Says whether the program wants what runs to end (option `interrupted`). */
  isInterrupted(): boolean;
}

/** One call. */
export class Task {
  /** Promise of all its results. */
  readonly results: Promise<LuaValue[]>;
  /** Budget of all its runs. */
  readonly budget: Budget;
  /** All its results, as soon as there are any. */
  ended: LuaValue[] | undefined;
  readonly #owner: TaskOwner;
  #resolve!: (results: LuaValue[]) => void;
  #reject!: (error: unknown) => void;
  #over = false;
  #waits: { readonly task: number; readonly wait: Wait } | undefined;

  constructor(owner: TaskOwner, budget: Budget) {
    this.#owner = owner;
    this.budget = budget;
    this.results = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Number of the task in the module, while it waits. */
  get number(): number | undefined {
    return this.#waits?.task;
  }

  /** Captures its wait, for an image. */
  capture(): TaskPart {
    const { task, wait } = this.#waits as { task: number; wait: Wait };
    return { task, name: wait.name, pending: wait.pending?.(), budget: this.budget.capture() };
  }

  /** Restores a task: takes over one that waits already, in a memory that was restored. */
  restore(task: number, wait: Wait): this {
    this.#pause({ task, wait });
    return this;
  }

  /** Runs it until it waits, or ends; unless it was cancelled before. */
  start(operation: number, args: readonly unknown[]): this {
    if (!this.#over) this.#advance(() => this.#owner.start(operation, args, this.budget));
    return this;
  }

  /**
   * Ends it where it waits; its promise is rejected with what `reason` makes of the traceback. What must be
   * closed is closed within the allowance: that of an ended call, or else what it runs on itself.
   */
  cancel(reason: (traceback: string | undefined) => unknown, allowance: Allowance = this.budget.closing): void {
    if (this.#over) return;
    this.#over = true;
    try {
      this.#reject(reason(this.#giveUp(allowance)));
    } catch (error) {
      // What it had to close took too long: it has ended for the reason it was to end for.
      this.#reject(error instanceof LuaTimeoutError ? reason(error.traceback) : error);
    }
  }

  /** Ends it where it waits when the time of its call is over, or the program wants it to end. */
  #ends(): boolean {
    const { budget } = this;
    try {
      if (budget.isLate) this.cancel((traceback) => lateError(budget.limits, traceback));
      else if (this.#owner.isInterrupted()) this.cancel(interruptedError);
    } catch (error) {
      this.cancel(() => error);
    }
    return this.#over;
  }

  #advance(run: () => Step): void {
    const owner = this.#owner;
    const outer = owner.running;
    owner.running = this;
    try {
      const step = run();
      if (!Array.isArray(step)) return this.#pause(step);
      this.ended = step;
      this.#resolve(step);
    } catch (error) {
      this.#reject(error);
    } finally {
      owner.running = outer;
    }
    this.#over = true;
  }

  #pause(step: { task: number; wait: Wait }): void {
    this.#waits = step;
    // Cancelled by what it called itself: it ends here.
    if (this.#over) return void this.#giveUp(this.budget.closing);
    this.#owner.waiting.add(this);
    const settled = (fulfilled: boolean) => (value: unknown) => inTurn(() => this.#goOn(step, fulfilled, value));
    step.wait.promise.then(settled(true), settled(false));
  }

  #goOn(step: { task: number; wait: Wait }, fulfilled: boolean, value: unknown): void {
    if (this.#waits !== step) return;
    const again = () => this.#goOn(step, fulfilled, value);
    if (this.#owner.closing !== undefined) return void this.#owner.closing.then(again, again);
    if (this.#ends()) return;
    this.#waits = undefined;
    this.#owner.waiting.delete(this);
    this.#advance(() => this.#owner.resume(step.task, step.wait.name, fulfilled, value, this.budget));
  }

  #giveUp(allowance: Allowance): string | undefined {
    const waits = this.#waits;
    if (waits === undefined) return undefined;
    this.#waits = undefined;
    this.#owner.waiting.delete(this);
    waits.wait.cancel?.(allowance);
    return this.#owner.cancel(waits.task, allowance);
  }
}

/** Runs a task to its end, or until its time is over or the signal aborts it. */
export async function runTask(
  owner: TaskOwner,
  operation: number,
  args: readonly unknown[],
  { signal, timeout, fuel }: EvalAsyncOptions = {},
): Promise<LuaValue[]> {
  const aborted = (traceback?: string) =>
    new LuaInterruptError("interrupt", "the call was aborted", { traceback, cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const task = new Task(owner, new Budget({ timeout, fuel }, owner.usual));
  const abort = () => task.cancel(aborted);
  signal?.addEventListener("abort", abort);
  const stop = limitWaits(task);
  try {
    return await task.start(operation, args).results;
  } finally {
    stop();
    signal?.removeEventListener("abort", abort);
  }
}

/** Ends a task where it waits as soon as its time is over, and returns what takes that back. */
export function limitWaits(task: Task): () => void {
  const { waitMs, limits } = task.budget;
  if (waitMs === undefined) return () => {};
  const timer = clock.later(() => task.cancel((traceback) => lateError(limits, traceback)), waitMs);
  return () => clock.cancel(timer);
}

function lateError({ timeout }: Limits, traceback: string | undefined): LuaTimeoutError {
  return new LuaTimeoutError("timeout", `the call took longer than ${timeout} ms`, { traceback });
}

/** Makes the error of a call that was interrupted where it waits. */
export function interruptedError(traceback: string | undefined): LuaInterruptError {
  return new LuaInterruptError("interrupt", "interrupted", { traceback });
}

const hooks = new WeakMap<object, WaitHooks>();

/** Attaches hooks to a promise. */
export function hooked<T extends object>(promise: T, known: WaitHooks): T {
  hooks.set(promise, known);
  return promise;
}

/** Returns the hooks of a promise. */
export function hooksOf(promise: object): WaitHooks {
  return hooks.get(promise) ?? {};
}
