/**
 * Addresses of files: from the option `storage` to a path.
 *
 * `file://...` is a URL, with a host that is empty or this one, and without `?` and `#`. Behind any other
 * `file:` there is a path as the system writes it, relative ones too. In both, `%20` stands for the character
 * with that number, so a percent sign is `%25`.
 */
import { fileURLToPath } from "node:url";
import { fileError } from "./errors.js";

const SCHEME = "file:";

/** Returns the path that an address names; throws `name`. */
export function pathOf(address: string): string {
  return address.startsWith(`${SCHEME}//`) ? pathOfUrl(address) : decoded(address.slice(SCHEME.length), address);
}

function pathOfUrl(address: string): string {
  try {
    const url = new URL(address);
    if (url.search === "" && url.hash === "") return fileURLToPath(url);
  } catch (error) {
    throw fileError("name", `"${address}" names no file: ${(error as Error).message}`, error);
  }
  throw fileError("name", `"${address}" names no file: in a URL, ? is written %3F, and # is %23`);
}

function decoded(path: string, address: string): string {
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch (error) {
    throw fileError("name", `"${address}" names no file: a percent sign is written %25`, error);
  }
  if (/%2f|%5c/i.test(path)) throw fileError("name", `"${address}" names no file: a separator is written as it is`);
  return text;
}
