/**
 * The parts of an image that are text: what JavaScript knows of a VM and its memory does not say
 * (docs/codec.md, section 6). Types only; meta.ts reads them.
 */

import type { BudgetPart } from "../instance/limits.js";

/** A host function or host object that Lua has. `uses` null: it was registered, under its label. */
export type HostPart = readonly [id: number, kind: "function" | "object", label: string, uses: number | null];

/** Wait of a call, as far as it can go on elsewhere. */
export type PendingWait =
  | { readonly sleep: number }
  /**
   * The place of each function that still runs, and its task; of each that has not begun, and its handle;
   * `first`: the one that has ended it, from 1 on.
   */
  | {
      readonly run: readonly (readonly [place: number, task: number])[];
      readonly start: readonly (readonly [place: number, handle: number])[];
      readonly count: number;
      readonly first?: number | undefined;
    };

/** End of a call that was cancelled. */
export interface EndingPart {
  /** Word of the error that it ends with. */
  readonly reason: "timeout" | "fuel" | "interrupt";
  readonly message: string;
  readonly traceback?: string | undefined;
  /** True if what it waits for belongs to what it closes, and not to what it did before. */
  readonly begun: boolean;
  /** True if the call that ran it goes on. */
  readonly goesOn: boolean;
}

/** A call that waits. */
export interface TaskPart {
  /** Number of the task in the module. */
  readonly task: number;
  /** Name of the host function that returned what it waits for. */
  readonly name: string;
  /** Pending wait of the task; undefined for a promise of the host's, which stays behind. */
  readonly pending?: PendingWait | undefined;
  /** Limits of its call, and what that has used of them. That of the call counts, not of those it runs. */
  readonly budget?: BudgetPart | undefined;
  /** End of the call; undefined when it was not cancelled. */
  readonly ending?: EndingPart | undefined;
}

/** Everything but the memory. */
export interface Meta {
  /** Host functions and host objects that Lua has. */
  readonly host: readonly HostPart[];
  /** Names of the external tables by the numbers that Lua knows, as binary strings; null: dropped. */
  readonly tables: readonly (string | null)[];
  /** Calls that wait. */
  readonly tasks: readonly TaskPart[];
  /** The program's monotonic clock, in milliseconds. */
  readonly clock: number;
  /** State of the generator behind option `seed`. */
  readonly random?: readonly number[] | undefined;
}
