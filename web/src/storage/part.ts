/** The part of the package that opens storage which lasts: a page with tables in memory does without. */
import { Part } from "../part.js";
import type * as Lasting from "./lasting.js";

export const lastingStorage: Part<typeof Lasting> = new Part(() => import("./lasting.js"));
