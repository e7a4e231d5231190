/** Where the VM comes from, and where it is kept: the only file that knows. */
import { Lua, type LuaImage, type LuaOptions } from "perilune";

/** With `resume` the VM itself is committed, and the next `Lua.create` goes on with it. */
const KEPT = { storage: "idb://perilune-demo-living", resume: true } as const;

/** Goes on where the last visit ended (`lua.restored` is defined then), or begins anew. */
export function openLiving(kept: boolean, options: LuaOptions): Promise<Lua> {
  return Lua.create({ ...(kept ? KEPT : {}), ...options });
}

/** Goes on where the image was made, and keeps that from now on. */
export function wakeLiving(image: LuaImage, kept: boolean, options: LuaOptions): Promise<Lua> {
  const { sandbox: _, ...rest } = options;
  return Lua.restore(image, { ...(kept ? { ...KEPT, tables: "storage" } : {}), ...rest });
}
