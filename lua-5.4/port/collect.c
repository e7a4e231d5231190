/* collect.c: a full collection for whoever finds no memory, as luaM_malloc_ makes it before it gives up:
   without finalizers, and without moving any stack. For those who do not ask luaM_malloc_: Lua's stacks, the
   buffers of lauxlib, and Rust's own allocations (src/lua/emergency.rs). Also the mark of userdata that own a
   block. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "lstate.h"

#include "memory.h"

/* Collects, unless the state is being made or a step of the collector runs; 1 if it did. [-0, +0, -] */
int perilune_collect(lua_State *L) {
  global_State *g = G(L);
  if (!completestate(g) || g->gcstopem || g->gcemergency) return 0;
  luaC_fullgc(L, 1);
  return 1;
}

void perilune_own_block(lua_State *L) {
  Udata *userdata = uvalue(s2v(L->top.p - 1));
  l_setbit(userdata->marked, PERILUNE_OWNER_BIT);
}
