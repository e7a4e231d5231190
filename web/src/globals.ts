/** The class behind `lua.globals`. */
import { checkName } from "./names.js";
import { Operation } from "./codec/tags.js";
import { readGetOptions, type ConversionOptions } from "./options.js";
import type { LuaValue } from "./codec/values.js";
import type { Vm } from "./vm.js";

/** Lua's global variables. */
export class LuaGlobals {
  readonly #vm: Vm;

  /** @internal Constructor for `Lua`. */
  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /** Returns the value of a global; undefined when there is none. */
  get(name: string, options?: ConversionOptions): LuaValue {
    const as = options === undefined ? undefined : readGetOptions(options, this.#vm.conversion);
    return this.#vm.requestFirst(Operation.globalGet, [checkName(name)], as);
  }

  /** Sets a global. */
  set(name: string, value: unknown): void {
    this.#vm.request(Operation.globalSet, [checkName(name), value]);
  }

  /** Says whether a global has a value. */
  has(name: string): boolean {
    return this.#vm.request(Operation.globalHas, [checkName(name)])[0] === true;
  }

  /** Removes a global, and says whether it was there. */
  delete(name: string): boolean {
    return this.#vm.request(Operation.globalDelete, [checkName(name)])[0] === true;
  }

  /** Returns the names of all globals. */
  keys(): string[] {
    return this.#vm.request(Operation.globalKeys, []) as string[];
  }
}
