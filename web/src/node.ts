/** The package where there are files (Node, Deno, Bun): `storage: "file:PATH"`. */
import { fileStorage } from "./storage/file/storage.js";
import { setFileStorage } from "./index.js";

setFileStorage(fileStorage);

export * from "./index.js";
