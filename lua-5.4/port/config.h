/* config.h: the settings in which Perilune differs from a plain build of Lua. Included before every C file,
   natively and on wasm. Lua offers each of these as a macro ("#if !defined"), so no C file is edited. */
#ifndef PERILUNE_CONFIG_H
#define PERILUNE_CONFIG_H

/* The hash seed, which the runtime sets before lua_newstate, so that a run can be repeated exactly. */
extern unsigned int perilune_hash_seed(void);
#define luai_makeseed(L) ((void)(L), perilune_hash_seed())

/* The pivot of table.sort for large, unbalanced arrays. Lua mixes in the clock; a fixed pivot keeps runs
   repeatable. */
#define l_randomizePivot() (0u)

/* The only locale is "C". */
#define lua_getlocaledecpoint() ('.')

/* Nothing in the core writes to the streams of a process: `print` and the warning function are in Rust, and
   the panic function is never reached. */
#define lua_writestring(s, l) ((void)(s), (void)(l))
#define lua_writeline() ((void)0)
#define lua_writestringerror(s, p) ((void)(s), (void)(p))

/* Two words before every thread: its role (wait.h), which says whether a host function may suspend it, and
   the runtime's context, which stays next to the state, in the usual single word of LUA_EXTRASPACE. luaconf.h
   defines the size unconditionally. */
#include "luaconf.h"
#undef LUA_EXTRASPACE
#define LUA_EXTRASPACE (2 * sizeof(void *))
#define l_likely(x) luai_likely(x) /* luaconf.h has these only for LUA_CORE and LUA_LIB, which come too late */
#define l_unlikely(x) luai_unlikely(x)

#if defined(__wasm__)
/* Every string buffer of lauxlib begins on the C stack; its default would put 512 bytes there, times 200
   levels of a callback inside gsub inside a callback. */
#undef LUAL_BUFFERSIZE
#define LUAL_BUFFERSIZE 128

/* l_sprintf formats exactly one value, whose type selects a plain function: so there are no varargs, and no
   parser for formats that Lua never uses. Implemented in port/libc/format.rs. */
#include <stddef.h>
int perilune_format_int(char *to, size_t size, const char *format, long long value);
int perilune_format_cint(char *to, size_t size, const char *format, int value);
int perilune_format_double(char *to, size_t size, const char *format, double value);
int perilune_format_str(char *to, size_t size, const char *format, const char *value);
int perilune_format_ptr(char *to, size_t size, const char *format, const void *value);
/* tostring of a number, without reading a format: "%lld" and "%.14g". */
int perilune_print_integer(char *to, long long value);
int perilune_print_number(char *to, size_t size, double value);
#undef lua_integer2str
#define lua_integer2str(s, sz, n) perilune_print_integer(s, n)
#undef lua_number2str
#define lua_number2str(s, sz, n) perilune_print_number(s, sz, n)
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
