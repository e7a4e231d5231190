/* lundump.c: binary chunks are refused. A crafted one can make C Lua read and write where it likes, so the code that would
   load one is not even built in. (`load` and the runtime ask for text only; this is the second lock.) */
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
