// Subjects in Chromium: each a page of its own, with nothing shared and nothing cached.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { modules } from "./bundle.mjs";
import { launchChromium } from "./chromium.mjs";
import { serve } from "./server.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Starts Chromium, and a server of the benchmark's files for it. */
export async function launch() {
  await vendor();
  const server = await serve(ROOT);
  const chromium = await launchChromium();

  /** Opens a page that answers the questions of page.mjs. */
  const blank = async (open = chromium.openPrivate, options = {}) => {
    const { url, ask, forget } = server.newPage(options);
    const page = await open(url);
    const close = async () => {
      await page.close();
      forget();
    };
    return { ask, close };
  };

  return {
    version: chromium.version,

    /** Opens a page that stores on the disk, for lib/persistence.mjs. Between two steps it is reloaded. */
    async openPlace() {
      const { ask, close } = await blank(chromium.openOrdinary, { ownOrigin: true });
      let used = false;
      const step = async (name, how) => {
        if (used) await ask({ kind: "reload" });
        used = true;
        return ask({ kind: "store", step: name, ...how });
      };
      return { place: "bench", step, close };
    },

    /** Opens a fresh page with `engine` in it, ready for `task`. */
    async open(engine, task) {
      const { ask, close } = await blank();
      try {
        await ask({ kind: "open", engine, task });
      } catch (error) {
        await close();
        throw error;
      }
      return { sample: (count) => ask({ kind: "sample", count }), close };
    },

    /** Measures from import to the first result, in a page that has loaded nothing. */
    async cold(engine) {
      const { ask, close } = await blank();
      const { ms } = await ask({ kind: "cold", engine });
      await close();
      return ms;
    },

    async close() {
      await chromium.close();
      server.close();
    },
  };
}

/** Bundles wasmoon and fengari, which are no ES modules, for the page's import map. idb-keyval is one. */
async function vendor() {
  const entry = (file) => join(ROOT, "bench/node_modules", file);
  const entries = { wasmoon: entry("wasmoon/dist/index.js"), fengari: entry("fengari/src/fengari.js") };
  await modules(entries, join(ROOT, "target/bench/vendor"));
}
