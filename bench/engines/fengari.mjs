// fengari: Lua 5.3 written in JavaScript (32-bit integers, the host's garbage collector).
//
// It converts no tables by itself: the two loops below are what a user of its C-like API would write.

export const name = "fengari";

export async function create() {
  const fengari = (await import("fengari")).default;
  const { lua, lauxlib, lualib, to_luastring } = fengari;
  const L = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(L);

  const fail = () => {
    const message = lua.lua_tojsstring(L, -1);
    lua.lua_settop(L, 0);
    throw new Error(message);
  };

  const toJs = (index) => {
    switch (lua.lua_type(L, index)) {
      case lua.LUA_TNIL:
        return undefined;
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, index);
      case lua.LUA_TNUMBER:
        return lua.lua_tonumber(L, index);
      case lua.LUA_TSTRING:
        return lua.lua_tojsstring(L, index);
      case lua.LUA_TTABLE: {
        const count = lua.lua_rawlen(L, index);
        const list = new Array(count);
        for (let i = 0; i < count; i++) {
          lua.lua_rawgeti(L, index, i + 1);
          list[i] = toJs(lua.lua_gettop(L));
          lua.lua_pop(L, 1);
        }
        return list;
      }
      default:
        throw new Error("the lab converts no such value");
    }
  };

  const push = (value) => {
    if (typeof value === "number") {
      if (Number.isInteger(value)) lua.lua_pushinteger(L, value);
      else lua.lua_pushnumber(L, value);
    } else if (typeof value === "string") {
      lua.lua_pushstring(L, to_luastring(value));
    } else if (Array.isArray(value)) {
      lua.lua_createtable(L, value.length, 0);
      for (let i = 0; i < value.length; i++) {
        push(value[i]);
        lua.lua_rawseti(L, -2, i + 1);
      }
    } else {
      throw new Error("the lab converts no such value");
    }
  };

  return {
    eval(code) {
      if (lauxlib.luaL_loadstring(L, to_luastring(code)) !== lua.LUA_OK) fail();
      if (lua.lua_pcall(L, 0, 1, 0) !== lua.LUA_OK) fail();
      const value = toJs(1);
      lua.lua_settop(L, 0);
      return value;
    },
    global(name) {
      lua.lua_getglobal(L, to_luastring(name));
      if (lua.lua_isfunction(L, -1)) {
        const reference = lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX);
        return (...args) => {
          lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, reference);
          args.forEach(push);
          if (lua.lua_pcall(L, args.length, 1, 0) !== lua.LUA_OK) fail();
          const value = toJs(1);
          lua.lua_settop(L, 0);
          return value;
        };
      }
      const value = toJs(1);
      lua.lua_settop(L, 0);
      return value;
    },
    setGlobal(name, value) {
      push(value);
      lua.lua_setglobal(L, to_luastring(name));
    },
    async register(name, fn) {
      const interop = (await import("fengari-interop")).default;
      interop.luaopen_js(L);
      lua.lua_settop(L, 0);
      // Its calls pass the first argument as `this`.
      interop.push(L, function (...rest) {
        return fn(this, ...rest);
      });
      lua.lua_setglobal(L, to_luastring(name));
    },
    close: () => lua.lua_close(L),
  };
}
