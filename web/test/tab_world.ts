/**
 * Tabs that share a database, in one process: locks, channels, timers and files that a test turns by hand. A
 * tab can be killed or frozen between any two messages; what was sent is lost with it, in part.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { FakeFolder } from "./fake_opfs.ts";
import { Random } from "./random.ts";
import { OpfsFiles } from "../src/capsule/files_opfs.ts";
import { setFiles } from "../src/capsule/places.ts";
import { Tab, type Channel, type Locks, type TabListener } from "../src/capsule/tabs/tab.ts";
import type { Envelope, RequestName, Timers } from "../src/capsule/tabs/protocol.ts";
import { OwnCore } from "../src/capsule/worker_host.ts";
import type { WorkerSettings } from "../src/capsule/worker_protocol.ts";
import { wasm } from "./capsules.ts";
import { settled } from "./time.ts";

interface Request {
  readonly owner: FakeTab;
  readonly name: string;
  readonly grant: () => void;
}

interface Timer {
  /** The tab; undefined for one of a core, which goes on while its tab is frozen. */
  readonly owner: FakeTab | undefined;
  readonly at: number;
  readonly work: () => void;
}

/** Time at which each world begins. */
const START_MS = 1_800_000_000_000;

export class World {
  readonly folder = new FakeFolder();
  readonly random: Random;
  readonly tabs = new Set<FakeTab>();
  now = START_MS;
  /** Tabs that have the files open. */
  owners = 0;
  #lastId = 0;
  readonly held = new Map<string, FakeTab>();
  waiting: Request[] = [];
  timers: Timer[] = [];
  /** Messages on their way, from one tab to another, in their order. */
  readonly channels = new Map<string, { to: FakeTab; messages: Envelope[] }>();
  /** Cores that are being opened, which takes the platform's own time. */
  opening = 0;
  /** Everything that has happened, one act after the other. */
  readonly story: string[] = [];

  constructor(seed: number, t: TestContext) {
    this.random = new Random(seed);
    this.#surround(seed, t);
    setFiles(async () => {
      const files = await this.#whenFree(() => OpfsFiles.open(this.folder, { reserveBytes: 0 }));
      return { kind: "opfs", files, path: "database", release: async () => files.dispose() };
    });
  }

  /** Gives the cores a clock, timers and an entropy of this world, so that a seed repeats its run. */
  #surround(seed: number, t: TestContext): void {
    const entropy = new Random(~seed);
    const fill = <T extends ArrayBufferView>(array: T): T => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      bytes.set(entropy.bytes(bytes.length));
      return array;
    };
    t.mock.method(globalThis.crypto, "getRandomValues", fill as never);
    t.mock.method(Date, "now", () => this.now);
    const set = (work: () => void, ms = 0) => {
      const timer = { owner: undefined, at: this.now + Math.max(1, ms), work };
      this.timers.push(timer);
      return timer;
    };
    t.mock.method(globalThis, "setTimeout", set as never);
    const clear = (timer: unknown) => void (this.timers = this.timers.filter((other) => other !== timer));
    t.mock.method(globalThis, "clearTimeout", clear as never);
  }

  /** A tab that was killed while it opened the files has their handles for a moment. */
  async #whenFree<T>(open: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await open();
      } catch (error) {
        if ((error as Error).name !== "NoModificationAllowedError") throw error;
        await settled();
      }
    }
  }

  open(listener: Partial<TabListener> = {}): FakeTab {
    const tab = new FakeTab(this, `tab-${++this.#lastId}`, listener);
    this.tabs.add(tab);
    tab.tab.start();
    return tab;
  }

  /** Kills a tab: its locks and handles are free, and a part of what it has sent is lost. */
  kill(tab: FakeTab): void {
    this.tabs.delete(tab);
    tab.isDead = true;
    if (tab.hasFiles) {
      tab.hasFiles = false;
      this.owners -= 1;
      this.folder.die();
    }
    this.timers = this.timers.filter(({ owner }) => owner !== tab);
    this.waiting = this.waiting.filter(({ owner }) => owner !== tab);
    for (const [name, holder] of this.held) if (holder === tab) this.held.delete(name);
    for (const [key, { to, messages }] of this.channels) {
      if (to === tab) this.channels.delete(key);
      // What was sent last may never have left.
      else if (key.startsWith(`${tab.id}>`)) messages.length = this.random.below(messages.length + 1);
    }
  }

  /** Does one thing that can happen; false if nothing can. `timers`: time may go by. */
  async step(timers = true): Promise<boolean> {
    const acts: (() => void)[] = [];
    for (const [key, channel] of this.channels) {
      const { to, messages } = channel;
      if (messages.length === 0) this.channels.delete(key);
      else if (!to.isFrozen) {
        acts.push(() => {
          const message = messages.shift();
          this.#note(key, message);
          to.onmessage?.({ data: structuredClone(message) });
        });
      }
    }
    for (const request of this.waiting) {
      if (this.held.has(request.name) || this.waiting.find(({ name }) => name === request.name) !== request) continue;
      acts.push(() => {
        this.waiting = this.waiting.filter((other) => other !== request);
        this.held.set(request.name, request.owner);
        this.#note(`${request.owner.id} holds ${request.name}`);
        request.grant();
      });
    }
    const [first] = this.timers.filter(({ owner }) => owner?.isFrozen !== true).sort((a, b) => a.at - b.at);
    if (first !== undefined && timers && (acts.length === 0 || this.random.below(8) === 0)) {
      acts.length = 0;
      acts.push(() => {
        this.timers = this.timers.filter((timer) => timer !== first);
        this.now = Math.max(this.now, first.at);
        this.#note(`timer of ${first.owner?.id ?? "a core"} at ${this.now}`);
        first.work();
      });
    }
    const act = acts[this.random.below(acts.length || 1)];
    act?.();
    await this.settled();
    return act !== undefined;
  }

  /** Resolves when nothing happens any more by itself. */
  async settled(): Promise<void> {
    do await settled();
    while (this.opening > 0);
  }

  #note(what: string, message?: Envelope): void {
    const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
    this.story.push(`${what} ${JSON.stringify(message, plain)}`);
  }
}

export class FakeTab implements Channel {
  readonly tab: Tab;
  isDead = false;
  isFrozen = false;
  hasFiles = false;
  failure: Error | undefined;
  attachments = 0;
  onmessage: ((event: { data: any }) => void) | null = null;
  readonly #world: World;
  readonly id: string;

  constructor(world: World, id: string, listener: Partial<TabListener>) {
    this.#world = world;
    this.id = id;
    this.tab = new Tab({
      name: "shared",
      id,
      locks: this.#locks(),
      channel: this,
      timers: this.#timers(),
      now: () => world.now,
      log: false,
      transactionTimeout: 5000,
      openCore: async (core) => {
        assert.equal(world.owners, 0, "nobody else has the files");
        world.opening += 1;
        const opened = await OwnCore.open(settings, {
          message: (message) => this.isDead || core.message(message),
          print: () => {},
        }).finally(() => (world.opening -= 1));
        if (this.isDead) {
          await opened.close();
          throw new Error("it is dead");
        }
        world.owners += 1;
        this.hasFiles = true;
        const { close } = opened;
        opened.close = async () => {
          await close.call(opened);
          if (this.hasFiles) world.owners -= 1;
          this.hasFiles = false;
        };
        return opened;
      },
      listener: {
        attached: (opened, isLeader) => {
          this.attachments += 1;
          listener.attached?.(opened, isLeader);
        },
        failed: (error) => (this.failure = error),
        message: (message) => listener.message?.(message),
        warning: (text) => listener.warning?.(text),
        print: () => {},
        call: (name, args) => listener.call?.(name, args) ?? Promise.reject(new Error("no function")),
      },
    });
  }

  request(name: RequestName, ...args: unknown[]): Promise<any> {
    return new Promise((answered, failed) => this.tab.request(name, args, { answered, failed }));
  }

  postMessage(message: Envelope): void {
    if (this.isDead) return;
    const data = structuredClone(message);
    for (const to of this.#world.tabs) {
      if (to === this) continue;
      const key = `${this.id}>${to.id}`;
      const channel = this.#world.channels.get(key) ?? { to, messages: [] };
      this.#world.channels.set(key, channel);
      channel.messages.push(data);
    }
  }

  close(): void {
    this.onmessage = null;
    this.#world.tabs.delete(this);
  }

  #timers(): Timers {
    const world = this.#world;
    return {
      set: (work, ms) => {
        const timer = { owner: this, at: world.now + ms, work };
        if (!this.isDead) world.timers.push(timer);
        return timer;
      },
      clear: (timer) => void (world.timers = world.timers.filter((other) => other !== timer)),
    };
  }

  #locks(): Locks {
    const world = this.#world;
    return {
      request: (name, { signal }, granted) =>
        new Promise((resolve, reject) => {
          const grant = async () => {
            try {
              resolve(await granted());
            } catch (error) {
              reject(error);
            } finally {
              if (world.held.get(name) === this) world.held.delete(name);
            }
          };
          const request = { owner: this, name, grant: () => void grant() };
          world.waiting.push(request);
          signal?.addEventListener("abort", () => {
            if (!world.waiting.includes(request)) return;
            world.waiting = world.waiting.filter((other) => other !== request);
            reject(signal.reason);
          });
        }),
      query: async () => ({ held: [...world.held.keys()].map((name) => ({ name })) }),
    };
  }
}

const settings: WorkerSettings = {
  filename: "shared",
  strict: false,
  enabled: true,
  batchInterval: 0,
  batchSize: 5,
  maxMemory: 64 * 1024 * 1024,
  maxExecutionTime: 30_000,
  fuel: undefined,
  transactionTimeout: 5000,
  functions: undefined,
  wasm,
  log: false,
};
