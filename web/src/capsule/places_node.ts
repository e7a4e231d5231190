/** Files of databases where there are some: Node, Deno, Bun. */
import { NodeFiles, claimDatabase } from "./files_node.js";
import { CapsuleError } from "./errors.js";
import type { OpenFiles } from "./places.js";

/** Takes a database for this process, by a lock file beside it. */
export function takeNodeFiles(filename: string): OpenFiles {
  try {
    const { path, lock } = claimDatabase(filename);
    const files = new NodeFiles();
    const release = async () => {
      files.closeAll();
      lock.release();
    };
    return { kind: "file", files, path, release };
  } catch (cause) {
    const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
    const kind = code === "locked" ? "locked" : code === "quota" ? "full" : "unsupported";
    throw new CapsuleError(kind, `the database "${filename}" cannot be opened: ${String(message ?? cause)}`, { cause });
  }
}
