// fengari: Lua 5.3 written in JavaScript (32-bit integers, the host's garbage collector).
//
// It converts no tables by itself, and a function of the host gets Lua's stack: the loops below are what a
// user of its C-like API would write. (Its other package, fengari-interop, gives proxies instead, and its
// calls take about three times as long.)

export const name = "fengari";

export async function create() {
  const fengari = (await import("fengari")).default;
  const { lua, lauxlib, lualib, to_luastring } = fengari;
  const L = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(L);

  /** Throws the error on top of the stack, of which `top` values are the caller's. */
  const fail = (top) => {
    const message = lua.lua_tojsstring(L, -1);
    lua.lua_settop(L, top);
    throw new Error(message);
  };

  const toJs = (L, index) => {
    switch (lua.lua_type(L, index)) {
      case lua.LUA_TNIL:
        return undefined;
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, index);
      case lua.LUA_TNUMBER:
        return lua.lua_tonumber(L, index);
      case lua.LUA_TSTRING:
        return lua.lua_tojsstring(L, index);
      case lua.LUA_TTABLE:
        return tableToJs(L, lua.lua_absindex(L, index));
      default:
        throw new Error("the benchmarks convert no such value");
    }
  };

  /** Converts a table: to a list when it has a length, else to an object, whose keys are strings. */
  const tableToJs = (L, index) => {
    const count = lua.lua_rawlen(L, index);
    if (count > 0) {
      const list = new Array(count);
      for (let i = 0; i < count; i++) {
        lua.lua_rawgeti(L, index, i + 1);
        list[i] = toJs(L, -1);
        lua.lua_pop(L, 1);
      }
      return list;
    }
    const object = {};
    lua.lua_pushnil(L);
    while (lua.lua_next(L, index)) {
      object[lua.lua_tojsstring(L, -2)] = toJs(L, -1);
      lua.lua_pop(L, 1);
    }
    return object;
  };

  const push = (L, value) => {
    if (typeof value === "number") {
      if (Number.isInteger(value)) lua.lua_pushinteger(L, value);
      else lua.lua_pushnumber(L, value);
    } else if (typeof value === "string") {
      lua.lua_pushstring(L, to_luastring(value));
    } else if (Array.isArray(value)) {
      lua.lua_createtable(L, value.length, 0);
      for (let i = 0; i < value.length; i++) {
        push(L, value[i]);
        lua.lua_rawseti(L, -2, i + 1);
      }
    } else if (typeof value === "object" && value !== null) {
      const keys = Object.keys(value);
      lua.lua_createtable(L, 0, keys.length);
      for (const key of keys) {
        push(L, value[key]);
        lua.lua_setfield(L, -2, to_luastring(key));
      }
    } else {
      throw new Error("the benchmarks convert no such value");
    }
  };

  /**
   * The function of Lua on top of the stack. It may be called while a host function runs: what is below
   * stays.
   */
  const functionToJs = () => {
    const reference = lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX);
    return (...args) => {
      const top = lua.lua_gettop(L);
      lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, reference);
      for (let i = 0; i < args.length; i++) push(L, args[i]);
      if (lua.lua_pcall(L, args.length, 1, 0) !== lua.LUA_OK) fail(top);
      const value = toJs(L, -1);
      lua.lua_settop(L, top);
      return value;
    };
  };

  return {
    eval(code) {
      if (lauxlib.luaL_loadstring(L, to_luastring(code)) !== lua.LUA_OK) fail(0);
      if (lua.lua_pcall(L, 0, 1, 0) !== lua.LUA_OK) fail(0);
      const value = toJs(L, -1);
      lua.lua_settop(L, 0);
      return value;
    },
    global(name) {
      lua.lua_getglobal(L, to_luastring(name));
      if (lua.lua_isfunction(L, -1)) return functionToJs();
      const value = toJs(L, -1);
      lua.lua_pop(L, 1);
      return value;
    },
    setGlobal(name, value) {
      push(L, value);
      lua.lua_setglobal(L, to_luastring(name));
    },
    table: (value) => value,
    register(name, fn) {
      lua.lua_pushcfunction(L, (L) => {
        const args = new Array(lua.lua_gettop(L));
        for (let i = 0; i < args.length; i++) args[i] = toJs(L, i + 1);
        let result;
        try {
          result = fn(...args);
        } catch (error) {
          lua.lua_pushstring(L, to_luastring(error.message));
          return lua.lua_error(L);
        }
        if (result === undefined) return 0;
        push(L, result);
        return 1;
      });
      lua.lua_setglobal(L, to_luastring(name));
    },
    close: () => lua.lua_close(L),
  };
}
