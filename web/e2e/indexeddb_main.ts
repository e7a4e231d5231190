/** Puts what indexeddb_page.ts has into the page. */
import * as idb from "./indexeddb_page.ts";

Object.assign(globalThis, { idb, ready: true });
