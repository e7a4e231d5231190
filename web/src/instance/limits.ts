/** Limits of calls, and the budget of a call that waits. */
import { LuaTimeoutError } from "../errors.js";
import type { LimitOptions } from "../options.js";

/** Limits of one call in milliseconds and ticks; `Infinity` for none. */
export interface Limits {
  readonly timeout: number;
  readonly fuel: number;
}

/** Bytes of linear memory, by default. */
export const MEMORY_DEFAULT_BYTES: number = 2 * 1024 * 1024;

/** Milliseconds of a call, by default. */
export const TIMEOUT_MS_DEFAULT = 30_000;

/**
 * Returns the options' limits, and where they name none the usual ones; undefined when they name none at all.
 */
export function limitsOf({ timeout, fuel }: LimitOptions, usual: Limits): Limits | undefined {
  if (timeout === undefined && fuel === undefined) return undefined;
  return { timeout: timeout ?? usual.timeout, fuel: fuel ?? usual.fuel };
}

/**
 * Budget of a call with limits of its own: for each of its runs, and for those of the functions it runs side
 * by side.
 */
export class Budget {
  readonly #given: LimitOptions;
  readonly #end: number;
  #fuelUsed = 0;

  constructor(given: LimitOptions) {
    this.#given = given;
    this.#end = performance.now() + (given.timeout ?? 0);
  }

  /** True if `used` has to be called. */
  get countsFuel(): boolean {
    return this.#given.fuel !== undefined && this.#given.fuel < Infinity;
  }

  /** Returns the limits of the next run. */
  left(): LimitOptions {
    const { timeout, fuel } = this.#given;
    return {
      timeout: timeout && Math.max(0, this.#end - performance.now()),
      fuel: fuel && Math.max(0, fuel - this.#fuelUsed),
    };
  }

  /** Returns the limits of what is closed when it is cancelled where it waits: its time once more. */
  toClose(): LimitOptions {
    return { timeout: this.#given.timeout, fuel: this.left().fuel };
  }

  /** Takes the fuel of a run off the budget. */
  used(fuel: number): void {
    this.#fuelUsed += fuel;
  }

  /** Makes an error that names what was left of the limit name the whole of it. */
  nameWholeLimit(error: unknown): unknown {
    if (!(error instanceof LuaTimeoutError)) return error;
    const { timeout, fuel } = this.#given;
    const whole = error.reason === "fuel" ? fuel : timeout;
    if (whole !== undefined) error.message = error.message.replace(/after [\d.e+-]+ /, `after ${whole} `);
    return error;
  }
}

/** Generator of 32 random bits at each call, the same for the same seed: sfc32, by Chris Doty-Humphrey. */
export class SeededRandom {
  /** Numbers that its state has. */
  static readonly WORDS = 4;
  #state: [a: number, b: number, c: number, counter: number];

  constructor(seed: number | bigint) {
    const bits = BigInt.asUintN(64, BigInt(seed));
    this.#state = [0, Number(bits & 0xffffffffn) | 0, Number(bits >> 32n) | 0, 1];
    for (let i = 0; i < 12; i++) this.next();
  }

  /** Makes a generator that goes on where another was. */
  static from(state: readonly number[]): SeededRandom {
    const made = new SeededRandom(0);
    const [a = 0, b = 0, c = 0, counter = 0] = state;
    made.#state = [a, b, c, counter];
    return made;
  }

  /** State of the generator, for `from`. */
  get state(): readonly number[] {
    return [...this.#state];
  }

  next(): number {
    let [a, b, c, counter] = this.#state;
    const result = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    this.#state = [a, b, c, counter];
    return result >>> 0;
  }
}
