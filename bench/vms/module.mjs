// A wasm module, compiled: from the disk in Node, by fetch in a page.

export async function compiled(url) {
  if (url.protocol !== "file:") return WebAssembly.compileStreaming(fetch(url));
  // Not at the top: pages import this file, too.
  const { readFile } = await import("node:fs/promises");
  return WebAssembly.compile(await readFile(url));
}
