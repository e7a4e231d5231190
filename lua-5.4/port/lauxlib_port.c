/* lauxlib.c, with whole names of chunks in messages and tracebacks (lua-5.4/patches), and with string buffers
   that collect garbage when they cannot grow. The original calls the allocator directly, without Lua's own
   "collect and try again", so that string.rep would fail with "not enough memory" in a heap that is full of
   garbage. */
#define lauxlib_c
#define LUA_LIB

#include "lprefix.h"

#include "lua.h"

#include "chunk_name.h"
#include "memory.h"

static void *allocate_or_collect(void *state, void *block, size_t old_size, size_t new_size) {
  lua_State *L = (lua_State *)state;
  void *memory;
  lua_Alloc allocate = lua_getallocf(L, &memory);
  void *result = allocate(memory, block, old_size, new_size);
  if (result == NULL && new_size > 0 && perilune_collect(L)) result = allocate(memory, block, old_size, new_size);
  return result;
}

static lua_Alloc collecting_allocator(lua_State *L, void **memory) {
  *memory = L;
  return allocate_or_collect;
}

#define lua_getallocf collecting_allocator

/* Found through the include path, because the sources may be outside of this folder. */
#include <lauxlib.c>
