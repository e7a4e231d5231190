/**
 * Files of a database in the origin's private file system, by sync access handles: workers of browsers.
 *
 * A handle can be opened only by waiting, and the module cannot wait. So a pool of files, the slots, is open
 * all the time, and which file of the database is in which slot is written at the start of the slot:
 *
 * | byte | head of a slot                                          |
 * |------|---------------------------------------------------------|
 * | 0    | `PERISLOT`                                              |
 * | 8    | CRC-32 of the head from byte 12 on (u32, little endian) |
 * | 12   | length of the name in bytes (u32)                       |
 * | 16   | number of the head: larger than those before it (f64)   |
 * | 24   | the name in UTF-8, then zeros                           |
 *
 * The file follows at byte 4096.
 *
 * Invariants:
 * - A head that is not whole is that of a free slot: never a wrong name.
 * - A name is on the disk only after what an earlier file left in the slot has gone from it, and a file
 *   that was removed is gone before its name is given again. So no old log is taken for a new one.
 * - What is written is all there, or the result is `full`: browsers say so by a count, or an exception.
 * - Where there is no room, not even a DELETE works, since the log must grow, and the database when the log
 *   goes into it. The reserve, a file without contents, is given up when a log or a journal finds none, for
 *   then a statement fails and says so; its room comes back when it is closed. Where the database finds none
 *   nobody hears of it: SQLite tries again later to bring the log into it. The reserve grows with the files,
 *   since browsers take room in growing steps, and `replenish` takes it back.
 */
import { crc32 } from "#js/storage/crc32.js";
import { FailureCode, Failures, FileError, bytesIn, nameIn, opened, type FileFailure, type Files } from "./files.js";

/** Functions of a `FileSystemSyncAccessHandle` that are used. */
export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  getSize(): number;
  close(): void;
}

/** Functions of a `FileSystemFileHandle` that are used. */
export interface FileHandle {
  createSyncAccessHandle(): Promise<SyncHandle>;
}

/** Functions of a `FileSystemDirectoryHandle` that are used. */
export interface Folder {
  keys(): AsyncIterable<string>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<FileHandle>;
}

export interface OpfsOptions {
  /** Slots that are free beside those that have files: for a database, its log, its journal, and more. */
  readonly spare?: number;
  /** Bytes of the reserve beside one step of the largest file; 0: there is none. */
  readonly reserveBytes?: number;
  /** Bytes that the browser takes at once when a file of this size grows. */
  readonly growthStep?: (size: number) => number;
}

export const HEAD_BYTES = 4096;
const MAGIC = "PERISLOT";
const SUM_AT = 8;
const LENGTH_AT = 12;
const NUMBER_AT = 16;
const NAME_AT = 24;
/** Longest name, in bytes. */
export const NAME_BYTES_MAX: number = HEAD_BYTES - NAME_AT;

const SPARE_DEFAULT = 6;
/** Files of one database: itself, its log, its journal. */
const SPARE_MIN = 3;
const MIB = 1024 * 1024;
/** Two steps of a log, which goes into the database when it has 4 MiB. */
const RESERVE_BYTES_DEFAULT = 8 * MIB;
/** Size from which on Chromium takes room for a file in steps of this size; below, it doubles. */
const GRANT_BYTES_MAX = 128 * MIB;
const SLOT = /^slot-(\d+)$/;
const RESERVE = "reserve";
/** Endings of files without which no statement can write. */
const COMPANION = /-(?:wal|journal)$/;

interface Slot {
  readonly handle: SyncHandle;
  /** Name of the file in it; empty: it is free as soon as nobody has it open. */
  name: string;
  number: number;
  opens: number;
  /** Size of the file up to which the reserve knows it. */
  known: number;
}

type Reserve = { readonly state: "held"; readonly handle: SyncHandle; bytes: number } | { readonly state: "given up" };

export class OpfsFiles implements Files {
  readonly #folder: Folder;
  readonly #spare: number;
  readonly #reserveBytes: number;
  readonly #growthStep: (size: number) => number;
  readonly #slots: Slot[] = [];
  readonly #open = new Map<number, Slot>();
  readonly #failures = new Failures(codeOf);
  #reserve: Reserve = { state: "given up" };
  #nextId = 1;
  #nextNumber = 1;
  #nextSlot = 0;
  #isClosed = false;
  #replenishing: Promise<void> | undefined;

  private constructor(folder: Folder, options: OpfsOptions) {
    this.#folder = folder;
    this.#spare = options.spare ?? SPARE_DEFAULT;
    this.#reserveBytes = options.reserveBytes ?? RESERVE_BYTES_DEFAULT;
    this.#growthStep = options.growthStep ?? growthStep;
  }

  /**
   * Opens the pool in a folder, which is nobody else's: all of its slots are opened, and more are made.
   * Rejects as the platform does: `NoModificationAllowedError` when another worker has it.
   */
  static async open(folder: Folder, options: OpfsOptions = {}): Promise<OpfsFiles> {
    const files = new OpfsFiles(folder, options);
    try {
      const names: string[] = [];
      for await (const name of folder.keys()) names.push(name);
      for (const name of names) {
        const number = SLOT.exec(name)?.[1];
        if (number === undefined) continue;
        files.#nextSlot = Math.max(files.#nextSlot, Number(number) + 1);
        await unlessFull(() => files.#addSlot(name));
      }
      files.#dropOlder();
      await files.replenish();
      return files;
    } catch (error) {
      files.dispose();
      throw error;
    }
  }

  /** Names of the files in the pool. */
  get names(): string[] {
    return this.#slots.map(({ name }) => name).filter((name) => name !== "");
  }

  /** Bytes of the reserve, whether it is there or not. */
  get reserveBytes(): number {
    return this.#reserveBytes;
  }

  /** True if the reserve is there. Without it, a checkpoint is the first thing to do, and then to delete. */
  get hasReserve(): boolean {
    return this.#reserve.state === "held";
  }

  /**
   * Makes slots until enough are free, and takes the reserve back, as far as there is room for them. Rejects
   * when the platform fails in another way.
   */
  replenish(): Promise<void> {
    this.#replenishing ??= this.#fill().finally(() => (this.#replenishing = undefined));
    return this.#replenishing;
  }

  async #fill(): Promise<void> {
    // What is needed most comes first. Without the rest a file may be refused later; now nothing is lost.
    await unlessFull(() => this.#addSlots(Math.min(SPARE_MIN, this.#spare)));
    await unlessFull(() => this.#takeReserve());
    await unlessFull(() => this.#addSlots(this.#spare));
  }

  async #addSlots(wanted: number): Promise<void> {
    while (!this.#isClosed && this.#free().length < wanted) await this.#addSlot(`slot-${this.#nextSlot++}`);
  }

  async #takeReserve(): Promise<void> {
    if (this.#isClosed || this.hasReserve || this.#reserveBytes === 0) return;
    const file = await this.#folder.getFileHandle(RESERVE, { create: true });
    const handle = await file.createSyncAccessHandle();
    this.#reserve = { state: "held", handle, bytes: handle.getSize() };
    try {
      this.#extendReserve(this.#reserve);
    } catch (error) {
      this.#giveUpReserve();
      throw error;
    }
    // Closed meanwhile.
    if (this.#isClosed) this.dispose();
  }

  /** Closes all handles. What is asked afterwards is refused as `closed`. */
  dispose(): void {
    this.#isClosed = true;
    this.#open.clear();
    const handles = this.#slots.map(({ handle }) => handle);
    if (this.#reserve.state === "held") handles.push(this.#reserve.handle);
    this.#slots.length = 0;
    this.#reserve = { state: "given up" };
    for (const handle of handles) quietly(() => handle.close());
  }

  open(memory: WebAssembly.Memory, name: number, nameLength: number, create: number): number {
    return this.#guard("open", () => {
      const wanted = nameOf(memory, name, nameLength);
      const slot = this.#find(wanted) ?? (create === 0 ? undefined : this.#assign(wanted));
      if (slot === undefined) throw new FileError(FailureCode.absent, `there is no file "${wanted}"`);
      const id = this.#nextId++;
      slot.opens++;
      this.#open.set(id, slot);
      return id;
    });
  }

  close(file: number): number {
    return this.#guard("close", () => {
      const slot = this.#opened(file);
      this.#open.delete(file);
      slot.opens--;
      if (slot.opens === 0 && slot.name === "") slot.handle.truncate(HEAD_BYTES);
      return 0;
    });
  }

  read(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number {
    return this.#guard("read", () => {
      const { handle } = this.#opened(file);
      const bytes = bytesIn(memory, at, length);
      let done = 0;
      while (done < bytes.length) {
        const count = handle.read(bytes.subarray(done), { at: HEAD_BYTES + offset + done });
        if (count === 0) break;
        if (!(count > 0 && count <= bytes.length - done)) {
          throw new FileError(FailureCode.host, `a read has the result ${count}`);
        }
        done += count;
      }
      return done;
    });
  }

  write(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number {
    return this.#guard("write", () => {
      const slot = this.#opened(file);
      try {
        writeAll(slot.handle, bytesIn(memory, at, length), HEAD_BYTES + offset);
      } catch (error) {
        if (codeOf(error) === FailureCode.full && COMPANION.test(slot.name)) this.#giveUpReserve();
        throw error;
      }
      if (HEAD_BYTES + offset + length > slot.known) this.#noteGrowth(slot);
      return 0;
    });
  }

  truncate(file: number, size: number): number {
    return this.#guard("truncate", () => {
      this.#opened(file).handle.truncate(HEAD_BYTES + size);
      return 0;
    });
  }

  sync(file: number): number {
    return this.#guard("sync", () => {
      this.#opened(file).handle.flush();
      return 0;
    });
  }

  size(file: number): number {
    return this.#guard("size", () => sizeOf(this.#opened(file)));
  }

  exists(memory: WebAssembly.Memory, name: number, nameLength: number): number {
    return this.#guard("exists", () => {
      const slot = this.#find(nameOf(memory, name, nameLength));
      return slot !== undefined && sizeOf(slot) > 0 ? 1 : 0;
    });
  }

  remove(memory: WebAssembly.Memory, name: number, nameLength: number): number {
    return this.#guard("remove", () => {
      const wanted = nameOf(memory, name, nameLength);
      const slot = this.#find(wanted);
      if (slot === undefined) throw new FileError(FailureCode.absent, `there is no file "${wanted}"`);
      clear(slot);
      return 0;
    });
  }

  takeFailure(): FileFailure | undefined {
    return this.#failures.take();
  }

  #guard(operation: string, run: () => number): number {
    return this.#failures.guard(operation, () => {
      if (this.#isClosed) throw new FileError(FailureCode.closed, "the files are closed");
      return run();
    });
  }

  #opened(file: number): Slot {
    return opened(this.#open, file);
  }

  #find(name: string): Slot | undefined {
    return this.#slots.find((slot) => slot.name === name);
  }

  #free(): Slot[] {
    return this.#slots.filter((slot) => slot.name === "" && slot.opens === 0);
  }

  /** Gives a free slot to a file that is made. */
  #assign(name: string): Slot {
    const [slot] = this.#free();
    if (slot === undefined) throw new FileError(FailureCode.full, `no slot is free for "${name}"`);
    const { handle } = slot;
    if (handle.getSize() > HEAD_BYTES) {
      handle.truncate(HEAD_BYTES);
      handle.flush();
    }
    const number = this.#nextNumber++;
    try {
      writeAll(handle, headOf(name, number), 0);
      handle.flush();
    } catch (error) {
      // Not half a file: there was none.
      quietly(() => clear(slot));
      if (codeOf(error) === FailureCode.full) this.#giveUpReserve();
      throw error;
    }
    slot.name = name;
    slot.number = number;
    return slot;
  }

  async #addSlot(name: string): Promise<void> {
    const file = await this.#folder.getFileHandle(name, { create: true });
    const handle = await file.createSyncAccessHandle();
    const slot: Slot = { handle, name: "", number: 0, opens: 0, known: 0 };
    this.#slots.push(slot);
    if (this.#isClosed) return this.dispose();
    const head = new Uint8Array(HEAD_BYTES);
    const found = handle.read(head, { at: 0 }) === HEAD_BYTES ? readHead(head) : undefined;
    if (found === undefined) {
      // The room for a head is taken now: where there is none later, a database can still be opened.
      if (handle.getSize() < HEAD_BYTES) writeAll(handle, new Uint8Array(HEAD_BYTES), 0);
      return;
    }
    slot.name = found.name;
    slot.number = found.number;
    this.#nextNumber = Math.max(this.#nextNumber, found.number + 1);
  }

  /** Frees slots whose name is in a newer one, too: a head that was removed has come back. */
  #dropOlder(): void {
    for (const slot of this.#slots) {
      const isOlder = this.#slots.some((other) => other.name === slot.name && other.number > slot.number);
      if (slot.name !== "" && isOlder) clear(slot);
    }
  }

  /** Lets the reserve grow with a file that has grown. */
  #noteGrowth(slot: Slot): void {
    const size = slot.handle.getSize();
    slot.known = size + this.#growthStep(size);
    const reserve = this.#reserve;
    if (reserve.state === "held") quietly(() => this.#extendReserve(reserve));
  }

  /** Makes the reserve as large as it should be; throws when there is no room, and it is what it was. */
  #extendReserve(reserve: Reserve & { state: "held" }): void {
    const step = Math.max(0, ...this.#slots.map(({ handle }) => this.#growthStep(handle.getSize())));
    const bytes = this.#reserveBytes + step;
    if (reserve.bytes >= bytes) return;
    try {
      reserve.handle.truncate(bytes);
    } catch (cause) {
      if (nameOfError(cause) === "InvalidStateError") throw cause;
      throw new FileError(FailureCode.full, "there is no room for the reserve", { cause });
    }
    reserve.bytes = bytes;
  }

  #giveUpReserve(): void {
    if (this.#reserve.state === "given up") return;
    const { handle } = this.#reserve;
    this.#reserve = { state: "given up" };
    // Its room comes back when it is closed.
    quietly(() => handle.truncate(0));
    quietly(() => handle.close());
  }
}

/**
 * Bytes that Chromium takes at once, of the quota, when a file of this size grows: it doubles what the file
 * has, from 1 MiB to 128 MiB, and then adds as much each time.
 */
function growthStep(size: number): number {
  if (size >= GRANT_BYTES_MAX) return GRANT_BYTES_MAX;
  return Math.max(MIB, 2 ** Math.ceil(Math.log2(Math.max(1, size))));
}

/** Takes the name away from a slot. What it holds goes when nobody has it open. */
function clear(slot: Slot): void {
  writeAll(slot.handle, new Uint8Array(NAME_AT), 0);
  slot.handle.flush();
  slot.name = "";
  if (slot.opens === 0) slot.handle.truncate(HEAD_BYTES);
}

function sizeOf({ handle }: Slot): number {
  return Math.max(0, handle.getSize() - HEAD_BYTES);
}

/** Writes all bytes, or throws. */
function writeAll(handle: SyncHandle, bytes: Uint8Array, at: number): void {
  let count: number;
  try {
    count = handle.write(bytes, { at });
  } catch (cause) {
    // A closed handle says so by this; all else is a want of room, whatever it is called.
    if (nameOfError(cause) === "InvalidStateError") throw cause;
    throw new FileError(FailureCode.full, "the bytes could not be written", { cause });
  }
  if (count !== bytes.length) {
    throw new FileError(FailureCode.full, `${count} of ${bytes.length} bytes were written`);
  }
}

function headOf(name: string, number: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(MAGIC));
  const bytes = new TextEncoder().encode(name);
  head.set(bytes, NAME_AT);
  view.setUint32(LENGTH_AT, bytes.length, true);
  view.setFloat64(NUMBER_AT, number, true);
  view.setUint32(SUM_AT, crc32(head.subarray(LENGTH_AT)), true);
  return head;
}

/** Reads a head; undefined when it is that of a free slot, or not whole. */
function readHead(head: Uint8Array): { name: string; number: number } | undefined {
  const view = new DataView(head.buffer, head.byteOffset);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  if (new TextDecoder("latin1").decode(head.subarray(0, SUM_AT)) !== MAGIC) return undefined;
  if (view.getUint32(SUM_AT, true) !== crc32(head.subarray(LENGTH_AT))) return undefined;
  const length = view.getUint32(LENGTH_AT, true);
  if (length === 0 || length > NAME_BYTES_MAX) return undefined;
  try {
    return { name: text.decode(head.subarray(NAME_AT, NAME_AT + length)), number: view.getFloat64(NUMBER_AT, true) };
  } catch {
    return undefined;
  }
}

function nameOf(memory: WebAssembly.Memory, name: number, nameLength: number): string {
  const text = nameIn(memory, name, nameLength);
  if (nameLength === 0 || nameLength > NAME_BYTES_MAX) {
    throw new FileError(FailureCode.name, `a name has 1 to ${NAME_BYTES_MAX} bytes`);
  }
  return text;
}

function nameOfError(error: unknown): unknown {
  return (error as { name?: unknown } | null | undefined)?.name;
}

/** Waits for work that may find no room: then it is left as it is. */
async function unlessFull(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (codeOf(error) !== FailureCode.full) throw error;
  }
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // What it was for has failed already, and is told.
  }
}

function codeOf(error: unknown): FailureCode {
  if (error instanceof FileError) return error.failure;
  switch (nameOfError(error)) {
    case "QuotaExceededError":
      return FailureCode.full;
    case "InvalidStateError":
      return FailureCode.closed;
    case "NoModificationAllowedError":
    case "NotAllowedError":
      return FailureCode.denied;
    case "NotFoundError":
      return FailureCode.absent;
    default:
      return FailureCode.host;
  }
}
