/** Errors of tables and storage: plain Errors with a `code` (docs/storage.md, section 11). */

/**
 * Makes an error.
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
export function storeError(code, message, cause) {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });
}
