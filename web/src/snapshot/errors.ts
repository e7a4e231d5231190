/** Errors of images. */
import { LuaImageError } from "../errors.js";

/**
 * Reason to refuse an image. `foreign`: no image at all; `newer`: of a later format; `build`: of another
 * build of the module; `corrupt`: damaged; `died`: of a VM in storage that has died since.
 */
export type ImageErrorCode = "foreign" | "newer" | "build" | "corrupt" | "died";

/** Makes the error of a code. */
export function imageError(code: ImageErrorCode, message: string, cause?: unknown): LuaImageError {
  return new LuaImageError(code, message, { cause });
}
