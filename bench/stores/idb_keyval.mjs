// idb-keyval: the same by a library of a few hundred lines.

import { mapStore } from "./map.mjs";

/** Durabilities: the browser's own, since the library has no option. */
export const durabilities = ["relaxed"];

export async function open(place) {
  // Not at the top: Node imports this file, too, and loading is a part of opening.
  const { createStore, entries, setMany } = await import("idb-keyval");
  const store = createStore(`idb-keyval/${place}`, "entries");
  const map = new Map(await entries(store));
  return mapStore(map, { write: (batch) => setMany(batch, store) });
}
