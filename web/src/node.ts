/** The package where there are files (Node, Deno, Bun): `storage: "file:PATH"`. */
import { setFileStorage } from "./index.js";

const files = async () => (await import("./storage/file/storage.js")).fileStorage;

setFileStorage({
  open: async (address, options) => (await files()).open(address, options),
  follow: async (address) => (await files()).follow(address),
});

export * from "./index.js";
