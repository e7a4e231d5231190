/** Leaks of images: nothing grows in a chain of VMs, each restored from an image of the last. */
import assert from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import { Lua } from "../src/index.ts";

/** 10,000 with PERILUNE_LONG=1. */
const ROUNDS = process.env.PERILUNE_LONG === undefined ? 2_000 : 10_000;

test(`${ROUNDS} rounds of snapshot, restore, eval and close`, async () => {
  const functions = { twice: (x: number) => 2 * x };
  let lua = await Lua.create({ functions, seed: 1 });
  lua.register("thing", () => lua.ref({ a: 1 }, ["a"]));
  lua.register("fail", () => { throw new Error("mine") }); // prettier-ignore
  lua.eval("n = 0; kept = {}; waits = coroutine.wrap(function() while true do coroutine.yield(n) end end)");
  void lua.evalAsync("while true do async.sleep(60000) end").catch(() => {});
  const seen: { image: number; used: number; lua: number; handles: number; ids: number; top: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const image = lua.snapshot();
    const meta = new TextDecoder().decode(image.subarray(48, 48 + new DataView(image.buffer).getUint32(36, true)));
    const next = round % 10 === 9 ? await lua.fork() : await Lua.restore(image, { functions });
    await lua.close();
    lua = next;
    next.register("thing", () => next.ref({ a: 1 }, ["a"]));
    next.register("fail", () => { throw new Error("mine") }); // prettier-ignore
    next.eval(`
      n = n + 1
      kept[n % 5] = { thing(), select(2, pcall(fail)), ("x"):rep(n % 100), waits() }
      local t = ext.table("t") t[n % 7] = n
      assert(twice(n) == 2 * n)`);
    // Held by JavaScript, and let go with the VM.
    next.eval("return function() end, coroutine.create(print)");
    next.gc();
    const { memory, handles } = next.stats();
    const { host } = JSON.parse(meta) as { host: [id: number][] };
    seen.push({
      image: image.length,
      used: memory.used,
      lua: memory.luaUsed,
      handles,
      ids: host.length,
      top: Math.max(...host.map(([id]) => id)),
    });
  }
  assert.equal(lua.eval("return n"), ROUNDS);
  assert.equal(lua.restored?.tasks.length, 1);
  const most = (key: keyof (typeof seen)[0], from: number, to: number) =>
    Math.max(...seen.slice(from, to).map((one) => one[key]));
  for (const [key, more] of [
    ["image", 4096],
    ["used", 0],
    ["lua", 256],
    ["handles", 0],
    ["ids", 0],
    ["top", 0],
  ] as const)
    // prettier-ignore
    assert.ok(
      most(key, ROUNDS - 400, ROUNDS) <= most(key, 100, 500) + more,
      `${key}: ${most(key, 100, 500)} at first, ${most(key, ROUNDS - 400, ROUNDS)} at the end`,
    );
  await lua.close();
});
