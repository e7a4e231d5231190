// Tasks that are timed, the same in Node and in a page: `open` prepares a task in an engine, `sample` times
// it once.
//
// A sample is { ms, check }: it took so long, and gave this. Only the operation itself stands between the two
// readings of the clock. (Of VMs that are captured, lib/snapshot-task.mjs, it is { figures, check }.)

import { ENGINES } from "../engines/index.mjs";
import { openSnapshotTask } from "./snapshot-task.mjs";

/** Opens `task` in the engine called `engine`. Resolves to a function that takes one sample. */
export async function open(engine, task) {
  if (task.kind === "snapshot") return openSnapshotTask(engine, task);
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

  /** A short piece of Lua, again and again. */
  async eval(lua, { source }) {
    return repeated(() => lua.eval(source));
  },

  /** A Lua function called from JavaScript. */
  async call(lua, { passes }) {
    const { inLua, fromJs } = CALLS[passes];
    lua.eval(`function call(${inLua.parameters}) return ${inLua.result} end`);
    const call = lua.global("call");
    return (count) => {
      const start = performance.now();
      const check = fromJs(call, count, lua.table);
      return { ms: performance.now() - start, check };
    };
  },

  /** A JavaScript function called from Lua. */
  async hostCall(lua, { passes }) {
    const { inJs, fromLua } = CALLS[passes];
    await lua.register("call", inJs);
    return benchInLua(lua, fromLua);
  },

  /** A JavaScript function that throws, and Lua that catches it. */
  async hostError(lua) {
    await lua.register("fail", () => {
      throw new Error("no such thing");
    });
    lua.eval("function text() local _, e = pcall(fail) return tostring(e) end");
    if (!lua.eval("return text()").includes("no such thing")) throw new Error("it is not the error that was thrown");
    return benchInLua(lua, "if not pcall(fail) then sum = sum + 1 end", "local fail, pcall = fail, pcall");
  },

  /** JavaScript calls Lua, which calls JavaScript, and so on: `depth` of each inside of each other. */
  async recursion(lua, { depth }) {
    let down;
    await lua.register("up", (n) => down(n));
    lua.eval("local up = up function down(n) if n == 0 then return 0 end return up(n - 1) + 1 end");
    down = lua.global("down");
    return repeated(() => down(depth));
  },

  /** A chunk that waits once, for a promise that is fulfilled already. One after the other. */
  async wait(lua) {
    if (!lua.evalAsync) throw new Unsupported();
    await lua.register("wait", () => Promise.resolve(1));
    const code = `sum = sum + ${lua.awaited("wait()")}`;
    return async (count) => {
      lua.eval("sum = 0");
      const start = performance.now();
      for (let i = 0; i < count; i++) await lua.evalAsync(code);
      return { ms: performance.now() - start, check: lua.eval("return sum") };
    };
  },

  /** An array or an object becomes a Lua table. */
  async toLua(lua, { data }) {
    const value = DATA[data]();
    lua.eval(DIGEST_IN_LUA);
    const take = repeated(() => lua.setGlobal("data", value));
    return (count) => ({ ...take(count), check: lua.eval("return digest(data)") });
  },

  /** A Lua table becomes an array or an object. */
  async toJs(lua, { data }) {
    lua.setGlobal("data", DATA[data]());
    lua.eval("local own = {} for key, value in pairs(data) do own[key] = value end data = own");
    const isArray = Array.isArray(DATA[data]());
    let last;
    const take = repeated(() => (last = lua.global("data")));
    return (count) => ({ ...take(count), check: Array.isArray(last) === isArray && digest(last) });
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

/**
 * Values that pass through a call: a function of each language, which gives a number, and a loop of each that
 * calls it.
 */
const CALLS = {
  numbers: {
    inLua: { parameters: "a, b", result: "a + b" },
    inJs: (a, b) => a + b,
    fromLua: "sum = call(sum, 1)",
    fromJs(call, count) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum = call(sum, 1);
      return sum;
    },
  },
  string: {
    inLua: { parameters: "text", result: "#text" },
    inJs: (text) => text.length,
    fromLua: "sum = sum + call(texts[i % 8 + 1])",
    fromJs(call, count) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += call(TEXTS[i % 8]);
      return sum;
    },
  },
  object: {
    inLua: { parameters: "point", result: "point.x + point.y" },
    inJs: (point) => point.x + point.y,
    fromLua: "sum = sum + call({ x = i, y = 2 })",
    fromJs(call, count, table) {
      let sum = 0;
      for (let i = 1; i <= count; i++) sum += call(table({ x: i, y: 2 }));
      return sum;
    },
  },
};

const TEXTS = ["a", "to", "the", "moon", "orbit", "crater", "regolith", "perilune"];

const DATA = {
  /** Integers, floats and short strings in turn. */
  mixed: () => Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? i : i % 3 === 1 ? i + 0.5 : `item ${i}`)),
  /** Integers and floats in turn. */
  numbers: () => Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? i : i + 0.5)),
  /** An object of as many. */
  object: () => Object.fromEntries(DATA.numbers().map((value, i) => [`key${i}`, value])),
};

/**
 * Lua that computes, of all keys and values, their count, the sum of the numbers and the length of the
 * strings.
 */
const DIGEST_IN_LUA = `
  function digest(data)
    if type(data) ~= "table" then return "no table" end
    local count, sum, length = 0, 0, 0
    for key, value in pairs(data) do
      count = count + 1
      if type(key) == "string" then length = length + #key end
      if type(value) == "string" then length = length + #value else sum = sum + value end
    end
    return ("%d %.1f %d"):format(count, sum, length)
  end`;

function digest(data) {
  let [sum, length] = [0, 0];
  for (const [key, value] of Object.entries(data)) {
    if (!Array.isArray(data)) length += key.length;
    if (typeof value === "string") length += value.length;
    else sum += value;
  }
  return `${Object.keys(data).length} ${sum.toFixed(1)} ${length}`;
}

/**
 * Returns a sampler whose sample is one eval, with the loop in Lua. `body` adds to `sum`, and has `call`,
 * which was registered, and `i`.
 */
function benchInLua(lua, body, locals = "local call = call") {
  lua.eval(`
    ${locals}
    local texts = { ${TEXTS.map((text) => `"${text}"`).join(", ")} }
    function bench(n)
      local sum = 0
      for i = 1, n do ${body} end
      return sum
    end`);
  return (count) => {
    const code = `return bench(${count})`;
    const start = performance.now();
    const check = lua.eval(code);
    return { ms: performance.now() - start, check };
  };
}

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
