/** Live queries as their users hold them: rows that follow the database by patches. */
import type { Params, Patch, Row, LiveQuery, LiveUpdate } from "./types.js";
import { attempt } from "./emitter.js";
import { checkListener } from "./options.js";

/** A live query. Rows that no patch names stay the objects that they are. */
export class Live implements LiveQuery {
  rows: readonly Row[] = [];
  ready: Promise<readonly Row[]> = Promise.resolve(this.rows);
  readonly sql: string;
  readonly params: Params | undefined;
  /** Number in the module, while it is there. */
  number: number | undefined;
  closed = false;
  #isReady = false;
  #seq = 0;
  readonly #listeners = new Set<{ call: (update: LiveUpdate) => void }>();
  readonly #failed: (error: unknown) => void;
  readonly #close: (live: Live) => void;

  constructor(sql: string, params: Params | undefined, close: (live: Live) => void, failed: (error: unknown) => void) {
    this.sql = sql;
    this.params = params;
    this.#failed = failed;
    this.#close = close;
  }

  /** Takes the promise of its beginning. */
  follow(begun: Promise<void>): void {
    this.ready = begun.then(() => this.rows);
    // Who does not wait for it hears of its failure as of others that nobody waits for.
    this.ready.catch(() => {});
  }

  /** Takes the rows of a query that has begun, for the first time or anew. */
  begin(number: number, rows: Row[]): void {
    this.number = number;
    this.rows = rows;
    this.#tell({ rows, patches: [], seq: this.#seq, ...(this.#isReady && { reset: true as const }) });
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
    this.#seq = seq;
    this.#tell({ rows, patches, seq });
  }

  subscribe(call: (update: LiveUpdate) => void): () => void {
    checkListener("subscribe", call);
    const entry = { call };
    this.#listeners.add(entry);
    if (this.#isReady && !this.closed) this.#tell({ rows: this.rows, patches: [], seq: this.#seq }, [entry]);
    return () => void this.#listeners.delete(entry);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#listeners.clear();
    this.#close(this);
  }

  #tell(update: LiveUpdate, to: Iterable<{ call: (update: LiveUpdate) => void }> = [...this.#listeners]): void {
    for (const { call } of to) attempt(() => call(update), this.#failed);
  }
}
