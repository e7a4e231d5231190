/** Opening of a file by its path. */
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Backend } from "#js/storage/write_behind.js";
import { fileError, ownError, systemCode } from "./errors.js";
import { openLog, type Durability } from "./file_backend.js";
import { lockFile } from "./file_lock.js";
import { systemFiles } from "./files.js";

export interface FileOptions {
  /** Durability of commits; `strict`: on the disk when they resolve. */
  durability: Durability;
  /** Milliseconds to wait for another writer; Infinity: as long as it takes. */
  lockTimeout: number;
}

/**
 * Opens the store in the file `path` for writing, or makes one. Its folder must be there. Rejects with an
 * Error that has a `code`: `name` no path for a file, `locked` another writer has it, `newer` written by a
 * later version, `foreign` not made by Perilune, `corrupt` damaged, `quota` no room, `host` anything else.
 */
export async function openFile(path: string, { durability, lockTimeout }: FileOptions): Promise<Backend> {
  const place = await placeOf(path);
  const lock = await lockFile(`${place}.lock`, lockTimeout);
  try {
    return await openLog(systemFiles, place, lock, durability);
  } catch (error) {
    lock.release();
    throw ownError(error, place);
  }
}

/** Canonical path of a file: absolute, without links. The file need not exist, but its folder must. */
export async function placeOf(path: string): Promise<string> {
  if (path === "" || path.includes("\0")) throw fileError("name", `"${path}" is no path of a file`);
  const absolute = resolve(path);
  try {
    const real = await realpath(absolute);
    if (!(await stat(real)).isFile()) throw fileError("name", `${absolute} is no regular file`);
    return real;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw ownError(error, absolute);
  }
  const folder = dirname(absolute);
  const there = await realpath(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") throw fileError("name", `the folder ${folder} does not exist`, error);
    throw ownError(error, folder);
  });
  const link = await lstat(absolute).catch(() => undefined);
  if (link?.isSymbolicLink() === true) throw fileError("name", `${absolute} is a link to a file that does not exist`);
  return join(there, basename(absolute));
}
