// Chromium whose pages have no debugger: they are opened and closed by the browser's own protocol, which
// never attaches to them.
//
// Why not playwright: it attaches a debugger to each page, and V8 then records a stack trace for every
// exception. That made Lua errors and coroutine switches ten times slower than any user would see.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = process.env.CHROME ?? "chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Every page is behind some other one; none may be slowed down for it.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--remote-debugging-pipe",
];

export async function launchChromium() {
  const profile = mkdtempSync(join(tmpdir(), "perilune-bench-"));
  const child = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve, reject) => {
    child.on("exit", resolve);
    child.on("error", reject);
  });
  const call = protocol(child);
  const { product } = await Promise.race([
    call("Browser.getVersion"),
    ended.then(() => Promise.reject(new Error(`${CHROMIUM} ended at once`))),
  ]);

  return {
    version: product.split("/")[1],

    /**
     * Opens a page in a context of its own: nothing cached, a process for itself. What it stores stays in
     * memory.
     */
    async openPrivate(url) {
      const { browserContextId } = await call("Target.createBrowserContext");
      await call("Target.createTarget", { url, browserContextId });
      return { close: () => call("Target.disposeBrowserContext", { browserContextId }) };
    },

    /** Opens a page as a user does: what it stores goes to the disk. */
    async openOrdinary(url) {
      const { targetId } = await call("Target.createTarget", { url });
      return { close: () => call("Target.closeTarget", { targetId }) };
    },

    async close() {
      await call("Browser.close");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/**
 * Speaks the protocol: JSON messages, each ended by NUL, on the file descriptors 3 (to Chromium) and 4 (from
 * it).
 */
function protocol(child) {
  const [, , , input, output] = child.stdio;
  const waiting = new Map();
  let id = 0;
  let buffered = "";
  output.setEncoding("utf8").on("data", (text) => {
    const messages = (buffered + text).split("\0");
    buffered = messages.pop();
    for (const message of messages.map((message) => JSON.parse(message))) {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) call?.reject(new Error(`Chromium: ${message.error.message}`));
      else call?.resolve(message.result);
    }
  });
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      waiting.set(++id, { resolve, reject });
      input.write(JSON.stringify({ id, method, params }) + "\0");
    });
}
