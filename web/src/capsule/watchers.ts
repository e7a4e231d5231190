/** Watchers and subscriptions as their users hold them. */
import type { ChangeEvent, ChangeListener, SubscribeOptions, Subscription, Watcher, WatcherPlan } from "./types.js";

/** Texts that begin a query; everything else is the name of a table. */
const QUERY = /^\s*(?:select|with|values)\b/i;

/** Makes an identifier of its own. */
export function newId(): string {
  return globalThis.crypto.randomUUID();
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

  constructor(id: string, target: string, filter: string | undefined, ready: Promise<void>, hasBegun: () => boolean) {
    this.id = id;
    this.tableOrQuery = target;
    if (filter !== undefined) this.filterExpression = filter;
    this.ready = ready;
    Object.defineProperty(this, "hasBegun", { value: hasBegun });
    // Who does not wait for it hears of its failure as of others that nobody waits for.
    this.ready.catch(() => {});
  }

  explain(): WatcherPlan {
    if (QUERY.test(this.tableOrQuery)) {
      const why =
        "the query runs again when a table that it reads, or the schema, has changed, and its rows are compared";
      return { target: "query", method: "rerun", why };
    }
    return this.filterExpression === undefined
      ? { target: "table", method: "changes", why: "every change of the table is an event" }
      : { target: "table", method: "filter", why: "SQLite judges the filter on the row before and after the change" };
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
