/**
 * Parts of the package that are loaded when they are used (src/part.ts).
 *
 * A part is built as a function of what it shares with the rest, and returns what its module exports: `export
 * function part_STAMP(core) { ...; return { ... } }`. Whoever loads it hands that in, as a list. So a part
 * imports nothing, and no code is there twice. The stamp is made of the names in the list: files of two
 * builds, which a cache may mix, do not take each other for their own.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { build } from "esbuild";
import { root } from "./bundle.mjs";

/** Modules of the parts, and the files from which they are loaded. */
const PARTS = [
  { module: "src/storage/lasting.ts", from: "src/storage/part.ts" },
  { module: "src/snapshot/restoring.ts", from: "src/snapshot/part.ts" },
];

/**
 * Files that a part may have of its own: nothing but numbers, which the bundler writes where they are used.
 */
const NUMBERS = ["src/codec/tags.ts"];

/**
 * Builds the parts that `entry` loads. Returns plugins: `loading` for bundles that load them, `having` for
 * those that have them from the beginning.
 */
export async function buildParts(entry, shared) {
  const rest = await filesOf(entry, shared);
  const parts = await Promise.all(PARTS.map((part) => describe(part, rest, shared)));
  for (const part of parts) await buildPart(part, shared);
  return { loading: loadingOf(parts), having: beside(parts) };
}

/** Files that are in the bundle of an entry, without its parts. */
async function filesOf(entry, shared) {
  const { metafile } = await build({
    ...shared,
    entryPoints: [entry],
    plugins: [beside(PARTS), ...shared.plugins],
    metafile: true,
    write: false,
  });
  return new Set(Object.keys(metafile.inputs).filter((file) => !NUMBERS.includes(file)));
}

/** Finds what a part exports, and what it takes of the rest: names by file. */
async function describe(part, rest, shared) {
  const { metafile, outputFiles } = await build({
    ...shared,
    entryPoints: [part.module],
    plugins: [ofRest(rest, (file) => ({ path: `core:${file}`, external: true })), ...shared.plugins],
    metafile: true,
    minify: false,
    sourcemap: false,
    write: false,
  });
  const taken = new Map();
  for (const [, list, file] of outputFiles[0].text.matchAll(/^import \{([^}]*)\} from "core:([^"]+)";$/gm)) {
    const names = list.split(",").map((name) => name.trim().split(" as ")[0]);
    taken.set(file, [...new Set([...(taken.get(file) ?? []), ...names])].sort());
  }
  const core = [...taken].flatMap(([file, names]) => names.map((name) => ({ file, name })));
  const { exports } = Object.values(metafile.outputs)[0];
  const text = JSON.stringify([exports, core]);
  const stamp = `part_${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
  return { ...part, exports, core, stamp };
}

async function buildPart({ module, exports, core, stamp }, shared) {
  const files = new Set(core.map(({ file }) => file));
  await build({
    ...shared,
    stdin: {
      contents: `import { ${exports} } from "./${basename(module)}"; part = { ${exports} };`,
      resolveDir: resolve(root, dirname(module)),
    },
    outdir: undefined,
    outfile: resolve(shared.outdir, fileOf(module)),
    banner: { js: `export function ${stamp}(core){let part;` },
    footer: { js: "return part}" },
    plugins: [
      ofRest(files, (file) => ({ path: file, namespace: "core" })),
      {
        name: "core",
        setup(build) {
          build.onLoad({ filter: /./, namespace: "core" }, ({ path }) => {
            const taken = core.flatMap(({ file, name }, at) => (file === path ? [`${name} = core[${at}]`] : []));
            return { contents: `export const ${taken.join(", ")};` };
          });
        },
      },
      ...shared.plugins,
    ],
  });
  if (shared.sourcemap === true) nameSources(resolve(shared.outdir, fileOf(module)), module);
}

/** Has the source map of a part name the files of what it takes, and its module for its frame. */
function nameSources(file, module) {
  const map = JSON.parse(readFileSync(`${file}.map`, "utf8"));
  map.sources.forEach((source, at) => {
    if (!/^core:|^<stdin>$/.test(source)) return;
    const path = resolve(root, source === "<stdin>" ? module : source.slice("core:".length));
    map.sources[at] = relative(dirname(file), path);
    map.sourcesContent[at] = readFileSync(path, "utf8");
  });
  writeFileSync(`${file}.map`, JSON.stringify(map));
}

/** Resolves what is imported out of `files`, by paths from the folder `web/`, as `as` says. */
function ofRest(files, as) {
  return {
    name: "of-rest",
    setup(build) {
      build.onResolve({ filter: /^(\.|#js\/)/ }, async ({ path, pluginData, ...given }) => {
        if (pluginData === ofRest) return undefined;
        const found = await build.resolve(path, { ...given, pluginData: ofRest });
        const file = relative(root, found.path);
        return files.has(file) ? as(file) : found;
      });
    },
  };
}

/** Takes parts for files beside the bundle. */
function beside(parts) {
  return {
    name: "parts-beside",
    setup(build) {
      build.onResolve({ filter: /^\.\// }, ({ path, resolveDir }) => {
        const source = relative(root, resolve(resolveDir, path)).replace(/\.js$/, ".ts");
        if (parts.some(({ module }) => module === source)) return { path: `./${fileOf(source)}`, external: true };
        return undefined;
      });
    },
  };
}

/** Has the parts handed what they take, where they are loaded. */
function loadingOf(parts) {
  const { setup } = beside(parts);
  return {
    name: "parts-loading",
    setup(build) {
      setup(build);
      for (const { module, from, core, stamp } of parts) {
        build.onLoad({ filter: new RegExp(`/${from.replaceAll(".", "\\.")}$`) }, ({ path }) => {
          const text = readFileSync(path, "utf8");
          const load = `import("./${fileOf(module)}")`;
          if (text.split(`${load})`).length !== 2) throw new Error(`${from}: where is ${load}?`);
          const imports = core.map(({ file, name }, at) => {
            const way = relative(dirname(from), file);
            return `import { ${name} as core${at} } from "${way.startsWith(".") ? way : `./${way}`}";\n`;
          });
          const list = core.map((_, at) => `core${at}`).join(", ");
          const contents = text.replace(`${load})`, `${load}, (it: any) => it.${stamp}([${list}]))`);
          return { contents: imports.join("") + contents, loader: "ts" };
        });
      }
    },
  };
}

/** Name of the file of a part in the package. */
function fileOf(module) {
  return basename(module).replace(/\.ts$/, ".js");
}
