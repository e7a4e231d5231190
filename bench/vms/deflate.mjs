// Compression by what the platform has: zlib in Node, which is the faster of its two ways, and streams in a
// page.

// Not a plain import: pages import this file, too.
const zlib = globalThis.document ? null : await import("node:zlib");

export function deflated(bytes) {
  return zlib ? zlib.deflateRawSync(bytes) : streamed(bytes, new CompressionStream("deflate-raw"));
}

export function inflated(bytes) {
  return zlib ? zlib.inflateRawSync(bytes) : streamed(bytes, new DecompressionStream("deflate-raw"));
}

async function streamed(bytes, through) {
  const stream = new Blob([bytes]).stream().pipeThrough(through);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
