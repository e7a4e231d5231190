/* lcorolib.c, in which a host function may suspend a task from inside the script's own coroutines. The script
   must not see what it yields: a resume that gets it suspends its own caller in turn, and continues when the
   task is resumed. The coroutine that a task runs in looks like the main one to scripts. */
#define lcorolib_c
#define LUA_LIB

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#include "lauxlib.h"

#include "fuel.h"
#include "wait.h"

const char perilune_waiting = 0;

static int luaB_coresume(lua_State *L);
static int luaB_auxwrap(lua_State *L);

/* 1 if a thread, which has this many values above what it yielded, waits for the host. */
static int is_waiting(lua_State *co, int above) {
  return lua_status(co) == LUA_YIELD && lua_gettop(co) > above &&
         lua_touserdata(co, -1 - above) == (const void *)&perilune_waiting;
}

/* Removes what the coroutine has yielded to wait for the host, unless the coroutine was closed meanwhile. */
static void pop_waiting(lua_KContext co) {
  if (is_waiting((lua_State *)co, 0)) lua_pop((lua_State *)co, 1);
}

static int continue_resume(lua_State *L, int status, lua_KContext co) {
  (void)status;
  pop_waiting(co);
  lua_settop(L, 1);
  return luaB_coresume(L);
}

static int continue_wrap(lua_State *L, int status, lua_KContext co) {
  (void)status;
  pop_waiting(co);
  lua_settop(L, 0);
  return luaB_auxwrap(L);
}

static int resume(lua_State *co, lua_State *L, int arguments, int *results) {
  int status;
  if (is_waiting(co, arguments)) {
    lua_pop(co, arguments);
    lua_pushliteral(co, "cannot resume a coroutine that waits for the host");
    return LUA_ERRRUN;
  }
  perilune_role_of(co) = perilune_role_of(L) != PERILUNE_PLAIN && lua_isyieldable(L) ? PERILUNE_IN_TASK : PERILUNE_PLAIN;
  status = lua_resume(co, L, arguments, results);
  /* An error that ends the eval must not stay inside the coroutine. */
  perilune_check(L);
  if (status == LUA_YIELD && is_waiting(co, 0)) {
    int wrapped = lua_tothread(L, lua_upvalueindex(1)) == co;
    lua_pushlightuserdata(L, (void *)&perilune_waiting);
    return lua_yieldk(L, 1, (lua_KContext)co, wrapped ? continue_wrap : continue_resume);
  }
  return status;
}

/* Running out of memory stays that, also when it has come through other coroutines: its message gets no
   position. */
static int is_out_of_memory(lua_State *co) {
  return lua_type(co, -1) == LUA_TSTRING && strcmp(lua_tostring(co, -1), "not enough memory") == 0;
}

static int close_thread(lua_State *co, lua_State *L) {
  int status = lua_closethread(co, L);
  perilune_check(L);
  return status == LUA_ERRRUN && is_out_of_memory(co) ? LUA_ERRMEM : status;
}

/* A task looks like the main coroutine to scripts, so it cannot yield. */
static int is_yieldable(lua_State *L) {
  return lua_isyieldable(L) && perilune_role_of(L) != PERILUNE_TASK;
}

static int yield(lua_State *L, int results) {
  if (perilune_role_of(L) == PERILUNE_TASK) return luaL_error(L, "attempt to yield from outside a coroutine");
  return lua_yieldk(L, results, 0, NULL);
}

static int push_thread(lua_State *L) {
  int is_main = lua_pushthread(L);
  return is_main || perilune_role_of(L) == PERILUNE_TASK;
}

#undef lua_yield
#define lua_yield yield
#define lua_resume resume
#define lua_closethread close_thread
#define lua_isyieldable is_yieldable
#define lua_pushthread push_thread

#include <lcorolib.c>
