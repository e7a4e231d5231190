/* lauxlib.c, with whole names of chunks in messages and tracebacks (lua-5.4/patches), and with string buffers
   that collect garbage when they cannot grow. The original calls the allocator directly, without Lua's own
   "collect and try again", so that string.rep would fail with "not enough memory" in a heap that is full of
   garbage.

   Also fuel for the bytes that buffers copy, and a bound for the search of a function's name in package.loaded,
   which error messages and tracebacks do for each level, and which a script could make as long as it likes. */
#define lauxlib_c
#define LUA_LIB

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#include "lauxlib.h"

#include "charged.h"
#include "chunk_name.h"
#include "levels.h"
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

/* How often a buffer grows depends on the size of pointers: what it moves then (to a `newbuff`) is no fuel. */
#undef memcpy
#define memcpy(to, from, n) ((void)(#to[0] == 'n' || (perilune_charge(n), 0)), memcpy(to, from, n))

/* Entries that one search looks at. The libraries have some 150. */
#define NAMES_MAX 1024

/* Ticks of one search. How many entries it looks at depends on the seed of the hash, so they are no fuel. */
#define SEARCH_TICKS 16

/* Entries that the search under way may still look at: pushglobalfuncname begins with lua_getinfo. */
static PERILUNE_PER_THREAD int names_left = 0;

static int begin_search(lua_State *L, const char *what, lua_Debug *ar) {
  names_left = NAMES_MAX;
  if (*what == 'f') perilune_spend(SEARCH_TICKS);
  return lua_getinfo(L, what, ar);
}

static int next_name(lua_State *L, int table) {
  int fuel, found;
  if (names_left <= 0) {
    lua_pop(L, 1); /* the key: the loop is over */
    return 0;
  }
  if ((--names_left & 63) == 0) perilune_worked_aside(L, 64 * 4);
  fuel = perilune_fuel;
  found = lua_next(L, table);
  perilune_fuel = fuel; /* which slots are empty depends on the hash, too */
  return found;
}

#define lua_getinfo begin_search
#define lua_next next_name

/* strstr, in steps that use fuel: each place where the first byte fits is compared, which is quadratic. */
static const char *find(lua_State *L, const char *text, const char *wanted) {
  size_t length = strlen(wanted);
  if (length == 0) return text;
  for (;; text++) {
    const char *first = strchr(text, *wanted);
    perilune_work(L, first != NULL ? (size_t)(first - text) : strlen(text));
    if (first == NULL) return NULL;
    text = first;
    perilune_tick(L);
    perilune_charge(length);
    if (strncmp(text, wanted, length) == 0) return text;
  }
}

/* The one use is in luaL_addgsub, whose buffer is `b`. */
#define strstr(text, wanted) find(b->L, text, wanted)

/* Found through the include path, because the sources may be outside of this folder. */
#include <lauxlib.c>
