/**
 * One tab among those that share a database: its member, and its leader while it is the one that leads.
 *
 * Invariants:
 * - Who holds the lock `perilune-capsule/NAME` leads, and nobody else touches the files. It is let go of
 *   after the files are closed, or with the worker.
 * - Who is there holds a lock of its own, so that a leader knows who is gone.
 */
import type { Opened } from "../driver.js";
import { CapsuleError, closedError, errorOf } from "../errors.js";
import type { Message } from "../messages.js";
import { Leader, type LeaderCore } from "./leader.js";
import { Member, type Ending, type MemberListener } from "./member.js";
import type { Envelope, FromLeader, RequestName, Timers, ToLeader } from "./protocol.js";
import { isEnvelope } from "./wire.js";

/** Functions of a `LockManager` that are used. */
export interface Locks {
  request(
    name: string,
    options: { mode?: "exclusive" | "shared"; signal?: AbortSignal },
    granted: () => unknown,
  ): Promise<unknown>;
  query(): Promise<{ held?: readonly { name?: string | undefined }[] | undefined }>;
}

/** Functions of a `BroadcastChannel` that are used. */
export interface Channel {
  postMessage(message: Envelope): void;
  onmessage: ((event: { data: any }) => void) | null;
  close(): void;
}

/** Listener of a core. */
export interface CoreListener {
  message(message: Message): void;
  print(text: string): void;
}

/** A core that can be closed. */
export interface OwnedCore extends LeaderCore {
  close(): Promise<void>;
}

/** Parts that a tab is made of. */
export interface TabParts {
  /** Name of the database. */
  readonly name: string;
  /** Name of this member, nobody else's. */
  readonly id: string;
  readonly locks: Locks;
  readonly channel: Channel;
  readonly timers: Timers;
  readonly now: () => number;
  readonly log: boolean;
  readonly transactionTimeout: number;
  /** Opens the core, whose files are this worker's. */
  readonly openCore: (listener: CoreListener) => Promise<OwnedCore>;
  readonly listener: TabListener;
}

/** Listener of a tab: its page. */
export interface TabListener extends Omit<MemberListener, "attached" | "unanswered"> {
  /** Hears of a database with nothing attached to it: for the first time, or anew. */
  attached(opened: Opened, isLeader: boolean): void;
  /** Hears that it cannot go on: every call fails with this error. */
  failed(error: Error): void;
}

/** Name of the lock of the leader, and of the channel. */
export function lockName(database: string): string {
  return `perilune-capsule/${database}`;
}

/** Name of the lock of a member. */
export function memberLockName(database: string, id: string): string {
  return `${lockName(database)}/client/${id}`;
}

/** A tab. */
export class Tab {
  readonly #parts: TabParts;
  readonly #member: Member;
  readonly #ending = new AbortController();
  #leader: Leader | undefined;
  #core: OwnedCore | undefined;
  /** True while it opens the files. */
  #isOpening = false;
  /** Resolves when the lock may go. */
  #letGo: (() => void) | undefined;
  #letGoOfMember: (() => void) | undefined;
  /** Resolves when it does not lead any more. */
  #led: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(parts: TabParts) {
    this.#parts = parts;
    const { listener, timers, now, log, transactionTimeout } = parts;
    this.#member = new Member({
      post: (to, body) => this.#toLeader(to, body),
      listener: {
        attached: (opened) => listener.attached(opened, this.#leader !== undefined),
        // Without anybody who leads there is nothing to be done; with a frozen one not, either.
        unanswered: (error) => this.#fail(error),
        message: (message) => listener.message(message),
        warning: (text) => listener.warning(text),
        print: (text) => listener.print(text),
        call: (name, args) => listener.call(name, args),
      },
      timers,
      now,
      log,
      transactionTimeout,
    });
  }

  /** Takes part: says hello to the leader, or becomes it. */
  start(): void {
    const { name, id, locks, channel } = this.#parts;
    const own = new Promise<void>((resolve) => (this.#letGoOfMember = resolve));
    // Nobody else asks for it before: its name is new.
    locks
      .request(memberLockName(name, id), {}, () => {
        if (this.#ended) return;
        // Not before: a leader that hears of it waits for its lock.
        channel.onmessage = ({ data }) => isEnvelope(data) && this.#receive(data);
        this.#member.greet();
        this.#stand();
        return own;
      })
      .catch((error: unknown) => this.#fail(errorOf(error)));
  }

  /** Makes a request of the page. */
  request(name: RequestName, args: readonly unknown[], ending: Ending): void {
    this.#member.request(name, args, ending);
  }

  /** Ends taking part. Resolves when the files are closed, if they were this tab's. */
  async close(): Promise<void> {
    if (this.#ended) return await this.#led.then(() => {});
    this.#ended = true;
    this.#member.end(closedError());
    this.#ending.abort();
    try {
      await this.#closeCore();
    } finally {
      this.#letGoOfMember?.();
      this.#parts.channel.close();
    }
  }

  /** Waits for the lock of the leader, and leads. */
  #stand(): void {
    const { name, locks } = this.#parts;
    const { signal } = this.#ending;
    this.#led = locks
      .request(lockName(name), { signal }, () => this.#lead())
      .catch((error: unknown) => {
        if (!this.#ended) this.#fail(errorOf(error));
      });
  }

  async #lead(): Promise<void> {
    if (this.#ended) return;
    this.#isOpening = true;
    const free = new Promise<void>((resolve) => (this.#letGo = resolve));
    try {
      const early: Message[] = [];
      const core = await this.#parts.openCore({
        message: (message) => (this.#leader === undefined ? void early.push(message) : this.#leader.hear(message)),
        print: (text) => (this.#leader === undefined ? this.#parts.listener.print(text) : this.#leader.print(text)),
      });
      this.#core = core;
      // It was closed meanwhile.
      if (this.#ended) return await this.#closeCore();
      const { timers, now, id } = this.#parts;
      const leader = new Leader({ core, post: (to, body) => this.#toMember(to, body), timers, now });
      this.#leader = leader;
      this.#isOpening = false;
      for (const message of early) leader.hear(message);
      this.#broadcast({ from: id, for: "all" });
      this.#member.leads(id);
    } catch (error) {
      this.#fail(errorOf(error));
      return;
    } finally {
      this.#isOpening = false;
    }
    await free;
  }

  async #closeCore(): Promise<void> {
    const core = this.#core;
    this.#core = undefined;
    this.#leader?.end();
    this.#leader = undefined;
    try {
      await core?.close();
    } finally {
      this.#letGo?.();
    }
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#parts.listener.failed(error);
    this.#member.end(error);
    void this.close().catch(() => {});
  }

  #receive(envelope: Envelope): void {
    if (this.#ended) return;
    const { from } = envelope;
    const { id } = this.#parts;
    if (envelope.for === "all") this.#member.leads(from);
    else if (envelope.for === "member") {
      if (envelope.to === id) this.#member.receive(from, envelope.body);
    } else if (envelope.to === undefined || envelope.to === id) this.#asLeader(from, envelope.body);
  }

  #asLeader(from: string, body: ToLeader): void {
    if (this.#leader === undefined) {
      // The others wait for it.
      if (this.#isOpening) this.#toMember(from, { t: "alive" });
      return;
    }
    if (body.t === "hello") {
      const isNew = this.#leader.join(from, body, from === this.#parts.id);
      if (isNew && from !== this.#parts.id) this.#awaitEnd(from);
    } else {
      this.#leader.receive(from, body);
    }
  }

  /** Waits until a member is gone, which its lock tells. */
  #awaitEnd(member: string): void {
    const { name, locks } = this.#parts;
    const prefix = memberLockName(name, "");
    const gone = async () => {
      const { held = [] } = await locks.query();
      const names = held.map(({ name = "" }) => name).filter((name) => name.startsWith(prefix));
      const alive = names.map((name) => name.slice(prefix.length)).filter((id) => id !== member);
      this.#leader?.leave(member, alive);
    };
    locks.request(memberLockName(name, member), { signal: this.#ending.signal }, gone).catch((error: unknown) => {
      if (!this.#ended) this.#leader?.hear({ kind: "error", error: error as CapsuleError });
    });
  }

  #toLeader(to: string | undefined, body: ToLeader): void {
    const { id } = this.#parts;
    if (this.#leader !== undefined) {
      if (to === undefined || to === id) this.#asLeader(id, body);
    }
    // Its own hello, while it opens the files, is said when it leads.
    else if (!this.#isOpening) this.#broadcast({ from: id, for: "leader", to, body });
    else this.#member.receive(id, { t: "alive" });
  }

  #toMember(to: string, body: FromLeader): void {
    const { id } = this.#parts;
    if (to === id) this.#member.receive(id, body);
    else this.#broadcast({ from: id, for: "member", to, body });
  }

  #broadcast(envelope: Envelope): void {
    if (!this.#ended) this.#parts.channel.postMessage(envelope);
  }
}
