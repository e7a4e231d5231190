/**
 * Records of the object store `meta`, checked: those that are of the wrong type, or gone, are damage and are
 * said to be, before anything is taken for a database that is new.
 */
import { storeError } from "../store_error.js";

/** Version of the layout (indexeddb/database.js). */
export const FORMAT_VERSION = 2;

/**
 * Meta data of a database.
 * @typedef {object} Meta
 * @property {number} version of the data: a number that each commit raises by one
 * @property {boolean} filled true if the last commit certainly left records
 */

/**
 * Reads the records of `meta`; throws `corrupt` when they are not what a writer leaves there.
 * @param {string} name of the database
 * @param {readonly unknown[]} records
 * @returns {Meta}
 */
export function readMeta(name, records) {
  const described = /** @type {{ name: string, value: unknown }[]} */ (records);
  const values = new Map(described.map((record) => [record.name, record.value]));
  const version = values.get("version");
  const filled = values.get("records") ?? false;
  if (values.get("format") !== FORMAT_VERSION || !Number.isSafeInteger(version) || typeof filled !== "boolean") {
    throw storeError("corrupt", `the description of the database "${name}" is damaged`);
  }
  return { version: /** @type {number} */ (version), filled };
}

/**
 * Throws `corrupt` when a database has no records, and its last commit has left some.
 * @param {string} name of the database
 * @param {Meta} meta
 * @param {number} count
 */
export function checkCount(name, { filled }, count) {
  if (count > 0 || !filled) return;
  throw storeError("corrupt", `the records of the database "${name}" are gone: something else has removed them`);
}
