/* gc_pause.c: pauses the collector. Between perilune_gc_pause and perilune_gc_resume there is no collection
   step, and so no finalizer; the bytes by which memory grew meanwhile are added to the collector's debt
   afterwards.
   Lua's own LUA_GCSTOP would lose both, the debt from before and the bytes allocated during the pause. (An
   emergency collection still runs when memory is short, but it calls no finalizers. It sets the debt anew, so
   the debt alone would not keep the pause.) */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "lstate.h"

/* The debt during the pause. The collector runs when the debt is positive, so not before this many bytes are
   allocated, which is more than any one value takes. */
#define PAUSE_DEBT (-((l_mem)1 << 30))

struct perilune_gc_debt {
  ptrdiff_t debt;
  size_t total;
  int stopped;
};

void perilune_gc_pause(lua_State *L, struct perilune_gc_debt *before) {
  global_State *g = G(L);
  before->debt = g->GCdebt;
  before->total = gettotalbytes(g);
  before->stopped = g->gcstp;
  g->gcstp |= GCSTPGC;
  luaE_setdebt(g, PAUSE_DEBT);
}

void perilune_gc_resume(lua_State *L, const struct perilune_gc_debt *before) {
  global_State *g = G(L);
  g->gcstp = (lu_byte)before->stopped;
  size_t total = gettotalbytes(g);
  /* What an emergency collection freed does not make the collector wait longer, and the finalizers that it
     left run now. */
  if (g->GCdebt > PAUSE_DEBT / 2 && g->tobefnz != NULL)
    luaE_setdebt(g, 1);
  else
    luaE_setdebt(g, before->debt + (total > before->total ? (l_mem)(total - before->total) : 0));
  luaC_checkGC(L);
}
