/** What Lua's own libraries ask the host for: modules, input, and time (docs/codec.md section 5). */
import { LuaInterruptError, LuaTimeoutError } from "./errors.js";
import { handleOf, type LuaFunction } from "./handles.js";
import { LuaMultiReturn, isThenable, type Services } from "./host_calls.js";
import { className } from "./names.js";
import { DELAY_MS_MAX, type InputCallback, type ModuleSource, type Modules } from "./options.js";
import { Operation, Service } from "./tags.js";
import { Task, cancellable, type TaskOwner } from "./tasks.js";
import type { Realm } from "./values.js";

/** The services of one VM. */
export function makeServices(vm: Realm & TaskOwner, modules: Modules | undefined, stdin?: InputCallback): Services {
  return {
    [Service.module]: (name: string) => findModule(modules, name),
    [Service.input]: () => then(stdin?.(), checkInput),
    [Service.run]: (...functions: object[]) => runAll(vm, functions),
    [Service.sleep]: sleep,
  };
}

/** Source and chunk name of a module; undefined when there is none. */
function findModule(modules: Modules | undefined, name: string): unknown {
  if (modules === undefined) return undefined;
  if (typeof modules === "function") return then(modules(name), (source) => checkModule(name, source, name));
  for (const key of [name, `${name.replaceAll(".", "/")}.lua`, `${name.replaceAll(".", "/")}/init.lua`]) {
    const source = checkModule(name, lookUp(modules, key), key);
    if (source !== undefined) return source;
  }
  return undefined;
}

function lookUp(modules: Exclude<Modules, (name: string) => unknown>, key: string): unknown {
  if (modules instanceof Map) return modules.get(key);
  return Object.hasOwn(modules, key) ? (modules as Record<string, ModuleSource>)[key] : undefined;
}

function checkModule(name: string, source: unknown, chunkName: string): LuaMultiReturn | undefined {
  if (source === undefined || source === null) return undefined;
  if (typeof source === "string" || source instanceof Uint8Array) return LuaMultiReturn.of(source, chunkName);
  throw new TypeError(`module '${name}': its source must be a string or a Uint8Array, not a ${className(source)}`);
}

/** Nothing is the end. */
function checkInput(input: unknown): unknown {
  if (input === undefined || input === null) return undefined;
  if (typeof input !== "string" && !(input instanceof Uint8Array)) {
    throw new TypeError(`stdin must give a string, a Uint8Array or null, not a ${className(input)}`);
  }
  return input.length === 0 ? undefined : input;
}

function then<T>(value: T | PromiseLike<T>, use: (value: T) => unknown): unknown {
  return isThenable(value) ? Promise.resolve(value as PromiseLike<T>).then(use) : use(value as T);
}

/** Runs functions side by side, until all have ended or one has returned true: the place of that one. */
function runAll(vm: Realm & TaskOwner, functions: object[]): Promise<number | undefined> {
  const tasks: Task[] = [];
  const caller = vm.running;
  let stopped = false;
  const stop = () => {
    stopped = true;
    for (const task of tasks)
      task.cancel((traceback) => new LuaInterruptError("interrupt", "cancelled", { traceback }));
  };
  /** An end that nothing catches is one for the caller, too. */
  const failed = (reject: (error: unknown) => void) => (error: unknown) => {
    const final = error instanceof LuaTimeoutError || error instanceof LuaInterruptError;
    if (final && !stopped) caller?.cancel(() => error);
    reject(error);
  };
  const run = async () => {
    try {
      // Not before the one who calls is suspended: each function runs from the top, as any task.
      await null;
      if (stopped) return undefined;
      return await new Promise<number | undefined>((resolve, reject) => {
        let left = functions.length;
        if (left === 0) resolve(undefined);
        functions.forEach((fn, i) => {
          const task = new Task(vm, caller?.budget);
          tasks.push(task);
          task.start(Operation.startHandle, [handleOf(fn, vm).handle]).results.then(([first]) => {
            if (first === true) resolve(i + 1);
            else if (--left === 0) resolve(undefined);
          }, failed(reject));
        });
      });
    } finally {
      stop();
      for (const fn of functions) (fn as Partial<LuaFunction>).dispose?.();
    }
  };
  return cancellable(run(), stop);
}

function sleep(ms: number): Promise<void> {
  if (!(ms >= 0 && ms <= DELAY_MS_MAX)) throw new RangeError(`async.sleep takes 0 to ${DELAY_MS_MAX} milliseconds`);
  let timer: ReturnType<typeof setTimeout>;
  const slept = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  return cancellable(slept, () => clearTimeout(timer));
}
