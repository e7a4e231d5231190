/**
 * Attachments of a program to a capsule: watchers, subscriptions, live queries, listeners, functions. It
 * hears the messages of the core, and passes them on.
 *
 * Invariants:
 * - All of it is known here, so that it can be made anew in a core that takes the place of another (`steps`).
 * - What a listener throws harms nobody else. An error that no call waits for is told once: to the listeners
 *   of "error", or else on the console.
 */
import type { HostFunction } from "../host/entries.js";
import { isThenable } from "../host/host_calls.js";
import type { CallArguments, CallName, CallResult } from "./driver.js";
import { Emitter, attempt } from "./emitter.js";
import { errorOf, isCapsuleError, usageError } from "./errors.js";
import { Live } from "./live_query.js";
import type { CommittedMessage, Message } from "./messages.js";
import type { PerformanceMonitor } from "./monitor.js";
import { checkListener, readLiveOptions, readSubscribeOptions, readWatchOptions } from "./options.js";
import { described } from "./sql_codec.js";
import type {
  CapsuleEvents,
  ChangeEvent,
  ChangeListener,
  EventBus,
  LiveOptions,
  Params,
  Patch,
  SubscribeOptions,
  Subscription,
  WatchOptions,
  Watcher,
} from "./types.js";
import { WatcherEntry, makeSubscription, newId, type SubscriptionEntry } from "./watchers.js";

/** A result that is there, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Way to the core: promises where it is far away or others come first; else it is called at once, and throws.
 */
export interface Link {
  /** Runs work in its turn. */
  run<T>(work: () => MaybePromise<T>): MaybePromise<T>;
  /** Makes a call, within work. */
  call<N extends CallName>(name: N, ...args: CallArguments<N>): MaybePromise<CallResult<N>>;
  /** Gives a function to Lua, within work. */
  register(name: string, fn: HostFunction): MaybePromise<void>;
}

/** Options of attachments. */
export interface AttachmentsOptions {
  readonly link: Link;
  readonly monitor: PerformanceMonitor;
  /** False if the program has switched events off. */
  readonly enabled: boolean;
  readonly log: ((line: string) => void) | undefined;
}

const EVENTS: readonly string[] = [
  "error",
  "schema",
  "slow-query",
  "leader",
  "warning",
] satisfies (keyof CapsuleEvents)[];

/** Beginning of names of the event bus that are channels of watchers. */
const CHANNEL = "watcher:";

/** Everything that is attached to one capsule. */
export class Attachments {
  /** Error of calls, when the capsule has ended. */
  ended: Error | undefined;
  readonly bus: EventBus;
  readonly #link: Link;
  readonly #monitor: PerformanceMonitor;
  readonly #enabled: boolean;
  readonly #log: ((line: string) => void) | undefined;
  readonly #events: Emitter = new Emitter((error) => this.report(error));
  readonly #channels: Emitter = new Emitter((error) => this.report(error));
  /** Names of the bus that the module tells of. */
  readonly #heard = new Set<string>();
  readonly #functions = new Map<string, HostFunction>();
  readonly #watchers = new Map<string, WatcherEntry>();
  readonly #subscriptions = new Map<string, SubscriptionEntry>();
  readonly #lives = new Set<Live>();
  /** Updates of live queries whose numbers are not known yet. */
  #early: { number: number; seq: number; patches: Patch[] }[] = [];
  /** Number of live queries that begin now. */
  #beginning = 0;
  #isReporting = false;

  constructor({ link, monitor, enabled, log }: AttachmentsOptions) {
    this.#link = link;
    this.#monitor = monitor;
    this.#enabled = enabled;
    this.#log = log;
    this.bus = this.#makeBus();
  }

  /**
   * Steps that make all of it in a core that is new. Each may fail: the database may lack what it needs.
   * What has not begun yet will do so by itself, in its turn.
   */
  *steps(): Generator<() => MaybePromise<unknown>> {
    for (const { id, tableOrQuery, filterExpression, hasBegun } of [...this.#watchers.values()])
      if (hasBegun()) yield () => this.#link.call("watch", id, tableOrQuery, filterExpression);
    for (const entry of [...this.#subscriptions.values()])
      if (entry.inModule !== undefined) yield () => this.#subscribe(entry);
    for (const name of [...this.#heard]) yield () => this.#link.call("listen", name);
    for (const live of [...this.#lives]) if (live.number !== undefined) yield () => this.#beginLive(live);
  }

  /** Functions that were given to Lua, by their names. */
  get functions(): ReadonlyMap<string, HostFunction> {
    return this.#functions;
  }

  /** Gives a function to Lua. */
  register(name: string, fn: HostFunction): MaybePromise<void> {
    const registered = this.#link.run(() => this.#link.register(name, fn));
    return after(registered, () => void this.#functions.set(name, fn));
  }

  watch(target: string, filter: string | undefined, options: WatchOptions): Watcher {
    this.#check("watch");
    const { id = newId() } = readWatchOptions(options);
    if (typeof target !== "string")
      throw usageError(`watch takes the name of a table, or a query, not ${described(target)}`);
    if (filter !== undefined && typeof filter !== "string")
      throw usageError(`watch takes a filter as a string, not ${described(filter)}`);
    if (this.#watchers.has(id)) throw usageError(`there is a watcher with the id "${id}" already`);
    let hasBegun = false;
    const begun = this.#link.run(() =>
      after(this.#link.call("watch", id, target, filter), () => {
        hasBegun = true;
      }),
    );
    const failed = (error: unknown): never => {
      this.#watchers.delete(id);
      this.report(error);
      throw error;
    };
    const ready = Promise.resolve(begun).catch(failed);
    const explain = async () => {
      await ready;
      return await this.#link.run(() => this.#link.call("explain", id));
    };
    const watcher = new WatcherEntry(id, target, filter, ready, { hasBegun: () => hasBegun, explain });
    this.#watchers.set(id, watcher);
    return watcher;
  }

  unwatch(watcher: Watcher | string): MaybePromise<boolean> {
    const id = idOf(watcher, "unwatch", "watch");
    this.#watchers.delete(id);
    for (const { subscription } of [...this.#subscriptions.values()])
      if (subscription.watcherId === id) this.#subscriptions.delete(subscription.id);
    return this.#link.run(() => this.#link.call("unwatch", id));
  }

  subscribe(watcher: Watcher | string, listener: ChangeListener, options: SubscribeOptions): Subscription {
    this.#check("subscribe");
    const id = idOf(watcher, "subscribe", "watch");
    checkListener("subscribe", listener);
    const entry = makeSubscription(id, listener, readSubscribeOptions(options), () =>
      this.unsubscribe(entry.subscription),
    );
    const { subscription } = entry;
    this.#subscriptions.set(subscription.id, entry);
    this.#watchers.get(id)?.subscriptions.add(subscription.id);
    const failed = (error: unknown) => {
      // That of its watcher has been told.
      const isTold = typeof watcher !== "string" && !this.#watchers.has(id);
      this.#forget(subscription);
      if (!isTold) this.report(error);
    };
    try {
      const begun = this.#link.run(() => this.#subscribe(entry));
      if (isThenable(begun)) begun.then(() => {}, failed);
    } catch (error) {
      this.#forget(subscription);
      throw error;
    }
    return subscription;
  }

  unsubscribe(given: Subscription | string): boolean {
    const entry = this.#subscriptions.get(idOf(given, "unsubscribe", "subscribe"));
    if (entry === undefined) return false;
    this.#forget(entry.subscription);
    this.#later(() => (entry.inModule === undefined ? undefined : this.#link.call("unsubscribe", entry.inModule)));
    return true;
  }

  live(sql: string, params: Params | undefined, given: LiveOptions): Live {
    this.#check("live");
    const live = new Live(sql, params, readLiveOptions(given), {
      close: () => {
        this.#lives.delete(live);
        this.#later(() => (live.number === undefined ? undefined : this.#link.call("endLive", live.number)));
      },
      failed: (error) => this.report(error),
      move: (_, limit, offset) => this.#ofLive(live, (number) => this.#link.call("moveLive", number, limit, offset)),
      explain: () => this.#ofLive(live, (number) => this.#link.call("explainLive", number)),
    });
    // Before it begins: nothing that comes then may be missed.
    this.#lives.add(live);
    try {
      const begun = this.#link.run(() => this.#beginLive(live));
      live.follow(
        Promise.resolve(begun).catch((error: unknown) => {
          this.#lives.delete(live);
          this.report(error);
          throw error;
        }),
      );
    } catch (error) {
      this.#lives.delete(live);
      throw error;
    }
    return live;
  }

  on<E extends keyof CapsuleEvents>(event: E, listener: (detail: CapsuleEvents[E]) => void): () => void {
    if (!EVENTS.includes(event))
      throw usageError(`there is no event "${String(event)}"; there are ${EVENTS.join(", ")}`);
    checkListener("on", listener);
    return this.#events.on(event, listener);
  }

  /** Passes on a message of the core. */
  hear(message: Message): void {
    switch (message.kind) {
      case "events":
        return this.#tellEvents(message.watcher, message.events);
      case "live":
        return this.#tellLive(message);
      case "dispatched":
        return this.#channels.emit(message.name, message.payload);
      case "committed":
        return this.#tellCommit(message);
      case "error":
        return this.report(message.error);
    }
  }

  /** Tells an error that no call waits for. */
  report(thrown: unknown): void {
    const error = errorOf(thrown);
    // A listener of errors that throws is not told of that.
    if (this.#isReporting || !this.#events.has("error")) return console.error(error);
    this.#isReporting = true;
    try {
      this.#events.emit("error", error);
    } finally {
      this.#isReporting = false;
    }
  }

  /** Tells of a statement that took long. */
  slow(sql: string, ms: number, message: string): void {
    if (this.#events.has("slow-query")) this.#events.emit("slow-query", { sql, ms });
    else console.warn(message);
  }

  /** Tells of something that works less well than was asked for. */
  warn(message: string): void {
    if (this.#events.has("warning")) this.#events.emit("warning", { message });
    else console.warn(message);
  }

  /** Tells whether this tab owns the files. */
  leads(isLeader: boolean): void {
    this.#events.emit("leader", { isLeader });
  }

  /** True if somebody hears of errors. */
  get tellsErrors(): boolean {
    return this.#events.has("error");
  }

  #subscribe(entry: SubscriptionEntry): MaybePromise<void> {
    const { subscription, type } = entry;
    // It was ended before it began.
    if (!this.#subscriptions.has(subscription.id)) return;
    const { watcherId, listenerId, filter } = subscription;
    const subscribed = this.#link.call("subscribe", watcherId, listenerId, type, filter && String(filter));
    return after(subscribed, (id) => void (entry.inModule = id));
  }

  #forget({ id, watcherId }: Subscription): void {
    this.#subscriptions.delete(id);
    this.#watchers.get(watcherId)?.subscriptions.delete(id);
  }

  /** Makes a call about a live query that has begun. */
  async #ofLive<T>(live: Live, call: (number: number) => MaybePromise<T>): Promise<T> {
    await live.ready;
    return await this.#link.run(() => {
      if (live.closed || live.number === undefined) throw usageError("the live query is closed");
      return call(live.number);
    });
  }

  #beginLive(live: Live): MaybePromise<void> {
    if (live.closed) return;
    this.#beginning += 1;
    const over = () => {
      this.#beginning -= 1;
      if (this.#beginning === 0) this.#early = [];
    };
    const begin = (start: CallResult<"live">) => {
      const { number } = start;
      live.begin(start);
      for (const update of this.#early) if (update.number === number) live.update(update.seq, update.patches);
      over();
    };
    try {
      const begun = this.#link.call("live", live.sql, live.params, live.options);
      if (!isThenable(begun)) return begin(begun);
      return begun.then(begin, (error: unknown) => {
        over();
        throw error;
      });
    } catch (error) {
      over();
      throw error;
    }
  }

  #makeBus(): EventBus {
    const check = (call: string, name: unknown) => {
      if (typeof name !== "string") throw usageError(`${call} takes the name of an event, not ${described(name)}`);
    };
    const on = (name: string, listener: (payload: any) => unknown) => {
      check("on", name);
      checkListener("on", listener);
      if (this.ended !== undefined) throw this.ended;
      const remove = this.#channels.on(name, listener);
      try {
        this.#follow(name);
      } catch (error) {
        remove();
        throw error;
      }
      return () => {
        remove();
        this.#follow(name);
      };
    };
    return {
      on,
      once: (name, listener) => {
        checkListener("once", listener);
        const remove = on(name, (payload): unknown => {
          remove();
          return listener(payload);
        });
        return remove;
      },
      off: (name, listener) => {
        check("off", name);
        this.#channels.off(name, listener);
        this.#follow(name);
      },
      emit: async (name, payload) => {
        check("emit", name);
        await this.#link.run(() => this.#link.call("dispatch", name, payload));
      },
    };
  }

  /** Lets the module tell of a name if somebody listens to it, and else no more. */
  #follow(name: string): void {
    const wanted = this.#channels.has(name);
    if (name.startsWith(CHANNEL)) return this.#followWatcher(name.slice(CHANNEL.length), wanted);
    if (wanted === this.#heard.has(name)) return;
    if (wanted) this.#heard.add(name);
    else this.#heard.delete(name);
    this.#later(() => this.#link.call(wanted ? "listen" : "unlisten", name));
  }

  /** Subscribes to a watcher for the listeners of its channel. */
  #followWatcher(id: string, wanted: boolean): void {
    const channel = CHANNEL + id;
    const known = [...this.#subscriptions.values()].find(
      ({ subscription: { watcherId, listenerId } }) => watcherId === id && listenerId === channel,
    );
    if (wanted && known === undefined)
      this.subscribe(id, (events) => this.#channels.emit(channel, events), { listenerId: channel });
    else if (!wanted && known !== undefined) this.unsubscribe(known.subscription);
  }

  #tellEvents(watcher: string, events: ChangeEvent[]): void {
    const failed = (error: unknown) => this.report(error);
    attempt(() => this.#monitor.trackEventEmission(watcher, events.length), failed);
    for (const { subscription, listener } of [...this.#subscriptions.values()]) {
      // One of those before may have ended it.
      if (subscription.watcherId !== watcher || !this.#subscriptions.has(subscription.id)) continue;
      attempt(() => {
        const { filter } = subscription;
        const wanted = filter === undefined ? [...events] : events.filter((event) => filter(event));
        return wanted.length > 0 ? listener(wanted) : undefined;
      }, failed);
    }
  }

  #tellLive({ number, seq, patches }: Extract<Message, { kind: "live" }>): void {
    for (const live of this.#lives) if (live.number === number) return live.update(seq, patches);
    if (this.#beginning > 0) this.#early.push({ number, seq, patches });
  }

  #tellCommit({ changes, schema }: CommittedMessage): void {
    const log = this.#log;
    if (log !== undefined) {
      for (const { operation, table } of changes)
        attempt(
          () => log(`[Capsule] ${operation} on ${table}`),
          (error) => this.report(error),
        );
    }
    if (schema.length > 0) this.#events.emit("schema", { changes: schema });
  }

  /** Runs work that nobody waits for. */
  #later(work: () => MaybePromise<unknown>): void {
    // After the end there is nothing to be undone.
    if (this.ended !== undefined) return;
    const failed = (error: unknown) => {
      if (!(isCapsuleError(error) && error.kind === "closed")) this.report(error);
    };
    attempt(() => this.#link.run(work), failed);
  }

  #check(call: string): void {
    if (!this.#enabled) throw usageError(`${call}: events are off, by the option capsule: { enabled: false }`);
    if (this.ended !== undefined) throw this.ended;
  }
}

/** Uses a result when it is there. */
export function after<T, U>(result: MaybePromise<T>, use: (result: T) => U): MaybePromise<U> {
  return isThenable(result) ? (result as Promise<T>).then(use) : use(result as T);
}

function idOf(given: Watcher | Subscription | string, call: string, maker: string): string {
  const id: unknown = typeof given === "string" ? given : (given as { id?: unknown } | null | undefined)?.id;
  if (typeof id === "string") return id;
  throw usageError(`${call} takes what ${maker} has returned, or its id, not ${described(given)}`);
}
