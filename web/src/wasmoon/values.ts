/**
 * Values on their way to Lua and back, as wasmoon converts them: class instances and classes are objects
 * whose members Lua uses, promises have `await`, null can be a value of its own; tables with names and
 * numbers come back as objects.
 */
import { LuaFunction, LuaMultiReturn, LuaReference, makeHandledRef, type HostRef, type Lua } from "../index.js";
import { isError, isMap, isPlain } from "../brands.js";
import { className } from "../names.js";
import { Decoration } from "./decoration.js";

type AnyFunction = (...args: any[]) => unknown;

/** Lua's side of promises and errors: `raise` takes an object as it is, `await` its outcome apart. */
const HELPERS = `local error = error
return function(value) error(value, 0) end, function(settle)
  return function(self)
    local ok, value = settle(self)
    if not ok then error(value, 0) end
    return value
  end
end`;

/** Object that is null in Lua, where that is a value. */
const NULL = { toString: () => "null" };

/** Conversion of the values of one engine. */
export class Values {
  /** Makes the object for a thread that comes from Lua. */
  thread: (reference: LuaReference) => unknown = (reference) => reference;
  /** Says whether the engine is closed. */
  closed = false;
  readonly #hasNull: boolean;
  readonly #raise: LuaFunction;
  readonly #await: LuaFunction;
  /** Values in Lua by the functions and objects that they stand for; and these by those. */
  readonly #given = new WeakMap<object, object>();
  readonly #originals = new WeakMap<object, object>();
  /** Objects that are in Lua themselves: no copies to be converted. */
  readonly #own = new WeakSet<object>();

  constructor(lua: Lua, hasNull: boolean) {
    this.#hasNull = hasNull;
    const [raise, makeAwait] = lua.evalAll(HELPERS, { name: "wasmoon" }) as [LuaFunction, LuaFunction];
    this.#raise = raise;
    this.#await = makeAwait((promise: Promise<unknown>) =>
      promise.then(
        (value) => LuaMultiReturn.of(true, this.toLua(value)),
        (reason: unknown) => LuaMultiReturn.of(false, this.#thrown(reason)),
      ),
    ) as LuaFunction;
  }

  /** The value that `null` is in Lua. */
  get nullValue(): unknown {
    return this.toLua(null);
  }

  /** Returns what Lua gets for a value. */
  toLua(value: unknown, seen: Map<object, object> = new Map()): unknown {
    if (value === null) return this.#hasNull ? this.#ref(NULL, () => this.#proxy(NULL, "null")) : undefined;
    if (typeof value === "function") return this.#function(value as AnyFunction);
    if (typeof value !== "object") return value;
    if (value instanceof Decoration) return this.#decorated(value, seen);
    const original = this.#originals.get(value);
    if (original !== undefined) return original;
    if (value instanceof LuaReference || ArrayBuffer.isView(value)) return value;
    if (isThenable(value)) return this.#ref(value, () => this.#promise(value));
    if (isError(value)) return this.#thrown(value);
    if (!Array.isArray(value) && !isPlain(value) && !isMap(value)) {
      return this.#ref(value, () => this.#proxy(value));
    }
    return this.#copy(value, seen);
  }

  /** Returns what JavaScript gets for a value of Lua; nil is null. */
  back(value: unknown, seen: Map<object, object> = new Map()): any {
    if (value === undefined || value === NULL) return null;
    if (typeof value === "function") return this.#functionOf(value);
    if (typeof value !== "object" || value === null || this.#own.has(value)) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    if (value instanceof LuaReference) return value.type === "thread" ? this.thread(value) : value;
    if (Array.isArray(value)) {
      seen.set(value, value);
      for (let at = 0; at < value.length; at++) value[at] = this.back(value[at], seen);
      return value;
    }
    if (!isPlain(value) && !isMap(value)) return value;
    if (isMap(value) && typeof value.get("then") === "function") {
      // An object with such a member would be taken for a promise.
      const entries = new Map<unknown, unknown>();
      seen.set(value, entries);
      for (const [key, of] of value) entries.set(key, this.back(of, seen));
      return entries;
    }
    const copy: Record<string, unknown> = {};
    seen.set(value, copy);
    for (const [key, of] of isMap(value) ? value : Object.entries(value)) {
      define(copy, String(key), this.back(of, seen));
    }
    return copy;
  }

  /** Notes what stands for a value of Lua that is given back. */
  standsFor(object: object, original: object): void {
    this.#originals.set(object, original);
  }

  #copy(value: object, seen: Map<object, object>): object {
    const known = seen.get(value);
    if (known !== undefined) return known;
    if (isMap(value)) {
      const copy = new Map<unknown, unknown>();
      seen.set(value, copy);
      for (const [key, of] of value) copy.set(key, this.toLua(of, seen));
      return copy;
    }
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
    seen.set(value, copy);
    for (const [key, of] of Object.entries(value)) define(copy, key, this.toLua(of, seen));
    return copy;
  }

  #decorated({ target, options }: Decoration, seen: Map<object, object>): unknown {
    if ((typeof target !== "object" && typeof target !== "function") || target === null)
      return this.toLua(target, seen);
    const { metatable, proxy, opaque } = options;
    if (metatable !== undefined) return this.#withMetatable(target, metatable);
    if (opaque === true) return this.#ref(target, () => this.#handled(target, refusing(target)));
    if (proxy === true) return this.#ref(target, () => this.#proxy(target));
    return proxy === false ? this.#copy(target, seen) : this.toLua(target, seen);
  }

  #ref(value: object, make: () => object): object {
    let ref = this.#given.get(value);
    if (ref === undefined) {
      ref = make();
      this.#given.set(value, ref);
    }
    return ref;
  }

  #handled(value: object, handler: Parameters<typeof makeHandledRef>[1]): HostRef {
    this.#own.add(value);
    return makeHandledRef(value, handler);
  }

  /** An object whose members Lua uses; numbers count from 1 there. */
  #proxy(object: object, label = `[object ${className(object)}]`): HostRef {
    const bound = new Map<unknown, object>();
    const get = (key: unknown): unknown => {
      const value = (object as Record<PropertyKey, unknown>)[keyOf(key)];
      if (typeof value !== "function" || value instanceof LuaFunction) return this.toLua(value);
      if (isClass(value as AnyFunction)) return this.toLua(value);
      let method = bound.get(value);
      if (method === undefined) {
        method = this.#wrap(value as AnyFunction, object);
        bound.set(value, method);
      }
      return method;
    };
    const set = (key: unknown, value: unknown) => {
      (object as Record<PropertyKey, unknown>)[keyOf(key)] = this.back(value);
    };
    return this.#handled(object, { label, get, set });
  }

  #withMetatable(target: object, metatable: Record<string, unknown>): HostRef {
    const { __index: index, __newindex: newIndex, __name: name } = metatable;
    const fields = target as Record<PropertyKey, unknown>;
    const label = typeof name === "string" ? name : `[object ${className(target)}]`;
    const get = (key: unknown): unknown => {
      const own = fields[keyOf(key)];
      if (own !== undefined || index === undefined) return this.toLua(own);
      const self = unwrapped(target);
      return this.toLua(
        typeof index === "function"
          ? (index as AnyFunction)(self, this.back(key))
          : (index as Record<PropertyKey, unknown>)[keyOf(key)],
      );
    };
    const set = (key: unknown, value: unknown): void => {
      const is = keyOf(key);
      if (typeof newIndex === "function" && fields[is] === undefined) {
        (newIndex as AnyFunction)(unwrapped(target), this.back(key), this.back(value));
      } else fields[is] = this.back(value);
    };
    return this.#handled(target, { label, get, set });
  }

  #promise(given: PromiseLike<unknown>): HostRef {
    const promise: Promise<unknown> = Promise.resolve(given);
    const callback = (fn: unknown) => (typeof fn === "function" ? (of: unknown) => (fn as AnyFunction)(of) : undefined);
    const methods: Record<string, unknown> = {
      await: this.#await,
      next: this.#wrap((_: unknown, done, failed) => promise.then(callback(done), callback(failed))),
      catch: this.#wrap((_: unknown, failed) => promise.then(undefined, callback(failed))),
      finally: this.#wrap((_: unknown, settled) => promise.finally(settled as () => void)),
    };
    const get = (key: unknown) => (Object.hasOwn(methods, String(key)) ? methods[String(key)] : undefined);
    const set = () => {
      throw new TypeError("a promise has no fields to set");
    };
    return this.#handled(promise, { label: "[object Promise]", get, set });
  }

  /** An error as Lua sees it: an object, whose text begins with its name. */
  #thrown(reason: unknown): unknown {
    if (!isError(reason)) return this.toLua(reason);
    // An error of Lua that passes through is the value that it was.
    const { value } = reason as { value?: unknown };
    if (value !== undefined && typeof value !== "object") return value;
    return this.#ref(reason, () => this.#proxy(reason, String(reason)));
  }

  #function(fn: AnyFunction): unknown {
    const original = this.#originals.get(fn);
    if (original !== undefined) return original;
    if (fn instanceof LuaFunction) return fn;
    if (isClass(fn)) return this.#ref(fn, () => this.#proxy(fn));
    return this.#ref(fn, () => this.#wrap(fn));
  }

  /** A function as Lua calls it. A method gets its object as `this`, and not as its first argument. */
  #wrap(fn: AnyFunction, self?: object): object {
    const wrapper = (...args: unknown[]) => {
      const given = args.map((arg) => this.back(arg));
      if (self !== undefined && given[0] === self) given.shift();
      try {
        const result = fn.apply(self, given);
        if (!(result instanceof LuaMultiReturn)) return this.toLua(result);
        return LuaMultiReturn.from(result, (one) => this.toLua(one));
      } catch (error) {
        // Raised by Lua itself: the object comes out of `pcall` as it is.
        return this.#raise(this.#thrown(error));
      }
    };
    Object.defineProperty(wrapper, "name", { value: fn.name });
    if (self === undefined) this.#originals.set(wrapper, fn);
    return wrapper;
  }

  /** A function of Lua as JavaScript calls it. */
  #functionOf(given: object): object {
    if (this.#own.has(given)) return given;
    const known = this.#originals.get(given);
    if (known !== undefined) return known;
    if (!(given instanceof LuaFunction)) return given;
    const fn = (...args: unknown[]) => {
      if (this.closed) {
        console.warn("Tried to call a function after closing lua state");
        return undefined;
      }
      try {
        return this.back(given(...args.map((arg) => this.toLua(arg))));
      } catch (error) {
        throw timeoutOf(error);
      }
    };
    this.#originals.set(fn, given);
    this.#originals.set(given, fn);
    return fn;
  }
}

/** The error of wasmoon for a timeout; any other one as it is. */
export function timeoutOf(error: unknown): unknown {
  if ((error as { kind?: unknown } | null)?.kind !== "timeout") return error;
  return new Error("thread timeout exceeded", { cause: error });
}

export function isThenable(value: object): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown }).then === "function";
}

function isClass(fn: AnyFunction): boolean {
  return Object.getOwnPropertyDescriptor(fn, "prototype")?.writable === false;
}

function keyOf(key: unknown): PropertyKey {
  if (typeof key === "number") return key - 1;
  if (typeof key === "string") return key;
  throw new TypeError("only strings or numbers can index JavaScript objects");
}

function refusing(object: object): Parameters<typeof makeHandledRef>[1] {
  const refuse = (): never => {
    throw new TypeError("this object has no members for Lua");
  };
  return { label: `[object ${className(object)}]`, get: refuse, set: refuse };
}

/** An object with what is decorated in it as it is. */
function unwrapped(object: object): object {
  const copy: Record<string, unknown> = {};
  for (const [key, of] of Object.entries(object)) define(copy, key, of instanceof Decoration ? of.target : of);
  return copy;
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
