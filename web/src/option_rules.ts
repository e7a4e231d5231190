/**
 * Reading of options: each is read once, checked by the rule of its name, and what the rule returns is used.
 * So nothing that is looked at twice can be two things, and a misspelt option is an error that names it.
 */
import type { Backend } from "#js/storage/write_behind.js";
import { addressOf, isOptionsObject } from "./brands.js";

/** Rule of one option: returns the value that is used, or calls `wrong` to refuse it. */
export type Rule = (value: unknown, wrong: (why: string) => never) => unknown;

/** Rules of a call, by option. */
export type Rules = { readonly [name: string]: Rule };

/** Options that a later version will have. */
const LATER = ["signal"];

/** Makes a rule of a test. */
export function only(test: (value: unknown) => boolean, expected: string): Rule {
  return (value, wrong) => (test(value) ? value : wrong(`must be ${expected}`));
}

/** Says whether it is a function that can be called: no class. */
export function isCallable(value: unknown): boolean {
  return typeof value === "function" && Object.getOwnPropertyDescriptor(value, "prototype")?.writable !== false;
}

export const isFunction: Rule = only(isCallable, "a function");

export const isBoolean: Rule = only((value) => typeof value === "boolean", "true or false");

/** The longest delay that timers know: 24 days. */
export const DELAY_MS_MAX: number = 2 ** 31 - 1;

export const isMilliseconds: Rule = only(
  (value) => value === Infinity || (typeof value === "number" && value >= 0 && value <= DELAY_MS_MAX),
  `0 to ${DELAY_MS_MAX} milliseconds, or Infinity`,
);

/** Rule of the option `storage`: a URL is its address. */
export const isStorage: Rule = (value, wrong) => {
  if (typeof value === "string" || isBackend(value)) return value;
  return addressOf(value) ?? wrong("must be a string, a URL or a storage object");
};

function isBackend(value: unknown): value is Backend {
  const { load, commit, close } = (value ?? {}) as Partial<Backend>;
  return typeof load === "function" && typeof commit === "function" && typeof close === "function";
}

/** Reads the options of a call. Throws a TypeError that names the call, and the option. */
export function readOptions<T extends object>(call: string, rules: Rules, given: unknown): T {
  if (!isOptionsObject(given)) throw new TypeError(`${call}: the options must be an object`);
  const options = given as { readonly [name: string]: unknown };
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(rules, name) || options[name] === undefined) continue;
    throw new TypeError(
      `${call}: option "${name}" ${LATER.includes(name) ? "is not available in this version" : "is unknown"}`,
    );
  }
  const read: { [name: string]: unknown } = {};
  for (const [name, rule] of Object.entries(rules)) {
    const value = options[name];
    if (value === undefined) continue;
    read[name] = rule(value, (why) => {
      throw new TypeError(`${call}: option "${name}" ${why}`);
    });
  }
  return read as T;
}
