/** Files of databases in the origin's private file system: a folder for each database. */
import { CapsuleError, isCapsuleError } from "./errors.js";
import { OpfsFiles, type Folder } from "./files_opfs.js";
import type { OpenFiles } from "./places.js";

/** Folder of all databases. */
const FOLDER = "perilune-capsule";

/** Name of the database among the files of its folder. */
const PATH = "database";

/** Longest name of a folder that all platforms have. */
const FOLDER_NAME_MAX = 200;

/** Milliseconds between two attempts, and their number, until the handles of a dead worker are closed. */
const BUSY_MS = 50;
const BUSY_ATTEMPTS = 200;

/** Milliseconds for which the reserve stays given up. */
const MISSING_MS = 60_000;

/** Times at which the reserve was first missed. */
const missingSince = new WeakMap<OpfsFiles, number>();

/** A folder with folders in it. */
interface Directory extends Folder {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<Directory>;
}

/** Says whether there are such files in this thread. */
export function hasOpfs(): boolean {
  const { FileSystemFileHandle } = globalThis as { FileSystemFileHandle?: { prototype: object } };
  return (
    typeof globalThis.navigator?.storage?.getDirectory === "function" &&
    FileSystemFileHandle !== undefined &&
    "createSyncAccessHandle" in FileSystemFileHandle.prototype
  );
}

/** Takes the files of a database, which nobody else has: who calls holds its lock. */
export async function takeOpfsFiles(filename: string): Promise<OpenFiles> {
  if (!hasOpfs()) throw unsupported("this browser has no synchronous files in workers");
  const files = await whenFree(filename, async () => OpfsFiles.open(await folderOf(filename)));
  return { kind: "opfs", files, path: PATH, upkeep: () => replenish(files), release: async () => files.dispose() };
}

async function folderOf(filename: string): Promise<Folder> {
  const name = `db-${encodeURIComponent(filename)}`;
  if (name.length > FOLDER_NAME_MAX) throw new CapsuleError("usage", `the name "${filename}" is too long`);
  let root: Directory;
  try {
    root = (await globalThis.navigator.storage.getDirectory()) as unknown as Directory;
  } catch (cause) {
    // Private windows of some browsers, and frames without an origin.
    throw unsupported("this page may not keep files", cause);
  }
  const all = await root.getDirectoryHandle(FOLDER, { create: true });
  return await all.getDirectoryHandle(name, { create: true });
}

/** Opens the files when those of a worker that has just ended are closed. */
async function whenFree<T>(filename: string, open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open();
    } catch (cause) {
      if (isCapsuleError(cause)) throw cause;
      const { name, message } = cause as { name?: unknown; message?: unknown };
      if (name !== "NoModificationAllowedError" || attempt === BUSY_ATTEMPTS) {
        const kind =
          name === "NoModificationAllowedError" ? "locked" : name === "QuotaExceededError" ? "full" : "unsupported";
        throw new CapsuleError(kind, `the database "${filename}" cannot be opened: ${String(message)}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    }
  }
}

/**
 * Takes the reserve back when there is room for it and for more: not at once, since it was given up for those
 * who make room.
 */
async function replenish(files: OpfsFiles): Promise<void> {
  if (files.hasReserve) return void missingSince.delete(files);
  const since = missingSince.get(files) ?? Date.now();
  missingSince.set(files, since);
  if (Date.now() - since < MISSING_MS) return;
  const { usage = 0, quota = 0 } = await globalThis.navigator.storage.estimate();
  if (quota - usage > 2 * files.reserveBytes) await files.replenish();
}

function unsupported(why: string, cause?: unknown): CapsuleError {
  return new CapsuleError("unsupported", `there are no files here for a database: ${why}`, { cause });
}
