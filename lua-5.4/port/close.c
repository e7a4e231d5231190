/* close.c: closes the variables of a thread that are to be closed, all of them, as the end of a state does (lstate.c,
   close_state), but from inside of a function that runs in it and never returns (os.exit with `close`). */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lfunc.h"
#include "lstate.h"

/* Calls the closing methods of the thread that runs, the last variable first. When one raises, it is closed, and the
   next call goes on with those that are left. [-0, +0, e] */
void perilune_close_variables(lua_State *L) {
  luaF_close(L, L->stack.p + 1, CLOSEKTOP, 0);
}
