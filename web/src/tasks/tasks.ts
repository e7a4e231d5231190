/**
 * Calls of Lua that may wait (docs/codec.md section 5): each is a promise here and a coroutine there.
 *
 * Invariants:
 * - A task runs only from the top: when it is started, and in the microtask in which what it waits for has
 *   settled.
 * - What a task starts inside of Lua (`async.all` ...) uses the budget of that task.
 * - A task ends once. What settles after that, the promise of a cancelled one too, changes nothing.
 */
import { LuaError, LuaInterruptError, LuaTimeoutError } from "../errors.js";
import type { PendingWait, TaskPart } from "../snapshot/parts.js";
import { Budget } from "../instance/limits.js";
import type { EvalAsyncOptions, LimitOptions } from "../options.js";
import type { LuaValue } from "../codec/values.js";

/** Functions that belong to a promise. */
export interface WaitHooks {
  /** Ends what is behind the promise. */
  readonly cancel?: (() => void) | undefined;
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
  /**
   * Promise of its end while it is being closed: then nothing runs any more, or (rejected) everything goes
   * on.
   */
  readonly closing?: Promise<void> | undefined;
  start(operation: number, args: readonly unknown[]): Step;
  resume(task: number, name: string, fulfilled: boolean, value: unknown): Step;
  /** Forgets a task that waits, and returns the traceback of where it did. */
  cancel(task: number, limits?: LimitOptions): string | undefined;
}

/** One call. */
export class Task {
  /** Promise of all its results. */
  readonly results: Promise<LuaValue[]>;
  /** Budget of all its runs; undefined when the usual limits hold for each. */
  readonly budget: Budget | undefined;
  /** All its results, as soon as there are any. */
  ended: LuaValue[] | undefined;
  readonly #owner: TaskOwner;
  #resolve!: (results: LuaValue[]) => void;
  #reject!: (error: unknown) => void;
  #over = false;
  #waits: { readonly task: number; readonly wait: Wait } | undefined;

  constructor(owner: TaskOwner, budget?: Budget) {
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
    return { task, name: wait.name, pending: wait.pending?.() };
  }

  /** Restores a task: takes over one that waits already, in a memory that was restored. */
  restore(task: number, wait: Wait): this {
    this.#pause({ task, wait });
    return this;
  }

  /** Runs it until it waits, or ends. */
  start(operation: number, args: readonly unknown[]): this {
    this.#advance(() => this.#owner.start(operation, args));
    return this;
  }

  /** Ends it where it waits; its promise is rejected with what `reason` makes of the traceback. */
  cancel(reason: (traceback: string | undefined) => LuaError): void {
    if (this.#over) return;
    this.#over = true;
    try {
      this.#reject(reason(this.#giveUp()));
    } catch (error) {
      // What it had to close took too long: it has ended for the reason it was to end for.
      this.#reject(error instanceof LuaTimeoutError ? reason(error.traceback) : error);
    }
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
      this.#reject(this.budget === undefined ? error : this.budget.nameWholeLimit(error));
    } finally {
      owner.running = outer;
    }
    this.#over = true;
  }

  #pause(step: { task: number; wait: Wait }): void {
    this.#waits = step;
    // Cancelled by what it called itself: it ends here.
    if (this.#over) return void this.#giveUp();
    this.#owner.waiting.add(this);
    const settled = (fulfilled: boolean) => (value: unknown) => {
      if (this.#waits !== step) return;
      const again = () => settled(fulfilled)(value);
      if (this.#owner.closing !== undefined) return void this.#owner.closing.then(again, again);
      this.#waits = undefined;
      this.#owner.waiting.delete(this);
      this.#advance(() => this.#owner.resume(step.task, step.wait.name, fulfilled, value));
    };
    step.wait.promise.then(settled(true), settled(false));
  }

  #giveUp(): string | undefined {
    const waits = this.#waits;
    if (waits === undefined) return undefined;
    this.#waits = undefined;
    this.#owner.waiting.delete(this);
    waits.wait.cancel?.();
    return this.#owner.cancel(waits.task, this.budget?.toClose());
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
  const late = (traceback?: string) =>
    new LuaTimeoutError("timeout", `the call took longer than ${timeout} ms`, { traceback });
  if (signal?.aborted) throw aborted();
  const limited = timeout !== undefined || fuel !== undefined;
  const task = new Task(owner, limited ? new Budget({ timeout, fuel }) : undefined);
  const abort = () => task.cancel(aborted);
  signal?.addEventListener("abort", abort);
  const timer =
    timeout === undefined || timeout === Infinity ? undefined : setTimeout(() => task.cancel(late), timeout);
  try {
    return await task.start(operation, args).results;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
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
