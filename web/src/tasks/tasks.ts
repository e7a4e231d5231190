/**
 * Calls of Lua that may wait (docs/codec.md section 5): each is a promise here and a coroutine there.
 *
 * Invariants:
 * - A task runs only from the top: when it is started, and in the microtask in which what it waits for has
 *   settled, or a later turn of the event loop when this one has been long enough.
 * - Every run looks at the limits of its call first, however the call has waited.
 * - What a task starts inside of Lua (`async.all` ...) uses the budget of that task, and its output.
 * - What a run writes goes to the sink of its call, also where it runs inside of another.
 * - A task ends once. What settles after that, the promise of a cancelled one too, changes nothing.
 * - A task that is cancelled ends after those that it waits for, and after what it has to close, which may
 *   wait itself as long as the allowance for closing lasts.
 */
import { clock } from "#js/clock.js";
import { inTurn } from "#js/turns.js";
import { LuaError, LuaInterruptError, LuaTimeoutError } from "../errors.js";
import type { EndingPart, PendingWait, TaskPart } from "../snapshot/parts.js";
import { Budget, type Allowance, type Limits } from "../instance/limits.js";
import type { Sink } from "../instance/output.js";
import { conversionOf, type EvalAsyncOptions } from "../options.js";
import { readText } from "../codec/utf8.js";
import type { Conversion, LuaValue } from "../codec/values.js";

/** Functions that belong to a promise. */
export interface WaitHooks {
  /**
   * Ends what is behind the promise; what must be closed for that is closed within the allowance, and, with
   * `now`, does not wait. Returns a promise that is fulfilled when it has ended, if it has not yet.
   */
  readonly cancel?: ((allowance?: Allowance, now?: boolean) => Promise<unknown> | undefined | void) | undefined;
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
export type Step = LuaValue[] | Pause;

interface Pause {
  readonly task: number;
  readonly wait: Wait;
  /** Traceback of where it was cancelled. */
  readonly traceback?: string | undefined;
}

/** End of a task that was cancelled. */
interface Ending {
  /** Makes the error that it ends with of the traceback of where it waited. */
  reason: (traceback: string | undefined) => unknown;
  allowance: Allowance;
  /** Traceback of where it waited, when the module knows of its end. */
  begun?: { readonly traceback: string | undefined } | undefined;
  /** True when nothing may wait any more. */
  now?: boolean;
  /** Takes back the timer that ends a wait of what it closes. */
  stop: () => void;
}

/** The VM as a task sees it. */
export interface TaskOwner {
  /** Tasks that wait. */
  readonly waiting: Set<Task>;
  /** Task that runs. */
  readonly running: Task | undefined;
  /** Limits of calls that have none of their own. */
  readonly usual: Limits;
  /** Conversion of results of calls that have none of their own. */
  readonly conversion: Conversion;
  /**
   * Promise of the end of what keeps this call from going on: of its closing, after which nothing runs any
   * more, or (rejected) everything goes on; undefined when nothing does.
   */
  heldBy(call: Task): Promise<unknown> | undefined;
  start(operation: number, args: readonly unknown[], allowance: Allowance, as: Conversion): Step;
  resume(task: number, name: string, fulfilled: boolean, value: unknown, allowance: Allowance, as: Conversion): Step;
  /**
   * Ends a task that waits: the traceback of where it did; or what its end waits for, which it does not with
   * `now`. Undefined when nothing can run now, and it is to be asked again.
   */
  cancel(task: number, allowance: Allowance, now: boolean): Step | undefined;
  /** Says whether the program wants what runs to end (option `interrupted`). */
  isInterrupted(): boolean;
  /** Runs `run`, whose output goes to this sink, and without one to that of the VM; in this task. */
  into<T>(sink: Sink | undefined, run: () => T, task: Task): T;
}

/** One call. */
export class Task {
  /** Promise of all its results. */
  readonly results: Promise<LuaValue[]>;
  /** Budget of all its runs, unless they belong to the end of another task. */
  readonly budget: Budget;
  readonly #as: Conversion;
  /** All its results, as soon as there are any. */
  ended: LuaValue[] | undefined;
  readonly #owner: TaskOwner;
  #resolve!: (results: LuaValue[]) => void;
  #reject!: (error: unknown) => void;
  /** True when it has ended, or is to end. */
  #over = false;
  #runs = false;
  #ending: Ending | undefined;
  /** Task that runs it. */
  readonly #caller: Task | undefined;
  /** The call that it is a part of. */
  readonly #top: Task;
  /** Destination of the output of all parts of a call; undefined for that of the VM. */
  readonly #sink: Sink | undefined;
  #waits: Pause | undefined;

  /**
   * Makes a call with its budget, whose results are converted; or one that the task `caller` runs, whose
   * budget, output and end it shares.
   */
  constructor(owner: TaskOwner, budget: Budget, as: Conversion, caller?: Task, sink?: Sink) {
    this.#owner = owner;
    this.budget = budget;
    this.#as = as;
    this.#caller = caller;
    this.#top = caller === undefined ? this : caller.#top;
    this.#sink = sink;
    this.results = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Number of the task in the module, while it waits. */
  get number(): number | undefined {
    return this.#waits?.task;
  }

  /** Allowance that its runs draw on when it, or who runs it, was cancelled. */
  get closing(): Allowance | undefined {
    return this.#ending?.allowance ?? this.#caller?.closing;
  }

  /** True while it was cancelled and has not ended. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Captures its wait, for an image. */
  capture(): TaskPart {
    const { task, wait } = this.#waits as Pause;
    const part = { task, name: wait.name, pending: wait.pending?.(), budget: this.budget.capture() };
    if (this.#ending === undefined) return part;
    const { reason, begun, allowance } = this.#ending;
    const error = reason(begun?.traceback);
    return {
      ...part,
      ending: {
        reason: error instanceof LuaTimeoutError ? error.reason : "interrupt",
        message: error instanceof LuaError ? error.message : "",
        traceback: begun?.traceback,
        begun: begun !== undefined,
        goesOn: allowance === this.budget,
      },
    };
  }

  /** Restores a task: takes over one that waits already, in a memory that was restored. */
  restore(task: number, wait: Wait): this {
    this.#pause({ task, wait });
    return this;
  }

  /** Goes on with its end, which an image has. */
  restoreEnd({ reason: word, message, traceback, begun, goesOn }: EndingPart): void {
    const allowance = goesOn ? this.budget : this.budget.closing;
    const reason = () =>
      word === "interrupt"
        ? new LuaInterruptError("interrupt", message, { traceback })
        : new LuaTimeoutError("timeout", message, { traceback, value: word });
    if (!begun) return this.cancel(reason, allowance);
    this.#over = true;
    this.#ending = { reason, allowance, begun: { traceback }, stop: () => {} };
    this.#limitEnd(this.#ending);
  }

  /** Runs it until it waits, or ends; unless it was cancelled before. */
  start(operation: number, args: readonly unknown[]): this {
    if (!this.#over) this.#advance(() => this.#owner.start(operation, args, this.closing ?? this.budget, this.#as));
    return this;
  }

  /**
   * Ends it where it waits; its promise is rejected with what `reason` makes of the traceback, when all that
   * must be closed is closed: within the allowance, that of an ended call, or else what it runs on itself.
   * With `now` nothing waits for that.
   */
  cancel(
    reason: (traceback: string | undefined) => unknown,
    allowance: Allowance = this.closing ?? this.budget.closing,
    now = false,
  ): void {
    const ending = this.#ending;
    if (ending !== undefined) {
      if (ending.allowance !== allowance) {
        // The one who went on without it ends now, too.
        ending.stop();
        ending.allowance = allowance;
        if (!now) {
          if (ending.begun === undefined) void this.#waits?.wait.cancel?.(allowance);
          this.#limitEnd(ending);
        }
      }
      if (now) this.#endNow(ending);
    }
    if (this.#over) return;
    this.#over = true;
    const made = { reason, allowance, now, stop: () => {} };
    if (this.#waits !== undefined) this.#end(made);
    // It runs, and what it called has cancelled it: it ends where it waits next.
    else if (this.#runs) this.#ending = made;
    else this.#reject(reason(undefined));
  }

  /**
   * Ends the call that it is a part of, as it runs, with what a callback has thrown. Nothing in it catches
   * that.
   */
  fail(error: unknown): void {
    const reason = () => error;
    // What it closes runs, and waits no more.
    if (this.#ending !== undefined && !this.#runs) Object.assign(this.#ending, { reason, now: true });
    this.#top.cancel(reason);
  }

  /** Ends it where it waits when the time of its call is over, or the program wants it to end. */
  #ends(): boolean {
    const { budget, closing } = this;
    try {
      // The end of another limits what belongs to it.
      if (closing === undefined && budget.isLate) this.cancel((traceback) => lateError(budget.limits, traceback));
      else if (this.#owner.isInterrupted()) this.cancel(interruptedError, closing, true);
    } catch (error) {
      this.cancel(() => error);
    }
    return this.#over;
  }

  #advance(run: () => Step): void {
    this.#runs = true;
    let failure: unknown;
    try {
      const step = this.#run(run);
      if (!Array.isArray(step)) return this.#pause(step);
      this.ended = step;
    } catch (error) {
      failure = error;
    } finally {
      this.#runs = false;
    }
    this.#over = true;
    if (this.#ending !== undefined) this.#ended(this.#ending, undefined);
    else if (this.ended !== undefined) this.#resolve(this.ended);
    else this.#reject(failure);
  }

  /** Runs a part of it: what that writes is its output. */
  #run<T>(part: () => T): T {
    return this.#owner.into(this.#top.#sink, part, this);
  }

  #pause(step: Pause): void {
    this.#waits = step;
    this.#owner.waiting.add(this);
    const settled = (fulfilled: boolean) => (value: unknown) => inTurn(() => this.#goOn(step, fulfilled, value));
    step.wait.promise.then(settled(true), settled(false));
    const ending = this.#ending;
    if (ending !== undefined && ending.begun === undefined) this.#end(ending);
  }

  #goOn(step: Pause, fulfilled: boolean, value: unknown): void {
    if (this.#waits !== step) return;
    const again = () => this.#goOn(step, fulfilled, value);
    const held = this.#owner.heldBy(this.#top);
    if (held !== undefined) return void held.then(again, again);
    const ending = this.#ending;
    if (ending === undefined) {
      if (this.#ends()) return;
    } else if (ending.begun === undefined) {
      // It waits for others to end.
      return;
    } else {
      try {
        if (this.#owner.isInterrupted()) return this.#endNow(ending);
      } catch (error) {
        return this.#endNow(ending, error);
      }
    }
    this.#unpause();
    const allowance = ending?.allowance ?? this.closing ?? this.budget;
    const run = () => this.#owner.resume(step.task, step.wait.name, fulfilled, value, allowance, this.#as);
    if (ending === undefined) this.#advance(run);
    else this.#goOnEnding(ending, run);
  }

  #unpause(): void {
    this.#ending?.stop();
    this.#waits = undefined;
    this.#owner.waiting.delete(this);
  }

  /** Ends what it waits for, and then itself. */
  #end(ending: Ending): void {
    this.#ending = ending;
    const { allowance, now = false } = ending;
    const inner = this.#waits?.wait.cancel?.(allowance, now);
    if (inner === undefined || now) this.#close(ending, now);
    else void inner.then(() => this.#close(ending, false));
  }

  /** Has the module close what it has open. */
  #close(ending: Ending, now: boolean): void {
    // What it waited for may have ended it, with the whole VM.
    if (this.#ending !== ending || ending.begun !== undefined || this.#waits === undefined) return;
    const { task } = this.#waits;
    this.#goOnEnding(ending, () => {
      const step = this.#owner.cancel(task, ending.allowance, now);
      if (step === undefined) return step;
      const traceback = Array.isArray(step) ? readText(step[0]) : step.traceback;
      ending.begun ??= { traceback };
      return step;
    });
  }

  /** Runs a part of its end; what it closes may wait again. */
  #goOnEnding(ending: Ending, run: () => Step | undefined): void {
    let failure: unknown;
    try {
      const step = this.#run(run);
      if (step === undefined) return queueMicrotask(() => this.#close(ending, false));
      this.#unpause();
      if (!Array.isArray(step)) {
        this.#pause(step);
        return ending.now === true ? this.#endNow(ending) : this.#limitEnd(ending);
      }
    } catch (error) {
      failure = error;
    }
    this.#ended(ending, failure);
  }

  /** Ends a wait of what it closes when the allowance is used up. */
  #limitEnd(ending: Ending): void {
    const { allowance } = ending;
    const { waitMs } = allowance;
    if (ending.begun === undefined || waitMs === undefined) return;
    const late = () => {
      const held = this.#owner.heldBy(this.#top);
      if (this.#ending !== ending) return;
      if (held !== undefined) void held.then(late, late);
      else this.#endNow(ending);
    };
    const timer = clock.later(late, waitMs);
    allowance.waits?.(true);
    ending.stop = () => {
      clock.cancel(timer);
      allowance.waits?.(false);
      ending.stop = () => {};
    };
  }

  /**
   * Ends it at once, in the middle of its end: what it closes has no more time, or must not wait any more.
   */
  #endNow(ending: Ending, failure: unknown = cutOff()): void {
    ending.now = true;
    // What it closes runs, and has called us: it ends where it waits next.
    if (this.#waits === undefined) return;
    const { task, wait } = this.#waits;
    ending.stop();
    try {
      void wait.cancel?.(ending.allowance, true);
      const list = this.#run(() => this.#owner.cancel(task, ending.allowance, true) as LuaValue[]);
      const traceback = readText(list[0]);
      ending.begun ??= { traceback };
    } catch (error) {
      failure = error;
    }
    this.#ended(ending, failure);
  }

  /** Ends it for its reason. What has failed meanwhile is the cause, where that has none. */
  #ended(ending: Ending, failure: unknown): void {
    if (this.#ending !== ending) return;
    const { reason, begun } = ending;
    this.#ending = undefined;
    this.#unpause();
    const isLimit = failure instanceof LuaTimeoutError || failure === undefined;
    if (!isLimit) return this.#reject(failure);
    const error = reason(begun?.traceback ?? failure?.traceback);
    if (failure !== undefined && error instanceof LuaError && error.cause === undefined)
      Object.defineProperty(error, "cause", { value: failure, configurable: true, writable: true });
    this.#reject(error);
  }
}

/**
 * Runs a task to its end, or until its time is over or the signal aborts it. With a sink for its output it
 * ends that, and tells it the fuel of the call.
 */
export async function runTask(
  owner: TaskOwner,
  operation: number,
  args: readonly unknown[],
  { signal, timeout, fuel, ...options }: EvalAsyncOptions = {},
  sink?: Sink,
): Promise<LuaValue[]> {
  const aborted = (traceback?: string) =>
    new LuaInterruptError("interrupt", "the call was aborted", { traceback, cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const as = conversionOf(options, owner.conversion);
  const budget = new Budget({ timeout, fuel }, owner.usual);
  if (sink !== undefined) budget.countsFuel = true;
  const task = new Task(owner, budget, as, undefined, sink);
  const abort = () => task.cancel(aborted);
  signal?.addEventListener("abort", abort);
  const stop = limitWaits(task);
  try {
    return await task.start(operation, args).results;
  } finally {
    stop();
    sink?.end(budget.usedFuel);
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

function cutOff(): LuaTimeoutError {
  return new LuaTimeoutError("timeout", "what the call had to close was cut off where it waited");
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
