/** Errors of tables and storage: plain Errors with a `code` (docs/storage.md, section 11). */

/** Mark of errors that were made here, or by the copy of this file in another entry of the package. */
const MADE = Symbol.for("perilune.storeError");

/** Mark of errors after which the same is worth an attempt at once. */
const INTERRUPTED = Symbol.for("perilune.interrupted");

/**
 * Makes an error.
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
export function storeError(code, message, cause) {
  const error = Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });
  return Object.defineProperty(error, MADE, { value: true });
}

/**
 * Returns the original of an error: what an error of `storeError` was made for (undefined: nothing), or an
 * error of somebody else's itself.
 * @param {unknown} error
 * @returns {unknown}
 */
export function originalOf(error) {
  const { [MADE]: made, cause } = /** @type {{ [MADE]?: unknown, cause?: unknown }} */ (error ?? {});
  return made === true ? cause : error;
}

/**
 * Marks an error as an interruption: what was under way broke off, and nothing is known to be wrong with it.
 * Whoever asked for it asks once more before anybody is told.
 * @template {Error} E
 * @param {E} error
 * @returns {E}
 */
export function interruption(error) {
  return Object.defineProperty(error, INTERRUPTED, { value: true });
}

/** True for an error that `interruption` has marked. @param {unknown} error */
export function isInterruption(error) {
  return /** @type {{ [INTERRUPTED]?: unknown } | null | undefined} */ (error)?.[INTERRUPTED] === true;
}
