/** Reads the text of an image (docs/codec.md, section 6), and refuses what makes no sense. */
import { SeededRandom, type BudgetPart } from "../instance/limits.js";
import { DELAY_MS_MAX } from "../option_rules.js";
import { HOST_ID_FIRST } from "../codec/tags.js";
import { imageError } from "./errors.js";
import type { EndingPart, HostPart, Meta, PendingWait, TaskPart } from "./parts.js";

/** Bound of every index: larger ones are no image's, and would only cost room. */
const INDEX_MAX = 2 ** 24;
/**
 * Least bytes of Lua's memory that a reference to a host function or object takes. Freed ids are given again,
 * so no id is higher than the most references of one time.
 */
const REFERENCE_BYTES_MIN = 16;
const IDS_SPARE = 1024;

/**
 * Parses the text of an image with a memory of that size. Throws a `LuaImageError`: a checksum shows damage,
 * not who has made the image.
 */
export function parseMeta(text: string, memoryBytes: number): Meta {
  let meta: Partial<Record<keyof Meta, unknown>>;
  try {
    meta = JSON.parse(text) as typeof meta;
  } catch {
    throw damaged();
  }
  if (typeof meta !== "object" || meta === null) throw damaged();
  const { host, tables, tasks, clock, random } = meta;
  // Ids, and the names of those that were registered.
  const known = new Set<unknown>();
  const idMax = memoryBytes / REFERENCE_BYTES_MIN + IDS_SPARE;
  const isHost = (entry: unknown): entry is HostPart => {
    if (!Array.isArray(entry)) return false;
    const [id, kind, label, uses] = entry as unknown[];
    if (!isIndex(id) || id > idMax || id < HOST_ID_FIRST || known.has(id) || typeof label !== "string") return false;
    known.add(id);
    if (uses === null) return kind === "function" && !known.has(label) && known.add(label) !== undefined;
    return (kind === "function" || kind === "object") && Number.isSafeInteger(uses) && (uses as number) > 0;
  };
  const isTableName = (name: unknown): name is string | null =>
    // eslint-disable-next-line no-control-regex
    name === null || (typeof name === "string" && /^[\0-\xff]{1,1024}$/.test(name));
  if (!isArray(host, isHost) || !isArray(tables, isTableName) || !isArray(tasks, isTask)) throw damaged();
  const isRandom = random === undefined || (isArray(random, Number.isInteger) && random.length === SeededRandom.WORDS);
  if (!Number.isFinite(clock) || !isRandom) throw damaged();
  return { host, tables, tasks, clock: clock as number, random: random as readonly number[] | undefined };
}

function isTask(task: unknown): task is TaskPart {
  const { task: number, name, pending, budget, ending } = (task ?? {}) as Partial<Record<keyof TaskPart, unknown>>;
  if (pending !== undefined && !isPendingWait(pending)) return false;
  if (ending !== undefined && !isEnding(ending)) return false;
  return isIndex(number) && typeof name === "string" && (budget === undefined || isBudget(budget));
}

function isBudget(budget: unknown): budget is BudgetPart {
  const { timeout, fuel, usedMs, usedFuel, closing } = (budget ?? {}) as Record<string, unknown>;
  const isAmount = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
  const isLimit = (value: unknown) => value === undefined || value === null || isAmount(value);
  const isClosing = closing === undefined || (isArray(closing, isAmount) && closing.length === 2);
  return isLimit(timeout) && isLimit(fuel) && isAmount(usedMs) && isAmount(usedFuel) && isClosing;
}

function isEnding(ending: unknown): ending is EndingPart {
  const { reason, message, traceback, begun, goesOn } = (ending ?? {}) as Record<string, unknown>;
  if (traceback !== undefined && typeof traceback !== "string") return false;
  const isReason = typeof reason === "string" && ["timeout", "fuel", "interrupt"].includes(reason);
  return isReason && typeof message === "string" && typeof begun === "boolean" && typeof goesOn === "boolean";
}

function isPendingWait(pending: unknown): pending is PendingWait {
  const { sleep, run, count, first, start } = (pending ?? {}) as Record<string, unknown>;
  if (sleep !== undefined) return typeof sleep === "number" && sleep >= 0 && sleep <= DELAY_MS_MAX;
  const isMember = (member: unknown): member is [number, number] =>
    Array.isArray(member) && member.length === 2 && member.every(isIndex);
  if (!isIndex(count) || !isArray(run, isMember) || !isArray(start, isMember)) return false;
  const places = [...run, ...start].map(([place]) => place);
  if (!places.every((place) => place < count) || new Set(places).size !== places.length) return false;
  return first === undefined || (isIndex(first) && first > 0 && first <= count);
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < INDEX_MAX;
}

function isArray<T>(value: unknown, each: (member: unknown) => member is T): value is T[];
function isArray(value: unknown, each: (member: unknown) => boolean): value is unknown[];
function isArray(value: unknown, each: (member: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length < INDEX_MAX && value.every(each);
}

function damaged(): Error {
  return imageError("corrupt", "the image is damaged: what it says of the host makes no sense");
}
