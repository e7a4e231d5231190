/* lundump.c, replaced: binary chunks are refused. A crafted one can make C Lua read and write any memory, so
   the code that would load it is not compiled in. (`load` and the runtime accept only text as well; this is a
   second line of defence.) */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "ldebug.h"
#include "ldo.h"
#include "lundump.h"

LClosure *luaU_undump(lua_State *L, ZIO *Z, const char *name) {
  (void)Z;
  luaO_pushfstring(L, "%s: binary chunks are refused", name);
  luaD_throw(L, LUA_ERRSYNTAX);
  return NULL;
}
