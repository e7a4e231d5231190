/**
 * Drivers of a capsule: what carries the calls of a `GlyphCase` to its core. In this thread it is a function
 * call (local_driver.ts); a worker, or the tab that owns the files, is told by a message.
 *
 * What crosses is data, but for functions that are given to Lua.
 */
import type { HostFunction } from "../host/entries.js";
import type { Core } from "./core.js";
import type { Message } from "./messages.js";
import type { OpenFiles } from "./places.js";

/** Calls of a core that a driver carries. */
type Calls = Omit<
  Core,
  | "close"
  | "register"
  | "isIdle"
  | "device"
  | "eval"
  | "call"
  | "callMod"
  | "findRequest"
  | "keepRequest"
  | "keepClients"
>;

/** Name of a call. */
export type CallName = keyof Calls;

/** Arguments of a call. */
export type CallArguments<N extends CallName> = Parameters<Calls[N]>;

/** Result of a call. */
export type CallResult<N extends CallName> = Awaited<ReturnType<Calls[N]>>;

/** Facts of a capsule that is open. */
export interface Opened {
  readonly kind: OpenFiles["kind"];
  /** Name of the device, which the names of its transactions begin with. */
  readonly device: string;
  /** Loss against what was asked for, in words. */
  readonly warning?: string | undefined;
}

/** Listener of a driver. Must not throw. */
export interface DriverListener {
  message(message: Message): void;
  /**
   * Hears of another core in the place of the one that was opened, with nothing attached to it: another tab
   * owns the files now, or another database was imported.
   */
  replaced?(opened: Opened): void;
  /** Hears whether this tab owns the files. */
  leader?(isLeader: boolean): void;
  warning?(text: string): void;
  /** Hears that it has ended by itself: every call fails with this error. */
  ended?(error: Error): void;
}

/** A driver. Calls reach the core in the order in which they are made. */
export interface Driver {
  /**
   * Opens the capsule, in which nothing runs yet; with the `contents` of a database in place of its own.
   */
  open(listener: DriverListener, contents?: Uint8Array): Promise<Opened>;
  /** Makes a call. */
  call<N extends CallName>(name: N, ...args: CallArguments<N>): Promise<CallResult<N>>;
  /** Gives a function to Lua, under a name that stays. */
  register(name: string, fn: HostFunction): Promise<void>;
  /** Attaches what is the driver's own to a core that is new. */
  attach?(): Promise<void>;
  /**
   * Puts another database in the place of this one, which others share; the listener is told that it was
   * replaced. Without this it is closed, and opened with the contents.
   */
  reopen?(contents: Uint8Array): Promise<void>;
  /** Closes the capsule; it can be opened again. */
  close(): Promise<void>;
}
