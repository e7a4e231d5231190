/* lstrlib.c, fixed for a size_t of 32 bits. Its posrelatI truncates a position to size_t, so that 2^32 would
   become 0 and string.sub would read the byte before the string. Here a position past the end of every string
   stays one. Also fuel for the bytes that its functions look at. */
#define lstrlib_c
#define LUA_LIB

#include "lprefix.h"

#include <stdint.h>

#include "lua.h"

#include "lauxlib.h"

#include "charged.h"

static lua_Integer fit_position(lua_Integer position) {
  return position > (lua_Integer)UINT32_MAX && SIZE_MAX == UINT32_MAX ? (lua_Integer)UINT32_MAX : position;
}

/* Every optional integer of the file is a position. */
#define luaL_optinteger(L, arg, def) fit_position(luaL_optinteger(L, arg, def))
/* Of the other integers, those at argument 2: the position of string.sub, and the count of string.rep, which
   has no possible result past this limit either. */
#define luaL_checkinteger(L, arg) \
  (#arg[0] == '2' ? fit_position(luaL_checkinteger(L, arg)) : luaL_checkinteger(L, arg))

/* Found through the include path, because the sources may be outside of this folder. */
#include <lstrlib.c>
