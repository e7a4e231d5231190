/** The package, which the test page has put into its global scope. */
declare const perilune: typeof import("../src/index.ts");
/** The Lua that a test keeps between its steps. */
declare var lua: import("../src/index.ts").Lua;
/** The functions that indexeddb_main.ts has put there. */
declare const idb: typeof import("./indexeddb_page.ts");
