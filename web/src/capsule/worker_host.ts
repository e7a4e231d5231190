/**
 * The worker's side of a capsule: it takes part among the tabs for one page, and owns the core while it
 * leads.
 */
import type { HostFunction } from "../host/entries.js";
import type { CallName, Opened } from "./driver.js";
import { CapsuleError, usageError } from "./errors.js";
import { LocalDriver } from "./local_driver.js";
import type { Settings } from "./options.js";
import { Tab, lockName, type Channel, type CoreListener, type Locks, type OwnedCore } from "./tabs/tab.js";
import type { Timers } from "./tabs/protocol.js";
import { errorData, errorFrom } from "./tabs/wire.js";
import type { FromWorker, ToWorker, WorkerSettings } from "./worker_protocol.js";

/** Place to which a worker's messages go, and from which they come. */
export interface Port {
  postMessage(message: FromWorker): void;
  onmessage: ((event: { data: any }) => void) | null;
}

/** Platform of a worker. */
export interface WorkerPlatform {
  readonly locks: Locks | undefined;
  /** Opens a channel to the other tabs. */
  channel(name: string): Channel;
}

const timers: Timers = {
  set: (work, ms) => setTimeout(work, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

interface FunctionCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Serves the page at the other end of a port. */
export function serveCapsule(port: Port, platform: WorkerPlatform): void {
  let tab: Tab | undefined;
  let lastCall = 0;
  const calls = new Map<number, FunctionCall>();
  const post = (message: FromWorker) => port.postMessage(message);
  const taken = (number: number) => {
    const call = calls.get(number);
    calls.delete(number);
    return call;
  };
  const open = (member: string, settings: WorkerSettings) => {
    const { filename: name, log, transactionTimeout } = settings;
    const { locks } = platform;
    if (locks === undefined) throw new CapsuleError("unsupported", "there are no locks here: the page is not secure");
    tab = new Tab({
      name,
      id: member,
      locks,
      channel: platform.channel(lockName(name)),
      timers,
      now: Date.now,
      log,
      transactionTimeout,
      openCore: (listener) => OwnCore.open(settings, listener),
      listener: {
        attached: (opened, isLeader) => post({ t: "attached", opened, isLeader }),
        failed: (error) => post({ t: "ended", error: errorData(error) }),
        message: (message) => post({ t: "message", message }),
        warning: (text) => post({ t: "warning", text }),
        print: (text) => post({ t: "print", text }),
        call: (name, args) =>
          new Promise((resolve, reject) => {
            const call = ++lastCall;
            calls.set(call, { resolve, reject });
            post({ t: "call", call, name, args });
          }),
      },
    });
    tab.start();
  };
  const hear = (message: ToWorker): void => {
    switch (message.t) {
      case "open":
        return open(message.member, message.settings);
      case "request": {
        const { id, name, args } = message;
        if (tab === undefined) throw usageError("the worker was not told to open a database");
        return tab.request(name, args, {
          answered: (value) => post({ t: "answer", id, value }),
          failed: (error) => post({ t: "failed", id, error: errorData(error) }),
        });
      }
      case "returned":
        return taken(message.call)?.resolve(message.value);
      case "threw":
        return taken(message.call)?.reject(errorFrom(message.error));
      case "close":
        void (tab?.close() ?? Promise.resolve()).then(
          () => post({ t: "closed", error: undefined }),
          (error: unknown) => post({ t: "closed", error: errorData(error) }),
        );
    }
  };
  port.onmessage = ({ data }) => {
    try {
      hear(data as ToWorker);
    } catch (error) {
      post({ t: "ended", error: errorData(error) });
    }
  };
  post({ t: "ready" });
}

/** The core of this worker, while it leads. */
export class OwnCore implements OwnedCore {
  readonly #driver: LocalDriver;
  readonly #listener: CoreListener;
  opened!: Opened;

  private constructor(settings: WorkerSettings, listener: CoreListener) {
    const { wasm } = settings;
    const local: Settings = {
      ...settings,
      wasm: wasm as Settings["wasm"],
      schema: undefined,
      fallback: undefined,
      performance: undefined,
      log: undefined,
      worker: undefined,
      stdout: (text) => listener.print(text),
    };
    this.#driver = new LocalDriver(local);
    this.#listener = listener;
  }

  static async open(settings: WorkerSettings, listener: CoreListener): Promise<OwnCore> {
    const core = new OwnCore(settings, listener);
    await core.#open();
    return core;
  }

  async #open(contents?: Uint8Array): Promise<void> {
    this.opened = await this.#driver.open({ message: (message) => this.#listener.message(message) }, contents);
  }

  call(name: CallName, args: readonly unknown[]): unknown {
    const { core } = this.#driver;
    const result = (core[name] as (...args: unknown[]) => unknown).apply(core, [...args]);
    void this.#driver.upkeep().catch(() => {
      // Without room it is as before, and tried again at the next call.
    });
    return result;
  }

  register(name: string, fn: HostFunction): void {
    this.#driver.core.register(name, fn);
  }

  findRequest(client: string): { number: number; answer: Uint8Array } | undefined {
    return this.#driver.core.findRequest(client);
  }

  keepRequest(client: string, number: number, answer: Uint8Array): void {
    this.#driver.core.keepRequest(client, number, answer);
  }

  keepClients(clients: readonly string[]): void {
    this.#driver.core.keepClients(clients);
  }

  async reopen(contents: Uint8Array): Promise<void> {
    this.#driver.core.flush();
    await this.#driver.close();
    try {
      await this.#open(contents);
    } catch (error) {
      await this.#open();
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      this.#driver.core.flush();
    } finally {
      await this.#driver.close();
    }
  }
}
