/**
 * Option `resume`: a VM that is kept in the storage of its tables, and goes on from there (docs/snapshots.md,
 * section 5).
 *
 * It is the participant `vm` of the commits of its store. The names of its records:
 *
 * | record | content                                                                                        |
 * |--------|------------------------------------------------------------------------------------------------|
 * | `i`    | the list of pages: number and age of each (two u32); an image (format.ts) without pages, which |
 * |        | has the build, the sizes, and what JavaScript knows of the VM; the length of that image (u32)  |
 * | `m` n  | its age (u32), and page n of the memory as it is in an image                                   |
 * | `d`    | empty: the VM has died since, and tables may be newer than it                                  |
 * | `o` n  | the n-th MiB of an image that another build has made: `lua.previousImage`                      |
 *
 * Invariants:
 * - Each commit has the pages that differ from those of the last one, and the tables of the same moment.
 * - Changes of a commit that failed are written again as they are by then: what storage has of these pages is
 *   unknown.
 * - A page is as old as the list says, or it is of another memory: half of one is never restored.
 */
import type { CommitParticipant, ParticipantChange } from "#js/storage/participants.js";
import type { TableStore } from "#js/storage/table_store.js";
import { LuaImageError } from "../errors.js";
import type { LuaPrevious } from "../options.js";
import { VM_PARTICIPANT } from "../instance/instance.js";
import { Vm, type VmParts } from "../vm.js";
import { imageError } from "./errors.js";
import { checkBuild, decodeImage } from "./decode.js";
import { encodeImage, type PackedPage } from "./format.js";
import { PAGE_BYTES, buildOf, type MemoryPages, type MemoryPart } from "./pages.js";
import { restoreVm } from "./restore.js";
import type { LuaTask } from "./tasks.js";

/** Bytes of an image of another build in one record. */
const PART_BYTES = 2 ** 20;
/** 32-bit words of a page. */
const WORDS = PAGE_BYTES / 4;
/** Bytes of a page in the list of the record `i`. */
const LISTED_BYTES = 8;

/** Milliseconds between two commits, at least, while the program is busy. */
const PAUSE_MS = 400;
/**
 * Pause between two commits as a multiple of the time that taking the last changes took: so 1 % of the time
 * goes into that, and as much into what storage does; and the most of it, whatever that costs, since a reload
 * goes back as far.
 */
const PAUSE_PER_COST = 100;
const PAUSE_MS_MAX = 500;

/** VM of a store, restored or new. */
interface Resumed {
  readonly vm: Vm;
  /** Starts committing the VM. Done already for one that was restored, before it goes on. */
  readonly keep: () => void;
  /** Calls that waited; undefined: the VM is new. */
  readonly tasks: LuaTask[] | undefined;
  /** Image that could not be restored, and the reason. */
  readonly previous: LuaPrevious | undefined;
  /** Last image that could not be restored, this time or before. */
  readonly kept: Uint8Array<ArrayBuffer> | undefined;
}

/** Restores the VM that is in the store, or makes a new one. */
export async function resume(parts: VmParts): Promise<Resumed> {
  const { store, module } = parts;
  if (buildOf(module) === undefined) throw imageError("build", "this perilune.wasm does not say which build it is");
  const { records, damaged } = store.participants.takeFound(VM_PARTICIPANT);
  const stored = store.participants.member(VM_PARTICIPANT).stored;
  const kept = damaged ? undefined : keptImage(records);
  let image: Uint8Array<ArrayBuffer> | undefined;
  let previous: LuaPrevious | undefined;
  try {
    if (damaged) throw damagedError();
    const found = imageOfRecords(records);
    if (found !== undefined) {
      image = found.image;
      const decoded = decodeImage(image);
      checkBuild(decoded, module);
      if (records.has("d")) throw imageError("died", "the VM in the storage has died");
      let memory!: MemoryPart;
      const restoreState = { image: { ...decoded, memory: (pages: MemoryPages) => (memory = decoded.memory(pages)) } };
      const { vm, tasks } = await restoreVm(parts, restoreState, (vm) => {
        attach(store, new VmParticipant(vm, stored, { memory, ages: found.ages }, { image: kept, stored: true }));
      });
      return { vm, tasks, kept, previous, keep: () => {} };
    }
  } catch (reason) {
    if (!(reason instanceof LuaImageError)) throw reason;
    previous = { reason, image };
    // The VM may have died in this store, which has undone what it did.
    if (store.mode === "read-only") store.mode = "open";
  }
  const vm = await Vm.create(parts);
  const participant = new VmParticipant(vm, stored, undefined, { image: image ?? kept, stored: image === undefined });
  return { vm, keep: () => attach(store, participant), tasks: undefined, previous, kept: image ?? kept };
}

/** Starts committing this VM, in the place of the one that is in the store. */
export function keep(vm: Vm): void {
  const { store } = vm;
  const { records, damaged } = store.participants.takeFound(VM_PARTICIPANT);
  const stored = store.participants.member(VM_PARTICIPANT).stored;
  const image = damaged ? undefined : keptImage(records);
  attach(store, new VmParticipant(vm, stored, undefined, { image, stored: true }));
}

/** Attaches the VM to the commits of the store, and has it committed soon. */
function attach(store: TableStore, participant: VmParticipant): void {
  store.attach(participant);
  store.requestCommit();
}

/**
 * Image that is in the records of a storage; undefined when there is none. Throws `corrupt` when it is
 * damaged.
 */
function imageOfRecords(
  records: ReadonlyMap<string, Uint8Array>,
): { image: Uint8Array<ArrayBuffer>; ages: Map<number, number> } | undefined {
  const bytes = records.get("i");
  if (bytes === undefined) return undefined;
  const view = viewOf(bytes);
  const listed = bytes.length - 4 - (bytes.length < 4 ? 0 : view.getUint32(bytes.length - 4, true));
  if (listed < 0 || listed % LISTED_BYTES !== 0) throw damagedError();
  const head = decodeImage(bytes.subarray(listed, bytes.length - 4));
  const pages: PackedPage[] = [];
  const ages = new Map<number, number>();
  for (let at = 0; at < listed; at += LISTED_BYTES) {
    const [number, age] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const page = records.get(`m${number}`);
    if (page === undefined || page.length < 4 || viewOf(page).getUint32(0, true) !== age) throw damagedError();
    ages.set(number, age);
    pages.push([number, page.subarray(4)]);
  }
  return { image: encodeImage(pages, head.build, head), ages };
}

/** Image of another build that was kept; undefined when there is none. */
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

/** Records of an image that is kept. */
function partsOf(image: Uint8Array | undefined): Map<string, Uint8Array | null> {
  const parts = new Map<string, Uint8Array | null>();
  for (let at = 0; image !== undefined && at < image.length; at += PART_BYTES) {
    parts.set(`o${at / PART_BYTES}`, image.slice(at, at + PART_BYTES));
  }
  return parts;
}

/** Participant that keeps one VM in storage. */
class VmParticipant implements CommitParticipant {
  readonly name = VM_PARTICIPANT;
  readonly #vm: Vm;
  /**
   * Pages by number, as storage has them, or will have once the running commit has succeeded; null: unknown.
   */
  readonly #pages = new Map<number, Int32Array | null>();
  /** Age of the last changes: a number that each commit raises. */
  #age: number;
  /** Ages of pages that are not empty, by number. */
  readonly #ages = new Map<number, number>();
  /** Numbers of the pages in the running commit. */
  #taken: number[] = [];
  /** Other records to be written, until they are committed. */
  #others: Map<string, Uint8Array | null>;
  /** Image of another build, for storage that has lost it. */
  readonly #kept: Uint8Array | undefined;
  /**
   * JSON of what storage has, or will have, of what JavaScript knows, without the time; undefined: unknown.
   */
  #json: string | undefined;
  /** Time of the next commit at the earliest, as of `performance.now()`. */
  #nextMs = 0;

  /**
   * Makes the participant. `stored`: names of the records that are there. `known`: their content, if they are
   * of this VM. `kept`: the image of another build that is to be kept, and true if storage has it.
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
      // Records of no use may be damaged, and would keep all others from being used.
      else if (name !== "i" && !parts.has(name)) this.#others.set(name, null);
    }
    this.#age = 0;
    for (const age of known?.ages.values() ?? []) this.#age = Math.max(this.#age, age);
    known?.memory.numbers.forEach((number, index) => {
      this.#pages.set(number, known.memory.words.slice(index * WORDS, (index + 1) * WORDS));
      this.#ages.set(number, known.ages.get(number) as number);
    });
  }

  takeChanges(): ParticipantChange[] {
    const start = performance.now();
    const { pages, build, head } = this.#vm.snapshotParts();
    const image = encodeImage([], build, head);
    const changes: ParticipantChange[] = [];
    this.#age += 1;
    const { first, end } = pages.range;
    this.#taken = [];
    for (let number = first; number < end; number++) {
      const page = pages.read(number);
      const stored = this.#pages.get(number);
      if (page === undefined ? stored === undefined : stored && isSame(stored, page)) continue;
      changes.push([`m${number}`, page === undefined ? null : aged(this.#age, pages.pack(number, page))]);
      this.#taken.push(number);
      if (page === undefined) this.#ages.delete(number);
      else this.#ages.set(number, this.#age);
      // A page that has been copied before has room for the next.
      if (page === undefined) this.#pages.set(number, null);
      else if (stored) stored.set(page);
      else this.#pages.set(number, page.slice());
    }
    // Pages of a larger memory than this one.
    for (const number of this.#pages.keys()) {
      if (number >= first && number < end) continue;
      changes.push([`m${number}`, null]);
      this.#taken.push(number);
    }
    const now = performance.now();
    this.#nextMs = now + Math.min(Math.max(PAUSE_MS, PAUSE_PER_COST * (now - start)), PAUSE_MS_MAX);
    // Where something ran, the memory has changed; tables can be dropped without.
    const { host, tables } = head.meta;
    const json = JSON.stringify([host, tables]);
    if (changes.length === 0 && json === this.#json) return [];
    this.#json = json;
    changes.push(["i", this.#listed(image)], ...this.#others);
    return changes;
  }

  succeeded(): void {
    for (const number of this.#taken) if (this.#pages.get(number) === null) this.#pages.delete(number);
    this.#others.clear();
  }

  failed(): void {
    for (const number of this.#taken) this.#pages.set(number, null);
    this.#json = undefined;
  }

  markAllDirty(): void {
    for (const number of this.#pages.keys()) this.#pages.set(number, null);
    this.#others = partsOf(this.#kept);
  }

  /** Makes the record `i`. */
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

  onDetach(): ParticipantChange[] {
    return [["d", new Uint8Array(0)]];
  }

  pauseMs(): number {
    return Math.max(0, this.#nextMs - performance.now());
  }
}

/** Makes the record of a page. */
function aged(age: number, packed: Uint8Array): Uint8Array {
  const record = new Uint8Array(4 + packed.length);
  viewOf(record).setUint32(0, age, true);
  record.set(packed, 4);
  return record;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function damagedError(): Error {
  return imageError("corrupt", "the image in the storage is damaged");
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
