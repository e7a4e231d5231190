/* lcorolib.c, in which a host function may suspend a task from inside the script's own coroutines. The script
   must not see what it yields: a resume (or close) that gets it suspends its own caller in turn, and continues
   when the task is resumed. The coroutine that a task runs in looks like the main one to scripts.

   Also the end of a task, with the coroutines in which it waits. */
#define lcorolib_c
#define LUA_LIB

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#include "lauxlib.h"

#include "fuel.h"
#include "leave.h"
#include "lstate.h"
#include "wait.h"

const char perilune_waiting = 0;

static int luaB_coresume(lua_State *L);
static int luaB_auxwrap(lua_State *L);
static int luaB_close(lua_State *L);
static int close_thread(lua_State *co, lua_State *L);

static int can_wait(lua_State *L) { return perilune_role_of(L) != PERILUNE_PLAIN && lua_isyieldable(L); }

static int is_task(lua_State *L) { return (perilune_role_of(L) & PERILUNE_ROLES) == PERILUNE_TASK; }

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

static int continue_close(lua_State *L, int status, lua_KContext co) {
  (void)status;
  pop_waiting(co);
  lua_settop(L, 1);
  return luaB_close(L);
}

/* The end of luaB_auxwrap for an error: what the coroutine had open is closed first. */
static int continue_wrap_close(lua_State *L, int status, lua_KContext context) {
  lua_State *co = (lua_State *)context;
  pop_waiting(context);
  status = close_thread(co, L);
  if (status < 0) return status;
  /* Somebody else may have closed it, and has its error. Then it is still the first one, which is on top here. */
  if (status != LUA_OK) lua_xmove(co, L, 1);
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return perilune_raise(L);
}

/* Suspends a thread for a coroutine that waits for the host. */
static int wait_for(lua_State *L, lua_State *co, lua_KFunction k) {
  lua_pushlightuserdata(L, (void *)&perilune_waiting);
  return perilune_yield(L, 1, (lua_KContext)co, k);
}

static int is_wrapped(lua_State *L, lua_State *co) { return lua_tothread(L, lua_upvalueindex(1)) == co; }

static int resume(lua_State *co, lua_State *L, int arguments, int *results) {
  int status;
  if (is_waiting(co, arguments)) {
    lua_pop(co, arguments);
    lua_pushliteral(co, "cannot resume a coroutine that waits for the host");
    return LUA_ERRRUN;
  }
  /* Not of one that runs, and will refuse. */
  if (co->status == LUA_YIELD || co->ci == &co->base_ci)
    perilune_role_of(co) = can_wait(L) ? PERILUNE_IN_TASK : PERILUNE_PLAIN;
  status = lua_resume(co, L, arguments, results);
  /* An error that ends the eval must not stay inside the coroutine. */
  perilune_check(L);
  if (status == LUA_YIELD && is_waiting(co, 0)) return wait_for(L, co, is_wrapped(L, co) ? continue_wrap : continue_resume);
  return status;
}

/* Running out of memory stays that, also when it has come through other coroutines: its message gets no
   position. */
static int is_out_of_memory(lua_State *co) {
  return lua_type(co, -1) == LUA_TSTRING && strcmp(lua_tostring(co, -1), "not enough memory") == 0;
}

/* One that waits for the host belongs to somebody else: it is cut off there, and nothing in it can wait. */
static int close_thread(lua_State *co, lua_State *L) {
  int status;
  if (can_wait(L) && !is_waiting(co, 0)) {
    perilune_role_of(co) |= PERILUNE_IN_TASK;
    status = perilune_close_thread(co, L);
  } else {
    perilune_role_of(co) &= PERILUNE_ROLES;
    status = lua_closethread(co, L);
  }
  perilune_check(L);
  if (status == LUA_YIELD) return wait_for(L, co, is_wrapped(L, co) ? continue_wrap_close : continue_close);
  return status == LUA_ERRRUN && is_out_of_memory(co) ? LUA_ERRMEM : status;
}

/* The coroutine in which a thread waits; NULL where it waits by itself, or does not wait. */
static lua_State *waits_in(lua_State *L) {
  lua_KFunction k = L->ci->u.c.k;
  lua_State *co = (lua_State *)L->ci->u.c.ctx;
  if (!is_waiting(L, 0)) return NULL;
  if (k != continue_resume && k != continue_wrap && k != continue_close && k != continue_wrap_close) return NULL;
  return is_waiting(co, 0) ? co : NULL;
}

/* Ends a task that waits or has failed: what is open in it, and in the coroutines in which it waits, is closed, the
   innermost first. With `may_wait` closing methods may wait: LUA_YIELD, and to be called again. Otherwise as
   lua_closethread. [-?, +(0|1), -] */
extern int perilune_end_task(lua_State *L, lua_State *from, int may_wait) {
  for (;;) {
    lua_State *co = L, *inner;
    int *role, status;
    while (!(perilune_role_of(co) & PERILUNE_ENDING) && (inner = waits_in(co)) != NULL) co = inner;
    role = &perilune_role_of(co);
    if (may_wait) {
      if (*role & PERILUNE_ENDING) pop_waiting((lua_KContext)co);
      /* A closing that the script has begun is cut off. */
      else *role = (*role & (PERILUNE_ROLES | PERILUNE_CANCELLED)) | PERILUNE_ENDING;
      status = perilune_close_thread(co, from);
      if (status == LUA_YIELD) return status;
    } else {
      *role &= PERILUNE_ROLES | PERILUNE_CANCELLED;
      status = lua_closethread(co, from);
    }
    *role &= ~PERILUNE_ENDING;
    if (status != LUA_OK && (co != L || *role & PERILUNE_CANCELLED)) {
      /* The call ends for another reason. */
      luaE_warnerror(co, "__close of a call that was ended");
      lua_settop(co, 0);
      status = LUA_OK;
    }
    if (co == L) return status;
  }
}

/* A task looks like the main coroutine to scripts, so it cannot yield; nor can one that is being closed. */
static int is_yieldable(lua_State *L) {
  return lua_isyieldable(L) && !is_task(L) && !(perilune_role_of(L) & PERILUNE_CLOSING);
}

/* The messages are lua_yieldk's, which have no position. */
static int yield(lua_State *L, int results) {
  if (is_yieldable(L) || !lua_isyieldable(L)) return perilune_yield(L, results, 0, NULL);
  lua_pushstring(L, is_task(L) ? "attempt to yield from outside a coroutine" : "attempt to yield across a C-call boundary");
  return perilune_raise(L);
}

static int push_thread(lua_State *L) {
  int is_main = lua_pushthread(L);
  return is_main || is_task(L);
}

#undef lua_yield
#define lua_yield yield
#define lua_error perilune_raise
#define lua_resume resume
#define lua_closethread close_thread
#define lua_isyieldable is_yieldable
#define lua_pushthread push_thread

#include <lcorolib.c>
