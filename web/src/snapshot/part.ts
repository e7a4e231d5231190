/**
 * The part of the package that begins from images: a page that makes none, or only makes them, does without.
 */
import { Part } from "../part.js";
import type * as Restoring from "./restoring.js";

export const restoring: Part<typeof Restoring> = new Part(() => import("./restoring.js"));
