/** Objects of JavaScript in Lua's hands: with the real module. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, type HostRef, type LuaFunction } from "../src/index.ts";
import { until } from "./time.ts";

class Player {
  x = 1;
  secret = "hidden";
  friend: Player | undefined;
  get double() {
    return this.x * 2;
  }
  move(by = 1) {
    this.x += by;
    return this;
  }
  async later() {
    return this.x;
  }
  fail() {
    throw new RangeError("no");
  }
}

const lua = await Lua.create();

function give(members?: Parameters<Lua["ref"]>[1]): { player: Player; ref: HostRef } {
  const player = new Player();
  const ref = lua.ref(player, members);
  lua.globals.set("player", ref);
  return { player, ref };
}

const refused = (code: string, message: RegExp) =>
  assert.throws(
    () => lua.eval(code),
    (error) => error instanceof LuaError && message.test(error.message),
  );

suite("lua.ref", () => {
  test("gives the members that are listed", () => {
    const { player } = give(["x", "double", "move"]);
    assert.deepEqual(lua.evalAll("return type(player), player.x, player.double"), ["userdata", 1, 2]);
    lua.eval("player:move(4):move()");
    assert.equal(player.x, 6);
    assert.equal(lua.eval("return player.move == player.move"), true);
    refused("return player.secret", /not given the member 'secret' of \[object Player\]/);
    refused("player.x = 5", /must not set the member 'x'/);
    refused("return player[1]", /not given the member/);
    assert.match(lua.eval<string>("return tostring(player)"), /\[object Player\]/);
  });

  test("gives it back as it is", () => {
    const { player, ref } = give(["move"]);
    assert.equal(lua.globals.get("player"), player);
    assert.deepEqual(lua.eval("return { player }"), [player]);
    assert.equal(lua.eval("return player:move()"), player);
    assert.equal(lua.eval("return player:move() == player"), true);
    assert.equal(lua.eval<LuaFunction>("return function(p) return p == player end")(ref), true);
    assert.equal(lua.eval<LuaFunction>("return function(p) return p == player end")(lua.ref(player)), false);
  });

  test("lets Lua write what it may", () => {
    const { player } = give({ read: ["x"], write: ["x"] });
    lua.eval("player.x = player.x + 10");
    assert.equal(player.x, 11);
    lua.eval("player.x = nil");
    assert.equal(player.x, undefined);
  });

  test("is opaque without a list", () => {
    give();
    refused("return player.x", /not given the member/);
    assert.equal(lua.eval("return player == player and next({ [player] = 1 }) == player"), true);
  });

  test("methods want their object, errors and promises are as in any function", async () => {
    const { player } = give({ methods: ["move", "later", "fail"] });
    refused("player.move(1)", /call it with a colon/);
    refused("player.move({}, 1)", /call it with a colon/);
    refused("player:fail()", /RangeError: no/);
    assert.equal(await lua.evalAsync("return player:later()"), player.x);
    refused("player:later()", /'later' returned a promise/);
  });

  test("a member that is an object needs a ref of its own", () => {
    const { player } = give(["friend"]);
    player.friend = new Player();
    refused("return player.friend", /result of 'friend' of \[object Player\]: a Player cannot be given to Lua/);
    (player as { friend: unknown }).friend = lua.ref(player.friend, ["x"]);
    assert.equal(lua.eval("return player.friend.x"), 1);
  });

  test("nothing leads to a class or to globalThis", () => {
    give(["x", "move", "double"]);
    for (const path of [
      "constructor",
      "__proto__",
      "prototype",
      "move.constructor",
      "__index",
      "valueOf",
      "toString",
    ]) {
      assert.equal(lua.tryEval(`return player.${path}`).ok, false, path);
    }
    assert.equal(lua.eval("return getmetatable(player)"), false);
    assert.equal(lua.tryEval("setmetatable(player, {})").ok, false);
    for (const name of ["constructor", "__proto__", "prototype"]) {
      assert.throws(() => lua.ref(new Player(), [name]), TypeError);
    }
  });

  test("belongs to its Lua, and is kept in no table", async () => {
    const { ref } = give();
    const other = await Lua.create();
    assert.throws(() => other.globals.set("p", ref), /another Lua/);
    assert.throws(() => lua.table("t").set("p", ref), /cannot be kept/);
    assert.equal(lua.tryEval("ext.table('t').p = player").ok, false);
    await other.close();
  });

  test("takes objects only", () => {
    for (const no of [1, "x", null, undefined]) assert.throws(() => lua.ref(no as never), TypeError);
  });

  test("lets go of what Lua has forgotten", async () => {
    let collected = 0;
    const registry = new FinalizationRegistry(() => (collected += 1));
    for (let i = 0; i < 100; i++) {
      const player = new Player();
      registry.register(player, 0);
      lua.globals.set("p", lua.ref(player));
    }
    lua.globals.delete("p");
    lua.gc();
    lua.gc();
    await until(() => {
      globalThis.gc?.();
      return collected >= 90;
    });
  });
});
