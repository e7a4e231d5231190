/** `perilune/capsule` where there are files: Node, Deno, Bun. */
import { readFileSync } from "node:fs";
import { takeNodeFiles } from "./places_node.js";
import { setFiles, setModuleReader } from "./index.js";

setFiles(takeNodeFiles);
setModuleReader(() => readFileSync(new URL("./capsule.wasm", import.meta.url)));

export * from "./index.js";
