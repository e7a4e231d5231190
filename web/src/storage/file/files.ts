/** What the log needs of a file system, and no more: so that a test can be one that fails. */
import { constants, type FileHandle, chmod, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./errors.js";

export interface OpenedFile {
  stat(): Promise<{ size: number; mode: number }>;
  /** May read less; 0 at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** May write less. */
  write(bytes: Uint8Array, offset: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** What was written, and how long the file is, is on the disk when this resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Files {
  /** Opens a file; undefined when there is none. */
  open(path: string, access: "read" | "write"): Promise<OpenedFile | undefined>;
  /** Makes an empty file, in the place of any other. */
  create(path: string, mode: number | undefined): Promise<OpenedFile>;
  /** Renames a file, and replaces the one at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** That there is none is no error. */
  remove(path: string): Promise<void>;
  /** The names in the folder of `path` are on the disk when this resolves. */
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

class SystemFile implements OpenedFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async stat(): Promise<{ size: number; mode: number }> {
    const { size, mode } = await this.#handle.stat();
    return { size, mode: mode & 0o7777 };
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
