/** Images of whole VMs: made, and woken up. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua } from "../src/index.ts";

suite("an image", () => {
  test("has globals, closures that share a variable, coroutines and tables", async () => {
    const lua = await Lua.create();
    lua.eval(`
      local shared = 40
      function add() shared = shared + 1 return shared end
      function get() return shared end
      numbers = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end return "end" end)
      numbers()
      add()
      ext.table("kept").here = "still"
    `);
    const other = await Lua.restore(lua.snapshot());
    assert.deepEqual(other.evalAll("return add(), get(), numbers(), ext.table('kept').here"), [42, 42, 2, "still"]);
    // Neither knows of the other.
    assert.deepEqual(lua.evalAll("return get(), numbers()"), [41, 2]);
  });
});
