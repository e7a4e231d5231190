/** What is known of a value of JavaScript that Lua has an id for. Types only. */
import type { Tag } from "../codec/tags.js";

/** A JavaScript function, as Lua calls it. */
export type HostFunction = (...args: any[]) => unknown;

/** Members of a host object, as they are looked up. */
export interface Members {
  readonly read: ReadonlySet<string>;
  readonly write: ReadonlySet<string>;
  readonly methods: ReadonlySet<string>;
  /** Functions that are read are methods (true), or nothing but text, numbers and booleans can be (false). */
  readonly callable: boolean | undefined;
  /** Methods as Lua got them: one function each. */
  readonly bound: Map<string, HostFunction>;
}

/** A value that Lua has an id for. */
export interface Entry {
  readonly tag: Tag.hostFunction | Tag.hostObject;
  /** What JavaScript gets back. */
  value: unknown;
  /** A function's name; what `tostring` shows of an object. */
  readonly label: string;
  /** What Lua may reach of an object. */
  readonly members: Members | undefined;
  /** Not given back yet. Infinity: registered. */
  uses: number;
  /** What it was given as. */
  key: object;
}

/** The ids of one VM, as the codec uses them. */
export interface HostIds {
  /** The value behind an id; undefined when it has none. */
  entry(id: number): Entry | undefined;
  /** The id of a function, or of an object that may cross, for one more use. */
  use(key: object): number;
  /** Takes uses back that Lua has no more, or never got. */
  release(id: number, uses: number): void;
}
