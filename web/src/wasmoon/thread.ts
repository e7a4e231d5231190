/** Threads of wasmoon: a stack of values, and a coroutine that what lies on it is run in. */
import { LuaError, LuaMultiReturn, type Lua, type LuaFunction, type LuaReference } from "../index.js";
import { isError, isPromise } from "../brands.js";
import { LuaReturn, LuaType, type LuaResumeResult, type LuaThreadRunOptions } from "./types.js";
import { timeoutOf, type Values } from "./values.js";

/**
 * Lua's side: the stack lies in Lua, so that what is moved on it stays what it is. `run` goes on with what
 * has yielded when the event loop has had its turn, or the promise that was yielded has settled.
 */
const THREADS = `local tick, create, resume, status, traceback, load, type, select, unpack, pack, getmetatable, tostring, remove, globals =
  ..., coroutine.create, coroutine.resume, coroutine.status, debug and debug.traceback, load, type, select, table.unpack,
  table.pack, getmetatable, tostring, table.remove, _G
return function(own)
  local stack, top, co = {}, 0, own
  local function push(...)
    local count = select("#", ...)
    for i = 1, count do stack[top + i] = select(i, ...) end
    top = top + count
    return count
  end
  local function settop(to)
    for i = to + 1, top do stack[i] = nil end
    top = to
  end
  local function absolute(i) return i < 0 and top + i + 1 or i end
  local function take(count)
    local from = top - count
    local values = pack(unpack(stack, from + 1, top))
    settop(from)
    return values
  end
  local function finish(ok, ...)
    if not ok then
      local message = ...
      local trace = traceback and traceback(co) or ""
      co = nil
      push(message)
      return 2, 1, message, tostring(message), trace
    end
    local count = push(...)
    if status(co) == "suspended" then return 1, count end
    co = nil
    return 0, count
  end
  local ops = {}
  function ops.push(value) push(value) end
  function ops.pop(count) settop(top - count) end
  function ops.top() return top end
  function ops.settop(to) settop(absolute(to)) end
  function ops.remove(i)
    i = absolute(i)
    for at = i, top do stack[at] = stack[at + 1] end
    top = top - 1
  end
  function ops.type(i) return type(stack[absolute(i)]) end
  function ops.text(i) return tostring(stack[absolute(i)]) end
  function ops.get(i, callable)
    local value = stack[absolute(i)]
    if callable and type(value) ~= "function" then return function(...) return value(...) end end
    return value
  end
  function ops.global(name)
    push(globals[name])
    return type(globals[name])
  end
  function ops.setfield(i, name, value) stack[absolute(i)][name] = value end
  function ops.load(code, name)
    local chunk, message = load(code, "=" .. name, "t")
    if not chunk then return message end
    push(chunk)
  end
  function ops.resume(count)
    local values = take(count)
    if not co then
      co = create(stack[top])
      settop(top - 1)
    end
    return finish(resume(co, unpack(values, 1, values.n)))
  end
  function ops.run(count, deliver)
    local result, got, message, text, trace = ops.resume(count)
    while result == 1 do
      local value = stack[top]
      settop(top - got)
      tick(value)
      result, got, message, text, trace = ops.resume(0)
    end
    if result ~= 0 then return deliver(false, message, text, trace) end
    return deliver(true, unpack(stack, 1, top))
  end
  function ops.runsync(count)
    local values = take(count)
    local chunk = stack[top]
    settop(top - 1)
    return chunk(unpack(values, 1, values.n))
  end
  return function(op, ...) return ops[op](...) end
end`;

/** Makes the threads of an engine. */
export class Threads {
  readonly lua: Lua;
  readonly values: Values;
  readonly #make: LuaFunction;

  constructor(lua: Lua, values: Values) {
    this.lua = lua;
    this.values = values;
    const tick = async (value: unknown): Promise<void> => {
      const promise = values.back(value) as unknown;
      if (typeof promise === "object" && promise !== null && isPromise(promise)) {
        await Promise.resolve(promise).catch(() => {});
      } else await new Promise((resolve) => setTimeout(resolve, 0));
    };
    this.#make = lua.eval<LuaFunction>(`return (function(...) ${THREADS} end)`, { name: "wasmoon" });
    this.#make = this.#make(tick) as LuaFunction;
    values.thread = (reference) => new LuaThread(this, reference);
  }

  /** A new stack, for a coroutine where one is given. */
  stack(coroutine?: LuaReference): LuaFunction {
    return this.#make(coroutine) as LuaFunction;
  }
}

/** A thread, with a stack of its own. */
export class LuaThread {
  protected readonly threads: Threads;
  readonly #stack: LuaFunction;
  #timeout: number | undefined;

  /** @internal Constructor for engines. */
  constructor(threads: Threads, coroutine?: LuaReference) {
    this.threads = threads;
    this.#stack = threads.stack(coroutine);
    if (coroutine !== undefined) threads.values.standsFor(this, coroutine);
  }

  /** A new thread beside this one. */
  newThread(): LuaThread {
    return new LuaThread(this.threads);
  }

  /** Compiles a program, and pushes it. */
  loadString(code: string, name: string = chunkName(code)): void {
    const message = this.#call("load", code, name);
    if (message === undefined) return;
    throw new LuaError(message === "not enough memory" ? "memory" : "syntax", String(message));
  }

  /** Compiles a file, and pushes it. */
  loadFile(path: string): void {
    const content = this.threads.lua.files.readText(path);
    if (content === undefined) throw new Error(`cannot open ${path}: no file was mounted there`);
    this.loadString(content, path);
  }

  /** Runs what was pushed, with the last `count` values as arguments, until it returns or yields. */
  resume(count = 0): LuaResumeResult {
    const [result, resultCount] = this.#stack.callAll("resume", count);
    return { result: Number(result) as LuaReturn, resultCount: Number(resultCount) };
  }

  /** Runs what was pushed to its end; what it yields between lets others run. All results. */
  async run(count = 0, { timeout = this.#timeout }: LuaThreadRunOptions = {}): Promise<LuaMultiReturn<any>> {
    const { lua } = this.threads;
    let outcome: unknown[] = [];
    const deliver = (...values: unknown[]) => void (outcome = values);
    try {
      if (timeout === undefined) await this.#stack.callAsync("run", count, deliver);
      else {
        const env = { stack: this.#stack, deliver };
        await lua.evalAsync(`return stack("run", ${Number(count)}, deliver)`, { env, timeout });
      }
    } catch (error) {
      throw timeoutOf(error);
    }
    const [ok, ...results] = outcome;
    this.setTop(0);
    if (ok !== true) throw errorOf(results[0], String(results[1]), String(results[2] ?? ""));
    return LuaMultiReturn.from(results, (value) => this.threads.values.back(value));
  }

  /** Runs what was pushed, and nothing in it can wait. All results. */
  runSync(count = 0): LuaMultiReturn<any> {
    try {
      const results = this.#stack.callAll("runsync", count);
      return LuaMultiReturn.from(results, (value) => this.threads.values.back(value));
    } catch (error) {
      if (error instanceof LuaError && error.message.includes("nothing here can wait")) {
        throw new Error("cannot await in the main thread", { cause: error });
      }
      throw timeoutOf(error);
    }
  }

  /** Calls a global function; all its results. */
  call(name: string, ...args: unknown[]): LuaMultiReturn<any> {
    const { lua, values } = this.threads;
    try {
      const results = lua.callAll(name, ...args.map((arg) => values.toLua(arg)));
      return LuaMultiReturn.from(results, (value) => values.back(value));
    } catch (error) {
      throw timeoutOf(error);
    }
  }

  getTop(): number {
    return Number(this.#call("top"));
  }

  setTop(index: number): void {
    this.#call("settop", index);
  }

  pop(count = 1): void {
    this.#call("pop", count);
  }

  remove(index: number): void {
    this.#call("remove", index);
  }

  pushValue(value: unknown): void {
    this.#call("push", this.threads.values.toLua(value));
  }

  /** The value at an index; as a function where that is asked for, of a table that can be called. */
  getValue(index: number, type?: LuaType): any {
    return this.threads.values.back(this.#call("get", index, type === LuaType.Function));
  }

  /** All values from `start` on. */
  getStackValues(start = 0): LuaMultiReturn<any> {
    const count = this.getTop() - start;
    return LuaMultiReturn.from({ length: count }, (_, at) => this.getValue(start + at + 1) as unknown);
  }

  /** The value at an index as `tostring` shows it. */
  indexToString(index: number): string {
    return String(this.#call("text", index));
  }

  setField(index: number, name: string, value: unknown): void {
    this.#call("setfield", index, name, this.threads.values.toLua(value));
  }

  /** The most milliseconds that `run` may take; none: no limit of its own. */
  setTimeout(timeout: number | undefined): void {
    this.#timeout = timeout;
  }

  getTimeout(): number | undefined {
    return this.#timeout;
  }

  isClosed(): boolean {
    return this.threads.values.closed;
  }

  close(): void {
    this.#stack.dispose();
  }

  /** Pushes a global, and returns its type. */
  protected pushGlobal(name: string): LuaType {
    const type = String(this.#call("global", name));
    const types = ["nil", "boolean", "lightuserdata", "number", "string", "table", "function", "userdata", "thread"];
    return types.indexOf(type);
  }

  #call(op: string, ...args: unknown[]): unknown {
    return this.#stack(op, ...args);
  }
}

/** The name that Lua gives a chunk without one: its first line, shortened (luaO_chunkid). */
export function chunkName(code: string): string {
  const [line = ""] = code.split("\n");
  const isWhole = line.length === code.length && line.length < 44;
  return isWhole ? `[string "${line}"]` : `[string "${line.slice(0, 41)}..."]`;
}

function errorOf(value: unknown, text: string, traceback: string): Error {
  const shown = traceback.trim() === "stack traceback:" || traceback === "" ? text : `${text}\n${traceback}`;
  const kind = text === "not enough memory" ? "memory" : "runtime";
  return new LuaError(kind, shown, { traceback, value, cause: isError(value) ? value : undefined });
}
