/**
 * Host objects: JavaScript objects as userdata of Lua, with the members that were listed, and no other.
 *
 * Invariant: what Lua reaches is what a list names. Nothing here follows a name that is not in one, and no
 * list can have those that lead from an object to its prototype.
 */
import type { Entry, HostFunction, MemberHandler, Members } from "./entries.js";
import { isError } from "../brands.js";
import { className, wellFormed } from "../names.js";
import { refuse } from "../value_path.js";
import { readOptions, type Rule, type Rules } from "../option_rules.js";

/** Members of an object that Lua may use: properties to read and to set, and methods. */
export interface RefMembers {
  read?: readonly string[] | undefined;
  write?: readonly string[] | undefined;
  methods?: readonly string[] | undefined;
}

/**
 * An object on its way to Lua, made by `lua.ref`. It shows nothing to JavaScript; Lua gives back the object.
 */
export class HostRef {
  /** Brand for the compiler: no other object will do. */
  declare protected readonly brand: unknown;
}

/** Stand-in for an object of JavaScript that a VM had when its image was made, and that is not here. */
export class LuaDetachedObject {
  /** Text that `tostring` shows of it in Lua. */
  readonly label: string;

  /** @internal */
  constructor(label: string) {
    this.label = label;
  }
}

interface State {
  /** Host table of the VM that it was made for; undefined for any. */
  readonly owner: object | undefined;
  readonly value: unknown;
  readonly label: string;
  readonly members: Members | undefined;
}

const states = new WeakMap<object, State>();

/** Names of members that lead from an object to its class. */
const NEVER = ["constructor", "prototype", "__proto__"];

const ERROR_MEMBERS = membersOf(["name", "message", "code"], [], [], false);

/** Makes a reference to an object: `lua.ref`. */
export function makeRef(owner: object, value: object, members?: readonly string[] | RefMembers): HostRef {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) {
    throw new TypeError(`ref takes an object, not a ${className(value)}`);
  }
  return ref({ owner, value, label: `[object ${className(value)}]`, members: parseMembers(members) });
}

/** Makes a reference to an object, for any VM, with members that `handler` looks up. */
export function makeHandledRef(value: object, handler: MemberHandler): HostRef {
  return ref({ owner: undefined, value, label: handler.label, members: { ...membersOf([], [], [], true), handler } });
}

/** Returns value, label and members of an object that may cross: one in a `HostRef`, or an error. */
export function hostObject(key: object, owner: object): Omit<State, "owner"> {
  const state = states.get(key) ?? { owner, value: key, label: errorLabel(key), members: ERROR_MEMBERS };
  if (state.owner !== undefined && state.owner !== owner) {
    refuse("the object was made for another Lua");
  }
  return { value: state.value, label: state.label, members: state.members };
}

/** Turns anything that was thrown into an object that can be given to Lua. */
export function thrown(value: unknown): object {
  try {
    if (isError(value)) return value;
  } catch {
    // A proxy that does not want to be looked at.
  }
  return ref({ owner: undefined, value, label: errorLabel(value), members: undefined });
}

/** Reads a member, for Lua. */
export function readMember(entry: Entry, key: unknown): unknown {
  const { value, label, members } = entry;
  if (members?.handler !== undefined) return members.handler.get(key);
  if (members !== undefined && typeof key === "string") {
    if (members.methods.has(key)) return bind(entry, members, key);
    if (members.read.has(key)) {
      const found = (value as Record<string, unknown>)[key];
      if (members.callable === undefined) return found;
      if (members.callable) return typeof found === "function" ? bind(entry, members, key) : found;
      return ["string", "number", "boolean"].includes(typeof found) ? found : undefined;
    }
  }
  throw new TypeError(`Lua was not given the member ${named(key)} of ${label}`);
}

/** Sets a member, for Lua. */
export function writeMember({ value: object, label, members }: Entry, key: unknown, value: unknown): void {
  if (members?.handler !== undefined) return members.handler.set(key, value);
  if (typeof key !== "string" || !members?.write.has(key)) {
    throw new TypeError(`Lua must not set the member ${named(key)} of ${label}`);
  }
  (object as Record<string, unknown>)[key] = value;
}

function bind({ value: object, key: self, label }: Entry, members: Members, name: string): HostFunction {
  let method = members.bound.get(name);
  if (method === undefined) {
    method = (given: unknown, ...args: unknown[]) => {
      if (given !== object) throw new TypeError(`'${name}' is a method of ${label}: call it with a colon`);
      const result: unknown = (object as Record<string, HostFunction>)[name]?.(...args);
      // What goes on by returning itself goes back as it came.
      return result === object ? self : result;
    };
    Object.defineProperty(method, "name", { value: name });
    members.bound.set(name, method);
  }
  return method;
}

function ref(state: State): HostRef {
  const made = new HostRef();
  states.set(made, state);
  return made;
}

const isList: Rule = (value, wrong) => (Array.isArray(value) ? namesIn(value) : wrong("must be a list of names"));

const MEMBERS: Rules = { read: isList, write: isList, methods: isList };

function parseMembers(given: readonly string[] | RefMembers | undefined): Members | undefined {
  if (given === undefined) return undefined;
  if (Array.isArray(given)) return membersOf(namesIn(given), [], [], true);
  const { read = [], write = [], methods = [] } = readOptions<RefMembers>("ref", MEMBERS, given);
  return membersOf(read, write, methods, undefined);
}

/** Copies a list of names, and checks the copy: what is checked is what counts. */
function namesIn(list: readonly unknown[]): string[] {
  const names = [...list];
  for (const name of names) {
    if (typeof name !== "string") throw new TypeError(`ref: a member is a name, not a ${className(name)}`);
    if (NEVER.includes(name)) throw new TypeError(`ref: "${name}" leads to the class of the object`);
  }
  return names as string[];
}

function membersOf(
  read: readonly string[],
  write: readonly string[],
  methods: readonly string[],
  callable: boolean | undefined,
): Members {
  return {
    read: new Set(read),
    write: new Set(write),
    methods: new Set(methods),
    callable,
    bound: new Map(),
    handler: undefined,
  };
}

/** Returns the message of anything that was thrown. Must not fail, whatever it is. */
function errorLabel(error: unknown): string {
  try {
    const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown };
    if (typeof message !== "string") return wellFormed(String(error));
    return wellFormed(typeof name === "string" && name !== "" && name !== "Error" ? `${name}: ${message}` : message);
  } catch {
    return "an error that cannot be shown";
  }
}

function named(key: unknown): string {
  return typeof key === "string" ? `'${key}'` : `(a ${className(key)})`;
}
