/**
 * A VM that is kept in the storage of its tables, and goes on from there: option `resume` (docs/storage.md, section 8).
 *
 * | record | what                                                                                             |
 * |--------|--------------------------------------------------------------------------------------------------|
 * | `i`    | for each page its number and its age (two u32); then an image (format.ts) without pages: the build, the sizes, what JavaScript knows of the VM; and its length (u32) |
 * | `m` n  | its age (u32), and page n of the memory as it is in an image                                     |
 * | `o` n  | the n-th MiB of an image that another build has made: kept for those who want to look into it    |
 *
 * Invariants:
 * - Each commit has the pages that differ from those of the last one, and the tables of the same moment.
 * - What failed is written again as it is by then: of its pages nobody knows what storage has.
 * - A page is as old as the list says, or it is of another memory: half of one is never woken up.
 */
import type { Companion, CompanionChange } from "#js/table_store.js";
import { LuaImageError } from "../errors.js";
import type { LuaPrevious } from "../options.js";
import { Vm, type VmParts } from "../vm.js";
import { imageError } from "./errors.js";
import { checkBuild, decodeImage, encodeImage, type PackedPage } from "./format.js";
import { PAGE_BYTES, buildOf, type Photo } from "./pages.js";
import type { LuaTask } from "./tasks.js";

const PART_BYTES = 2 ** 20;
const WORDS = PAGE_BYTES / 4;
const LISTED_BYTES = 8;

/** Milliseconds between two commits, at least, while the program is busy ... */
const PAUSE_MS = 200;
/** ... and so many times what the last cut has cost: at most 2 % of the time goes into cuts. */
const PAUSE_PER_COST = 50;

/** A VM, and what keeps it. */
interface Resumed {
  readonly vm: Vm;
  readonly companion: ResumeCompanion;
  /** The calls that waited; undefined: it has begun anew. */
  readonly tasks: LuaTask[] | undefined;
  /** Why, when there was one to go on with. */
  readonly previous: LuaPrevious | undefined;
  /** The last image that could not be woken up, this time or before. */
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
      let photo!: Photo;
      const { vm, tasks } = await Vm.wake(parts, {
        image: { ...decoded, photo: (pages) => (photo = decoded.photo(pages)) },
      });
      const companion = new ResumeCompanion(vm, stored, { photo, ages: found.ages }, undefined);
      return { vm, tasks, kept, previous, companion };
    }
  } catch (reason) {
    if (!(reason instanceof LuaImageError)) throw reason;
    previous = { reason, image };
  }
  const vm = await Vm.create(parts);
  const companion = new ResumeCompanion(vm, stored, undefined, image);
  return { vm, companion, tasks: undefined, previous, kept: image ?? kept };
}

/** Keeps this VM from now on, in the place of whichever was there. */
export function keep(vm: Vm): void {
  const { store } = vm;
  store.companionRecords = new Map();
  store.accompany(new ResumeCompanion(vm, store.companionStored, undefined, undefined));
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
  #others = new Map<string, Uint8Array | null>();
  /** All that was set into `others` so far, for storage that has lost it. */
  readonly #kept: ReadonlyMap<string, Uint8Array | null>;
  #next = 0;

  /**
   * `stored`: names of the records that are there. `known`: what they say, if they are of this VM. `kept`: an image of another
   * build, to be kept; undefined: nothing is changed about one that is.
   */
  constructor(
    vm: Vm,
    stored: Iterable<string>,
    known: { readonly photo: Photo; readonly ages: ReadonlyMap<number, number> } | undefined,
    kept: Uint8Array | undefined,
  ) {
    this.#vm = vm;
    const others = new Map<string, Uint8Array | null>();
    for (const name of stored) {
      if (name.startsWith("m")) this.#pages.set(Number(name.slice(1)), null);
      else if (name.startsWith("o") && kept !== undefined) others.set(name, null);
    }
    for (let at = 0; kept !== undefined && at < kept.length; at += PART_BYTES) {
      others.set(`o${at / PART_BYTES}`, kept.slice(at, at + PART_BYTES));
    }
    this.#age = Math.max(0, ...(known?.ages.values() ?? []));
    known?.photo.numbers.forEach((number, index) => {
      this.#pages.set(number, known.photo.words.slice(index * WORDS, (index + 1) * WORDS));
      this.#ages.set(number, known.ages.get(number) as number);
    });
    this.#kept = others;
    this.#others = new Map(others);
  }

  cut(): CompanionChange[] {
    const start = performance.now();
    const { pages, build, head } = this.#vm.exposure();
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
    const now = performance.now();
    this.#next = now + Math.max(PAUSE_MS, PAUSE_PER_COST * (now - start));
    // What JavaScript knows has changed only if something ran, and that leaves traces.
    if (changes.length > 0) changes.push(["i", this.#listed(image)], ...this.#others);
    return changes;
  }

  succeeded(): void {
    for (const number of this.#cut) if (this.#pages.get(number) === null) this.#pages.delete(number);
    this.#others.clear();
  }

  failed(): void {
    for (const number of this.#cut) this.#pages.set(number, null);
  }

  soilAll(): void {
    for (const number of this.#pages.keys()) this.#pages.set(number, null);
    this.#others = new Map(this.#kept);
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
