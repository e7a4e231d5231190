/**
 * `npm pack` and `npm publish` run this first: it copies what the package shares with the repository.
 *
 * README.md is the repository's. Its relative links become addresses, since the package has no docs/.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { modules, root } from "./bundle.mjs";

const repository = resolve(root, "..");

for (const module of modules.map((path) => basename(path))) {
  if (existsSync(resolve(root, "dist", module))) continue;
  console.error(`web/dist has no ${module}: run "cargo xtask build" first`);
  process.exit(1);
}
for (const name of ["LICENSE", "NOTICE"]) copyFileSync(resolve(repository, name), resolve(root, name));

const { url } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8")).repository;
const address = url.replace(/^git\+/, "").replace(/\.git$/, "");
const readme = readFileSync(resolve(repository, "README.md"), "utf8");
writeFileSync(
  resolve(root, "README.md"),
  readme.replace(/\]\((?!https?:|#)([^)\s]+)\)/g, (_, path) => `](${address}/blob/HEAD/${path})`),
);
