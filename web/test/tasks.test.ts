/** Calls that wait, over an owner that is no VM: who settles, who cancels, and that each ends once. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { clock } from "#js/clock.js";
import { LuaError, LuaInterruptError, LuaTimeoutError } from "../src/errors.ts";
import { handleOf, makeFunction, type HandleOwner } from "../src/host/handles.ts";
import { Budget } from "../src/instance/limits.ts";
import { makeServices } from "../src/host/services.ts";
import { Service } from "../src/codec/tags.ts";
import { Task, hooked, runTask, type Step, type TaskOwner, type Wait } from "../src/tasks/tasks.ts";
import type { ValueContext } from "../src/codec/values.ts";
import { context } from "./helpers.ts";

interface Settled {
  task: number;
  fulfilled: boolean;
  value: unknown;
}

/** Each start waits for the promise that it is given; each resume ends with the value, or with the error. */
class Owner implements TaskOwner {
  readonly conversion = {};
  readonly waiting = new Set<Task>();
  running: Task | undefined;
  readonly usual = { timeout: Infinity, fuel: Infinity };
  readonly isInterrupted = (): boolean => false;
  readonly heldBy = (): undefined => undefined;
  readonly cancelled: number[] = [];
  readonly resumed: Settled[] = [];
  readonly disposed: number[] = [];
  #last = 0;

  start(_operation: number, [work]: readonly unknown[]): Step {
    const given = typeof work === "function" ? (work as () => unknown)() : work;
    return given instanceof Promise ? this.wait(given) : [given as never];
  }

  resume(task: number, _name: string, fulfilled: boolean, value: unknown): Step {
    this.resumed.push({ task, fulfilled, value });
    if (!fulfilled) throw new LuaError("runtime", String(value));
    return value instanceof Function ? this.start(0, [value]) : [value as never];
  }

  into<T>(_sink: unknown, run: () => T, task: Task): T {
    const outer = this.running;
    this.running = task;
    try {
      return run();
    } finally {
      this.running = outer;
    }
  }

  cancel(task: number): Step {
    this.cancelled.push(task);
    return [`waited in ${task}`];
  }

  wait(promise: Promise<unknown>, cancel?: () => void): Step {
    const wait: Wait = { promise, name: "'f'", cancel };
    return { task: ++this.#last, wait };
  }
}

const never = new Promise(() => {});
const after = (ms: number, value: unknown) => new Promise((resolve) => setTimeout(resolve, ms, value));

suite("a task", () => {
  test("ends at once, or when what it waits for has settled, as often as that is", async () => {
    const owner = new Owner();
    assert.deepEqual(await runTask(owner, 0, [5]), [5]);
    assert.deepEqual(await runTask(owner, 0, [Promise.resolve(6)]), [6]);
    assert.deepEqual(await runTask(owner, 0, [Promise.resolve(() => Promise.resolve(() => 7))]), [7]);
    await assert.rejects(runTask(owner, 0, [Promise.reject(new Error("x"))]), LuaError);
    assert.equal(owner.waiting.size, 0);
  });

  test("that fails to start rejects", async () => {
    const error = new TypeError("no");
    const fails = () => {
      throw error;
    };
    await assert.rejects(runTask(new Owner(), 0, [fails]), (thrown) => thrown === error);
  });

  test("ends once: what settles later is nobody's", async () => {
    const owner = new Owner();
    const controller = new AbortController();
    const slow = after(5, "late");
    const running = runTask(owner, 0, [slow], { signal: controller.signal });
    assert.equal(owner.waiting.size, 1);
    controller.abort("enough");
    await assert.rejects(running, (error) => {
      assert.ok(error instanceof LuaInterruptError);
      assert.equal(error.cause, "enough");
      assert.equal(error.traceback, "waited in 1");
      return true;
    });
    await slow;
    assert.deepEqual([owner.cancelled, owner.resumed, owner.waiting.size], [[1], [], 0]);
  });

  test("aborted by what it runs is cancelled where it waits next", async () => {
    const owner = new Owner();
    const controller = new AbortController();
    const work = () => (controller.abort(), never);
    await assert.rejects(runTask(owner, 0, [work], { signal: controller.signal }), LuaInterruptError);
    assert.deepEqual([owner.cancelled, owner.waiting.size], [[1], 0]);
  });

  test("has a time for all of it", async () => {
    const owner = new Owner();
    await assert.rejects(
      runTask(owner, 0, [never], { timeout: 5 }),
      (error) => error instanceof LuaTimeoutError && error.reason === "timeout" && error.traceback === "waited in 1",
    );
    assert.deepEqual(await runTask(owner, 0, [after(1, 8)], { timeout: 2 ** 31 - 1 }), [8]);
  });

  test("leaves no listener and no timer behind", async (t) => {
    const cleared = t.mock.method(clock, "cancel");
    const { signal } = new AbortController();
    const removed = t.mock.method(signal, "removeEventListener");
    await runTask(new Owner(), 0, [5], { signal, timeout: 60_000 });
    assert.equal(cleared.mock.callCount(), 1);
    assert.equal(removed.mock.callCount(), 1);
  });

  test("ends what is behind its promise, where that is known", () => {
    const owner = new Owner();
    let ended = 0;
    owner.start = () => owner.wait(never, () => void (ended += 1));
    const task = new Task(owner, new Budget({}, owner.usual), {}).start(0, []);
    task.results.catch(() => {});
    task.cancel(() => new LuaError("interrupt", "x"));
    task.cancel(() => new LuaError("interrupt", "x"));
    assert.equal(ended, 1);
  });
});

suite("side by side", () => {
  function setUp() {
    const owner = new Owner();
    const work: unknown[] = [];
    const vm: ValueContext & TaskOwner = Object.assign(owner, {
      host: context.host,
      function: context.function,
      reference: context.reference,
      external: context.external,
    });
    const start = owner.start.bind(owner);
    // A handle is a place in `work`.
    owner.start = (operation, [handle]) => start(operation, [work[handle as number]]);
    const handles: HandleOwner = Object.assign(vm, {
      request: () => [],
      requestFirst: () => undefined,
      requestAsync: async () => [],
      release: (handle: number) => void owner.disposed.push(handle),
    });
    const services = makeServices(vm, undefined);
    // The task that asks for the service.
    owner.running = new Task(owner, new Budget({}, owner.usual), {});
    const run = (...functions: unknown[]) => {
      work.push(...functions);
      const made = functions.map((_, i) => makeFunction(handles, i));
      for (const fn of made) assert.ok(handleOf(fn, handles));
      return (services[Service.run] as (...fns: unknown[]) => Promise<unknown>)(...made);
    };
    return { owner, run };
  }

  test("all end", async () => {
    const { owner, run } = setUp();
    assert.equal(await run(after(3, 1), 2, after(1, false)), undefined);
    assert.equal(await run(), undefined);
    assert.deepEqual(owner.disposed, [0, 1, 2]);
  });

  test("one that returns true ends the others", async () => {
    const { owner, run } = setUp();
    assert.equal(await run(never, after(1, true), never), 2);
    assert.deepEqual([owner.cancelled.length, owner.waiting.size, owner.disposed.length], [2, 0, 3]);
  });

  test("one that fails ends them, too", async () => {
    const { owner, run } = setUp();
    await assert.rejects(run(never, Promise.reject(new Error("x"))), LuaError);
    assert.deepEqual([owner.cancelled.length, owner.waiting.size], [1, 0]);
  });
});

test("a hook belongs to its promise", () => {
  const promise = Promise.resolve();
  assert.equal(hooked(promise, {}), promise);
});
