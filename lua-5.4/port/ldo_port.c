/* ldo.c, with a limit of Lua's stack that belongs to the VM instead of the build: LUAI_MAXSTACK (a million slots, 16 MB)
   would make a runaway recursion end as "not enough memory" in a small VM; this way it is "stack overflow", with a
   traceback. The allocator's userdata begins with the limit (src/lua/alloc.rs). LUAI_MAXSTACK keeps its value everywhere
   else, because LUA_REGISTRYINDEX is derived from it. */
#define ldo_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK (*(const int *)G(L)->ud)

/* Found through the include path: the sources may lie outside this folder. */
#include <ldo.c>
