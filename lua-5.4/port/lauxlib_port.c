/* lauxlib.c, whose string buffers ask the allocator directly, past Lua's own "collect and try again": a script in a full
   but mostly dead heap would get "not enough memory" from string.rep. Here a buffer that cannot grow collects first. */
#define lauxlib_c
#define LUA_LIB

#include "lprefix.h"

#include "lua.h"

static void *allocate_or_collect(void *state, void *block, size_t old_size, size_t new_size) {
  lua_State *L = (lua_State *)state;
  void *memory;
  lua_Alloc allocate = lua_getallocf(L, &memory);
  void *result = allocate(memory, block, old_size, new_size);
  if (result == NULL && new_size > 0) {
    lua_gc(L, LUA_GCCOLLECT);
    result = allocate(memory, block, old_size, new_size);
  }
  return result;
}

static lua_Alloc collecting_allocator(lua_State *L, void **memory) {
  *memory = L;
  return allocate_or_collect;
}

#define lua_getallocf collecting_allocator

/* Found through the include path: the sources may lie outside this folder. */
#include <lauxlib.c>
