/** The page of the tests of capsules: the built package as a global, and helpers that run in the page. */
import type * as Package from "../src/capsule/index.ts";

const PACKAGE = "/dist/capsule.js";
const capsule = (await import(PACKAGE)) as typeof Package;

/** Databases that the page has open, by a name. */
const open: Record<string, Package.GlyphCase> = {};

Object.assign(globalThis, { capsule, open, ready: true });

export type Capsule = typeof Package;
export type Open = typeof open;
