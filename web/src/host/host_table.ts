/**
 * Table of the host functions and host objects that Lua has, by id (docs/codec.md section 1).
 *
 * Invariants:
 * - One value has one id while Lua holds it. Each writing of the id is a use; when Lua has given all uses
 *   back, the entry goes and the id is free. Ids of registered functions stay.
 * - Lua knows numbers only: what may be done with the value behind one is in its entry, here.
 * - What stayed behind when a VM was restored from an image is detached: it says so to whoever uses it.
 */
import { checkFunction, nameOf } from "./functions.js";
import type { HostPart } from "../snapshot/parts.js";
import type { Entry, HostFunction, HostIds } from "./entries.js";
import { LuaDetachedObject, hostObject } from "./refs.js";
import { HOST_ID_FIRST, Tag } from "../codec/tags.js";

/** Entries of a host table at one moment. */
export interface HostEntries {
  /** Entries by id. */
  readonly entries: readonly (Entry | undefined)[];
  /** Ids of functions that nobody had registered again by then. */
  readonly missing: ReadonlySet<number>;
}

/** Ids of one VM. */
export class HostTable implements HostIds {
  /** Entries by id; the first places stay empty. */
  readonly #entries: (Entry | undefined)[] = new Array(HOST_ID_FIRST);
  readonly #free: number[] = [];
  readonly #ids = new Map<object, number>();
  readonly #names = new Map<string, number>();
  /** Ids of functions that were registered before an image was made, and not since it was restored. */
  readonly #missing = new Set<number>();

  /** Returns the entry of an id. */
  entry(id: number): Entry | undefined {
    return this.#entries[id];
  }

  /** Returns the id of a function, or of an object that `hostObject` knows, for one more use. */
  use(key: object): number {
    let id = this.#ids.get(key);
    if (id === undefined) id = this.#add(key, typeof key === "function" ? functionEntry(key) : this.#object(key));
    (this.#entries[id] as Entry).uses += 1;
    return id;
  }

  /** Takes uses back that Lua has no more, or never got. */
  release(id: number, uses: number): void {
    const entry = this.#entries[id];
    if (entry !== undefined && (entry.uses -= uses) <= 0) this.#remove(id, entry);
  }

  /**
   * Makes `fn` the function of this name, for good. `notify` tells Lua; when it throws, everything is as
   * before.
   */
  register(name: string, fn: HostFunction, notify: (id: number) => void): void {
    const known = this.#names.get(name);
    if (known !== undefined) {
      // Lua has had it all the time, wherever the program has put it by now.
      if (!this.#missing.delete(known)) notify(known);
      const entry = this.#entries[known] as Entry;
      if (this.#ids.get(entry.key) === known) this.#ids.delete(entry.key);
      entry.key = entry.value = fn;
      this.#ids.set(fn, known);
      return;
    }
    const id = this.#add(fn, { ...functionEntry(fn), label: name, uses: Infinity });
    try {
      notify(id);
    } catch (error) {
      this.#remove(id, this.#entries[id] as Entry);
      throw error;
    }
    this.#names.set(name, id);
  }

  /** Names that nobody has registered again. */
  get missing(): string[] {
    return [...this.#missing].map((id) => (this.#entries[id] as Entry).label);
  }

  /** Copies its entries, for a VM in the same page that goes on from this moment. */
  entries(): HostEntries {
    return { entries: this.#entries.map((entry) => entry && { ...entry }), missing: new Set(this.#missing) };
  }

  /** Captures all entries, for an image. */
  capture(): HostPart[] {
    const parts: HostPart[] = [];
    this.#entries.forEach((entry, id) => {
      if (entry === undefined) return;
      const kind = entry.tag === Tag.hostFunction ? "function" : "object";
      parts.push([id, kind, entry.label, entry.uses === Infinity ? null : entry.uses]);
    });
    return parts;
  }

  /**
   * Restores the entries of a VM, for one that goes on with its memory: from `source`, if that is here, else
   * detached.
   */
  restore(parts: readonly HostPart[], source?: HostEntries): void {
    for (const [id, kind, label, uses] of parts) {
      const alive = source?.entries[id];
      const key =
        alive?.key ?? (kind === "function" ? detachedFunction(label, uses === null) : new LuaDetachedObject(label));
      const entry = alive ?? {
        tag: kind === "function" ? Tag.hostFunction : Tag.hostObject,
        value: key,
        label,
        members: undefined,
        key,
      };
      this.#entries[id] = { ...entry, uses: uses ?? Infinity };
      this.#ids.set(key, id);
      if (uses !== null) continue;
      this.#names.set(label, id);
      if (source === undefined || alive === undefined || source.missing.has(id)) this.#missing.add(id);
    }
    for (let id = HOST_ID_FIRST; id < this.#entries.length; id++) if (!this.#entries[id]) this.#free.push(id);
  }

  /** Removes all entries. */
  clear(): void {
    this.#entries.length = 0;
    this.#ids.clear();
    this.#names.clear();
  }

  #object(key: object): Entry {
    // It has been here before, and Lua had let it go.
    if (key instanceof LuaDetachedObject)
      return { tag: Tag.hostObject, value: key, label: key.label, members: undefined, uses: 0, key };
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

function functionEntry(fn: object): Entry {
  checkFunction(fn);
  return { tag: Tag.hostFunction, value: fn, label: nameOf(fn), members: undefined, uses: 0, key: fn };
}

function detachedFunction(label: string, registered: boolean): HostFunction {
  const name = label === "" ? "a host function" : `host function '${label}'`;
  const why = registered
    ? "is missing: nobody has registered it again since this VM was restored from an image"
    : "stayed behind when the image of this VM was made: only registered functions are found again";
  return () => {
    throw new Error(`${name} ${why}`);
  };
}
