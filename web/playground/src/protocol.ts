/**
 * What the page and the worker say to each other. The worker owns the VM; the page owns the screen.
 *
 * Everything here is plain data: it is copied by `postMessage`.
 */

/** A Lua value, described so that it can be shown: its type is Lua's own, which a JavaScript value cannot tell. */
export type Shown =
  | { type: "nil" }
  | { type: "boolean" | "integer" | "float"; text: string }
  /** `bytes`: its full length; `text` may be cut. */
  | { type: "string"; text: string; bytes: number }
  | { type: "binary"; data: Uint8Array; bytes: number }
  /** `count`: how many entries it has; `entries` may be fewer. */
  | { type: "table"; id: number; count: number; entries: [Shown, Shown][] }
  /** The table with this id, seen before. */
  | { type: "again"; id: number }
  | { type: "external"; name: string }
  | { type: "other"; text: string };

/** An error, as far as the page shows it. */
export interface Failure {
  name: string;
  kind: string;
  /** Of an error of the storage or of an image: why. */
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

/** How the VM is, in numbers. */
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

/** What the page may ask for: arguments and answer. */
export interface Commands {
  open: { args: { storage: string }; reply: Opened };
  run: { args: { source: string }; reply: Ran };
  page: { args: { table: string; offset: number; limit: number; find: string }; reply: Page };
  clear: { args: { table: string }; reply: Overview };
  drop: { args: { table: string }; reply: Overview };
  gc: { args: null; reply: Overview };
  flush: { args: null; reply: null };
}

/** Commands by name: what they are given, and what they answer. */
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

/** What the worker says unasked. */
export type Notice =
  | { event: "output"; parts: OutputPart[] }
  /** So many characters of this run's output were left out. */
  | { event: "output-cut"; characters: number }
  | { event: "change"; tables: readonly string[]; pendingBytes: number }
  | { event: "commit"; entries: number; bytes: number; pendingBytes: number }
  | { event: "storage-error"; message: string };

/** What comes from a worker: an answer, or what it says unasked. */
export type FromWorker<N = Notice> = { id: number; reply: unknown } | { id: number; failure: Failure } | N;
