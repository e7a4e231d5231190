/**
 * The class `GlyphCase`: one database with its scripts, as a program holds it. It returns at once, and calls
 * wait until it is open.
 *
 * Not here: where the core runs (driver.ts), the order of calls (lane.ts), and what is attached to it
 * (attachments.ts).
 */
import type { LuaValue } from "../codec/values.js";
import type { HostFunction } from "../host/entries.js";
import { checkFunction } from "../host/functions.js";
import { checkDottedName } from "../names.js";
import { Attachments, type Link } from "./attachments.js";
import { Calls, type Session, type Transaction, type TransactionFunction } from "./calls.js";
import type { Driver, Opened } from "./driver.js";
import { closedError, errorOf, isCapsuleError, usageError } from "./errors.js";
import { Scope } from "./lane.js";
import { LocalDriver } from "./local_driver.js";
import { PerformanceMonitor } from "./monitor.js";
import { readCapsuleOptions, readMod, type CapsuleOptions, type Settings } from "./options.js";
import { hasFiles } from "./places.js";
import { Defaults, prepareSchema, type PreparedSchema } from "./schema.js";
import { bytesOf, described } from "./sql_codec.js";
import type {
  CapsuleEvents,
  CapsuleStats,
  ChangeEvent,
  ChangeListener,
  ColumnDef,
  Durability,
  EventBus,
  LiveOptions,
  LiveQuery,
  ModDefinition,
  ModInfo,
  Row,
  SchemaDefinition,
  SqlInput,
  SubscribeOptions,
  Subscription,
  UndoResult,
  WatchOptions,
  Watcher,
} from "./types.js";
import { WorkerDriver, wantsWorker } from "./worker_driver.js";

/** Options of `new GlyphCase`. */
export interface GlyphCaseOptions extends CapsuleOptions<Transaction> {}

/** Functions of a mod. */
export interface Mod {
  readonly name: string;
  /** Calls a function of the mod; resolves to its first result. */
  call(fn: string, ...args: unknown[]): Promise<LuaValue>;
}

/** A capsule: a SQLite database and a Lua that belong together. */
export class GlyphCase extends Calls {
  /** Measures how long statements take, and how many events watchers tell. */
  readonly performance: PerformanceMonitor;
  readonly #settings: Settings;
  readonly #schema: PreparedSchema | undefined;
  readonly #driver: Driver;
  readonly #root: Scope;
  readonly #attachments: Attachments;
  #opened: Opened | undefined;
  /** True while things are attached to a core. */
  #isAttaching = false;
  /** True if that core was replaced meanwhile. */
  #isReplaced = false;
  /** Resolves when everything is attached to the core that is there. */
  #attached: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  readonly #ready: Promise<void>;
  /** True if somebody has asked when it is ready, and so hears that it never will be. */
  #isAwaited = false;

  constructor(
    filename: string | GlyphCaseOptions,
    options?: Omit<GlyphCaseOptions, "filename"> & { filename?: string },
  ) {
    const settings = readCapsuleOptions("GlyphCase", filename, options);
    const schema = settings.schema && prepareSchema(settings.schema);
    const { enabled, log, transactionTimeout } = settings;
    const isAway = !hasFiles() && wantsWorker(settings);
    const driver: Driver = isAway ? new WorkerDriver(settings) : new LocalDriver(settings);
    const root = new Scope();
    const monitor = new PerformanceMonitor((sql, ms, message) => attachments.slow(sql, ms, message));
    Object.assign(monitor, settings.performance);
    const link: Link = {
      run: (work) => this.run(work),
      call: (name, ...args) => driver.call(name, ...args),
      register: (name, fn) => driver.register(name, fn),
    };
    const attachments = new Attachments({ link, monitor, enabled, log });
    super({ driver, monitor, defaults: new Defaults(), transactionTimeout } satisfies Session, root);
    this.#settings = settings;
    this.#schema = schema;
    this.#driver = driver;
    this.#root = root;
    this.#attachments = attachments;
    this.performance = monitor;
    this.#ready = root.run(() => this.#open());
    this.#ready.catch((error: unknown) => {
      root.ended ??= attachments.ended ??= errorOf(error);
      // Every call fails in the same way; without one nobody would know.
      const isHeard = this.#isAwaited || root.calls > 1;
      if (!isHeard || attachments.tellsErrors) attachments.report(error);
    });
  }

  /**
   * Resolves when it is open: the schema is applied, and mods are active. Calls wait for it by themselves.
   */
  get ready(): Promise<void> {
    this.#isAwaited = true;
    return this.#ready;
  }

  // Transactions, and what was done.

  /**
   * Runs a function as a transaction that is taken back at its end; resolves to the changes that it would
   * make.
   */
  async preview(work: TransactionFunction<unknown>): Promise<ChangeEvent[]> {
    return await this.previewed(work);
  }

  /** Undoes a transaction, by the id that its events have: if nothing has changed its rows since. */
  async undo(transactionId: string): Promise<UndoResult> {
    return await this.send("undo", transactionId);
  }

  // Schema.

  /** Makes a table, or adds the columns that it lacks; with `enableCapsule` it gets a watcher of its name. */
  async createTable(name: string, columns: ColumnDef[], enableCapsule: boolean = false): Promise<string[]> {
    const table = { name, columns, ...(enableCapsule && { capsule: { watch: true as const } }) };
    return await this.#applied(prepareSchema({ tables: [table] }));
  }

  /**
   * Brings the database to a schema: runs its migrations, adds what is missing; resolves to what was done.
   */
  async migrate(schema: SchemaDefinition<Transaction>): Promise<string[]> {
    return await this.#applied(prepareSchema(schema));
  }

  /** Checks that there is such a table. Its changes are seen without triggers, so none are made. */
  async recreateTriggersForTable(table: string): Promise<void> {
    await this.send("checkTable", table);
  }

  // Watchers.

  /**
   * Watches a table, or the rows of a query (SELECT, WITH or VALUES). With a filter it tells of rows that
   * enter or leave the condition, or change within it. What is wrong is told by `ready` of the watcher, and
   * as "error".
   */
  watch(tableOrQuery: string, filter?: string, options: WatchOptions = {}): Watcher {
    return this.#attachments.watch(tableOrQuery, filter, options);
  }

  /** Ends a watcher, with its subscriptions; resolves to false if there was none. */
  async unwatch(watcher: Watcher | string): Promise<boolean> {
    return await this.#attachments.unwatch(watcher);
  }

  /** Adds a listener to a watcher, which gets its events in batches. */
  subscribe(watcher: Watcher | string, listener: ChangeListener, options: SubscribeOptions = {}): Subscription {
    return this.#attachments.subscribe(watcher, listener, options);
  }

  /** Ends a subscription; false if it had ended. */
  unsubscribe(subscription: Subscription | string): boolean {
    return this.#attachments.unsubscribe(subscription);
  }

  /** Keeps the rows of a query as they are in the database. */
  live<T extends object = Row>(sql: string, params?: readonly SqlInput[], options: LiveOptions = {}): LiveQuery<T> {
    return this.#attachments.live(sql, params, options) as unknown as LiveQuery<T>;
  }

  /** Returns the bus of events. */
  getEventBus(): EventBus {
    return this.#attachments.bus;
  }

  /** Adds a listener of what happens beside calls; returns a function that removes it. */
  on<E extends keyof CapsuleEvents>(event: E, listener: (detail: CapsuleEvents[E]) => void): () => void {
    return this.#attachments.on(event, listener);
  }

  // Scripts and mods.

  /** Gives a function to Lua, as a global and as `host.NAME`; a script may wait for what it promises. */
  async registerLuaFunction(name: string, fn: HostFunction): Promise<void> {
    try {
      checkDottedName(name);
      checkFunction(fn);
    } catch (error) {
      throw usageError(`registerLuaFunction: ${(error as Error).message}`, { cause: error });
    }
    await this.#attachments.register(name, fn);
  }

  /** Installs a mod, or another version of it, and activates it. */
  async installMod(mod: ModDefinition): Promise<void> {
    await this.send("installMod", readMod(mod));
  }

  /** Activates a mod that is installed. */
  async activateMod(name: string): Promise<void> {
    await this.send("activateMod", name);
  }

  /** Deactivates a mod: its hooks, timers and watchers end. */
  async deactivateMod(name: string): Promise<void> {
    await this.send("deactivateMod", name);
  }

  /** Deactivates a mod and forgets it. Tables that it has made stay. */
  async uninstallMod(name: string): Promise<void> {
    await this.send("uninstallMod", name);
  }

  /** Returns the mods that are installed. */
  async mods(): Promise<ModInfo[]> {
    return await this.send("mods");
  }

  /** Returns the functions of a mod. */
  mod(name: string): Mod {
    if (typeof name !== "string") throw usageError(`mod takes the name of a mod, not ${described(name)}`);
    return {
      name,
      call: async (fn, ...args) => {
        if (typeof fn !== "string") throw usageError(`call takes the name of a function, not ${described(fn)}`);
        return await this.startScript("startCallMod", name, fn, args);
      },
    };
  }

  // Upkeep.

  /** Removes from the log what is old and what nobody waits for; resolves to the number of changes. */
  async sweep(): Promise<number> {
    return await this.send("sweep");
  }

  /** Delivers all events that wait for their batch. */
  async flush(): Promise<void> {
    await this.send("flush");
  }

  /** Returns the whole database, a file that any SQLite opens. */
  async export(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.send("export");
  }

  /**
   * Puts a database, as bytes, in the place of this one. Watchers, live queries and functions go on with it.
   * If it cannot be used, everything is as before.
   */
  async import(database: Uint8Array | ArrayBuffer): Promise<void> {
    const bytes = bytesOf(database);
    if (bytes === undefined) throw usageError(`import takes the bytes of a database, not ${described(database)}`);
    if (this.#root.ambient !== undefined) throw usageError("import cannot be a part of a transaction");
    // Its own: what is in them later does not count.
    const contents = bytes.slice();
    await this.#root.run(() => this.#reopen(contents)).finally(() => this.#attached);
  }

  /** Says how well what was committed is kept. */
  async durability(): Promise<Durability> {
    const { journal, synchronous } = await this.send("settings");
    const { kind = "memory" } = this.#opened ?? {};
    const storage = kind === "opfs" ? globalThis.navigator?.storage : undefined;
    const [persisted, { usage, quota } = {}] = await Promise.all([storage?.persisted?.(), storage?.estimate?.()]);
    const survives = kind === "memory" ? "nothing" : this.#settings.strict ? "power-cut" : "crash";
    return { files: kind, journal, synchronous, survives, persisted, usage, quota };
  }

  /**
   * Asks the browser to keep the files also when room gets scarce; resolves to whether it will. True where
   * nobody clears files by himself.
   */
  async persist(): Promise<boolean> {
    await this.#ready;
    const kind = this.#opened?.kind;
    return kind === "file" || (kind === "opfs" && (await globalThis.navigator.storage.persist()));
  }

  /** Returns figures of the database, of watchers and of memory. */
  async stats(): Promise<CapsuleStats> {
    return await this.send("stats");
  }

  /** Delivers what waits, and closes the database. Calls that come later fail. */
  async close(): Promise<void> {
    if (this.#root.ambient !== undefined) throw usageError("close cannot be called from within a transaction");
    // Who closes while it is closing waits for the same end; one that fails can be tried again.
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    await this.#closing;
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  static {
    // The class's own name, which the minifier has taken.
    Object.defineProperty(this, "name", { value: "GlyphCase", configurable: true });
    // Also where the platform is older than the symbol.
    const symbol: symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
    Object.defineProperty(this.prototype, symbol, {
      value(this: GlyphCase) {
        return this.close();
      },
    });
  }

  async #open(contents?: Uint8Array): Promise<void> {
    const attachments = this.#attachments;
    const opened = await this.#driver.open(
      {
        message: (message) => attachments.hear(message),
        replaced: (opened) => this.#replaced(opened),
        leader: (isLeader) => attachments.leads(isLeader),
        warning: (text) => attachments.warn(text),
        ended: (error) => {
          this.#root.ended ??= attachments.ended ??= error;
          attachments.report(error);
        },
      },
      contents,
    );
    this.#opened = opened;
    try {
      if (opened.warning !== undefined) attachments.warn(opened.warning);
      await this.#attach();
    } catch (error) {
      await this.#driver.close().catch(() => {});
      throw error;
    }
  }

  /** Hears that there is another core: everything is attached to it, before any other call. */
  #replaced(opened: Opened): void {
    this.#opened = opened;
    if (this.#isAttaching) {
      this.#isReplaced = true;
      return;
    }
    this.#isAttaching = true;
    this.#attached = this.#root.runFirst(() =>
      this.#attach().catch((error: unknown) => this.#attachments.report(error)),
    );
  }

  /** Attaches everything to a core that is new, and again to one that takes its place meanwhile. */
  async #attach(): Promise<void> {
    this.#isAttaching = true;
    try {
      do {
        this.#isReplaced = false;
        try {
          await this.#attachOnce();
        } catch (error) {
          if (!this.#isReplaced) throw error;
        }
      } while (this.#isReplaced);
    } finally {
      this.#isAttaching = false;
    }
  }

  async #attachOnce(): Promise<void> {
    const attachments = this.#attachments;
    await this.#driver.attach?.();
    for (const [name, fn] of attachments.functions) await this.#driver.register(name, fn);
    if (this.#schema !== undefined) {
      // In a scope of its own: everything else waits for the end of this.
      await this.upgraded(this.#schema, new Scope(), this.#root);
      this.session.defaults.addAll(this.#schema.defaults);
    }
    // Nothing, when it opens for the first time.
    for (const step of attachments.steps()) {
      try {
        await step();
      } catch (error) {
        attachments.report(error);
      }
    }
    await this.#driver.call("activateMods");
  }

  async #applied(schema: PreparedSchema): Promise<string[]> {
    const done = await this.upgraded(schema);
    this.session.defaults.addAll(schema.defaults);
    return done;
  }

  async #reopen(contents: Uint8Array): Promise<void> {
    if (this.#driver.reopen !== undefined) return await this.#driver.reopen(contents);
    await this.#driver.call("flush");
    const before = this.#opened?.kind === "memory" ? await this.#driver.call("export") : undefined;
    await this.#driver.close();
    try {
      await this.#open(contents);
    } catch (error) {
      try {
        await this.#open(before);
      } catch (second) {
        // There is no database any more: every call says why.
        this.#root.ended = this.#attachments.ended = errorOf(second);
      }
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#ready.catch(() => {});
    // It was never open.
    if (this.#root.ended !== undefined) return;
    await this.#root.run(async () => {
      try {
        await this.#driver.call("flush");
      } catch (error) {
        // Who owns it does not answer: then it is closed without that.
        if (!(isCapsuleError(error) && error.kind === "locked")) throw error;
      } finally {
        await this.#driver.close();
        this.#root.ended = this.#attachments.ended = closedError();
      }
    });
  }
}
