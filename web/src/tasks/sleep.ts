/** Waiting for a time, as a wait that can be cancelled and captured. */
import { DELAY_MS_MAX } from "../option_rules.js";
import { hooked } from "./tasks.js";

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  if (!(ms >= 0 && ms <= DELAY_MS_MAX)) throw new RangeError(`async.sleep takes 0 to ${DELAY_MS_MAX} milliseconds`);
  let timer: ReturnType<typeof setTimeout>;
  const end = performance.now() + ms;
  const slept = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  return hooked(slept, {
    cancel: () => clearTimeout(timer),
    // Not more than it was: the sum has been rounded.
    pending: () => ({ sleep: Math.min(ms, Math.max(0, end - performance.now())) }),
  });
}
