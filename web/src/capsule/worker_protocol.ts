/**
 * Messages between a page and its worker. Each call is one message with a number, and has one answer; answers
 * and what happens beside them come in their order.
 */
import type { Opened } from "./driver.js";
import type { CoreSettings } from "./core.js";
import type { RequestName } from "./tabs/protocol.js";
import type { ErrorData, MessageData } from "./tabs/wire.js";

/** Settings that a worker needs: data. */
export interface WorkerSettings extends Omit<CoreSettings, "stdout"> {
  readonly transactionTimeout: number;
  /** Address of a module of functions. */
  readonly functions: string | undefined;
  /** Module of the capsule; the one beside the worker by default. */
  readonly wasm: string | Uint8Array | WebAssembly.Module | undefined;
  /** True if the page wants to hear of every change. */
  readonly log: boolean;
}

/** Message of the page. */
export type ToWorker =
  | { readonly t: "open"; readonly member: string; readonly settings: WorkerSettings }
  | { readonly t: "request"; readonly id: number; readonly name: RequestName; readonly args: readonly unknown[] }
  | { readonly t: "returned"; readonly call: number; readonly value: unknown }
  | { readonly t: "threw"; readonly call: number; readonly error: ErrorData }
  | { readonly t: "close" };

/** Message of the worker. */
export type FromWorker =
  /** Word that it hears what it is told from now on. */
  | { readonly t: "ready" }
  /** Word of a database with nothing attached to it: for the first time, or anew. */
  | { readonly t: "attached"; readonly opened: Opened; readonly isLeader: boolean }
  | { readonly t: "answer"; readonly id: number; readonly value: unknown }
  | { readonly t: "failed"; readonly id: number; readonly error: ErrorData }
  | { readonly t: "message"; readonly message: MessageData }
  | { readonly t: "warning"; readonly text: string }
  | { readonly t: "print"; readonly text: string }
  | { readonly t: "call"; readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly t: "ended"; readonly error: ErrorData }
  | { readonly t: "closed"; readonly error: ErrorData | undefined };
