/* ldebug.c, with a luaG_traceexec that asks for more fuel. The interpreter calls it when `trap` is set, which
   the patches (lua-5.4/patches) also do when the last tick is used up. The state is saved first, because
   asking may raise an error. Messages begin with the whole name of their chunk (lua-5.4/patches). */
#define ldebug_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "chunk_name.h"
#include "fuel.h"

#define luaG_traceexec perilune_trace_hooks
#include <ldebug.c>
#undef luaG_traceexec

LUAI_FUNC int luaG_traceexec(lua_State *L, const Instruction *pc) {
  if (l_unlikely(perilune_fuel < 0)) {
    CallInfo *ci = L->ci;
    ci->u.l.savedpc = pc + 1;
    if (!isIT(*pc)) L->top.p = ci->top.p;
    perilune_refuel(L);
  }
  return perilune_trace_hooks(L, pc);
}
