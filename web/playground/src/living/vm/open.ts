/** Opening and restoring the VM: the only file that names its storage. */
import { Lua, type LuaImage, type LuaOptions } from "perilune";

/**
 * Options of a VM in storage: with `resume` it is committed itself, and the next `Lua.create` goes on with
 * it.
 */
const KEPT = { storage: "idb://perilune-demo-living", resume: true } as const;

/** Opens the VM as the last visit left it (`lua.restored` is defined then), or a new one. */
export function openLiving(kept: boolean, options: LuaOptions): Promise<Lua> {
  return Lua.create({ ...(kept ? KEPT : {}), ...options });
}

/** Restores the VM from an image, and commits that from now on if `kept`. */
export function restoreLiving(image: LuaImage, kept: boolean, options: LuaOptions): Promise<Lua> {
  const { sandbox: _, ...rest } = options;
  return Lua.restore(image, { ...(kept ? { ...KEPT, tables: "storage" } : {}), ...rest });
}
