/** Parts of every build here: the place of "#js/...", and the running of a tool. */
import { spawnSync } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder `web/`. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Paths of the finished modules, as the build tool (cargo xtask build) leaves them. */
export const modules = ["perilune.wasm", "capsule.wasm"].map((name) => resolve(root, "../target/wasm", name));

/** `#js/x.js` is `../src/js/x.js`: the same files that the Rust crate carries along. */
const jsRoom = {
  name: "js-room",
  setup(build) {
    build.onResolve({ filter: /^#js\// }, ({ path }) => ({
      path: resolve(root, "../src/js", path.slice("#js/".length)),
    }));
  },
};

/** @type {import("esbuild").BuildOptions} */
export const options = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  splitting: true,
  external: ["*.wasm"],
  plugins: [jsRoom],
  logLevel: "warning",
};

/** Runs a program of node_modules/.bin, or node itself; ends this one when it fails. */
export function run(program, args, settings = {}) {
  const path = program === "node" ? process.execPath : resolve(root, "node_modules/.bin", program);
  const { status } = spawnSync(path, args, { cwd: root, stdio: "inherit", ...settings });
  if (status !== 0) process.exit(status ?? 1);
}

/** The types: first the JavaScript of src/js, then the package, which uses them. */
export function checkTypes() {
  run("tsc", ["-p", "tsconfig.js.json"]);
  run("tsc", ["-p", "tsconfig.json"]);
}
