/**
 * Files of a database in files of the system, by the synchronous functions of `node:fs`: Node, Deno, Bun.
 *
 * Invariants:
 * - Names are absolute paths, as `claimDatabase` gives them: one file, one name.
 * - A file that was made here, and its name, are on the disk after its first `sync`.
 * - A journal or a log can be read by those who can read the database, and by nobody else.
 *
 * Not here: sharing. One process has a database at a time (`claimDatabase`).
 */
import * as system from "node:fs";

import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { lockFileSync, type Lock } from "../storage/file/file_lock.js";
import { ownError, systemCode } from "../storage/file/errors.js";
import { FailureCode, Failures, FileError, bytesIn, nameIn, opened, type FileFailure, type Files } from "./files.js";

/** Functions of `node:fs` that are used: a test can be a file system that fails. */
export interface FileSystem {
  openSync(path: string, flags: number, mode?: number): number;
  closeSync(fd: number): void;
  readSync(fd: number, into: Uint8Array, at: number, length: number, position: number): number;
  writeSync(fd: number, from: Uint8Array, at: number, length: number, position: number): number;
  fchmodSync(fd: number, mode: number): void;
  ftruncateSync(fd: number, length: number): void;
  fsyncSync(fd: number): void;
  fdatasyncSync(fd: number): void;
  fstatSync(fd: number): { size: number; isFile(): boolean };
  statSync(path: string): { size: number; mode: number; isFile(): boolean };
  unlinkSync(path: string): void;
}

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = system.constants;

/** Mode of a database that is made: as SQLite makes it. */
const DATABASE_MODE = 0o644;
const PERMISSIONS = 0o777;

/** Endings of files that belong to a database. */
const COMPANION = /-(?:wal|journal)$/;

/** Codes of the system for which an operation is tried again. */
const AGAIN = new Set(["EINTR", "EAGAIN"]);
/** Number of tries: signals do not come for ever. */
const TRIES_MAX = 100;

const CODES: Record<string, FailureCode> = {
  ENOENT: FailureCode.absent,
  ENOTDIR: FailureCode.absent,
  EACCES: FailureCode.denied,
  EPERM: FailureCode.denied,
  EROFS: FailureCode.denied,
  ETXTBSY: FailureCode.denied,
  ENOSPC: FailureCode.full,
  EDQUOT: FailureCode.full,
  EFBIG: FailureCode.full,
  ENAMETOOLONG: FailureCode.name,
  EISDIR: FailureCode.name,
  ELOOP: FailureCode.name,
  ERR_FS_EISDIR: FailureCode.name,
  ERR_INVALID_ARG_VALUE: FailureCode.name,
};

/** Codes of the system for folders that cannot be synced: on some systems none can. */
const NO_FOLDER_SYNC = new Set(["EISDIR", "EINVAL", "EPERM", "EACCES", "EBADF", "ENOTSUP", "ENOSYS"]);

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  /** True until the name of a file that was made here is on the disk. */
  isNew: boolean;
}

export class NodeFiles implements Files {
  readonly #system: FileSystem;
  readonly #open = new Map<number, OpenFile>();
  readonly #failures = new Failures(codeOf);
  #next = 1;

  constructor(fileSystem: FileSystem = system) {
    this.#system = fileSystem;
  }

  open(memory: WebAssembly.Memory, name: number, nameLength: number, create: number): number {
    return this.#failures.guard("open", () => {
      const path = pathIn(memory, name, nameLength);
      const { fd, isNew } = create === 0 ? this.#openExisting(path) : this.#openOrMake(path);
      if (!again(() => this.#system.fstatSync(fd)).isFile()) {
        this.#system.closeSync(fd);
        throw new FileError(FailureCode.name, `${path} is no regular file`);
      }
      const id = this.#next++;
      this.#open.set(id, { fd, path, isNew });
      return id;
    });
  }

  #openExisting(path: string): { fd: number; isNew: boolean } {
    return { fd: again(() => this.#system.openSync(path, O_RDWR)), isNew: false };
  }

  #openOrMake(path: string): { fd: number; isNew: boolean } {
    try {
      return this.#openExisting(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    const wanted = this.#modeOfDatabase(path);
    // Not one that another program has made meanwhile, nor what a link leads to.
    const flags = O_RDWR | O_CREAT | O_EXCL;
    const fd = again(() => this.#system.openSync(path, flags, wanted ?? DATABASE_MODE));
    // Those whom the process's mask has left out, too.
    if (wanted !== undefined) again(() => this.#system.fchmodSync(fd, wanted));
    return { fd, isNew: true };
  }

  /** The mode of the database that a journal or a log belongs to; undefined for other files. */
  #modeOfDatabase(path: string): number | undefined {
    if (!COMPANION.test(path)) return undefined;
    try {
      return this.#system.statSync(path.replace(COMPANION, "")).mode & PERMISSIONS;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  close(file: number): number {
    return this.#failures.guard("close", () => {
      const { fd } = opened(this.#open, file);
      this.#open.delete(file);
      try {
        this.#system.closeSync(fd);
      } catch (error) {
        // It is closed all the same, and must not be closed again.
        if (systemCode(error) !== "EINTR") throw error;
      }
      return 0;
    });
  }

  read(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number {
    return this.#failures.guard("read", () => {
      const { fd } = opened(this.#open, file);
      const bytes = bytesIn(memory, at, length);
      let done = 0;
      while (done < bytes.length) {
        const count = again(() => this.#system.readSync(fd, bytes, done, bytes.length - done, offset + done));
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  write(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number {
    return this.#failures.guard("write", () => {
      const { fd, path } = opened(this.#open, file);
      const bytes = bytesIn(memory, at, length);
      let done = 0;
      while (done < bytes.length) {
        const count = again(() => this.#system.writeSync(fd, bytes, done, bytes.length - done, offset + done));
        if (count <= 0) throw new FileError(FailureCode.full, `${path} takes no more bytes`);
        done += count;
      }
      return 0;
    });
  }

  truncate(file: number, size: number): number {
    return this.#failures.guard("truncate", () => {
      const { fd } = opened(this.#open, file);
      again(() => this.#system.ftruncateSync(fd, size));
      return 0;
    });
  }

  sync(file: number): number {
    return this.#failures.guard("sync", () => {
      const open = opened(this.#open, file);
      again(() => this.#system.fdatasyncSync(open.fd));
      if (open.isNew) {
        this.#syncFolder(open.path);
        open.isNew = false;
      }
      return 0;
    });
  }

  size(file: number): number {
    return this.#failures.guard("size", () => {
      const { fd } = opened(this.#open, file);
      return again(() => this.#system.fstatSync(fd)).size;
    });
  }

  exists(memory: WebAssembly.Memory, name: number, nameLength: number): number {
    return this.#failures.guard("exists", () => {
      const path = pathIn(memory, name, nameLength);
      try {
        const found = again(() => this.#system.statSync(path));
        return !found.isFile() || found.size > 0 ? 1 : 0;
      } catch (error) {
        if (codeOf(error) === FailureCode.absent) return 0;
        throw error;
      }
    });
  }

  remove(memory: WebAssembly.Memory, name: number, nameLength: number, durable: number): number {
    return this.#failures.guard("remove", () => {
      const path = pathIn(memory, name, nameLength);
      again(() => this.#system.unlinkSync(path));
      if (durable !== 0) this.#syncFolder(path);
      return 0;
    });
  }

  takeFailure(): FileFailure | undefined {
    return this.#failures.take();
  }

  /** Closes what is open: for a module that has died. */
  closeAll(): void {
    for (const file of [...this.#open.keys()]) this.close(file);
  }

  /** Brings the name of a file to the disk. */
  #syncFolder(path: string): void {
    let fd: number | undefined;
    try {
      fd = again(() => this.#system.openSync(dirname(path), O_RDONLY));
      const folder = fd;
      again(() => this.#system.fsyncSync(folder));
    } catch (error) {
      if (!NO_FOLDER_SYNC.has(systemCode(error))) throw error;
    } finally {
      if (fd !== undefined) this.#system.closeSync(fd);
    }
  }
}

/** A database that is this process's. */
export interface ClaimedDatabase {
  /** The one name of the file, for the module: absolute, links followed. */
  readonly path: string;
  readonly lock: Lock;
}

/**
 * Takes a database for this process, by a lock file beside it. Throws `locked` when another process has it,
 * or this one; `name` when there is no such folder.
 */
export function claimDatabase(path: string): ClaimedDatabase {
  const own = ownName(resolve(path));
  return { path: own, lock: lockFileSync(`${own}-lock`) };
}

/** The name of a file without links, also of one that is to be made. */
function ownName(path: string): string {
  try {
    return system.realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw ownError(error, path);
  }
  try {
    return join(system.realpathSync(dirname(path)), basename(path));
  } catch (error) {
    throw ownError(error, path);
  }
}

function pathIn(memory: WebAssembly.Memory, name: number, nameLength: number): string {
  const path = nameIn(memory, name, nameLength);
  if (!isAbsolute(path)) throw new FileError(FailureCode.name, `"${path}" is no absolute path`);
  return path;
}

/** Runs an operation again when a signal has interrupted it. */
function again<R>(operation: () => R): R {
  for (let tries = 1; ; tries++) {
    try {
      return operation();
    } catch (error) {
      if (!AGAIN.has(systemCode(error)) || tries === TRIES_MAX) throw error;
    }
  }
}

function codeOf(error: unknown): FailureCode {
  const code = systemCode(error);
  if (code !== "") return CODES[code] ?? FailureCode.host;
  // Deno, without the permission.
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return name === "PermissionDenied" || name === "NotCapable" ? FailureCode.denied : FailureCode.host;
}
