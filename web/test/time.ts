/** Waiting for events, and a clock that tests turn by hand: no test depends on the speed of the machine. */
import type { TestContext } from "node:test";
import { clock } from "#js/clock.js";
import { isBehind } from "#js/turns.js";

/** Milliseconds after which a wait has certainly hung: a safety net, which no slow machine meets. */
export const HANG_MS = 10 * 60_000;

const now = performance.now.bind(performance);
const later = globalThis.setTimeout;
const cancel = globalThis.clearTimeout;
// Not there in a page, where nobody asks for turns.
const immediate = globalThis.setImmediate;

/**
 * Resolves after all microtasks that are due, and the turns of the event loop that `turns` asks for; and when
 * nothing waits for a turn any more.
 */
export async function settled(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns || isBehind(); turn++) await new Promise<void>((resolve) => immediate(resolve));
}

/** Lets the process be idle for a moment. Use `until` where something must have happened afterwards. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => later(resolve, ms));
}

/** Resolves when `condition` holds. */
export async function until(condition: () => unknown, what = String(condition)): Promise<void> {
  for (const end = now() + HANG_MS; !(await condition()); await pause(1)) {
    if (now() > end) throw new Error(`waited in vain for ${what}`);
  }
}

/** Resolves or rejects like `promise`, which must settle. `what` says what for, when it has not. */
export async function inTime<T>(promise: Promise<T>, what: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = later(() => reject(new Error(`waited in vain for ${what()}`)), HANG_MS);
  });
  return Promise.race([promise, hangs]).finally(() => cancel(timer));
}

interface Timer {
  at: number;
  work: () => void;
  everyMs: number | undefined;
  unref(): Timer;
}

/**
 * A clock that stands still until a test turns it. Until that test ends, `performance.now`, `Date.now`,
 * `setTimeout` and `setInterval` of the global object go by it, and the clock of limits. Turns of the event
 * loop are as ever.
 */
export class ManualClock {
  #now = 1_000;
  readonly #timers = new Set<Timer>();
  /** Milliseconds that go by with each look at the clock (`performance.now`). */
  readingMs = 0;

  constructor(t: TestContext) {
    const add = (work: (...args: unknown[]) => void, ms: number | undefined, args: unknown[], repeats: boolean) => {
      const delay = Math.max(1, Number(ms) || 0);
      const timer = {
        at: this.#now + delay,
        work: () => work(...args),
        everyMs: repeats ? delay : undefined,
        unref: () => timer,
      };
      this.#timers.add(timer);
      return timer;
    };
    const remove = (timer: unknown) => void this.#timers.delete(timer as Timer);
    const wallClock = Date.now() - this.#now;
    const read = () => (this.#now += this.readingMs);
    t.mock.method(performance, "now", read);
    t.mock.method(clock, "now", read);
    t.mock.method(Date, "now", () => wallClock + this.#now);
    const globals = globalThis as unknown as Record<string, (...args: never[]) => unknown>;
    type Work = (...args: unknown[]) => void;
    t.mock.method(globals, "setTimeout", (work: Work, ms?: number, ...args: unknown[]) => add(work, ms, args, false));
    t.mock.method(globals, "setInterval", (work: Work, ms?: number, ...args: unknown[]) => add(work, ms, args, true));
    t.mock.method(globals, "clearTimeout", remove);
    t.mock.method(clock, "later", (work: Work, ms: number) => add(work, ms, [], false));
    t.mock.method(clock, "cancel", remove);
    t.mock.method(globals, "clearInterval", remove);
  }

  /** Milliseconds from any start. */
  get now(): number {
    return this.#now;
  }

  /** Number of timers that wait. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets `ms` go by without running a timer, as work does that holds the event loop. */
  work(ms: number): void {
    this.#now += ms;
  }

  /** Lets `ms` go by. Each timer that becomes due runs, in their order, and its promises settle. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.at = this.#now + next.everyMs;
      next.work();
      await settled();
    }
    this.#now = Math.max(this.#now, end);
  }
}
