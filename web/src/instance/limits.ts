/** Limits of calls, and the budget of a call that waits. */
import { clock } from "#js/clock.js";
import type { LimitOptions, LuaOptions } from "../options.js";

/** Limits of one call in milliseconds and ticks; `Infinity` for none. */
export interface Limits {
  readonly timeout: number;
  readonly fuel: number;
}

/** Bytes of linear memory, by default. */
export const MEMORY_DEFAULT_BYTES: number = 2 * 1024 * 1024;

/** Bytes that `memoryLimit: "large"` stands for: room for compilers and for JSON texts of 2 MB. */
const MEMORY_LARGE_BYTES: number = 16 * 1024 * 1024;

/** Returns the bytes that the option `memoryLimit` stands for; undefined when it is not given. */
export function memoryBytesOf(limit: LuaOptions["memoryLimit"]): number | undefined {
  return limit === "large" ? MEMORY_LARGE_BYTES : limit;
}

/** Milliseconds of a call, by default. */
export const TIMEOUT_MS_DEFAULT = 30_000;

/**
 * Returns the options' limits, and where they name none the usual ones; undefined when they name none at all.
 */
export function limitsOf({ timeout, fuel }: LimitOptions, usual: Limits): RunLimits | undefined {
  if (timeout === undefined && fuel === undefined) return undefined;
  const whole = { timeout: timeout ?? usual.timeout, fuel: fuel ?? usual.fuel };
  return { ...whole, whole };
}

/** Limits of one run, and the whole ones that it is a part of, which messages name. */
export interface RunLimits extends Limits {
  readonly whole: Limits;
}

/** Time and fuel that runs draw on. */
export interface Allowance {
  /** True if `used` has to be told the fuel of each run. */
  readonly countsFuel: boolean;
  /** Returns the limits of the run that begins now; undefined for those of the VM. */
  left(): RunLimits | undefined;
  /** Notes the end of a run, and the fuel that it took. */
  used(fuel: number): void;
  /** Milliseconds after which a wait is to end; undefined when waiting has no limit here. */
  readonly waitMs: number | undefined;
  /** Notes that a wait that counts begins, or ends. */
  waits?(begins: boolean): void;
}

/**
 * Use that a call has made of its limits, for an image. Absent limits are those of the VM; null is no limit.
 */
export interface BudgetPart {
  readonly timeout?: number | null | undefined;
  readonly fuel?: number | null | undefined;
  readonly usedMs: number;
  readonly usedFuel: number;
  /** Milliseconds and fuel that closing has used. */
  readonly closing?: readonly number[] | undefined;
}

/** Milliseconds from which on a wait is one, and not a part of a busy loop. */
const WAIT_MS = 4;
/**
 * Part of the VM's own limit that may be used before runs get limits of their own, which take time to set.
 */
const UNSET_PART = 1 / 64;

/**
 * Budget of one call: for all of its runs between waits, and for those of the functions that it runs side by
 * side.
 *
 * A `timeout` of the call's own counts from its start, waiting included. The VM's, which has to do for
 * programs that wait for days, counts the time that the call runs; a wait of less than 4 ms is running, too.
 */
export class Budget implements Allowance {
  /** Whole limits. */
  readonly limits: Limits;
  countsFuel: boolean;
  /** Fuel that it has used, if it counts that. */
  usedFuel: number;
  /**
   * Allowance for what is closed when the call is ended: as much time as it had, once more, for all of it.
   */
  readonly closing: Closing;
  readonly #own: LimitOptions;
  #usedMs: number;
  /** Time up to which is counted. */
  #countedMs: number;

  /** Makes the budget of a call with these options; `used`: what it had used when an image was made. */
  constructor({ timeout, fuel }: LimitOptions, usual: Limits, used?: BudgetPart) {
    this.#own = { timeout, fuel };
    this.limits = { timeout: timeout ?? usual.timeout, fuel: fuel ?? usual.fuel };
    this.countsFuel = this.limits.fuel < Infinity;
    this.closing = new Closing(this.limits, undefined, used?.closing);
    this.#usedMs = used?.usedMs ?? 0;
    this.usedFuel = used?.usedFuel ?? 0;
    this.#countedMs = clock.now();
  }

  /** Restores the budget of a call that waited when an image was made. */
  static restore(part: BudgetPart | undefined, usual: Limits): Budget {
    const limit = (given: number | null | undefined) => (given === null ? Infinity : given);
    return new Budget({ timeout: limit(part?.timeout), fuel: limit(part?.fuel) }, usual, part);
  }

  /** Captures it for an image. */
  capture(): BudgetPart {
    this.#count();
    const limit = (own: number | undefined) => (own === Infinity ? null : own);
    const { timeout, fuel } = this.#own;
    const used = { usedMs: this.#usedMs, usedFuel: this.usedFuel, closing: this.closing.capture() };
    return { timeout: limit(timeout), fuel: limit(fuel), ...used };
  }

  /** True if its time is over. */
  get isLate(): boolean {
    this.#count();
    return this.#usedMs >= this.limits.timeout;
  }

  /** Milliseconds after which it ends where it waits; undefined when waiting has no limit. */
  get waitMs(): number | undefined {
    const { timeout } = this.#own;
    return timeout === undefined || timeout === Infinity ? undefined : Math.max(0, timeout - this.#usedMs);
  }

  left(): RunLimits | undefined {
    this.#count();
    const { timeout, fuel } = this.limits;
    const { timeout: ownTimeout, fuel: ownFuel } = this.#own;
    const isUsual = ownTimeout === undefined && ownFuel === undefined && this.usedFuel === 0;
    if (isUsual && this.#usedMs <= timeout * UNSET_PART) return undefined;
    const left = { timeout: Math.max(0, timeout - this.#usedMs), fuel: Math.max(0, fuel - this.usedFuel) };
    return { ...left, whole: this.limits };
  }

  used(fuel: number): void {
    const now = clock.now();
    this.#usedMs += now - this.#countedMs;
    this.#countedMs = now;
    this.usedFuel += fuel;
  }

  /** Counts the wait up to now. */
  #count(): void {
    const now = clock.now();
    const waited = now - this.#countedMs;
    if (this.#own.timeout !== undefined || waited < WAIT_MS) this.#usedMs += waited;
    this.#countedMs = now;
  }
}

/**
 * Allowance for closing what calls that are ended have open (`<close>`): as much as these limits, for all of
 * it together, waiting included.
 */
export class Closing implements Allowance {
  readonly #whole: Limits;
  /** Allowance that it is a part of. */
  readonly #outer: Closing | undefined;
  #usedMs: number;
  #usedFuel: number;
  /** Runs and waits under way, which count as one. */
  #active = 0;
  /** Time up to which is counted. */
  #countedMs = 0;

  constructor(limits: Limits, outer?: Closing, [usedMs = 0, usedFuel = 0]: readonly number[] = []) {
    this.#whole = limits;
    this.#outer = outer;
    this.#usedMs = usedMs;
    this.#usedFuel = usedFuel;
  }

  /** Captures what it has used, for an image; undefined when that is nothing. */
  capture(): readonly number[] | undefined {
    this.#count();
    return this.#usedMs + this.#usedFuel > 0 ? [this.#usedMs, this.#usedFuel] : undefined;
  }

  get countsFuel(): boolean {
    return this.#whole.fuel < Infinity || (this.#outer?.countsFuel ?? false);
  }

  get waitMs(): number | undefined {
    const { timeout } = this.#left();
    return timeout === Infinity ? undefined : timeout;
  }

  waits(begins: boolean): void {
    this.#count();
    this.#active += begins ? 1 : -1;
    this.#outer?.waits(begins);
  }

  left(): RunLimits {
    this.waits(true);
    return this.#left();
  }

  used(fuel: number): void {
    this.#usedFuel += fuel;
    if (this.#outer !== undefined) this.#outer.#usedFuel += fuel;
    this.waits(false);
  }

  #left(): RunLimits {
    this.#count();
    const outer = this.#outer && this.#outer.#left();
    return {
      timeout: Math.min(Math.max(0, this.#whole.timeout - this.#usedMs), outer?.timeout ?? Infinity),
      fuel: Math.min(Math.max(0, this.#whole.fuel - this.#usedFuel), outer?.fuel ?? Infinity),
      whole: this.#whole,
    };
  }

  #count(): void {
    const now = clock.now();
    if (this.#active > 0) this.#usedMs += now - this.#countedMs;
    this.#countedMs = now;
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
