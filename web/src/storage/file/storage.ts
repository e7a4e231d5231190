/** Storage in files, by addresses: what the option `storage` gets where there are files. */
import type { Backend, Follower } from "#js/storage/write_behind.js";
import { pathOf } from "./address.js";
import { followFile } from "./follow.js";
import { openFile, type FileOptions } from "./open.js";

/** Opens files by addresses, which begin with `file:`. */
export const fileStorage = {
  open: async (address: string, options: FileOptions): Promise<Backend> => openFile(pathOf(address), options),
  follow: async (address: string): Promise<Follower> => followFile(pathOf(address)),
};
