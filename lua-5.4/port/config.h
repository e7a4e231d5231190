/* config.h: what Perilune sets differently from a plain build of Lua, included before every C file, natively and on wasm.
   Lua offers each of these as a macro of its own ("#if !defined"): no C file is edited. */
#ifndef PERILUNE_CONFIG_H
#define PERILUNE_CONFIG_H

/* Hash seed: given by the runtime before lua_newstate, so that a run can be repeated exactly. */
extern unsigned int perilune_hash_seed(void);
#define luai_makeseed(L) ((void)(L), perilune_hash_seed())

/* table.sort's pivot for large, unbalanced arrays: Lua mixes in the clock; a fixed pivot keeps runs repeatable. */
#define l_randomizePivot() (0u)

/* One locale, "C". */
#define lua_getlocaledecpoint() ('.')

/* Nothing in the core writes to a process's streams: `print` is Rust's, warnings have a function of ours, and the panic
   function never returns here. */
#define lua_writestring(s, l) ((void)(s), (void)(l))
#define lua_writeline() ((void)0)
#define lua_writestringerror(s, p) ((void)(s), (void)(p))

/* Two words before every thread: whether a host function may suspend it (lcorolib_port.c), and the runtime's context, which
   stays next to the state, where LUA_EXTRASPACE's usual single word is. luaconf.h sets the size without asking. */
#include "luaconf.h"
#undef LUA_EXTRASPACE
#define LUA_EXTRASPACE (2 * sizeof(void *))
#define l_likely(x) luai_likely(x) /* luaconf.h has these only for LUA_CORE and LUA_LIB, which come too late */
#define l_unlikely(x) luai_unlikely(x)

#if defined(__wasm__)
/* Every string buffer of lauxlib begins on the C stack; its default would put 512 bytes there, times 200 levels of a
   callback inside gsub inside a callback. */
#undef LUAL_BUFFERSIZE
#define LUAL_BUFFERSIZE 128

/* l_sprintf has exactly one value: its type picks a plain function, so there are no varargs and no format parser for
   what Lua never asks. Answered by port/libc/format.rs. */
#include <stddef.h>
int perilune_format_int(char *to, size_t size, const char *format, long long value);
int perilune_format_cint(char *to, size_t size, const char *format, int value);
int perilune_format_double(char *to, size_t size, const char *format, double value);
int perilune_format_str(char *to, size_t size, const char *format, const char *value);
int perilune_format_ptr(char *to, size_t size, const char *format, const void *value);
#define snprintf(to, size, format, value)                                                                             \
  _Generic((value),                                                                                                   \
      long long: perilune_format_int,                                                                                 \
      int: perilune_format_cint,                                                                                      \
      double: perilune_format_double,                                                                                 \
      char *: perilune_format_str,                                                                                    \
      const char *: perilune_format_str,                                                                              \
      void *: perilune_format_ptr,                                                                                    \
      const void *: perilune_format_ptr)(to, size, format, value)
#endif

#endif
