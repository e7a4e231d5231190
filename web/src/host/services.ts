/** Services that Lua's own libraries ask the host for: modules, input, and time (docs/codec.md section 5). */
import { Group } from "../tasks/groups.js";
import { isMap, isUint8Array } from "../brands.js";
import { LuaMultiReturn, isThenable, type Services } from "./host_calls.js";
import { className } from "../names.js";
import type { InputCallback, ModuleSource, Modules } from "../options.js";
import { Service } from "../codec/tags.js";
import { sleep } from "../tasks/sleep.js";
import { hooked, type Task, type TaskOwner } from "../tasks/tasks.js";
import type { ValueContext } from "../codec/values.js";

/** Makes the services of one VM. */
export function makeServices(
  vm: ValueContext & TaskOwner,
  modules: Modules | undefined,
  stdin?: InputCallback,
): Services {
  return {
    // A name that is no UTF-8 is one that no module of the host can have.
    [Service.module]: (name: unknown) => (typeof name === "string" ? findModule(modules, name) : undefined),
    [Service.input]: makeInput(stdin),
    // Only tasks ask for it.
    [Service.run]: (...functions: object[]) => new Group(vm, vm.running as Task).start(functions).promise,
    [Service.sleep]: sleep,
  };
}

/** Finds source and chunk name of a module; undefined when there is none. */
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
  if (isMap(modules)) return modules.get(key);
  return Object.hasOwn(modules, key) ? (modules as Record<string, ModuleSource>)[key] : undefined;
}

function checkModule(name: string, source: unknown, chunkName: string): LuaMultiReturn | undefined {
  if (source === undefined || source === null) return undefined;
  if (typeof source === "string" || isUint8Array(source)) return LuaMultiReturn.of(source, chunkName);
  throw new TypeError(`module '${name}': its source must be a string or a Uint8Array, not a ${className(source)}`);
}

/**
 * Makes the service of input. Of those who wait at the same time one after the other asks, so that no piece
 * overtakes another; what comes for one that was cancelled meanwhile is for the next.
 */
function makeInput(stdin: InputCallback | undefined): () => unknown {
  /** The last answer that has not come. */
  let last: PromiseLike<unknown> | undefined;
  const left: PromiseLike<unknown>[] = [];
  const ask = () => left.shift() ?? stdin?.();
  return () => {
    const asked = last === undefined ? ask() : last.then(ask, ask);
    if (!isThenable(asked)) return checkInput(asked);
    const answer = Promise.resolve(asked);
    last = answer;
    const come = () => {
      if (last === answer) last = undefined;
    };
    answer.then(come, come);
    return hooked(answer.then(checkInput), { cancel: () => void left.push(answer) });
  };
}

/** Checks what `stdin` gave; nothing is the end. */
function checkInput(input: unknown): unknown {
  if (input === undefined || input === null) return undefined;
  if (typeof input !== "string" && !isUint8Array(input)) {
    throw new TypeError(`stdin must give a string, a Uint8Array or null, not a ${className(input)}`);
  }
  return input.length === 0 ? undefined : input;
}

function then<T>(value: T | PromiseLike<T>, use: (value: T) => unknown): unknown {
  return isThenable(value) ? Promise.resolve(value as PromiseLike<T>).then(use) : use(value as T);
}
