/** One VM: runs programs, and answers the page's questions about it. */
import { Lua, LuaError, type LuaFunction, type LuaKey, type LuaTable, type LuaValue } from "perilune";
import type { Opened, Overview, Page, Ran, Shown } from "../protocol.ts";
import describeSource from "./describe.lua";
import { HELPER, PROGRAM, toFailure } from "./failure.ts";
import type { Output } from "./output.ts";
import { readShown, showKey, showPlain } from "./shown.ts";

interface Helper {
  run: LuaFunction;
  values: LuaFunction;
  describe: LuaFunction;
}

export class Session {
  readonly lua: Lua;
  readonly #helper: Helper;
  readonly #output: Output;
  /** Keys of the table that was read last; undefined when it may have changed. */
  #keys: { table: string; keys: LuaKey[] } | undefined;

  /** Opens the storage; rejects with a `LuaStorageError`, code `locked`, when another tab has it. */
  static async open(storage: string, output: Output): Promise<Session> {
    const lua = await Lua.create({
      storage,
      stdout: (text) => output.write("stdout", text),
      stderr: (text) => output.write("stderr", text),
    });
    return new Session(lua, output);
  }

  private constructor(lua: Lua, output: Output) {
    this.lua = lua;
    this.#output = output;
    lua.register("fetch_text", fetchText);
    this.#helper = lua.eval<LuaValue>(describeSource, { name: HELPER }) as unknown as Helper;
  }

  opened(): Opened {
    return { version: String(this.lua.eval("return _VERSION")), overview: this.overview() };
  }

  overview(): Overview {
    const { memory, tables, storage } = this.lua.stats();
    return { memory, tables, storage };
  }

  /** Runs a program to its end, or to its error; it may wait. */
  async run(source: string): Promise<Ran> {
    this.#keys = undefined;
    let results: Shown[] = [];
    let failure: Ran["failure"];
    const start = performance.now();
    let ms: number;
    try {
      const description = await this.#helper.run.callAsync(source, `=${PROGRAM}`);
      ms = performance.now() - start;
      // What does not compile is compiled once more, for the error as the package gives it.
      if (description === false) this.lua.eval(source, { name: PROGRAM });
      else results = readShown(description);
    } catch (error) {
      ms = performance.now() - start;
      failure = toFailure(error, (value) => this.#describe(value));
    }
    this.#output.end();
    return { results, failure, ms, overview: this.overview() };
  }

  /** Returns some entries of a table, in its order; only those whose key contains `find`. */
  page(name: string, offset: number, limit: number, find: string): Page {
    if (!this.lua.tables().includes(name)) return { rows: [], offset: 0, matching: 0 };
    const table = this.lua.table(name);
    let keys = this.#keysOf(table);
    if (find !== "") {
      const wanted = find.toLowerCase();
      keys = keys.filter((key) => String(key).toLowerCase().includes(wanted));
    }
    const from = Math.max(0, Math.min(offset, Math.ceil(keys.length / limit - 1) * limit));
    const shown = keys.slice(from, from + limit);
    const values = this.#values(table, shown);
    const rows = shown.map((key, i) => ({ key: showKey(key), value: values[i] ?? { type: "nil" as const } }));
    return { rows, offset: from, matching: keys.length };
  }

  clear(name: string): Overview {
    this.#keys = undefined;
    this.lua.table(name).clear();
    return this.overview();
  }

  drop(name: string): Overview {
    this.#keys = undefined;
    this.lua.eval(`ext.drop(${luaString(name)})`);
    return this.overview();
  }

  gc(): Overview {
    this.lua.gc("collect");
    return this.overview();
  }

  #keysOf(table: LuaTable): LuaKey[] {
    if (this.#keys?.table !== table.name) this.#keys = { table: table.name, keys: [...table.keys()] };
    return this.#keys.keys;
  }

  #values(table: LuaTable, keys: LuaKey[]): Shown[] {
    try {
      return readShown(this.#helper.values(table.name, ...keys));
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      return keys.map((key) => showPlain(table.get(key)));
    }
  }

  #describe(value: unknown): Shown | undefined {
    try {
      return readShown(this.#helper.describe(value))[0];
    } catch {
      return showPlain(value as LuaValue);
    }
  }
}

/** Host function of programs: the text of a file beside the page. */
async function fetchText(path: string): Promise<string> {
  const url = new URL(path, location.href);
  if (url.origin !== location.origin) throw new Error(`${url.origin} is another site`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response.text();
}

/** A Lua string literal of any text. */
function luaString(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return `"${Array.from(bytes, (byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`;
}
