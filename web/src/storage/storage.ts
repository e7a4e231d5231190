/** Opening of the option `storage`. */
import { LOCK_WAIT_MS, openIndexedDb } from "#js/storage/indexeddb/backend.js";
import { OPEN_WAIT_MS } from "#js/storage/indexeddb/database.js";
import { followIndexedDb } from "#js/storage/indexeddb/follower.js";
import { followStore, openStore } from "#js/storage/open_store.js";
import { TableStore } from "#js/storage/table_store.js";
import type { Backend, Follower } from "#js/storage/write_behind.js";
import { addressOf } from "../brands.js";
import { LuaStorageError, storageError } from "../errors.js";
import type { LuaOptions } from "../options.js";
import { takeBackend } from "./exclusive.js";

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

/** Opens the storage; rejects with a `LuaStorageError`. */
export async function openStorage(options: StorageOptions): Promise<TableStore> {
  const {
    storage: given = "memory://",
    storageLimit: limit = STORAGE_DEFAULT_BYTES,
    readOnly = false,
    onProgress,
  } = options;
  const storage = addressOf(given) ?? (given as string | Backend);
  try {
    if (storage === "memory://") {
      if (readOnly) throw new LuaStorageError("name", 'there is nobody else\'s "memory://" to read');
      return new TableStore(null, { limit });
    }
    const progress = onProgress && ((loaded: number, total: number) => onProgress({ loaded, total }));
    if (readOnly) return await followStore(await openFollower(storage, options), progress);
    const store = await openStore(await openBackend(storage, options), { limit }, progress);
    flushWhenHidden(store);
    return store;
  } catch (error) {
    throw storageError(error);
  }
}

/**
 * Flushes when the page goes to the background, where it may never run again: a failed commit is tried once
 * more.
 */
function flushWhenHidden(store: TableStore): void {
  const page = globalThis.document as Document | undefined;
  if (page === undefined) return;
  const flush = () => {
    // Its failure is an event, too.
    if (page.visibilityState === "hidden") store.flush().catch(() => {});
  };
  page.addEventListener("visibilitychange", flush);
  globalThis.addEventListener("pagehide", flush);
  store.closing = () => {
    page.removeEventListener("visibilitychange", flush);
    globalThis.removeEventListener("pagehide", flush);
  };
}

function openBackend(storage: string | Backend, options: StorageOptions): Promise<Backend> {
  const { durability = "relaxed", lockTimeout = LOCK_WAIT_MS, openTimeout = OPEN_WAIT_MS } = options;
  if (typeof storage !== "string") return takeBackend(storage, lockTimeout);
  const [scheme, name] = split(storage);
  if (scheme === "idb") return openIndexedDb(name, { durability, lockTimeout, openTimeout });
  return files(storage, scheme).open(storage, { durability, lockTimeout });
}

function openFollower(storage: string | Backend, { openTimeout }: StorageOptions): Promise<Follower> {
  if (typeof storage !== "string") {
    throw new LuaStorageError("name", "a storage object cannot be opened with readOnly");
  }
  const [scheme, name] = split(storage);
  return scheme === "idb" ? followIndexedDb(name, { openTimeout }) : files(storage, scheme).follow(storage);
}

function files(address: string, scheme: string): FileStorage {
  if (scheme !== "file") {
    const known = '"memory://", "idb://NAME", "file:PATH" or a storage object';
    throw new LuaStorageError("name", `"${address}" is no storage; use ${known}`);
  }
  if (fileStorage === undefined) throw new LuaStorageError("unavailable", "there are no files here; use idb://NAME");
  return fileStorage;
}

/** Splits `scheme://name` or `scheme:name`. */
function split(address: string): [string, string] {
  const colon = address.indexOf(":");
  const name = address.slice(colon + 1);
  return [address.slice(0, Math.max(colon, 0)), name.startsWith("//") ? name.slice(2) : name];
}
