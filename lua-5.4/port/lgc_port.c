/* lgc.c, with a pause that ends while there is memory left. The original waits until memory has doubled (or
   grown by a fifth, in generational mode), which may be beyond the limit: then nothing is collected, and no
   finalizer runs, until an allocation fails. Here the collector waits for a third of what is left at most. (With
   half of it, one VM in four had no place for a string of 100 KB while a third of its memory was free: what
   lives on lay in the gaps of what was freed.) Near the limit, where that would mean a collection every few
   objects, emergency collections are enough, after which the finalizers run at once.

   Also userdata that own a block of memory (memory.h). */
#define lgc_c
#define LUA_CORE

#include "lprefix.h"

#include <stddef.h>

#include "lua.h"

#include "lgc.h"
#include "lstate.h"

#include "memory.h"

/* Least that the collector waits for, in bytes. */
#define PERILUNE_PAUSE_MIN 8192

/* Bytes that count as taken: natively those that Lua has asked for. In the module those that its blocks and
   slabs take, without half of what is free in slabs. (If all of that counted, a VM whose slabs are many and
   nearly empty would collect all its garbage every few kilobytes. If none did, it would wait for more than
   there is: small blocks of other sizes, and large ones, have no place there.) */
static size_t perilune_taken(const struct perilune_memory *memory) {
#ifdef __wasm__
  size_t free_in_slabs = memory->slab_bytes - (memory->used - memory->large);
  return memory->footprint - free_in_slabs / 2;
#else
  return memory->used;
#endif
}

/* Bytes that may be allocated before the collector must have begun. */
static __attribute__((noinline)) l_mem perilune_pause_max(const global_State *g) {
  const struct perilune_memory *memory = perilune_memory(g);
  if (!perilune_is_ours(g)) return MAX_LMEM / 4;
  size_t taken = perilune_taken(memory);
  size_t left = memory->ceiling > taken ? (memory->ceiling - taken) / 3 : 0;
  return left > PERILUNE_PAUSE_MIN ? (l_mem)left : PERILUNE_PAUSE_MIN;
}

/* Bytes by which memory may grow in generational mode before all of it is collected: the patched genstep
   asks. */
static __attribute__((noinline)) lu_mem perilune_growth_max(const global_State *g, lu_mem growth) {
  lu_mem most = (lu_mem)perilune_pause_max(g);
  return growth < most ? growth : most;
}

static __attribute__((noinline)) void perilune_set_debt(global_State *g, l_mem debt) {
  l_mem most = perilune_pause_max(g);
  luaE_setdebt(g, debt < -most ? -most : debt);
}

/* Lets the next step call the finalizers that an emergency collection has left. The original ends the cycle
   without them, so that they, and all that their objects hold, wait for another one to end. */
static void perilune_finalize_soon(global_State *g) {
  if (g->tobefnz == NULL) return;
  if (g->gckind == KGC_INC) g->gcstate = GCScallfin; /* from the pause, which follows it */
  luaE_setdebt(g, 1);
}

/* Frees the block of a userdata that is freed. The collector's account of bytes has never had it. */
static void perilune_free_block(lua_State *L, void *userdata) {
  const struct perilune_block *owned = (const struct perilune_block *)userdata;
  if (owned->block != NULL) (*G(L)->frealloc)(G(L)->ud, owned->block, owned->size, 0);
}

#define luaE_setdebt perilune_set_debt

/* Found through the include path, because the sources may be outside of this folder. */
#include <lgc.c>
