/** The errors of tables and storage: plain Errors that say by their `code` what they are (docs/storage.md, section 11). */

/**
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
export function storeError(code, message, cause) {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });
}
