/*
** The native side of the benchmarks: one Lua state, one workload, the same questions as the other engines.
**
** usage: harness WORKLOAD.lua
** Reads lines "UNITS" from standard input; answers each with one line of JSON:
**   {"ms": 12.345, "check": "1234"}     or     {"error": "message"}
** Built from the C files of lua-5.4/src, as they come: those that the wasm module has, so the
** libraries that reach for files and modules are missing here, too.
*/

#define _POSIX_C_SOURCE 199309L

#include <stdio.h>
#include <time.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static double now_ms (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void print_json_string (const char *s) {
  putchar('"');
  for (; *s != '\0'; s++) {
    if (*s == '"' || *s == '\\')
      printf("\\%c", *s);
    else if ((unsigned char)*s < ' ')
      printf("\\u%04x", (unsigned char)*s);
    else
      putchar(*s);
  }
  putchar('"');
}

static const luaL_Reg libraries[] = {
  {LUA_GNAME, luaopen_base},
  {LUA_COLIBNAME, luaopen_coroutine},
  {LUA_MATHLIBNAME, luaopen_math},
  {LUA_STRLIBNAME, luaopen_string},
  {LUA_TABLIBNAME, luaopen_table},
  {LUA_UTF8LIBNAME, luaopen_utf8},
  {NULL, NULL}
};

static void open_libraries (lua_State *L) {
  for (const luaL_Reg *library = libraries; library->func; library++) {
    luaL_requiref(L, library->name, library->func, 1);
    lua_pop(L, 1);
  }
}

/* Prints the error message on top of the stack, and removes it. */
static void print_error (lua_State *L) {
  const char *message = lua_tostring(L, -1);
  printf("{\"error\": ");
  print_json_string(message ? message : "(error object is no string)");
  printf("}\n");
  lua_pop(L, 1);
}

static void sample (lua_State *L, long units) {
  double start = now_ms();
  lua_getglobal(L, "bench");
  lua_pushinteger(L, units);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    print_error(L);
    return;
  }
  double ms = now_ms() - start;
  printf("{\"ms\": %.6f, \"check\": ", ms);
  print_json_string(luaL_tolstring(L, -1, NULL));
  printf("}\n");
  lua_pop(L, 2);
}

int main (int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (argc != 2 || L == NULL)
    return 2;
  open_libraries(L);
  if (luaL_dofile(L, argv[1]) != LUA_OK)
    print_error(L);
  else
    printf("{\"ready\": true}\n");
  fflush(stdout);
  long units;
  while (scanf("%ld", &units) == 1) {
    sample(L, units);
    fflush(stdout);
  }
  lua_close(L);
  return 0;
}
