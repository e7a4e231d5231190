/** Watchers and subscriptions as their users hold them. */
import type { ChangeEvent, ChangeListener, Explanation, SubscribeOptions, Subscription, Watcher } from "./types.js";

/** Makes an identifier of its own. */
export function newId(): string {
  return globalThis.crypto.randomUUID();
}

/** Calls that a watcher makes. */
export interface WatcherCalls {
  hasBegun(): boolean;
  explain(): Promise<Explanation>;
}

/** A watcher. */
export class WatcherEntry implements Watcher {
  readonly id: string;
  readonly tableOrQuery: string;
  declare readonly filterExpression?: string;
  readonly subscriptions: Set<string> = new Set();
  readonly createdAt: Date = new Date();
  readonly ready: Promise<void>;

  /** Says whether the module has it. Not shown: it is none of the public properties. */
  declare readonly hasBegun: () => boolean;
  declare readonly explain: () => Promise<Explanation>;

  constructor(
    id: string,
    target: string,
    filter: string | undefined,
    ready: Promise<void>,
    { hasBegun, explain }: WatcherCalls,
  ) {
    this.id = id;
    this.tableOrQuery = target;
    if (filter !== undefined) this.filterExpression = filter;
    this.ready = ready;
    Object.defineProperties(this, { hasBegun: { value: hasBegun }, explain: { value: explain } });
    // Who does not wait for it hears of its failure as of others that nobody waits for.
    this.ready.catch(() => {});
  }
}

/** A subscription, and what is told to it. */
export interface SubscriptionEntry {
  readonly subscription: Subscription;
  readonly listener: ChangeListener;
  readonly type: "react" | "custom";
  /** Id in the module, while it is there. */
  inModule: string | undefined;
}

/** Makes a subscription, which ends by `end`. */
export function makeSubscription(
  watcherId: string,
  listener: ChangeListener,
  { listenerId, listenerType = "custom", filter }: SubscribeOptions,
  end: () => void,
): SubscriptionEntry {
  const id = newId();
  const members = {
    id,
    watcherId,
    listenerId: listenerId ?? id,
    ...(filter !== undefined && { filter }),
    handler: (event: ChangeEvent) => listener([event]),
  };
  const properties = Object.entries(members).map(([name, value]) => [name, { value, enumerable: true }]);
  const subscription = Object.defineProperties(() => end(), Object.fromEntries(properties)) as Subscription;
  return { subscription, listener, type: listenerType, inModule: undefined };
}
