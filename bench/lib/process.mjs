// Subjects that are processes: a Node worker, or the native harness. Both answer one line to each line.
// A store has a process for each step, so that nothing is remembered but what was stored.

import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SAMPLE_TIMEOUT_MS = 300_000;
const WORKER = fileURLToPath(new URL("./worker.mjs", import.meta.url));
const STORE_CHILD = fileURLToPath(new URL("./store-child.mjs", import.meta.url));
/**
 * Directory of the stores: not the system's for temporary files, which may be in memory, where fsync costs
 * nothing.
 */
const PLACES = fileURLToPath(new URL("../../target/bench/", import.meta.url));

/** Starts a fresh Node process with `engine` in it, ready for `task`. */
export async function openNode(engine, task) {
  const conversation = converse(process.execPath, [WORKER]);
  return ready(conversation, conversation.ask(JSON.stringify({ engine, task })), (count) => JSON.stringify({ count }));
}

/** Starts a fresh process of the native harness with the task's file loaded. */
export async function openNative(harness, task) {
  const conversation = converse(harness, [task.file]);
  return ready(conversation, conversation.answer(), String);
}

/** Opens a directory for a store, for lib/persistence.mjs. */
export async function openPlace() {
  mkdirSync(PLACES, { recursive: true });
  const directory = mkdtempSync(join(PLACES, "place-"));
  const step = async (name, how) => {
    const question = JSON.stringify({ step: name, ...how });
    const { stdout } = await promisify(execFile)(process.execPath, [STORE_CHILD, question], {
      timeout: SAMPLE_TIMEOUT_MS,
    });
    const answer = JSON.parse(stdout);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  return {
    place: join(directory, "bench"),
    step,
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Returns the subject once it has answered; a process that refuses its task is ended. */
async function ready(conversation, firstAnswer, question) {
  try {
    await firstAnswer;
  } catch (error) {
    await conversation.close();
    throw error;
  }
  return { sample: (count) => conversation.ask(question(count)), close: conversation.close };
}

function converse(program, args) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise((resolve) => child.on("close", resolve));
  // A child that died is noticed by its missing answer, not by the pipe.
  child.stdin.on("error", () => {});

  const answer = async () => {
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${SAMPLE_TIMEOUT_MS / 1000} s`)), SAMPLE_TIMEOUT_MS);
    });
    try {
      const { value, done } = await Promise.race([lines.next(), timeout]);
      if (done) throw new Error("the process ended");
      const reply = JSON.parse(value);
      if (reply.error !== undefined) throw new Error(reply.error);
      return reply;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    answer,
    ask(line) {
      child.stdin.write(line + "\n");
      return answer();
    },
    async close() {
      child.kill();
      await ended;
    },
  };
}
