// A page of the lab: takes questions from the server that sent it, and answers them one by one.

import { ENGINES } from "./engines/index.mjs";
import { open } from "./lib/task.mjs";

const page = new URLSearchParams(location.search).get("page");
let sample;

const QUESTIONS = {
  async open({ engine, task }) {
    sample = await open(engine, task);
    return {};
  },

  async sample({ count }) {
    const { ms, check } = await sample(count);
    return { ms, check: String(check) };
  },

  async cold({ engine }) {
    const start = performance.now();
    const lua = await ENGINES[engine].create();
    lua.eval("return 1 + 1");
    return { ms: performance.now() - start };
  },

  /** Perilune's data: N entries written by one eval, then flushed. */
  async write({ database, entries }) {
    const lua = await ENGINES.perilune.create({ storage: `idb://${database}` });
    const start = performance.now();
    lua.eval(`
      local t = ext.table("bench")
      for i = 1, ${entries} // 2 do
        t[i] = i * 1.5
        t["key" .. i] = "value " .. i
      end
    `);
    const written = performance.now();
    await lua.flush();
    const flushed = performance.now();
    await lua.close();
    return { write: written - start, flush: flushed - written };
  },

  /** And back, in a page that has forgotten all. */
  async read({ database, entries }) {
    const start = performance.now();
    const lua = await ENGINES.perilune.create({ storage: `idb://${database}` });
    const opened = performance.now();
    const count = lua.eval('local n = 0 for _ in pairs(ext.table("bench")) do n = n + 1 end return n');
    const read = performance.now();
    if (count !== entries) throw new Error(`${count} of ${entries} entries came back`);
    await lua.close();
    return { open: opened - start, read: read - opened };
  },

  async reload() {
    setTimeout(() => location.reload());
    return {};
  },
};

for (;;) {
  const question = await (await fetch(`/question?page=${page}`)).json();
  const answer = await QUESTIONS[question.kind](question).catch((error) => ({
    error: String(error?.message ?? error),
  }));
  await fetch(`/answer?page=${page}`, { method: "POST", body: JSON.stringify(answer) });
  if (question.kind === "reload") break;
}
