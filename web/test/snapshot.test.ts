/** Images of whole VMs: made, and restored. */
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

suite("a VM that is full", () => {
  /** Blocks of sizes that leave rests too small for another one. */
  const FILL = `
    kept = {}
    local i = 0
    return pcall(function()
      while true do
        i = i + 1
        kept[i] = { id = i, name = "item " .. i, value = i * 1.5, read = function() return i end }
        if i % 50 == 0 then
          local steps = coroutine.wrap(function() for k = 1, 3 do coroutine.yield(k) end end)
          steps()
          kept[-i] = steps
        end
      end
    end)`;

  test("answers the host, has an image made of it, and goes on elsewhere", async () => {
    const lua = await Lua.create();
    assert.equal(lua.eval(FILL), false);
    // The first makes a string of its own.
    lua.stats();
    const { memory } = lua.stats();
    assert.ok(memory.luaUsed > 1.4 * 2 ** 20, `only ${memory.luaUsed} bytes are in use`);
    const image = lua.snapshot();
    // Nothing was needed for it, and nothing changed.
    assert.equal(lua.stats().memory.luaUsed, memory.luaUsed);
    const other = await Lua.restore(image);
    assert.equal(other.stats().memory.luaUsed, memory.luaUsed);
    assert.deepEqual(other.evalAll("return #kept, kept[7].id, kept[-50]()"), [lua.eval("return #kept"), 7, 2]);
    other.eval("kept = nil");
    other.gc();
    assert.equal(other.eval("return ('x'):rep(300000):len()"), 300_000);
  });

  test("leaves nothing of what it has freed in an image", async () => {
    const lua = await Lua.create();
    const { length } = lua.snapshot();
    lua.eval("local t = {} for i = 1, 7000 do t[i] = { i, 'a secret ' .. i } end");
    lua.gc();
    const after = lua.snapshot();
    assert.ok(after.length < 1.2 * length, `${after.length} bytes, and ${length} at first`);
    const other = await Lua.restore(after);
    const { memory } = other.stats();
    assert.ok(memory.used > 2 ** 20 && memory.luaUsed < 64 * 1024, "it had room for the secrets");
  });
});
