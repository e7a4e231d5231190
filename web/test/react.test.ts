/** Hooks over a capsule, in components that are rendered without a page. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { createElement, type FunctionComponent } from "react";
import { act, create } from "react-test-renderer";
import { useLiveQuery, useRow, useWatch } from "../src/react.ts";
import { failure, open, openSync } from "./capsules.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

/** A component that keeps what its hook returns. */
function watching<T>(hook: (props: { id?: number }) => T): {
  Component: FunctionComponent<{ id?: number }>;
  seen: T[];
} {
  const seen: T[] = [];
  const Component = (props: { id?: number }) => {
    seen.push(hook(props));
    return null;
  };
  return { Component, seen };
}

suite("hooks", () => {
  test("useLiveQuery follows a query, and ends with its component", async () => {
    await using db = open();
    await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name); INSERT INTO items(name) VALUES('a')");
    const { Component, seen } = watching(() =>
      useLiveQuery<{ name: string }>(db, "SELECT name FROM items WHERE id > ?", [0]),
    );
    let root!: ReturnType<typeof create>;
    await act(async () => {
      root = create(createElement(Component));
      await db.stats();
    });
    assert.deepEqual(seen[0], { rows: [], loading: true, error: undefined });
    assert.deepEqual(seen.at(-1), { rows: [{ name: "a" }], loading: false, error: undefined });
    const first = seen.at(-1)?.rows[0];
    await act(() => db.execute("INSERT INTO items(name) VALUES('b')"));
    assert.deepEqual(seen.at(-1)?.rows, [{ name: "a" }, { name: "b" }]);
    assert.equal(seen.at(-1)?.rows[0], first);
    const renders = seen.length;
    await act(() => db.execute("CREATE TABLE other(x)"));
    assert.equal(seen.length, renders);
    // New lists with the same values are the same query.
    await act(async () => root.update(createElement(Component)));
    assert.equal((await db.stats())["liveQueries"], 1);
    await act(async () => root.unmount());
    assert.equal((await db.stats())["liveQueries"], 0);
  });

  test("useLiveQuery says what is wrong", async () => {
    await using db = open();
    db.on("error", () => {});
    const { Component, seen } = watching(() => useLiveQuery(db, "SELECT * FROM nobody"));
    await act(async () => {
      create(createElement(Component));
      await failure(() => db.query("SELECT * FROM nobody"));
      await db.stats();
    });
    assert.match(String(seen.at(-1)?.error?.message), /nobody/);
    assert.equal(seen.at(-1)?.loading, false);
  });

  test("useRow follows a row, and another one when its id changes", async () => {
    const db = openSync();
    db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name); INSERT INTO items VALUES(1, 'a'), (2, 'b')");
    const { Component, seen } = watching(({ id = 1 }) => useRow<{ name: string }>(db, "items", id));
    let root!: ReturnType<typeof create>;
    await act(async () => void (root = create(createElement(Component, { id: 1 }))));
    assert.equal(seen.at(-1)?.name, "a");
    await act(async () => void db.update("items", 1, { name: "A" }));
    assert.equal(seen.at(-1)?.name, "A");
    await act(async () => root.update(createElement(Component, { id: 2 })));
    assert.equal(seen.at(-1)?.name, "b");
    await act(async () => void db.delete("items", 2));
    assert.equal(seen.at(-1), undefined);
    await act(async () => root.unmount());
    await db.close();
  });

  test("useWatch returns the last batch", async () => {
    await using db = open();
    await db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, n)");
    const { Component, seen } = watching(() => useWatch(db, "items", "n > 1").map(({ rowId }) => rowId as number));
    let root!: ReturnType<typeof create>;
    await act(async () => {
      root = create(createElement(Component));
      await db.stats();
    });
    assert.deepEqual(seen.at(-1), []);
    await act(async () => {
      await db.insertMultiple("items", [{ n: 1 }, { n: 2 }, { n: 3 }]);
      await db.flush();
    });
    assert.deepEqual(seen.at(-1), [2, 3]);
    assert.equal(await db.queryScalar("SELECT listener_type FROM _capsule_subscriptions"), "react");
    await act(async () => {
      root.unmount();
      await db.stats();
    });
    assert.equal((await db.stats())["watchers"], 0);
  });
});
