/** Options of the public calls, and their checks: an unknown option is an error that names it. */
import { addressOf, isPlain } from "../brands.js";
import {
  isBoolean,
  isCallable,
  isFunction,
  isMilliseconds,
  only,
  readOptions,
  type Rule,
  type Rules,
} from "../option_rules.js";
import type { WasmSource } from "../options.js";
import { functionsIn } from "../host/functions.js";
import { usageError } from "./errors.js";
import type { Tracker } from "./monitor.js";
import type {
  LiveOptions,
  LuaFunctions,
  ModDefinition,
  SchemaDefinition,
  SubscribeOptions,
  WatchOptions,
} from "./types.js";

/** Name of a database in memory. */
export const MEMORY = ":memory:";

/** Bytes of memory that a capsule may use, by default. */
const MEMORY_DEFAULT_BYTES = 512 * 1024 * 1024;

/** Milliseconds that a call may run, by default. */
const EXECUTION_DEFAULT_MS = 30_000;

/** Milliseconds after its first event, and number of events, after which a batch goes out. */
const BATCH_DEFAULT_MS = 100;
const BATCH_DEFAULT_EVENTS = 100;

/** Milliseconds for which a transaction of JavaScript may be open, by default. */
const TRANSACTION_DEFAULT_MS = 5000;

/** Options of events. */
export interface EventOptions {
  /** Watchers and live queries work (default). */
  enabled?: boolean | undefined;
  /** Milliseconds after its first event at which a batch goes out. */
  batchInterval?: number | undefined;
  /** Number of events that make a batch full. */
  batchSize?: number | undefined;
}

/** Limits of scripts, and of the statements that they run. */
export interface SandboxOptions {
  /** Bytes of memory of Lua. */
  maxMemory?: number | undefined;
  /** Milliseconds of one call. */
  maxExecutionTime?: number | undefined;
  /** Ticks of one call: the same work takes the same number everywhere. */
  fuel?: number | undefined;
}

/** Options of a capsule. `X` is what functions of migrations get. */
export interface CapsuleOptions<X = unknown> {
  /** Name of the file; `":memory:"` for a database in memory. */
  filename: string;
  /** Declaration of tables, indexes, triggers and migrations. */
  schema?: SchemaDefinition<X> | undefined;
  /** Options of events. */
  capsule?: EventOptions | undefined;
  /** Limits of scripts. */
  sandbox?: SandboxOptions | undefined;
  /** Commits survive the death of the program (`"relaxed"`, default), or a power cut (`"strict"`). */
  durability?: "relaxed" | "strict" | undefined;
  /** Functions that Lua may call; or the address of a module that exports them. */
  functions?: LuaFunctions | URL | string | undefined;
  /** Database in memory where the platform has no files (`"memory"`). Without it that is an error. */
  fallback?: "memory" | undefined;
  /** Milliseconds after which a transaction of JavaScript that is open is rolled back. */
  transactionTimeout?: number | undefined;
  /** Functions in place of those of the monitor. */
  performance?: Partial<Tracker> | undefined;
  /** Gets a line for each change. */
  log?: ((line: string) => void) | undefined;
  /** Gets the output of `print`; the console by default. */
  stdout?: ((text: string) => void) | undefined;
  /**
   * Module of the capsule: its address, its bytes, or compiled. `capsule.wasm` beside the package by default.
   */
  wasm?: WasmSource | undefined;
  /**
   * Worker that has the files in a browser: its address, or a function that starts it. The one beside the
   * package by default; `perilune/capsule/worker` for bundlers that do not find that.
   */
  worker?: URL | string | (() => object) | undefined;
}

/** Options as they are used: with all defaults. */
export interface Settings {
  readonly filename: string;
  readonly schema: SchemaDefinition | undefined;
  readonly enabled: boolean;
  readonly batchInterval: number;
  readonly batchSize: number;
  readonly maxMemory: number;
  readonly maxExecutionTime: number;
  readonly fuel: number | undefined;
  readonly strict: boolean;
  readonly functions: LuaFunctions | string | undefined;
  readonly fallback: "memory" | undefined;
  readonly transactionTimeout: number;
  readonly performance: Partial<Tracker> | undefined;
  readonly log: ((line: string) => void) | undefined;
  readonly stdout: ((text: string) => void) | undefined;
  readonly wasm: WasmSource | undefined;
  readonly worker: string | (() => object) | undefined;
}

/** Makes a rule of the rules of an object's own properties. */
function nested(rules: Rules): Rule {
  return (value, wrong) => {
    if (typeof value !== "object" || value === null || !isPlain(value)) return wrong("must be an object");
    const read: { [name: string]: unknown } = {};
    for (const [name, given] of Object.entries(value)) {
      if (given === undefined) continue;
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      if (rule === undefined) return wrong(`has an unknown part "${name}"; it has ${Object.keys(rules).join(", ")}`);
      read[name] = rule(given, (why) => wrong(`has a part "${name}" that ${why}`));
    }
    return read;
  };
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

const isName: Rule = only((value) => typeof value === "string" && value !== "", "a string that is not empty");

const isObject: Rule = only((value) => typeof value === "object" && value !== null && isPlain(value), "an object");

const LATER: Rule = (_, wrong) => wrong("is not available in this version");

const CAPSULE: Rules = {
  filename: only(
    (value) => typeof value === "string" && value !== "" && !value.includes("\0"),
    'the name of a file, or ":memory:"',
  ),
  schema: isObject,
  capsule: nested({
    enabled: isBoolean,
    batchInterval: only((value) => isCount(value, 0) && (value as number) < 2 ** 31, "a number of milliseconds"),
    batchSize: only((value) => isCount(value, 1), "a number of events from 1 on"),
  }),
  sandbox: nested({
    maxMemory: only(
      (value) => isCount(value, 2 ** 20) && (value as number) <= 2 ** 31,
      "a number of bytes from 1 MiB to 2 GiB",
    ),
    maxExecutionTime: isMilliseconds,
    fuel: only((value) => value === Infinity || isCount(value, 1), "a number of ticks, or Infinity"),
  }),
  sync: LATER,
  durability: only((value) => value === "relaxed" || value === "strict", '"relaxed" or "strict"'),
  performance: nested({ trackQuery: isFunction, trackEventEmission: isFunction }),
  functions: (value, wrong) => {
    const address = typeof value === "string" ? value : addressOf(value);
    if (address !== undefined) return address;
    if (typeof value !== "object" || value === null || !isPlain(value))
      return wrong("must be an object of functions, or the URL of a module that exports them");
    return functionsIn(value, wrong);
  },
  fallback: only((value) => value === "memory", '"memory"'),
  transactionTimeout: isMilliseconds,
  log: isFunction,
  stdout: isFunction,
  wasm: (value) => value,
  worker: (value, wrong) => {
    const address = typeof value === "string" ? value : addressOf(value);
    return address ?? (isCallable(value) ? value : wrong("must be the URL of a worker, or a function that starts one"));
  },
};

/** Reads options, whose errors are those of a capsule. */
function read<T extends object>(call: string, rules: Rules, given: unknown): T {
  try {
    return readOptions<T>(call, rules, given);
  } catch (error) {
    throw usageError((error as Error).message, { cause: error });
  }
}

/** Reads what `call` was given: a name, or options; and more options. */
export function readCapsuleOptions(call: string, given: unknown, more: unknown): Settings {
  const first = typeof given === "string" ? { filename: given } : given;
  if (typeof first !== "object" || first === null) throw usageError(`${call} takes the name of a file, or options`);
  const second = more ?? {};
  if (typeof second !== "object") throw usageError(`${call}: the options must be an object`);
  for (const name of Object.keys(second)) {
    if ((second as Record<string, unknown>)[name] !== undefined && Object.hasOwn(first, name))
      throw usageError(`${call}: option "${name}" was given twice`);
  }
  const options = read<CapsuleOptions>(call, CAPSULE, { ...first, ...second });
  const { filename, schema, capsule = {}, sandbox = {}, durability, functions, transactionTimeout, ...rest } = options;
  if (filename === undefined) throw usageError(`${call}: option "filename" is missing`);
  return {
    filename,
    schema: schema as SchemaDefinition | undefined,
    enabled: capsule.enabled ?? true,
    batchInterval: capsule.batchInterval ?? BATCH_DEFAULT_MS,
    batchSize: capsule.batchSize ?? BATCH_DEFAULT_EVENTS,
    maxMemory: sandbox.maxMemory ?? MEMORY_DEFAULT_BYTES,
    maxExecutionTime: sandbox.maxExecutionTime ?? EXECUTION_DEFAULT_MS,
    fuel: sandbox.fuel,
    strict: durability === "strict",
    functions: functions as LuaFunctions | string | undefined,
    transactionTimeout: transactionTimeout ?? TRANSACTION_DEFAULT_MS,
    fallback: rest.fallback,
    performance: rest.performance,
    log: rest.log,
    stdout: rest.stdout,
    wasm: rest.wasm,
    worker: rest.worker as Settings["worker"],
  };
}

/** Reads the options of `watch`. */
export function readWatchOptions(given: unknown): WatchOptions {
  return read("watch", { id: isName }, given);
}

const isWhole: Rule = only((value) => isCount(value, 0), "a whole number from 0 on");

const isNames: Rule = only(
  (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
  "a list of names",
);

const LIVE: Rules = { limit: isWhole, offset: isWhole, key: isNames, since: isWhole };

/** Reads the options of `live`. */
export function readLiveOptions(given: unknown): LiveOptions {
  const options = read<LiveOptions>("live", LIVE, given);
  if (options.offset !== undefined && options.limit === undefined)
    throw usageError('live: option "offset" needs a limit');
  return options;
}

const SUBSCRIBE: Rules = {
  listenerId: isName,
  listenerType: only((value) => value === "react" || value === "custom", '"react" or "custom"'),
  filter: isFunction,
};

/** Reads the options of `subscribe`. */
export function readSubscribeOptions(given: unknown): SubscribeOptions {
  return read("subscribe", SUBSCRIBE, given);
}

const isFiles: Rule = (value, wrong) => {
  if (typeof value !== "object" || value === null || !isPlain(value)) return wrong("must be an object of sources");
  for (const [name, source] of Object.entries(value)) {
    if (typeof source !== "string") return wrong(`has a file "${name}" that is no string`);
  }
  return { ...value };
};

const MOD: Rules = { name: isName, version: isName, files: isFiles };

/** Reads a mod. */
export function readMod(given: unknown): ModDefinition {
  const mod = read<Partial<ModDefinition>>("installMod", MOD, given);
  for (const name of Object.keys(MOD)) {
    if (mod[name as keyof ModDefinition] === undefined) throw usageError(`installMod: "${name}" is missing`);
  }
  return mod as ModDefinition;
}

/** Checks a listener of `call`. */
export function checkListener(call: string, listener: unknown): void {
  if (!isCallable(listener)) throw usageError(`${call} takes a function that is called with what happens`);
}
