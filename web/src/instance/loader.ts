/** Finds and compiles the wasm module, once per address; every VM is an instance of it. */
import type { WasmSource } from "../options.js";

const byAddress = new Map<string, Promise<WebAssembly.Module>>();
const byBytes = new WeakMap<object, Promise<WebAssembly.Module>>();

/** A module that comes with the package. */
export interface PackagedModule {
  /** Address of its file. Bundlers look for just this: `new URL("./NAME.wasm", import.meta.url)`. */
  readonly address: () => URL;
  /** The compiled module, where the platform hands it over. */
  compiled?: WebAssembly.Module;
}

const perilune: PackagedModule = { address: () => new URL("./perilune.wasm", import.meta.url) };

/**
 * Makes `module` what `Lua.create` uses by default: for platforms where a module cannot be fetched or
 * compiled.
 */
export function setDefaultModule(module: WebAssembly.Module): void {
  perilune.compiled = module;
}

/**
 * Finds a module and compiles it, once for each address and for each object with bytes; `packaged` where no
 * source is given.
 */
export async function loadModule(
  source?: WasmSource,
  packaged: PackagedModule = perilune,
): Promise<WebAssembly.Module> {
  const wanted: unknown = source ?? packaged.compiled ?? packaged.address();
  if (wanted instanceof WebAssembly.Module) return wanted;
  if (typeof wanted === "string" || wanted instanceof URL) {
    const address = absolute(wanted);
    return once(byAddress, address.href, () => compileAt(address));
  }
  if (wanted instanceof ArrayBuffer || ArrayBuffer.isView(wanted)) {
    return once(byBytes, wanted, () => WebAssembly.compile(wanted as BufferSource));
  }
  const response: unknown = await wanted;
  if (typeof Response !== "undefined" && response instanceof Response) return compileResponse(response);
  throw new TypeError('Lua.create: option "wasm" must be a URL, a Response, bytes or a WebAssembly.Module');
}

/** Compiles once for each key; a failure is forgotten, so that the next call tries again. */
function once<K>(
  cache: {
    get(key: K): Promise<WebAssembly.Module> | undefined;
    set(key: K, value: Promise<WebAssembly.Module>): unknown;
    delete(key: K): unknown;
  },
  key: K,
  compile: () => Promise<WebAssembly.Module>,
): Promise<WebAssembly.Module> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const compiling = compile();
  cache.set(key, compiling);
  compiling.catch(() => cache.delete(key));
  return compiling;
}

function absolute(address: string | URL): URL {
  if (address instanceof URL) return address;
  return new URL(address, globalThis.location?.href ?? import.meta.url);
}

async function compileAt(address: URL): Promise<WebAssembly.Module> {
  if (address.protocol === "file:") {
    const bytes = await readFile(address);
    if (bytes !== undefined) return WebAssembly.compile(bytes);
  }
  return compileResponse(await fetch(address));
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new Error(`cannot load ${response.url}: ${response.status} ${response.statusText}`);
  // Streaming compiles while it loads, but insists on the right type, which not every server sends.
  if (response.headers.get("content-type")?.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Reads a file in Node, Deno and Bun; undefined elsewhere. */
async function readFile(address: URL): Promise<BufferSource | undefined> {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  if (process?.versions?.node === undefined) return undefined;
  // Put together at run time: a bundler for the browser must not look for it.
  const name = ["node:fs", "promises"].join("/");
  const fs = (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return fs.readFile(address);
}
