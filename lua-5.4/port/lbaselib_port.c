/* lbaselib.c, whose `next` does not take an external table for an empty one: its contents are elsewhere (src/ext/iterate.rs). Here, and
   not in a function of our own, because `pairs` gives this one: it must be the same value, and as fast. */
#define lbaselib_c
#define LUA_LIB

#include "lprefix.h"

#include "lua.h"

#include "lobject.h"
#include "lstate.h"
#include "ltable.h"

/* The first entry of an external table, for a `next` that runs: how many values it pushed, negative for any other table. */
extern int perilune_next(lua_State *L);

static int next(lua_State *L, int index) {
  const Table *t = hvalue(s2v(L->ci->func.p + index));
  /* A proxy has a metatable, and nothing in it, ever. */
  if (l_unlikely(t->metatable != NULL) && isdummy(t) && t->alimit == 0) {
    int pushed = perilune_next(L);
    if (pushed >= 0) return pushed;
  }
  return lua_next(L, index);
}

#define lua_next next

/* Found through the include path: the sources may lie outside this folder. */
#include <lbaselib.c>
