/**
 * Beginning from an image: what it is unpacked with, the VM that goes on from it, the tables that come with
 * it.
 */
import { createHostImports, noHost } from "#js/imports.js";
import type { TableStore } from "#js/storage/table_store.js";
import { LuaError, LuaImageError, LuaMemoryError, LuaStorageError } from "../errors.js";
import { instantiate } from "../instance/imports.js";
import type { RestoreState } from "../instance/instance.js";
import { loadTables, restoreTables } from "../storage/dump.js";
import { checkBuild, decodeImage } from "./decode.js";
import { imageError } from "./errors.js";
import { LuaImage } from "./image.js";
import { MemoryPages, baselineOf } from "./pages.js";
import type { LuaTask } from "./tasks.js";
import { restoreTasks } from "../tasks/restore.js";
import { Vm, type VmParts } from "../vm.js";

/**
 * Makes a VM that goes on where an image was made, and the calls that waited there. None of these has run
 * when `ready` is called, and none does before `ready` has returned.
 */
export async function restoreVm(
  parts: VmParts,
  restoreState: RestoreState,
  ready?: (vm: Vm) => void,
): Promise<{ vm: Vm; tasks: LuaTask[] }> {
  try {
    return await Vm.restore(parts, restoreState, (vm) => {
      const tasks = restoreTasks(vm, restoreState.image.meta.tasks);
      ready?.(vm);
      return { vm, tasks };
    });
  } catch (error) {
    // It has run nothing of anybody's: it can only be the image.
    const damaged = error instanceof LuaError && !(error instanceof LuaMemoryError || error instanceof LuaImageError);
    if (damaged) throw imageError("corrupt", "the image is damaged: the VM in it cannot run", error);
    throw error;
  }
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

/** Source of the external tables: the image, or the storage. */
export type TablesFrom = "image" | "storage";

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
