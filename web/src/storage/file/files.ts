/** Operations of a file system that the log needs, and no more: a test can be a file system that fails. */
import type { BigIntStats } from "node:fs";
import { constants, type FileHandle, chmod, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./errors.js";

/** State of a file. */
export interface FileState {
  size: number;
  mode: number;
  /** Text that two names of one file have in common, and no other file has meanwhile. */
  identity: string;
}

export interface OpenedFile {
  stat(): Promise<FileState>;
  /** Reads bytes, perhaps fewer; 0 at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes bytes, perhaps fewer. */
  write(bytes: Uint8Array, offset: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** Brings written bytes, and the length of the file, to the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Files {
  /** Opens a file; undefined when there is none. */
  open(path: string, access: "read" | "write"): Promise<OpenedFile | undefined>;
  /** Looks at a file; undefined when there is none. */
  stat(path: string): Promise<FileState | undefined>;
  /** Makes an empty file, in the place of any other. */
  create(path: string, mode: number | undefined): Promise<OpenedFile>;
  /** Renames a file, and replaces the one at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if there is one. */
  remove(path: string): Promise<void>;
  /** Brings the names in the folder of `path` to the disk. */
  syncFolder(path: string): Promise<void>;
}

export const systemFiles: Files = {
  async open(path, access) {
    try {
      return new SystemFile(await open(path, access === "read" ? "r" : "r+"));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  async stat(path) {
    try {
      return stateOf(await stat(path, { bigint: true }));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  async create(path, mode) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
    if (mode !== undefined) await chmod(path, mode);
    return new SystemFile(handle);
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    // Windows does not open folders.
    const handle = await open(dirname(path), "r").catch(() => undefined);
    try {
      await handle?.sync();
    } catch (error) {
      if (!["EINVAL", "EPERM", "ENOTSUP"].includes(systemCode(error))) throw error;
    } finally {
      await handle?.close();
    }
  },
};

function stateOf({ size, mode, dev, ino }: BigIntStats): FileState {
  return { size: Number(size), mode: Number(mode) & 0o7777, identity: `${dev}-${ino}` };
}

class SystemFile implements OpenedFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async stat(): Promise<FileState> {
    return stateOf(await this.#handle.stat({ bigint: true }));
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, offset)).bytesRead;
  }

  async write(bytes: Uint8Array, offset: number): Promise<number> {
    return (await this.#handle.write(bytes, 0, bytes.length, offset)).bytesWritten;
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
