// `json.encode` and `json.decode` in the module beside JSON.stringify and JSON.parse of the same process,
// called by Lua with the value or the text: what a page would do that has no JSON in Lua. `node
// bench/json.mjs [ROUNDS] [DIST]`.
//
// The sides take turns, a sample of some milliseconds each; a figure is the median.

import { loadavg } from "node:os";

const rounds = Number(process.argv[2] ?? 100);
const dist = new URL(process.argv[3] ?? "../web/dist/", import.meta.url);
const { Lua } = await import(new URL("node.js", dist).href);

const item = (i) => ({
  sku: `SKU-${String(i * 37).padStart(5, "0")}`,
  name: `Item number ${i}`,
  qty: i + 1,
  price: 9.99 + i * 1.25,
  tags: ["a", "b"],
});
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));
const order = {
  id: "ord_01HZX3",
  type: "order.created",
  created: 1732795200,
  customer: {
    id: 42,
    name: "Ada Lovelace",
    email: "ada@example.com",
    address: { street: "12 St James Sq", city: "London", zip: "SW1Y" },
  },
  items: list(12, item),
  total: 312.75,
  currency: "EUR",
  note: null,
  paid: true,
};
const words = "The quick brown fox jumps over the lazy dog. ";
const documents = {
  "order, 1.3 KB": order,
  "a long string": words.repeat(200),
  "a long string, escapes": words.replaceAll(" ", '\n"').repeat(200),
  "a long string, not ASCII": "Größe: 5 µm, naïve façade, 東京 ".repeat(200),
  "2,000 short strings": list(2000, (i) => `string ${i}`),
  "2,000 integers": list(2000, (i) => i * i * 31 - 500),
  "2,000 prices": list(2000, (i) => i * 1.25 + 9.99),
  "2,000 floats of 17 digits": list(2000, (i) => ((i * 7919) % 10007) / 97),
  "an object of 500 fields": Object.fromEntries(list(500, (i) => [`field_${i}`, i])),
  "100 levels": list(100, (i) => i).reduce((inner, i) => (i % 2 ? { a: inner } : [inner]), 1),
};

const SCRIPT = `
  local json = require "json"
  local text, value
  function keep(given) text, value = given, json.decode(given) end
  function decode(count) for _ = 1, count do json.decode(text) end end
  function encode(count) for _ = 1, count do json.encode(value) end end
  function host_decode(count) for _ = 1, count do parse(text) end end
  function host_encode(count) for _ = 1, count do stringify(value) end end
`;
const SIDES = ["encode", "host_encode", "decode", "host_decode"];
const SAMPLE_MS = 2;

function time(run) {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function medians(runs) {
  const counts = runs.map((run) => {
    let count = 1;
    // Often enough for the compiler of the engine.
    const until = performance.now() + 200;
    while (time(() => run(count)) < SAMPLE_MS || performance.now() < until) {
      if (time(() => run(count)) < SAMPLE_MS) count *= 2;
    }
    return count;
  });
  const samples = runs.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < runs.length; turn++) {
      const at = (round + turn) % runs.length;
      samples[at].push((time(() => runs[at](counts[at])) * 1000) / counts[at]);
    }
  }
  return samples.map((side) => side.sort((a, b) => a - b)[side.length >> 1]);
}

console.log(`Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
console.log("| json, in us | bytes | encode | by the page | ratio | decode | by the page | ratio |");
console.log("|---|--:|--:|--:|--:|--:|--:|--:|");
for (const [name, document] of Object.entries(documents)) {
  const text = JSON.stringify(document);
  const lua = await Lua.create({ memoryLimit: 32 * 1024 * 1024, timeout: Infinity });
  lua.register("parse", (given) => JSON.parse(given));
  lua.register("stringify", (given) => JSON.stringify(given));
  lua.eval(SCRIPT);
  lua.call("keep", text);
  const [encode, stringify, decode, parse] = medians(SIDES.map((side) => (count) => lua.call(side, count)));
  const figures = [encode, stringify, encode / stringify, decode, parse, decode / parse];
  console.log(`| ${name} | ${text.length} | ${figures.map((figure) => figure.toFixed(2)).join(" | ")} |`);
  lua.close();
}
