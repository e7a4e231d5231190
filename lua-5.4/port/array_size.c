/* array_size.c: how many keys, from 1 on, a table keeps in its array part. A traversal that has read those as a list can begin
   behind them: for lua_next, any key of the array part is a place to go on from. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lobject.h"
#include "ltable.h"

/* `table` is what lua_topointer gave for a table. */
unsigned int perilune_array_size(const void *table) { return luaH_realasize((const Table *)table); }
