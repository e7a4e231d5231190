/** From a backend to a store with its contents: one that writes there, or one that reads along. */

import { Contents } from "./loader.js";
import { TableStore } from "./table_store.js";
import { WriteBehind } from "./write_behind.js";

/** @typedef {import("./write_behind.js").Backend} Backend */
/** @typedef {import("./write_behind.js").Follower} Follower */
/** @typedef {(done: number, total: number) => void} Progress */

/**
 * A store with what the backend has, which takes it everything that changes. Closes the backend when that fails.
 * @param {Backend} backend
 * @param {{ limit?: number | undefined }} [options] those of `TableStore`
 * @param {Progress} [progress]
 */
export async function openStore(backend, options, progress) {
  try {
    const store = new TableStore(new WriteBehind(backend), options);
    store.adopt(await read(backend, "kept", progress));
    return store;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/**
 * A store that is what somebody else writes.
 * @param {Follower} follower
 * @param {Progress} [progress]
 */
export async function followStore(follower, progress) {
  const store = new TableStore();
  store.mode = "read-only";
  store.unwritten = "following";
  store.closing = () => follower.close();
  try {
    store.adopt(await read(follower, "ignored", progress));
    /** @param {unknown} error */
    const failed = (error) => store.emit("storage-error", error);
    follower.follow((changes, complete) => {
      if (store.mode === "closed") return;
      try {
        const contents = new Contents(complete, "ignored");
        for (const [key, bytes] of changes) contents.add(key, bytes);
        store.adopt(contents);
      } catch (error) {
        // What was there before stays, until the next commit says more.
        failed(error);
      }
    }, failed);
    return store;
  } catch (error) {
    await follower.close();
    throw error;
  }
}

/** How long the page is held up at a time. */
const SLICE_MS = 8;

/**
 * Makes the entries of these tables ahead of their first use, a slice at a time: a large table would hold the page up then.
 * @param {TableStore} store
 * @param {Iterable<string>} names as binary strings; those that are not there have nothing to be made
 */
export async function preload(store, names) {
  for (const name of names) {
    for (;;) {
      const table = store.tables.get(name);
      if (table === undefined || table.entries !== null || store.mode === "closed") break;
      const steps = table.unpacking();
      for (let until = performance.now() + SLICE_MS; steps.next().done !== true;) {
        if (performance.now() < until) continue;
        await new Promise((resolve) => setTimeout(resolve));
        until = performance.now() + SLICE_MS;
      }
    }
  }
}

/**
 * @param {Pick<Backend, "load">} from
 * @param {"ignored" | "kept"} companion
 * @param {Progress} [progress]
 */
async function read(from, companion, progress) {
  const contents = new Contents(true, companion);
  await from.load((key, bytes) => contents.add(key, bytes), progress);
  return contents;
}
