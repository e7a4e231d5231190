/**
 * Values, errors and messages as data that `postMessage` can carry, and back.
 *
 * A structured clone makes plain objects of instances, and says nothing about it. So what crosses is looked
 * at before: what would not arrive as it is is refused, with the path to it.
 */
import { bytesIn, isDate, isMap, isPlain } from "../../brands.js";
import {
  LuaError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaSyntaxError,
  LuaTimeoutError,
  type LuaErrorKind,
} from "../../errors.js";
import { CapsuleError, errorOf, isCapsuleError, usageError, type CapsuleErrorKind } from "../errors.js";
import { makeEvent, type Message } from "../messages.js";
import type { Envelope } from "./protocol.js";
import { described } from "../sql_codec.js";
import type { ChangeEvent } from "../types.js";

/** Deepest nesting of a value that crosses: deeper ones may exhaust the stack of whoever clones them. */
const DEPTH_MAX = 1000;

/** Returns a value that can cross; throws a `usage` error about anything else. `what` it is. */
export function crossing<T>(value: T, what: string): T {
  const refuse = (path: string, part: unknown): never => {
    const where = path === "" ? "" : ` at ${path.replace(/^\./, "")}`;
    throw usageError(`${what}${where} is ${described(part)}, which stays in the thread that it is in`);
  };
  const seen = new Set<object>();
  const look = (part: unknown, path: string, depth: number): void => {
    if (typeof part === "function" || typeof part === "symbol") refuse(path, part);
    if (typeof part !== "object" || part === null || seen.has(part)) return;
    seen.add(part);
    if (depth > DEPTH_MAX) throw usageError(`${what} is nested more than ${DEPTH_MAX} deep`);
    if (bytesIn(part) !== undefined || ArrayBuffer.isView(part) || isDate(part)) return;
    if (isMap(part)) {
      for (const [key, value] of part) {
        look(key, `${path}.${String(key)}`, depth + 1);
        look(value, `${path}.${String(key)}`, depth + 1);
      }
      return;
    }
    if (!Array.isArray(part) && !isPlain(part)) refuse(path, part);
    for (const [name, value] of Object.entries(part)) look(value, `${path}.${name}`, depth + 1);
  };
  look(value, "", 0);
  return value;
}

/** True for an envelope, as far as it has to be one to be looked at: any script of the origin can send. */
export function isEnvelope(data: unknown): data is Envelope {
  if (typeof data !== "object" || data === null) return false;
  const { from, for: whom, to, body } = data as Record<string, unknown>;
  if (typeof from !== "string") return false;
  if (whom === "all") return true;
  if (typeof body !== "object" || body === null || typeof (body as { t?: unknown }).t !== "string") return false;
  return whom === "member" ? typeof to === "string" : whom === "leader" && (to === undefined || typeof to === "string");
}

/** An error as data. */
export type ErrorData = CapsuleErrorData | LuaErrorData | OtherErrorData;

interface CapsuleErrorData {
  readonly of: "capsule";
  readonly kind: CapsuleErrorKind;
  readonly message: string;
  readonly code: string | undefined;
  readonly sql: string | undefined;
  readonly offset: number | undefined;
  readonly table: string | undefined;
  readonly cause: ErrorData | undefined;
}

interface LuaErrorData {
  readonly of: "lua";
  readonly kind: LuaErrorKind;
  readonly message: string;
  readonly traceback: string | undefined;
  readonly chunk: string | undefined;
  readonly line: number | undefined;
  /** Value that was raised, where it can cross. */
  readonly value: unknown;
  readonly cause: ErrorData | undefined;
}

interface OtherErrorData {
  readonly of: "other";
  readonly name: string;
  readonly message: string;
}

/** Makes data of what was thrown. */
export function errorData(thrown: unknown): ErrorData {
  return dataOf(thrown, 0);
}

function dataOf(thrown: unknown, depth: number): ErrorData {
  const error = errorOf(thrown);
  const { name, message, cause } = error;
  // Causes may refer to each other in a circle.
  const before = cause === undefined || depth > 8 ? undefined : dataOf(cause, depth + 1);
  if (isCapsuleError(error)) {
    const { kind, code, sql, offset, table } = error;
    return { of: "capsule", kind, message, code, sql, offset, table, cause: before };
  }
  if (error instanceof LuaError) {
    const { kind, traceback, chunk, line } = error;
    return { of: "lua", kind, message, traceback, chunk, line, value: valueOf(error), cause: before };
  }
  return { of: "other", name, message };
}

function valueOf({ value }: LuaError): unknown {
  try {
    return crossing(value, "the value");
  } catch {
    // It cannot come along; the message says what it was.
    return undefined;
  }
}

/** Makes an error of its data. */
export function errorFrom(data: ErrorData): Error {
  switch (data.of) {
    case "capsule": {
      const { kind, message, cause, ...details } = data;
      return new CapsuleError(kind, message, { ...details, cause: cause && errorFrom(cause) });
    }
    case "lua": {
      const { kind, message, cause, ...details } = data;
      const LuaErrorClass = CLASSES[kind] ?? LuaError;
      return new LuaErrorClass(kind, message, { ...details, cause: cause && errorFrom(cause) });
    }
    case "other": {
      const error = new Error(data.message);
      if (data.name !== "Error") error.name = data.name;
      return error;
    }
  }
}

const CLASSES: { readonly [kind in LuaErrorKind]?: typeof LuaError } = {
  runtime: LuaRuntimeError,
  syntax: LuaSyntaxError,
  memory: LuaMemoryError,
  timeout: LuaTimeoutError,
  interrupt: LuaInterruptError,
};

/** A message of the core as data: errors and events are made again where it arrives. */
export type MessageData = Exclude<Message, { kind: "error" }> | { readonly kind: "error"; readonly error: ErrorData };

/** Makes data of a message. */
export function messageData(message: Message): MessageData {
  switch (message.kind) {
    case "error":
      return { kind: "error", error: errorData(message.error) };
    case "dispatched":
      return { ...message, payload: crossing(message.payload, `the payload of "${message.name}"`) };
    default:
      return message;
  }
}

/** Makes a message of its data. */
export function messageFrom(data: MessageData): Message {
  switch (data.kind) {
    case "error":
      return { kind: "error", error: errorFrom(data.error) as CapsuleError };
    case "events":
      return { ...data, events: eventsFrom(data.events) };
    default:
      return data;
  }
}

/** Makes events of the plain objects that they have become on their way. */
export function eventsFrom(events: readonly ChangeEvent[]): ChangeEvent[] {
  return events.map((event) => makeEvent(event));
}
