/**
 * A browser that closes databases under their users, at every call of IndexedDB that a program makes and at
 * the end of every request: whether the data are cleared or not, nothing is told but `reset`, and what the
 * program has is in storage in the end.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { setUp, type Setup } from "./browser.ts";

/** Loss of a database. */
interface Loss {
  /** Number of the moment at which it does, from 0: a call, or the end of a request. */
  moment: number;
  /** True if the data are cleared. */
  cleared: boolean;
  /** True if the page is told that the database was closed. */
  said: boolean;
  /** Name of the error that transactions have, and requests to open; null: none, and they are opened. */
  error: string | null;
}

/** Report of a page about one run. */
interface Run {
  /** True if the moment came. */
  lost: boolean;
  failure: string;
  codes: string[];
  /** Tables that the program had in the end, and those that storage had. */
  had: unknown[];
  found: unknown[];
}

type Losing = (loss: Loss, database: string) => { lost: () => boolean; end: () => void };

declare const losing: Losing;
/** Runs work in a turn of its own. */
declare const inTurn: (work: () => void) => void;

const ERRORS = [null, "AbortError", "UnknownError"];

suite("a database that the browser closes", () => {
  let setup: Setup;
  let page: Page;
  before(async () => {
    setup = await setUp();
    page = await setup.open();
    await page.evaluate(install);
  });
  after(() => setup.close());

  const everyMoment = async (run: (loss: Loss, name: string) => Promise<Run>) => {
    let lost = 0;
    let resets = 0;
    for (const cleared of [false, true]) {
      for (let moment = 0; ; moment++) {
        const loss = { moment, cleared, said: moment % 2 === 0, error: ERRORS[moment % ERRORS.length]! };
        const found = await run(loss, `lost ${cleared} ${moment}`);
        const what = JSON.stringify([loss, found]);
        assert.equal(found.failure, "", what);
        assert.ok(found.codes.length === 0 || (cleared && found.codes.join() === "reset"), what);
        assert.deepEqual(found.found, found.had, what);
        resets += found.codes.length;
        if (!found.lost) break;
        lost += 1;
      }
    }
    return { lost, resets };
  };

  test("is opened again, by a writer", async () => {
    const { lost, resets } = await everyMoment((loss, name) =>
      page.evaluate(
        async ([loss, name]) => {
          const storage = `idb://${name}`;
          const first = await perilune.Lua.create({ storage });
          first.eval(`local t = ext.table("t") for i = 1, 200 do t[i] = ("x"):rep(i) end t.old = 1`);
          await first.close();
          const { lost, end } = losing(loss, name);
          const run: Run = { lost: false, failure: "", codes: [], had: [], found: [] };
          try {
            const lua = await perilune.Lua.create({ storage });
            lua.on("storage-error", ({ code }) => run.codes.push(code));
            for (let i = 1; i <= 3; i++) {
              lua.eval(`local t = ext.table("t") t.new = ${i} t[${i}] = nil ext.table("u").n = ${i}`);
              for (let flushed = false; !flushed;) {
                flushed = await lua.flush().then(
                  () => true,
                  (error: { code: string }) => error.code !== "reset" && Promise.reject(error),
                );
              }
            }
            end();
            run.had = [[...lua.table("t")], [...lua.table("u")]];
            await lua.close();
            const again = await perilune.Lua.create({ storage });
            run.found = [[...again.table("t")], [...again.table("u")]];
            await again.close();
          } catch (error) {
            run.failure = `${(error as { code?: string }).code}: ${String(error)}`;
          }
          end();
          run.lost = lost();
          return run;
        },
        [loss, name] as const,
      ),
    );
    console.log(`${lost} losses, ${resets} of them told as "reset"`);
    assert.ok(lost > 60 && resets > 10);
  });

  test("is opened again, by one who follows", async () => {
    const { lost } = await everyMoment((loss, name) =>
      page.evaluate(
        async ([loss, name]) => {
          const storage = `idb://${name}, followed`;
          const first = await perilune.Lua.create({ storage });
          first.eval(`local t = ext.table("t") for i = 1, 200 do t[i] = ("x"):rep(i) end`);
          await first.close();
          const { lost, end } = losing(loss, `${name}, followed`);
          const run: Run = { lost: false, failure: "", codes: [], had: [], found: [] };
          try {
            const lua = await perilune.Lua.create({ storage, readOnly: true });
            lua.on("storage-error", ({ code }) => run.codes.push(code));
            end();
            const writer = await perilune.Lua.create({ storage });
            writer.eval(`ext.table("t").n = 1`);
            await writer.flush();
            while (lua.table("t").get("n") !== 1) await new Promise<void>(inTurn);
            run.had = [...writer.table("t")];
            run.found = [...lua.table("t")];
            await Promise.all([lua.close(), writer.close()]);
          } catch (error) {
            run.failure = `${(error as { code?: string }).code}: ${String(error)}`;
          }
          end();
          run.lost = lost();
          return run;
        },
        [loss, name] as const,
      ),
    );
    console.log(`${lost} losses`);
    assert.ok(lost > 10);
  });
});

/** Makes the function `losing` in the page. */
function install(): void {
  const replaced: [object, string, unknown][] = [];
  const { open, deleteDatabase } = IDBFactory.prototype;

  const losing: Losing = ({ moment, cleared, said, error }, database) => {
    const connections = new Set<IDBDatabase>();
    const transactions = new Set<IDBTransaction>();
    let moments = 0;
    let isLost = false;

    /** Counts a moment; true if it is the one. */
    const comes = (): boolean => {
      if (isLost || moments++ !== moment) return false;
      isLost = true;
      for (const transaction of transactions) {
        if (error !== null) {
          Object.defineProperty(transaction, "error", { value: new DOMException("it is closing", error) });
        }
        try {
          transaction.abort();
        } catch {
          // It is at its end.
        }
      }
      for (const connection of connections) connection.close();
      if (cleared) deleteDatabase.call(indexedDB, `perilune/${database}`);
      if (said) for (const connection of connections) inTurn(() => connection.dispatchEvent(new Event("close")));
      connections.clear();
      return true;
    };

    const noting = (request: IDBRequest): IDBRequest => {
      request.addEventListener("success", () => void comes());
      return request;
    };

    const replace = (target: object, name: string, make: (original: Function) => Function) => {
      const original = Reflect.get(target, name) as Function;
      replaced.push([target, name, original]);
      Reflect.set(target, name, make(original));
    };

    replace(
      IDBFactory.prototype,
      "open",
      () =>
        function (this: IDBFactory, ...args: [string, number?]) {
          if (comes() && error !== null) {
            const failing = { error: new DOMException("it is closing", error), onerror: () => {} };
            inTurn(() => failing.onerror());
            return failing;
          }
          const request = open.apply(this, args);
          request.addEventListener("upgradeneeded", () => {
            connections.add(request.result);
            transactions.add(request.transaction!);
            comes();
          });
          request.addEventListener("success", () => {
            connections.add(request.result);
            comes();
          });
          return request;
        },
    );
    replace(
      IDBDatabase.prototype,
      "transaction",
      (original) =>
        function (this: IDBDatabase, ...args: unknown[]) {
          comes();
          const transaction = original.apply(this, args) as IDBTransaction;
          transactions.add(transaction);
          for (const end of ["complete", "abort"])
            transaction.addEventListener(end, () => transactions.delete(transaction));
          return transaction;
        },
    );
    for (const name of ["put", "delete", "clear", "get", "getAll", "getAllKeys", "count"]) {
      replace(
        IDBObjectStore.prototype,
        name,
        (original) =>
          function (this: IDBObjectStore, ...args: unknown[]) {
            comes();
            return noting(original.apply(this, args) as IDBRequest);
          },
      );
    }
    return {
      lost: () => isLost,
      end() {
        for (const [target, name, original] of replaced.splice(0)) Reflect.set(target, name, original);
        moments = Infinity;
      },
    };
  };
  const inTurn = (work: () => void) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      work();
    };
    port2.postMessage(0);
  };
  Object.assign(globalThis, { losing, inTurn });
}
