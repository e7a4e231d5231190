/** Live queries as their users hold them: rows that follow the database by patches. */
import type { Explanation, LiveOptions, LiveQuery, LiveUpdate, Params, Patch, Row } from "./types.js";
import { attempt } from "./emitter.js";
import { checkListener } from "./options.js";

/** Start of a live query in the module. */
export interface LiveStart {
  readonly number: number;
  /** Number of the last change before the rows. */
  readonly seq: number;
  /** True if the rows are proven to be those of `since`. */
  readonly unchanged: boolean;
  readonly rows: Row[];
}

/** Calls that a live query makes. */
export interface LiveCalls {
  close(live: Live): void;
  failed(error: unknown): void;
  move(live: Live, limit: number, offset: number | undefined): Promise<Patch[]>;
  explain(live: Live): Promise<Explanation>;
}

/** A live query. Rows that no patch names stay the objects that they are. */
export class Live implements LiveQuery {
  rows: readonly Row[] = [];
  ready: Promise<readonly Row[]> = Promise.resolve(this.rows);
  readonly sql: string;
  readonly params: Params | undefined;
  /** Options with which it begins, for the first time or anew: the window moves. */
  options: LiveOptions;
  unchanged = false;
  seq = 0;
  /** Number in the module, while it is there. */
  number: number | undefined;
  closed = false;
  #isReady = false;
  readonly #listeners = new Set<{ call: (update: LiveUpdate) => void }>();
  readonly #calls: LiveCalls;

  constructor(sql: string, params: Params | undefined, options: LiveOptions, calls: LiveCalls) {
    this.sql = sql;
    this.params = params;
    this.options = options;
    this.#calls = calls;
  }

  /** Takes the promise of its beginning. */
  follow(begun: Promise<void>): void {
    this.ready = begun.then(() => this.rows);
    // Who does not wait for it hears of its failure as of others that nobody waits for.
    this.ready.catch(() => {});
  }

  /** Takes the rows of a query that has begun, for the first time or anew. */
  begin({ number, rows, seq, unchanged }: LiveStart): void {
    this.number = number;
    // Where nothing has changed meanwhile, nobody has to hear of it.
    if (this.#isReady && unchanged) return;
    this.rows = rows;
    this.seq = seq;
    if (!this.#isReady) this.unchanged = unchanged;
    this.#tell({ rows, patches: [], seq, ...(this.#isReady && { reset: true as const }) });
    this.#isReady = true;
  }

  /** Makes the new rows, and tells them. */
  update(seq: number, patches: readonly Patch[]): void {
    const rows = [...this.rows];
    for (const patch of patches) {
      switch (patch.op) {
        case "insert":
          rows.splice(patch.at, 0, patch.row);
          break;
        case "update":
          rows[patch.at] = patch.row;
          break;
        case "delete":
          rows.splice(patch.at, 1);
          break;
        case "move":
          rows.splice(patch.at, 0, ...rows.splice(patch.from, 1));
      }
    }
    this.rows = rows;
    this.seq = seq;
    this.#tell({ rows, patches, seq });
  }

  subscribe(call: (update: LiveUpdate) => void): () => void {
    checkListener("subscribe", call);
    const entry = { call };
    this.#listeners.add(entry);
    if (this.#isReady && !this.closed) this.#tell({ rows: this.rows, patches: [], seq: this.seq }, [entry]);
    return () => void this.#listeners.delete(entry);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#listeners.clear();
    this.#calls.close(this);
  }

  async move(limit: number, offset?: number): Promise<void> {
    const patches = await this.#calls.move(this, limit, offset);
    this.options = { ...this.options, limit, offset };
    if (patches.length > 0) this.update(this.seq, patches);
  }

  explain(): Promise<Explanation> {
    return this.#calls.explain(this);
  }

  #tell(update: LiveUpdate, to: Iterable<{ call: (update: LiveUpdate) => void }> = [...this.#listeners]): void {
    for (const { call } of to) attempt(() => call(update), this.#calls.failed);
  }
}
