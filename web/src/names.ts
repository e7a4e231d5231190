/** Names that callers give, checked; values that callers give, in words for messages. */

/** Returns `name`, or throws a TypeError. */
export function checkName(name: unknown): string {
  if (typeof name !== "string") throw new TypeError(`a name must be a string, not ${typeName(name)}`);
  return name;
}

/** Returns a name, or names between dots (`"app.log"`), or throws a TypeError. */
export function checkDottedName(name: unknown): string {
  if (checkName(name).split(".").includes("") || (name as string).includes("\0")) {
    throw new TypeError(`${JSON.stringify(name)} is no name of a function: names between dots, without NUL`);
  }
  return name as string;
}

/** Name of a value's type, for messages. */
export function typeName(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** Name of an object's class, for messages: as well as it can be known. */
export function className(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeName(value);
  try {
    const { constructor } = value as { constructor?: unknown };
    const name: unknown = typeof constructor === "function" ? constructor.name : "";
    if (typeof name === "string" && name !== "") return wellFormed(name);
  } catch {
    // An object that does not want to be looked at.
  }
  return "class instance";
}

/** Returns text that UTF-8 can express: half of a character becomes U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
