/** What the page and the worker of the living program say to each other. Plain data, copied by `postMessage`. */
import type { Failure, OutputPart, Shown } from "../protocol.ts";

/** A picture as the program has drawn it: its own count, and numbers that say what to draw (painter.ts). */
export interface Frame {
  tick: number;
  numbers: Float32Array<ArrayBuffer>;
}

/** The whole VM at one moment. */
export interface Moment extends Frame {
  image: Uint8Array<ArrayBuffer>;
  /** How long it took to make the image. */
  ms: number;
}

/** A VM that is there. */
export interface Awake {
  /** It has begun anew: there was nothing to go on with. */
  fresh: boolean;
  /** Calls that waited, and go on. */
  tasks: number;
  /** Host functions that it knows and this page does not have. */
  missing: string[];
}

/** What came of code that was run in the VM. */
export interface Evaluated {
  value: Shown | undefined;
  failure: Failure | undefined;
  /** It still waits, and goes on with the VM, wherever that goes on. */
  waits: boolean;
}

export interface LivingCommands {
  /** Wakes up the program, or begins it. `kept`: in storage. */
  open: { args: { kept: boolean; asleep: boolean }; reply: Awake };
  /** The program goes on from this image; what was until now is gone. `look`: there is no picture of it yet. */
  travel: { args: { image: Uint8Array<ArrayBuffer>; look: boolean }; reply: Awake };
  /** The program from its first line. */
  anew: { args: null; reply: Awake };
  /** Makes an image and closes the VM: there are only bytes then. */
  sleep: { args: null; reply: null };
  wake: { args: null; reply: null };
  /** A moment of now. */
  take: { args: null; reply: Moment };
  eval: { args: { source: string }; reply: Evaluated };
  /** Calls a global function of the program. */
  feed: { args: { x: number; y: number } | null; reply: null };
  flush: { args: null; reply: null };
}

/** What the worker says unasked. */
export type LivingNotice =
  | ({ event: "frame" } & Frame)
  | { event: "moment"; moment: Moment }
  | { event: "output"; parts: OutputPart[] }
  /** A call that the program lives by has failed. */
  | { event: "ended"; failure: Failure };
