/**
 * The class `Capsule`: what `GlyphCase` is, synchronous, in this thread. For scripts, tests, workers, and
 * wherever nobody minds that a statement takes its time.
 */
import type { LuaValue } from "../codec/values.js";
import type { HostFunction } from "../host/entries.js";
import { isThenable } from "../host/host_calls.js";
import { isModule } from "../instance/loader.js";
import { Attachments, type Link } from "./attachments.js";
import { Core } from "./core.js";
import { CapsuleError, closedError, usageError } from "./errors.js";
import { loadCapsule } from "./local_driver.js";
import { PerformanceMonitor } from "./monitor.js";
import { readCapsuleOptions, readMod, type CapsuleOptions, type Settings } from "./options.js";
import { filesOf, type OpenFiles } from "./places.js";
import { Defaults, migrationTo, prepareSchema, type PreparedSchema } from "./schema.js";
import { bytesOf, described } from "./sql_codec.js";
import type {
  CapsuleEvents,
  CapsuleStats,
  ChangeEvent,
  ChangeListener,
  ColumnDef,
  Durability,
  EventBus,
  Key,
  LiveOptions,
  LiveQuery,
  LuaFunctions,
  ModDefinition,
  ModInfo,
  Params,
  Row,
  RowInput,
  SchemaDefinition,
  SqlInput,
  SqlValue,
  SubscribeOptions,
  Subscription,
  UndoResult,
  WatchOptions,
  Watcher,
} from "./types.js";

/** Options of `Capsule.open` and `Capsule.openSync`. */
export interface SyncCapsuleOptions extends CapsuleOptions<Capsule> {}

/** Functions of a mod. */
export interface SyncMod {
  readonly name: string;
  /** Calls a function of the mod, which cannot wait; returns its first result. */
  call(fn: string, ...args: unknown[]): LuaValue;
}

/** A capsule whose calls return what they have found, and throw a `CapsuleError`. */
export class Capsule {
  /** Measures how long statements take, and how many events watchers tell. */
  readonly performance: PerformanceMonitor;
  readonly #settings: Settings;
  readonly #module: WebAssembly.Module;
  readonly #files: OpenFiles;
  readonly #functions: LuaFunctions;
  readonly #schema: PreparedSchema | undefined;
  readonly #defaults = new Defaults();
  readonly #attachments: Attachments;
  #core: Core | undefined;

  private constructor(settings: Settings, module: WebAssembly.Module, files: OpenFiles, functions: LuaFunctions) {
    this.#settings = settings;
    this.#module = module;
    this.#files = files;
    this.#functions = functions;
    this.#schema = settings.schema && prepareSchema(settings.schema);
    const { enabled, log } = settings;
    this.performance = new PerformanceMonitor((sql, ms, message) => this.#attachments.slow(sql, ms, message));
    Object.assign(this.performance, settings.performance);
    const link: Link = {
      run: (work) => work(),
      // What waits are scripts only, and none is called by this.
      call: (name, ...args) => (this.#open[name] as (...args: unknown[]) => never).apply(this.#open, args),
      register: (name, fn) => this.#open.register(name, fn),
    };
    this.#attachments = new Attachments({ link, monitor: this.performance, enabled, log });
  }

  /** Opens a capsule: loads the module, and takes the files of the database for this program. */
  static async open(filename: string | SyncCapsuleOptions, options?: Partial<SyncCapsuleOptions>): Promise<Capsule> {
    const settings = readCapsuleOptions("Capsule.open", filename, options);
    const functions = ownFunctions("Capsule.open", settings);
    const loading = loadCapsule(settings.wasm);
    loading.catch(() => {});
    const files = await filesOf(settings.filename, settings.fallback);
    const capsule = new Capsule(settings, await loading, files, functions);
    try {
      capsule.#begin();
      return capsule;
    } catch (error) {
      await files.release();
      throw error;
    }
  }

  /** Opens a capsule at once. The option `wasm` is the compiled module, or its bytes; Node needs none. */
  static openSync(filename: string | SyncCapsuleOptions, options?: Partial<SyncCapsuleOptions>): Capsule {
    const settings = readCapsuleOptions("Capsule.openSync", filename, options);
    const functions = ownFunctions("Capsule.openSync", settings);
    const module = compiled(settings.wasm);
    const files = filesOf(settings.filename, settings.fallback);
    if (isThenable(files)) {
      // Taken in vain.
      files.then(
        (taken) => taken.release(),
        () => {},
      );
      const why = "files take time to be opened here: await Capsule.open(...)";
      throw new CapsuleError("unsupported", `Capsule.openSync cannot open "${settings.filename}": ${why}`);
    }
    const capsule = new Capsule(settings, module, files, functions);
    try {
      capsule.#begin();
      return capsule;
    } catch (error) {
      void files.release();
      throw error;
    }
  }

  // Rows.

  /** Runs a query; returns its rows. */
  query<T extends object = Row>(sql: string, params?: Params): T[] {
    return this.#measured(sql, () => this.#open.query(sql, params)) as T[];
  }

  /** Runs a query; returns its first row, or undefined. */
  queryOne<T extends object = Row>(sql: string, params?: Params): T | undefined {
    return this.#measured(sql, () => this.#open.queryOne(sql, params)) as T | undefined;
  }

  /** Runs a query; returns the first column of its first row; undefined if there is none. */
  queryScalar<T extends SqlValue = SqlValue>(sql: string, params?: Params): T | undefined {
    return this.#measured(sql, () => this.#open.queryScalar(sql, params)) as T | undefined;
  }

  /** Runs a statement, or several that have no parameters; returns the number of rows that changed. */
  execute(sql: string, params?: Params): number {
    return this.#measured(sql, () => this.#open.execute(sql, params));
  }

  /** Inserts a row; returns its key. */
  insert<K extends SqlValue | SqlValue[] = number>(table: string, row: RowInput): K {
    const complete = () => this.#defaults.complete(table, row);
    return this.#measured(`INSERT INTO ${table}`, () => this.#open.insert(table, complete())) as K;
  }

  /** Inserts rows in one transaction; returns their keys. */
  insertMultiple<K extends SqlValue | SqlValue[] = number>(table: string, rows: readonly RowInput[]): K[] {
    const complete = () => this.#defaults.completeAll(table, rows);
    return this.#measured(`INSERT INTO ${table}`, () => this.#open.insertMultiple(table, complete())) as K[];
  }

  /** Sets columns of the row with this key; returns false if there is none. */
  update(table: string, key: Key, row: RowInput): boolean {
    return this.#measured(`UPDATE ${table}`, () => this.#open.update(table, key, row));
  }

  /** Sets columns of all rows for which a condition holds; returns their number. */
  updateWhere(table: string, where: string, params: Params | undefined, row: RowInput): number {
    return this.#measured(`UPDATE ${table} WHERE ${where}`, () => this.#open.updateWhere(table, where, params, row));
  }

  /** Deletes the row with this key; returns false if there is none. */
  delete(table: string, key: Key): boolean {
    return this.#measured(`DELETE FROM ${table}`, () => this.#open.delete(table, key));
  }

  /** Deletes all rows for which a condition holds; returns their number. */
  deleteWhere(table: string, where: string, params?: Params): number {
    return this.#measured(`DELETE FROM ${table} WHERE ${where}`, () => this.#open.deleteWhere(table, where, params));
  }

  // Transactions.

  /**
   * Runs a function as one transaction: what it throws takes everything back. Within one it is a savepoint.
   */
  transaction<T>(work: (capsule: Capsule) => T): T {
    const core = this.#open;
    return this.#bounded(
      "transaction",
      work,
      () => core.begin(),
      (depth) => core.commit(depth),
    ).result;
  }

  /**
   * Runs a function as a transaction that is taken back at its end; returns the changes that it would make.
   */
  preview(work: (capsule: Capsule) => unknown): ChangeEvent[] {
    const core = this.#open;
    const begin = () => {
      core.beginPreview();
      return 1;
    };
    return this.#bounded("preview", work, begin, () => core.endPreview()).end;
  }

  /** Undoes a transaction, by the id that its events have: if nothing has changed its rows since. */
  undo(transactionId: string): UndoResult {
    return this.#open.undo(transactionId);
  }

  // Schema.

  /** Makes a table, or adds the columns that it lacks; with `enableCapsule` it gets a watcher of its name. */
  createTable(name: string, columns: ColumnDef[], enableCapsule: boolean = false): string[] {
    const table = { name, columns, ...(enableCapsule && { capsule: { watch: true as const } }) };
    return this.#upgrade(prepareSchema({ tables: [table] }));
  }

  /** Brings the database to a schema: runs its migrations, adds what is missing; returns what was done. */
  migrate(schema: SchemaDefinition<Capsule>): string[] {
    return this.#upgrade(prepareSchema(schema));
  }

  /** Checks that there is such a table. Its changes are seen without triggers, so none are made. */
  recreateTriggersForTable(table: string): void {
    this.#open.checkTable(table);
  }

  // Watchers.

  /** Watches a table, or the rows of a query. Throws when there is no such thing. */
  watch(tableOrQuery: string, filter?: string, options: WatchOptions = {}): Watcher {
    return this.#attachments.watch(tableOrQuery, filter, options);
  }

  /** Ends a watcher, with its subscriptions; returns false if there was none. */
  unwatch(watcher: Watcher | string): boolean {
    return this.#attachments.unwatch(watcher) as boolean;
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

  /** Runs a script of Lua, which cannot wait; returns its first result. */
  executeLua(code: string): LuaValue {
    if (typeof code !== "string") throw usageError(`executeLua takes source, not ${described(code)}`);
    return this.#open.eval(code);
  }

  /** Runs a script of Lua: another name of `executeLua`. */
  executeLuaScript(code: string): LuaValue {
    return this.executeLua(code);
  }

  /** Calls a function of Lua (`"name"`, or `"table.name"`), which cannot wait; returns its first result. */
  callLuaFunction(name: string, ...args: unknown[]): LuaValue {
    return this.#open.call(name, args);
  }

  /** Gives a function to Lua, as a global and as `host.NAME`. */
  registerLuaFunction(name: string, fn: HostFunction): void {
    void this.#attachments.register(name, fn);
  }

  /** Installs a mod, or another version of it, and activates it. */
  installMod(mod: ModDefinition): void {
    this.#open.installMod(readMod(mod));
  }

  /** Activates a mod that is installed. */
  activateMod(name: string): void {
    this.#open.activateMod(name);
  }

  /** Deactivates a mod: its hooks, timers and watchers end. */
  deactivateMod(name: string): void {
    this.#open.deactivateMod(name);
  }

  /** Deactivates a mod and forgets it. Tables that it has made stay. */
  uninstallMod(name: string): void {
    this.#open.uninstallMod(name);
  }

  /** Returns the mods that are installed. */
  mods(): ModInfo[] {
    return this.#open.mods();
  }

  /** Returns the functions of a mod. */
  mod(name: string): SyncMod {
    return { name, call: (fn, ...args) => this.#open.callMod(name, fn, args) };
  }

  // Upkeep.

  /** Removes from the log what is old and what nobody waits for; returns the number of changes. */
  sweep(): number {
    return this.#open.sweep();
  }

  /** Delivers all events that wait for their batch. */
  flush(): void {
    this.#open.flush();
  }

  /** Returns the whole database, a file that any SQLite opens. */
  export(): Uint8Array<ArrayBuffer> {
    return this.#open.export();
  }

  /**
   * Puts a database, as bytes, in the place of this one. Watchers, live queries and functions go on with it.
   * If it cannot be used, everything is as before.
   */
  import(database: Uint8Array | ArrayBuffer): void {
    const contents = bytesOf(database);
    if (contents === undefined) throw usageError(`import takes the bytes of a database, not ${described(database)}`);
    const core = this.#open;
    core.flush();
    const before = this.#files.kind === "memory" ? core.export() : undefined;
    core.close();
    try {
      this.#begin(contents);
    } catch (error) {
      this.#begin(before);
      throw error;
    }
  }

  /** Says how well what was committed is kept. */
  durability(): Omit<Durability, "persisted" | "usage" | "quota"> {
    const { kind } = this.#files;
    const survives = kind === "memory" ? "nothing" : this.#settings.strict ? "power-cut" : "crash";
    return { files: kind, ...this.#open.settings(), survives };
  }

  /** Returns figures of the database, of watchers and of memory. */
  stats(): CapsuleStats {
    return this.#open.stats();
  }

  /** Delivers what waits, and closes the database; resolves when others can have its files. */
  close(): Promise<void> {
    const core = this.#core;
    if (core === undefined) return Promise.resolve();
    if (!core.isIdle) throw usageError("the capsule cannot be closed by what it runs");
    try {
      core.flush();
    } finally {
      core.close();
      this.#core = undefined;
      this.#attachments.ended = closedError();
    }
    return this.#files.release();
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  static {
    // The class's own name, which the minifier has taken.
    Object.defineProperty(this, "name", { value: "Capsule", configurable: true });
    // Also where the platform is older than the symbol.
    const symbol: symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
    Object.defineProperty(this.prototype, symbol, {
      value(this: Capsule) {
        return this.close();
      },
    });
  }

  /** The core, while it is open. */
  get #open(): Core {
    if (this.#core === undefined) throw closedError();
    return this.#core;
  }

  /** Opens the core, with the `contents` of a database in place of its own. */
  #begin(contents?: Uint8Array): void {
    const attachments = this.#attachments;
    const core = Core.openSync({
      module: this.#module,
      settings: this.#settings,
      files: this.#files,
      listener: (message) => attachments.hear(message),
      contents,
    });
    this.#core = core;
    try {
      for (const [name, fn] of [...Object.entries(this.#functions), ...attachments.functions]) core.register(name, fn);
      if (this.#schema !== undefined) this.#upgrade(this.#schema);
      for (const step of attachments.steps()) {
        try {
          void step();
        } catch (error) {
          attachments.report(error);
        }
      }
      core.activateMods();
    } catch (error) {
      this.#core = undefined;
      core.close();
      throw error;
    }
  }

  #upgrade(schema: PreparedSchema): string[] {
    const core = this.#open;
    const upgrade = core.beginUpgrade(schema.declared);
    if ("done" in upgrade) {
      this.#defaults.addAll(schema.defaults);
      return upgrade.done;
    }
    const done: string[] = [];
    try {
      for (const version of upgrade.versions) {
        const up = migrationTo(schema, version);
        const ran: unknown = typeof up === "string" ? core.execute(up) : up(this);
        checkEnded(ran, `the migration to version ${version}`);
        core.noteMigration(version);
        done.push(`migration ${version}`);
      }
      done.push(...core.endUpgrade());
    } catch (error) {
      core.cancelUpgrade();
      throw error;
    }
    this.#defaults.addAll(schema.defaults);
    return done;
  }

  #bounded<T, R>(
    call: string,
    work: (capsule: Capsule) => T,
    begin: () => number,
    commit: (depth: number) => R,
  ): { result: T; end: R } {
    if (typeof work !== "function") throw usageError(`${call} takes a function, not ${described(work)}`);
    const core = this.#open;
    const depth = begin();
    try {
      const result = work(this);
      checkEnded(result, `a ${call} of a Capsule`);
      return { result, end: commit(depth) };
    } catch (error) {
      core.rollBack(depth - 1);
      throw error;
    }
  }

  #measured<T>(sql: string, work: () => T): T {
    const begun = performance.now();
    try {
      return work();
    } finally {
      this.performance.trackQuery(sql, Math.round((performance.now() - begun) * 100) / 100);
    }
  }
}

/** Refuses a promise: what it would still do would be after the end. */
function checkEnded(result: unknown, what: string): void {
  if (isThenable(result)) throw usageError(`${what} cannot wait: its function must not return a promise`);
}

function ownFunctions(call: string, { functions }: Settings): LuaFunctions {
  if (typeof functions !== "string") return functions ?? {};
  throw usageError(`${call}: option "functions" must be an object of functions; import the module yourself`);
}

/** Reads the module that comes with the package, where that takes no waiting. */
let readModule: (() => BufferSource) | undefined;
let packaged: WebAssembly.Module | undefined;

/** Sets how `Capsule.openSync` reads the module that comes with the package. */
export function setModuleReader(read: () => BufferSource): void {
  readModule = read;
}

function compiled(wasm: Settings["wasm"]): WebAssembly.Module {
  if (isModule(wasm)) return wasm;
  const bytes = bytesOf(wasm);
  if (bytes !== undefined) return new WebAssembly.Module(bytes as BufferSource);
  if (wasm === undefined && readModule !== undefined) return (packaged ??= new WebAssembly.Module(readModule()));
  throw usageError('Capsule.openSync: option "wasm" must be the compiled module, or its bytes: loading it takes time');
}
