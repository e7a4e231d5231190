/** A Chromium, a server for the built package, and pages that have loaded it. */
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { HANG_MS } from "../test/time.ts";

/** Path of Chromium; Debian's by default. */
export const EXECUTABLE: string = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export const FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--js-flags=--expose-gc",
];

/** Makes Chromium keep IndexedDB in LevelDB, the older of its two engines. */
export const LEVELDB = "--disable-features=IdbSqliteBackingStore";
/** Makes Chromium keep IndexedDB in SQLite, the newer of the two. */
export const SQLITE = "--enable-features=IdbSqliteBackingStore";

const TYPES: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

/** Content security policy under which nothing comes from elsewhere, and nothing but wasm is evaluated. */
const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'";

const CSP_SANDBOXED = "sandbox allow-scripts; script-src 'unsafe-inline' 'wasm-unsafe-eval'";

const PAGE = `<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>`;
const SCRIPT = `import * as perilune from "/dist/index.js"; Object.assign(globalThis, { perilune });`;
const WORKER = `import { Lua } from "/dist/index.js";
const lua = await Lua.create();
postMessage(lua.eval("return _VERSION"));`;

/** A worker of a capsule in a browser that has no synchronous files. */
const WITHOUT_FILES = `delete FileSystemFileHandle.prototype.createSyncAccessHandle;
await import("/dist/capsule_worker.js");`;

/**
 * The built package; with source maps, and a place for counts, when coverage is measured
 * (scripts/coverage.mjs).
 */
const DIST = process.env["PERILUNE_DIST"] ?? resolve("dist");
const COVERAGE = process.env["PERILUNE_COVERAGE"];

/** Options of a site: its files beside the built package. */
export interface SiteOptions {
  /** A file of this folder, bundled: what pages run instead of loading the package as `perilune`. */
  script?: string;
  /** Scripts by their paths, as a program has bundled them. */
  scripts?: Readonly<Record<string, string>>;
  /** Hears of every request, and what was sent with it. */
  heard?: (path: string, body: string) => void;
}

/** A server on this machine. */
export interface Site {
  origin: string;
  close(): void;
}

/** Server and browser that all tests of a file share. */
export interface Setup {
  origin: string;
  /** A page of its own in the shared profile: as another tab. `first` runs in it before everything else. */
  open(path?: string, first?: () => void): Promise<Page>;
  close(): Promise<void>;
}

/** Starts everything. */
export async function setUp(options: SiteOptions = {}): Promise<Setup> {
  const { origin, close } = await serve(options);
  const browser: Browser = await chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS] });
  const context: BrowserContext = await browser.newContext();
  context.setDefaultTimeout(HANG_MS);
  const ready = options.script === undefined ? "perilune" : "ready";
  return {
    origin,
    async open(path = "/", first) {
      const page = await context.newPage();
      if (first !== undefined) await page.addInitScript(first);
      page.on("pageerror", (error) => console.error("in the page:", error));
      if (COVERAGE !== undefined) {
        await page.coverage.startJSCoverage({ resetOnNavigation: false });
        const { close } = page;
        page.close = async () => {
          await saveCoverage(page, COVERAGE);
          await close.call(page);
        };
      }
      await page.goto(origin + path);
      await loaded(page, ready);
      return page;
    },
    async close() {
      await browser.close();
      close();
    },
  };
}

/** Reloads, and waits until the package is there again. */
export async function reload(page: Page): Promise<void> {
  await page.reload();
  await loaded(page);
}

/** Leaves the page's counts as Node would. */
async function saveCoverage(page: Page, folder: string): Promise<void> {
  const result = (await page.coverage.stopJSCoverage())
    .filter(({ url }) => url.includes("/dist/"))
    .map(({ url, scriptId, functions }) => {
      const file = pathToFileURL(join(DIST, new URL(url).pathname.slice("/dist/".length)));
      return { scriptId, url: file.href, functions };
    });
  const name = `coverage-page-${process.pid}-${Date.now()}-${Math.random()}.json`;
  await writeFile(join(folder, name), JSON.stringify({ result }));
}

/** A script of a test's own says that it is there by a global `ready`. */
async function loaded(page: Page, global = "perilune"): Promise<void> {
  await page.waitForFunction((global) => global in globalThis, global);
}

/** Serves the package and a page. */
export async function serve({ script, scripts = {}, heard }: SiteOptions = {}): Promise<Site> {
  const code = script === undefined ? SCRIPT : await bundled(script);
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname);
    try {
      const body = await text(request);
      const own = scripts[path];
      const [type, content] =
        request.method === "POST"
          ? ["text/plain", ""]
          : own !== undefined
            ? ["text/javascript", own]
            : await file(path, code);
      response.writeHead(200, {
        "content-type": type,
        // As in a frame with `sandbox="allow-scripts"`: the page has no origin, nor what belongs to one.
        "content-security-policy": path === "/sandboxed" ? `${CSP_SANDBOXED} ${origin()}` : CSP,
        "access-control-allow-origin": "*",
        "cache-control": "no-store",
      });
      response.end(content);
      heard?.(path, body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: origin(),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function file(path: string, code: string): Promise<[string, string | Uint8Array]> {
  if (path === "/" || path === "/sandboxed") return ["text/html", PAGE];
  if (path === "/page.js") return ["text/javascript", code];
  if (path === "/worker.js") return ["text/javascript", WORKER];
  if (path === "/without_files.js") return ["text/javascript", WITHOUT_FILES];
  if (!path.startsWith("/dist/")) throw new Error("not served");
  return [TYPES[extname(path)] ?? "application/octet-stream", await readFile(join(DIST, path.slice("/dist/".length)))];
}

async function text(request: IncomingMessage): Promise<string> {
  request.setEncoding("utf8");
  let body = "";
  for await (const chunk of request) body += chunk as string;
  return body;
}

/**
 * A file of this folder with all that it imports, but the built package, which pages load from where it is.
 */
async function bundled(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [resolve("e2e", script)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["/dist/*"],
    alias: { "#js": resolve("../src/js") },
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}
