/**
 * One open capsule in this thread: its calls as synchronous methods, its messages, its time.
 *
 * Invariants:
 * - Messages are passed on when nothing runs in the VM, in their order, one after the other: whoever hears of
 *   something may call the capsule.
 * - There is at most one timer, for what is due first, and it does not keep the process alive. What is due
 *   waits for the end of a transaction of JavaScript: it is no part of it.
 * - Every error is a `CapsuleError`.
 *
 * Not here: who may call when (lane.ts), and what listeners make of messages.
 */
import { Operation } from "../codec/tags.js";
import type { LuaValue } from "../codec/values.js";
import type { HostFunction } from "../host/entries.js";
import { checkFunction } from "../host/functions.js";
import { outputTo } from "../instance/output.js";
import { checkDottedName } from "../names.js";
import { DELAY_MS_MAX } from "../option_rules.js";
import { CapsuleVm, type CapsuleVmHooks, type OpenTransaction, type Read } from "./capsule_vm.js";
import { capsuleImports } from "./imports.js";
import type { OpenFiles } from "./places.js";
import { CapsuleError, closedError, fromLua, isCapsuleError, usageError } from "./errors.js";
import { many, readChange, readExplanation, readMessage, readPatches, type Message } from "./messages.js";
import { CapsuleOperation } from "./operations.js";
import type { LiveStart } from "./live_query.js";
import type { Settings } from "./options.js";
import type { ArgumentWriter } from "./sql_codec.js";
import type {
  CapsuleStats,
  ChangeEvent,
  Explanation,
  Key,
  LiveOptions,
  ModDefinition,
  ModInfo,
  Params,
  Patch,
  Row,
  RowInput,
  SqlValue,
  UndoResult,
} from "./types.js";

/**
 * Bytes of memory beside Lua's: for SQLite and for rows on their way. What is not needed is never asked for.
 */
const BESIDE_LUA_BYTES = 1280 * 1024 * 1024;

/** Libraries that scripts have. Those of the capsule come by the name of their table. */
const LIBRARIES = [
  "string",
  "table",
  "math",
  "utf8",
  "coroutine",
  "os",
  "json",
  "base64",
  "host",
  "async",
  "glyphcase",
];

/** Settings of SQLite's `synchronous`, by its numbers. */
const SYNCHRONOUS = ["off", "normal", "full", "extra"] as const;

/** Settings that the core itself uses. */
export type CoreSettings = Pick<
  Settings,
  | "filename"
  | "strict"
  | "enabled"
  | "batchInterval"
  | "batchSize"
  | "maxMemory"
  | "maxExecutionTime"
  | "fuel"
  | "stdout"
>;

/** Parts that a core is made of. */
export interface CoreParts {
  readonly module: WebAssembly.Module;
  readonly settings: CoreSettings;
  readonly files: OpenFiles;
  /** Hears of messages. Must not throw. */
  readonly listener: (message: Message) => void;
  /** Database that takes the place of the one that is there. */
  readonly contents?: Uint8Array | undefined;
}

/** Result of `beginUpgrade`: what was done, or the versions of the migrations that have to run. */
export type Upgrade = { readonly done: string[] } | { readonly versions: number[] };

/** Transaction of JavaScript that is open. */
interface Open extends OpenTransaction {
  /** Number of its first part. */
  readonly depth: number;
  readonly end: () => void;
  /** Scripts that are a part of it and have not ended. */
  readonly scripts: Set<AbortController>;
}

/** A capsule that is open. */
export class Core {
  /** Name of the device, which the names of its transactions begin with. */
  device = "";
  readonly #vm: CapsuleVm;
  readonly #listener: (message: Message) => void;
  /** Messages that wait in the module. */
  #waiting = 0;
  #passesOn = false;
  #isPlanned = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Handle of the function that calls one of a mod. */
  #modCaller: number | undefined;

  /** Transaction of JavaScript that is open. */
  #transaction: Open | undefined;

  private constructor(vm: CapsuleVm, { listener }: CoreParts) {
    this.#vm = vm;
    this.#listener = listener;
  }

  /** Opens a capsule; rejects with a `CapsuleError`. */
  static async open(parts: CoreParts): Promise<Core> {
    const { hooks, opened } = Core.#hooks(parts);
    try {
      return opened(await CapsuleVm.make(vmParts(parts), hooks));
    } catch (error) {
      throw fromLua(error);
    }
  }

  /** Opens a capsule at once. */
  static openSync(parts: CoreParts): Core {
    const { hooks, opened } = Core.#hooks(parts);
    try {
      return opened(CapsuleVm.makeSync(vmParts(parts), hooks));
    } catch (error) {
      throw fromLua(error);
    }
  }

  static #hooks(parts: CoreParts): { hooks: CapsuleVmHooks; opened: (vm: CapsuleVm) => Core } {
    let core: Core | undefined;
    let early = 0;
    const notify = (count: number) => (core === undefined ? (early = count) : core.#notify(count));
    const hooks: CapsuleVmHooks = {
      imports: (memory) => capsuleImports({ files: parts.files.files, memory, notify }),
      ran: () => {
        if (core !== undefined) core.#plan();
      },
    };
    const opened = (vm: CapsuleVm) => {
      core = new Core(vm, parts);
      try {
        core.#open(parts);
      } catch (error) {
        core.#closed = true;
        void vm.close({ discard: true });
        throw error;
      }
      if (early > 0) core.#notify(early);
      return core;
    };
    return { hooks, opened };
  }

  #open({ settings, files, contents }: CoreParts): void {
    const { strict, batchInterval, batchSize, enabled, maxMemory } = settings;
    const { path } = files;
    if (contents !== undefined) {
      this.#run(CapsuleOperation.import, (args) => args.text(path, "the name").bytes(contents), nothing);
    }
    this.device = this.#run(
      CapsuleOperation.open,
      (args) =>
        args
          .text(path, "the name")
          .boolean(strict)
          .integer(batchInterval)
          .integer(batchSize)
          .boolean(enabled)
          .integer(maxMemory)
          .boolean(files.kind === "file"),
      (results) => results.text(),
    );
    this.#vm.request(Operation.libraries, LIBRARIES);
  }

  /** True while nothing runs in it. */
  get isIdle(): boolean {
    return this.#vm.isIdle;
  }

  /** Activates the mods that were active when the database was closed; their errors are messages. */
  activateMods(): void {
    this.#run(CapsuleOperation.activateMods, undefined, nothing);
  }

  /** Closes the database and frees the memory. */
  close(): void {
    if (this.#closed) return;
    try {
      this.#run(CapsuleOperation.close, undefined, nothing);
    } catch (error) {
      // In one that has died there is nothing to be closed any more.
      if (this.#vm.isCallable) throw error;
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    void this.#vm.close({ discard: true });
  }

  // Rows.

  query(sql: string, params?: Params): Row[] {
    return this.#statement(CapsuleOperation.query, sql, params, (results) => results.rows());
  }

  queryOne(sql: string, params?: Params): Row | undefined {
    return this.#statement(CapsuleOperation.queryOne, sql, params, (results) => results.rows()[0]);
  }

  queryScalar(sql: string, params?: Params): SqlValue | undefined {
    return this.#statement(CapsuleOperation.queryScalar, sql, params, (results) =>
      results.boolean() ? results.value() : undefined,
    );
  }

  execute(sql: string, params?: Params): number {
    return this.#statement(CapsuleOperation.execute, sql, params, integer);
  }

  insert(table: string, row: RowInput): SqlValue | SqlValue[] {
    return this.#write(
      CapsuleOperation.insert,
      table,
      (args) => args.row(row),
      (results) => results.key(),
    );
  }

  insertMultiple(table: string, rows: readonly RowInput[]): (SqlValue | SqlValue[])[] {
    const read: Read<(SqlValue | SqlValue[])[]> = (results) => many(results, () => results.key());
    return this.#write(CapsuleOperation.insertMultiple, table, (args) => args.rows(rows), read);
  }

  update(table: string, key: Key, row: RowInput): boolean {
    return this.#write(CapsuleOperation.update, table, (args) => args.key(key).row(row), boolean);
  }

  updateWhere(table: string, where: string, params: Params | undefined, row: RowInput): number {
    const write = (args: ArgumentWriter) => args.text(where, "the condition").row(row).params(params);
    return this.#write(CapsuleOperation.updateWhere, table, write, integer);
  }

  delete(table: string, key: Key): boolean {
    return this.#write(CapsuleOperation.delete, table, (args) => args.key(key), boolean);
  }

  deleteWhere(table: string, where: string, params?: Params): number {
    const write = (args: ArgumentWriter) => args.text(where, "the condition").params(params);
    return this.#write(CapsuleOperation.deleteWhere, table, write, integer);
  }

  // Transactions.

  /** Begins a part of a transaction, or a transaction; returns the number of parts that are open. */
  begin(): number {
    const depth = this.#run(CapsuleOperation.begin, undefined, integer);
    this.#opened(depth);
    return depth;
  }

  /** Commits the innermost part, whose number is `depth`. */
  commit(depth: number): void {
    this.#run(CapsuleOperation.commit, (args) => args.integer(depth), nothing);
    this.#ended(depth - 1);
  }

  /** Takes back all but the outermost `depth` parts; says whether there were others. */
  rollBack(depth: number): boolean {
    const others = this.#run(CapsuleOperation.rollBack, (args) => args.integer(depth), boolean);
    this.#ended(depth);
    return others;
  }

  beginPreview(): void {
    this.#run(CapsuleOperation.beginPreview, undefined, nothing);
    this.#opened(1);
  }

  endPreview(): ChangeEvent[] {
    try {
      return this.#run(CapsuleOperation.endPreview, undefined, (results) => many(results, () => readChange(results)));
    } finally {
      this.#ended(0);
    }
  }

  /** Undoes a transaction: its name, or its number. */
  undo(transaction: string | number): UndoResult {
    return this.#run(
      CapsuleOperation.undo,
      (args) => args.integer(this.#numberOf(transaction)),
      (results) => {
        if (results.boolean()) return { undone: true, rows: results.integer() };
        const blockers = many(results, () => {
          const blocker = { table: results.text(), key: results.key() };
          const number = results.optionalInteger();
          return number === undefined ? blocker : { ...blocker, transactionId: `${this.device}-${number}` };
        });
        return { undone: false, blockers };
      },
    );
  }

  #numberOf(transaction: unknown): number {
    if (Number.isSafeInteger(transaction)) return transaction as number;
    const [, device, number] = /^(.+)-(\d+)$/.exec(typeof transaction === "string" ? transaction : "") ?? [];
    if (device === this.device) return Number(number);
    if (device === undefined) throw usageError("undo takes the id of a transaction, as events have it");
    throw usageError(`the transaction ${String(transaction)} is of another device`);
  }

  // Requests that must have their effect once.

  /** Returns the last request of a client that was committed, and its answer. */
  findRequest(client: string): { number: number; answer: Uint8Array } | undefined {
    return this.#run(
      CapsuleOperation.findRequest,
      (args) => args.text(client, "the name of a client"),
      (results) => {
        const number = results.optionalInteger();
        return number === undefined ? undefined : { number, answer: results.bytes() };
      },
    );
  }

  /** Keeps the answer of a request, in the transaction that is open. */
  keepRequest(client: string, number: number, answer: Uint8Array): void {
    this.#run(
      CapsuleOperation.keepRequest,
      (args) => args.text(client, "the name of a client").integer(number).bytes(answer),
      nothing,
    );
  }

  /** Forgets the requests of all clients but these. */
  keepClients(clients: readonly string[]): void {
    this.#run(
      CapsuleOperation.keepClients,
      (args) => {
        args.integer(clients.length);
        for (const client of clients) args.text(client, "the name of a client");
      },
      nothing,
    );
  }

  // Schema.

  beginUpgrade(declared: object): Upgrade {
    const upgrade: Upgrade = this.#with(CapsuleOperation.beginUpgrade, [declared], (results) =>
      results.boolean() ? { versions: many(results, () => results.integer()) } : { done: results.texts() },
    );
    if ("versions" in upgrade) this.#opened(1);
    return upgrade;
  }

  noteMigration(version: number): void {
    this.#run(CapsuleOperation.noteMigration, (args) => args.integer(version), nothing);
  }

  endUpgrade(): string[] {
    try {
      return this.#run(CapsuleOperation.endUpgrade, undefined, (results) => results.texts());
    } finally {
      this.#ended(0);
    }
  }

  cancelUpgrade(): void {
    this.#run(CapsuleOperation.cancelUpgrade, undefined, nothing);
    this.#ended(0);
  }

  /** Throws unless there is a table of this name. */
  checkTable(table: string): void {
    this.#run(
      CapsuleOperation.queryScalar,
      (args) => args.text(`SELECT 0 FROM ${quoted(table)} LIMIT 0`, "the name of a table"),
      nothing,
      table,
    );
  }

  // Watchers.

  watch(id: string | undefined, target: string, filter: string | undefined): string {
    return this.#run(
      CapsuleOperation.watch,
      (args) => args.optionalText(id, "the id").text(target, "the target").optionalText(filter, "the filter"),
      (results) => results.text(),
    );
  }

  unwatch(id: string): boolean {
    return this.#run(CapsuleOperation.unwatch, (args) => args.text(id, "the id"), boolean);
  }

  subscribe(watcher: string, listener: string, type: string, filter: string | undefined): string {
    return this.#run(
      CapsuleOperation.subscribe,
      (args) =>
        args
          .text(watcher, "the id of a watcher")
          .text(listener, "the id of a listener")
          .text(type, "the type of a listener")
          .optionalText(filter, "the filter"),
      (results) => results.text(),
    );
  }

  unsubscribe(id: string): boolean {
    return this.#run(CapsuleOperation.unsubscribe, (args) => args.text(id, "the id"), boolean);
  }

  live(sql: string, params: Params | undefined, { limit, offset, key = [], since }: LiveOptions = {}): LiveStart {
    return this.#run(
      CapsuleOperation.liveWith,
      (args) => {
        args.text(sql, "the query").optionalInteger(limit).optionalInteger(offset).optionalInteger(since);
        args.integer(key.length);
        for (const name of key) args.text(name, "the name of a column");
        args.params(params);
      },
      (results) => ({
        number: results.integer(),
        seq: results.integer(),
        unchanged: results.boolean(),
        rows: results.rows(),
      }),
    );
  }

  moveLive(number: number, limit: number, offset?: number): Patch[] {
    return this.#run(
      CapsuleOperation.moveLive,
      (args) => args.integer(number).integer(limit).optionalInteger(offset),
      (results) => readPatches(results, results.rowReader(results.texts())),
    );
  }

  explain(watcher: string): Explanation {
    return this.#run(CapsuleOperation.explain, (args) => args.text(watcher, "the id of a watcher"), readExplanation);
  }

  explainLive(number: number): Explanation {
    return this.#run(CapsuleOperation.explainLive, (args) => args.integer(number), readExplanation);
  }

  endLive(number: number): boolean {
    return this.#run(CapsuleOperation.endLive, (args) => args.integer(number), boolean);
  }

  /** Makes what is dispatched under a name a message. */
  listen(name: string): void {
    this.#run(CapsuleOperation.listen, (args) => args.text(name, "the name of an event"), nothing);
  }

  unlisten(name: string): void {
    this.#run(CapsuleOperation.unlisten, (args) => args.text(name, "the name of an event"), nothing);
  }

  dispatch(name: string, payload: unknown): void {
    this.#with(CapsuleOperation.dispatch, [name, payload], nothing);
  }

  /** Delivers all events that wait. */
  flush(): void {
    this.#run(CapsuleOperation.flush, undefined, nothing);
  }

  // Scripts.

  /** Runs a script, which cannot wait; returns its first result. */
  eval(code: string): LuaValue {
    return this.#script(() => this.#vm.request(Operation.eval, [code, "script"], undefined, this.#vm.conversion)[0]);
  }

  /** Calls a function of Lua, which cannot wait. */
  call(name: string, args: readonly unknown[]): LuaValue {
    return this.#script(() => this.#vm.requestFirst(Operation.call, [name, ...args]));
  }

  /** Calls a function of a mod, which cannot wait. */
  callMod(mod: string, name: string, args: readonly unknown[]): LuaValue {
    return this.#script(() => this.#vm.requestFirst(Operation.callHandle, [this.#caller(), mod, name, ...args]));
  }

  /** Runs a script, which may wait for functions of JavaScript. */
  async startEval(code: string): Promise<LuaValue> {
    return await this.#task(Operation.startEval, [code, "script"]);
  }

  /** Calls a function of Lua, which may wait. */
  async startCall(name: string, args: readonly unknown[]): Promise<LuaValue> {
    return await this.#task(Operation.startCall, [name, ...args]);
  }

  /** Calls a function of a mod, which may wait. */
  async startCallMod(mod: string, name: string, args: readonly unknown[]): Promise<LuaValue> {
    return await this.#task(Operation.startHandle, [this.#caller(), mod, name, ...args]);
  }

  /** Gives a function to Lua, under a name that stays. */
  register(name: string, fn: HostFunction): void {
    this.#checkOpen();
    try {
      checkDottedName(name);
      checkFunction(fn);
      this.#vm.register(name, fn);
    } catch (error) {
      throw usage(error);
    }
  }

  // Mods.

  installMod({ name, version, files }: ModDefinition): void {
    this.#run(
      CapsuleOperation.installMod,
      (args) => {
        args.text(name, "the name of a mod").text(version, "the version of a mod");
        for (const [file, source] of Object.entries(files)) args.text(file, "the name of a file").text(source, file);
      },
      nothing,
    );
  }

  activateMod(name: string): void {
    this.#run(CapsuleOperation.activateMod, (args) => args.text(name, "the name of a mod"), nothing);
  }

  deactivateMod(name: string): void {
    this.#run(CapsuleOperation.deactivateMod, (args) => args.text(name, "the name of a mod"), nothing);
  }

  uninstallMod(name: string): void {
    this.#run(CapsuleOperation.uninstallMod, (args) => args.text(name, "the name of a mod"), nothing);
  }

  mods(): ModInfo[] {
    return this.#run(CapsuleOperation.mods, undefined, (results) =>
      many(results, () => ({ name: results.text(), version: results.text(), active: results.boolean() })),
    );
  }

  // Upkeep.

  export(): Uint8Array<ArrayBuffer> {
    return this.#run(CapsuleOperation.export, undefined, (results) => results.bytes());
  }

  sweep(): number {
    return this.#run(CapsuleOperation.sweep, undefined, integer);
  }

  settings(): { journal: string; synchronous: (typeof SYNCHRONOUS)[number] } {
    return this.#run(CapsuleOperation.settings, undefined, (results) => ({
      journal: results.text(),
      synchronous: SYNCHRONOUS[results.integer()] ?? "off",
    }));
  }

  stats(): CapsuleStats {
    const stats = this.#run(CapsuleOperation.stats, undefined, (results) =>
      Object.fromEntries(many(results, () => [results.text(), results.integer()])),
    );
    const [memoryBytes, memoryLimit, memoryPeak, luaBytes] = this.#vm.request(Operation.stats, []);
    return { ...stats, memoryBytes, memoryLimit, memoryPeak, luaBytes } as CapsuleStats;
  }

  #statement<T>(operation: CapsuleOperation, sql: string, params: Params | undefined, read: Read<T>): T {
    const write = (args: ArgumentWriter) => void args.text(sql, "SQL").params(params);
    // What it has changed is told: a query that has not is over.
    return this.#guarded(() => this.#vm.operate(operation, write, read), undefined, false);
  }

  #write<T>(operation: CapsuleOperation, table: string, rest: (args: ArgumentWriter) => void, read: Read<T>): T {
    return this.#run(operation, (args) => rest(args.text(table, "the name of a table")), read, table);
  }

  #run<T>(
    operation: CapsuleOperation,
    write: ((args: ArgumentWriter) => void) | undefined,
    read: Read<T>,
    table?: string,
  ): T {
    return this.#guarded(() => this.#vm.operate(operation, write, read, table), table);
  }

  #with<T>(operation: CapsuleOperation, args: readonly unknown[], read: Read<T>): T {
    try {
      return this.#guarded(() => this.#vm.operateOn(operation, args, read));
    } catch (error) {
      throw usage(error);
    }
  }

  #script<T>(run: () => T): T {
    try {
      return this.#guarded(run);
    } catch (error) {
      throw usage(error);
    }
  }

  async #task(operation: number, args: readonly unknown[]): Promise<LuaValue> {
    const controller = new AbortController();
    const scripts = this.#transaction?.scripts.add(controller);
    // What it sets off in its first part is told before this returns.
    const results = this.#script(() => this.#vm.startScript(operation, args, controller.signal));
    try {
      return (await results)[0];
    } catch (error) {
      throw usage(fromLua(error));
    } finally {
      scripts?.delete(controller);
      this.#plan();
    }
  }

  /** Holds the scripts and timers of others until the transaction has ended that begins with this part. */
  #opened(depth: number): void {
    if (this.#transaction !== undefined) return;
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    this.#transaction = { depth, ended, end, scripts: new Set() };
    this.#vm.openTransaction = this.#transaction;
  }

  /** Lets them go on, if no part of it is among the `depth` that stay open. */
  #ended(depth: number): void {
    const transaction = this.#transaction;
    if (transaction === undefined || depth >= transaction.depth) return;
    this.#vm.openTransaction = this.#transaction = undefined;
    // What would go on now would be no part of it.
    for (const script of transaction.scripts)
      script.abort(new CapsuleError("timeout", "the transaction of this script has ended"));
    transaction.end();
    this.#plan();
  }

  /** Runs a call of the core. `plans`: something may be due after it, also if it tells nothing. */
  #guarded<T>(run: () => T, table?: string, plans = true): T {
    this.#checkOpen();
    try {
      return run();
    } catch (error) {
      throw fromLua(error, table);
    } finally {
      if (this.#waiting > 0) this.#passOn();
      if (plans) this.#plan();
    }
  }

  #caller(): number {
    return (this.#modCaller ??= this.#run(CapsuleOperation.modCaller, undefined, integer));
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  #notify(count: number): void {
    const first = this.#waiting === 0;
    this.#waiting = count;
    // After a call they are passed on before it returns; this is for parts of scripts that run by themselves.
    if (first) queueMicrotask(() => this.#passOn());
  }

  /** Passes messages on, if nothing runs, and none is being passed on. */
  #passOn(): void {
    if (this.#passesOn) return;
    this.#passesOn = true;
    try {
      while (this.#waiting > 0 && !this.#closed && this.#vm.isIdle) {
        this.#waiting -= 1;
        const message = this.#vm.operate(CapsuleOperation.takeMessage, undefined, readMessage);
        if (message !== undefined) this.#listener(message);
        this.#plan();
      }
    } catch (error) {
      this.#listener({ kind: "error", error: asError(error) });
    } finally {
      this.#passesOn = false;
    }
  }

  /** Looks soon, and once for all calls of this turn, when something is due. */
  #plan(): void {
    if (this.#isPlanned || this.#closed) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#closed || !this.#vm.isIdle) return;
      try {
        const due = this.#vm.operate(CapsuleOperation.nextDue, undefined, (results) => results.optionalInteger());
        clearTimeout(this.#timer);
        this.#timer = undefined;
        if (due === undefined) return;
        const delay = Math.min(Math.max(0, due - Date.now()), DELAY_MS_MAX);
        this.#timer = setTimeout(() => this.#runDue(), delay);
        (this.#timer as { unref?: () => void }).unref?.();
      } catch (error) {
        this.#listener({ kind: "error", error: asError(error) });
      }
    });
  }

  #runDue(): void {
    this.#timer = undefined;
    // It is looked at again when the transaction has ended.
    if (this.#closed || this.#vm.openTransaction !== undefined) return;
    try {
      this.#run(CapsuleOperation.runDue, undefined, nothing);
    } catch (error) {
      this.#listener({ kind: "error", error: asError(error) });
    }
  }
}

function vmParts({ module, settings }: CoreParts): Parameters<typeof CapsuleVm.make>[0] {
  const { maxMemory, maxExecutionTime: timeout, fuel, stdout } = settings;
  const memoryLimit = maxMemory + BESIDE_LUA_BYTES;
  return { module, sink: outputTo({ stdout, stderr: stdout }), options: { memoryLimit, timeout, fuel } };
}

const nothing = (): void => {};
const integer: Read<number> = (results) => results.integer();
const boolean: Read<boolean> = (results) => results.boolean();

/** Makes what the VM has refused, of a value that it was given, the caller's misuse. */
function usage(error: unknown): unknown {
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown };
  return name === "TypeError" || name === "RangeError" ? usageError(String(message), { cause: error }) : error;
}

function asError(error: unknown): CapsuleError {
  const known = fromLua(error);
  return isCapsuleError(known) ? known : new CapsuleError("bug", String(error), { cause: error });
}

function quoted(name: string): string {
  return `"${String(name).replaceAll('"', '""')}"`;
}
