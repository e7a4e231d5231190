/**
 * The host imports: functions that answer the imports of the wasm module (docs/codec.md, section 4), numbers
 * in, numbers out.
 *
 * Invariants:
 * - Nothing throws into the module. A failure becomes a negative code; its message waits for `store_error`,
 *   and the original for `takeFailure()`, so that the JavaScript caller gets it as the `cause` of his error.
 * - No view of the module's memory is trusted after the module ran: it is made anew when memory has grown.
 *
 * `createHostImports` makes those of one instance. The functions exported below it, under the names of the
 * imports, are the same for wasm-bindgen's generated glue, which knows one instance per JavaScript module.
 *
 * Files in this folder import only one another: wasm-bindgen carries them into other people's builds as
 * snippets.
 */

import { binaryToBytes, bytesToBinary } from "./binary.js";
import { clock as realClock } from "./clock.js";
import { createCompiler } from "./jit.js";
import { storeError } from "./storage/store_error.js";

/** Results of table imports that fail. @type {Readonly<Record<string, number>>} */
export const FAILURE_CODES = { closed: -2, "read-only": -3, "too-large": -4, host: -5, name: -6 };

/** Outcome of `host_call`: the list has an error to raise. */
const END_ERROR = 1;

const ABSENT = -1;
const HOST_FAILED = -5;

/** @typedef {import("./storage/table.js").Table} Table */
/** @typedef {import("./storage/table_store.js").TableStore} TableStore */

/**
 * @typedef {object} HostImportsOptions
 * @property {() => WebAssembly.Memory} memory the instance's memory; first asked for at the first call
 * @property {(stream: number, bytes: Uint8Array) => void} [output] gets bytes of its own; 1 is stdout,
 *   2 is stderr
 * @property {(message: string) => void} [panic]
 * @property {Host} host answers the calls of host functions
 * @property {() => WebAssembly.Exports} [exports] the instance's exports, for compiled functions
 * @property {() => boolean} [interrupted] whether what runs should end; asked often, and must not throw
 * @property {() => number} [now] milliseconds since 1970, for both clocks of the program; must not throw
 * @property {() => number | undefined} [random] 32 random bits, or undefined: the platform's; must not throw
 */

/**
 * Functions behind `host_call`, `host_take` and `host_release`: as the imports, with addresses and lengths
 * that are never negative. None may throw, but for `call` to leave a module that has died.
 * @typedef {object} Host
 * @property {(id: number, args: number, length: number, mayWait: number, out: number,
 *   outCapacity: number) => number} call
 * @property {(out: number, outCapacity: number) => number} take
 * @property {(id: number, uses: number) => void} release
 */

/**
 * A failure that the module knows as a code.
 * @typedef {object} Failure
 * @property {string} code
 * @property {string} message
 * @property {unknown} cause the original
 */

/**
 * The host imports of one instance.
 * @param {HostImportsOptions} options
 */
export function createHostImports({
  memory,
  output = toConsole,
  panic = console.error,
  host,
  interrupted,
  now,
  random,
  exports = () => ({ memory: memory() }),
}) {
  const compiler = createCompiler(exports);
  let bytes = new Uint8Array(0);
  let view = new DataView(bytes.buffer);
  /** @type {(TableStore | undefined)[]} */
  const stores = [];
  /** Tables by the id that the module knows. @type {(Table | undefined)[]} */
  const tables = [];
  /** @type {Map<Table, number>} */
  const ids = new Map();
  /** Tables that were dropped, but a roll back may still bring them back. @type {Table[]} */
  const dropped = [];
  /** @type {Failure | null} */
  let failure = null;
  /**
   * Milliseconds that the program's clock is ahead of the host's: that of a restored VM goes on where it was.
   */
  let ahead = 0;
  const monotonic = now ?? (() => performance.now());

  function fresh() {
    // A detached view has length 0.
    if (bytes.length === 0) {
      bytes = new Uint8Array(memory().buffer);
      view = new DataView(bytes.buffer);
    }
    return bytes;
  }

  /** @param {unknown} cause */
  function failed(cause) {
    const error = /** @type {{ code?: unknown, message?: unknown } | null | undefined} */ (cause);
    let code = "host";
    if (typeof error?.code === "string") code = error.code;
    // "Invalid string length", "Map maximum size exceeded"
    else if (/** @type {{ name?: unknown } | null} */ (cause)?.name === "RangeError") code = "too-large";
    failure = { code, message: String(error?.message ?? cause), cause };
    return FAILURE_CODES[code] ?? HOST_FAILED;
  }

  /** @param {number} id */
  function store(id) {
    const found = stores[id];
    if (found === undefined) throw storeError("closed", "the store is closed");
    return found;
  }

  /** @param {number} id */
  function tableOf(id) {
    const found = tables[id];
    if (found === undefined) throw storeError("closed", "the table was dropped");
    return found;
  }

  /** @param {number} at @param {number} length */
  function text(at, length) {
    return new TextDecoder().decode(fresh().subarray(at, at + length));
  }

  const imports = {
    /** @param {number} storeId @param {number} name @param {number} nameLength */
    table_open(storeId, name, nameLength) {
      try {
        const table = store(storeId).open(bytesToBinary(fresh(), name >>> 0, nameLength));
        let id = ids.get(table);
        if (id === undefined) {
          id = tables.push(table) - 1;
          ids.set(table, id);
        }
        return id;
      } catch (error) {
        return failed(error);
      }
    },

    /**
     * @param {number} id
     * @param {number} key
     * @param {number} keyLength
     * @param {number} out
     * @param {number} outCapacity
     */
    table_get(id, key, keyLength, out, outCapacity) {
      try {
        const table = tableOf(id);
        const memory = fresh();
        const value = table.get(bytesToBinary(memory, key >>> 0, keyLength));
        if (value === undefined) return ABSENT;
        if (value.length <= outCapacity) binaryToBytes(value, memory, out >>> 0);
        return value.length;
      } catch (error) {
        return failed(error);
      }
    },

    /**
     * @param {number} id
     * @param {number} key
     * @param {number} keyLength
     * @param {number} value
     * @param {number} valueLength
     */
    table_set(id, key, keyLength, value, valueLength) {
      try {
        const table = tableOf(id);
        const memory = fresh();
        table.set(bytesToBinary(memory, key >>> 0, keyLength), bytesToBinary(memory, value >>> 0, valueLength));
        return 0;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} id @param {number} key @param {number} keyLength */
    table_remove(id, key, keyLength) {
      try {
        return tableOf(id).remove(bytesToBinary(fresh(), key >>> 0, keyLength)) ? 1 : 0;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} id @param {number} after @param {number} out @param {number} outCapacity */
    table_next(id, after, out, outCapacity) {
      try {
        const table = tableOf(id);
        const memory = fresh();
        const start = out >>> 0;
        const end = start + (outCapacity >>> 0);
        let at = start;
        for (let entry = table.next(after); entry !== undefined; entry = table.next(entry.seq)) {
          const { seq, key, value } = entry;
          const length = 8 + key.length + value.length;
          if (at + length > end) return at === start ? length : at - start;
          view.setFloat64(at, seq, true);
          binaryToBytes(key, memory, at + 8);
          binaryToBytes(value, memory, at + 8 + key.length);
          at += length;
        }
        return at - start;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} id */
    table_count(id) {
      try {
        return tableOf(id).count;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} id */
    table_clear(id) {
      try {
        tableOf(id).clear();
        return 0;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} storeId @param {number} name @param {number} nameLength */
    table_drop(storeId, name, nameLength) {
      try {
        const binary = bytesToBinary(fresh(), name >>> 0, nameLength);
        const table = store(storeId).tables.get(binary);
        if (!store(storeId).drop(binary)) return 0;
        if (table !== undefined) dropped.push(table);
        return 1;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} storeId @param {number} out @param {number} outCapacity */
    table_names(storeId, out, outCapacity) {
      try {
        const names = store(storeId).names();
        const length = names.reduce((sum, name) => sum + 5 + name.length, 4);
        if (length > outCapacity) return length;
        const memory = fresh();
        let at = out >>> 0;
        view.setUint32(at, names.length, true);
        at += 4;
        for (const name of names) {
          view.setUint8(at, 0x04);
          view.setUint32(at + 1, name.length, true);
          binaryToBytes(name, memory, at + 5);
          at += 5 + name.length;
        }
        return length;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} storeId @param {number} operation */
    transaction(storeId, operation) {
      try {
        const found = store(storeId);
        if (operation === 0) found.begin();
        else if (operation === 1) found.commit();
        else found.rollback();
        return 0;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} storeId */
    end_batch(storeId) {
      try {
        store(storeId).endBatch("lua");
        // Nothing can bring these back any more: their ids are refused as before, without keeping them.
        for (const table of dropped.splice(0)) {
          const id = ids.get(table);
          if (!table.dropped || id === undefined) continue;
          ids.delete(table);
          tables[id] = undefined;
        }
        return 0;
      } catch (error) {
        return failed(error);
      }
    },

    /** @param {number} out @param {number} outCapacity */
    store_error(out, outCapacity) {
      try {
        const message = encoder.encode(failure?.message ?? "");
        if (message.length <= outCapacity) fresh().set(message, out >>> 0);
        return message.length;
      } catch {
        return 0;
      }
    },

    /** @param {number} stream @param {number} at @param {number} length */
    output(stream, at, length) {
      try {
        output(stream, fresh().slice(at >>> 0, (at >>> 0) + length));
      } catch (error) {
        // There is no way to tell the program; losing it silently would be worse.
        console.error(error);
      }
    },

    clock_ms: now ?? (() => Date.now()),
    monotonic_ms: () => monotonic() + ahead,
    timer_ms: () => realClock.now(),
    interrupted: () => (interrupted?.() ? 1 : 0),

    /** @param {number} ms */
    time_zone_minutes(ms) {
      const offset = 0 - new Date(ms).getTimezoneOffset();
      return Number.isFinite(offset) ? offset : 0;
    },

    random_u32() {
      const given = random?.();
      if (given !== undefined) return given;
      try {
        return /** @type {number} */ (crypto.getRandomValues(new Uint32Array(1))[0]);
      } catch {
        return Math.floor(Math.random() * 2 ** 32);
      }
    },

    /** @param {number} at @param {number} length */
    report_panic(at, length) {
      try {
        panic(text(at >>> 0, length));
      } catch {
        // The trap that follows says the rest.
      }
    },

    /**
     * @param {number} id
     * @param {number} args
     * @param {number} length
     * @param {number} mayWait
     * @param {number} out
     * @param {number} outCapacity
     */
    host_call(id, args, length, mayWait, out, outCapacity) {
      return host.call(id >>> 0, args >>> 0, length >>> 0, mayWait, out >>> 0, outCapacity >>> 0);
    },

    /** @param {number} out @param {number} outCapacity */
    host_take(out, outCapacity) {
      return host.take(out >>> 0, outCapacity >>> 0);
    },

    /** @param {number} id @param {number} uses */
    host_release(id, uses) {
      host.release(id >>> 0, uses >>> 0);
    },

    ...compiler.imports,
  };

  return {
    imports,
    compiler,

    /**
     * Makes a store known; the first has id 0.
     * @param {TableStore} added
     */
    attach: (added) => stores.push(added) - 1,

    /** @param {number} id */
    detach(id) {
      stores[id] = undefined;
    },

    /**
     * Captures what the module knows of this side, for an image: names of tables (null: dropped), and its
     * clock.
     */
    capture: () => ({
      tables: tables.map((table) => (table === undefined || table.dropped ? null : table.name)),
      clock: monotonic() + ahead,
    }),

    /**
     * Restores this side for a module that has the memory of another: its tables are those of these names,
     * and its clock does not step back.
     * @param {{ readonly tables: readonly (string | null)[], readonly clock: number }} part
     */
    restore({ tables: names, clock }) {
      for (const name of names) {
        const table = name === null ? undefined : store(0).open(name);
        const id = tables.push(table) - 1;
        if (table !== undefined) ids.set(table, id);
      }
      const behind = clock - monotonic();
      // A clock of the user's own says what time it is, as long as that is not before.
      ahead = now === undefined ? behind : Math.max(0, behind || 0);
    },

    /** Takes the last failure since this was called before, or null. */
    takeFailure() {
      const taken = failure;
      failure = null;
      return taken;
    },

    /**
     * Puts back what `takeFailure` gave: it belongs to a call that is not over.
     * @param {Failure} taken
     */
    putFailure(taken) {
      failure = taken;
    },
  };
}

/** @typedef {ReturnType<typeof createHostImports>} HostImports */

/**
 * A host that has no functions: whatever is called fails, and says so.
 * @param {() => WebAssembly.Memory} memory
 * @returns {Host}
 */
export function noHost(memory) {
  const message = "there are no host functions here";
  /** The list of one string. @param {number} out @param {number} outCapacity */
  function write(out, outCapacity) {
    const length = 9 + message.length;
    if (length > outCapacity) return length;
    const view = new DataView(memory().buffer, out, length);
    view.setUint32(0, 1, true);
    view.setUint8(4, 0x04);
    view.setUint32(5, message.length, true);
    encoder.encodeInto(message, new Uint8Array(memory().buffer, out + 9, message.length));
    return length;
  }
  return {
    call: (_id, _args, _length, _mayWait, out, outCapacity) => (write(out, outCapacity) << 2) | END_ERROR,
    take: write,
    release() {},
  };
}

/**
 * @param {number} stream
 * @param {Uint8Array} bytes
 */
function toConsole(stream, bytes) {
  const text = new TextDecoder().decode(bytes).replace(/\n$/, "");
  if (stream === 2) console.error(text);
  else console.log(text);
}

const encoder = new TextEncoder();

// The default imports, for wasm-bindgen's generated glue.

/** @type {WebAssembly.Memory | null} */
let defaultMemory = null;
/** @type {(stream: number, bytes: Uint8Array) => void} */
let defaultOutput = toConsole;

function memory() {
  if (defaultMemory === null) throw new Error("set_memory() was not called");
  return defaultMemory;
}

let defaultHost = /* @__PURE__ */ noHost(memory);

const defaultImports = /* @__PURE__ */ createHostImports({
  memory,
  output: (stream, bytes) => defaultOutput(stream, bytes),
  host: {
    call: (...args) => defaultHost.call(...args),
    take: (...args) => defaultHost.take(...args),
    release: (...args) => defaultHost.release(...args),
  },
});

/**
 * Tells the default imports where the module's memory is: `wasm_bindgen::memory()`. Before anything else.
 * @param {WebAssembly.Memory} memory
 */
export function set_memory(memory) {
  defaultMemory = memory;
}

/**
 * Sets the function that takes output which does not wait for the end of the call.
 * @param {(stream: number, bytes: Uint8Array) => void} output
 */
export function set_output(output) {
  defaultOutput = output;
}

/**
 * Sets the functions that answer the calls of host functions.
 * @param {Host} host
 */
export function set_host(host) {
  defaultHost = host;
}

/**
 * Makes a `TableStore` known to the default imports.
 * @param {TableStore} store
 * @returns {number} its id for the imports; the first is 0
 */
export function attach_store(store) {
  return defaultImports.attach(store);
}

/**
 * Forgets a store: calls that name it fail with "closed".
 * @param {number} id
 */
export function detach_store(id) {
  defaultImports.detach(id);
}

/**
 * The last failure of a default import, or undefined: `{ code, message, cause }`.
 * @returns {Failure | undefined}
 */
export function take_failure() {
  return defaultImports.takeFailure() ?? undefined;
}

// The imports. Functions of their own, so that a bundle which does not need the default imports can leave
// them out.

/** @param {number} store @param {number} name @param {number} nameLength */
export function table_open(store, name, nameLength) {
  return defaultImports.imports.table_open(store, name, nameLength);
}

/**
 * @param {number} table
 * @param {number} key
 * @param {number} keyLength
 * @param {number} out
 * @param {number} outCapacity
 */
export function table_get(table, key, keyLength, out, outCapacity) {
  return defaultImports.imports.table_get(table, key, keyLength, out, outCapacity);
}

/**
 * @param {number} table
 * @param {number} key
 * @param {number} keyLength
 * @param {number} value
 * @param {number} valueLength
 */
export function table_set(table, key, keyLength, value, valueLength) {
  return defaultImports.imports.table_set(table, key, keyLength, value, valueLength);
}

/** @param {number} table @param {number} key @param {number} keyLength */
export function table_remove(table, key, keyLength) {
  return defaultImports.imports.table_remove(table, key, keyLength);
}

/** @param {number} table @param {number} after @param {number} out @param {number} outCapacity */
export function table_next(table, after, out, outCapacity) {
  return defaultImports.imports.table_next(table, after, out, outCapacity);
}

/** @param {number} table */
export function table_count(table) {
  return defaultImports.imports.table_count(table);
}

/** @param {number} table */
export function table_clear(table) {
  return defaultImports.imports.table_clear(table);
}

/** @param {number} store @param {number} name @param {number} nameLength */
export function table_drop(store, name, nameLength) {
  return defaultImports.imports.table_drop(store, name, nameLength);
}

/** @param {number} store @param {number} out @param {number} outCapacity */
export function table_names(store, out, outCapacity) {
  return defaultImports.imports.table_names(store, out, outCapacity);
}

/** @param {number} store @param {number} operation */
export function transaction(store, operation) {
  return defaultImports.imports.transaction(store, operation);
}

/** @param {number} store */
export function end_batch(store) {
  return defaultImports.imports.end_batch(store);
}

/** @param {number} out @param {number} outCapacity */
export function store_error(out, outCapacity) {
  return defaultImports.imports.store_error(out, outCapacity);
}

/** @param {number} stream @param {number} at @param {number} length */
export function output(stream, at, length) {
  return defaultImports.imports.output(stream, at, length);
}

export function clock_ms() {
  return defaultImports.imports.clock_ms();
}

export function monotonic_ms() {
  return defaultImports.imports.monotonic_ms();
}

/** @param {number} ms */
export function time_zone_minutes(ms) {
  return defaultImports.imports.time_zone_minutes(ms);
}

export function random_u32() {
  return defaultImports.imports.random_u32();
}

export function timer_ms() {
  return defaultImports.imports.timer_ms();
}

export function interrupted() {
  return defaultImports.imports.interrupted();
}

/** @param {number} at @param {number} length */
export function report_panic(at, length) {
  return defaultImports.imports.report_panic(at, length);
}

/**
 * @param {number} id
 * @param {number} args
 * @param {number} length
 * @param {number} mayWait
 * @param {number} out
 * @param {number} outCapacity
 */
export function host_call(id, args, length, mayWait, out, outCapacity) {
  return defaultImports.imports.host_call(id, args, length, mayWait, out, outCapacity);
}

/** @param {number} out @param {number} outCapacity */
export function host_take(out, outCapacity) {
  return defaultImports.imports.host_take(out, outCapacity);
}

/** @param {number} id @param {number} uses */
export function host_release(id, uses) {
  return defaultImports.imports.host_release(id, uses);
}

/** @param {number} build */
export function jit_compile(build) {
  return defaultImports.imports.jit_compile(build);
}

/** @param {number} slots */
export function jit_grow(slots) {
  return defaultImports.imports.jit_grow(slots);
}

/** @param {number} first @param {number} count */
export function jit_drop(first, count) {
  defaultImports.imports.jit_drop(first, count);
}
