/** Measures how long statements take, and how many events watchers tell. */

/** Milliseconds from which on a statement is slow. */
const SLOW_MS = 100;

/** Measurements of one statement that are kept, of the latest. */
const SAMPLES_MAX = 256;

/** Statements and watchers that are kept apart, of each; of more, the one that came first goes. */
const NAMES_MAX = 1000;

/** Functions that are told of work. */
export interface Tracker {
  /** Takes note of a statement that took `ms` milliseconds. */
  trackQuery(sql: string, ms: number): void;
  /** Takes note of a batch of `count` events of a watcher. */
  trackEventEmission(watcherId: string, count: number): void;
}

/** Figures of a statement, in milliseconds, or of a watcher, in events of a batch. */
export interface Figures {
  readonly count: number;
  /** Value that half of the latest do not exceed, and that 95 of 100 do not. */
  readonly p50: number;
  readonly p95: number;
}

/** Figures of all statements and watchers. */
export interface PerformanceReport {
  readonly queries: { readonly [sql: string]: Figures };
  readonly watchers: { readonly [id: string]: Figures };
}

/** Latest measurements of one thing. */
class Samples {
  count = 0;
  readonly #latest: number[] = [];

  add(value: number): void {
    this.#latest[this.count % SAMPLES_MAX] = value;
    this.count += 1;
  }

  get figures(): Figures {
    const sorted = [...this.#latest].sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
    return { count: this.count, p50: at(0.5), p95: at(0.95) };
  }
}

/**
 * Monitor of a capsule. `trackQuery` and `trackEventEmission` may be replaced by functions of your own; those
 * that were there can be called from them.
 */
export class PerformanceMonitor implements Tracker {
  readonly #queries = new Map<string, Samples>();
  readonly #watchers = new Map<string, Samples>();
  readonly #slow: (sql: string, ms: number, message: string) => void;

  /** `slow` hears of statements that took more than 100 ms. */
  constructor(slow: (sql: string, ms: number, message: string) => void = (_sql, _ms, text) => console.warn(text)) {
    this.#slow = slow;
  }

  /** Takes note of a statement that took `ms` milliseconds. */
  trackQuery = (sql: string, ms: number): void => {
    note(this.#queries, sql, ms);
    if (ms > SLOW_MS) this.#slow(sql, ms, `Slow query: ${sql} (${ms}ms)`);
  };

  /** Takes note of a batch of `count` events of a watcher. */
  trackEventEmission = (watcherId: string, count: number): void => {
    note(this.#watchers, watcherId, count);
  };

  /** Returns count, median and 95th percentile of each statement and each watcher. */
  report(): PerformanceReport {
    const figures = (all: Map<string, Samples>) =>
      Object.fromEntries([...all].map(([name, samples]) => [name, samples.figures]));
    return { queries: figures(this.#queries), watchers: figures(this.#watchers) };
  }
}

function note(all: Map<string, Samples>, name: string, value: number): void {
  let samples = all.get(name);
  if (samples === undefined) {
    all.set(name, (samples = new Samples()));
    if (all.size > NAMES_MAX) all.delete(all.keys().next().value as string);
  }
  samples.add(value);
}
