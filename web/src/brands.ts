/**
 * Kinds of JavaScript values, recognised by what they are and not by their class: a value of another window,
 * of a `vm` context or of a test runner's realm is what it is everywhere.
 *
 * Invariant: nothing that Lua makes is taken for one of them. What is asked for are internal slots, or
 * methods; never the text in fields, which a table may have, too.
 *
 * Not here: classes of this package (`LuaTable`, `LuaError` ...), of which there is one.
 */

type Getter = (this: unknown) => unknown;

/** Returns the getter of a built-in property, which throws for anything that is not of its kind. */
function getterOf(prototype: object, name: PropertyKey): Getter {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as Getter;
}

/** Makes a test of the method, or getter, of a kind that throws for anything else. */
function accepts(member: Getter): (value: unknown) => boolean {
  return (value) => {
    try {
      member.call(value);
      return true;
    } catch {
      return false;
    }
  };
}

/** Says whether it is a Map. */
export const isMap: (value: unknown) => value is Map<unknown, unknown> = accepts(
  getterOf(Map.prototype, "size"),
) as never;

/** Says whether it is an ArrayBuffer, not one that is shared. */
export const isArrayBuffer: (value: unknown) => value is ArrayBuffer = accepts(
  getterOf(ArrayBuffer.prototype, "byteLength"),
) as never;

/** Says whether it is a Date. */
export const isDate: (value: unknown) => value is Date = accepts(Date.prototype.getTime as Getter) as never;

const domExceptionName = typeof DOMException === "undefined" ? undefined : getterOf(DOMException.prototype, "name");
const isDomException = domExceptionName === undefined ? () => false : accepts(domExceptionName);

const typedArrayName = getterOf(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag);

/** Says whether it is a Uint8Array, or of a class below it. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return typedArrayName.call(value) === "Uint8Array";
}

/** Returns a Uint8Array, or an ArrayBuffer, as a Uint8Array of this realm over the same bytes. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  if (isUint8Array(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return isArrayBuffer(value) ? new Uint8Array(value) : undefined;
}

/**
 * Says whether it is an error of the usual kind, at no cost: not all errors are. The tag of an object without
 * one of its own says what it was made as.
 */
export function isUsualError(value: object): value is Error {
  return (
    tagOf(value) === "[object Error]" && (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === undefined
  );
}

/** Says whether it is an error: made by a class of errors of any realm, or by the platform. */
export function isError(value: unknown): value is Error {
  if (typeof value !== "object" || value === null) return false;
  if ((Error as { isError?: (value: unknown) => boolean }).isError?.(value) || isUsualError(value)) return true;
  return isDomException(value) || inherits(value, isErrorPrototype);
}

/** Says whether it is an error of the built-in class of this name, or one below it. */
export function isErrorOf(value: unknown, name: "TypeError" | "RangeError"): value is Error {
  return isError(value) && inherits(value, (prototype) => ownConstructorName(prototype) === name);
}

/** Says whether it is a promise, for hints: `then` is not looked at. */
export function isPromise(value: object): boolean {
  return tagOf(value) === "[object Promise]";
}

/** Returns the address of a URL, of this realm or another; undefined for anything else. */
export function addressOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || tagOf(value) !== "[object URL]") return undefined;
  const { href } = value as { href?: unknown };
  return typeof href === "string" ? href : undefined;
}

/** Says whether it is an object for options, and not a value that was given in their place. */
export function isOptionsObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return ["[object Object]", "[object Module]"].includes(tagOf(value));
}

/** True for plain objects, those of other realms too. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "hasOwnProperty");
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value);
}

function inherits(value: object, found: (prototype: object) => boolean): boolean {
  let prototype = Object.getPrototypeOf(value) as object | null;
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
    if (found(prototype)) return true;
  }
  return false;
}

function isErrorPrototype(prototype: object): boolean {
  return ownConstructorName(prototype) === "Error";
}

/** Returns the name of the class whose prototype this is; empty for other objects. */
function ownConstructorName(prototype: object): string {
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof constructor !== "function" || constructor.prototype !== prototype) return "";
  const { name } = constructor as { name: unknown };
  return typeof name === "string" ? name : "";
}
