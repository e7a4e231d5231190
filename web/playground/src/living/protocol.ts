/** Messages between the page and the worker of the living program: plain data, copied by `postMessage`. */
import type { Failure, OutputPart, Shown } from "../protocol.ts";

/** Picture as the program has drawn it: its own count, and numbers that say what to draw (painter.ts). */
export interface Frame {
  tick: number;
  numbers: Float32Array<ArrayBuffer>;
}

/** Image of the whole VM at one moment, with its picture. */
export interface Moment extends Frame {
  image: Uint8Array<ArrayBuffer>;
  /** Time that capturing the image took, in milliseconds. */
  ms: number;
}

/** Description of a VM that was opened or restored. */
export interface Running {
  /** True if it has begun anew: nothing was stored. */
  fresh: boolean;
  /** Number of calls that waited, and go on. */
  tasks: number;
  /** Names of host functions that it knows and this page does not have. */
  missing: string[];
}

/** Outcome of code that was run in the VM. */
export interface Evaluated {
  value: Shown | undefined;
  failure: Failure | undefined;
  /** True if it still waits: it goes on with the VM, wherever that is restored. */
  waits: boolean;
}

export interface LivingCommands {
  /** Restores the program, or begins it. `kept`: in storage. */
  open: { args: { kept: boolean; paused: boolean }; reply: Running };
  /**
   * Restores the program from this image, in place of the one that is open. `look`: there is no picture of it
   * yet.
   */
  travel: { args: { image: Uint8Array<ArrayBuffer>; look: boolean }; reply: Running };
  /** Starts the program from its first line. */
  anew: { args: null; reply: Running };
  /** Captures an image and closes the VM. */
  pause: { args: null; reply: null };
  play: { args: null; reply: null };
  /** Captures the program as it is now. */
  capture: { args: null; reply: Moment };
  eval: { args: { source: string }; reply: Evaluated };
  /** Calls a global function of the program. */
  feed: { args: { x: number; y: number } | null; reply: null };
  flush: { args: null; reply: null };
}

/** Messages of the worker that answer no command. */
export type LivingNotice =
  | ({ event: "frame" } & Frame)
  | { event: "moment"; moment: Moment }
  | { event: "output"; parts: OutputPart[] }
  /** Error of a call that the program consists of. */
  | { event: "ended"; failure: Failure };
