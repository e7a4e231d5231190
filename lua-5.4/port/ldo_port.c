/* ldo.c, with a limit of Lua's stack that belongs to the VM instead of the build. With LUAI_MAXSTACK (a
   million slots, 16 MB) a runaway recursion in a small VM would end in "not enough memory"; with the VM's
   limit it ends in "stack overflow", with a traceback. The allocator's userdata begins with the limit
   (src/lua/alloc.rs). LUAI_MAXSTACK keeps its value everywhere else, because LUA_REGISTRYINDEX is derived
   from it.

   Also a stack that collects garbage when it cannot grow, does not grow for a request that it refuses, and tells of
   the work that growing is (lua-5.4/patches), a protected call for functions
   that undo something and raise the error again, and an end of threads in which closing methods may wait. */
#define ldo_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "fuel.h"
#include "memory.h"
#include "wait.h"

#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK (perilune_is_ours(G(L)) ? perilune_memory(G(L))->stack_slots_max : 1000000)

/* The patched luaD_reallocstack calls this where a stack did not grow. */
static StackValue *perilune_collect_and_grow(lua_State *L, int oldsize, int newsize);

/* Slots or calls that are moved or freed without being looked at by the clock. */
#define STACK_WORK_MIN 1000

/* Tells the runtime of work on so many slots, or calls, that uses no fuel. */
static void perilune_stack_work(lua_State *L, int steps) {
  if (steps >= STACK_WORK_MIN && perilune_is_ours(G(L))) perilune_worked_aside(L, (size_t)steps);
}

/* Slots with which a function can say that it has got no more. */
#define ROOM_TO_REFUSE 200

/* 1 if the stack has these slots, or gets them; 0 where it is almost as long as it may be. */
static int perilune_has_room_to_refuse(lua_State *L);

#define luaD_inctop perilune_check_and_inctop
/* Found through the include path, because the sources may be outside of this folder. */
#include <ldo.c>
#undef luaD_inctop

/* Tries once more after a collection: the new stack, while all pointers into the old one are offsets; or
   NULL, while they are pointers. */
static StackValue *perilune_collect_and_grow(lua_State *L, int oldsize, int newsize) {
  StackValue *newstack;
  if (!perilune_collect(L)) return NULL;
  relstack(L);
  G(L)->gcstopem = 1; /* it was 0, or nothing had been collected */
  newstack = luaM_reallocvector(L, L->stack.p, oldsize + EXTRA_STACK, newsize + EXTRA_STACK, StackValue);
  G(L)->gcstopem = 0;
  if (newstack == NULL) correctstack(L);
  return newstack;
}

static int perilune_has_room_to_refuse(lua_State *L) {
  int needed = cast_int(L->top.p - L->stack.p) + ROOM_TO_REFUSE;
  if (needed > LUAI_MAXSTACK) return 0;
  return needed <= stacksize(L) || luaD_reallocstack(L, needed, 0);
}

/* The original grows the stack before it takes in the value that was written to its top, which a collection
   would free. There are always EXTRA_STACK slots more than are counted. */
LUAI_FUNC void luaD_inctop(lua_State *L) {
  L->top.p++;
  luaD_checkstack(L, 1);
}

static void call(lua_State *L, void *function) { luaD_callnoyield(L, *(StkId *)function, LUA_MULTRET); }

/* lua_pcall with all results, under the current message handler. The handler sees an error where it is
   raised, with the whole stack, so the error can be raised again without calling it a second time
   (perilune_raise_past_handlers). [-(arguments + 1), +(results|1), -] */
int perilune_call_under_handler(lua_State *L, int arguments) {
  StkId function = L->top.p - (arguments + 1);
  int status = luaD_pcall(L, call, &function, savestack(L, function), L->errfunc);
  if (L->ci->top.p < L->top.p) L->ci->top.p = L->top.p;
  return status;
}

static void close_all(lua_State *L, void *status) { luaF_close(L, L->stack.p + 1, *(int *)status, 1); }

/* luaE_resetthread, where the methods run as in lua_resume: below no call that cannot be suspended. A method that was
   suspended ends at the base of the thread, not in luaF_close, so the loop goes on as long as anything is open. Status
   and error value are where luaF_close has them, the one in the role, the other on top; and the first value is in the
   slot of the base's function, which the original fills with nil. */
int perilune_close_thread(lua_State *L, lua_State *from) {
  int *role = &perilune_role_of(L);
  int status = *role / PERILUNE_STATUS, closed = LUA_ERRRUN, none = 0;
  if (*role & PERILUNE_CLOSING) {
    closed = LUA_YIELD;
  } else {
    status = L->status == LUA_YIELD ? LUA_OK : L->status;
    setnilvalue(s2v(L->stack.p));
    if (status != LUA_OK) setobjs2s(L, L->stack.p, L->top.p - 1);
    *role |= PERILUNE_CLOSING;
  }
  L->nCcalls = (from != NULL ? getCcalls(from) : 0) + 1;
  do {
    if (errorstatus(closed)) {
      L->ci = &L->base_ci;
      L->base_ci.func.p = L->stack.p;
      L->base_ci.callstatus = CIST_C;
      L->status = LUA_OK;
      L->errfunc = 0;
    }
    closed = closed == LUA_YIELD ? luaD_rawrunprotected(L, resume, &none) : luaD_rawrunprotected(L, close_all, &status);
    closed = precover(L, closed);
    if (errorstatus(closed)) {
      status = closed;
      luaD_seterrorobj(L, status, L->top.p);
      if (!luaV_rawequalobj(s2v(L->stack.p), s2v(L->top.p - 1))) *role |= PERILUNE_REPLACED;
    }
    *role = (*role & (PERILUNE_STATUS - 1)) + status * PERILUNE_STATUS;
    if (closed == LUA_YIELD) return LUA_YIELD;
  } while (L->tbclist.p > L->stack.p || errorstatus(closed));
  *role &= PERILUNE_STATUS - 1 - PERILUNE_CLOSING;
  return luaE_resetthread(L, status);
}
