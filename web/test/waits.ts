/**
 * Every way in which a call can wait, with every limit that can end it. Runs in pages, too: nothing here but
 * the package and the platform.
 */
import type { Lua, LuaOptions } from "../src/index.ts";

type Perilune = typeof import("../src/index.ts");

/** A way to wait: a program without end that waits in it all the time. */
interface Way {
  readonly code: string;
  readonly options?: LuaOptions;
}

/** A limit, given to the VM or to the call, or a hand that ends it. */
interface Limit {
  readonly options?: LuaOptions;
  readonly call?: { timeout?: number; fuel?: number };
  /** Ends the call from a timer. */
  readonly end?: "signal" | "interrupt" | "interrupted";
  readonly reason: "timeout" | "fuel" | "interrupt";
}

/** Outcome of one case. */
export interface Outcome {
  readonly way: string;
  readonly name: string;
  /** Reason or kind of its end, or what it has ended with instead. */
  readonly ended: string;
  readonly expected: string;
  /** Timers that came while it ran. */
  readonly timers: number;
  /** Result of the next call. */
  readonly next: unknown;
}

const forever = (code: string) => `while true do ${code} end`;

const closing = (code: string) => `local _ <close> = setmetatable({}, { __close = function() ${forever(code)} end })`;

export const WAYS: Readonly<Record<string, Way>> = {
  "a host function that is fulfilled at once": { code: forever("tick()"), options: { functions: { async tick() {} } } },
  "one that is rejected at once": {
    code: forever("pcall(tick)"),
    options: {
      functions: {
        async tick() {
          throw new Error("no");
        },
      },
    },
  },
  "a thenable that settles while it is asked": {
    code: forever("tick()"),
    options: { functions: { tick: () => ({ then: (settle: (value: number) => void) => settle(1) }) } },
  },
  "one that works before it waits": {
    code: `${forever("for i = 1, 2000 do end tick()")}`,
    options: { functions: { async tick() {} } },
  },
  "a coroutine of its own": {
    code: `coroutine.wrap(function() ${forever("tick()")} end)()`,
    options: { functions: { async tick() {} } },
  },
  "async.all of nothing": { code: forever("async.all()") },
  "async.all": { code: forever("async.all(function() end, function() async.all() end)") },
  "async.all whose functions never end": {
    code: `local function f() ${forever("async.all()")} end async.all(f, f, f)`,
  },
  "async.race": { code: forever("async.race(function() return 1 end, function() async.sleep(1000) end)") },
  "async.sleep": { code: forever("async.sleep(0)") },
  "one long async.sleep": { code: "async.sleep(2147483647)" },
  "a promise that never settles": { code: "tick()", options: { functions: { tick: () => new Promise(() => {}) } } },
  require: { code: forever("require('m') package.loaded.m = nil"), options: { modules: async () => "return 1" } },
  "a module that waits while it loads": {
    code: forever("require('m') package.loaded.m = nil"),
    options: { modules: async () => "async.all() return 1" },
  },
  "io.read": { code: forever("io.read()"), options: { stdin: async () => "a line\n" } },
  "io.lines": { code: forever("for line in io.lines() do end"), options: { stdin: async () => "a line\n" } },
  "a closing method": {
    code: `${closing("async.all() tick()")} error("first")`,
    options: { functions: { async tick() {} } },
  },
  "a closing method of a function that has lost a race": {
    code: `async.race(function() async.all() end, function() ${closing("tick()")} async.sleep(1000) end)`,
    // A signal leaves it the allowance for closing, which is as long.
    options: { functions: { async tick() {} }, timeout: 3000 },
  },
  "a closing method of a coroutine that is closed": {
    code: `local co = coroutine.create(function() ${closing("tick()")} coroutine.yield() end)
      coroutine.resume(co) coroutine.close(co)`,
    options: { functions: { async tick() {} } },
  },
  "many at once": {
    code: `local fs = {} for i = 1, 50 do fs[i] = function() ${forever("tick()")} end end async.all(fs)`,
    options: { functions: { async tick() {} } },
  },
};

/** Ways that wait for a time, or for good. Neither fuel nor the time that a call runs has an end there. */
const IDLE = ["one long async.sleep", "a promise that never settles"];

export const LIMITS: Readonly<Record<string, Limit>> = {
  "a timeout of its own": { call: { timeout: 50 }, reason: "timeout" },
  "the VM's timeout": { options: { timeout: 50 }, reason: "timeout" },
  "fuel of its own": { call: { fuel: 20_000 }, reason: "fuel" },
  "the VM's fuel": { options: { fuel: 20_000 }, reason: "fuel" },
  "a signal": { end: "signal", reason: "interrupt" },
  "lua.interrupt()": { end: "interrupt", reason: "interrupt" },
  "the option interrupted": { end: "interrupted", reason: "interrupt" },
};

/** Runs all cases, and then each way again in a VM that was restored while it waited. */
export async function* outcomes(perilune: Perilune): AsyncGenerator<Outcome> {
  for (const [way, { code, options: wayOptions }] of Object.entries(WAYS)) {
    for (const [limit, { options, call, end, reason }] of Object.entries(LIMITS)) {
      const idle = IDLE.includes(way) && (reason === "fuel" || options !== undefined || end === "interrupted");
      if (idle) continue;
      for (const restored of end === "signal" ? [false] : [false, true]) {
        const name = `${way}, ended by ${limit}${restored ? ", restored" : ""}`;
        let flag = false;
        const all = { ...wayOptions, ...options, ...(end === "interrupted" && { interrupted: () => flag }) };
        const controller = new AbortController();
        const ends = () => {
          flag = true;
          if (end === "interrupt") lua.interrupt();
          controller.abort();
        };
        let lua: Lua = await perilune.Lua.create(all);
        const signal = end === "signal" ? { signal: controller.signal } : {};
        // Promises of the host stay behind in the image.
        const source = restored ? forever(`pcall(function() ${code} end)`) : code;
        let promise: Promise<unknown> = lua.evalAsync(source, { ...call, ...signal });
        if (restored) {
          promise.catch(() => {});
          const image = lua.snapshot();
          await lua.close();
          lua = await perilune.Lua.restore(image, all);
          promise = lua.restored!.tasks[0]!.result;
        }
        let timers = 0;
        const timer = setInterval(() => (timers += 1), 1);
        const hand = end === undefined ? undefined : setTimeout(ends, 20);
        const ended = await promise.then(
          (value) => `a result: ${String(value)}`,
          (error: { reason?: string; kind?: string }) => error.reason ?? error.kind ?? String(error),
        );
        clearInterval(timer);
        clearTimeout(hand);
        flag = false;
        yield { way, name, ended, expected: reason, timers, next: lua.eval("return 1") };
        await lua.close();
      }
    }
  }
}

/** Names what is wrong with outcomes. */
export function problems(outcomes: readonly Outcome[]): string[] {
  const problems: string[] = [];
  const timers = new Map<string, number>();
  for (const outcome of outcomes) {
    const { way, name, ended, expected, next } = outcome;
    if (ended !== expected) problems.push(`${name}: ${ended}`);
    if (next !== 1) problems.push(`${name}: the next call gave ${String(next)}`);
    if (expected === "timeout") timers.set(way, (timers.get(way) ?? 0) + outcome.timers);
  }
  // One case alone may have been over in one turn, when the machine had no time for it.
  for (const [way, count] of timers) if (count === 0) problems.push(`${way}: no timer came`);
  return problems;
}
