/** The page of waits.test.ts: every way to wait with every limit, one after the other. */
import type * as Perilune from "../src/index.ts";
import { outcomes, type Outcome } from "../test/waits.ts";

const PACKAGE = "/dist/index.js";
const perilune = (await import(PACKAGE)) as typeof Perilune;
const cases = outcomes(perilune);

async function next(): Promise<Outcome | undefined> {
  const { value, done } = await cases.next();
  return done ? undefined : value;
}

Object.assign(globalThis, { next, ready: true });
