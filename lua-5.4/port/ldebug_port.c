/* ldebug.c, with a luaG_traceexec that asks for more fuel. The interpreter calls it when `trap` is set, which
   the patches (lua-5.4/patches) also do when the last tick is used up. The state is saved first, because
   asking may raise an error. Messages begin with the whole name of their chunk (lua-5.4/patches). And levels of calls
   from their outer end (levels.h). */
#define ldebug_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lstate.h"

#include "chunk_name.h"
#include "fuel.h"
#include "jit.h"
#include "leave.h"
#include "levels.h"

#define luaG_traceexec perilune_trace_hooks
#include <ldebug.c>
#undef luaG_traceexec

static void refuel(lua_State *L, const Instruction *pc) {
  CallInfo *ci = L->ci;
  ci->u.l.savedpc = pc + 1;
  if (!isIT(*pc)) L->top.p = ci->top.p;
  perilune_refuel(L);
}

LUAI_FUNC int luaG_traceexec(lua_State *L, const Instruction *pc) {
  if (l_unlikely(perilune_fuel < 0)) {
    refuel(L, pc);
    perilune_jit_sample(L);
  }
  if (perilune_jit_watches(L)) return perilune_jit_watch(L, pc);
  return perilune_trace_hooks(L, pc);
}

int perilune_last_level(lua_State *L) {
  const CallInfo *ci;
  int levels = 0;
  for (ci = L->ci; ci != &L->base_ci; ci = ci->previous) levels++;
  perilune_charge_steps(levels);
  return levels > 1 ? levels - 1 : 0;
}

int perilune_level(lua_State *L, int level, int last, lua_Debug *ar) {
  CallInfo *ci = &L->base_ci;
  int steps;
  if (last > 0 && level > last) return 0;
  if (level <= last / 2 || last == 0) return lua_getstack(L, level, ar);
  for (steps = last - level + 1; steps > 0; steps--) ci = ci->next;
  perilune_charge_steps(last - level);
  ar->i_ci = ci;
  return 1;
}

void perilune_call_handler(lua_State *L) {
  if (L->errfunc == 0) return;
  setobjs2s(L, L->top.p, L->top.p - 1);
  setobjs2s(L, L->top.p - 1, restorestack(L, L->errfunc));
  L->top.p++; /* one of EXTRA_STACK */
  luaD_callnoyield(L, L->top.p - 2, 1);
}

/* Raises the message on top, with the position of the running Lua function, as luaG_runerror would throw it. */
static PERILUNE_RARE void return_error(lua_State *L, const char *message) {
  CallInfo *ci = L->ci;
  luaG_addinfo(L, message, ci_func(ci)->p->source, getcurrentline(ci));
  setobjs2s(L, L->top.p - 2, L->top.p - 1);
  L->top.p--;
  perilune_call_handler(L);
  perilune_return_error(L);
}

static PERILUNE_RARE void return_type_error(lua_State *L, const TValue *value, const char *operation, const char *what) {
  const char *type = luaT_objtypename(L, value);
  luaC_checkGC(L);
  return_error(L, luaO_pushfstring(L, "attempt to %s a %s value%s", operation, type, what));
}

void perilune_type_error(lua_State *L, const TValue *value, const char *operation) {
  if (!perilune_may_return_error(L)) luaG_typeerror(L, value, operation);
  return_type_error(L, value, operation, varinfo(L, value));
}

void perilune_call_error(lua_State *L, const TValue *value) {
  const char *name = NULL, *kind;
  if (!perilune_may_return_error(L)) luaG_callerror(L, value);
  kind = funcnamefromcall(L, L->ci, &name);
  return_type_error(L, value, "call", kind ? formatvarinfo(L, kind, name) : varinfo(L, value));
}

void perilune_operand_error(lua_State *L, const TValue *a, const TValue *b, const char *operation) {
  perilune_type_error(L, ttisnumber(a) ? b : a, operation);
}

void perilune_concat_error(lua_State *L, const TValue *a, const TValue *b) {
  perilune_type_error(L, ttisstring(a) || cvt2str(a) ? b : a, "concatenate");
}

void perilune_order_error(lua_State *L, const TValue *a, const TValue *b) {
  const char *left, *right;
  if (!perilune_may_return_error(L)) luaG_ordererror(L, a, b);
  left = luaT_objtypename(L, a);
  right = luaT_objtypename(L, b);
  luaC_checkGC(L);
  return_error(L, strcmp(left, right) == 0
                    ? luaO_pushfstring(L, "attempt to compare two %s values", left)
                    : luaO_pushfstring(L, "attempt to compare %s with %s", left, right));
}
