/* slabs.h: the fast paths of Lua's allocator: small blocks that the current slab of their size has, or that
   leave their slab neither full before nor empty after. They do what src/lua/slabs.rs does, in place; all else
   goes to the allocation function, which is src/lua/alloc.rs. Included by lmem.c (lua-5.4/patches). */
#ifndef PERILUNE_SLABS_H
#define PERILUNE_SLABS_H

#include <stddef.h>

#include "memory.h"

/* Alignment of a slab. */
#define PERILUNE_SLAB_ALIGN ((size_t)2048)
/* Largest size of a small block. */
#define PERILUNE_SMALL_MAX ((size_t)256)

/* The class of a size from 1 to PERILUNE_SMALL_MAX. */
static inline size_t perilune_class(size_t size) {
  return l_likely(size <= 128) ? (size - 1) >> 3 : (size + 383) >> 5;
}

/* True if there may not be so many bytes more. In the module slabs are counted when they are made. */
#ifdef __wasm__
#define perilune_refuses(memory, size) 0
#else
#define perilune_refuses(memory, size) ((memory)->used + (size) > (memory)->ceiling)
#endif

/* A new block; NULL if the current slab has none, or there may be no more. */
static inline __attribute__((always_inline)) void *perilune_take(struct perilune_memory *memory, size_t size) {
  struct perilune_slab *slab = memory->current[perilune_class(size)];
  char *block;
  if (l_unlikely(slab->available == 0 || perilune_refuses(memory, size))) return NULL;
  memory->used += size;
  slab->available--;
  block = slab->free;
  slab->free = block + *(ptrdiff_t *)block + slab->stride;
  return block;
}

/* Gives a block back; 0 if that has to be done by the allocation function. */
static inline __attribute__((always_inline)) int perilune_give(struct perilune_memory *memory, void *block, size_t size) {
  struct perilune_slab *slab = (struct perilune_slab *)((size_t)block & ~(PERILUNE_SLAB_ALIGN - 1));
  unsigned available = slab->available;
  if (l_unlikely(available == 0 || available + 1 == slab->whole)) return 0;
  slab->available = (unsigned char)(available + 1);
  *(ptrdiff_t *)block = slab->free - ((char *)block + slab->stride);
  slab->free = (char *)block;
  if (l_unlikely(memory->used > memory->peak)) memory->peak = memory->used;
  memory->used -= size;
  return 1;
}

/* In place of the call of the allocation function for a new block. */
static inline __attribute__((always_inline)) void *perilune_new(global_State *g, int kind, size_t size) {
  if (perilune_is_ours(g) && l_likely(size <= PERILUNE_SMALL_MAX)) {
    void *block = perilune_take(perilune_memory(g), size);
    if (l_likely(block != NULL)) return block;
  }
  return (*g->frealloc)(g->ud, NULL, (size_t)kind, size);
}

/* In place of the call of the allocation function for a block that is given back; it may be none. */
static inline __attribute__((always_inline)) void perilune_free(global_State *g, void *block, size_t size) {
  if (perilune_is_ours(g) && l_likely(size - 1 < PERILUNE_SMALL_MAX) &&
      perilune_give(perilune_memory(g), block, size))
    return;
  (*g->frealloc)(g->ud, block, size, 0);
}

/* Written down once, not wherever an object is freed. */
__attribute__((noinline)) void luaM_free_(lua_State *L, void *block, size_t size);
__attribute__((noinline)) void *luaM_malloc_(lua_State *L, size_t size, int kind);

#endif
