/**
 * Opening of storage that lasts: databases of the browser, files, storage objects. A part that is loaded when
 * it is used (part.ts).
 */
import { LOCK_WAIT_MS, openIndexedDb } from "#js/storage/indexeddb/backend.js";
import { OPEN_WAIT_MS } from "#js/storage/indexeddb/database.js";
import { followIndexedDb } from "#js/storage/indexeddb/follower.js";
import { followStore, openStore } from "#js/storage/open_store.js";
import type { TableStore } from "#js/storage/table_store.js";
import type { Backend, Follower } from "#js/storage/write_behind.js";
import { LuaStorageError } from "../errors.js";
import { takeBackend } from "./exclusive.js";
import type { FileStorage, StorageOptions } from "./storage.js";

/** Opens a store over the storage of this address, or over this storage object. */
export async function openLasting(
  storage: string | Backend,
  options: StorageOptions & { readonly limit: number },
  files: FileStorage | undefined,
): Promise<TableStore> {
  const { limit, readOnly = false, onProgress } = options;
  const progress = onProgress && ((loaded: number, total: number) => onProgress({ loaded, total }));
  if (readOnly) return await followStore(await openFollower(storage, options, files), progress);
  const store = await openStore(await openBackend(storage, options, files), { limit }, progress);
  flushWhenHidden(store);
  return store;
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

function openBackend(
  storage: string | Backend,
  options: StorageOptions,
  files: FileStorage | undefined,
): Promise<Backend> {
  const { durability = "relaxed", lockTimeout = LOCK_WAIT_MS, openTimeout = OPEN_WAIT_MS } = options;
  if (typeof storage !== "string") return takeBackend(storage, lockTimeout);
  const [scheme, name] = split(storage);
  if (scheme === "idb") return openIndexedDb(name, { durability, lockTimeout, openTimeout });
  return filesOf(storage, scheme, files).open(storage, { durability, lockTimeout });
}

function openFollower(
  storage: string | Backend,
  { openTimeout }: StorageOptions,
  files: FileStorage | undefined,
): Promise<Follower> {
  if (typeof storage !== "string") {
    throw new LuaStorageError("name", "a storage object cannot be opened with readOnly");
  }
  const [scheme, name] = split(storage);
  return scheme === "idb" ? followIndexedDb(name, { openTimeout }) : filesOf(storage, scheme, files).follow(storage);
}

function filesOf(address: string, scheme: string, files: FileStorage | undefined): FileStorage {
  if (scheme !== "file") {
    const known = '"memory://", "idb://NAME", "file:PATH" or a storage object';
    throw new LuaStorageError("name", `"${address}" is no storage; use ${known}`);
  }
  if (files === undefined) throw new LuaStorageError("unavailable", "there are no files here; use idb://NAME");
  return files;
}

/** Splits `scheme://name` or `scheme:name`. */
function split(address: string): [string, string] {
  const colon = address.indexOf(":");
  const name = address.slice(colon + 1);
  return [address.slice(0, Math.max(colon, 0)), name.startsWith("//") ? name.slice(2) : name];
}
