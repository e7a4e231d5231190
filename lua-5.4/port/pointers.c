/* pointers.c: the functions of Rust that C calls, each behind a pointer that Rust sets before it makes the
   first state. Compiled only for programs that embed the crate. In the module of the npm package the
   functions of Rust have these names themselves, rustc exports every one of them, and the build trims the
   exports afterwards; a program that embeds the crate must not need such a step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "fuel.h"

int perilune_next(lua_State *L);

#define POINTER(result, name, parameters, arguments)                                                                  \
  result(*name##_pointer) parameters;                                                                                 \
  result name parameters { return name##_pointer arguments; }
#define FORMAT(name, type)                                                                                            \
  POINTER(int, name, (char *to, size_t size, const char *format, type value), (to, size, format, value))
#define MATH(name) POINTER(double, name, (double x), (x))
#define MATH_2(name) POINTER(double, name, (double x, double y), (x, y))

POINTER(unsigned int, perilune_hash_seed, (void), ())
POINTER(int, perilune_next, (lua_State * L), (L))

void (*perilune_refuel_pointer)(lua_State *L);
void perilune_refuel(lua_State *L) { perilune_refuel_pointer(L); }

void (*perilune_worked_aside_pointer)(lua_State *L, size_t steps);
void perilune_worked_aside(lua_State *L, size_t steps) { perilune_worked_aside_pointer(L, steps); }

void (*perilune_long_chain_pointer)(lua_State *L, int length);
void perilune_long_chain(lua_State *L, int length) { perilune_long_chain_pointer(L, length); }

void (*perilune_abort_pointer)(void);
_Noreturn void perilune_abort(void) {
  perilune_abort_pointer();
  __builtin_unreachable();
}

FORMAT(perilune_format_int, long long)
FORMAT(perilune_format_cint, int)
FORMAT(perilune_format_double, double)
FORMAT(perilune_format_str, const char *)
FORMAT(perilune_format_ptr, const void *)
POINTER(int, perilune_print_integer, (char *to, long long value), (to, value))
POINTER(int, perilune_print_number, (char *to, size_t size, double value), (to, size, value))

MATH(perilune_exp)
MATH(perilune_log)
MATH(perilune_log2)
MATH(perilune_log10)
MATH(perilune_sin)
MATH(perilune_cos)
MATH(perilune_tan)
MATH(perilune_asin)
MATH(perilune_acos)
MATH_2(perilune_atan2)
MATH_2(perilune_fmod)
MATH_2(perilune_pow)
POINTER(double, perilune_frexp, (double x, int *exponent), (x, exponent))
POINTER(double, perilune_ldexp, (double x, int exponent), (x, exponent))

POINTER(double, perilune_strtod, (const char *text, char **end), (text, end))
POINTER(void *, perilune_memchr, (const void *s, int byte, size_t n), (s, byte, n))
POINTER(char *, perilune_strchr, (const char *s, int c), (s, c))
POINTER(int, perilune_strcmp, (const char *a, const char *b), (a, b))
POINTER(char *, perilune_strcpy, (char *restrict to, const char *restrict from), (to, from))
POINTER(int, perilune_strncmp, (const char *a, const char *b, size_t n), (a, b, n))
POINTER(char *, perilune_strerror, (int code), (code))
POINTER(char *, perilune_strpbrk, (const char *s, const char *set), (s, set))
POINTER(size_t, perilune_strspn, (const char *s, const char *set), (s, set))
POINTER(char *, perilune_strstr, (const char *s, const char *part), (s, part))
