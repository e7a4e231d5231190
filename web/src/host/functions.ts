/** Checks of the JavaScript functions that are given to Lua. */
import { checkDottedName, className, wellFormed } from "../names.js";
import { refuse } from "../value_path.js";
import type { HostFunction } from "./entries.js";
import { LuaFunction } from "./handles.js";

/** Refuses what is no function, or is one that cannot simply be called. */
export function checkFunction(fn: unknown): asserts fn is HostFunction {
  if (typeof fn !== "function") throw new TypeError(`a host function must be a function, not a ${className(fn)}`);
  if (fn instanceof LuaFunction) throw new TypeError("a function of Lua is none of the host");
  if (isClass(fn)) {
    refuse(`the class ${nameOf(fn) || "(nameless)"} cannot be given to Lua; give a function that makes one`);
  }
}

/** Copies an object of functions, under names that Lua can have; `wrong` refuses anything else. */
export function functionsIn(value: object, wrong: (why: string) => never): { [name: string]: HostFunction } {
  const functions = Object.entries(value);
  try {
    for (const [name, fn] of functions) {
      checkDottedName(name);
      checkFunction(fn);
    }
  } catch (error) {
    return wrong(`has something else in it: ${(error as Error).message}`);
  }
  return Object.fromEntries(functions) as { [name: string]: HostFunction };
}

/** Returns the name of a function, with every lone surrogate replaced; empty when it has none. */
export function nameOf(fn: object): string {
  const { name } = fn as { name?: unknown };
  return typeof name === "string" ? wellFormed(name) : "";
}

/** Says whether a function is written as a class, or is a class of the platform's, `Function` among them. */
function isClass(fn: object): boolean {
  if (Object.getOwnPropertyDescriptor(fn, "prototype")?.writable !== false) return false;
  return /^class\b|\[native code\]\s*\}$/.test(Function.prototype.toString.call(fn));
}
