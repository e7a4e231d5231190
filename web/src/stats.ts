/** Figures of a VM (`lua.stats()`), and its garbage collector (`lua.gc()`). */
import { Operation } from "./codec/tags.js";
import { binaryToText } from "./codec/utf8.js";
import type { LuaValue } from "./codec/values.js";
import type { Vm } from "./vm.js";

const GC_MODES = ["collect", "step", "stop", "restart", "incremental", "generational"] as const;

/** Mode of `lua.gc`. */
export type GcMode = (typeof GC_MODES)[number];

/** Result of `lua.stats`. Sizes are in bytes. */
export interface LuaStats {
  memory: {
    /** Linear memory now: everything the VM has. */
    used: number;
    /** Limit of linear memory. */
    limit: number;
    /** Peak of `luaUsed`. */
    peak: number;
    /** Memory that Lua's values take. */
    luaUsed: number;
    /** Memory that the entries of external tables take outside of the VM, about. */
    tables: number;
    /** Memory that external tables take themselves, with their names, about. */
    names: number;
    /** Memory that old values take until the call that runs has ended, since it may be undone, about. */
    undo: number;
  };
  gc: { mode: string; running: boolean };
  /**
   * Functions that are compiled, the modules that they are in, and the bytes of these; and how often compiled
   * code had to give up what it had taken for granted.
   */
  jit: { functions: number; modules: number; bytes: number; exits: number };
  /** Lua values that JavaScript holds. */
  handles: number;
  /** Ticks that the last call of Lua used; inside of one: what it has used so far. */
  fuelUsed: number;
  /**
   * Number of calls into Lua that have ended, which is the number of the last: the `eval` of its change
   * event.
   */
  evals: number;
  /**
   * External tables. `bytes`: of keys and values. `loaded`: it has been used since it was read from storage.
   */
  tables: { name: string; entries: number; bytes: number; loaded: boolean }[];
  /**
   * State of storage (none, idle, scheduled, committing, failed, closed, or following with `readOnly`), and
   * the bytes that it is behind.
   */
  storage: { state: string; pendingBytes: number };
}

/** Collects the figures of the VM and the store. */
export function stats(vm: Vm): LuaStats {
  const [used, limit, peak, luaUsed, handles, mode, running, fuelUsed] = vm.request(Operation.stats, []);
  const { tables, bytes, listBytes, held, evals, storage } = vm.store.stats();
  return {
    memory: {
      used: Number(used),
      limit: Number(limit),
      peak: Number(peak),
      luaUsed: Number(luaUsed),
      tables: bytes,
      names: listBytes,
      undo: held,
    },
    gc: { mode: String(mode), running: running === true },
    jit: vm.compiled,
    handles: Number(handles),
    fuelUsed: Number(fuelUsed),
    evals,
    tables: tables.map((table) => ({ ...table, name: binaryToText(table.name) })),
    storage,
  };
}

/** Calls `collectgarbage(mode)`. */
export function gc(vm: Vm, mode: GcMode): LuaValue {
  if (!GC_MODES.includes(mode)) throw new TypeError(`gc: "${String(mode)}" is none of ${GC_MODES.join(", ")}`);
  return vm.request(Operation.gc, [mode])[0];
}
