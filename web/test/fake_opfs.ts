/**
 * A folder of the origin's private file system in memory: a quota, handles that exclude each other, workers
 * that die in the middle of a write, and power cuts, after which a file is as it was at its last flush or as
 * it is.
 */
import type { FileHandle, Folder, SyncHandle } from "../src/capsule/files_opfs.ts";
import type { Random } from "./random.ts";

/** Ways in which browsers say that there is no room. */
export type Refusal = "exception" | "short" | "wrapped";

class FakeFile {
  bytes = new Uint8Array(0);
  flushed = new Uint8Array(0);
  holder: FakeHandle | undefined;
  /** Bytes that count although they are gone: their room comes back when the file is closed. */
  held = 0;
}

function exception(name: string): DOMException {
  return new DOMException(`${name} of the fake`, name);
}

export class FakeFolder implements Folder {
  readonly files = new Map<string, FakeFile>();
  quota = Infinity;
  refusal: Refusal = "exception";
  /** Operations that change files until the worker dies; the last one is done in part. */
  lifetime = Infinity;
  flushes = 0;

  async *keys(): AsyncIterable<string> {
    yield* [...this.files.keys()];
  }

  async getFileHandle(name: string, options?: { create?: boolean }): Promise<FileHandle> {
    let file = this.files.get(name);
    if (file === undefined) {
      if (options?.create !== true) throw exception("NotFoundError");
      file = new FakeFile();
      this.files.set(name, file);
    }
    const found = file;
    return {
      createSyncAccessHandle: async () => {
        if (found.holder !== undefined) throw exception("NoModificationAllowedError");
        found.holder = new FakeHandle(this, found);
        return found.holder;
      },
    };
  }

  get usage(): number {
    let sum = 0;
    for (const { bytes, held } of this.files.values()) sum += Math.max(bytes.length, held);
    return sum;
  }

  /** Ends the worker, and its handles with it. */
  die(): void {
    for (const file of this.files.values()) {
      file.holder = undefined;
      file.held = 0;
    }
    this.lifetime = Infinity;
  }

  /** Cuts the power: of each file there is what it was at its last flush, or what it is. */
  cutPower(random: Random): void {
    this.die();
    for (const file of this.files.values()) {
      if (random.below(2) === 0) file.bytes = file.flushed.slice();
      file.flushed = file.bytes.slice();
    }
  }

  /** Counts a change. Returns the part of it that is done, 1 for all; throws when the worker is dead. */
  alive(part: number): number {
    if (this.lifetime <= 0) throw new Error("the worker is dead");
    this.lifetime--;
    return this.lifetime > 0 ? 1 : part;
  }
}

class FakeHandle implements SyncHandle {
  readonly #folder: FakeFolder;
  readonly #file: FakeFile;

  constructor(folder: FakeFolder, file: FakeFile) {
    this.#folder = folder;
    this.#file = file;
  }

  #check(): void {
    if (this.#file.holder !== this) throw exception("InvalidStateError");
  }

  read(into: Uint8Array, { at }: { at: number }): number {
    this.#check();
    const found = this.#file.bytes.subarray(at, at + into.length);
    into.set(found);
    return found.length;
  }

  write(from: Uint8Array, { at }: { at: number }): number {
    this.#check();
    const part = this.#folder.alive(0.4);
    const file = this.#file;
    const growth = Math.max(0, at + from.length - Math.max(file.bytes.length, file.held));
    const room = this.#folder.quota - this.#folder.usage;
    if (growth > room) {
      if (this.#folder.refusal === "exception") throw exception("QuotaExceededError");
      if (this.#folder.refusal === "wrapped") return 4294967288;
      const count = Math.max(0, from.length - (growth - Math.max(0, room)));
      this.#put(from.subarray(0, count), at);
      return count;
    }
    this.#put(from.subarray(0, Math.ceil(from.length * part)), at);
    if (part < 1) throw new Error("the worker died");
    return from.length;
  }

  #put(from: Uint8Array, at: number): void {
    if (from.length === 0) return;
    const file = this.#file;
    if (file.bytes.length < at + from.length) {
      const longer = new Uint8Array(at + from.length);
      longer.set(file.bytes);
      file.bytes = longer;
    }
    file.bytes.set(from, at);
  }

  truncate(size: number): void {
    this.#check();
    if (this.#folder.alive(0) === 0) throw new Error("the worker died");
    const file = this.#file;
    if (size > file.bytes.length && size - file.bytes.length > this.#folder.quota - this.#folder.usage) {
      throw exception("QuotaExceededError");
    }
    file.held = Math.max(file.held, file.bytes.length);
    const bytes = new Uint8Array(size);
    bytes.set(file.bytes.subarray(0, size));
    file.bytes = bytes;
  }

  flush(): void {
    this.#check();
    if (this.#folder.alive(0) === 0) throw new Error("the worker died");
    this.#folder.flushes++;
    this.#file.flushed = this.#file.bytes.slice();
  }

  getSize(): number {
    this.#check();
    return this.#file.bytes.length;
  }

  close(): void {
    if (this.#file.holder !== this) return;
    this.#file.holder = undefined;
    this.#file.held = 0;
  }
}
