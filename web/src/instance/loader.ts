/**
 * Finds and compiles the wasm module, once per address; every VM is an instance of it.
 *
 * The module of the package is a file beside the JavaScript. Where that is not found, because a bundler or a
 * development server has moved the JavaScript alone, it is taken from `inline_module.ts`, which any of them
 * carries along: the same bytes, compressed, as text.
 */
import { addressOf, isArrayBuffer } from "../brands.js";
import { className } from "../names.js";
import type { WasmSource } from "../options.js";

const byAddress = new Map<string, Promise<WebAssembly.Module>>();
const byBytes = new WeakMap<object, Promise<WebAssembly.Module>>();

/** A module that comes with the package. */
export interface PackagedModule {
  /** Address of its file. Bundlers look for just this: `new URL("./NAME.wasm", import.meta.url)`. */
  readonly address: () => URL;
  /** The compiled module, where the platform hands it over. */
  compiled?: WebAssembly.Module | undefined;
  /** Loads the module as text: gzip in base64. */
  readonly inline?: () => Promise<{ default: string }>;
  /** True if the text is taken without a look at the file. */
  prefersInline?: boolean;
}

/** The module of the package's main entry. */
export const perilune: PackagedModule = {
  address: () => new URL("./perilune.wasm", import.meta.url),
  inline: () => import("./inline_module.js"),
};

/** Makes `Lua.create` take the module that the JavaScript carries, and no file: for `perilune/inline`. */
export function preferInlineModule(): void {
  perilune.prefersInline = true;
}

/**
 * Makes `module` what `Lua.create` uses by default, or (undefined) the one beside the package again: for
 * platforms where a module cannot be fetched or compiled.
 */
export function setDefaultModule(module: WebAssembly.Module | undefined): void {
  if (module !== undefined && !isModule(module))
    throw new TypeError(`setDefaultModule takes a WebAssembly.Module, not a ${className(module)}`);
  perilune.compiled = module;
}

/**
 * Finds a module and compiles it, once for each address and for each object with bytes; `packaged` where no
 * source is given.
 */
export async function loadModule(
  source: WasmSource | undefined,
  packaged: PackagedModule,
): Promise<WebAssembly.Module> {
  const wanted: unknown = source ?? packaged.compiled;
  if (wanted === undefined) return await loadPackaged(packaged);
  if (isModule(wanted)) return wanted;
  const given = typeof wanted === "string" ? wanted : addressOf(wanted);
  if (given !== undefined) {
    const address = new URL(given, globalThis.location?.href ?? import.meta.url);
    return once(byAddress, address.href, () => compileAt(address));
  }
  if (isArrayBuffer(wanted) || ArrayBuffer.isView(wanted)) {
    return once(byBytes, wanted, () => WebAssembly.compile(wanted as BufferSource));
  }
  const response: unknown = await wanted;
  if (isResponse(response)) return compileResponse(response);
  throw new TypeError('Lua.create: option "wasm" must be a URL, a Response, bytes or a WebAssembly.Module');
}

async function loadPackaged(packaged: PackagedModule): Promise<WebAssembly.Module> {
  const { inline } = packaged;
  if (packaged.prefersInline === true && inline !== undefined)
    return await once(byBytes, inline, () => compileInline(inline));
  try {
    const address = packaged.address();
    return await once(byAddress, address.href, () => compileAt(address));
  } catch (error) {
    try {
      if (inline === undefined) throw error;
      const module = await once(byBytes, inline, () => compileInline(inline));
      packaged.prefersInline = true;
      return module;
    } catch {
      // Where the text is not there either, or nothing may be compiled, the first error says more.
      throw unloadable(error);
    }
  }
}

function unloadable(error: unknown): Error {
  const { message: why = String(error) } = (error ?? {}) as Partial<Error>;
  const remedy = 'give its address, its bytes or a WebAssembly.Module as the option "wasm"';
  return new Error(`the wasm module beside the package cannot be loaded (${why}): ${remedy}`, { cause: error });
}

async function compileInline(inline: () => Promise<{ default: string }>): Promise<WebAssembly.Module> {
  const { default: text } = await inline();
  if (text === "") throw new Error("this build of the package carries no module");
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await WebAssembly.compile(await new Response(unpacked).arrayBuffer());
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

/** Says whether it is a compiled module, of this realm or another. */
export function isModule(value: unknown): value is WebAssembly.Module {
  try {
    WebAssembly.Module.customSections(value as WebAssembly.Module, "");
    return true;
  } catch {
    return false;
  }
}

/** Says whether it is a response: the platform's, another realm's, or that of a library in their place. */
function isResponse(value: unknown): value is Response {
  const { ok, arrayBuffer } = (value ?? {}) as Partial<Response>;
  return typeof ok === "boolean" && typeof arrayBuffer === "function";
}

/** True for a response that the platform itself has made. */
function isOfPlatform(response: Response): boolean {
  try {
    // Looked up when there is one: the first look at the name loads all of fetch, which takes Node 17 ms.
    const status = Object.getOwnPropertyDescriptor(Response.prototype, "status")?.get;
    return typeof status?.call(response) === "number";
  } catch {
    return false;
  }
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
  if (isOfPlatform(response) && response.headers.get("content-type")?.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Reads a file in Node, Deno and Bun; undefined elsewhere. */
async function readFile(address: URL): Promise<BufferSource | undefined> {
  const { process } = globalThis as { process?: NodeProcess };
  if (process?.versions?.node === undefined) return undefined;
  // At once, where that is possible: it is done before a thread of Node's would have begun, four times over.
  // Names are put together at run time: a bundler for the browser must not look for them.
  const fs = process.getBuiltinModule?.(["node", "fs"].join(":"));
  if (fs !== undefined) return fs.readFileSync(address);
  const name = ["node:fs", "promises"].join("/");
  const promises = (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return promises.readFile(address);
}

/** Node's `process`, as far as it is used. */
interface NodeProcess {
  readonly versions?: { readonly node?: string };
  readonly getBuiltinModule?: (name: string) => { readFileSync(path: URL): Uint8Array<ArrayBuffer> } | undefined;
}
