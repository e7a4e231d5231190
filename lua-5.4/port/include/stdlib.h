/* stdlib.h: Lua's memory comes from the allocator given to lua_newstate; `realloc` and `free` are here only
   for luaL_newstate's own, which nothing calls. */
#ifndef PERILUNE_STDLIB_H
#define PERILUNE_STDLIB_H
#include <stddef.h>
_Noreturn void perilune_abort(void);
double perilune_strtod(const char *text, char **end);
#define abort perilune_abort
#define strtod perilune_strtod
#define abs __builtin_abs
static inline void *realloc(void *block, size_t size) { (void)block; (void)size; return 0; }
static inline void free(void *block) { (void)block; }
#endif
