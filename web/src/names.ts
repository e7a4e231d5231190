/** Names and messages: what somebody gave, in words. */

/** A name, or a TypeError. */
export function checkName(name: unknown): string {
  if (typeof name !== "string") throw new TypeError(`a name must be a string, not ${typeName(name)}`);
  return name;
}

/** `"app.log"`: a name, or names between dots. */
export function checkDottedName(name: unknown): string {
  if (checkName(name).split(".").includes("") || (name as string).includes("\0")) {
    throw new TypeError(`${JSON.stringify(name)} is no name of a function: names between dots, without NUL`);
  }
  return name as string;
}

/** For messages: what somebody gave instead. */
export function typeName(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** For messages: the class of an object, as well as it can be told. */
export function className(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeName(value);
  const { constructor } = value as { constructor?: unknown };
  const name: unknown = typeof constructor === "function" ? constructor.name : "";
  return typeof name === "string" && name !== "" ? wellFormed(name) : "class instance";
}

/** Text that UTF-8 can express: half of a character becomes U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
