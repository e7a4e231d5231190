/* ldo.c, with a limit of Lua's stack that belongs to the VM instead of the build. With LUAI_MAXSTACK (a
   million slots, 16 MB) a runaway recursion in a small VM would end in "not enough memory"; with the VM's
   limit it ends in "stack overflow", with a traceback. The allocator's userdata begins with the limit
   (src/lua/alloc.rs). LUAI_MAXSTACK keeps its value everywhere else, because LUA_REGISTRYINDEX is derived
   from it.

   Also a stack that collects garbage when it cannot grow, does not grow for a request that it refuses, and tells of
   the work that growing is (lua-5.4/patches), a protected call for functions that undo something and raise the error
   again, an end of threads in which closing methods may wait, and yields and errors that return (leave.h). */
#define ldo_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "lopcodes.h"

#include "fuel.h"
#include "jit.h"
#include "leave.h"
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

/* No count of C calls: of a protected call that runs no interpreter for a Lua function itself. */
#define NO_INTERPRETER 0xffffffffu

/* Tells the innermost protected call that it is about to run the function itself, in an interpreter that is entered
   with this count of C calls. */
static void perilune_run_directly(lua_State *L, const TValue *function, l_uint32 ccalls);

/* The same for the frames of a thread that goes on. */
static void perilune_unroll_directly(lua_State *L);

/* After a C function that has returned PERILUNE_CALLS: the frame to run, or NULL, if that is over or leaves. */
static CallInfo *perilune_begin_protected(lua_State *L);

/* The same for a tail call: -1 for a frame to run, otherwise the count of results. */
static int perilune_begin_protected_tail(lua_State *L, int n);

/* After a tail call that has failed: what says so. The interpreter uses no tick after it. */
static PERILUNE_RARE int perilune_end_tail_call(lua_State *L) {
  (void)L;
  perilune_spend(1);
  return PERILUNE_LEAVES;
}

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

/* ---- yields and errors that return: leave.h ---- */

/* Not 0: everything is thrown, as in the original, which tests compare. */
static PERILUNE_PER_THREAD int perilune_throws_always = 0;

void perilune_throw_always(int whether) { perilune_throws_always = whether; }

/* What a C call adds to nCcalls in a protected call. */
static l_uint32 ccalls_of_pcall(lua_State *L) { return yieldable(L) ? 1 : nyci; }

/* 1 if the interpreter that the innermost protected call runs itself has called the running C function, or runs this
   very instruction. */
static int is_direct(lua_State *L) { return L->errorJmp != NULL && L->nCcalls == L->errorJmp->ccalls; }

static void run_directly(lua_State *L, l_uint32 ccalls) {
  struct lua_longjmp *protection = L->errorJmp;
  if (perilune_throws_always) return;
  protection->base = protection->ccalls = ccalls;
}

static void perilune_run_directly(lua_State *L, const TValue *function, l_uint32 ccalls) {
  /* The count must be nobody's but that of functions which this interpreter calls. */
  if (ttisLclosure(function)) run_directly(L, ccalls);
}

static void perilune_unroll_directly(lua_State *L) { run_directly(L, L->nCcalls); }

void perilune_run_protected_directly(lua_State *L, const TValue *function) {
  perilune_run_directly(L, function, L->nCcalls + nyci);
}

int perilune_is_leaving(lua_State *L) { return L->errorJmp != NULL && L->errorJmp->status != LUA_OK; }

/* Enters a pcall: the frame is that of a C function whose arguments begin with `skipped` values that are no results,
   then `true`, then the function to call. */
static int call_protected(lua_State *L, CallInfo *ci, int skipped, ptrdiff_t handler, lua_KFunction k) {
  struct lua_longjmp *protection = L->errorJmp;
  ci->u.c.k = k;
  ci->u.c.ctx = skipped;
  ci->u2.funcidx = cast_int(savestack(L, ci->func.p + skipped + 2));
  ci->u.c.old_errfunc = L->errfunc;
  L->errfunc = handler;
  setoah(ci->callstatus, L->allowhook);
  ci->callstatus |= CIST_YPCALL;
  L->nCcalls += ccalls_of_pcall(L);
  protection->ccalls = L->nCcalls;
  protection->pcalls++;
  return PERILUNE_CALLS;
}

/* 1 if the interpreter can run the function of the running pcall. If it is near the limit of C calls, no: what then
   happens is lua_pcallk's matter. */
static int may_call_protected(lua_State *L) {
  return is_direct(L) && isLua(L->ci->previous) && getCcalls(L) < LUAI_MAXCCALLS - 1;
}

int perilune_pcall(lua_State *L, lua_KFunction k) {
  CallInfo *ci = L->ci;
  StkId p, function = ci->func.p + 1;
  if (l_unlikely(!may_call_protected(L) || L->top.p == function)) return 0;
  for (p = L->top.p++; p > function; p--) setobjs2s(L, p, p - 1);
  setbtvalue(s2v(function));
  return call_protected(L, ci, 0, 0, k);
}

int perilune_xpcall(lua_State *L, lua_KFunction k) {
  CallInfo *ci = L->ci;
  StkId p, function = ci->func.p + 1;
  if (l_unlikely(!may_call_protected(L) || L->top.p < function + 2 || !ttisfunction(s2v(function + 1)))) return 0;
  for (p = L->top.p + 1, L->top.p += 2; p > function + 3; p--) setobjs2s(L, p, p - 2);
  setbtvalue(s2v(function + 2));
  setobjs2s(L, function + 3, function);
  return call_protected(L, ci, 2, savestack(L, function + 1), k);
}

/* Ends a pcall whose function has returned. */
static __attribute__((noinline)) void finish_returned(lua_State *L, CallInfo *ci) {
  struct lua_longjmp *protection = L->errorJmp;
  L->nCcalls -= ccalls_of_pcall(L);
  protection->ccalls = L->nCcalls;
  protection->pcalls--;
  ci->callstatus &= ~CIST_YPCALL;
  L->errfunc = ci->u.c.old_errfunc;
  if (l_unlikely(perilune_fuel < 0)) {
    adjustresults(L, LUA_MULTRET);
    perilune_check(L);
  }
  luaD_poscall(L, ci, cast_int(L->top.p - (ci->func.p + 1)) - cast_int(ci->u.c.ctx));
}

/* Ends a pcall whose function has failed, as finishCcall does. It is the nearest one; closing methods may raise further
   errors, which find it again. */
static PERILUNE_RARE void finish_failed(lua_State *L, CallInfo *ci) {
  int status = finishpcallk(L, ci), n;
  if (L->errorJmp->pcalls > 0) L->errorJmp->pcalls--;
  adjustresults(L, LUA_MULTRET);
  n = (*ci->u.c.k)(L, status, ci->u.c.ctx);
  luaD_poscall(L, ci, n);
}

static __attribute__((noinline)) CallInfo *perilune_begin_protected(lua_State *L) {
  CallInfo *ci, *pcall = L->ci;
  StkId function = restorestack(L, pcall->u2.funcidx);
  if (l_likely(ttisLclosure(s2v(function)))) {
    /* As luaD_precall does it, without a call more. */
    const Proto *p = clLvalue(s2v(function))->p;
    int missing = p->numparams - (cast_int(L->top.p - function) - 1), size = p->maxstacksize;
    checkstackGCp(L, size, function);
    L->ci = ci = prepCallInfo(L, function, LUA_MULTRET, CIST_FRESH | CIST_PROTECTED, function + 1 + size);
    ci->u.l.savedpc = p->code;
    for (; missing > 0; missing--) setnilvalue(s2v(L->top.p++));
    if (perilune_jit_try_run_protected(p, ci)) return ci;
  }
  else if ((ci = perilune_precall(L, function, LUA_MULTRET, CIST_FRESH | CIST_PROTECTED)) != NULL) {
    ci->callstatus = CIST_FRESH | CIST_PROTECTED;
    return ci;
  }
  if (L->errorJmp->status == LUA_OK && L->ci == pcall && L->errorJmp->pcalls > 0) finish_returned(L, pcall);
  return NULL;
}

static PERILUNE_RARE int perilune_begin_protected_tail(lua_State *L, int n) {
  const CallInfo *caller = L->ci->previous;
  if (n != PERILUNE_CALLS) return 0;
  if (perilune_begin_protected(L) != NULL) return -1;
  if (L->ci != caller) return 0;
  return cast_int(L->top.p - (caller->func.p + 1 + GETARG_A(caller->u.l.savedpc[-1])));
}

/* Ends the tail calls of C functions that have returned: the frame to go on with, as perilune_returned. */
static PERILUNE_RARE CallInfo *end_tail_calls(lua_State *L) {
  for (;;) {
    CallInfo *ci = L->ci;
    Instruction i = ci->u.l.savedpc[-1];
    int n, nparams1;
    if (GET_OPCODE(i) != OP_TAILCALL) return ci;
    n = cast_int(L->top.p - (ci->func.p + 1 + GETARG_A(i)));
    nparams1 = GETARG_C(i);
    if (nparams1) ci->func.p -= ci->u.l.nextraargs + nparams1;
    luaD_poscall(L, ci, n);
    if (!(ci->callstatus & CIST_FRESH)) return L->ci;
    /* As in the interpreter, where each of these is over. */
    perilune_spend(1);
    if (!(ci->callstatus & CIST_PROTECTED) || L->errorJmp->pcalls == 0) return NULL;
    finish_returned(L, L->ci);
  }
}

/* After a C function that a Lua function has called, whose frame is L->ci: the frame to go on with. */
static CallInfo *go_on(lua_State *L) {
  CallInfo *ci = L->ci;
  return l_likely(GET_OPCODE(ci->u.l.savedpc[-1]) != OP_TAILCALL) ? ci : end_tail_calls(L);
}

CallInfo *perilune_returned(lua_State *L) {
  /* One that the thread was suspended in, or has left for an error, is for unroll. */
  if (L->errorJmp->pcalls == 0) return NULL;
  finish_returned(L, L->ci);
  return go_on(L);
}

/* Ends the pcall that catches what is on its way, if that is the caller's matter; 1 if so: then L->ci has called it. */
static int catch_left(lua_State *L) {
  struct lua_longjmp *protection = L->errorJmp;
  CallInfo *ci;
  int status = protection->status;
  if (status == LUA_YIELD || protection->pcalls == 0) return 0;
  for (ci = L->ci; !(ci->callstatus & CIST_YPCALL); ci = ci->previous) {
    if ((ci->callstatus & (CIST_FRESH | CIST_PROTECTED)) == CIST_FRESH) {
      L->ci = ci->previous;
      return 0;
    }
  }
  protection->status = LUA_OK;
  L->ci = ci;
  setcistrecst(ci, status);
  if (yieldable(L)) {
    /* In a thread, as precover does it: C calls are counted anew, and the other pcalls are for unroll. */
    protection->pcalls = 0;
    L->nCcalls = protection->ccalls = protection->base;
  }
  else L->nCcalls = protection->ccalls = protection->base + (l_uint32)(protection->pcalls - 1) * nyci;
  finish_failed(L, ci);
  return 1;
}

CallInfo *perilune_left(lua_State *L) {
  if (!catch_left(L)) return NULL;
  /* In a thread, tail calls are ended by the interpreter, as after a function that was suspended. */
  return yieldable(L) ? L->ci : go_on(L);
}

int perilune_end_pcall(lua_State *L, const CallInfo *caller) {
  const CallInfo *ci = L->ci;
  if (!perilune_is_leaving(L)) {
    if (ci == caller) return 1;
    if (!(ci->callstatus & CIST_YPCALL) || ci->previous != caller || L->errorJmp->pcalls == 0) return 0;
    finish_returned(L, L->ci);
    return 1;
  }
  for (; ci != caller; ci = ci->previous) {
    if (ci->callstatus & CIST_YPCALL) return catch_left(L);
  }
  return 0;
}

/* What goes on after an error was thrown to a protected call of C below the pcall that catches it. */
struct recovery {
  const CallInfo *bottom; /* the frame of whoever made the protected call */
  l_uint32 base;
  int pcalls;
};

static PERILUNE_RARE void recover(lua_State *L, void *data) {
  const struct recovery *recovery = (const struct recovery *)data;
  struct lua_longjmp *protection = L->errorJmp;
  CallInfo *ci = L->ci;
  protection->base = recovery->base;
  protection->pcalls = recovery->pcalls;
  L->nCcalls = protection->ccalls = recovery->base + (l_uint32)(recovery->pcalls - 1) * nyci;
  finish_failed(L, ci);
  /* Whoever would have been returned to is gone: all frames above the bottom are for this loop. */
  go_on(L);
  perilune_jit_unrolled(L, 1);
  while ((ci = L->ci) != recovery->bottom) {
    if (isLua(ci)) {
      luaV_execute(L, ci);
      perilune_jit_unrolled(L, perilune_jit_trap);
    }
    else {
      perilune_returned(L);
      perilune_jit_unrolled(L, 1);
    }
    if (protection->status != LUA_OK) return;
  }
}

/* The original, and an error that was thrown is caught by the nearest pcall that an interpreter runs itself. */
LUAI_FUNC __attribute__((noinline)) int luaD_rawrunprotected(lua_State *L, Pfunc f, void *data) {
  struct lua_longjmp protection;
  struct recovery recovery;
  recovery.bottom = L->ci;
  run_protected(L, f, data, &protection);
  /* In a thread, precover does it. */
  while (l_unlikely(protection.pcalls > 0 && errorstatus(protection.status) && protection.base >= nyci)) {
    CallInfo *ci = findpcall(L);
    L->ci = ci;
    setcistrecst(ci, protection.status);
    recovery.base = protection.base;
    recovery.pcalls = protection.pcalls;
    run_protected(L, recover, &recovery, &protection);
  }
  return protection.status;
}

int perilune_raise(lua_State *L) {
  const TValue *error = s2v(L->top.p - 1);
  if (!is_direct(L) || (ttisshrstring(error) && eqshrstr(tsvalue(error), G(L)->memerrmsg))) return lua_error(L);
  perilune_call_handler(L);
  L->errorJmp->status = LUA_ERRRUN;
  return PERILUNE_LEAVES;
}

int perilune_may_return_error(lua_State *L) { return is_direct(L) && isLua(L->ci); }

void perilune_return_error(lua_State *L) {
  L->errorJmp->status = LUA_ERRRUN;
  L->ci->u.l.trap = 1;
  perilune_spend(-1);
}

int perilune_yield(lua_State *L, int results, lua_KContext context, lua_KFunction k) {
  CallInfo *ci = L->ci;
  if (!yieldable(L) || !is_direct(L)) return lua_yieldk(L, results, context, k);
  L->status = LUA_YIELD;
  ci->u2.nyield = results;
  if ((ci->u.c.k = k) != NULL) ci->u.c.ctx = context;
  L->errorJmp->status = LUA_YIELD;
  return PERILUNE_LEAVES;
}

static void call(lua_State *L, void *data) {
  StkId function = *(StkId *)data;
  perilune_run_protected_directly(L, s2v(function));
  luaD_callnoyield(L, function, LUA_MULTRET);
}

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
