/** Opening of the option `storage`. */
import { TableStore } from "#js/storage/table_store.js";
import type { Backend, Follower } from "#js/storage/write_behind.js";
import { addressOf } from "../brands.js";
import { LuaStorageError, storageError } from "../errors.js";
import type { LuaOptions } from "../options.js";
import { lastingStorage } from "./part.js";

/** Options of a storage. */
export interface OpenOptions {
  /** Event that a commit survives: a crash of the browser (relaxed), or of the machine (strict). */
  durability: "relaxed" | "strict";
  /** Milliseconds to wait for another writer; `Infinity`: as long as it takes. */
  lockTimeout: number;
}

/** Storage in files, where the platform has any. Addresses begin with `file:`. */
export interface FileStorage {
  open(address: string, options: OpenOptions): Promise<Backend>;
  follow(address: string): Promise<Follower>;
}

/** Options of `Lua.create` that are for the storage. */
export type StorageOptions = Pick<
  LuaOptions,
  "storage" | "storageLimit" | "durability" | "readOnly" | "lockTimeout" | "openTimeout" | "onProgress"
>;

let fileStorage: FileStorage | undefined;

/** Sets how files are opened: for the entry points of platforms that have them. */
export function setFileStorage(storage: FileStorage): void {
  fileStorage = storage;
}

/** Bytes of all external tables, by default: a page survives twice as much. */
export const STORAGE_DEFAULT_BYTES: number = 256 * 1024 * 1024;

const MEMORY = "memory://";

/** Begins to load what `openStorage` will need, for a call that opens the storage only later. */
export function prepareStorage({ storage = MEMORY }: StorageOptions): void {
  if (storage !== MEMORY) lastingStorage.prepare();
}

/** Opens the storage; rejects with a `LuaStorageError`. */
export async function openStorage(options: StorageOptions): Promise<TableStore> {
  const { storage: given = MEMORY, storageLimit: limit = STORAGE_DEFAULT_BYTES, readOnly = false } = options;
  const storage = addressOf(given) ?? (given as string | Backend);
  try {
    if (storage !== MEMORY) {
      const { openLasting } = await lastingStorage.get();
      return await openLasting(storage, { ...options, limit }, fileStorage);
    }
    if (readOnly) throw new LuaStorageError("name", 'there is nobody else\'s "memory://" to read');
    return new TableStore(null, { limit });
  } catch (error) {
    throw storageError(error);
  }
}
