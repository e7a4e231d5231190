/* ldebug.c, whose luaG_traceexec is where the interpreter comes when `trap` is set: also when a tick was the last one
   (lua-5.4/patches). Here more fuel is asked for, with the state as an error needs it. */
#define ldebug_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

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
