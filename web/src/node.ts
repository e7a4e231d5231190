/** The package where there are files (Node, Deno, Bun): `storage: "file:PATH"`. */
import { followFile } from "./storage/file/follow.js";
import { openFile } from "./storage/file/open.js";
import { setFileStorage } from "./index.js";

setFileStorage({ open: openFile, follow: followFile });

export * from "./index.js";
