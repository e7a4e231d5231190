/** Errors of tables and storage: plain Errors with a `code` (docs/storage.md, section 11). */

/** Mark of errors that were made here, or by the copy of this file in another entry of the package. */
const MADE = Symbol.for("perilune.storeError");

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
