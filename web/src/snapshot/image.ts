/** Images as `Lua.restore` takes them. */
import { restoreTables, loadTables } from "../storage/dump.js";
import { LuaError, LuaStorageError } from "../errors.js";
import { instantiate } from "../instance/imports.js";
import type { RestoreState } from "../instance/instance.js";
import { bytesIn } from "../brands.js";
import { className } from "../names.js";
import { createHostImports, noHost } from "#js/imports.js";
import type { TableStore } from "#js/storage/table_store.js";
import { imageError } from "./errors.js";
import { checkBuild, decodeImage, type DecodedImage, type ImageHead } from "./format.js";
import { MemoryPages, baselineOf, type MemoryPart } from "./pages.js";
import type { LuaTask } from "./tasks.js";

/** Outcome of restoring a VM. */
export interface LuaRestored {
  /** Names of host functions that it knows and that nobody has registered again by now. */
  readonly missing: readonly string[];
  /** Calls that waited when the image was made, and go on. */
  readonly tasks: readonly LuaTask[];
}

/** Source of the external tables: the image, or the storage. */
export type TablesFrom = "image" | "storage";

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

/** Unpacks an image. */
export async function unpackImage(bytes: Uint8Array, loading: Promise<WebAssembly.Module>): Promise<LuaImage> {
  const decoded = decodeImage(bytes);
  const module = await loading;
  checkBuild(decoded, module);
  // Any instance can unpack; this one does nothing else.
  const memory = () => exports.memory;
  const exports = await instantiate(module, createHostImports({ memory, host: noHost(memory) }));
  const part = decoded.memory(new MemoryPages(exports, baselineOf(module, exports)));
  return new LuaImage(module, part, decoded);
}

/** Steps that fill a store with the tables of an image. */
export interface Filling {
  /** Step before the VM is restored, where nothing can be lost by it. */
  readonly first: () => void;
  /** Step after the VM was restored. */
  readonly last: () => void;
}

/**
 * Decides how a store gets the tables of an image, if it is to have them. Throws when the caller has to
 * decide first.
 */
export function fillingOf(store: TableStore, dump: Uint8Array | undefined, from: TablesFrom | undefined): Filling {
  const nothing = () => {};
  if (dump === undefined || from === "storage") {
    if (from === "image") throw new LuaError("usage", "the image has no external tables: it was made without them");
    return { first: nothing, last: nothing };
  }
  const empty = store.names().length === 0;
  if (!empty && from === undefined) {
    const choose = 'option "tables" must say which are to be kept: "image" or "storage"';
    throw new LuaError("usage", `both the image and the storage have external tables: ${choose}`);
  }
  // As they were there, places in the order included, where nothing would have to be notified of it.
  if (empty && store.writer === null && store.mode === "open") {
    return { first: () => ofImage(() => restoreTables(store, dump)), last: nothing };
  }
  return { first: nothing, last: () => ofImage(() => loadTables(store, dump, false)) };
}

/** Runs `fill`; damage of the dump is damage of the image. */
function ofImage(fill: () => void): void {
  try {
    fill();
  } catch (error) {
    const damaged = error instanceof LuaStorageError && ["foreign", "newer", "corrupt"].includes(error.code);
    throw damaged ? imageError("corrupt", `the image is damaged: its external tables: ${error.message}`, error) : error;
  }
}
