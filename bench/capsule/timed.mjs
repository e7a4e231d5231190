// Time of some work.

/** Milliseconds of some work. */
export async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
