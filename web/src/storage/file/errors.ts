/** Errors of storage in files, with the codes that all backends share. */
import { storeError } from "#js/storage/store_error.js";
import { isErrorOf } from "../../brands.js";

export type FileErrorCode =
  "name" | "unavailable" | "locked" | "newer" | "foreign" | "corrupt" | "quota" | "reset" | "closed" | "host";

export function fileError(code: FileErrorCode, message: string, cause?: unknown): Error {
  return storeError(code, message, cause);
}

/** Error that bytes which the disk had are gone or changed. */
export function damageError(path: string): Error {
  return fileError("corrupt", `${path} is damaged: bytes that were on the disk are not as they were written`);
}

/** Codes for errors of the operating system that concern the given path, or room. */
const CODES: Record<string, FileErrorCode> = {
  ENOENT: "name",
  ENOTDIR: "name",
  EISDIR: "name",
  ENAMETOOLONG: "name",
  ELOOP: "name",
  ERR_INVALID_ARG_VALUE: "name",
  ERR_FS_EISDIR: "name",
  EACCES: "unavailable",
  EPERM: "unavailable",
  EROFS: "unavailable",
  ENOSPC: "quota",
  EDQUOT: "quota",
  EFBIG: "quota",
};

/** Error of an operation on `path`, with a code of storage. */
export function ownError(error: unknown, path: string): Error {
  const code = systemCode(error);
  // It has a code already, or it is an error of the program.
  if (/^[a-z]+$/.test(code) || isErrorOf(error, "RangeError")) return error as Error;
  return fileError(CODES[code] ?? "host", `${path}: ${String((error as Error | undefined)?.message ?? error)}`, error);
}

/** Code such as `ENOENT`; empty for errors that are not of the operating system. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}
