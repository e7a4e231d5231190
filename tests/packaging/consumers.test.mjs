/**
 * The tarball in projects of every kind, without a setting: each is built as its tool builds by default, and
 * then run.
 *
 * `CONSUMERS=all` has those too that install their tools from npm (cargo xtask test --only packaging --all),
 * a word those whose name it is in.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { after, suite, test } from "node:test";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");
const tarball = join(root, "target/npm/perilune.tgz");
/** The tools that the package itself is built with. */
const tools = createRequire(join(root, "web/package.json"));
const { build } = tools("esbuild");

const wanted = process.env.CONSUMERS ?? "";
const folders = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/**
 * Module of each program: answers 42 by Lua, to whoever runs it. For `fork` the package loads a part of
 * itself that nothing else here needs.
 */
const PROGRAM = `import { Lua } from "perilune";
export async function answer() {
  const lua = await Lua.create();
  const other = await lua.fork();
  try {
    return other.eval("return 6 * 7");
  } finally {
    await Promise.all([lua.close(), other.close()]);
  }
}
`;
const PRINTS = `import { answer } from "./answer.js";
answer().then((it) => console.log("answer", it), (error) => console.log("failed", error));
`;
/** Program of pages and of their workers. */
const SHOWS = `import { answer } from "./answer.js";
answer().then((it) => (globalThis.answer = it), (error) => (globalThis.answer = String(error)));
`;

/** A project with the tarball, these files, and these packages from npm. */
class Project {
  constructor(files, packages = [], { type = "module" } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "perilune-consumer-"));
    folders.push(this.folder);
    const manifest = { name: "consumer", private: true, ...(type && { type }) };
    this.write({ "package.json": JSON.stringify(manifest), "answer.js": PROGRAM, ...files });
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    this.run("npm", "install", ...quiet, ...(packages.length === 0 ? ["--offline"] : []), tarball, ...packages);
  }

  path(name) {
    return join(this.folder, name);
  }

  write(files) {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true });
      writeFileSync(this.path(name), text);
    }
  }

  /** Runs a program, of the project's or the system's, and returns what it prints. */
  run(command, ...args) {
    const own = this.path(`node_modules/.bin/${command}`);
    const env = { ...process.env, NODE_ENV: "", NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", CI: "1" };
    // Of the test runner that runs this: another one below it would answer to it.
    for (const name of ["NODE_TEST_CONTEXT", "FORCE_COLOR"]) delete env[name];
    try {
      const options = { cwd: this.folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env };
      return execFileSync(existsSync(own) ? own : command, args, options);
    } catch (error) {
      throw new Error(`${command} ${args.join(" ")}\n${error.stdout ?? ""}\n${error.stderr ?? ""}`, { cause: error });
    }
  }

  /** Starts a server that prints its address; resolves to it and the way to end it. */
  async serve(command, ...args) {
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", FORCE_COLOR: "0", BROWSER: "none" };
    delete env.NODE_TEST_CONTEXT;
    const child = spawn(this.path(`node_modules/.bin/${command}`), args, { cwd: this.folder, env, detached: true });
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    };
    let printed = "";
    const address = await new Promise((found, failed) => {
      const listen = (data) => {
        printed += data;
        const match = /http:\/\/(localhost|127\.0\.0\.1):(\d+)/.exec(printed.replace(/\u001b\[\d*m/g, ""));
        if (match !== null) found(`http://localhost:${match[2]}/`);
      };
      child.stdout.on("data", listen);
      child.stderr.on("data", listen);
      child.on("exit", () => failed(new Error(`${command} has ended: ${printed}`)));
    });
    return { address, end };
  }

  /** Wasm files in a folder. */
  modules(folder) {
    const files = readdirSync(this.path(folder), { recursive: true });
    return files.map(String).filter((file) => file.endsWith(".wasm"));
  }
}

/** A test of one consumer; `npm` if it installs its tools. */
function consumer(name, { npm = false } = {}, body) {
  if (
    npm
      ? wanted === "all" || (wanted !== "" && name.includes(wanted))
      : wanted === "" || wanted === "all" || name.includes(wanted)
  )
    test(name, body);
}

const ANSWER = "answer 42\n";

suite("consumers in Node", () => {
  const esbuild = (project, entry, options) =>
    build({ absWorkingDir: project.folder, entryPoints: [entry], bundle: true, logLevel: "error", ...options });

  consumer("node import", {}, () => {
    const project = new Project({ "main.js": PRINTS });
    assert.equal(project.run("node", "main.js"), ANSWER);
  });

  consumer("node require", {}, () => {
    const program = `const { Lua } = require("perilune");
      Lua.create({ storage: "file:a.perilune" }).then(async (lua) => {
        console.log("answer", lua.eval("return 6 * 7"));
        await lua.close();
      });`;
    const project = new Project({ "main.cjs": program });
    assert.equal(project.run("node", "main.cjs"), ANSWER);
    // As Node requires before it could require modules, and as Jest does.
    const old = program.replace('require("perilune")', 'require("./node_modules/perilune/dist/cjs/index.js")');
    project.write({ "old.cjs": old });
    assert.equal(project.run("node", "old.cjs"), ANSWER);
    rmSync(project.path("node_modules/perilune/dist/perilune.wasm"));
    assert.equal(project.run("node", "old.cjs"), ANSWER);
  });

  consumer("node inline", {}, () => {
    const project = new Project({ "answer.js": PROGRAM.replace('"perilune"', '"perilune/inline"'), "main.js": PRINTS });
    rmSync(project.path("node_modules/perilune/dist/perilune.wasm"));
    assert.equal(project.run("node", "main.js"), ANSWER);
  });

  for (const [format, platform] of [
    ["esm", "node"],
    ["cjs", "node"],
    ["iife", "browser"],
    ["esm", "neutral"],
  ]) {
    consumer(`esbuild ${format} for ${platform}`, {}, async () => {
      const project = new Project({ "main.js": PRINTS });
      const file = `out/main.${format === "cjs" ? "cjs" : "mjs"}`;
      await esbuild(project, "main.js", {
        format,
        platform,
        outfile: project.path(file),
        ...(platform === "neutral" && { mainFields: ["module", "main"] }),
      });
      assert.equal(project.run("node", file), ANSWER);
    });
  }

  consumer("esbuild of a require", {}, async () => {
    const main = `const { Lua } = require("perilune");
      Lua.create().then(async (lua) => { console.log("answer", lua.eval("return 6 * 7")); await lua.close(); });`;
    const project = new Project({ "main.cjs": main });
    await esbuild(project, "main.cjs", { format: "cjs", platform: "node", outfile: project.path("out.cjs") });
    assert.equal(project.run("node", "out.cjs"), ANSWER);
  });

  consumer("says what helps where nothing is there", {}, () => {
    const project = new Project({ "main.js": PRINTS });
    for (const file of ["perilune.wasm", "inline_module.js"])
      rmSync(project.path(`node_modules/perilune/dist/${file}`));
    assert.match(project.run("node", "main.js"), /failed .*perilune\.wasm.* as the option "wasm"/s);
  });
});

suite("consumers in a page", () => {
  const page = (script) => `<!doctype html>${script}`;

  consumer("page by import map", {}, async () => {
    const project = new Project({
      "main.js": SHOWS,
      "index.html": page(
        '<script type="importmap">{ "imports": { "perilune": "/node_modules/perilune/dist/index.js" } }</script>' +
          '<script type="module" src="/main.js"></script>',
      ),
    });
    await answersIn(project.folder, { modules: 1 });
    // Nothing but scripts of its own, and wasm.
    await answersIn(project.folder, {
      modules: 1,
      policy: "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'sha256-HASH'",
    });
    rmSync(project.path("node_modules/perilune/dist/perilune.wasm"));
    await answersIn(project.folder, { modules: 1 });
  });

  consumer("page that may not compile", {}, async () => {
    const project = new Project({
      "main.js": SHOWS,
      "index.html": page(
        '<script type="importmap">{ "imports": { "perilune": "/node_modules/perilune/dist/index.js" } }</script>' +
          '<script type="module" src="/main.js"></script>',
      ),
    });
    await answersIn(project.folder, {
      policy: "default-src 'self'; script-src 'self' 'sha256-HASH'",
      answer: /Content Security Policy|unsafe-eval/,
    });
  });

  for (const [kind, format, start] of [
    ["classic script", "iife", '<script src="/out/main.js"></script>'],
    ["module worker", "esm", worker('new Worker("/out/main.js", { type: "module" })')],
    ["classic worker", "iife", worker('new Worker("/out/main.js")')],
    ["shared worker", "iife", worker('new SharedWorker("/out/main.js").port')],
  ]) {
    consumer(`esbuild, ${kind}`, {}, async () => {
      const project = new Project({
        "main.js": `${SHOWS}
          const tell = (port) => answer().then((it) => port.postMessage(it), (error) => port.postMessage(String(error)));
          if (globalThis.WorkerGlobalScope !== undefined) {
            if (globalThis.SharedWorkerGlobalScope !== undefined) onconnect = ({ ports: [port] }) => tell(port);
            else tell(globalThis);
          }`,
        "index.html": page(start),
      });
      await build({
        absWorkingDir: project.folder,
        entryPoints: ["main.js"],
        bundle: true,
        format,
        outdir: project.path("out"),
        logLevel: "silent",
      });
      await answersIn(project.folder);
    });
  }

  consumer("esbuild, service worker", {}, async () => {
    const project = new Project({
      "sw.js": `import { answer } from "./answer.js";
        oninstall = () => skipWaiting();
        onactivate = (event) => event.waitUntil(clients.claim());
        onmessage = ({ source }) => answer().then((it) => source.postMessage(it), (error) => source.postMessage(String(error)));`,
      "index.html": page(
        `<script>
          navigator.serviceWorker.onmessage = ({ data }) => (globalThis.answer = data);
          navigator.serviceWorker.register("/sw.out.js");
          navigator.serviceWorker.ready.then(({ active }) => active.postMessage(1));
        </script>`,
      ),
    });
    await build({
      absWorkingDir: project.folder,
      entryPoints: ["sw.js"],
      bundle: true,
      format: "iife",
      outfile: project.path("sw.out.js"),
      logLevel: "silent",
    });
    await answersIn(project.folder);
  });

  // Service workers load nothing later, not even those that are modules.
  for (const [file, answer] of [
    ["whole.js", 42],
    ["index.js", /import "perilune\/whole"/],
  ]) {
    consumer(`service worker that is a module, ${file}`, {}, async () => {
      const project = new Project({
        "sw.js": `import { Lua } from "/node_modules/perilune/dist/${file}";
          const answer = async () => {
            const lua = await Lua.create({ storage: "idb://a" });
            const other = await lua.fork();
            return other.eval("return 6 * 7");
          };
          oninstall = () => skipWaiting();
          onactivate = (event) => event.waitUntil(clients.claim());
          onmessage = ({ source }) => answer().then((it) => source.postMessage(it), (error) => source.postMessage(String(error)));`,
        "index.html": page(
          `<script>
            navigator.serviceWorker.onmessage = ({ data }) => (globalThis.answer = data);
            navigator.serviceWorker.register("/sw.js", { type: "module" });
            navigator.serviceWorker.ready.then(({ active }) => active.postMessage(1));
          </script>`,
        ),
      });
      await answersIn(project.folder, { answer });
    });
  }
});

function worker(make) {
  return `<script>const it = ${make}; it.onmessage = ({ data }) => (globalThis.answer = data);</script>`;
}

const HTML = '<!doctype html><script type="module" src="/main.js"></script>';

suite("consumers with tools from npm", () => {
  for (const version of ["5", "7", "8"]) {
    consumer(`vite ${version}`, { npm: true }, async () => {
      const project = new Project({ "main.js": SHOWS, "index.html": HTML }, [`vite@${version}`]);
      const { address, end } = await project.serve("vite", "--host", "127.0.0.1");
      try {
        await answersAt(address);
      } finally {
        end();
      }
      project.run("vite", "build");
      assert.equal(project.modules("dist").length, 1);
      await answersIn(project.path("dist"), { modules: 1 });
    });
  }

  consumer("vite ssr", { npm: true }, async () => {
    const project = new Project({ "main.js": PRINTS }, ["vite@7"]);
    project.write({ "vite.config.js": "export default { ssr: { noExternal: true } };" });
    project.run("vite", "build", "--ssr", "main.js");
    assert.equal(project.run("node", "dist/main.js"), ANSWER);
  });

  consumer("vitest", { npm: true }, () => {
    const project = new Project(
      {
        "a.test.js": `import { expect, test } from "vitest"; import { answer } from "./answer.js"; test("a", async () => expect(await answer()).toBe(42));`,
      },
      ["vitest@4"],
    );
    assert.match(project.run("vitest", "run"), /1 passed/);
  });

  consumer("jest", { npm: true }, () => {
    const project = new Project(
      {
        "a.test.js": `const { Lua } = require("perilune");
          test("a", async () => { const lua = await Lua.create(); expect(lua.eval("return { 6 * 7 }")).toEqual([42]); await lua.close(); });`,
      },
      ["jest@30"],
      { type: undefined },
    );
    project.run("jest");
  });

  consumer("rollup", { npm: true }, async () => {
    const project = new Project(
      {
        "main.js": SHOWS,
        "index.html": '<!doctype html><script type="module" src="/out/main.js"></script>',
        "rollup.config.js": `import resolve from "@rollup/plugin-node-resolve";
          export default { input: "main.js", output: { dir: "out" }, plugins: [resolve({ browser: true })] };`,
      },
      ["rollup@4", "@rollup/plugin-node-resolve@16"],
    );
    project.run("rollup", "-c");
    await answersIn(project.folder);
  });

  consumer("webpack", { npm: true }, async () => {
    const project = new Project(
      {
        "src/index.js": SHOWS.replace("./", "../"),
        "dist/index.html": '<!doctype html><script src="/main.js"></script>',
      },
      ["webpack@5", "webpack-cli@6"],
    );
    project.run("webpack", "--mode", "production");
    assert.equal(project.modules("dist").length, 1);
    await answersIn(project.path("dist"), { modules: 1 });
  });

  consumer("parcel", { npm: true }, async () => {
    const project = new Project(
      { "main.js": SHOWS, "index.html": '<!doctype html><script type="module" src="main.js"></script>' },
      ["parcel@2"],
    );
    project.run("parcel", "build", "index.html", "--no-cache");
    await answersIn(project.path("dist"));
  });

  consumer("next", { npm: true }, async () => {
    const project = new Project(
      {
        "app/layout.js":
          "export default function Layout({ children }) { return <html><body>{children}</body></html>; }",
        "app/page.js": `import { answer } from "../answer.js";
          import Client from "./client.js";
          export const dynamic = "force-dynamic";
          export default async function Page() { return <main><p id="server">{String(await answer())}</p><Client /></main>; }`,
        "app/client.js": `"use client";
          import { useEffect, useState } from "react";
          import { answer } from "../answer.js";
          export default function Client() {
            const [it, set] = useState();
            useEffect(() => void answer().then((value) => { set(value); globalThis.answer = value; }, (error) => (globalThis.answer = String(error))), []);
            return <p id="client">{it}</p>;
          }`,
        "app/api/route.js": `import { answer } from "../../answer.js";
          export const dynamic = "force-dynamic";
          export async function GET() { return Response.json(await answer()); }`,
      },
      ["next@16", "react@19", "react-dom@19"],
    );
    project.run("next", "build");
    const { address, end } = await project.serve("next", "start", "--port", "0", "--hostname", "127.0.0.1");
    try {
      assert.match(await (await fetch(address)).text(), /id="server">42</);
      assert.equal(await (await fetch(`${address}api`)).json(), 42);
      await answersAt(address);
    } finally {
      end();
    }
  });

  consumer("deno", { npm: true }, () => {
    const project = new Project({ "main.js": PRINTS }, ["deno@2"]);
    assert.equal(project.run("deno", "run", "--allow-read", "--allow-env", "main.js"), ANSWER);
  });

  consumer("bun", { npm: true }, () => {
    const project = new Project({ "main.js": PRINTS }, ["bun@1"]);
    assert.equal(project.run("bun", "main.js"), ANSWER);
    project.run("bun", "build", "--compile", "main.js", "--outfile", "program");
    mkdirSync(project.path("elsewhere"));
    rmSync(project.path("node_modules/perilune"), { recursive: true });
    assert.equal(project.run("./program"), ANSWER);
  });

  consumer("node 20.0 and the newest", { npm: true }, () => {
    for (const version of ["20.0.0", "24"]) {
      const project = new Project(
        {
          "main.js": PRINTS,
          "main.cjs":
            'require("perilune").Lua.create().then((lua) => console.log("answer", lua.eval("return 6 * 7")));',
        },
        [`node@${version}`],
      );
      assert.equal(project.run("node", "main.js"), ANSWER, version);
      assert.equal(project.run("node", "main.cjs"), ANSWER, version);
    }
  });

  for (const version of ["5.0", "5.6", "5.9"]) {
    consumer(`typescript ${version}`, { npm: true }, () => {
      const project = new Project(
        {
          "a.ts": `import { Lua, LuaError, type LuaValue } from "perilune";
            export async function f(): Promise<LuaValue> {
              const lua: Lua = await Lua.create();
              const image: Uint8Array = lua.snapshot();
              void [image, LuaError];
              return lua.eval("return 1");
            }`,
        },
        [`typescript@${version}`],
      );
      const tsc = (...options) =>
        project.run("tsc", "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", ...options, "a.ts");
      tsc("--module", "es2022", "--moduleResolution", "bundler");
      tsc("--module", "nodenext", "--moduleResolution", "nodenext");
      tsc("--module", "es2022", "--moduleResolution", "node");
      project.write({ "package.json": '{ "name": "consumer", "private": true }' });
      tsc("--module", "node16", "--moduleResolution", "node16");
    });
  }

  consumer("publint and attw", { npm: true }, () => {
    const project = new Project({}, ["publint@0.3", "@arethetypeswrong/cli@0.18"]);
    project.run("publint", "--strict", "node_modules/perilune");
    project.run(
      "attw",
      tarball,
      "--ignore-rules",
      "cjs-resolves-to-esm",
      "--exclude-entrypoints",
      "./perilune.wasm",
      "./capsule.wasm",
    );
  });
});

/** Serves a folder, and opens it as `answersAt` does. */
async function answersIn(folder, { policy, ...expected } = {}) {
  const types = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".html": "text/html",
  };
  const { createHash } = await import("node:crypto");
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const file = join(folder, path === "/" ? "index.html" : path);
    if (!existsSync(file)) return response.writeHead(404).end();
    const text = readFileSync(file);
    if (policy !== undefined && extname(file) === ".html") {
      const [, inline] = /<script type="importmap">(.*?)<\/script>/.exec(text);
      response.setHeader(
        "content-security-policy",
        policy.replace("HASH", createHash("sha256").update(inline).digest("base64")),
      );
    }
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream").end(text);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    await answersAt(`http://localhost:${server.address().port}/`, expected);
  } finally {
    server.close();
  }
}

/**
 * Opens a page, and looks at `globalThis.answer` once it is there. Nothing may be asked for elsewhere, and no
 * more wasm files than `modules`.
 */
async function answersAt(address, { modules, answer = 42 } = {}) {
  const { chromium } = tools("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    const failure = new Promise((_, failed) => page.on("pageerror", failed));
    // Nobody may wait for it any more when it comes.
    failure.catch(() => {});
    await page.goto(address);
    // Compiled at once: a strict policy forbids it later, so `waitForFunction` fails where it has to wait.
    const waiting = page.evaluate(() => {
      return new Promise((found) => {
        const look = () => {
          if (globalThis.answer === undefined) requestAnimationFrame(look);
          else found(globalThis.answer);
        };
        look();
      });
    });
    const it = await Promise.race([waiting, failure]);
    if (typeof answer === "number") assert.equal(it, answer);
    else assert.match(it, answer);
    for (const url of requests) assert.ok(url.startsWith(address) || /^(blob|data):/.test(url), url);
    const asked = new Set(requests.filter((url) => basename(new URL(url).pathname).endsWith(".wasm")));
    if (modules !== undefined) assert.equal(asked.size, modules);
  } finally {
    await browser.close();
  }
}
