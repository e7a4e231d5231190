/* ldo.c, with a limit of Lua's stack that belongs to the VM instead of the build. With LUAI_MAXSTACK (a
   million slots, 16 MB) a runaway recursion in a small VM would end in "not enough memory"; with the VM's
   limit it ends in "stack overflow", with a traceback. The allocator's userdata begins with the limit
   (src/lua/alloc.rs). LUAI_MAXSTACK keeps its value everywhere else, because LUA_REGISTRYINDEX is derived
   from it.

   Also a protected call for functions that undo something and raise the error again. */
#define ldo_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK (*(const int *)G(L)->ud)

/* Found through the include path, because the sources may be outside of this folder. */
#include <ldo.c>

static void call(lua_State *L, void *function) { luaD_callnoyield(L, *(StkId *)function, LUA_MULTRET); }

/* lua_pcall with all results, under the current message handler. The handler sees an error where it is
   raised, with the whole stack, so the error can be raised again without calling it a second time
   (perilune_raise_past_handlers). [-(arguments + 1), +(results|1), -] */
int perilune_call_under_handler(lua_State *L, int arguments) {
  StkId function = L->top.p - (arguments + 1);
  int status = luaD_pcall(L, call, &function, savestack(L, function), L->errfunc);
  if (L->ci->top.p < L->top.p) L->ci->top.p = L->top.p;
  return status;
}
