/* strip.c: removes the line numbers and the names of local variables from a function, as lua_dump with
   `strip` would, which is not available because binary chunks are refused. For Lua code of Perilune's own: it
   takes less memory, and errors that it raises for its caller do not name its lines. */
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

/* Strips the Lua function on top of the stack, and the functions inside it. [-0, +0, -] */
void perilune_strip(lua_State *L) {
  strip(L, clLvalue(s2v(L->top.p - 1))->p);
}
