// Stores by name: Perilune, and what a program would use without it.
//
// Each has a list of the durabilities that can be asked of it, and open(place, durability), which resolves,
// with all that is stored at `place` in memory, to:
//   fill(count)   makes so many entries of stores/data.mjs, in memory; returns how many there is room for
//   change(i)     one entry gets another value, in memory
//   flush()       resolves when everything so far is committed
//   digest()      reads every entry
//   close()
// `place` is a name, or in Node the path of a file that may not exist.

import * as idb_keyval from "./idb_keyval.mjs";
import * as indexeddb from "./indexeddb.mjs";
import * as json_file from "./json_file.mjs";
import * as local_storage from "./local_storage.mjs";
import { externalTable } from "./perilune.mjs";

export const STORES = {
  perilune: externalTable("perilune"),
  base: externalTable("base"),
  indexeddb,
  idb_keyval,
  local_storage,
  json_file,
};
