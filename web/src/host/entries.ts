/** Types of the values of JavaScript that Lua has ids for. */
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
  /** Answers for an object whose members are no list. */
  readonly handler: MemberHandler | undefined;
}

/** Members of a host object that somebody else looks up. */
export interface MemberHandler {
  /** Text that `tostring` shows of the object. */
  readonly label: string;
  get(key: unknown): unknown;
  set(key: unknown, value: unknown): void;
}

/** A value that Lua has an id for. */
export interface Entry {
  readonly tag: Tag.hostFunction | Tag.hostObject;
  /** Value that JavaScript gets back. */
  value: unknown;
  /** Name of a function; of an object what `tostring` shows. */
  readonly label: string;
  /** Members of an object that Lua may reach. */
  readonly members: Members | undefined;
  /** Uses that Lua has not given back yet; Infinity for a registered function. */
  uses: number;
  /** Object under which its id is found: the function, or the `HostRef`. */
  key: object;
}

/** Ids of one VM, as the codec uses them. */
export interface HostIds {
  /** Returns the entry of an id; undefined when it has none. */
  entry(id: number): Entry | undefined;
  /** Returns the id of a function, or of an object that may cross, for one more use. */
  use(key: object): number;
  /** Takes uses back that Lua has no more, or never got. */
  release(id: number, uses: number): void;
}
