/* gc_pause.c: no collection step, and so no finalizer, between perilune_hold and perilune_release; what was allocated meanwhile
   is owed to the collector afterwards. Lua's own LUA_GCSTOP would forget both: how long the collector meant to wait, and
   what was allocated while it stood still. (An emergency collection still runs when memory is short; that one calls no
   finalizers.) */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "lstate.h"

/* More than any one value holds: the collector does not wake up before that. */
#define HELD_DEBT (-((l_mem)1 << 30))

struct perilune_held {
  ptrdiff_t debt;
  size_t total;
};

void perilune_hold(lua_State *L, struct perilune_held *held) {
  global_State *g = G(L);
  held->debt = g->GCdebt;
  held->total = gettotalbytes(g);
  luaE_setdebt(g, HELD_DEBT);
}

void perilune_release(lua_State *L, const struct perilune_held *held) {
  global_State *g = G(L);
  luaE_setdebt(g, held->debt + (l_mem)(gettotalbytes(g) - held->total));
  luaC_checkGC(L);
}
