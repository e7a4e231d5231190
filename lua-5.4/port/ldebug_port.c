/* ldebug.c, with a luaG_traceexec that asks for more fuel. The interpreter calls it when `trap` is set, which
   the patches (lua-5.4/patches) also do when the last tick is used up. The state is saved first, because
   asking may raise an error. Messages begin with the whole name of their chunk (lua-5.4/patches). And levels of calls
   from their outer end (levels.h). */
#define ldebug_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "chunk_name.h"
#include "fuel.h"
#include "jit.h"
#include "levels.h"

#define luaG_traceexec perilune_trace_hooks
#include <ldebug.c>
#undef luaG_traceexec

static void refuel(lua_State *L, const Instruction *pc) {
  CallInfo *ci = L->ci;
  ci->u.l.savedpc = pc + 1;
  if (!isIT(*pc)) L->top.p = ci->top.p;
  perilune_refuel(L);
}

LUAI_FUNC int luaG_traceexec(lua_State *L, const Instruction *pc) {
  if (l_unlikely(perilune_fuel < 0)) {
    refuel(L, pc);
    perilune_jit_sample(L);
  }
  if (perilune_jit_watches(L)) return perilune_jit_watch(L, pc);
  return perilune_trace_hooks(L, pc);
}

int perilune_last_level(lua_State *L) {
  const CallInfo *ci;
  int levels = 0;
  for (ci = L->ci; ci != &L->base_ci; ci = ci->previous) levels++;
  perilune_charge_steps(levels);
  return levels > 1 ? levels - 1 : 0;
}

int perilune_level(lua_State *L, int level, int last, lua_Debug *ar) {
  CallInfo *ci = &L->base_ci;
  int steps;
  if (last > 0 && level > last) return 0;
  if (level <= last / 2 || last == 0) return lua_getstack(L, level, ar);
  for (steps = last - level + 1; steps > 0; steps--) ci = ci->next;
  perilune_charge_steps(last - level);
  ar->i_ci = ci;
  return 1;
}
