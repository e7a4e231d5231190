// localStorage: an item for each entry, key and value as JSON, since it has only strings.
//
// Its flush is a loop of setItem. It returns when another process has the data; when that has written is not
// known.

import { entries } from "./data.mjs";
import { mapStore } from "./map.mjs";

export const durabilities = ["relaxed"];

/** Characters that Chromium gives an origin: 10 MiB, at two bytes for each character of keys and values. */
const CHARACTERS_MAX = 5 * 1024 * 1024;

export async function open() {
  const map = new Map();
  for (let i = 0; i < localStorage.length; i++) {
    const key = localStorage.key(i);
    map.set(JSON.parse(key), JSON.parse(localStorage.getItem(key)));
  }
  return mapStore(map, { write, countMax });
}

function write(batch) {
  for (const [key, value] of batch) localStorage.setItem(JSON.stringify(key), JSON.stringify(value));
}

function countMax(wanted) {
  let [count, characters] = [0, 0];
  for (const [key, value] of entries(wanted)) {
    characters += JSON.stringify(key).length + JSON.stringify(value).length;
    if (characters > CHARACTERS_MAX) break;
    count++;
  }
  return count;
}
