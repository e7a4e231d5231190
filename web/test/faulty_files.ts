/**
 * A file system in memory that fails when told to, and that remembers what a power cut could leave of it.
 *
 * What was written and not synced is kept apart: a power cut takes any of its sectors. Names are as they were
 * at the last `syncFolder`, and then any beginning of what was done to them since.
 */
import type { FileState, Files, OpenedFile } from "../src/storage/file/files.ts";
import type { Random } from "./helpers.ts";

const SECTOR_BYTES = 512;

type Unsynced = { offset: number; bytes: Uint8Array } | { length: number };

class Inode {
  mode = 0o644;
  bytes = new Uint8Array(0);
  durable = new Uint8Array(0);
  unsynced: Unsynced[] = [];
  readonly #identity = String(inodes++);

  state(): FileState {
    return { size: this.bytes.length, mode: this.mode, identity: this.#identity };
  }
}

let inodes = 0;

type Names = Map<string, Inode>;

/** The disk, which survives processes. */
export class Disk {
  names: Names = new Map();
  #durableNames: Names = new Map();
  #unsyncedNames: ((names: Names) => void)[] = [];

  /** Adds a file that is on the disk for good. */
  put(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.bytes = Uint8Array.from(bytes);
    inode.durable = inode.bytes.slice();
    this.names.set(path, inode);
    this.syncNames();
  }

  rename(change: (names: Names) => void): void {
    change(this.names);
    this.#unsyncedNames.push(change);
  }

  syncNames(): void {
    this.#durableNames = new Map(this.names);
    this.#unsyncedNames = [];
  }

  /** The power fails, and comes back. */
  powerCut(random: Random): void {
    this.names = this.#durableNames;
    const kept = random.below(this.#unsyncedNames.length + 1);
    for (const change of this.#unsyncedNames.slice(0, kept)) change(this.names);
    this.syncNames();
    for (const inode of new Set(this.names.values())) {
      inode.bytes = remains(inode, random);
      inode.durable = inode.bytes.slice();
      inode.unsynced = [];
    }
  }
}

/**
 * Returns what a power cut leaves of a file. The chance of a sector to survive differs from cut to cut: all,
 * none, some.
 */
function remains({ durable, unsynced }: Inode, random: Random): Uint8Array<ArrayBuffer> {
  const chance = random.below(5);
  const survives = () => random.below(4) < chance;
  const ends = unsynced.map((change) => ("length" in change ? 0 : change.offset + change.bytes.length));
  const bytes = resized(durable, Math.max(durable.length, ...ends));
  let { length } = durable;
  for (const change of unsynced) {
    if ("length" in change) {
      if (!survives()) continue;
      bytes.fill(0, change.length);
      length = Math.min(change.length, bytes.length);
      continue;
    }
    for (let at = 0; at < change.bytes.length;) {
      const start = change.offset + at;
      const size = Math.min(change.bytes.length - at, SECTOR_BYTES - (start % SECTOR_BYTES));
      if (survives()) {
        bytes.set(change.bytes.subarray(at, at + size), start);
        length = Math.max(length, start + size);
      }
      at += size;
    }
  }
  return bytes.slice(0, length);
}

function resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}

function patched(bytes: Uint8Array<ArrayBuffer>, offset: number, patch: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = offset + patch.length > bytes.length ? resized(bytes, offset + patch.length) : bytes;
  result.set(patch, offset);
  return result;
}

export type Fate =
  | { name: "none" }
  /** Operations from `at` on fail, `times` of them. */
  | { name: "fail"; at: number; times: number; code: string }
  /** The process dies in the middle of operation `at`. */
  | { name: "die"; at: number };

/** The disk, as one process has it. */
export class FaultyFiles implements Files {
  operations = 0;
  /** Number of the next syncs of files that fail. */
  failingSyncs = 0;
  readonly #disk: Disk;
  fate: Fate;
  readonly #random: Random;

  constructor(disk: Disk, fate: Fate, random: Random) {
    this.#disk = disk;
    this.fate = fate;
    this.#random = random;
  }

  get dead(): boolean {
    return this.fate.name === "die" && this.operations > this.fate.at;
  }

  open(path: string): Promise<OpenedFile | undefined> {
    return this.operate(() => {
      const inode = this.#disk.names.get(path);
      return inode && new FaultyFile(this, inode);
    });
  }

  stat(path: string): Promise<FileState | undefined> {
    return this.operate(() => this.#disk.names.get(path)?.state());
  }

  create(path: string, mode: number | undefined): Promise<OpenedFile> {
    return this.operate(() => {
      // A file that is there is made empty; as nobody reads those, they are as good as new.
      const inode = new Inode();
      inode.mode = mode ?? 0o644;
      this.#disk.rename((names) => names.set(path, inode));
      return new FaultyFile(this, inode);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.operate(() =>
      this.#disk.rename((names) => {
        const inode = names.get(from);
        if (inode !== undefined) names.set(to, inode);
        names.delete(from);
      }),
    );
  }

  remove(path: string): Promise<void> {
    return this.operate(() => this.#disk.rename((names) => names.delete(path)));
  }

  syncFolder(): Promise<void> {
    return this.operate(() => this.#disk.syncNames());
  }

  /** One operation; `part` is what it does of `work` when it fails or dies. */
  async operate<T>(work: () => T, part?: (random: Random) => void): Promise<T> {
    await null;
    const fate = this.fate;
    const operation = this.operations;
    if (!this.dead) this.operations += 1;
    if (this.dead) {
      if (operation === (fate as { at: number }).at) part?.(this.#random);
      throw new Error("the process is dead");
    }
    if (fate.name === "fail" && operation >= fate.at && operation < fate.at + fate.times) {
      part?.(this.#random);
      throw Object.assign(new Error("told to fail"), { code: fate.code });
    }
    return work();
  }
}

class FaultyFile implements OpenedFile {
  readonly #files: FaultyFiles;
  readonly #inode: Inode;

  constructor(files: FaultyFiles, inode: Inode) {
    this.#files = files;
    this.#inode = inode;
  }

  stat(): Promise<FileState> {
    return this.#files.operate(() => this.#inode.state());
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#files.operate(() => {
      const part = this.#inode.bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    });
  }

  write(bytes: Uint8Array, offset: number): Promise<number> {
    const write = (length: number): number => {
      const copy = bytes.slice(0, length);
      this.#inode.bytes = patched(this.#inode.bytes, offset, copy);
      this.#inode.unsynced.push({ offset, bytes: copy });
      return length;
    };
    return this.#files.operate(
      () => write(bytes.length),
      (random) => write(random.below(bytes.length + 1)),
    );
  }

  truncate(length: number): Promise<void> {
    return this.#files.operate(() => {
      this.#inode.bytes = resized(this.#inode.bytes, length);
      this.#inode.unsynced.push({ length });
    });
  }

  sync(): Promise<void> {
    return this.#files.operate(() => {
      if (this.#files.failingSyncs > 0) {
        this.#files.failingSyncs -= 1;
        throw Object.assign(new Error("told to fail"), { code: "EIO" });
      }
      this.#inode.durable = this.#inode.bytes.slice();
      this.#inode.unsynced = [];
    });
  }

  async close(): Promise<void> {}
}
