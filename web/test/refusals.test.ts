/** Refusals of the platform: the documented code, and the original as the cause. */
import assert from "node:assert/strict";
import { afterEach, suite, test } from "node:test";
import { Lua, LuaMemoryError, LuaStorageError } from "../src/index.ts";

interface Request {
  result?: unknown;
  error?: unknown;
  onsuccess?: () => void;
  onerror?: () => void;
  onblocked?: () => void;
}

/** Puts a database in the place of the platform's. */
function platform(open: (() => Request) | undefined, locks?: object): void {
  const value = open && { open, deleteDatabase: open };
  Object.defineProperty(globalThis, "indexedDB", { value, configurable: true, writable: true });
  if (locks !== undefined) Object.defineProperty(navigator, "locks", { value: locks, configurable: true });
}

async function refusalOf(options: object): Promise<LuaStorageError> {
  const error = await Lua.create({ storage: "idb://x", ...options }).then(
    () => assert.fail("it opened"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof LuaStorageError, String(error));
  return error;
}

// Older versions of Node have none.
globalThis.navigator ??= {} as Navigator;
const { indexedDB } = globalThis;
const locks = Object.getOwnPropertyDescriptor(navigator, "locks");

suite("IndexedDB", () => {
  afterEach(() => {
    Object.defineProperty(globalThis, "indexedDB", { value: indexedDB, configurable: true, writable: true });
    delete (navigator as { locks?: unknown }).locks;
    if (locks !== undefined) Object.defineProperty(navigator, "locks", locks);
  });

  const readers = [{}, { readOnly: true }];

  test("is not there", async () => {
    for (const options of readers) {
      platform(undefined);
      assert.equal((await refusalOf(options)).code, "unavailable");
      Object.defineProperty(globalThis, "indexedDB", { value: null, configurable: true, writable: true });
      assert.equal((await refusalOf(options)).code, "unavailable");
    }
  });

  test("throws when it is asked for, and when it is opened", async () => {
    for (const options of readers) {
      for (const name of ["SecurityError", "InvalidStateError", "NotSupportedError", "NotAllowedError"]) {
        const original = new DOMException("no storage for you", name);
        const refuse = () => {
          throw original;
        };
        Object.defineProperty(globalThis, "indexedDB", { get: refuse, configurable: true });
        const asked = await refusalOf(options);
        assert.deepEqual([asked.code, asked.cause], ["unavailable", original]);
        platform(refuse);
        const opened = await refusalOf(options);
        assert.deepEqual([opened.code, opened.cause], ["unavailable", original]);
        assert.match(opened.message, /no storage for you/);
      }
    }
  });

  test("answers with an error: some are refusals, others are not", async () => {
    for (const options of readers) {
      for (const [name, code] of [
        ["InvalidStateError", "unavailable"],
        ["SecurityError", "unavailable"],
        ["UnknownError", "unavailable"],
        ["QuotaExceededError", "quota"],
        ["AbortError", "host"],
      ] as const) {
        const original = new DOMException("because", name);
        platform(() => {
          const request: Request = { error: original };
          queueMicrotask(() => request.onerror?.());
          return request;
        });
        const error = await refusalOf(options);
        assert.deepEqual([error.code, error.cause], [code, original], name);
      }
    }
  });

  test("the lock is refused", async () => {
    const original = new DOMException("denied in this context", "SecurityError");
    platform(() => ({}), { request: () => Promise.reject(original) });
    const error = await refusalOf({});
    assert.deepEqual([error.code, error.cause], ["unavailable", original]);
  });

  test("never answers: the time is over, and a late answer is closed again", async () => {
    for (const options of readers) {
      let closed = 0;
      const requests: Request[] = [];
      platform(() => {
        const request: Request = { result: { close: () => (closed += 1) } };
        requests.push(request);
        return request;
      });
      const error = await refusalOf({ ...options, openTimeout: 1 });
      assert.equal(error.code, "unavailable");
      assert.match(error.message, /has not answered for 1 ms/);
      assert.equal(error.cause, undefined);
      requests[0]?.onsuccess?.();
      assert.equal(closed, 1);
    }
  });

  test("is blocked: as long as lockTimeout says", async () => {
    platform(() => {
      const request: Request = { result: { close: () => {} } };
      queueMicrotask(() => request.onblocked?.());
      return request;
    });
    assert.equal((await refusalOf({ lockTimeout: 1 })).code, "locked");
  });
});

suite("WebAssembly", () => {
  const { instantiate } = WebAssembly;
  afterEach(() => {
    WebAssembly.instantiate = instantiate;
  });

  test("has no memory for one more VM", async () => {
    for (const original of [
      new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance"),
      Object.assign(new Error("out of memory"), { name: "InternalError" }),
    ]) {
      WebAssembly.instantiate = (() => Promise.reject(original)) as never;
      await assert.rejects(Lua.create(), (error) => {
        assert.ok(error instanceof LuaMemoryError);
        assert.equal(error.kind, "memory");
        assert.equal(error.cause, original);
        return true;
      });
    }
  });

  test("refuses the module: that is no matter of memory", async () => {
    const original = new WebAssembly.LinkError("an import is missing");
    WebAssembly.instantiate = (() => Promise.reject(original)) as never;
    await assert.rejects(Lua.create(), (error) => error === original);
  });
});
