/* memory.h: what C reads of the allocator's userdata, which is a `Memory` of src/lua/alloc.rs; and a full
   collection for those who find no memory. */
#ifndef PERILUNE_MEMORY_H
#define PERILUNE_MEMORY_H

struct perilune_memory {
  int stack_slots_max; /* most slots of a Lua stack */
  size_t footprint;    /* bytes that Lua's blocks take */
  size_t ceiling;      /* bytes that they may take now */
};

#define perilune_memory(g) ((const struct perilune_memory *)(g)->ud)

extern int perilune_collect(lua_State *L);

#endif
