// One engine with one task in one Node process. Lines of JSON: the task in, { ready } out; then counts in,
// samples out.

import { createInterface } from "node:readline";

import { open } from "./task.mjs";

const reply = (value) =>
  process.stdout.write(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v)) + "\n");

let sample;
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  try {
    if (message.task) {
      sample = await open(message.engine, message.task);
      reply({ ready: true });
    } else {
      const { check, ...taken } = await sample(message.count);
      reply({ ...taken, check: String(check) });
    }
  } catch (error) {
    reply({ error: String(error?.message ?? error) });
  }
}
