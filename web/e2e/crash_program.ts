/**
 * Program of the pages of crash.test.ts: one whose state after eval `n` is a function of `n` alone, as Lua to
 * be run and as a model to compare with.
 *
 * Every eval writes `n` into the table "world" first and something elsewhere after it, so a storage with a
 * part of an eval is equal to no state of the model.
 */
import { Random } from "../test/random.ts";

type Key = string | number;

/** A text, by what it is made of: the model holds many of 300 KB that it never needs to write out. */
interface Text {
  seed: number;
  size: number;
}

type Operation =
  | { kind: "set"; table: string; key: Key; text: Text }
  | { kind: "remove"; table: string; key: Key }
  | { kind: "fill"; table: string; count: number; seed: number }
  | { kind: "clear" | "drop"; table: string }
  | { kind: "rolled back" | "transaction"; operations: Operation[] };

/**
 * All tables, oldest first, and their entries, oldest first: the order of `Map` is that of external tables.
 */
export type World = Map<string, Map<Key, Text | number>>;

const TABLES = ["notes", "a b", "déjà", "x"];
const KEYS_PER_TABLE = 60;
const FILL_ENTRIES_MAX = 1200;

/** The eval of this number as Lua. */
export function source(n: number): string {
  const lines = [`ext.table("world").n = ${n}`, ...operations(n).map(lua)];
  // What a failing eval wrote before it failed stays.
  if (n % 13 === 0) lines.push(`error("meant to fail")`);
  return lines.join("\n");
}

/** Does to the model what the eval of this number does. */
export function advance(world: World, n: number): void {
  table(world, "world").set("n", n);
  for (const operation of operations(n)) apply(world, operation);
}

/** Returns the number of the last eval in the tables that were found in storage. */
export function lastEval(tables: Map<string, [unknown, unknown][]>): number {
  const n = tables.get("world")?.find(([key]) => key === "n")?.[1];
  return typeof n === "number" ? n : 0;
}

/** The first difference between what was found and the model, undefined when there is none. */
export function difference(found: Map<string, [unknown, unknown][]>, world: World): string | undefined {
  const names = [...found.keys()].join();
  if (names !== [...world.keys()].join()) return `tables ${names} instead of ${[...world.keys()].join()}`;
  for (const [name, entries] of world) {
    const there = found.get(name) ?? [];
    if (there.length !== entries.size) return `${there.length} entries in ${name} instead of ${entries.size}`;
    let at = 0;
    for (const [key, value] of entries) {
      const [foundKey, foundValue] = there[at++] ?? [];
      if (foundKey !== key) return `key ${String(foundKey)} in ${name} at place ${at} instead of ${key}`;
      const expected = typeof value === "number" ? value : written(value);
      if (foundValue !== expected) {
        return `${name}[${key}] is ${excerpt(foundValue)} instead of ${excerpt(expected)}`;
      }
    }
  }
  return undefined;
}

function operations(n: number): Operation[] {
  const random = new Random(n);
  return Array.from({ length: 1 + random.below(8) }, () => operation(random, true));
}

function operation(random: Random, outermost: boolean): Operation {
  const table = random.pick(TABLES);
  const number = random.below(KEYS_PER_TABLE);
  const key = number % 2 === 0 ? number : `key ${number}`;
  const chance = random.below(1000);
  if (chance < 250) return { kind: "remove", table, key };
  if (chance < 260) return { kind: "clear", table };
  if (chance < 270) return { kind: "drop", table };
  if (chance < 285) return { kind: "fill", table, count: 1 + random.below(FILL_ENTRIES_MAX), seed: random.below(1e9) };
  if (chance < 340 && outermost) {
    const operations = Array.from({ length: 1 + random.below(4) }, () => operation(random, false));
    return { kind: chance < 310 ? "transaction" : "rolled back", operations };
  }
  const size = chance < 345 ? 300_000 : chance < 400 ? 5000 : random.below(40);
  return { kind: "set", table, key, text: { seed: random.below(1e9), size } };
}

function apply(world: World, operation: Operation): void {
  switch (operation.kind) {
    case "set":
      table(world, operation.table).set(operation.key, operation.text);
      break;
    case "remove":
      table(world, operation.table).delete(operation.key);
      break;
    case "fill":
      for (let i = 1; i <= operation.count; i++) table(world, operation.table).set(`fill ${i}`, operation.seed + i);
      break;
    case "clear":
      table(world, operation.table).clear();
      break;
    case "drop":
      world.delete(operation.table);
      break;
    case "transaction":
      for (const inner of operation.operations) apply(world, inner);
      break;
    case "rolled back":
  }
}

function lua(operation: Operation): string {
  switch (operation.kind) {
    case "set":
      return `${opened(operation.table)}[${literal(operation.key)}] = "${written(operation.text)}"`;
    case "remove":
      return `${opened(operation.table)}[${literal(operation.key)}] = nil`;
    case "fill":
      return `for i = 1, ${operation.count} do ${opened(operation.table)}["fill " .. i] = ${operation.seed} + i end`;
    case "clear":
      return `ext.clear(${opened(operation.table)})`;
    case "drop":
      return `ext.drop("${operation.table}")`;
    case "transaction":
      return `ext.transaction(function() ${operation.operations.map(lua).join(" ")} end)`;
    case "rolled back":
      return `pcall(ext.transaction, function() ${operation.operations.map(lua).join(" ")} error("no") end)`;
  }
}

/** Opening makes the table, in Lua as here. */
function table(world: World, name: string): Map<Key, Text | number> {
  let entries = world.get(name);
  if (entries === undefined) world.set(name, (entries = new Map()));
  return entries;
}

function opened(name: string): string {
  return `ext.table("${name}")`;
}

function literal(key: Key): string {
  return typeof key === "number" ? String(key) : `"${key}"`;
}

/** Text that hardly compresses: what is 300 KB long is about that long on the disk. */
function written({ seed, size }: Text): string {
  const random = new Random(seed);
  let text = `${seed} `;
  while (text.length < size) text += random.below(2 ** 30).toString(36);
  return text;
}

function excerpt(value: unknown): string {
  const text = String(value);
  return text.length > 40 ? `${text.slice(0, 40)}... (${text.length})` : text;
}
