/** Images as `Lua.restore` takes them. */
import { bytesIn } from "../brands.js";
import type { RestoreState } from "../instance/instance.js";
import { className } from "../names.js";
import type { DecodedImage } from "./decode.js";
import type { ImageHead } from "./format.js";
import type { MemoryPart } from "./pages.js";
import type { LuaTask } from "./tasks.js";

/** Outcome of restoring a VM. */
export interface LuaRestored {
  /** Names of host functions that it knows and that nobody has registered again by now. */
  readonly missing: readonly string[];
  /** Calls that waited when the image was made, and go on. */
  readonly tasks: readonly LuaTask[];
}

/** An image that is unpacked and checked, with which any number of VMs can begin. Made by `Lua.image`. */
export class LuaImage {
  /** Bytes that its memory takes in each VM, at first. */
  readonly memoryBytes: number;
  /** @internal */
  readonly module: WebAssembly.Module;
  /** @internal */
  readonly decoded: RestoreState["image"] & Pick<DecodedImage, "tables">;

  /** @internal */
  constructor(module: WebAssembly.Module, memory: MemoryPart, { meta, memoryLimit, tables }: ImageHead) {
    this.memoryBytes = memory.memoryBytes;
    this.module = module;
    this.decoded = { meta, memoryLimit, tables, memory: () => memory };
  }
}

/** Copies the bytes of an image, so that nobody changes them meanwhile. */
export function bytesOfImage(given: unknown): Uint8Array {
  const bytes = bytesIn(given);
  if (bytes !== undefined) return bytes.slice();
  throw new TypeError(`an image is a Uint8Array, an ArrayBuffer or a LuaImage, not a ${className(given)}`);
}
