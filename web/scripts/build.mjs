/** `npm run build`: the package into dist/. `--no-wasm`: without the module. */
import { resolve } from "node:path";
import { checkTypes, root, wasm } from "./bundle.mjs";
import { buildPackage } from "./package.mjs";

const flags = process.argv.slice(2);

const complete = await buildPackage(resolve(root, "dist"));
checkTypes();
if (!complete && !flags.includes("--no-wasm")) {
  console.error(`${wasm} is missing: run "cargo xtask build" first`);
  process.exit(1);
}
