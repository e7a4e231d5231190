/**
 * Messages between the page and the worker. The worker owns the VM; the page owns the screen.
 *
 * Everything here is plain data: it is copied by `postMessage`.
 */

/**
 * A Lua value, described so that it can be shown: its type is Lua's own, which a JavaScript value cannot
 * tell.
 */
export type Shown =
  | { type: "nil" }
  | { type: "boolean" | "integer" | "float"; text: string }
  /** `bytes`: its full length; `text` may be shortened. */
  | { type: "string"; text: string; bytes: number }
  | { type: "binary"; data: Uint8Array; bytes: number }
  /** `count`: how many entries it has; `entries` may be fewer. */
  | { type: "table"; id: number; count: number; entries: [Shown, Shown][] }
  /** Reference to the table with this id, described before. */
  | { type: "again"; id: number }
  | { type: "external"; name: string }
  | { type: "other"; text: string };

/** An error, as far as the page shows it. */
export interface Failure {
  name: string;
  kind: string;
  /** Code of an error of the storage or of an image. */
  code: string | undefined;
  message: string;
  line: number | undefined;
  traceback: string | undefined;
  /** The error value, unless it is the message. */
  value: Shown | undefined;
}

export interface TableSummary {
  name: string;
  entries: number;
  bytes: number;
}

/** Counters of the VM. */
export interface Overview {
  memory: { used: number; limit: number; peak: number; luaUsed: number };
  tables: TableSummary[];
  storage: { state: string; pendingBytes: number };
}

export interface Opened {
  version: string;
  overview: Overview;
}

export interface Ran {
  results: Shown[];
  failure: Failure | undefined;
  ms: number;
  overview: Overview;
}

export interface Page {
  rows: { key: Shown; value: Shown }[];
  /** Index of the first row among the matching ones. */
  offset: number;
  matching: number;
}

/** Commands of the page: arguments and answer. */
export interface Commands {
  open: { args: { storage: string }; reply: Opened };
  run: { args: { source: string }; reply: Ran };
  page: { args: { table: string; offset: number; limit: number; find: string }; reply: Page };
  clear: { args: { table: string }; reply: Overview };
  drop: { args: { table: string }; reply: Overview };
  gc: { args: null; reply: Overview };
  flush: { args: null; reply: null };
}

/** Commands by name, with arguments and answer. */
export type CommandsOf<C> = { [K in keyof C]: { args: unknown; reply: unknown } };

/** A command on its way to the worker. */
export type RequestOf<C extends CommandsOf<C>> = {
  [K in keyof C]: { id: number; command: K; args: C[K]["args"] };
}[keyof C];

export type Request = RequestOf<Commands>;

export interface OutputPart {
  stream: "stdout" | "stderr";
  text: string;
}

/** Messages of the worker that answer no command. */
export type Notice =
  | { event: "output"; parts: OutputPart[] }
  /** Number of characters of this run's output that were left out. */
  | { event: "output-cut"; characters: number }
  | { event: "change"; tables: readonly string[]; pendingBytes: number }
  | { event: "commit"; entries: number; bytes: number; pendingBytes: number }
  | { event: "storage-error"; message: string };

/** Message of a worker: an answer, or a notice. */
export type FromWorker<N = Notice> = { id: number; reply: unknown } | { id: number; failure: Failure } | N;
