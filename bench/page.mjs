// Page of the benchmarks: takes questions from the server that sent it, and answers them one by one.

import { ENGINES } from "./engines/index.mjs";
import { STEPS } from "./lib/store-steps.mjs";
import { open } from "./lib/task.mjs";

const page = new URLSearchParams(location.search).get("page");
let sample;

const QUESTIONS = {
  async open({ engine, task }) {
    sample = await open(engine, task);
    return {};
  },

  async sample({ count }) {
    const { check, ...taken } = await sample(count);
    return { ...taken, check: String(check) };
  },

  async cold({ engine }) {
    const start = performance.now();
    const lua = await ENGINES[engine].create();
    lua.eval("return 1 + 1");
    return { ms: performance.now() - start };
  },

  /** Runs a step of a store; the page is reloaded between two. */
  async store({ step, ...how }) {
    return STEPS[step](how);
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
