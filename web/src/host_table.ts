/**
 * What JavaScript has given to Lua and Lua still holds: functions and objects, by id (docs/codec.md section 1).
 *
 * Invariants:
 * - One value has one id while Lua holds it. Each writing of the id is a use; when Lua has given all uses back, the
 *   entry goes and the id is free. Ids of registered functions stay.
 * - Lua knows numbers only: what may be done with the value behind one is in its entry, here.
 */
import { LuaFunction } from "./handles.js";
import { className, wellFormed } from "./names.js";
import { hostObject, type Members } from "./refs.js";
import { HOST_ID_FIRST, Tag } from "./tags.js";

/** A JavaScript function, as Lua calls it. */
export type HostFunction = (...args: any[]) => unknown;

/** Something that Lua has an id for. */
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

/** The ids of one VM. */
export class HostTable {
  /** By id; the first places stay empty. */
  readonly #entries: (Entry | undefined)[] = new Array(HOST_ID_FIRST);
  readonly #free: number[] = [];
  readonly #ids = new Map<object, number>();
  readonly #names = new Map<string, number>();

  /** What is behind an id. */
  entry(id: number): Entry | undefined {
    return this.#entries[id];
  }

  /** The id of a function, or of an object that `hostObject` knows, for one more use. */
  use(key: object): number {
    let id = this.#ids.get(key);
    if (id === undefined) id = this.#add(key, typeof key === "function" ? functionEntry(key) : this.#object(key));
    (this.#entries[id] as Entry).uses += 1;
    return id;
  }

  /** Uses that Lua has no more, or never got. */
  release(id: number, uses: number): void {
    const entry = this.#entries[id];
    if (entry !== undefined && (entry.uses -= uses) <= 0) this.#remove(id, entry);
  }

  /** Makes `fn` the function of this name, for good. `tell` tells Lua; when it throws, everything is as before. */
  register(name: string, fn: HostFunction, tell: (id: number) => void): void {
    const known = this.#names.get(name);
    if (known !== undefined) {
      tell(known);
      const entry = this.#entries[known] as Entry;
      if (this.#ids.get(entry.key) === known) this.#ids.delete(entry.key);
      entry.key = entry.value = fn;
      this.#ids.set(fn, known);
      return;
    }
    const id = this.#add(fn, { ...functionEntry(fn), label: name, uses: Infinity });
    try {
      tell(id);
    } catch (error) {
      this.#remove(id, this.#entries[id] as Entry);
      throw error;
    }
    this.#names.set(name, id);
  }

  /** Lets everything go. */
  clear(): void {
    this.#entries.length = 0;
    this.#ids.clear();
    this.#names.clear();
  }

  #object(key: object): Entry {
    return { ...hostObject(key, this), tag: Tag.hostObject, uses: 0, key };
  }

  #add(key: object, entry: Entry): number {
    const id = this.#free.pop() ?? this.#entries.length;
    this.#entries[id] = entry;
    // A function under two names comes from either as itself, and goes by the last.
    this.#ids.set(key, id);
    return id;
  }

  #remove(id: number, { key }: Entry): void {
    this.#entries[id] = undefined;
    this.#free.push(id);
    if (this.#ids.get(key) === id) this.#ids.delete(key);
  }
}

/** Refuses what is no function, or is one that cannot simply be called. */
export function checkFunction(fn: unknown): asserts fn is HostFunction {
  if (typeof fn !== "function") throw new TypeError(`a host function must be a function, not a ${className(fn)}`);
  if (fn instanceof LuaFunction) throw new TypeError("a function of Lua is none of the host");
  if (isClass(fn)) {
    throw new TypeError(
      `the class ${nameOf(fn) || "(nameless)"} cannot be given to Lua; give a function that makes one`,
    );
  }
}

function functionEntry(fn: object): Entry {
  checkFunction(fn);
  return { tag: Tag.hostFunction, value: fn, label: nameOf(fn), members: undefined, uses: 0, key: fn };
}

function nameOf(fn: object): string {
  const { name } = fn as { name?: unknown };
  return typeof name === "string" ? wellFormed(name) : "";
}

/** Written as a class, or one of the platform's own, `Function` among them. */
function isClass(fn: object): boolean {
  if (Object.getOwnPropertyDescriptor(fn, "prototype")?.writable !== false) return false;
  return /^class\b|\[native code\]\s*\}$/.test(Function.prototype.toString.call(fn));
}
