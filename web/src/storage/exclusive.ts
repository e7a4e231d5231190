/** Storage objects, each with one VM at a time: two would write over each other's tables. */
import { after } from "#js/storage/indexeddb/database.js";
import type { Backend } from "#js/storage/write_behind.js";
import { LuaStorageError } from "../errors.js";

/** Objects that are in use, each with the end of that. */
const used = new WeakMap<object, Promise<void>>();

/** Takes a storage object for one VM; waits at most `timeout` milliseconds for another one to close it. */
export async function takeBackend(backend: Backend, timeout: number): Promise<Backend> {
  let late = false;
  const timer = new Promise<void>((resolve) => {
    const over = () => {
      late = true;
      resolve();
    };
    if (timeout <= 0) over();
    else after(timeout, over);
  });
  for (let end = used.get(backend); end !== undefined; end = used.get(backend)) {
    if (!late) await Promise.race([end, timer]);
    else throw new LuaStorageError("locked", "this storage object is in use by another Lua; close that one first");
  }
  let release = () => {};
  used.set(backend, new Promise((resolve) => (release = resolve)));
  return {
    load: (visit, progress) => backend.load(visit, progress),
    commit: (changes) => backend.commit(changes),
    verify: async () => backend.verify?.(),
    async close() {
      try {
        await backend.close();
      } finally {
        used.delete(backend);
        release();
      }
    },
  };
}
