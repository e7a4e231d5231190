// Bundling by esbuild with one set of options: the code whose size is measured is the code that runs in the
// page.

import { build } from "esbuild";

const OPTIONS = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  // So fengari leaves out what it has for Node only.
  define: { "process.env.FENGARICONF": "undefined", process: "undefined" },
  external: ["module", "url", "fs", "child_process", "crypto", "path", "node:*"],
  logLevel: "error",
};

/** Bundles one minified ES module. */
export async function minified(entry) {
  const { outputFiles } = await build({ ...OPTIONS, entryPoints: [entry], minify: true, write: false });
  return outputFiles[0].contents;
}

/** Bundles readable ES modules into `outdir`, which share what they have in common. */
export async function modules(entryPoints, outdir) {
  await build({ ...OPTIONS, entryPoints, outdir, outExtension: { ".js": ".mjs" }, splitting: true });
}
