/* lvm.c; and for compiled code (jit.h) its interpreter once more, as "one instruction, then return": so that whatever is
   rare runs PUC's own text, with its ticks. */
#define lvm_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "fuel.h"
#include "jit.h"
#include "leave.h"

/* Found through the include path, because the sources may be outside of this folder. */
#include <lvm.c>

#if defined(PERILUNE_JIT)

/* Functions that compiled modules import: exported by the link. */
#define HELPER __attribute__((used, visibility("default")))

#undef vmdispatch
#undef vmcase
#undef vmbreak
#define vmdispatch(o) switch (o)
#define vmcase(l) case l:
#define vmbreak                \
  do {                         \
    ci->u.l.savedpc = pc;      \
    perilune_jit_trap = trap;  \
    return;                    \
  } while (0)
#undef LUA_USE_JUMPTABLE
#define LUA_USE_JUMPTABLE 0
#undef PERILUNE_STEPPING
#define PERILUNE_STEPPING 1
#undef perilune_jit_begin
#define perilune_jit_begin() \
  trap = 0;                  \
  goto returning
#undef perilune_jit_enter_tail
#define perilune_jit_enter_tail()
#undef perilune_jit_jumped
#define perilune_jit_jumped() ((void)0)
#undef perilune_jit_traced
#define perilune_jit_traced()

static void perilune_step(lua_State *L, CallInfo *ci);
#define luaV_execute perilune_step
/* The build writes it: lvm.c from luaV_execute on. */
#include <lvm_step.inc>
#undef luaV_execute

/* What helpers give that use a tick: where R[0] is now; NULL where that tick has found no fuel, or an error has returned
   (leave.h). */
static StkId base_with_tick(const CallInfo *ci) { return ci->u.l.trap | perilune_tick_out() ? NULL : ci->func.p + 1; }

/* The same without a tick. */
static StkId base_of(const CallInfo *ci) { return ci->u.l.trap ? NULL : ci->func.p + 1; }

HELPER StkId perilune_jit_step(lua_State *L, CallInfo *ci, const Instruction *pc) {
  ci->u.l.savedpc = pc;
  perilune_step(L, ci);
  return perilune_jit_trap ? NULL : ci->func.p + 1;
}

HELPER StkId perilune_jit_arith(lua_State *L, CallInfo *ci, const Instruction *pc) {
  ci->u.l.savedpc = pc;
  perilune_step(L, ci);
  if (ci->u.l.savedpc == pc + 1 && !perilune_jit_trap) perilune_step(L, ci);
  return perilune_jit_trap ? NULL : ci->func.p + 1;
}

/* The three that make objects, as the interpreter does them, without its loop around. `checkGC` of lvm.c. */
#define check_gc(L, limit) luaC_condGC(L, L->top.p = (limit), (void)0)

HELPER StkId perilune_jit_newtable(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Instruction i = *pc;
  StkId ra = ci->func.p + 1 + GETARG_A(i);
  int b = GETARG_B(i), c = GETARG_C(i);
  Table *t;
  ci->u.l.savedpc = pc + 2;
  if (b > 0) b = 1 << (b - 1);
  if (TESTARG_k(i)) c += GETARG_Ax(pc[1]) * (MAXARG_C + 1);
  L->top.p = ra + 1;
  perilune_spend(1);
  t = luaH_new(L);
  sethvalue2s(L, ra, t);
  if (b != 0 || c != 0) luaH_resize(L, t, c, b);
  check_gc(L, ra + 1);
  return base_of(ci);
}

HELPER StkId perilune_jit_closure(lua_State *L, CallInfo *ci, const Instruction *pc) {
  StkId base = ci->func.p + 1, ra = base + GETARG_A(*pc);
  LClosure *cl = ci_func(ci);
  ci->u.l.savedpc = pc + 1;
  L->top.p = ci->top.p;
  pushclosure(L, cl->p->p[GETARG_Bx(*pc)], cl->upvals, base, ra);
  check_gc(L, ra + 1);
  return base_of(ci);
}

HELPER StkId perilune_jit_concat(lua_State *L, CallInfo *ci, const Instruction *pc) {
  StkId ra;
  int n = GETARG_B(*pc);
  L->top.p = ci->func.p + 1 + GETARG_A(*pc) + n;
  ci->u.l.savedpc = pc + 1;
  luaV_concat(L, n);
  ra = base_with_tick(ci);
  if (l_unlikely(ra == NULL && perilune_is_leaving(L))) return NULL;
  check_gc(L, L->top.p);
  return ra == NULL ? NULL : base_of(ci);
}

/* R[A] := table[key], by GETFIELD, GETTABLE, GETI, SELF and GETTABUP. */
HELPER StkId perilune_jit_get(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Instruction i = *pc;
  LClosure *cl = ci_func(ci);
  StkId base = ci->func.p + 1, ra = base + GETARG_A(i);
  TValue *k = cl->p->k, *t = s2v(base + GETARG_B(i)), *key, number;
  const TValue *slot = NULL;
  switch (GET_OPCODE(i)) {
    case OP_GETTABUP: t = cl->upvals[GETARG_B(i)]->v.p; key = k + GETARG_C(i); break;
    case OP_GETFIELD: key = k + GETARG_C(i); break;
    case OP_SELF:
      key = TESTARG_k(i) ? k + GETARG_C(i) : s2v(base + GETARG_C(i));
      setobj2s(L, ra + 1, t);
      break;
    case OP_GETI:
      key = &number;
      setivalue(key, GETARG_C(i));
      break;
    default: key = s2v(base + GETARG_C(i)); break;
  }
  ci->u.l.savedpc = pc + 1;
  if (ttistable(t)) {
    slot = luaH_get(hvalue(t), key);
    if (!isempty(slot)) {
      setobj2s(L, ra, slot);
      return base;
    }
  }
  L->top.p = ci->top.p;
  luaV_finishget(L, t, key, ra, slot);
  return base_with_tick(ci);
}

/* table[key] := value, by SETFIELD, SETTABLE and SETI. */
HELPER StkId perilune_jit_set(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Instruction i = *pc;
  StkId base = ci->func.p + 1;
  TValue *k = ci_func(ci)->p->k, *t = s2v(base + GETARG_A(i)), *key, number;
  TValue *value = TESTARG_k(i) ? k + GETARG_C(i) : s2v(base + GETARG_C(i));
  const TValue *slot = NULL;
  switch (GET_OPCODE(i)) {
    case OP_SETFIELD: key = k + GETARG_B(i); break;
    case OP_SETI:
      key = &number;
      setivalue(key, GETARG_B(i));
      break;
    default: key = s2v(base + GETARG_B(i)); break;
  }
  ci->u.l.savedpc = pc + 1;
  if (ttistable(t)) {
    Table *h = hvalue(t);
    slot = ttisshrstring(key) ? luaH_getshortstr(h, tsvalue(key)) : luaH_get(h, key);
    if (!isempty(slot)) {
      luaV_finishfastset(L, t, slot, value);
      return base;
    }
    /* A new key of a table without a metatable is what comes here most: the end of luaV_finishset for it. */
    if (h->metatable == NULL) {
      L->top.p = ci->top.p;
      luaH_finishset(L, h, key, slot, value);
      invalidateTMcache(h);
      luaC_barrierback(L, obj2gco(h), value);
      return base_with_tick(ci);
    }
  }
  L->top.p = ci->top.p;
  luaV_finishset(L, t, key, value, slot);
  return base_with_tick(ci);
}

/* Runs a frame that luaD_precall has given for a call by compiled code, which waits in C. */
static void begin_callee(lua_State *L, CallInfo *callee) {
  if (callee->callstatus & CIST_PROTECTED) callee->callstatus = CIST_FRESH; /* it is pcall's, and ends here */
  perilune_jit_depth++;
  luaV_execute(L, callee);
  perilune_jit_depth--;
}

/* The same for a call of this frame; 1 if it is over. */
static int run_callee(lua_State *L, CallInfo *ci, CallInfo *callee) {
  begin_callee(L, callee);
  return perilune_end_pcall(L, ci);
}

HELPER StkId perilune_jit_call(lua_State *L, CallInfo *ci, const Instruction *pc, StkId ra, int nresults) {
  CallInfo *callee;
  int protected;
  ci->u.l.savedpc = pc + 1;
  callee = perilune_precall(L, ra, nresults, CIST_FRESH | PERILUNE_CIST_COMPILED);
  if (callee == NULL) {
    if (l_unlikely(L->ci != ci) && !perilune_end_pcall(L, ci)) return NULL;
    return base_with_tick(ci);
  }
  if (callee == &perilune_jit_over) return perilune_jit_landed == PERILUNE_JIT_DONE ? base_of(ci) : NULL;
  protected = callee->callstatus & CIST_PROTECTED;
  if (!run_callee(L, ci, callee)) return NULL;
  if (protected) return base_with_tick(ci);
  return perilune_jit_trap ? NULL : base_of(ci);
}

/* A status: DONE, with TRIPPED or without, or LEAVING. */
HELPER int perilune_jit_interpret(lua_State *L, CallInfo *ci, int status) {
  const CallInfo *caller = ci->previous;
  status = perilune_jit_ended(L, ci, status);
  if (status == PERILUNE_JIT_LEAVING) {
    perilune_jit_leave(L, ci);
    return status;
  }
  perilune_jit_give_back_start(status);
  perilune_jit_depth++;
  luaV_execute(L, ci);
  perilune_jit_depth--;
  if (L->ci != caller || perilune_is_leaving(L)) return PERILUNE_JIT_LEAVING;
  return perilune_jit_trap ? PERILUNE_JIT_TRIPPED : PERILUNE_JIT_DONE;
}

HELPER int perilune_jit_tail(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Instruction i = *pc;
  StkId base = ci->func.p + 1, ra = base + GETARG_A(i);
  int b = GETARG_B(i), n, nparams1 = GETARG_C(i);
  int delta = nparams1 ? ci->u.l.nextraargs + nparams1 : 0;
  ci->u.l.savedpc = pc + 1;
  if (b == 0) b = cast_int(L->top.p - ra);
  if (TESTARG_k(i)) luaF_closeupval(L, base);
  n = luaD_pretailcall(L, ci, ra, b, delta);
  if (n == -1 && L->ci == ci) {
    Proto *p = ci_func(ci)->p;
    if (p->jit > 0 && perilune_jit_depth < PERILUNE_JIT_DEPTH && !L->hookmask) {
      if (--perilune_fuel >= 0) return p->jit;
      perilune_fuel++; /* the interpreter takes it, and asks for more */
    }
    return -PERILUNE_JIT_REPLACED;
  }
  if (n < 0 || L->ci != ci) {
    /* A function of C that has called, or leaves. */
    int left = n != -1;
    if (!left) {
      begin_callee(L, L->ci);
      left = perilune_is_leaving(L);
    }
    if (!perilune_end_pcall(L, ci)) return -PERILUNE_JIT_LEAVING;
    if (left && yieldable(L)) {
      /* Then the interpreter goes on, too, with a tick for the function of C, and another for the return behind it. */
      perilune_spend(1);
      return -(PERILUNE_JIT_INTERPRET | PERILUNE_JIT_TRIPPED);
    }
    n = cast_int(L->top.p - (ci->func.p + 1 + GETARG_A(i)));
  }
  ci->func.p -= delta;
  luaD_poscall(L, ci, n);
  return perilune_tick_out() ? -PERILUNE_JIT_TRIPPED : -PERILUNE_JIT_DONE;
}

static void save(lua_State *L, CallInfo *ci, const Instruction *pc) {
  ci->u.l.savedpc = pc + 1;
  L->top.p = ci->top.p;
}

HELPER int perilune_jit_forprep(lua_State *L, CallInfo *ci, const Instruction *pc) {
  save(L, ci, pc);
  return forprep(L, ci->func.p + 1 + GETARG_A(*pc));
}

HELPER lua_Integer perilune_jit_mod(lua_State *L, CallInfo *ci, const Instruction *pc, lua_Integer a, lua_Integer b) {
  save(L, ci, pc);
  return luaV_mod(L, a, b);
}

HELPER lua_Integer perilune_jit_idiv(lua_State *L, CallInfo *ci, const Instruction *pc, lua_Integer a, lua_Integer b) {
  save(L, ci, pc);
  return luaV_idiv(L, a, b);
}

HELPER lua_Number perilune_jit_modf(lua_State *L, lua_Number a, lua_Number b) { return luaV_modf(L, a, b); }

HELPER lua_Number perilune_jit_pow(lua_Number a, lua_Number b) { return luai_numpow(NULL, a, b); }

HELPER void perilune_jit_barrierback(lua_State *L, GCObject *o) { luaC_barrierback_(L, o); }

HELPER void perilune_jit_barrier(lua_State *L, GCObject *o, GCObject *v) { luaC_barrier_(L, o, v); }

/* The ticks are those of luaV_finishget, and of the instruction; where they find no fuel, it is for PUC's text. */
HELPER const TValue *perilune_jit_chain(lua_State *L, Table *t, TString *key) {
  int loop;
  for (loop = 0; loop < 16; loop++) {
    const TValue *slot = luaH_getshortstr(t, key), *tm;
    if (!isempty(slot)) {
      if (loop > 0 && perilune_fuel < loop) return NULL;
      perilune_fuel -= loop;
      return slot;
    }
    tm = fasttm(L, t->metatable, TM_INDEX);
    if (tm == NULL || !ttistable(tm)) break;
    t = hvalue(tm);
  }
  return NULL;
}

HELPER lua_Integer perilune_jit_length(Table *t) { return (lua_Integer)luaH_getn(t); }

HELPER int perilune_jit_strcmp(TString *a, TString *b) { return l_strcmp(a, b); }

HELPER const TValue *perilune_jit_getstr(Table *t, TString *key) { return luaH_getshortstr(t, key); }

#endif
