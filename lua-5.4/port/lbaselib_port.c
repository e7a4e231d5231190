/* lbaselib.c, with a `next` that supports external tables, whose contents are not in the Lua table
   (src/ext/iterate.rs). It is changed here, not replaced by another function, because `pairs` returns this
   one: `next` must be the same value, and as fast.

   Errors of `error` and `assert` return (leave.h), and pcall and xpcall have the interpreter run their function
   (lua-5.4/patches). */
#define lbaselib_c
#define LUA_LIB

#include "lprefix.h"

#include "lua.h"

#include "lobject.h"
#include "lstate.h"
#include "ltable.h"

#include "leave.h"

/* Pushes the first entry of an external table, for `next`. Returns the number of values pushed, negative for
   any other table. */
extern int perilune_next(lua_State *L);

static int next(lua_State *L, int index) {
  const Table *t = hvalue(s2v(L->ci->func.p + index));
  /* The proxy of an external table has a metatable, and is always empty. */
  if (l_unlikely(t->metatable != NULL) && isdummy(t) && t->alimit == 0) {
    int pushed = perilune_next(L);
    if (pushed >= 0) return pushed;
  }
  return lua_next(L, index);
}

#define lua_next next
#define lua_error perilune_raise

/* Found through the include path, because the sources may be outside of this folder. */
#include <lbaselib.c>
