/**
 * The leader: the one owner of a core, which does what all members ask for.
 *
 * Invariants:
 * - There is one lane for all: what is outside of the transaction of a member waits until it has ended. One
 *   that is open too long, or whose member is gone, is rolled back.
 * - A write of another tab is one transaction with its answer, which is kept under its number: one that was
 *   committed is answered from there, and is never done again.
 * - An answer is sent in the turn in which it is there, so that it never overtakes what was told before it.
 * - Nothing is written past the hooks of mods: they are active before what a member sends again is done.
 * - Nothing in the core is a member's own after that is gone.
 *
 * Not here: who leads (tab.ts), and what members do when a leader ends (member.ts).
 */
import type { HostFunction } from "../../host/entries.js";
import { isThenable } from "../../host/host_calls.js";
import type { CallName, Opened } from "../driver.js";
import { CapsuleError, closedError, usageError } from "../errors.js";
import { lateError } from "../lane.js";
import type { Message } from "../messages.js";
import type { ChangeEvent, Params, Row } from "../types.js";
import { answerBytes, answerFrom } from "./answers.js";
import { changesSince, hasChanged, lastTransaction } from "./catch_up.js";
import {
  LATE_MS,
  effectOf,
  takesBack,
  type FromLeader,
  type Hello,
  type Request,
  type Subscribed,
  type Timers,
  type ToLeader,
} from "./protocol.js";
import { crossing, errorData, errorFrom, messageData } from "./wire.js";

/** Milliseconds that a member has to end its transaction by itself when its time is over. */
const GRACE_MS = 1000;

/** Milliseconds that the tab that has brought another database has to attach itself to it, before others. */
const ATTACHING_MS = 5000;

/** Texts that begin a query; everything else is the name of a table. */
const QUERY = /^\s*(?:select|with|values)\b/i;

/** The core, as a leader uses it. What it tells comes to `Leader.hear`. */
export interface LeaderCore {
  call(name: CallName, args: readonly unknown[]): unknown;
  register(name: string, fn: HostFunction): void;
  findRequest(client: string): { readonly number: number; readonly answer: Uint8Array } | undefined;
  keepRequest(client: string, number: number, answer: Uint8Array): void;
  keepClients(clients: readonly string[]): void;
  /** Puts another database in the place of this one. */
  reopen(contents: Uint8Array): Promise<void>;
  readonly opened: Opened;
}

/** Parts that a leader is made of. */
export interface LeaderParts {
  readonly core: LeaderCore;
  /** Sends to a member. */
  readonly post: (member: string, body: FromLeader) => void;
  readonly timers: Timers;
  readonly now: () => number;
}

/** Facts that a leader knows of a member. */
interface Client {
  readonly name: string;
  /** True for the member of the same worker: it ends when the leader ends. */
  readonly isOwn: boolean;
  log: boolean;
  readonly watchers: Set<string>;
  /** Watchers of its subscriptions, by their ids. */
  readonly subscriptions: Map<string, string>;
  readonly lives: Set<number>;
  readonly heard: Set<string>;
  readonly functions: Set<string>;
  /** Last transaction that was told to it, of each watcher. */
  readonly seen: Map<string, number>;
}

interface Waiting {
  readonly client: Client;
  readonly request: Request;
}

/** A transaction of a member. */
interface Owner {
  readonly client: Client;
  readonly transaction: number;
  readonly timer: unknown;
  /** True if it brings the database to a schema. */
  readonly isUpgrade: boolean;
}

interface SharedWatcher {
  readonly target: string;
  readonly filter: string | undefined;
  readonly holders: Set<Client>;
}

interface OpenCall {
  readonly client: Client;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A leader. */
export class Leader {
  readonly #core: LeaderCore;
  readonly #post: (member: string, body: FromLeader) => void;
  readonly #timers: Timers;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();
  readonly #watchers = new Map<string, SharedWatcher>();
  /** Members that have given a function of a name, the last one at the end. */
  readonly #functions = new Map<string, Client[]>();
  readonly #calls = new Map<number, OpenCall>();
  #lastCall = 0;
  #queue: Waiting[] = [];
  #owner: Owner | undefined;
  /** True while the core is replaced: everything waits. */
  #isReopening = false;
  /** True if the mods of this core are active. */
  #hasMods = false;
  /** Member that has brought this database, as long as the others wait until it has attached itself. */
  #bringer: { client: Client; timer: unknown } | undefined;
  #isPumping = false;
  /** Member whose request runs now. */
  #running: Client | undefined;
  #ended = false;

  constructor({ core, post, timers, now }: LeaderParts) {
    this.#core = core;
    this.#post = post;
    this.#timers = timers;
    this.#now = now;
  }

  /** Names of the members that are known. */
  get members(): string[] {
    return [...this.#clients.keys()];
  }

  /** Takes in a member; says whether it is a new one. */
  join(name: string, { log, number, functions, isAttached }: Hello, isOwn: boolean): boolean {
    const known = this.#clients.get(name);
    const client = known ?? newClient(name, log, isOwn);
    client.log = log;
    this.#clients.set(name, client);
    if (known === undefined && !this.#isReopening) {
      for (const fn of functions) this.#register(client, fn);
      // Its page will attach everything anew; what was under way does not wait for that.
      if (isAttached && !this.#hasMods && this.#bringer === undefined) this.#activateMods();
    }
    this.#post(name, { t: "welcome", opened: this.#core.opened, number });
    return known === undefined;
  }

  /** Takes everything away that was a member's. `alive`: the names of all that are there. */
  leave(name: string, alive: readonly string[]): void {
    const client = this.#clients.get(name);
    if (client === undefined || this.#ended) return;
    this.#clients.delete(name);
    this.#queue = this.#queue.filter((waiting) => waiting.client !== client);
    for (const [number, call] of this.#calls) {
      if (call.client !== client) continue;
      this.#calls.delete(number);
      call.reject(closedError());
    }
    if (this.#owner?.client === client) this.#rollBack();
    if (!this.#isReopening) {
      for (const id of client.subscriptions.keys()) this.#quietly(() => this.#core.call("unsubscribe", [id]));
      for (const id of client.watchers) this.#quietly(() => this.#dropWatcher(client, id));
      for (const number of client.lives) this.#quietly(() => this.#core.call("endLive", [number]));
      for (const heard of client.heard) this.#quietly(() => this.#dropListener(client, heard));
    }
    for (const fn of client.functions) this.#forgetFunction(client, fn);
    if (this.#bringer?.client === client) this.#brought();
    // Who came after the others were counted is a client by now.
    const kept = [...new Set([...alive, ...this.#clients.keys()])];
    this.#whenFree(() => this.#quietly(() => this.#core.keepClients(kept)));
    this.#pump();
  }

  /** Takes a message of a member. */
  receive(name: string, body: ToLeader): void {
    const client = this.#clients.get(name);
    // It will say hello.
    if (client === undefined || this.#ended) return;
    switch (body.t) {
      case "request":
        if (!client.isOwn && this.#now() - body.sent > LATE_MS) return this.#post(name, { t: "late", id: body.id });
        return this.#take(client, body);
      case "cancel":
        this.#queue = this.#queue.filter(({ client: by, request }) => by !== client || request.id !== body.id);
        return;
      case "abandon":
        if (this.#owner?.client === client && this.#owner.transaction === body.transaction) this.#rollBack();
        return;
      case "returned":
        return this.#settled(client, body.call)?.resolve(body.value);
      case "threw":
        return this.#settled(client, body.call)?.reject(errorFrom(body.error));
      case "ping":
        return this.#post(name, { t: "alive" });
      case "hello":
    }
  }

  /** Passes on a message of the core. */
  hear(message: Message): void {
    switch (message.kind) {
      case "events":
        return this.#tellEvents(message.watcher, message.events);
      case "live":
        for (const client of this.#clients.values()) if (client.lives.has(message.number)) this.#tell(client, message);
        return;
      case "dispatched":
        for (const client of this.#clients.values()) if (client.heard.has(message.name)) this.#tell(client, message);
        return;
      case "committed":
        for (const client of this.#clients.values()) {
          if (client.log) this.#tell(client, message);
          else if (message.schema.length > 0) this.#tell(client, { ...message, changes: [] });
        }
        return;
      case "error":
        for (const client of this.#clients.values()) this.#tell(client, message);
    }
  }

  /** Passes on what a script prints: to the member whose request it is a part of, where that is known. */
  print(text: string): void {
    const own = [...this.#clients.values()].find(({ isOwn }) => isOwn);
    const client = this.#running ?? own;
    if (client !== undefined) this.#post(client.name, { t: "print", text });
  }

  /** Ends it: nothing is done any more. */
  end(): void {
    this.#ended = true;
    if (this.#owner !== undefined) this.#timers.clear(this.#owner.timer);
    if (this.#bringer !== undefined) this.#timers.clear(this.#bringer.timer);
    this.#queue = [];
  }

  #take(client: Client, request: Request): void {
    const { transaction } = request;
    if (transaction === undefined) {
      this.#queue.push({ client, request });
      return this.#pump();
    }
    if (this.#owner?.client === client && this.#owner.transaction === transaction) return this.#run(client, request);
    // It has been rolled back: by the clock, or with the leader before.
    if (takesBack(request.name, request.args))
      return this.#post(client.name, { t: "answer", id: request.id, value: true });
    if (request.again && request.name === "commit") {
      this.#queue.push({ client, request: { ...request, transaction: undefined } });
      return this.#pump();
    }
    this.#fail(client, request, lateError(request.timeout ?? 0));
  }

  /** Runs what waits, as long as nobody has a transaction open. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#owner === undefined && !this.#isReopening && !this.#ended) {
        const bringer = this.#bringer?.client;
        const at = bringer === undefined ? 0 : this.#queue.findIndex(({ client }) => client === bringer);
        const [next] = at < 0 ? [] : this.#queue.splice(at, 1);
        if (next === undefined) return;
        this.#run(next.client, next.request);
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #run(client: Client, request: Request): void {
    const before = this.#running;
    this.#running = client;
    try {
      const result = this.#perform(client, request);
      if (!isThenable(result)) return this.#answer(client, request, result);
      Promise.resolve(result).then(
        (value) => this.#answer(client, request, value),
        (error: unknown) => this.#fail(client, request, error),
      );
    } catch (error) {
      this.#fail(client, request, error);
    } finally {
      this.#running = before;
    }
  }

  #answer(client: Client, request: Request, value: unknown): void {
    try {
      // Only scripts return what cannot cross.
      const sent = request.name.startsWith("start") ? crossing(value, "the result") : value;
      this.#post(client.name, { t: "answer", id: request.id, value: sent });
    } catch (error) {
      this.#post(client.name, { t: "failed", id: request.id, error: errorData(error) });
    }
  }

  #fail(client: Client, request: Request, error: unknown): void {
    this.#post(client.name, { t: "failed", id: request.id, error: errorData(error) });
  }

  #perform(client: Client, request: Request): unknown {
    const { name, args } = request;
    switch (name) {
      case "register":
        return this.#register(client, String(args[0]));
      case "reopen":
        return this.#reopen(client, args[0] as Uint8Array);
      case "watch":
        return this.#watch(client, args as [string, string, string | undefined]);
      case "unwatch":
        return this.#unwatch(client, String(args[0]));
      case "subscribe":
        return this.#subscribe(client, request);
      case "unsubscribe":
        client.subscriptions.delete(String(args[0]));
        return this.#core.call(name, args);
      case "live": {
        const begun = this.#core.call(name, args) as { number: number; rows: Row[] };
        client.lives.add(begun.number);
        return begun;
      }
      case "activateMods":
        // The first tab has done that for all.
        if (this.#hasMods) return undefined;
        return this.#brought();
      case "endLive":
        return client.lives.delete(args[0] as number) && this.#core.call(name, args);
      case "listen":
        return this.#listen(client, String(args[0]));
      case "unlisten":
        return this.#dropListener(client, String(args[0]));
      default:
        return this.#call(client, request);
    }
  }

  #call(client: Client, request: Request): unknown {
    const { name, args, transaction } = request as Request & { name: CallName };
    if (transaction === undefined) {
      if (name === "commit") return this.#committed(client, request);
      // The tab of the leader needs no numbers: it ends with it.
      if (request.number !== undefined && (!client.isOwn || request.again))
        return this.#write(client, request, request.number);
    } else if (request.number !== undefined && !client.isOwn) {
      this.#core.keepRequest(client.name, request.number, answerBytes(undefined));
    }
    const result = this.#core.call(name, args);
    const effect = effectOf(name, args, result);
    if (effect === "opens") this.#opened(client, request);
    else if (effect === "ends") this.#over();
    return result;
  }

  /** Does a write once, in a transaction that keeps its answer. */
  #write(client: Client, request: Request, number: number): unknown {
    const { name, args, again } = request as Request & { name: CallName };
    if (again) {
      const found = this.#core.findRequest(client.name);
      if (found?.number === number) return answerFrom(found.answer);
    }
    const depth = this.#core.call("begin", []);
    try {
      const answer = this.#core.call(name, args);
      this.#core.keepRequest(client.name, number, answerBytes(answer));
      this.#core.call("commit", [depth]);
      return answer;
    } catch (error) {
      this.#core.call("rollBack", [0]);
      throw error;
    }
  }

  /** Says whether a commit had its effect whose answer was lost with the leader before. */
  #committed(client: Client, { number }: Request): undefined {
    if (this.#core.findRequest(client.name)?.number !== number) throw lostError();
  }

  #opened(client: Client, { id, name, timeout }: Request): void {
    const timer =
      timeout === undefined || timeout === Infinity
        ? undefined
        : this.#timers.set(() => {
            if (this.#owner?.client !== client || this.#owner.transaction !== id) return;
            this.#rollBack();
            this.#pump();
          }, timeout + GRACE_MS);
    this.#owner = { client, transaction: id, timer, isUpgrade: name === "beginUpgrade" };
  }

  #over(): void {
    if (this.#owner !== undefined) this.#timers.clear(this.#owner.timer);
    this.#owner = undefined;
    // After the answer of what has ended it.
    queueMicrotask(() => this.#pump());
  }

  /** Takes the transaction back that is open. */
  #rollBack(): void {
    const isUpgrade = this.#owner?.isUpgrade === true;
    this.#quietly(() => (isUpgrade ? this.#core.call("cancelUpgrade", []) : this.#core.call("rollBack", [0])));
    this.#over();
  }

  #whenFree(work: () => void): void {
    if (this.#owner === undefined && !this.#isReopening) work();
    // Those that are gone are forgotten with the next one.
  }

  /** Activates the mods; their errors are messages. */
  #activateMods(): void {
    this.#hasMods = true;
    this.#quietly(() => this.#core.call("activateMods", []));
  }

  /** Ends the wait for the member that has brought the database. */
  #brought(): undefined {
    if (this.#bringer !== undefined) this.#timers.clear(this.#bringer.timer);
    this.#bringer = undefined;
    if (!this.#hasMods) this.#activateMods();
    queueMicrotask(() => this.#pump());
  }

  async #reopen(client: Client, contents: Uint8Array): Promise<void> {
    this.#isReopening = true;
    try {
      await this.#core.reopen(contents);
    } finally {
      this.#isReopening = this.#hasMods = false;
      for (const name of this.#functions.keys()) this.#quietly(() => this.#give(name));
      // It may have to bring the schema up to date before mods can work with it.
      const timer = this.#timers.set(() => this.#brought(), ATTACHING_MS);
      this.#bringer = { client, timer };
      if (!this.#clients.has(client.name)) this.#brought();
      this.#watchers.clear();
      for (const client of this.#clients.values()) {
        for (const kept of [client.watchers, client.lives, client.heard]) kept.clear();
        for (const kept of [client.subscriptions, client.seen]) kept.clear();
        this.#post(client.name, { t: "reopened", opened: this.#core.opened });
      }
      queueMicrotask(() => this.#pump());
    }
  }

  // Watchers, of which members that give the same id share one.

  #watch(client: Client, [id, target, filter]: [string, string, string | undefined]): unknown {
    const known = this.#watchers.get(id);
    if (known === undefined) {
      const made = this.#core.call("watch", [id, target, filter]);
      this.#watchers.set(id, { target, filter, holders: new Set([client]) });
      client.watchers.add(id);
      return made;
    }
    if (known.target !== target || known.filter !== filter)
      throw usageError(`another tab has a watcher with the id "${id}", of something else`);
    known.holders.add(client);
    client.watchers.add(id);
    return id;
  }

  #unwatch(client: Client, id: string): unknown {
    const held = client.watchers.has(id);
    for (const [subscription, watcher] of client.subscriptions) {
      if (watcher !== id) continue;
      client.subscriptions.delete(subscription);
      this.#core.call("unsubscribe", [subscription]);
    }
    client.seen.delete(id);
    if (held) return this.#dropWatcher(client, id);
    // That of others stays.
    return !this.#watchers.has(id) && this.#core.call("unwatch", [id]);
  }

  #dropWatcher(client: Client, id: string): unknown {
    client.watchers.delete(id);
    const shared = this.#watchers.get(id);
    shared?.holders.delete(client);
    if (shared === undefined || shared.holders.size > 0) return true;
    this.#watchers.delete(id);
    return this.#core.call("unwatch", [id]);
  }

  /** Subscribes; the answer says what the member has been told of, and nothing that is still to be told. */
  #subscribe(client: Client, { args, since }: Request): Subscribed {
    const watcher = String(args[0]);
    const isFirst = ![...client.subscriptions.values()].includes(watcher);
    const id = this.#core.call("subscribe", args) as string;
    client.subscriptions.set(id, watcher);
    if (isFirst) {
      const told = Math.max(since ?? 0, client.seen.get(watcher) ?? 0);
      if (since !== undefined) this.#catchUp(client, watcher, told);
      client.seen.set(watcher, Math.max(told, lastTransaction(this.#query)));
    }
    return { id, transaction: client.seen.get(watcher) ?? 0 };
  }

  /** Tells a subscriber of what was committed since it has heard last. */
  #catchUp(client: Client, watcher: string, since: number): void {
    const { target = watcher, filter } = this.#watchers.get(watcher) ?? {};
    const isQuery = QUERY.test(target);
    if (!isQuery && filter === undefined) {
      const events = changesSince(this.#query, watcher, target, since, this.#core.opened.device);
      if (events.length > 0) this.#tell(client, { kind: "events", watcher, events });
    } else if (hasChanged(this.#query, since, isQuery ? undefined : target)) {
      const text = `the database has another owner: events of the watcher "${watcher}" may be missing`;
      this.#post(client.name, { t: "warning", text });
    }
  }

  readonly #query = (sql: string, params?: Params): Row[] => this.#core.call("query", [sql, params]) as Row[];

  #tellEvents(watcher: string, events: readonly ChangeEvent[]): void {
    for (const client of this.#clients.values()) {
      if (![...client.subscriptions.values()].includes(watcher)) continue;
      const seen = client.seen.get(watcher) ?? -1;
      const fresh = events.filter(({ transactionId }) => transactionNumber(transactionId) > seen);
      if (fresh.length === 0) continue;
      client.seen.set(watcher, Math.max(seen, ...fresh.map(({ transactionId }) => transactionNumber(transactionId))));
      this.#tell(client, { kind: "events", watcher, events: fresh });
    }
  }

  #tell(client: Client, message: Message): void {
    try {
      this.#post(client.name, { t: "message", message: messageData(message) });
    } catch (error) {
      this.#post(client.name, { t: "message", message: { kind: "error", error: errorData(error) } });
    }
  }

  // Names of the event bus.

  #listen(client: Client, name: string): undefined {
    if (![...this.#clients.values()].some(({ heard }) => heard.has(name))) this.#core.call("listen", [name]);
    client.heard.add(name);
  }

  #dropListener(client: Client, name: string): undefined {
    if (!client.heard.delete(name)) return;
    if (![...this.#clients.values()].some(({ heard }) => heard.has(name))) this.#core.call("unlisten", [name]);
  }

  // Functions of pages.

  #register(client: Client, name: string): undefined {
    const givers = this.#functions.get(name);
    if (givers === undefined) {
      this.#give(name);
      this.#functions.set(name, [client]);
    } else {
      this.#functions.set(name, [...givers.filter((giver) => giver !== client), client]);
    }
    client.functions.add(name);
  }

  /** Gives a function to Lua that calls one of a member. */
  #give(name: string): void {
    this.#core.register(name, (...args: unknown[]) => this.#callFunction(name, args));
  }

  /** Calls a function of the member whose script runs, or else of the last that has given one. */
  #callFunction(name: string, args: readonly unknown[]): Promise<unknown> {
    const givers = this.#functions.get(name) ?? [];
    const client = givers.find((giver) => giver === this.#running) ?? givers.at(-1);
    if (client === undefined)
      return Promise.reject(new CapsuleError("closed", `the tab that gave the function "${name}" is gone`));
    const call = ++this.#lastCall;
    crossing(args, "what the function gets");
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { client, resolve, reject });
      this.#post(client.name, { t: "call", call, name, args });
    });
  }

  #forgetFunction(client: Client, name: string): void {
    const givers = this.#functions.get(name);
    if (givers !== undefined)
      this.#functions.set(
        name,
        givers.filter((giver) => giver !== client),
      );
  }

  #settled(client: Client, number: number): OpenCall | undefined {
    const call = this.#calls.get(number);
    if (call?.client !== client) return undefined;
    this.#calls.delete(number);
    return call;
  }

  /** Tidies up after a member; what fails is told to those that are there. */
  #quietly(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      this.hear({ kind: "error", error: error as CapsuleError });
    }
  }
}

/** Error of what was not committed when the leader ended. */
export function lostError(): CapsuleError {
  return new CapsuleError("locked", "the tab that owned the database has ended: the transaction was rolled back");
}

function newClient(name: string, log: boolean, isOwn: boolean): Client {
  return {
    name,
    isOwn,
    log,
    watchers: new Set(),
    subscriptions: new Map(),
    lives: new Set(),
    heard: new Set(),
    functions: new Set(),
    seen: new Map(),
  };
}

/** Number in the name of a transaction. */
export function transactionNumber(id: string): number {
  return Number(id.slice(id.lastIndexOf("-") + 1));
}
