/**
 * The calls that a capsule and a transaction have in common, and what a transaction is.
 *
 * Invariants:
 * - What a transaction's function has begun has ended before the commit.
 * - After its end, by whatever reason, no call gets through it; one that took too long is rolled back at
 *   once, and what its function still calls is refused, not done outside of it.
 */
import type { LuaValue } from "../codec/values.js";
import { isCallable } from "../option_rules.js";
import { checkName } from "../names.js";
import type { CallArguments, CallName, CallResult, Driver } from "./driver.js";
import { usageError } from "./errors.js";
import { Scope, endedError, lateError } from "./lane.js";
import type { PerformanceMonitor } from "./monitor.js";
import { migrationTo, type Defaults, type PreparedSchema } from "./schema.js";
import { described } from "./sql_codec.js";
import type { ChangeEvent, Key, Params, Row, RowInput, SqlValue } from "./types.js";

/** Parts that all transactions of a capsule share. */
export interface Session {
  readonly driver: Driver;
  readonly monitor: PerformanceMonitor;
  readonly defaults: Defaults;
  readonly transactionTimeout: number;
}

/** Function whose calls are one transaction. */
export type TransactionFunction<T> = ((tx: Transaction) => T | PromiseLike<T>) | (() => T | PromiseLike<T>);

/** Beginning and ends of a kind of transaction. */
interface Boundary<R> {
  begin(): Promise<number>;
  commit(depth: number): Promise<R>;
  rollBack(depth: number): Promise<unknown>;
}

/** Calls on rows and scripts. Everything is a promise, and rejects with a `CapsuleError`. */
export abstract class Calls {
  /** @internal */
  protected readonly session: Session;
  readonly #scope: Scope;

  /** @internal */
  protected constructor(session: Session, scope: Scope) {
    this.session = session;
    this.#scope = scope;
  }

  /** Runs a query; resolves to its rows. */
  async query<T extends object = Row>(sql: string, params?: Params): Promise<T[]> {
    return (await this.#timed(sql, "query", sql, params)) as T[];
  }

  /** Runs a query; resolves to its first row, or undefined. */
  async queryOne<T extends object = Row>(sql: string, params?: Params): Promise<T | undefined> {
    return (await this.#timed(sql, "queryOne", sql, params)) as T | undefined;
  }

  /** Runs a query; resolves to the first column of its first row; undefined if there is none. */
  async queryScalar<T extends SqlValue = SqlValue>(sql: string, params?: Params): Promise<T | undefined> {
    return (await this.#timed(sql, "queryScalar", sql, params)) as T | undefined;
  }

  /** Runs a statement, or several that have no parameters; resolves to the number of rows that changed. */
  async execute(sql: string, params?: Params): Promise<number> {
    return await this.#timed(sql, "execute", sql, params);
  }

  /** Inserts a row; resolves to its key. */
  async insert<K extends SqlValue | SqlValue[] = number>(table: string, row: RowInput): Promise<K> {
    const { driver, defaults } = this.session;
    const insert = () => driver.call("insert", table, defaults.complete(table, row));
    return (await this.run(() => this.#measured(`INSERT INTO ${table}`, insert))) as K;
  }

  /** Inserts rows in one transaction; resolves to their keys. */
  async insertMultiple<K extends SqlValue | SqlValue[] = number>(
    table: string,
    rows: readonly RowInput[],
  ): Promise<K[]> {
    const { driver, defaults } = this.session;
    const insert = () => driver.call("insertMultiple", table, defaults.completeAll(table, rows));
    return (await this.run(() => this.#measured(`INSERT INTO ${table}`, insert))) as K[];
  }

  /** Sets columns of the row with this key; resolves to false if there is none. */
  async update(table: string, key: Key, row: RowInput): Promise<boolean> {
    return await this.#timed(`UPDATE ${table}`, "update", table, key, row);
  }

  /** Sets columns of all rows for which a condition holds; resolves to their number. */
  async updateWhere(table: string, where: string, params: Params | undefined, row: RowInput): Promise<number> {
    return await this.#timed(`UPDATE ${table} WHERE ${where}`, "updateWhere", table, where, params, row);
  }

  /** Deletes the row with this key; resolves to false if there is none. */
  async delete(table: string, key: Key): Promise<boolean> {
    return await this.#timed(`DELETE FROM ${table}`, "delete", table, key);
  }

  /** Deletes all rows for which a condition holds; resolves to their number. */
  async deleteWhere(table: string, where: string, params?: Params): Promise<number> {
    return await this.#timed(`DELETE FROM ${table} WHERE ${where}`, "deleteWhere", table, where, params);
  }

  /**
   * Runs a function as one transaction: what it throws takes everything back. One that has a parameter gets
   * an object, and what is called on that belongs to the transaction; to one that has none belongs everything
   * that is called on this object until it has ended. Within a transaction it is a savepoint.
   */
  async transaction<T>(work: TransactionFunction<T>): Promise<T> {
    const { driver, transactionTimeout } = this.session;
    const scope = this.#scope.current;
    const { result } = await this.#bounded("transaction", scope, work, transactionTimeout, {
      begin: () => driver.call("begin"),
      commit: (depth) => driver.call("commit", depth),
      rollBack: (depth) => driver.call("rollBack", depth),
    });
    return result;
  }

  /**
   * Runs a function as a transaction that is taken back at its end; resolves to the changes that it would
   * make.
   */
  protected async previewed(work: TransactionFunction<unknown>): Promise<ChangeEvent[]> {
    const { driver, transactionTimeout } = this.session;
    const { end } = await this.#bounded("preview", this.#scope.current, work, transactionTimeout, {
      begin: async () => {
        await driver.call("beginPreview");
        return 1;
      },
      commit: () => driver.call("endPreview"),
      rollBack: (depth) => driver.call("rollBack", depth),
    });
    return end;
  }

  /**
   * Brings the database to a schema, as one of the calls of `scope`; resolves to what was done. To a
   * migration that has no parameter belongs everything that is called on `outer`.
   */
  protected async upgraded(
    schema: PreparedSchema,
    scope: Scope = this.#scope.current,
    outer: Scope = scope,
  ): Promise<string[]> {
    const { driver } = this.session;
    return await scope.run(async () => {
      const upgrade = await driver.call("beginUpgrade", schema.declared);
      if ("done" in upgrade) return upgrade.done;
      const done: string[] = [];
      const inner = new Scope();
      try {
        const tx = new Transaction(this.session, inner);
        for (const version of upgrade.versions) {
          const up = migrationTo(schema, version);
          if (up.length === 0) outer.ambient = inner;
          await (typeof up === "string" ? tx.execute(up) : up(tx));
          await inner.idle();
          outer.ambient = undefined;
          await driver.call("noteMigration", version);
          done.push(`migration ${version}`);
        }
        done.push(...(await driver.call("endUpgrade")));
        return done;
      } catch (error) {
        await driver.call("cancelUpgrade");
        throw error;
      } finally {
        inner.ended = endedError();
        outer.ambient = undefined;
      }
    });
  }

  /**
   * Runs a script of Lua; resolves to its first result. It may wait for functions of JavaScript; other calls
   * go on meanwhile.
   */
  async executeLua(code: string): Promise<LuaValue> {
    if (typeof code !== "string") throw usageError(`executeLua takes source, not ${described(code)}`);
    return await this.startScript("startEval", code);
  }

  /** Runs a script of Lua: another name of `executeLua`. */
  async executeLuaScript(code: string): Promise<LuaValue> {
    return await this.executeLua(code);
  }

  /** Calls a function of Lua (`"name"`, or `"table.name"`); resolves to its first result. */
  async callLuaFunction(name: string, ...args: unknown[]): Promise<LuaValue> {
    try {
      checkName(name);
    } catch (error) {
      throw usageError(`callLuaFunction: ${(error as Error).message}`, { cause: error });
    }
    return await this.startScript("startCall", name, args);
  }

  /** Makes a call, in its turn. */
  protected send<N extends CallName>(name: N, ...args: CallArguments<N>): Promise<CallResult<N>> {
    return this.run(() => this.session.driver.call(name, ...args));
  }

  /** Starts a script, in its turn. */
  protected startScript<N extends "startEval" | "startCall" | "startCallMod">(
    name: N,
    ...args: CallArguments<N>
  ): Promise<LuaValue> {
    return this.#scope.current.start(() => this.session.driver.call(name, ...args) as Promise<LuaValue>);
  }

  /** Runs work on the driver, in its turn. */
  protected run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    return this.#scope.current.run(work);
  }

  /** Makes a call, in its turn, and takes note of how long it took. */
  #timed<N extends CallName>(sql: string, name: N, ...args: CallArguments<N>): Promise<CallResult<N>> {
    return this.run(() => this.#measured(sql, () => this.session.driver.call(name, ...args)));
  }

  async #measured<T>(sql: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await work();
    } finally {
      this.session.monitor.trackQuery(sql, Math.round((performance.now() - begun) * 100) / 100);
    }
  }

  /** Runs a function between the ends of a transaction, as one call of the scope. */
  #bounded<T, R>(
    call: string,
    scope: Scope,
    work: TransactionFunction<T>,
    timeoutMs: number,
    { begin, commit, rollBack }: Boundary<R>,
  ): Promise<{ result: T; end: R }> {
    if (!isCallable(work)) return Promise.reject(usageError(`${call} takes a function, not ${described(work)}`));
    return scope.run(async () => {
      const depth = await begin();
      const inner = new Scope();
      const isAmbient = work.length === 0;
      if (isAmbient) scope.ambient = inner;
      const leave = () => {
        if (scope.ambient === inner) scope.ambient = undefined;
      };
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        if (timeoutMs === Infinity) return;
        timer = setTimeout(() => reject((inner.ended = lateError(timeoutMs))), timeoutMs);
        (timer as { unref?: () => void }).unref?.();
      });
      // It throws what it throws where it is waited for.
      const working = (async () => await work(new Transaction(this.session, inner)))();
      try {
        const result = await Promise.race([working, late]);
        await Promise.race([inner.idle(), late]);
        clearTimeout(timer);
        inner.ended = endedError();
        leave();
        return { result, end: await commit(depth) };
      } catch (error) {
        clearTimeout(timer);
        const isLate = inner.ended !== undefined && inner.ended === error;
        inner.ended ??= endedError();
        await rollBack(depth - 1);
        // What a function that took too long still calls must not be done outside of the transaction.
        if (isLate) working.then(leave, leave);
        else leave();
        throw error;
      }
    });
  }
}

/** A transaction that is open: the calls that belong to it. */
export class Transaction extends Calls {
  /** @internal */
  constructor(session: Session, scope: Scope) {
    super(session, scope);
  }
}
