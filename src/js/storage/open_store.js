/** Opening of a store over a backend: one that writes there, or one that follows another writer. */

import { Loader } from "./loader.js";
import { isInterruption } from "./store_error.js";
import { TableStore } from "./table_store.js";
import { WriteBehind } from "./write_behind.js";

/** @typedef {import("./write_behind.js").Backend} Backend */
/** @typedef {import("./write_behind.js").Follower} Follower */
/** @typedef {(done: number, total: number) => void} Progress */

/**
 * Opens a store with what the backend has, which takes it everything that changes. Closes the backend when
 * that fails.
 * @param {Backend} backend
 * @param {{ limit?: number | undefined }} [options] those of `TableStore`
 * @param {Progress} [progress]
 */
export async function openStore(backend, options, progress) {
  try {
    const store = new TableStore(new WriteBehind(backend), options);
    store.load(await read(backend, "kept", progress));
    return store;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/**
 * Opens a read-only store that has what another program writes. Closes the follower when that fails.
 * @param {Follower} follower
 * @param {Progress} [progress]
 */
export async function followStore(follower, progress) {
  const store = new TableStore();
  store.mode = "read-only";
  store.unwritten = "following";
  store.closing = () => follower.close();
  try {
    store.load(await read(follower, "ignored", progress));
    /** @param {unknown} error */
    const failed = (error) => store.emit("storage-error", error);
    follower.follow((changes, complete) => {
      if (store.mode === "closed") return;
      try {
        const loader = new Loader(complete, "ignored");
        for (const [key, bytes] of changes) loader.add(key, bytes);
        store.load(loader);
      } catch (error) {
        // The store stays as it was until the next commit.
        failed(error);
      }
    }, failed);
    return store;
  } catch (error) {
    await follower.close();
    throw error;
  }
}

/** Times that records are read in a row because reading them was interrupted. */
const READS_MAX = 4;

/**
 * Reads all records; from the beginning where that is interrupted.
 * @param {Pick<Backend, "load">} from
 * @param {"ignored" | "kept"} participants
 * @param {Progress} [progress]
 */
async function read(from, participants, progress) {
  for (let reads = 1; ; reads++) {
    const loader = new Loader(true, participants);
    try {
      await from.load((key, bytes) => loader.add(key, bytes), progress);
      return loader;
    } catch (error) {
      if (reads === READS_MAX || !isInterruption(error)) throw error;
    }
  }
}
