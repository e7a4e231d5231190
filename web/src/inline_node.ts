/** `perilune/inline` where there are files (Node, Deno, Bun). */
import { preferInlineModule } from "./node.js";

preferInlineModule();

export * from "./node.js";
