/**
 * `npm run build`: the demo page into dist/, from the package as it is built in ../dist. With a folder: there
 * instead.
 *
 * What comes out is static and complete: no address in it leads elsewhere.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const repository = resolve(root, "../..");
const outdir = resolve(process.argv[2] ?? resolve(root, "dist"));
const perilune = resolve(root, "../dist/index.js");
const module = resolve(root, "../dist/perilune.wasm");

for (const file of [perilune, module]) {
  if (existsSync(file)) continue;
  console.error(`${relative(repository, file)} is missing: run "cargo xtask build" first`);
  process.exit(1);
}

rmSync(outdir, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    main: "src/main.ts",
    worker: "src/vm/worker.ts",
    living: "src/living/vm/worker.ts",
    style: "styles/main.css",
  },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  assetNames: "[name]",
  loader: { ".lua": "text", ".woff2": "file" },
  alias: { perilune },
  metafile: true,
  logLevel: "warning",
});

copyFileSync(resolve(root, "index.html"), resolve(outdir, "index.html"));
copyFileSync(resolve(root, "assets/icon.svg"), resolve(outdir, "icon.svg"));
// Where the package looks for it: beside the file that it was bundled into.
copyFileSync(module, resolve(outdir, "perilune.wasm"));
writeFileSync(resolve(outdir, "licences.txt"), licences(Object.keys(metafile.inputs)));

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
