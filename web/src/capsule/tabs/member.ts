/**
 * A member: the side of one tab in the talk with the leader, whoever that is.
 *
 * Invariants:
 * - Every request ends once: with its answer, with its error, or with `locked` when the leader gives no sign
 *   of itself. What comes later about it is ignored.
 * - When another tab leads, what had no answer is sent again or fails, by the care that it needs (care.ts).
 *   Writes go one after the other, since the database keeps the answer of the last.
 * - No message is heard but of the leader whose welcome answers the latest hello. The welcome of one that has
 *   ended may arrive after that of the next one, and answers an earlier hello.
 */
import type { CallName, Opened } from "../driver.js";
import { CapsuleError, usageError } from "../errors.js";
import type { LiveStart } from "../live_query.js";
import type { ChangeEvent } from "../types.js";
import { careOf, isBoundary, type Care } from "./care.js";
import { lostError, transactionNumber } from "./leader.js";
import {
  LOOK_MS,
  PATIENCE,
  effectOf,
  takesBack,
  type FromLeader,
  type Request,
  type RequestName,
  type Subscribed,
  type Timers,
  type ToLeader,
} from "./protocol.js";
import { crossing, errorData, errorFrom, type MessageData } from "./wire.js";

/** Calls about a live query, whose first argument is its number. */
const OF_LIVE: ReadonlySet<string> = new Set<CallName>(["endLive", "moveLive", "explainLive"]);

/** Listener of a member: its page. */
export interface MemberListener {
  /** Hears of another leader, or another database: nothing is attached to it yet. */
  attached(opened: Opened): void;
  /** Hears that nobody has answered yet, for a long time. */
  unanswered(error: Error): void;
  message(message: MessageData): void;
  warning(text: string): void;
  print(text: string): void;
  /** Calls a function that the page has given to Lua. */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
}

/** Parts that a member is made of. */
export interface MemberParts {
  /** Sends to a leader; without a name to whoever leads. */
  readonly post: (leader: string | undefined, body: ToLeader) => void;
  readonly listener: MemberListener;
  readonly timers: Timers;
  readonly now: () => number;
  /** True if the page wants to hear of every change. */
  readonly log: boolean;
  /** Milliseconds for which a transaction may be open. */
  readonly transactionTimeout: number;
}

/** Hears the end of a request. */
export interface Ending {
  answered(value: unknown): void;
  failed(error: Error): void;
}

interface Pending {
  readonly id: number;
  readonly name: RequestName;
  readonly args: readonly unknown[];
  readonly care: Care;
  readonly ending: Ending;
  readonly transaction: number | undefined;
  /** Leader to whom it was sent. */
  sentTo: string | undefined;
  again: boolean;
  /** Number under which its answer is kept, from the time on at which it is sent. */
  number: number | undefined;
}

/** Transaction of this member that is open. */
interface OpenTransaction {
  readonly id: number;
  /** True if the leader that had it is gone. */
  isLost: boolean;
}

/** A member. */
export class Member {
  readonly #post: (leader: string | undefined, body: ToLeader) => void;
  readonly #listener: MemberListener;
  readonly #timers: Timers;
  readonly #now: () => number;
  readonly #log: boolean;
  readonly #transactionTimeout: number;
  #lastId = 0;
  #lastNumber = 0;
  #lastHello = 0;
  /** Number of the hello that its leader's welcome answers. */
  #answeredHello = 0;
  /** Leader that has welcomed it. */
  #leader: string | undefined;
  readonly #pending = new Map<number, Pending>();
  #transaction: OpenTransaction | undefined;
  /** Looks without a sign of the leader. */
  #silence = 0;
  #timer: unknown;
  /** Error of requests, when it has ended. */
  #ended: Error | undefined;
  /** Numbers of live queries: that of the leader for each of the page's, and back. */
  readonly #lives = new Map<number, number>();
  readonly #livesOfLeader = new Map<number, number>();
  #lastLive = 0;
  /** Names of the functions that the page has given. */
  readonly #functions = new Set<string>();
  /** True if everything of the page was attached once. */
  #wasAttached = false;
  /** Watchers of subscriptions, and the last transaction that was heard of each. */
  readonly #subscriptions = new Map<string, string>();
  readonly #heard = new Map<string, number>();

  constructor({ post, listener, timers, now, log, transactionTimeout }: MemberParts) {
    this.#post = post;
    this.#listener = listener;
    this.#timers = timers;
    this.#now = now;
    this.#log = log;
    this.#transactionTimeout = transactionTimeout;
  }

  /** Says hello to whoever leads, and waits for a welcome. */
  greet(): void {
    if (this.#ended !== undefined) return;
    const number = ++this.#lastHello;
    const [functions, isAttached] = [[...this.#functions], this.#wasAttached];
    this.#post(undefined, { t: "hello", log: this.#log, number, functions, isAttached });
    this.#watch();
  }

  /** Makes a request; its end is told once, in the turn in which it is known. */
  request(name: RequestName, args: readonly unknown[], ending: Ending): void {
    try {
      if (this.#ended !== undefined) throw this.#ended;
      this.#begin(name, args, ending);
    } catch (error) {
      ending.failed(error as Error);
    }
  }

  #begin(name: RequestName, args: readonly unknown[], ending: Ending): void {
    const open = this.#transaction;
    if (open?.isLost === true) {
      if (!takesBack(name, args)) throw lostError();
      this.#transaction = undefined;
      ending.answered(true);
      return this.#sendWaiting();
    }
    const isCall = name !== "register" && name !== "reopen";
    if (isCall && open === undefined && isBoundary(name, args))
      throw usageError("the database is shared with other tabs: use transaction() in place of BEGIN and SAVEPOINT");
    const care = isCall ? careOf(name, args) : name === "register" ? "again" : "once";
    const id = ++this.#lastId;
    const pending: Pending = {
      id,
      name,
      args,
      care,
      ending,
      transaction: open?.id,
      sentTo: undefined,
      again: false,
      number: undefined,
    };
    this.#pending.set(id, pending);
    this.#send(pending);
    this.#watch();
  }

  /** Takes a message of a tab that leads. */
  receive(from: string, body: FromLeader): void {
    if (this.#ended !== undefined) return;
    if (body.t === "welcome") return this.#welcomed(from, body.opened, body.number);
    // Also of one that still opens the files.
    if (body.t === "alive") this.#silence = 0;
    if (from !== this.#leader) return;
    this.#silence = 0;
    switch (body.t) {
      case "answer": {
        const pending = this.#pending.get(body.id);
        return pending && this.#answered(pending, body.value);
      }
      case "failed": {
        const pending = this.#pending.get(body.id);
        if (pending !== undefined) this.#fail(pending, errorFrom(body.error));
        return this.#sendWaiting();
      }
      case "late": {
        const pending = this.#pending.get(body.id);
        if (pending === undefined) return;
        pending.sentTo = undefined;
        return this.#send(pending);
      }
      case "message":
        return this.#message(body.message);
      case "warning":
        return this.#listener.warning(body.text);
      case "print":
        return this.#listener.print(body.text);
      case "call":
        return void this.#call(from, body.call, body.name, body.args);
      case "reopened":
        this.#forget();
        this.#heard.clear();
        return this.#listener.attached(body.opened);
      case "alive":
    }
  }

  /** Hears that a tab leads from now on. */
  leads(from: string): void {
    if (from !== this.#leader) this.greet();
  }

  /** Ends it: every request fails with this error. */
  end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#timers.clear(this.#timer);
    for (const pending of [...this.#pending.values()]) this.#fail(pending, error);
  }

  #welcomed(from: string, opened: Opened, hello: number): void {
    if (hello <= this.#answeredHello) return;
    this.#answeredHello = hello;
    this.#silence = 0;
    if (from === this.#leader) return;
    this.#leader = from;
    this.#forget();
    const open = this.#transaction;
    if (open !== undefined) open.isLost = true;
    this.#listener.attached(opened);
    for (const pending of [...this.#pending.values()]) {
      if (pending.sentTo === undefined) this.#send(pending);
      else this.#sendAgain(pending);
    }
  }

  #sendAgain(pending: Pending): void {
    const { name, args, care, transaction } = pending;
    pending.again = true;
    if (transaction !== undefined) {
      pending.sentTo = undefined;
      if (name === "commit" && args[0] === 1) return this.#send(pending);
      if (takesBack(name, args)) return this.#answered(pending, true);
      return this.#fail(pending, lostError());
    }
    if (care === "once") return this.#fail(pending, unknownError());
    // It may have to wait for another one.
    pending.sentTo = undefined;
    this.#send(pending);
  }

  #send(pending: Pending): void {
    const leader = this.#leader;
    if (leader === undefined || this.#mustWait(pending)) return;
    const { id, name, args, care, again, transaction } = pending;
    pending.sentTo = leader;
    if (transaction === undefined ? care === "write" : name === "commit" && args[0] === 1)
      pending.number ??= ++this.#lastNumber;
    const since = name === "subscribe" ? this.#heard.get(String(args[0])) : undefined;
    const live = OF_LIVE.has(name) ? this.#lives.get(args[0] as number) : undefined;
    if (name === "endLive" && live === undefined) return this.#answered(pending, false);
    const request: Request = {
      t: "request",
      id,
      number: pending.number,
      name,
      args: live === undefined ? args : [live, ...args.slice(1)],
      care,
      sent: this.#now(),
      again,
      transaction,
      timeout: name === "begin" || name === "beginPreview" ? this.#transactionTimeout : undefined,
      since,
    };
    try {
      this.#post(leader, request);
    } catch (error) {
      this.#fail(pending, usageError(`what was given cannot be sent: ${(error as Error).message}`, { cause: error }));
    }
  }

  /** True if a write of a lower number has no answer yet: the database keeps that of the last one. */
  #mustWait({ id, care, transaction }: Pending): boolean {
    if (transaction !== undefined || !isNumbered(care)) return false;
    // The commit will have a higher number.
    if (this.#transaction !== undefined) return true;
    for (const other of this.#pending.values())
      if (other.id < id && other.transaction === undefined && isNumbered(other.care)) return true;
    return false;
  }

  /** Sends what has waited for the end of a write. */
  #sendWaiting(): void {
    for (const pending of [...this.#pending.values()])
      if (pending.sentTo === undefined && this.#pending.has(pending.id)) this.#send(pending);
  }

  #answered(pending: Pending, value: unknown): void {
    this.#pending.delete(pending.id);
    this.#ends(pending, value);
    this.#sendWaiting();
  }

  #ends(pending: Pending, value: unknown): void {
    const { id, name, args, ending } = pending;
    switch (effectOf(name, args, value)) {
      case "opens":
        this.#transaction = { id, isLost: false };
        break;
      case "ends":
        this.#transaction = undefined;
    }
    switch (name) {
      case "register":
        this.#functions.add(String(args[0]));
        break;
      case "activateMods":
        this.#wasAttached = true;
        break;
      case "live":
        return ending.answered(this.#livesBegun(value as LiveStart));
      case "endLive":
        this.#lives.delete(args[0] as number);
        break;
      case "subscribe": {
        const { id: subscription, transaction } = value as Subscribed;
        const watcher = String(args[0]);
        this.#subscriptions.set(subscription, watcher);
        this.#heard.set(watcher, Math.max(this.#heard.get(watcher) ?? 0, transaction));
        return ending.answered(subscription);
      }
      case "unsubscribe":
        this.#unsubscribed(String(args[0]));
        break;
      case "unwatch":
        for (const [subscription, watcher] of this.#subscriptions)
          if (watcher === args[0]) this.#unsubscribed(subscription);
        break;
    }
    ending.answered(value);
  }

  #livesBegun(begun: LiveStart): LiveStart {
    const { number: ofLeader } = begun;
    const number = ++this.#lastLive;
    this.#lives.set(number, ofLeader);
    this.#livesOfLeader.set(ofLeader, number);
    return { ...begun, number };
  }

  #unsubscribed(subscription: string): void {
    const watcher = this.#subscriptions.get(subscription);
    if (watcher === undefined) return;
    this.#subscriptions.delete(subscription);
    // One that is subscribed to anew later has missed nothing that it wanted.
    if (![...this.#subscriptions.values()].includes(watcher)) this.#heard.delete(watcher);
  }

  #message(message: MessageData): void {
    switch (message.kind) {
      case "live": {
        const number = this.#livesOfLeader.get(message.number);
        return number === undefined ? undefined : this.#listener.message({ ...message, number });
      }
      case "events": {
        const last = (events: readonly ChangeEvent[]) =>
          Math.max(0, ...events.map(({ transactionId }) => transactionNumber(transactionId)));
        this.#heard.set(message.watcher, Math.max(this.#heard.get(message.watcher) ?? 0, last(message.events)));
      }
    }
    this.#listener.message(message);
  }

  async #call(leader: string, call: number, name: string, args: readonly unknown[]): Promise<void> {
    let body: ToLeader;
    try {
      body = {
        t: "returned",
        call,
        value: crossing(await this.#listener.call(name, args), "what the function returns"),
      };
    } catch (error) {
      body = { t: "threw", call, error: errorData(error) };
    }
    if (this.#ended === undefined) this.#post(leader, body);
  }

  /** Forgets what belongs to a core that is gone. The page will attach it again. */
  #forget(): void {
    this.#lives.clear();
    this.#livesOfLeader.clear();
    this.#subscriptions.clear();
  }

  #fail(pending: Pending, error: Error): void {
    this.#pending.delete(pending.id);
    pending.ending.failed(error);
  }

  /** Looks for a sign of the leader as long as something waits for it. */
  #watch(): void {
    if (this.#timer !== undefined || this.#ended !== undefined) return;
    this.#timer = this.#timers.set(() => {
      this.#timer = undefined;
      if (this.#ended !== undefined || (this.#pending.size === 0 && this.#leader !== undefined)) return;
      this.#silence += 1;
      if (this.#silence >= PATIENCE) this.#giveUp();
      if (this.#leader === undefined) this.greet();
      else this.#post(undefined, { t: "ping" });
      this.#watch();
    }, LOOK_MS);
  }

  /** Ends everything that waits for a leader that gives no sign of itself. */
  #giveUp(): void {
    this.#silence = 0;
    const error = new CapsuleError("locked", "the tab that owns the database does not answer");
    if (this.#transaction !== undefined && !this.#transaction.isLost) {
      this.#transaction.isLost = true;
      this.#post(this.#leader, { t: "abandon", transaction: this.#transaction.id });
    }
    if (this.#leader === undefined) this.#listener.unanswered(error);
    const given = [...this.#pending.values()];
    // It is abandoned, so it will be taken back: that is what was asked for.
    const back = given.find(({ name, args, transaction }) => transaction !== undefined && takesBack(name, args));
    for (const pending of given) {
      if (pending === back) continue;
      if (pending.sentTo !== undefined) this.#post(pending.sentTo, { t: "cancel", id: pending.id });
      if (pending.sentTo !== undefined && pending.care === "open")
        this.#post(pending.sentTo, { t: "abandon", transaction: pending.id });
      this.#fail(pending, error);
    }
    if (back !== undefined) this.#answered(back, true);
  }
}

/** True if calls of this care go one after the other. */
function isNumbered(care: Care): boolean {
  return care === "write" || care === "open";
}

/** Error of a script whose end nobody knows. */
function unknownError(): CapsuleError {
  const what = "the tab that owned the database has ended while this ran";
  return new CapsuleError("closed", `${what}: what it had committed is kept, and nothing else`);
}
