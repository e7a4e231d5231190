/** Values as plain data that can be compared, and pass through JSON. Runs in pages, too. */

/** A value as tests/vectors/conversion.json writes it. */
export type Described = [tag: string, content?: unknown];

/** The description of a value; the inverse of `described`, pairs in an order of their own. */
export function describe(value: unknown): Described {
  const sorted = (pairs: [unknown, Described][]) =>
    pairs.sort(([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (value === undefined) return ["undefined"];
  if (value === null) return ["null"];
  if (typeof value === "number") return ["number", Object.is(value, -0) ? "-0" : String(value)];
  if (typeof value === "bigint") return ["bigint", String(value)];
  if (value instanceof Uint8Array) return ["bytes", [...value]];
  if (Array.isArray(value)) return ["array", Array.from(value, describe)];
  if (value instanceof Map) return ["map", sorted([...value].map(([key, of]) => [describe(key), describe(of)]))];
  if (typeof value !== "object") return [typeof value, value];
  return ["object", sorted(Object.entries(value).map(([name, of]) => [name, describe(of)]))];
}
