/* gc_pause.c: no collection step, and so no finalizer, between perilune_gc_pause and perilune_gc_resume; what was allocated meanwhile
   is owed to the collector afterwards. Lua's own LUA_GCSTOP would forget both: how long the collector meant to wait, and
   what was allocated while it stood still. (An emergency collection still runs when memory is short; that one calls no
   finalizers.) */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "lstate.h"

/* More than any one value holds: the collector does not wake up before that. */
#define PAUSED_DEBT (-((l_mem)1 << 30))

struct perilune_gc_debt {
  ptrdiff_t debt;
  size_t total;
};

void perilune_gc_pause(lua_State *L, struct perilune_gc_debt *before) {
  global_State *g = G(L);
  before->debt = g->GCdebt;
  before->total = gettotalbytes(g);
  luaE_setdebt(g, PAUSED_DEBT);
}

void perilune_gc_resume(lua_State *L, const struct perilune_gc_debt *before) {
  global_State *g = G(L);
  luaE_setdebt(g, before->debt + (l_mem)(gettotalbytes(g) - before->total));
  luaC_checkGC(L);
}
