/* ldo.c, with a limit of Lua's stack that belongs to the VM instead of the build: LUAI_MAXSTACK (a million slots, 16 MB)
   would make a runaway recursion end as "not enough memory" in a small VM; this way it is "stack overflow", with a
   traceback. The allocator's userdata begins with the limit (src/lua/alloc.rs). LUAI_MAXSTACK keeps its value everywhere
   else, because LUA_REGISTRYINDEX is derived from it.

   And a protected call for those who undo something and raise again. */
#define ldo_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK (*(const int *)G(L)->ud)

/* Found through the include path: the sources may lie outside this folder. */
#include <ldo.c>

static void call(lua_State *L, void *function) { luaD_callnoyield(L, *(StkId *)function, LUA_MULTRET); }

/* lua_pcall with all results, under the message handler that is in force: it sees an error where that is raised, with the whole stack,
   and whoever raises it again (perilune_raise_past_handlers) need not ask another time. [-(arguments + 1), +(results|1), -] */
int perilune_call_under_handler(lua_State *L, int arguments) {
  StkId function = L->top.p - (arguments + 1);
  int status = luaD_pcall(L, call, &function, savestack(L, function), L->errfunc);
  if (L->ci->top.p < L->top.p) L->ci->top.p = L->top.p;
  return status;
}
