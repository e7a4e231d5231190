/**
 * Files of a database, as the module of the capsule sees them: names by address and length, ids, places in
 * bytes (docs/codec.md, section 8).
 *
 * Invariant: nothing throws. A failure is a negative code, and what was thrown waits for `takeFailure`, so
 * that it becomes the `cause` of the error that the module makes of the code.
 */
import type { ImportFunctions } from "../instance/imports.js";

/** Results of operations that fail. */
export const FailureCode = {
  /** Name of no file. */
  absent: -1,
  /** Id of no file, or files whose place was closed. */
  closed: -2,
  /** Lack of a permission. */
  denied: -3,
  /** Lack of room. */
  full: -4,
  /** Failure of the medium. */
  host: -5,
  /** Name that no file can have. */
  name: -6,
} as const;

export type FailureCode = (typeof FailureCode)[keyof typeof FailureCode];

/** The last operation that failed. */
export interface FileFailure {
  readonly code: FailureCode;
  /** Name of the operation: `"write"`. */
  readonly operation: string;
  readonly cause: unknown;
}

/**
 * Files behind the imports `file_...`. Results below zero are codes. Addresses and lengths are those of
 * `memory` when the function is called, and of no other moment.
 */
export interface Files {
  /** Id of a file; it is made if it is missing and `create` is not 0. */
  open(memory: WebAssembly.Memory, name: number, nameLength: number, create: number): number;
  /** 0. The id is forgotten also if this fails. */
  close(file: number): number;
  /** Number of bytes read; fewer than `length` only at the end of the file. */
  read(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number;
  /** 0 if all bytes were written. */
  write(memory: WebAssembly.Memory, file: number, at: number, length: number, offset: number): number;
  /** 0. Makes the file so long. */
  truncate(file: number, size: number): number;
  /** 0. What was written, and the name of the file, survive a power cut from now on. */
  sync(file: number): number;
  /** Bytes of the file. */
  size(file: number): number;
  /** 1 if there is a file of that name which is not empty, else 0. */
  exists(memory: WebAssembly.Memory, name: number, nameLength: number): number;
  /** 0; `absent` if there is no such file. If `durable` is not 0, a power cut does not bring it back. */
  remove(memory: WebAssembly.Memory, name: number, nameLength: number, durable: number): number;
  /** The last failure, which is forgotten. */
  takeFailure(): FileFailure | undefined;
}

/** Answers of the imports `file_...`, for the module with this memory. */
export function fileImports(files: Files, memory: () => WebAssembly.Memory): ImportFunctions {
  return {
    file_open: (name: number, nameLength: number, create: number) => files.open(memory(), name, nameLength, create),
    file_close: (file: number) => files.close(file),
    file_read: (file: number, at: number, length: number, offset: number) =>
      files.read(memory(), file, at, length, offset),
    file_write: (file: number, at: number, length: number, offset: number) =>
      files.write(memory(), file, at, length, offset),
    file_truncate: (file: number, size: number) => files.truncate(file, size),
    file_sync: (file: number) => files.sync(file),
    file_size: (file: number) => files.size(file),
    file_exists: (name: number, nameLength: number) => files.exists(memory(), name, nameLength),
    file_delete: (name: number, nameLength: number, durable: number) =>
      files.remove(memory(), name, nameLength, durable),
  };
}

/** An error with a code of its own, where the cause is not one of the platform. */
export class FileError extends Error {
  readonly failure: FailureCode;

  constructor(failure: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FileError";
    this.failure = failure;
  }
}

/** Runs operations so that they do not throw, and keeps what they threw. */
export class Failures {
  #last: FileFailure | undefined;
  readonly #codeOf: (error: unknown) => FailureCode;

  /** `codeOf` tells the code of an error that is no `FileError`. */
  constructor(codeOf: (error: unknown) => FailureCode) {
    this.#codeOf = codeOf;
  }

  guard(operation: string, run: () => number): number {
    try {
      return run();
    } catch (cause) {
      const code = cause instanceof FileError ? cause.failure : this.#codeOf(cause);
      this.#last = { code, operation, cause };
      return code;
    }
  }

  take(): FileFailure | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last;
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a name; throws `name` if it is not UTF-8. */
export function nameIn(memory: WebAssembly.Memory, at: number, length: number): string {
  try {
    return strict.decode(bytesIn(memory, at, length));
  } catch (cause) {
    throw new FileError(FailureCode.name, "the name of a file is not UTF-8", { cause });
  }
}

/** Bytes of the memory, for as long as nothing else runs. Addresses may come as negative numbers. */
export function bytesIn(memory: WebAssembly.Memory, at: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, at >>> 0, length >>> 0);
}

/** A file that is open, by its id; throws `closed`. */
export function opened<F>(files: Map<number, F>, id: number): F {
  const file = files.get(id);
  if (file === undefined) throw new FileError(FailureCode.closed, `no file has the id ${id}`);
  return file;
}
