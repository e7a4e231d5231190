/** From the `storage` option to a store with its contents. */
import { openIndexedDb } from "#js/indexeddb.js";
import { TableStore } from "#js/table_store.js";
import { WriteBehind, type Backend } from "#js/write_behind.js";
import { LuaStorageError, storageError } from "./errors.js";

/** Opens the storage; rejects with a `LuaStorageError`. */
export async function openStorage(storage: string | Backend = "memory://"): Promise<TableStore> {
  if (storage === "memory://") return new TableStore();
  try {
    const backend = typeof storage === "string" ? await openBackend(storage) : storage;
    try {
      return await TableStore.load(new WriteBehind(backend));
    } catch (error) {
      await backend.close();
      throw error;
    }
  } catch (error) {
    throw storageError(error);
  }
}

function openBackend(address: string): Promise<Backend> {
  const [scheme, name] = split(address);
  switch (scheme) {
    case "idb":
      return openIndexedDb(name);
    case "file":
      throw new LuaStorageError("unavailable", "storage in files is not available in this version");
    default:
      throw new LuaStorageError(
        "name",
        `"${address}" is no storage; use "memory://", "idb://NAME" or a storage object`,
      );
  }
}

/** `scheme://name` or `scheme:name`. */
function split(address: string): [string, string] {
  const colon = address.indexOf(":");
  const name = address.slice(colon + 1);
  return [address.slice(0, Math.max(colon, 0)), name.startsWith("//") ? name.slice(2) : name];
}
