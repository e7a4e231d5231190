// Page of the benchmarks in a browser: takes questions from the server that sent it, and answers them one by
// one.

import { takeTurns } from "../turns.mjs";
import { PAGE_MEASURES } from "./measures.mjs";

const page = new URLSearchParams(location.search).get("page");
// Statements that take long are said to the console; here they are many.
console.warn = () => {};

for (;;) {
  const { id, rounds, warmups } = await (await fetch(`/question?page=${page}`)).json();
  const measure = PAGE_MEASURES.find((known) => known.id === id);
  const answer = await takeTurns(measure, rounds, warmups).then(
    (samples) => ({ samples }),
    (error) => ({ error: String(error?.message ?? error) }),
  );
  await fetch(`/answer?page=${page}`, { method: "POST", body: JSON.stringify(answer) });
}
