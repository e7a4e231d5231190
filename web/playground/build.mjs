/**
 * `npm run build`: the demo page into dist/, from the package as it is built in ../dist. With a folder: there
 * instead.
 *
 * What comes out is static and complete: no address in it leads elsewhere.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const repository = resolve(root, "../..");
const outdir = resolve(process.argv[2] ?? resolve(root, "dist"));
const dist = resolve(root, "../dist");
const perilune = resolve(dist, "index.js");
const capsule = resolve(dist, "capsule.js");
const modules = ["perilune.wasm", "capsule.wasm"].map((name) => resolve(dist, name));

for (const file of [perilune, capsule, ...modules]) {
  if (existsSync(file)) continue;
  console.error(`${relative(repository, file)} is missing: run "cargo xtask build" first`);
  process.exit(1);
}

rmSync(outdir, { recursive: true, force: true });
const shared = {
  absWorkingDir: root,
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  assetNames: "[name]",
  loader: { ".lua": "text", ".html": "text", ".woff2": "file" },
  alias: { perilune, "perilune/capsule": capsule },
  metafile: true,
  logLevel: "warning",
};
const built = await Promise.all([
  // In pieces: the capsule's view is loaded when it is opened, and shares the editor with the page.
  build({ ...shared, entryPoints: { main: "src/main.ts" }, splitting: true, chunkNames: "[name]-[hash]" }),
  build({
    ...shared,
    entryPoints: {
      worker: "src/vm/worker.ts",
      living: "src/living/vm/worker.ts",
      style: "styles/main.css",
      capsule: "styles/capsule.css",
    },
  }),
]);

// The piece that every page needs is asked for together with the first one.
const { imports } = built[0].metafile.outputs[relative(root, resolve(outdir, "main.js"))];
const needed = imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => basename(path));
const preloads = needed.map((name) => `<link rel="modulepreload" href="${name}" />\n    `).join("");
const page = readFileSync(resolve(root, "index.html"), "utf8");
writeFileSync(resolve(outdir, "index.html"), page.replace('<script type="module"', `${preloads}$&`));
copyFileSync(resolve(root, "assets/icon.svg"), resolve(outdir, "icon.svg"));
// What the package looks for beside the file that it was bundled into: its modules, and its worker.
for (const name of readdirSync(dist).filter((name) => /\.wasm$|_worker\.js$/.test(name)))
  copyFileSync(resolve(dist, name), resolve(outdir, name));
const inputs = built.flatMap(({ metafile }) => Object.keys(metafile.inputs));
writeFileSync(resolve(outdir, "licences.txt"), licences(inputs));

const tsc = resolve(root, "node_modules/.bin/tsc");
process.exitCode = spawnSync(tsc, ["-p", "tsconfig.json"], { cwd: root, stdio: "inherit" }).status ?? 1;

/** Returns Perilune's licence and notices, then the licences of all packages that a file was taken from. */
function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(resolve(root, input));
    if (found !== null) packages.add(found[1]);
  }
  const own = ["LICENSE", "NOTICE"].map((name) => readFileSync(resolve(repository, name), "utf8"));
  const others = [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(resolve(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(resolve(folder, file), "utf8").trim()}\n`;
  });
  return [...own, ...others].join(`\n${"-".repeat(80)}\n\n`);
}
