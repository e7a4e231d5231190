// The same subjects in Chromium: each a page of its own, in a browser context (and so a process) of its own.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { modules } from "./bundle.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VENDOR = "target/bench/vendor";
const CHROMIUM = process.env.CHROME ?? "/usr/bin/chromium";
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".lua": "text/plain; charset=utf-8",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

// Cross-origin isolation is what makes performance.now() fine enough (5 µs instead of 100).
const HEADERS = {
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-store",
};

/** A Chromium with the lab's files at hand. */
export async function launch() {
  const { chromium } = await import("playwright-core");
  await vendor();
  const server = await serve();
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });

  const blank = async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${origin}/bench/page.html`);
    return { context, page };
  };

  return {
    version: browser.version(),
    blank,

    async open(engine, task) {
      const { context, page } = await blank();
      await page.evaluate(
        async ([engine, task]) => {
          const { open } = await import("/bench/lib/task.mjs");
          globalThis.sample = await open(engine, task);
        },
        [engine, task],
      );
      return {
        sample: (count) =>
          page.evaluate(async (count) => {
            const { ms, check } = await globalThis.sample(count);
            return { ms, check: String(check) };
          }, count),
        close: () => context.close(),
      };
    },

    /** From import to the first result, in a page that has loaded nothing. */
    async cold(engine) {
      const { context, page } = await blank();
      const { ms } = await page.evaluate(async (engine) => {
        const { ENGINES } = await import("/bench/engines/index.mjs");
        const start = performance.now();
        const lua = await ENGINES[engine].create();
        lua.eval("return 1 + 1");
        return { ms: performance.now() - start };
      }, engine);
      await context.close();
      return ms;
    },

    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** wasmoon and fengari are not ES modules: made so, for the page's import map. */
async function vendor() {
  const entry = (file) => join(ROOT, "bench/node_modules", file);
  const entries = {
    wasmoon: entry("wasmoon/dist/index.js"),
    fengari: entry("fengari/src/fengari.js"),
    "fengari-interop": entry("fengari-interop/src/js.js"),
  };
  await modules(entries, join(ROOT, VENDOR));
}

async function serve() {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(ROOT, path);
    const found = await stat(file).then(
      (entry) => entry.isFile(),
      () => false,
    );
    const type = TYPES[extname(file)];
    if (!found || !type) {
      response.writeHead(404, HEADERS).end();
      return;
    }
    response.writeHead(200, { ...HEADERS, "Content-Type": type });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
