// List of the measures. Every figure is a time: less is better.
//
// A measure: id, title, unit of one figure, task (lib/task.mjs), `count` operations or units in one sample.

import { readFileSync, readdirSync } from "node:fs";

const JS_ENGINES = ["perilune", "base", "wasmoon", "fengari"];
const perOperation = { unit: "µs", per: "operation", engines: JS_ENGINES };

/** Part of each workload for fengari, which is 10 to 40 times slower; its figure is scaled up. */
export const PART_OF_WORKLOAD = { fengari: 1 / 8 };

const directory = new URL("./workloads/", import.meta.url);

export const MEASURES = [...workloads(), ...evals(), ...calls(), ...values(), ...tables()];

function workloads() {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".lua"))
    .sort()
    .map((file) => {
      const { source, title, units } = workload(file);
      return {
        id: `compute/${file.replace(".lua", "")}`,
        title,
        unit: "ms",
        count: units,
        per: "sample",
        engines: [...JS_ENGINES, "native"],
        task: { kind: "workload", source, file: new URL(file, directory).pathname },
      };
    });
}

function evals() {
  return [
    { id: "eval/return_1", title: 'eval("return 1")', count: 4000, task: { kind: "eval", source: "return 1" } },
    {
      id: "eval/caught_error",
      title: "eval of a chunk that catches an error",
      count: 2000,
      task: { kind: "eval", source: 'return (select(2, pcall(error, "x")))' },
    },
    {
      id: "eval/statements",
      title: "script of 10,000 simple statements, compiled and run",
      unit: "ms",
      count: 4,
      task: { kind: "eval", source: statements(10_000) },
    },
    {
      id: "eval/loop",
      title: "script of 10,000 simple operations in a loop",
      unit: "ms",
      count: 40,
      task: { kind: "eval", source: loop(10_000) },
    },
  ].map((measure) => ({ ...perOperation, ...measure }));
}

/** Calls from one language into the other. */
function calls() {
  const passed = { numbers: "2 numbers in, 1 out", string: "a short string in", object: "{ x = 1, y = 2 } in" };
  const both = Object.entries(passed).flatMap(([passes, what]) => {
    const suffix = passes === "numbers" ? "" : `_${passes}`;
    const count = passes === "object" ? 4000 : 10_000;
    return [
      { id: `js_to_lua${suffix}`, title: `JS calls a Lua function, ${what}`, count, task: { kind: "call", passes } },
      {
        id: `lua_to_js${suffix}`,
        title: `Lua calls a JS function, ${what}`,
        count,
        task: { kind: "hostCall", passes },
      },
    ];
  });
  return [
    ...both,
    { id: "host_error", title: "a JS function throws, pcall catches it", count: 1000, task: { kind: "hostError" } },
    {
      id: "recursion",
      title: "JS calls Lua calls JS ..., 20 deep and back",
      count: 200,
      task: { kind: "recursion", depth: 20 },
    },
    {
      id: "one_wait",
      title: "evalAsync of a chunk that waits once",
      count: 1000,
      // fengari cannot.
      engines: ["perilune", "base", "wasmoon"],
      task: { kind: "wait" },
    },
  ].map((measure) => ({ ...perOperation, ...measure, id: `cross/call/${measure.id}` }));
}

/** Values copied from one language into the other. */
function values() {
  const tables = [
    ["numbers", "array of 1,000 numbers"],
    ["mixed", "array of 1,000 numbers and strings"],
    ["object", "object of 1,000 keys"],
  ].flatMap(([data, what]) => [
    { id: `${data}_to_lua`, title: `${what} to Lua`, count: 30, task: { kind: "toLua", data } },
    { id: `${data}_to_js`, title: `${what} to JS`, count: 30, task: { kind: "toJs", data } },
  ]);
  return [
    ...tables,
    { id: "echo_1k", title: "string of 1 KB to Lua and back", count: 2000, task: { kind: "echo", bytes: 1024 } },
    { id: "echo_100k", title: "string of 100 KB to Lua and back", count: 40, task: { kind: "echo", bytes: 102_400 } },
  ].map((measure) => ({ ...perOperation, ...measure, id: `cross/value/${measure.id}` }));
}

/** External tables, and the same programs on a plain table for context. */
function tables() {
  const kinds = [
    {
      kind: "ext",
      of: "ext.table",
      engines: ["perilune", "base"],
      prelude: 'function open_table() return ext.table("bench") end',
    },
    { kind: "plain", of: "plain table", engines: [...JS_ENGINES], prelude: "function open_table() return {} end" },
  ];
  const OPERATIONS_PER_UNIT = 20_000;
  return ["set", "get", "iterate"].flatMap((name) =>
    kinds.map(({ kind, of, engines, prelude }) => {
      const { source, units } = workload(`table/${name}.lua`);
      return {
        id: `table/${kind}_${name}`,
        title: `${of}: ${name}, from Lua`,
        unit: "µs",
        count: units,
        per: "operation",
        operationsPerCount: OPERATIONS_PER_UNIT,
        engines,
        task: { kind: "workload", source, prelude },
      };
    }),
  );
}

function workload(file) {
  const source = readFileSync(new URL(file, directory), "utf8");
  const title = /^-- (.*?)(?::|\.?$)/m.exec(source)?.[1];
  const units = Number(/^-- units: (\d+)$/m.exec(source)?.[1]);
  if (!title || !units) throw new Error(`workloads/${file}: its first lines must be "-- title" and "-- units: N"`);
  return { source, title, units };
}

function statements(count) {
  const lines = ["local a, b, t = 1, 2, { x = 0 }"];
  const kinds = ["a = a + b", "t.x = a", "b = (b * 3 + 1) % 101", "t[1] = b", "a = t.x - t[1]"];
  for (let i = 0; i < count; i++) lines.push(kinds[i % kinds.length]);
  lines.push("return a");
  return lines.join("\n");
}

function loop(count) {
  return `local a, t = 1, { x = 0 } for i = 1, ${count} do a = (a * 3 + i) % 10007 t.x = a end return a`;
}
