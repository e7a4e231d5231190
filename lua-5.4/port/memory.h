/* memory.h: what C reads of the allocator's userdata, which is a `Memory` of src/lua/alloc.rs; a full
   collection for those who find no memory; and userdata that own a block of memory, which the collector frees
   with them, without a finalizer. */
#ifndef PERILUNE_MEMORY_H
#define PERILUNE_MEMORY_H

/* A slab: small blocks of one size (src/lua/slabs.rs). */
struct perilune_slab {
  char *free;              /* the first free block */
  unsigned char available; /* number of free blocks */
  unsigned char whole;     /* number of them with which the slab goes back */
  unsigned short stride;   /* size of a block */
};

struct perilune_memory {
  int stack_slots_max; /* most slots of a Lua stack */
  unsigned mark;       /* PERILUNE_MEMORY_MARK, unless the state is not ours */
  size_t ceiling;      /* bytes that Lua may take now */
  size_t used;         /* bytes that Lua has asked for */
  size_t peak;         /* the most of them, before the last ones */
  size_t large;        /* those of them in large blocks */
  size_t footprint;    /* bytes that large blocks and slabs take, in the module */
  size_t slab_bytes;   /* those of them in slabs */
  struct perilune_slab *current[20]; /* for each class of sizes, the slab that blocks are taken from */
};

#define perilune_memory(g) ((struct perilune_memory *)(g)->ud)

/* True for states that Rust has made. mlua makes one of its own before it is told that it must not: that has
   neither this account of memory nor a context. There is no mlua in the module. */
#define PERILUNE_MEMORY_MARK 0x6C756E65u
#ifdef __wasm__
#define perilune_is_ours(g) 1
#else
#define perilune_is_ours(g) (perilune_memory(g)->mark == PERILUNE_MEMORY_MARK)
#endif

extern int perilune_collect(lua_State *L);

/* Content of a userdata that owns a block: the `UBox` of lauxlib.c. */
struct perilune_block {
  void *block; /* from Lua's allocator, or NULL */
  size_t size;
};

/* Makes the userdata on top one that owns a block. It must have no finalizer. [-0, +0, -] */
extern void perilune_own_block(lua_State *L);

/* The mark of such userdata: the bit of objects in the list of those with a finalizer, which this is not. The
   collector looks at the bit there only, and has cleared it before it frees one of them. */
#define PERILUNE_OWNER_BIT FINALIZEDBIT

#define perilune_owns_block(o) testbit((o)->marked, PERILUNE_OWNER_BIT)

#endif
