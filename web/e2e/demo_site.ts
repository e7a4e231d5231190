/** The demo page, built anew into .cache/ and served from there, and a browser to visit it with. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, resolve } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { EXECUTABLE, FLAGS } from "./browser.ts";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** Server and browser that all tests of a file share. */
export interface DemoSite {
  origin: string;
  browser: Browser;
  close(): Promise<void>;
}

/** Builds the page into a folder of .cache/, of each test file's own: they run side by side. */
export async function openDemoSite(name: string): Promise<DemoSite> {
  const folder = resolve(".cache", name);
  const { status } = spawnSync(process.execPath, ["playground/build.mjs", folder], { stdio: "inherit" });
  assert.equal(status, 0, "the demo page could not be built");
  const server = await serve(folder);
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS] });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    browser,
    async close() {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

function serve(folder: string): Promise<Server> {
  const server = createServer(async ({ url = "/" }, response) => {
    const path = normalize(new URL(url, "http://x").pathname);
    try {
      const body = await readFile(join(folder, path === "/" ? "index.html" : path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/html" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}
