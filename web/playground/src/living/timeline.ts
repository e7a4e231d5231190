/**
 * Moments that the program can be restored from.
 *
 * Invariant: `at` is the moment that the program has come from. The moments behind it are of an abandoned
 * future: they stay until each new moment replaces one of them.
 */
import type { Moment } from "./protocol.ts";

/** Number of moments: a minute, with one a second. */
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
