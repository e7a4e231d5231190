/** `npm run build`: the package into dist/. `--no-wasm`: without the modules. */
import { resolve } from "node:path";
import { checkTypes, root } from "./bundle.mjs";
import { buildPackage, finishTypes } from "./package.mjs";

const flags = process.argv.slice(2);

const outdir = resolve(root, "dist");
const missing = await buildPackage(outdir);
checkTypes();
finishTypes(outdir);
if (missing.length > 0 && !flags.includes("--no-wasm")) {
  console.error(`${missing.join(", ")}: not there, run "cargo xtask build" first`);
  process.exit(1);
}
