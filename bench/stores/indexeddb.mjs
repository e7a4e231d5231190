// IndexedDB as one uses it by hand: a record for each entry, all of a batch in one transaction; getAll to
// read.

import { mapStore } from "./map.mjs";

export const durabilities = ["relaxed", "strict"];

export async function open(place, durability) {
  const opening = indexedDB.open(`by hand/${place}`, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("entries");
  const database = await result(opening);

  const store = database.transaction("entries").objectStore("entries");
  const [keys, values] = await Promise.all([result(store.getAllKeys()), result(store.getAll())]);
  const map = new Map();
  for (let i = 0; i < keys.length; i++) map.set(keys[i], values[i]);

  return mapStore(map, {
    write(batch) {
      const transaction = database.transaction("entries", "readwrite", { durability });
      const store = transaction.objectStore("entries");
      for (const [key, value] of batch) store.put(value, key);
      transaction.commit();
      return new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    },
    close: () => database.close(),
  });
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
