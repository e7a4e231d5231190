/**
 * The documents, run: every block of JavaScript and of Lua, with what it lacks, and with the values that its
 * comments promise; and the messages that troubleshooting.md explains, which have to exist.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, suite, test } from "node:test";
import { format } from "node:util";
import { GlyphCase } from "../src/capsule/index.ts";
import * as perilune from "../src/index.ts";
import { fileStorage } from "../src/storage/file/storage.ts";
import { LuaFactory } from "../src/wasmoon.ts";
import { settled } from "./time.ts";

const { Lua } = perilune;
perilune.setFileStorage(fileStorage);
type Scope = Record<string, unknown>;

const folder = mkdtempSync(join(tmpdir(), "perilune-docs-"));
after(() => rmSync(folder, { recursive: true }));

const AsyncFunction = (async () => {}).constructor as new (
  ...names: string[]
) => (...given: unknown[]) => Promise<void>;

/** Parts that a block lacks. */
interface Lacking {
  /** Text by which the block is known. */
  of: string;
  /** Adds what it lacks. */
  given?: (scope: Scope) => unknown;
  /** Changes its text: of an example for a page into one for this machine. */
  edit?: (code: string) => string;
  /** Says what it throws in the end, if it is to throw. */
  throws?: RegExp;
  /** Looks at what it has made. */
  then?: (scope: Scope, printed: string[]) => unknown;
}

/** Documents with JavaScript, the number of comments in each that say a value, and what blocks lack. */
const JAVASCRIPT: { path: string; checked: number; blocks: Lacking[] }[] = [
  { path: "../README.md", checked: 8, blocks: [] },
  {
    path: "../docs/js-api.md",
    checked: 30,
    blocks: [
      { of: "checkout()", throws: /checkout/ },
      {
        of: 'scores.on("change"',
        async then(scope, printed) {
          await settled();
          assert.ok(
            printed.some((line) => /^ada .*was undefined and is now 13$/.test(line)),
            printed.join("\n"),
          );
          // A table with any field, and text of any kind, is nothing that the listener fails at.
          (scope["lua"] as perilune.Lua).eval(
            `local t = ext.table("scores") t.x = { toString = 1 } t.y = { [1.5] = {} } t["\\xff"] = "\\xff"`,
          );
          await settled();
        },
      },
      { of: "again.restored", given: async (scope) => (scope["lua"] = await Lua.create()) },
    ],
  },
  {
    path: "../docs/snapshots.md",
    checked: 0,
    blocks: [
      { of: "lua.snapshot()", given: async (scope) => (scope["lua"] = await Lua.create()) },
      {
        of: "resume: true",
        given: (scope) => Object.assign(scope, { draw() {}, fetch: async () => ({ text: async () => "level = 3" }) }),
        async then(scope) {
          const lua = scope["lua"] as perilune.Lua;
          assert.equal(lua.eval("return level, screen.draw"), 3);
          await lua.close();
        },
      },
      {
        of: "previous?.image",
        edit: (code) => `const options = ({ ${code.replace("/old/perilune.wasm", "OLD")} });`,
        async then(scope) {
          const [old, lua] = [await Lua.create(), await Lua.create()];
          old.eval("score = 7");
          Object.assign(scope, { source: async () => "begun = true" });
          const { boot } = scope["options"] as { boot: (lua: perilune.Lua, previous?: object) => Promise<void> };
          await boot(lua, undefined);
          await boot(lua, { image: old.snapshot() });
          assert.deepEqual(lua.evalAll("return begun, score"), [true, 7]);
        },
      },
    ],
  },
  { path: "../docs/capsule.md", checked: 4, blocks: [] },
  { path: "../docs/capsule-api.md", checked: 15, blocks: [] },
  {
    path: "../docs/storage.md",
    checked: 1,
    blocks: [{ of: 'lua.on("storage-error"', given: async (scope) => (scope["lua"] = await Lua.create()) }],
  },
];

function blocksOf(path: string, language: string): string[] {
  const blocks = readFileSync(path, "utf8").matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"));
  return [...blocks].map(([, code = ""]) => code);
}

/** Reads the value at the beginning of a comment; undefined when it says something else. */
function valueIn(comment: string): { value: unknown } | undefined {
  if (!/^(-?\d|["'[{]|(true|false|undefined|null)\b)/.test(comment)) return undefined;
  for (
    let end = comment.length;
    end > 0;
    end = Math.max(...[":", ";", " ", ","].map((mark) => comment.lastIndexOf(mark, end - 1)))
  ) {
    try {
      return { value: new Function(`"use strict"; return (${comment.slice(0, end)})`)() as unknown };
    } catch {
      // A shorter one.
    }
  }
  return undefined;
}

/**
 * Turns a block into one that leaves its names in the scope, and asks about its comments. Its storage is that
 * of its document: what another one keeps is not there.
 */
function prepared(code: string, path: string): string {
  return code
    .replace(/^import .*\n/gm, "")
    .replace(/"idb:\/\/(\w+)"/g, (_, name: string) =>
      JSON.stringify(`file:${join(folder, `${basename(path)}-${name}`)}`),
    )
    .replace("OLD", new URL(`file://${process.cwd()}/dist/perilune.wasm`).href)
    .replace(/^class (\w+)/gm, "$1 = class $1")
    .split("\n")
    .map((line) => {
      const [, statement = "", comment = ""] = /^(\S.*); \/\/ (.+)$/.exec(line) ?? [];
      if (statement === "" || /^(const|let|\}|\))|\.on\(/.test(statement)) return line;
      const expected = `${JSON.stringify(statement)}, ${JSON.stringify(comment)}`;
      if (statement.startsWith("console.log(")) return `${statement}; __printed(${expected});`;
      try {
        new AsyncFunction(`return (${statement})`);
      } catch {
        return line;
      }
      return `__gives((${statement}), ${expected});`;
    })
    .join("\n")
    .replace(/^(?:const|let) (\w+) =/gm, "$1 =")
    .replace(/^(?:const|let) (\{.*\}) = (.*);$/gm, "($1 = $2);");
}

for (const { path, checked, blocks } of JAVASCRIPT) {
  test(`JavaScript of ${path}`, async () => {
    const printed: string[] = [];
    let compared = 0;
    const own: Scope = {
      ...perilune,
      GlyphCase,
      LuaFactory,
      console: { ...console, log: (...args: unknown[]) => void printed.push(format(...args)) },
      __gives(value: unknown, statement: string, comment: string) {
        const expected = valueIn(comment);
        if (expected === undefined) return;
        compared += 1;
        assert.deepEqual(value, expected.value, statement);
      },
      __printed(statement: string, comment: string) {
        compared += 1;
        assert.equal(printed.at(-1)?.replaceAll("'", '"'), comment, statement);
      },
    };
    const scope = new Proxy(own, {
      has: (_, name) => typeof name === "string",
      get: (target, name) =>
        (name in target ? target[name as string] : (globalThis as Scope)[name as string]) as unknown,
    });
    const used = new Set<Lacking>();
    const codes = blocksOf(path, "js");
    assert.ok(codes.length > 0);
    for (const code of codes) {
      const lacking = blocks.find(({ of }) => code.includes(of));
      if (lacking !== undefined) used.add(lacking);
      await lacking?.given?.(scope);
      const run = new AsyncFunction(
        "scope",
        `with (scope) {\nreturn (async () => {\n${prepared(lacking?.edit?.(code) ?? code, path)}\n})() }`,
      );
      if (lacking?.throws !== undefined) await assert.rejects(run(scope), lacking.throws, code);
      else await run(scope);
      await lacking?.then?.(scope, printed);
    }
    assert.equal(used.size, blocks.length, "a block is gone, and what it lacked is still listed");
    assert.ok(compared >= checked, `only ${compared} comments were compared`);
    await settled();
    for (const value of Object.values(own)) if (value instanceof Lua) await value.close({ discard: true });
  });
}

/** Host functions that blocks of Lua call. */
const FOR_LUA = { fetch_json: async (address: string) => ({ address }) };

for (const path of ["../README.md", "../docs/lua-api.md"]) {
  test(`Lua of ${path}`, async () => {
    const codes = blocksOf(path, "lua");
    assert.ok(codes.length > 0);
    for (const code of codes) {
      let output = "";
      const lua = await Lua.create({ stdout: (text) => (output += text), functions: FOR_LUA });
      await lua.evalAsync(code, { name: path });
      const spaced = (text: string) => text.trim().replace(/\s+/g, " ");
      const lines = output.split("\n").map(spaced);
      for (const [, comment = ""] of code.matchAll(/^\s*print\(.*\)\s+-- (.+)$/gm)) {
        const at = lines.indexOf(spaced(comment));
        assert.ok(at >= 0, `${comment} was not printed:\n${output}`);
        lines.splice(0, at + 1);
      }
      await lua.close();
    }
  });
}

suite("troubleshooting.md", () => {
  // What the build says is not in one piece in the sources.
  const [text = ""] = readFileSync("../docs/troubleshooting.md", "utf8").split("## Building");
  const sources = ["src", "../src", "../lua-5.4/src", "../lua-5.4/port", "../crates"]
    .flatMap((root) => readdirSync(root, { recursive: true, encoding: "utf8" }).map((file) => join(root, file)))
    .filter((file) => /\.(ts|js|rs|lua|c|h)$/.test(file) && !file.includes("node_modules"))
    .map((file) => readFileSync(file, "latin1"))
    .join("\n");

  /** Messages of browsers, of wasm-bindgen and of rustc. */
  const FOREIGN =
    /Refused to compile|expected magic word|WebAssembly\.Tag|it looks like the Rust project|global_allocator|cannot find the sources/;

  /** Messages that C makes of a pattern. */
  const FORMATTED: Record<string, string> = { "attempt to load a binary chunk": "attempt to load a %s chunk" };

  test("explains messages that there are", () => {
    const quoted = [...text.matchAll(/(?:^\*\*|^\| )"([^"]+)"/gm)].map(([, message = ""]) =>
      message.replaceAll("\n", " "),
    );
    assert.ok(quoted.length > 15);
    for (const message of quoted.filter((each) => !FOREIGN.test(each))) {
      // Names stand for whatever was there.
      const parts = message
        .split(/\.\.\.|'?NAME'?|\bFoo\b|'x'|`[^`]*`/)
        .map((part) => part.replace(/^'|'$/g, "").trim());
      for (const part of parts.filter((each) => each.length > 4))
        assert.ok(sources.includes(FORMATTED[part] ?? part), `"${message}": ${part}`);
    }
  });

  test("and every kind of refusal of a value says how to go on, in words that work", async () => {
    const lua = await Lua.create();
    // "pass Math.floor(date.getTime() / 1000)": what is inside of the brackets is code.
    const date = new Date(1_700_000_000_123);
    const hint = (value: unknown) => {
      try {
        lua.globals.set("x", value);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const [, code = ""] = /pass (Math.*), which/.exec(hint(date)) ?? [];
    const seconds = new Function("date", `return ${code}`)(date) as number;
    lua.globals.set("seconds", seconds);
    assert.equal(lua.eval("return os.date('!%Y-%m-%d', seconds)"), "2023-11-14");
    assert.match(hint(Promise.resolve(1)), /await it first/);
    await lua.close();
  });

  test("a promise where nothing can wait: what each message advises works, where it is followed", async () => {
    const lua = await Lua.create({ stdin: async () => "text\n", functions: { later: async () => 1 } });
    const message = (code: string) => {
      const result = lua.tryEval(code);
      return result.ok ? "" : result.error.message;
    };
    assert.match(message("return later()"), /run it with evalAsync or callAsync/);
    assert.equal(await lua.evalAsync("return later()"), 1);
    const inside = await lua.evalAsync<string>(
      "return tostring(select(2, pcall(table.sort, { 2, 1 }, function() later() end)))",
    );
    assert.match(inside, /not inside a function that cannot be suspended/);
    // Advice that has been followed already is none.
    const read = await lua.evalAsync<string>("local ok, e = pcall(io.read) return ok and e or tostring(e)");
    if (read !== "text") {
      assert.doesNotMatch(read, /evalAsync/);
      assert.match(read, /io\.read/);
    }
    await lua.close();
  });
});
