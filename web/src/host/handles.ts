/**
 * Lua values that stay in Lua: functions, threads and userdata, known by handles.
 *
 * A handle keeps its value from being collected until it is released: by `dispose()`, by `using`, or some
 * time after JavaScript has forgotten the object.
 */
import { LuaClosedError } from "../errors.js";
import { refuse } from "../value_path.js";
import { Operation } from "../codec/tags.js";
import type {
  Conversion,
  LuaFunction as FunctionValue,
  LuaReference as ReferenceValue,
  LuaValue,
  ValueContext,
} from "../codec/values.js";

/** The VM as a handle sees it. */
export interface HandleOwner extends ValueContext {
  /** Runs an operation, and returns all its results, or the first. */
  request(operation: number, args: readonly unknown[], limits?: undefined, as?: Conversion): LuaValue[];
  requestFirst(operation: number, args: readonly unknown[]): LuaValue;
  /** Runs an operation that may wait. */
  requestAsync(operation: number, args: readonly unknown[]): Promise<LuaValue[]>;
  /** Releases the value behind a handle. */
  release(handle: number): void;
}

interface State {
  readonly owner: HandleOwner;
  readonly handle: number;
  /** lua.h's type for references; undefined for functions. */
  readonly type: number | undefined;
  disposed: boolean;
}

/** States of the values, out of reach: neither Lua nor a caller can forge a handle. */
const states = new WeakMap<object, State>();

/**
 * Registry of handles whose objects were forgotten. Where there is none (workerd before 2025), only `dispose`
 * releases them.
 */
const forgotten: FinalizationRegistry<State> | undefined =
  globalThis.FinalizationRegistry &&
  new FinalizationRegistry<State>(({ owner, handle }) => {
    try {
      owner.release(handle);
    } catch {
      // It has died of this: the next call says so.
    }
  });

/** `Symbol.dispose`, also where the platform is older than it. */
const disposeSymbol: symbol = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** A Lua function, called like any function: it returns the first result. */
export type LuaFunction = FunctionValue;

/** Class for `value instanceof LuaFunction`. Functions come from Lua; this makes none. */
export const LuaFunction: {
  readonly prototype: LuaFunction;
  [Symbol.hasInstance](value: unknown): value is LuaFunction;
} = Object.create(null, {
  prototype: {
    value: Object.create(Function.prototype, {
      ...disposers(),
      callAll: {
        value(this: LuaFunction, ...args: unknown[]) {
          const { owner, handle } = live(this);
          return owner.request(Operation.callHandle, [handle, ...args], undefined, owner.conversion);
        },
      },
      callAsync: {
        async value(this: LuaFunction, ...args: unknown[]) {
          const { owner, handle } = live(this);
          return (await owner.requestAsync(Operation.startHandle, [handle, ...args]))[0];
        },
      },
    }),
  },
  [Symbol.hasInstance]: { value: (value: unknown) => typeof value === "function" && states.has(value) },
});

/** A Lua thread (coroutine) or userdata: it can be kept and given back, nothing else. */
export class LuaReference implements ReferenceValue {
  /** Type of the value. */
  get type(): "thread" | "userdata" {
    return states.get(this)?.type === 8 ? "thread" : "userdata";
  }

  /** Lets Lua collect the value. */
  dispose(): void {
    dispose(this);
  }

  declare [Symbol.dispose]: () => void;

  static {
    Object.defineProperties(this.prototype, disposers());
  }
}

/** Makes the function behind `handle`. */
export function makeFunction(owner: HandleOwner, handle: number): LuaFunction {
  const state: State = { owner, handle, type: undefined, disposed: false };
  const made = (...args: unknown[]): LuaValue => {
    if (state.disposed) throw disposedError();
    return owner.requestFirst(Operation.callHandle, [handle, ...args]);
  };
  Object.setPrototypeOf(made, LuaFunction.prototype);
  Object.defineProperty(made, "name", { value: "LuaFunction" });
  return own(made as LuaFunction, state);
}

/** Makes the thread or userdata behind `handle`. */
export function makeReference(owner: HandleOwner, type: number, handle: number): LuaReference {
  return own(new LuaReference(), { owner, handle, type, disposed: false });
}

/** Returns the handle of a value that is on its way to `context`. */
export function handleOf(value: object, context: ValueContext): { handle: number; type: number | undefined } {
  const state = live(value);
  if (state.owner !== context) refuse("the value belongs to another Lua");
  return state;
}

function live(value: object): State {
  const state = states.get(value);
  if (state === undefined) throw new TypeError("this is not a value of Lua");
  if (state.disposed) refuse("the value was disposed of", disposedError);
  return state;
}

function disposedError(message = "the value was disposed of"): LuaClosedError {
  return new LuaClosedError(message);
}

function own<T extends object>(value: T, state: State): T {
  states.set(value, state);
  forgotten?.register(value, state, value);
  return value;
}

function dispose(value: object): void {
  const state = states.get(value);
  if (state === undefined || state.disposed) return;
  state.disposed = true;
  forgotten?.unregister(value);
  state.owner.release(state.handle);
}

function disposers(): PropertyDescriptorMap {
  const value = function (this: object): void {
    dispose(this);
  };
  return { dispose: { value }, [disposeSymbol]: { value } };
}
