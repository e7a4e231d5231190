/* strip.c: takes the lines and the names of local variables from a function, as lua_dump with `strip` would. Binary chunks are
   refused here, so that is not a way. For code of Perilune's own: it takes less memory, and errors that it raises for its caller do
   not name its lines. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lmem.h"
#include "lobject.h"
#include "lstate.h"

static void strip(lua_State *L, Proto *p) {
  int i;
  luaM_freearray(L, p->lineinfo, p->sizelineinfo);
  luaM_freearray(L, p->abslineinfo, p->sizeabslineinfo);
  luaM_freearray(L, p->locvars, p->sizelocvars);
  p->lineinfo = NULL;
  p->abslineinfo = NULL;
  p->locvars = NULL;
  p->sizelineinfo = p->sizeabslineinfo = p->sizelocvars = 0;
  for (i = 0; i < p->sizep; i++) strip(L, p->p[i]);
}

/* The Lua function on top of the stack, and those inside it. [-0, +0, -] */
void perilune_strip(lua_State *L) {
  strip(L, clLvalue(s2v(L->top.p - 1))->p);
}
