/**
 * A VM that is kept in the storage of its tables, and goes on from there: option `resume` (docs/snapshots.md, section 5).
 *
 * | record | what                                                                                             |
 * |--------|--------------------------------------------------------------------------------------------------|
 * | `i`    | for each page its number and its age (two u32); then an image (format.ts) without pages: the build, the sizes, what JavaScript knows of the VM; and its length (u32) |
 * | `m` n  | its age (u32), and page n of the memory as it is in an image                                     |
 * | `d`    | nothing: the VM has died since, and tables may be newer than it                                  |
 * | `o` n  | the n-th MiB of an image that another build has made: kept for those who want to look into it    |
 *
 * Invariants:
 * - Each commit has the pages that differ from those of the last one, and the tables of the same moment.
 * - What failed is written again as it is by then: of its pages nobody knows what storage has.
 * - A page is as old as the list says, or it is of another memory: half of one is never restored.
 */
import type { Companion, CompanionChange, TableStore } from "#js/storage/table_store.js";
import { LuaImageError } from "../errors.js";
import type { LuaPrevious } from "../options.js";
import { Vm, type VmParts } from "../vm.js";
import { imageError } from "./errors.js";
import { checkBuild, decodeImage, encodeImage, type PackedPage } from "./format.js";
import { PAGE_BYTES, buildOf, type MemoryPages, type MemoryPart } from "./pages.js";
import type { LuaTask } from "./tasks.js";

const PART_BYTES = 2 ** 20;
const WORDS = PAGE_BYTES / 4;
const LISTED_BYTES = 8;

/** Milliseconds between two commits, at least, while the program is busy ... */
const PAUSE_MS = 400;
/** ... and so many times what the last cut has cost: at most 1 % of the time goes into cuts, and as much into what storage does. */
const PAUSE_PER_COST = 100;

/** A VM, and what keeps it. */
interface Resumed {
  readonly vm: Vm;
  /** From now on it is kept. Done already for one that goes on: before it does. */
  readonly keep: () => void;
  /** The calls that waited; undefined: it has begun anew. */
  readonly tasks: LuaTask[] | undefined;
  /** Why, when there was one to go on with. */
  readonly previous: LuaPrevious | undefined;
  /** The last image that could not be restored, this time or before. */
  readonly kept: Uint8Array<ArrayBuffer> | undefined;
}

/** The VM that is in the store, or a new one. */
export async function resume(parts: VmParts): Promise<Resumed> {
  const { store, module } = parts;
  if (buildOf(module) === undefined) throw imageError("build", "this perilune.wasm does not say which build it is");
  const { companionRecords: records, companionStored: stored } = store;
  // They are not needed any more when this is over.
  store.companionRecords = new Map();
  const kept = store.companionDamaged ? undefined : keptImage(records);
  let image: Uint8Array<ArrayBuffer> | undefined;
  let previous: LuaPrevious | undefined;
  try {
    if (store.companionDamaged) throw damaged();
    const found = imageOfRecords(records);
    if (found !== undefined) {
      image = found.image;
      const decoded = decodeImage(image);
      checkBuild(decoded, module);
      if (records.has("d")) throw imageError("died", "the VM in the storage has died");
      let memory!: MemoryPart;
      const restoreState = { image: { ...decoded, memory: (pages: MemoryPages) => (memory = decoded.memory(pages)) } };
      const { vm, tasks } = await Vm.restore(parts, restoreState, (vm) => {
        accompany(store, new ResumeCompanion(vm, stored, { memory, ages: found.ages }, { image: kept, stored: true }));
      });
      return { vm, tasks, kept, previous, keep: () => {} };
    }
  } catch (reason) {
    if (!(reason instanceof LuaImageError)) throw reason;
    previous = { reason, image };
    // It may have died in this store, which is as it was.
    if (store.mode === "read-only") store.mode = "open";
  }
  const vm = await Vm.create(parts);
  const companion = new ResumeCompanion(vm, stored, undefined, { image: image ?? kept, stored: image === undefined });
  return { vm, keep: () => accompany(store, companion), tasks: undefined, previous, kept: image ?? kept };
}

/** Keeps this VM from now on, in the place of whichever was there. */
export function keep(vm: Vm): void {
  const { store } = vm;
  const image = store.companionDamaged ? undefined : keptImage(store.companionRecords);
  store.companionRecords = new Map();
  accompany(store, new ResumeCompanion(vm, store.companionStored, undefined, { image, stored: true }));
}

/** Has the companion from now on, and what it has now committed soon. */
function accompany(store: TableStore, companion: ResumeCompanion): void {
  store.accompany(companion);
  store.touch();
}

/** The image that is in the records of a storage; undefined when there is none. Throws when it is damaged. */
function imageOfRecords(
  records: ReadonlyMap<string, Uint8Array>,
): { image: Uint8Array<ArrayBuffer>; ages: Map<number, number> } | undefined {
  const bytes = records.get("i");
  if (bytes === undefined) return undefined;
  const view = viewOf(bytes);
  const listed = bytes.length - 4 - (bytes.length < 4 ? 0 : view.getUint32(bytes.length - 4, true));
  if (listed < 0 || listed % LISTED_BYTES !== 0) throw damaged();
  const head = decodeImage(bytes.subarray(listed, bytes.length - 4));
  const pages: PackedPage[] = [];
  const ages = new Map<number, number>();
  for (let at = 0; at < listed; at += LISTED_BYTES) {
    const [number, age] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const page = records.get(`m${number}`);
    if (page === undefined || page.length < 4 || viewOf(page).getUint32(0, true) !== age) throw damaged();
    ages.set(number, age);
    pages.push([number, page.subarray(4)]);
  }
  return { image: encodeImage(pages, head.build, head), ages };
}

/** The image of another build that was kept; undefined when there is none. */
function keptImage(records: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> | undefined {
  const parts: Uint8Array[] = [];
  for (let part = records.get("o0"); part !== undefined; part = records.get(`o${parts.length}`)) parts.push(part);
  if (parts.length === 0) return undefined;
  const image = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    image.set(part, at);
    at += part.length;
  }
  return image;
}

/** The records of an image that is kept. */
function partsOf(image: Uint8Array | undefined): Map<string, Uint8Array | null> {
  const parts = new Map<string, Uint8Array | null>();
  for (let at = 0; image !== undefined && at < image.length; at += PART_BYTES) {
    parts.set(`o${at / PART_BYTES}`, image.slice(at, at + PART_BYTES));
  }
  return parts;
}

/** Keeps one VM in storage. */
class ResumeCompanion implements Companion {
  readonly #vm: Vm;
  /** Pages by number, as storage has them, or will have when what is on its way is there; null: nobody knows. */
  readonly #pages = new Map<number, Int32Array | null>();
  /** Of those that say something, by number: the cut that they are of. */
  readonly #ages = new Map<number, number>();
  #age: number;
  /** Of these pages something is on its way. */
  #cut: number[] = [];
  /** To be written, beside pages; until it is committed. */
  #others: Map<string, Uint8Array | null>;
  /** The image of another build, for storage that has lost it. */
  readonly #kept: Uint8Array | undefined;
  /** What storage has, or will have, of what JavaScript knows, but for the time; undefined: nobody knows. */
  #said: string | undefined;
  #next = 0;

  /**
   * `stored`: names of the records that are there. `known`: what they say, if they are of this VM. `kept`: the image of another
   * build that is to be kept, and whether it is what is there.
   */
  constructor(
    vm: Vm,
    stored: Iterable<string>,
    known: { readonly memory: MemoryPart; readonly ages: ReadonlyMap<number, number> } | undefined,
    kept: { readonly image: Uint8Array | undefined; readonly stored: boolean },
  ) {
    this.#vm = vm;
    this.#kept = kept.image;
    const parts = partsOf(kept.image);
    this.#others = kept.stored ? new Map() : new Map(parts);
    for (const name of stored) {
      if (/^m\d+$/.test(name)) this.#pages.set(Number(name.slice(1)), null);
      // What is of no use may be damaged, and would stand in the way of everything else.
      else if (name !== "i" && !parts.has(name)) this.#others.set(name, null);
    }
    this.#age = 0;
    for (const age of known?.ages.values() ?? []) this.#age = Math.max(this.#age, age);
    known?.memory.numbers.forEach((number, index) => {
      this.#pages.set(number, known.memory.words.slice(index * WORDS, (index + 1) * WORDS));
      this.#ages.set(number, known.ages.get(number) as number);
    });
  }

  cut(): CompanionChange[] {
    const start = performance.now();
    const { pages, build, head } = this.#vm.snapshotParts();
    const image = encodeImage([], build, head);
    const changes: CompanionChange[] = [];
    this.#age += 1;
    const { first, end } = pages.range;
    this.#cut = [];
    for (let number = first; number < end; number++) {
      const page = pages.read(number);
      const stored = this.#pages.get(number);
      if (page === undefined ? stored === undefined : stored && isSame(stored, page)) continue;
      changes.push([`m${number}`, page === undefined ? null : aged(this.#age, pages.pack(number, page))]);
      this.#cut.push(number);
      if (page === undefined) this.#ages.delete(number);
      else this.#ages.set(number, this.#age);
      // A page that has been copied before has room for the next.
      if (page === undefined) this.#pages.set(number, null);
      else if (stored) stored.set(page);
      else this.#pages.set(number, page.slice());
    }
    // Of a larger memory than this one's.
    for (const number of this.#pages.keys()) {
      if (number >= first && number < end) continue;
      changes.push([`m${number}`, null]);
      this.#cut.push(number);
    }
    const now = performance.now();
    this.#next = now + Math.max(PAUSE_MS, PAUSE_PER_COST * (now - start));
    // Where something ran, the memory has changed; tables can be dropped without.
    const { host, tables } = head.meta;
    const said = JSON.stringify([host, tables]);
    if (changes.length === 0 && said === this.#said) return [];
    this.#said = said;
    changes.push(["i", this.#listed(image)], ...this.#others);
    return changes;
  }

  succeeded(): void {
    for (const number of this.#cut) if (this.#pages.get(number) === null) this.#pages.delete(number);
    this.#others.clear();
  }

  failed(): void {
    for (const number of this.#cut) this.#pages.set(number, null);
    this.#said = undefined;
  }

  markAllDirty(): void {
    for (const number of this.#pages.keys()) this.#pages.set(number, null);
    this.#others = partsOf(this.#kept);
  }

  /** The record `i`. */
  #listed(image: Uint8Array): Uint8Array {
    const list = [...this.#ages].sort(([a], [b]) => a - b);
    const at = list.length * LISTED_BYTES;
    const record = new Uint8Array(at + image.length + 4);
    const view = viewOf(record);
    list.flat().forEach((value, index) => view.setUint32(4 * index, value, true));
    record.set(image, at);
    view.setUint32(at + image.length, image.length, true);
    return record;
  }

  farewell(): CompanionChange[] {
    return [["d", new Uint8Array(0)]];
  }

  pause(): number {
    return Math.max(0, this.#next - performance.now());
  }
}

/** The record of a page. */
function aged(age: number, packed: Uint8Array): Uint8Array {
  const record = new Uint8Array(4 + packed.length);
  viewOf(record).setUint32(0, age, true);
  record.set(packed, 4);
  return record;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function damaged(): Error {
  return imageError("corrupt", "the image in the storage is damaged");
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
