// What is timed, the same in Node and in a page: `open` prepares a task in an engine, `sample` times it once.
//
// A sample is { ms, ops, check }: so many operations took so long, and gave this. Only the operation itself stands
// between the two readings of the clock.

import { ENGINES } from "../engines/index.mjs";

/** Opens `task` in the engine called `engine`. Resolves to a function that takes one sample. */
export async function open(engine, task) {
  const lua = await ENGINES[engine].create(task.options);
  return KINDS[task.kind](lua, task);
}

const KINDS = {
  /** A Lua file that defines bench(units). */
  async workload(lua, { source, prelude }) {
    if (prelude) lua.eval(prelude);
    lua.eval(source);
    return (units) => {
      const code = `return bench(${units})`;
      const start = performance.now();
      const check = lua.eval(code);
      return { ms: performance.now() - start, check };
    };
  },

  /** The same short piece of Lua, over and over. */
  async eval(lua, { source }) {
    return repeated(() => lua.eval(source));
  },

  /** A Lua function called from JavaScript. */
  async call(lua) {
    lua.eval("function add(a, b) return a + b end");
    const add = lua.global("add");
    return (count) => {
      let sum = 0;
      const start = performance.now();
      for (let i = 0; i < count; i++) sum = add(sum, 1);
      return { ms: performance.now() - start, check: sum };
    };
  },

  /** A JavaScript function called from Lua. */
  async hostCall(lua) {
    if (!lua.register) throw new Unsupported();
    await lua.register("add", (a, b) => a + b);
    lua.eval("function bench(n) local add, sum = add, 0 for _ = 1, n do sum = add(sum, 1) end return sum end");
    return (count) => {
      const code = `return bench(${count})`;
      const start = performance.now();
      const check = lua.eval(code);
      return { ms: performance.now() - start, check };
    };
  },

  /** An array of 1000 mixed values becomes a Lua table. */
  async toLua(lua) {
    const data = mixed();
    const take = repeated(() => lua.setGlobal("data", data));
    return (count) => ({ ...take(count), check: lua.eval("return type(data) == 'table' and #data .. data[3]") });
  },

  /** A Lua table of 1000 mixed values becomes an array. */
  async toJs(lua) {
    lua.setGlobal("data", mixed());
    lua.eval("local own = {} for i = 1, 1000 do own[i] = data[i] end data = own");
    let last;
    const take = repeated(() => (last = lua.global("data")));
    return (count) => ({ ...take(count), check: `${last.length}${last[2]}` });
  },

  /** A string through Lua and back. */
  async echo(lua, { bytes }) {
    lua.eval("function echo(text) return text end");
    const echo = lua.global("echo");
    const text = "Perilune ".repeat(Math.ceil(bytes / 9)).slice(0, bytes);
    let last;
    const take = repeated(() => (last = echo(text)));
    return (count) => ({ ...take(count), check: last.length });
  },
};

class Unsupported extends Error {
  constructor() {
    super("unsupported");
  }
}

function repeated(operation) {
  return (count) => {
    let check;
    const start = performance.now();
    for (let i = 0; i < count; i++) check = operation();
    return { ms: performance.now() - start, check };
  };
}

/** Integers, floats and short strings in turn. */
function mixed() {
  return Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? i : i % 3 === 1 ? i + 0.5 : `item ${i}`));
}
