/**
 * Path to the part of a value that was refused: `.ore[3]["two words"].f`, at the end of the message.
 *
 * It is built while the error unwinds: nothing is kept while a value passes. Errors of others, thrown by a
 * getter or a proxy, pass as they are. The same text as in src/value/path.rs.
 */

/** Error under way that is the codec's own, what makes another one, and the path so far. */
let refused: unknown;
let remake: (message: string) => Error;
let path = "";

/** Throws an error that is the codec's own. */
export function refuse(message: string, make: (message: string) => Error = TypeError): never {
  path = "";
  throw (refused = (remake = make)(message));
}

/**
 * Puts the key in front under which something was refused; returns the error. Without a key it was a key that
 * was refused: the path leads to its table.
 */
export function within(error: unknown, key?: unknown): unknown {
  // For an error of others it means nothing.
  path = key === undefined ? "" : (step(key) + path).replace(/^(.{80}).{4,}(.{117})$/su, "$1...$2");
  return error;
}

/** Returns the error with its path. From here on it is like any other. */
export function located(error: unknown): unknown {
  // A new one: engines copy the message into the stack when an error is made.
  const found = error === refused && path ? remake(`${(error as Error).message} (at ${path})`) : error;
  refused = undefined;
  return found;
}

function step(key: unknown): string {
  // A copy: browsers decode no shared memory.
  const text = ArrayBuffer.isView(key) ? new TextDecoder().decode(new Uint8Array(key as Uint8Array)) : key;
  if (typeof text !== "string") return `[${Object(text) === text ? typeof text : text}]`;
  if (/^[a-z_]\w{0,39}$/i.test(text)) return `.${text}`;
  return `[${JSON.stringify(text.replace(/^(.{40}).+/su, "$1..."))}]`;
}
