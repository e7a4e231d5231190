/**
 * The tarball that `npm publish` would send, in the projects of users: installed from the file, never from
 * the tree.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, posix, resolve } from "node:path";
import { after, before, test } from "node:test";

const root = resolve(import.meta.dirname, "../..");
const tarball = join(root, "target/npm/perilune.tgz");
/** The tools that the package itself is built with. */
const tools = createRequire(join(root, "web/package.json"));
const project = mkdtempSync(join(tmpdir(), "perilune-user-"));

const run = (command, ...args) => execFileSync(command, args, { cwd: project, encoding: "utf8", stdio: "pipe" });
const write = (name, text) => writeFileSync(join(project, name), text);
const installed = (name) => join(project, "node_modules/perilune", name);

before(() => {
  write("package.json", JSON.stringify({ name: "user", private: true, type: "module" }));
  run("npm", "install", "--no-audit", "--no-fund", "--offline", tarball);
});
after(() => rmSync(project, { recursive: true }));

test("holds what it promises, and nothing else", () => {
  const manifest = JSON.parse(readFileSync(installed("package.json"), "utf8"));
  assert.deepEqual(Object.keys(manifest.dependencies ?? {}), []);
  const targets = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
  for (const target of targets(manifest.exports)) assert.ok(existsSync(installed(target)), target);
  for (const name of ["LICENSE", "NOTICE", "README.md"]) assert.ok(existsSync(installed(name)), name);
  assert.match(readFileSync(installed("NOTICE"), "utf8"), /Lua\.org, PUC-Rio/);
  const files = run("tar", "tzf", tarball).trim().split("\n");
  for (const file of files) assert.doesNotMatch(file, /\/(src|test|e2e|playground|node_modules)\//, file);
  const modules = files.filter((file) => file.endsWith(".wasm")).map((file) => basename(file));
  assert.deepEqual(modules.sort(), ["capsule.wasm", "perilune.wasm"]);
  assert.match(readFileSync(installed("NOTICE"), "utf8"), /SQLite/);
});

/** Samples of README.md in one language. */
const samples = (language) =>
  [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, label]) => label === language)
    .map(([, , code]) => code);

test("has the repository's README, with links that lead there", () => {
  const readme = readFileSync(installed("README.md"), "utf8");
  const { url } = JSON.parse(readFileSync(installed("package.json"), "utf8")).repository;
  const files = `${url.slice("git+".length, -".git".length)}/blob/HEAD/`;
  const back = readme.replaceAll(`](${files}`, "](");
  assert.equal(back, readFileSync(join(root, "README.md"), "utf8"));
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link);
  assert.ok(links.length > 10);
  for (const link of links) {
    assert.match(link, /^(https:|#)/);
    if (link.startsWith(files)) assert.ok(existsSync(join(root, link.slice(files.length).split("#")[0])), link);
  }
});

test("runs in Node as the README has it, and prints what its comments say", () => {
  assert.ok(samples("js").length >= 3);
  for (const [index, code] of samples("js").entries()) {
    // Node has no IndexedDB.
    write(`readme-${index}.mjs`, code.replace(/idb:\/\/(\w+)/g, "file:$1.perilune"));
    const expected = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => `${text}\n`);
    const printed = run("node", `readme-${index}.mjs`);
    assert.equal(printed, expected.join(""));
  }
  for (const [index, code] of samples("lua").entries()) {
    write(`readme-${index}.lua`, code);
    write(
      "lua.mjs",
      `import { readFileSync } from "node:fs";
       import { Lua } from "perilune";
       const lua = await Lua.create();
       lua.eval(readFileSync("readme-${index}.lua", "utf8"));
       await lua.close();`,
    );
    run("node", "lua.mjs");
  }
});

test("has source maps that hold their sources", () => {
  const maps = run("tar", "tzf", tarball)
    .split("\n")
    // The module's bytes as text have no source to point at.
    .filter((file) => file.endsWith(".js") && basename(file) !== "inline_module.js");
  assert.ok(maps.length >= 5);
  for (const file of maps.map((name) => name.replace(/^package\//, ""))) {
    const map = JSON.parse(readFileSync(installed(`${file}.map`), "utf8"));
    assert.match(readFileSync(installed(file), "utf8"), new RegExp(`//# sourceMappingURL=${basename(file)}\\.map\n$`));
    assert.equal(map.sourcesContent.length, map.sources.length);
    // As the repository lies: the package's own sources, or those that the wasm module shares.
    for (const source of map.sources) assert.match(posix.join("web", dirname(file), source), /^(web\/)?src\//);
    for (const text of map.sourcesContent) assert.ok(text.length > 0);
  }
});

test("shows the place in its sources when it throws", () => {
  write(
    "throws.mjs",
    `import { Lua } from "perilune";
     await Lua.create({ storge: "x" }).catch((error) => console.log(error.stack));`,
  );
  const source = readFileSync(join(root, "web/src/option_rules.ts"), "utf8").split("\n");
  const [, line] = run("node", "--enable-source-maps", "throws.mjs").match(/src\/option_rules\.ts:(\d+)/);
  assert.match(source[line - 1], /throw|Error\(/);
});

test("runs in a program of its user", () => {
  write(
    "main.mjs",
    `import { Lua } from "perilune";
     const lua = await Lua.create();
     lua.eval("x = (x or 0) + 1; t = ext.table('t'); t.x = x");
     console.log(JSON.stringify([lua.eval("return x, 2"), lua.evalAll("return 1.5, 'two', { 3 }"), lua.table("t").get("x")]));
     await lua.close();`,
  );
  assert.equal(run("node", "main.mjs"), '[1,[1.5,"two",[3]],1]\n');
});

test("keeps tables in a file, from one process to the next", () => {
  write(
    "count.mjs",
    `import { Lua } from "perilune";
     const lua = await Lua.create({ storage: "file:notes.perilune", durability: "strict" });
     lua.table("t").set("n", (lua.table("t").get("n") ?? 0) + 1);
     console.log(lua.eval("return ext.table('t').n"));
     await lua.flush();
     // Killed: nothing of it is lost, and nobody is locked out.
     if (process.argv[2] === "die") process.kill(process.pid, "SIGKILL");
     await lua.close();`,
  );
  assert.equal(run("node", "count.mjs"), "1\n");
  assert.throws(() => run("node", "count.mjs", "die"));
  assert.equal(run("node", "count.mjs"), "3\n");
});

test("has types that a strict user can compile against", () => {
  write(
    "types.ts",
    `import { Lua, LuaError, LuaSyntaxError, type LuaValue } from "perilune";
     import { LuaFactory } from "perilune/wasmoon";
     import { openRaw } from "perilune/raw";
     const lua: Lua = await Lua.create({ storage: "memory://", memoryLimit: 4 << 20 });
     const value: LuaValue = lua.eval("return 1");
     const result = lua.tryEval("x = = 1");
     if (!result.ok && result.error instanceof LuaSyntaxError) { const line: number | undefined = result.error.line; void line; }
     const error: typeof LuaError = LuaError;
     // @ts-expect-error: an option that does not exist
     await Lua.create({ storge: "x" });
     void [value, error, LuaFactory, openRaw];`,
  );
  const tsc = join(tools.resolve("typescript/package.json"), "../bin/tsc");
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,esnext.disposable"];
    run("node", tsc, ...options, "--module", module, "--moduleResolution", resolution, "types.ts");
  }
});

test("is bundled by esbuild and runs in a page from its bundle", async () => {
  const { build } = tools("esbuild");
  write(
    "page.js",
    `import { Lua } from "perilune";
     import wasm from "perilune/perilune.wasm";
     const lua = await Lua.create({ wasm: new URL(wasm, import.meta.url) });
     globalThis.answer = lua.eval("return ('%d'):format(6 * 7)");`,
  );
  await build({
    entryPoints: [join(project, "page.js")],
    outdir: join(project, "out"),
    bundle: true,
    format: "esm",
    loader: { ".wasm": "file" },
    logLevel: "error",
  });
  const page = await inChromium('<script type="module" src="/out/page.js"></script>', "globalThis.answer");
  assert.equal(page, "42");
});

test("runs in a page without any build", async () => {
  const html = `<script type="importmap">{ "imports": { "perilune": "/node_modules/perilune/dist/index.js" } }</script>
    <script type="module">
      import { Lua } from "perilune";
      const lua = await Lua.create();
      globalThis.answer = lua.run("print('from the page') return 1").output;
    </script>`;
  assert.equal(await inChromium(html, "globalThis.answer"), "from the page\n");
});

/**
 * Returns the value of an expression, once it is no longer undefined, in a page with this HTML and the
 * project's files.
 */
async function inChromium(html, expression) {
  const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    if (path === "/") return response.setHeader("content-type", "text/html").end(`<!doctype html>${html}`);
    const file = join(project, path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream").end(readFileSync(file));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { chromium } = tools("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const found = await page.waitForFunction(`${expression} !== undefined && { it: ${expression} }`).catch((error) => {
      throw errors[0] ?? error;
    });
    return (await found.jsonValue()).it;
  } finally {
    await browser.close();
    server.close();
  }
}
