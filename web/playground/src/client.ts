/** Client of the worker: commands as promises, and a worker that can be ended at any time. */
import type { Commands, CommandsOf, Failure, FromWorker, Notice } from "./protocol.ts";

/** Error that the worker answered a command with. */
export class CommandError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Error of a command whose worker was ended before it answered. */
export class Stopped extends Error {}

interface Waiting {
  resolve: (reply: never) => void;
  reject: (error: Error) => void;
}

export class Client<C extends CommandsOf<C>, N extends { event: string }> {
  readonly #script: string;
  readonly #onNotice: (notice: N) => void;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #lastId = 0;

  /** `script`: name of the worker's script, beside the page. */
  constructor(script: string, onNotice: (notice: N) => void) {
    this.#script = script;
    this.#onNotice = onNotice;
    this.#worker = this.#start();
  }

  call<K extends keyof C>(command: K, args: C[K]["args"]): Promise<C[K]["reply"]> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, command, args });
    });
  }

  /** Ends the worker, whatever it is doing, and starts a fresh one, with no VM yet. */
  restart(): void {
    this.#worker.terminate();
    this.#rejectAll(new Stopped("the worker was stopped"));
    this.#worker = this.#start();
  }

  #start(): Worker {
    const worker = new Worker(new URL(this.#script, import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<FromWorker<N>>) => {
      // What an ended worker had sent before its end must not reach the screen.
      if (worker === this.#worker) this.#receive(data);
    };
    worker.onerror = (event) => this.#rejectAll(new Error(event.message || "the worker could not be loaded"));
    return worker;
  }

  #receive(message: FromWorker<N>): void {
    if ("event" in message) return this.#onNotice(message);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting?.reject(new CommandError(message.failure));
    else waiting?.resolve(message.reply as never);
  }

  #rejectAll(error: Error): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

/** The client of the VM that runs the programs of the list. */
export type VmClient = Client<Commands, Notice>;

/** Describes any error as the page shows it. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommandError) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  const unknown = { code: undefined, line: undefined, traceback: undefined, value: undefined };
  return { name: "Error", kind: "page", message, ...unknown };
}
