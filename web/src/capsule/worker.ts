/**
 * `perilune/capsule/worker`: the worker in which a capsule has its files in a browser. `GlyphCase` starts it;
 * nobody calls it.
 */
import { takeOpfsFiles } from "./places_opfs.js";
import { setFiles } from "./places.js";
import type { Channel, Locks } from "./tabs/tab.js";
import { serveCapsule, type Port } from "./worker_host.js";

setFiles(takeOpfsFiles);

serveCapsule(globalThis as unknown as Port, {
  locks: globalThis.navigator?.locks as unknown as Locks | undefined,
  channel: (name) => new BroadcastChannel(name) as unknown as Channel,
});
