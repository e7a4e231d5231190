/**
 * The driver of a capsule in a worker, which has files in the browser, shared with other tabs.
 *
 * Invariant: every call ends. A worker that dies lets go of its lock, which this side waits for; an error of
 * its script, or a message that cannot be read, ends it too.
 */
import { addressOf, isArrayBuffer } from "../brands.js";
import type { HostFunction } from "../host/entries.js";
import { isModule } from "../instance/loader.js";
import type { CallArguments, CallName, CallResult, Driver, DriverListener, Opened } from "./driver.js";
import { CapsuleError, closedError, isCapsuleError, usageError } from "./errors.js";
import { LocalDriver, loadCapsule } from "./local_driver.js";
import { MEMORY, type Settings } from "./options.js";
import { bytesOf } from "./sql_codec.js";
import { memberLockName, type Locks } from "./tabs/tab.js";
import type { RequestName } from "./tabs/protocol.js";
import { crossing, errorData, errorFrom, eventsFrom, messageFrom } from "./tabs/wire.js";
import type { FromWorker, ToWorker, WorkerSettings } from "./worker_protocol.js";
import { newId } from "./watchers.js";

/** Functions of a `Worker` that are used. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  terminate(): void;
  onmessage: ((event: any) => void) | null;
  onmessageerror: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
}

interface Pending {
  readonly resolve: (value: any) => void;
  readonly reject: (error: Error) => void;
}

/** Calls whose results have events in them. */
const EVENTS: readonly string[] = ["endPreview"] satisfies CallName[];

/** Says whether a capsule of these settings is in a worker. */
export function wantsWorker({ filename, worker }: Settings): boolean {
  return filename !== MEMORY && (worker !== undefined || typeof globalThis.Worker === "function");
}

/** A driver of a capsule in a worker. */
export class WorkerDriver implements Driver {
  readonly #settings: Settings;
  #worker: WorkerLike | undefined;
  #listener: DriverListener | undefined;
  /** Waits for the first time that there is a database. */
  #opening: (Pending & { resolve: (opened: Opened) => void }) | undefined;
  #closing: { resolve: () => void; reject: (error: Error) => void } | undefined;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #isLeader: boolean | undefined;
  readonly #functions = new Map<string, HostFunction>();
  /** Error of calls, when it has ended. */
  #ended: Error | undefined;
  /** Ends the wait for the worker's lock. */
  #watching: AbortController | undefined;
  /** Driver in memory, where the platform has no files and the program wants that. */
  #fallback: LocalDriver | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async open(listener: DriverListener, contents?: Uint8Array): Promise<Opened> {
    if (this.#fallback !== undefined) return await this.#fallback.open(listener, contents);
    try {
      return await this.#open(listener);
    } catch (error) {
      this.#stop();
      if (!(isCapsuleError(error) && error.kind === "unsupported")) throw error;
      if (this.#settings.fallback !== "memory") throw error;
      this.#listener = listener;
      this.#fallback = new LocalDriver({ ...this.#settings, filename: MEMORY });
      const opened = await this.#fallback.open(listener, contents);
      const warning = `the database "${this.#settings.filename}" is in memory, and ends with this program`;
      return { ...opened, warning: `${error.message}: ${warning}` };
    }
  }

  async #open(listener: DriverListener): Promise<Opened> {
    const settings = await this.#workerSettings();
    this.#ended = undefined;
    this.#listener = listener;
    const worker = this.#start();
    this.#worker = worker;
    const member = newId();
    worker.onmessage = ({ data }) => {
      // What is sent before is lost where the worker still waits for a script.
      if ((data as FromWorker).t === "ready") worker.postMessage({ t: "open", member, settings });
      else this.#hear(data as FromWorker);
    };
    worker.onmessageerror = () => this.#end(new CapsuleError("bug", "a message of the worker cannot be read"));
    worker.onerror = (event: { message?: unknown; preventDefault?: () => void }) => {
      event.preventDefault?.();
      const why = typeof event.message === "string" && event.message !== "" ? event.message : undefined;
      // Without a message it could not be loaded.
      const kind = this.#opening === undefined || why !== undefined ? "bug" : "unsupported";
      this.#end(new CapsuleError(kind, `the worker of the capsule has failed: ${why ?? "it cannot be loaded"}`));
    };
    const opened = new Promise<Opened>((resolve, reject) => (this.#opening = { resolve, reject }));
    const result = await opened;
    this.#watch(member);
    return result;
  }

  async call<N extends CallName>(name: N, ...args: CallArguments<N>): Promise<CallResult<N>> {
    if (this.#fallback !== undefined) return await this.#fallback.call(name, ...args);
    const result = (await this.#request(name, args)) as CallResult<N>;
    return EVENTS.includes(name) ? (eventsFrom(result as any) as unknown as CallResult<N>) : result;
  }

  async register(name: string, fn: HostFunction): Promise<void> {
    if (this.#fallback !== undefined) return await this.#fallback.register(name, fn);
    const before = this.#functions.get(name);
    this.#functions.set(name, fn);
    try {
      await this.#request("register", [name]);
    } catch (error) {
      if (before === undefined) this.#functions.delete(name);
      else this.#functions.set(name, before);
      throw error;
    }
  }

  async attach(): Promise<void> {
    const { functions } = this.#settings;
    if (this.#fallback !== undefined || typeof functions !== "object") return;
    for (const [name, fn] of Object.entries(functions)) await this.register(name, fn);
  }

  async reopen(contents: Uint8Array): Promise<void> {
    if (this.#fallback === undefined) return void (await this.#request("reopen", [contents]));
    const driver = this.#fallback;
    const listener = this.#listener as DriverListener;
    const before = await driver.call("export");
    await driver.close();
    try {
      listener.replaced?.(await driver.open(listener, contents));
    } catch (error) {
      listener.replaced?.(await driver.open(listener, before));
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#fallback !== undefined) return await this.#fallback.close();
    const worker = this.#worker;
    if (worker === undefined) return;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#closing = { resolve, reject };
        worker.postMessage({ t: "close" });
      });
    } finally {
      this.#end(closedError());
    }
  }

  #request(name: RequestName, args: readonly unknown[]): Promise<unknown> {
    const worker = this.#worker;
    if (worker === undefined) return Promise.reject(this.#ended ?? closedError());
    return new Promise((resolve, reject) => {
      crossing(args, `what ${name} gets`);
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      try {
        worker.postMessage({ t: "request", id, name, args });
      } catch (error) {
        this.#pending.delete(id);
        throw usageError(`${name}: ${(error as Error).message}`, { cause: error });
      }
    });
  }

  #hear(message: FromWorker): void {
    const listener = this.#listener as DriverListener;
    switch (message.t) {
      case "attached": {
        const opening = this.#opening;
        this.#opening = undefined;
        if (message.isLeader !== this.#isLeader) listener.leader?.((this.#isLeader = message.isLeader));
        return opening === undefined ? listener.replaced?.(message.opened) : opening.resolve(message.opened);
      }
      case "answer":
        return this.#taken(message.id)?.resolve(message.value);
      case "failed":
        return this.#taken(message.id)?.reject(errorFrom(message.error));
      case "message":
        return listener.message(messageFrom(message.message));
      case "warning":
        return listener.warning?.(message.text);
      case "print":
        return this.#settings.stdout === undefined ? console.log(message.text) : this.#settings.stdout(message.text);
      case "call":
        return void this.#answer(message.call, message.name, message.args);
      case "ended":
        return this.#end(errorFrom(message.error));
      case "closed": {
        const closing = this.#closing;
        this.#closing = undefined;
        return message.error === undefined ? closing?.resolve() : closing?.reject(errorFrom(message.error));
      }
    }
  }

  async #answer(call: number, name: string, args: readonly unknown[]): Promise<void> {
    const worker = this.#worker;
    let answer: ToWorker;
    try {
      const fn = this.#functions.get(name);
      if (fn === undefined) throw new CapsuleError("bug", `this page has given no function "${name}"`);
      answer = { t: "returned", call, value: crossing(await fn(...args), `what the function "${name}" returns`) };
    } catch (error) {
      answer = { t: "threw", call, error: errorData(error) };
    }
    if (this.#worker === worker) worker?.postMessage(answer);
  }

  #taken(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  /** Ends it: calls fail from now on, and those that wait. */
  #end(error: Error): void {
    if (this.#worker === undefined) return;
    this.#stop();
    this.#ended = error;
    for (const pending of [...this.#pending.values()]) pending.reject(error);
    this.#pending.clear();
    const [opening, closing] = [this.#opening, this.#closing];
    this.#opening = this.#closing = undefined;
    opening?.reject(error);
    closing?.resolve();
    if (opening === undefined && closing === undefined) this.#listener?.ended?.(error);
  }

  #stop(): void {
    this.#watching?.abort();
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** Waits for the worker's lock, which it has as long as it lives. */
  #watch(member: string): void {
    const locks = globalThis.navigator?.locks as unknown as Locks | undefined;
    const watching = new AbortController();
    this.#watching = watching;
    const name = memberLockName(this.#settings.filename, member);
    const died = () => {
      if (this.#watching === watching) this.#end(new CapsuleError("closed", "the worker of the capsule has died"));
    };
    locks?.request(name, { signal: watching.signal }, died).catch(() => {
      // It was closed.
    });
  }

  #start(): WorkerLike {
    const { worker } = this.#settings;
    try {
      if (typeof worker === "function") return worker() as WorkerLike;
      if (worker !== undefined) return new Worker(worker, { type: "module" }) as WorkerLike;
      return new Worker(new URL("./capsule_worker.js", import.meta.url), { type: "module" }) as WorkerLike;
    } catch (cause) {
      const why = (cause as Error | undefined)?.message;
      throw new CapsuleError("unsupported", `the worker of the capsule cannot be started: ${why}`, { cause });
    }
  }

  async #workerSettings(): Promise<WorkerSettings> {
    const { schema, fallback, performance, stdout, worker, log, functions, wasm, ...rest } = this.#settings;
    return {
      ...rest,
      functions: typeof functions === "string" ? absolute(functions) : undefined,
      wasm: await sendable(wasm),
      log: log !== undefined,
    };
  }
}

/** A module as it can be sent: what is an address is loaded by the worker. */
async function sendable(wasm: Settings["wasm"]): Promise<WorkerSettings["wasm"]> {
  if (wasm === undefined || isModule(wasm)) return wasm;
  const address = typeof wasm === "string" ? wasm : addressOf(wasm);
  if (address !== undefined) return absolute(address);
  if (isArrayBuffer(wasm) || ArrayBuffer.isView(wasm)) return bytesOf(wasm);
  return await loadCapsule(wasm);
}

function absolute(address: string): string {
  return new URL(address, globalThis.location?.href ?? import.meta.url).href;
}
