/** Runs in a page: the contract of every storage, over IndexedDB. */
import { PARTS } from "../test/storage_conformance.ts";

Object.assign(globalThis, {
  ready: true,
  names: PARTS.map(([name]) => name),
  run: async (index: number, options: object) => {
    const { Lua } = (await import("/dist/index.js" as string)) as typeof import("../src/index.ts");
    await PARTS[index]![1]({ Lua, options, shared: true });
  },
});
