/**
 * Places of databases: memory, everywhere, and the files of a platform, which its entry brings along.
 */
import { Failures, FileError, FailureCode, type Files } from "./files.js";
import { CapsuleError } from "./errors.js";
import { MEMORY } from "./options.js";

/** Files of a database that is open. */
export interface OpenFiles {
  readonly kind: "memory" | "file" | "opfs";
  readonly files: Files;
  /** Name of the database, for the module. */
  readonly path: string;
  /** Does what there is to be done between calls: takes room back that was given up. */
  upkeep?(): Promise<void>;
  /** Lets others have the database. */
  release(): Promise<void>;
}

/**
 * Function that takes a database for this program, at once or later. Fails with `locked` while somebody else
 * has it.
 */
export type TakeFiles = (filename: string) => OpenFiles | Promise<OpenFiles>;

let takeFiles: TakeFiles | undefined;

/** Makes these the files of databases whose name is not `:memory:`. */
export function setFiles(take: TakeFiles | undefined): void {
  takeFiles = take;
}

/** True if databases have files in this thread. */
export function hasFiles(): boolean {
  return takeFiles !== undefined;
}

/** Takes the files of a database; a promise where that takes time. */
export function filesOf(filename: string, fallback?: "memory"): OpenFiles | Promise<OpenFiles> {
  if (filename === MEMORY) return memory();
  if (takeFiles !== undefined) return takeFiles(filename);
  if (fallback === "memory") return memory();
  const advice = 'use ":memory:", or the option fallback: "memory"';
  throw new CapsuleError("unsupported", `there are no files here for the database "${filename}": ${advice}`);
}

/** Returns the files of a database in memory, which has none. */
export function memory(): OpenFiles {
  return { kind: "memory", files: new NoFiles(), path: MEMORY, release: async () => {} };
}

/** Files of a module that never asks for one. */
class NoFiles implements Files {
  readonly #failures = new Failures(() => FailureCode.host);

  open = this.#refuse("open");
  close = this.#refuse("close");
  read = this.#refuse("read");
  write = this.#refuse("write");
  truncate = this.#refuse("truncate");
  sync = this.#refuse("sync");
  size = this.#refuse("size");
  exists = this.#refuse("exists");
  remove = this.#refuse("remove");

  takeFailure(): ReturnType<Failures["take"]> {
    return this.#failures.take();
  }

  #refuse(operation: string): () => number {
    return () =>
      this.#failures.guard(operation, () => {
        throw new FileError(FailureCode.denied, "a database in memory has no files");
      });
  }
}
