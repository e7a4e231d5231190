/* ltablib.c, with a tick of fuel for each element, because `__len` may claim 2^53 of them. */
#define ltablib_c
#define LUA_LIB

#include "lprefix.h"

#include "lua.h"

#include "fuel.h"

#define lua_geti(L, index, n) (perilune_tick(L), lua_geti(L, index, n))
#define lua_compare(L, a, b, op) (perilune_tick(L), lua_compare(L, a, b, op))

#include <ltablib.c>
