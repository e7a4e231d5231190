/**
 * `perilune/inline`: the package with its module inside the JavaScript, for one file without any beside it. A
 * third larger than the module as a file, and compiled only when all of it is there.
 *
 * @packageDocumentation
 */
import { preferInlineModule } from "./index.js";

preferInlineModule();

export * from "./index.js";
