/* hold.c: no collection step, and so no finalizer, between perilune_hold and perilune_release. Lua's own LUA_GCSTOP would
   do, but its counterpart forgets how long the collector meant to wait. An emergency collection still runs when memory is
   short, and that one calls no finalizers. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#define HELD 8 /* lgc.h uses 1, 2 and 4 */

/* Returns whether it was held before: then the matching release is not ours. */
int perilune_hold(lua_State *L) {
  int before = G(L)->gcstp & HELD;
  G(L)->gcstp |= HELD;
  return before;
}

void perilune_release(lua_State *L) { G(L)->gcstp &= (lu_byte)~HELD; }
