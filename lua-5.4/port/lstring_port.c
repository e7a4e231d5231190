/* lstring.c, in which creating strings and comparing long ones uses fuel by bytes. */
#define lstring_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#include "lobject.h"

#include "copy.h"
#include "fuel.h"

#define memcpy(to, from, n) (perilune_charge(n), perilune_copy(to, from, n))
#define memcmp(a, b, n) (perilune_charge(n), memcmp(a, b, n))
#define luaS_createlngstrobj perilune_create_long
#include <lstring.c>
#undef luaS_createlngstrobj

LUAI_FUNC TString *luaS_createlngstrobj(lua_State *L, size_t l) {
  TString *string = perilune_create_long(L, l);
  perilune_charge(l);
  return string;
}
