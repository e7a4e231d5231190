/* lvm.c; and for compiled code (jit.h) its interpreter once more, as "one instruction, then return": so that whatever is
   rare runs PUC's own text, with its ticks. */
#define lvm_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "fuel.h"
#include "jit.h"

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

/* What helpers give that run an instruction: where R[0] is now; NULL where no fuel is left. */
static StkId base_of(const CallInfo *ci) { return perilune_fuel < 0 ? NULL : ci->func.p + 1; }

HELPER StkId perilune_jit_step(lua_State *L, CallInfo *ci, const Instruction *pc) {
  ci->u.l.savedpc = pc;
  perilune_step(L, ci);
  return base_of(ci);
}

HELPER StkId perilune_jit_arith(lua_State *L, CallInfo *ci, const Instruction *pc) {
  ci->u.l.savedpc = pc;
  perilune_step(L, ci);
  if (ci->u.l.savedpc == pc + 1) perilune_step(L, ci);
  return base_of(ci);
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
  int n = GETARG_B(*pc);
  L->top.p = ci->func.p + 1 + GETARG_A(*pc) + n;
  ci->u.l.savedpc = pc + 1;
  luaV_concat(L, n);
  perilune_fuel--;
  check_gc(L, L->top.p);
  return base_of(ci);
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
  perilune_fuel--;
  return base_of(ci);
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
      perilune_fuel--;
      return base_of(ci);
    }
  }
  L->top.p = ci->top.p;
  luaV_finishset(L, t, key, value, slot);
  perilune_fuel--;
  return base_of(ci);
}

/* 1 would be for a call that has to leave. */
HELPER StkId perilune_jit_call(lua_State *L, CallInfo *ci, const Instruction *pc, StkId ra, int nresults) {
  CallInfo *newci;
  ci->u.l.savedpc = pc + 1;
  newci = perilune_precall(L, ra, nresults, CIST_FRESH | PERILUNE_CIST_COMPILED);
  if (newci == NULL)
    perilune_fuel--;
  else {
    perilune_jit_depth++;
    luaV_execute(L, newci);
    perilune_jit_depth--;
  }
  return base_of(ci);
}

/* The start of a function has had its tick, which luaV_execute takes again. */
HELPER int perilune_jit_interpret(lua_State *L, CallInfo *ci, int status) {
  if (status == PERILUNE_JIT_INTERPRET) {
    perilune_jit_note_exit(ci);
    perilune_fuel++;
  }
  perilune_jit_depth++;
  luaV_execute(L, ci);
  perilune_jit_depth--;
  return 0;
}

HELPER int perilune_jit_tail(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Instruction i = *pc;
  StkId base = ci->func.p + 1, ra = base + GETARG_A(i);
  int b = GETARG_B(i), n, nparams1 = GETARG_C(i);
  int delta = nparams1 ? ci->u.l.nextraargs + nparams1 : 0;
  ci->u.l.savedpc = pc + 1;
  if (b == 0) b = cast_int(L->top.p - ra);
  if (TESTARG_k(i)) luaF_closeupval(L, base);
  if ((n = luaD_pretailcall(L, ci, ra, b, delta)) < 0) {
    Proto *p = ci_func(ci)->p;
    if (p->jit > 0 && perilune_jit_depth < PERILUNE_JIT_DEPTH && !L->hookmask) {
      if (--perilune_fuel >= 0) return p->jit;
      perilune_fuel++; /* the interpreter takes it, and asks for more */
    }
    return -PERILUNE_JIT_REPLACED;
  }
  ci->func.p -= delta;
  luaD_poscall(L, ci, n);
  perilune_fuel--;
  return -PERILUNE_JIT_DONE;
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

/* The ticks are those of luaV_finishget. */
HELPER const TValue *perilune_jit_chain(lua_State *L, Table *t, TString *key) {
  int loop;
  for (loop = 0; loop < 16; loop++) {
    const TValue *slot = luaH_getshortstr(t, key), *tm;
    if (!isempty(slot)) {
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

HELPER const TValue *perilune_jit_getint(Table *t, lua_Integer key) { return luaH_getint(t, key); }

#endif
