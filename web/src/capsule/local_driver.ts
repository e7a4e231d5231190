/** The driver of a capsule in this thread. */
import type { HostFunction } from "../host/entries.js";
import { functionsIn } from "../host/functions.js";
import { loadModule, type PackagedModule } from "../instance/loader.js";
import { isCallable } from "../option_rules.js";
import { Core } from "./core.js";
import type { CallArguments, CallName, CallResult, Driver, DriverListener, Opened } from "./driver.js";
import { CapsuleError, closedError, isCapsuleError } from "./errors.js";
import { MEMORY, type Settings } from "./options.js";
import { filesOf, type OpenFiles } from "./places.js";
import type { LuaFunctions } from "./types.js";

/** The module that comes with the package. */
const packaged: PackagedModule = { address: () => new URL("./capsule.wasm", import.meta.url) };

/** Driver of a capsule in this thread. */
export class LocalDriver implements Driver {
  readonly #settings: Settings;
  #core: Core | undefined;
  /** Files of the database, which stay ours until it is closed for good. */
  #files: OpenFiles | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Returns the core, which is open. */
  get core(): Core {
    if (this.#core === undefined) throw closedError();
    return this.#core;
  }

  /** Does what the files need between calls. */
  async upkeep(): Promise<void> {
    await this.#files?.upkeep?.();
  }

  async open({ message: listener }: DriverListener, contents?: Uint8Array): Promise<Opened> {
    const { wasm, filename, fallback } = this.#settings;
    const loading = loadCapsule(wasm);
    // What fails first is told.
    loading.catch(() => {});
    const files = (this.#files ??= await filesOf(filename, fallback));
    try {
      const functions = await loadFunctions(this.#settings.functions);
      const core = await Core.open({ module: await loading, settings: this.#settings, files, listener, contents });
      this.#core = core;
      for (const [name, fn] of Object.entries(functions)) core.register(name, fn);
      const warning =
        files.kind === "memory" && filename !== MEMORY
          ? `there are no files here: the database "${filename}" is in memory, and ends with this program`
          : undefined;
      return { kind: files.kind, device: core.device, warning };
    } catch (error) {
      if (this.#core === undefined) await this.#release();
      throw error;
    }
  }

  async call<N extends CallName>(name: N, ...args: CallArguments<N>): Promise<CallResult<N>> {
    const { core } = this;
    const method = core[name] as (...args: CallArguments<N>) => CallResult<N> | Promise<CallResult<N>>;
    return await method.apply(core, args);
  }

  async register(name: string, fn: HostFunction): Promise<void> {
    this.core.register(name, fn);
  }

  async close(): Promise<void> {
    this.#core?.close();
    this.#core = undefined;
    await this.#release();
  }

  async #release(): Promise<void> {
    const files = this.#files;
    this.#files = undefined;
    await files?.release();
  }
}

/** Loads the module of the capsule. */
export async function loadCapsule(wasm: Settings["wasm"]): Promise<WebAssembly.Module> {
  try {
    return await loadModule(wasm, packaged);
  } catch (error) {
    if (isCapsuleError(error)) throw error;
    const reason = String((error as { message?: unknown } | null)?.message ?? error);
    throw new CapsuleError("unsupported", `the module of the capsule cannot be loaded: ${reason}`, { cause: error });
  }
}

/** Loads the functions that a module exports. */
async function loadFunctions(functions: Settings["functions"]): Promise<LuaFunctions> {
  if (typeof functions !== "string") return functions ?? {};
  const exported = (await import(/* webpackIgnore: true */ /* @vite-ignore */ functions)) as object;
  const callable = Object.entries(exported).filter(([, value]) => isCallable(value));
  return functionsIn(Object.fromEntries(callable), (why) => {
    throw new CapsuleError("usage", `option "functions": the module ${functions} ${why}`);
  });
}
