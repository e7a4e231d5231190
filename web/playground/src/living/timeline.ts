/**
 * The moments that one can go back to.
 *
 * Invariant: `at` is the moment that the program has come from. What stands behind it is a future that was: it stays, and each
 * new moment takes the place of one of it.
 */
import type { Moment } from "./protocol.ts";

/** With one a second: a minute. */
export const MOMENTS_MAX = 60;

export class Timeline {
  readonly moments: Moment[] = [];
  at = -1;

  add(moment: Moment): void {
    this.at += 1;
    this.moments[this.at] = moment;
    if (this.moments.length <= MOMENTS_MAX) return;
    this.moments.shift();
    this.at -= 1;
  }

  go(index: number): void {
    this.at = Math.max(0, Math.min(this.moments.length - 1, index));
  }
}
