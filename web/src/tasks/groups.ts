/**
 * Groups of functions that run side by side for one that waits, as `async.all` and `async.race` do
 * (docs/codec.md section 5: run).
 */
import { inTurn } from "#js/turns.js";
import { LuaExitError, LuaInterruptError, LuaTimeoutError } from "../errors.js";
import type { Allowance } from "../instance/limits.js";
import { handleOf, type LuaFunction } from "../host/handles.js";
import type { PendingWait } from "../snapshot/parts.js";
import { Operation } from "../codec/tags.js";
import { Task, hooked, type TaskOwner } from "./tasks.js";
import type { LuaValue, ValueContext } from "../codec/values.js";

/** A group of functions. It is over when all have ended, or one has returned true. */
export class Group {
  /**
   * Promise of the place of the function that returned true, from 1 on; or of undefined. The others have
   * ended by then: they were cancelled, and have closed what they had open.
   */
  readonly promise: Promise<number | undefined>;
  readonly #vm: ValueContext & TaskOwner;
  readonly #caller: Task;
  #resolve!: (place: number | undefined) => void;
  #reject!: (error: unknown) => void;
  #stopped = false;
  #count = 0;
  /** Place of the function that has ended the group, from 1 on; the caller may not know of it yet. */
  #first: number | undefined;
  /** Functions that have not begun, by their places. */
  readonly #functions = new Map<number, object>();
  /** Tasks that have not ended, by their places. */
  readonly #tasks = new Map<number, Task>();

  /** Makes a group for `caller`, which waits for it. */
  constructor(vm: ValueContext & TaskOwner, caller: Task) {
    this.#vm = vm;
    this.#caller = caller;
    const over = new Promise<number | undefined>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise = hooked(
      // The call goes on: what the others have to close is a part of it.
      over.finally(() => this.#stop(caller.closing ?? caller.budget)),
      {
        cancel: (allowance = caller.budget.closing, now) => this.#stop(allowance, now),
        pending: () => this.#pending(),
      },
    );
  }

  /** Runs the functions, and disposes of them at the end. `soon`: when the job that runs now is over. */
  start(functions: readonly object[], soon?: (work: () => void) => void): this {
    this.#count = functions.length;
    return this.#begin(functions.entries(), soon);
  }

  /**
   * Restores a group of `count` functions: takes over those that wait in a memory that was restored, and
   * starts those that had not begun.
   */
  restore(
    { count, first }: { readonly count: number; readonly first?: number | undefined },
    members: Iterable<readonly [place: number, task: Task]>,
    functions: Iterable<readonly [place: number, fn: object]>,
    soon: (work: () => void) => void,
  ): this {
    this.#count = count;
    if (first !== undefined) this.#end(first);
    for (const [place, task] of members) this.#tasks.set(place, task);
    for (const [place, task] of [...this.#tasks]) this.#follow(place, task);
    return this.#begin(functions, soon);
  }

  #begin(
    functions: Iterable<readonly [place: number, fn: object]>,
    soon: (work: () => void) => void = queueMicrotask,
  ): this {
    const given = [...functions].map(([place, fn]) => {
      // Their results stay in Lua.
      const task = new Task(this.#vm, this.#caller.budget, {}, this.#caller);
      this.#functions.set(place, fn);
      this.#tasks.set(place, task);
      this.#follow(place, task);
      return { place, fn, task };
    });
    // Not before the one who calls is suspended: each function runs from the top, as any task.
    soon(() => {
      for (const { place, fn, task } of given) {
        inTurn(() => {
          if (this.#functions.delete(place)) task.start(Operation.startHandle, [handleOf(fn, this.#vm).handle]);
        });
      }
      this.#check();
    });
    const dispose = () => {
      try {
        for (const { fn } of given) (fn as Partial<LuaFunction>).dispose?.();
      } catch {
        // It has died of this: the next call says so.
      }
    };
    this.promise.then(dispose, dispose);
    return this;
  }

  #follow(place: number, task: Task): void {
    const ended = ([first]: LuaValue[]) => {
      this.#tasks.delete(place);
      if (first === true) this.#end(place + 1);
      else this.#check();
    };
    task.results.then(ended, (error: unknown) => {
      // An end that nothing catches is one for the caller, too.
      const final =
        error instanceof LuaTimeoutError || error instanceof LuaInterruptError || error instanceof LuaExitError;
      if (final && !this.#stopped) this.#caller.cancel(() => error);
      this.#reject(error);
    });
  }

  #end(first: number): void {
    this.#first ??= first;
    this.#resolve(first);
  }

  #check(): void {
    if (this.#tasks.size === 0) this.#resolve(undefined);
  }

  /** Cancels all that still run. Returns a promise of their ends, when some have to wait for that. */
  #stop(allowance: Allowance, now = false): Promise<unknown> | undefined {
    this.#stopped = true;
    this.#functions.clear();
    const open: Promise<unknown>[] = [];
    for (const task of this.#tasks.values()) {
      task.cancel((traceback) => new LuaInterruptError("interrupt", "cancelled", { traceback }), allowance, now);
      if (task.isEnding) open.push(task.results);
    }
    return open.length > 0 ? Promise.allSettled(open) : undefined;
  }

  #pending(): PendingWait {
    const start = [...this.#functions].map(([place, fn]) => [place, handleOf(fn, this.#vm).handle] as const);
    let first = this.#first;
    const run: [place: number, task: number][] = [];
    for (const [place, { number, ended }] of this.#tasks) {
      if (number !== undefined) run.push([place, number]);
      // It has ended just now, and we have not been told yet.
      if (ended?.[0] === true) first ??= place + 1;
    }
    return { run, start, count: this.#count, first };
  }
}
