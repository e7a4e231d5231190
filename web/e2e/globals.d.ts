/** The package, which the test page has put into its global scope. */
declare const perilune: typeof import("../src/index.ts");
/** The Lua that a test keeps between its steps. */
declare var lua: import("../src/index.ts").Lua;
/** Number of looks at the clock, which stands still between them; undefined: the clock is the real one. */
declare var looks: number | undefined;
/** The functions that indexeddb_main.ts has put there. */
declare const idb: typeof import("./indexeddb_page.ts");
