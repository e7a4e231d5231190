/**
 * Messages between a member (the worker of a tab) and the leader (the one of them that owns the files).
 *
 * Messages of one sender arrive in their order. Any of them may be lost: with the tab that it is for, or with
 * the one that has sent it.
 */
import type { CallName, Opened } from "../driver.js";
import type { Care } from "./care.js";
import type { ErrorData, MessageData } from "./wire.js";

/** Names of what a member asks for: calls of the core, and what is done with it. */
export type RequestName = CallName | "register" | "reopen";

/** A request. */
export interface Request {
  readonly t: "request";
  /** Name of the request, its member's own. */
  readonly id: number;
  /** Number under which its answer is kept: one that is sent later has a larger one. */
  readonly number: number | undefined;
  readonly name: RequestName;
  readonly args: readonly unknown[];
  readonly care: Care;
  /** Time at which it was sent. */
  readonly sent: number;
  /** True if an earlier leader may have done it. */
  readonly again: boolean;
  /** Request that began the transaction that it is a part of. */
  readonly transaction?: number | undefined;
  /** Milliseconds for which the transaction that it begins may be open. */
  readonly timeout?: number | undefined;
  /** Last transaction whose events the member has heard of this watcher, in a `subscribe`. */
  readonly since?: number | undefined;
}

/** Word of a member that it is there. */
export interface Hello {
  readonly t: "hello";
  /** True if it wants to hear of every change. */
  readonly log: boolean;
  /** Number of it: one that is said later has a larger one. */
  readonly number: number;
  /** Names of the functions that its page has given to Lua. */
  readonly functions: readonly string[];
  /** True if everything of its page was attached once: what it sends may go by the hooks of mods. */
  readonly isAttached: boolean;
}

/** Message of a member. */
export type ToLeader =
  | Hello
  | Request
  | { readonly t: "cancel"; readonly id: number }
  /** End of a transaction that will not go on. */
  | { readonly t: "abandon"; readonly transaction: number }
  | { readonly t: "returned"; readonly call: number; readonly value: unknown }
  | { readonly t: "threw"; readonly call: number; readonly error: ErrorData }
  | { readonly t: "ping" };

/** Message of the leader to one member. */
export type FromLeader =
  /** Answer to the hello of that number. */
  | { readonly t: "welcome"; readonly opened: Opened; readonly number: number }
  /** Sign that it is there. */
  | { readonly t: "alive" }
  /** The request came too late: if it is still wanted, it has to be sent again. */
  | { readonly t: "late"; readonly id: number }
  | { readonly t: "answer"; readonly id: number; readonly value: unknown }
  | { readonly t: "failed"; readonly id: number; readonly error: ErrorData }
  | { readonly t: "message"; readonly message: MessageData }
  | { readonly t: "warning"; readonly text: string }
  | { readonly t: "print"; readonly text: string }
  | { readonly t: "call"; readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  /** Word of another database in its place: nothing is attached to it. */
  | { readonly t: "reopened"; readonly opened: Opened };

/**
 * A message on its way. To a leader it is for that one alone, by its name, or for whoever leads: a request
 * that was sent to one leader is none to the next.
 */
export type Envelope =
  | { readonly from: string; readonly for: "leader"; readonly to: string | undefined; readonly body: ToLeader }
  | { readonly from: string; readonly for: "member"; readonly to: string; readonly body: FromLeader }
  /** The sender leads from now on. */
  | { readonly from: string; readonly for: "all" };

/** Result of `subscribe`: the id, and the last transaction that there was then. */
export interface Subscribed {
  readonly id: string;
  readonly transaction: number;
}

/** Milliseconds after which a request that arrives is too old to be done. Below the patience of members. */
export const LATE_MS = 4000;

/** Milliseconds between two looks whether the leader is there. */
export const LOOK_MS = 1000;

/** Looks without a sign of the leader, after which calls fail with `locked`. */
export const PATIENCE = 5;

/** Timers, as tests replace them. */
export interface Timers {
  set(work: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

/** Says which state a call leaves a transaction in, if it succeeds with `result`. */
export function effectOf(name: RequestName, args: readonly unknown[], result: unknown): "opens" | "ends" | undefined {
  switch (name) {
    case "begin":
      return result === 1 ? "opens" : undefined;
    case "beginPreview":
      return "opens";
    case "beginUpgrade":
      return typeof result === "object" && result !== null && "versions" in result ? "opens" : undefined;
    case "commit":
      return args[0] === 1 ? "ends" : undefined;
    case "rollBack":
      return args[0] === 0 ? "ends" : undefined;
    case "endPreview":
    case "endUpgrade":
    case "cancelUpgrade":
      return "ends";
    default:
      return undefined;
  }
}

/** True for a call that takes a transaction back. */
export function takesBack(name: RequestName, args: readonly unknown[]): boolean {
  return name === "cancelUpgrade" || (name === "rollBack" && args[0] === 0);
}
