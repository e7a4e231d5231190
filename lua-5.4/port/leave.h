/* leave.h: yields and errors that return. A C function that yields or raises an error does not unwind the C stack by a
   jump where the interpreter itself has called it: it returns PERILUNE_LEAVES, and the interpreter goes on at the
   protected call that catches the error, or returns to whoever resumed or protected it (docs/decisions/0036).
   Functions of ldo_port.c, ldebug_port.c.

   How it is decided. Each protected call of C (luaD_rawrunprotected) keeps the count of C calls at which it has
   started an interpreter for a Lua function, in `struct lua_longjmp`. Every call from C counts one more, so a C
   function that finds this very count was called by that interpreter. All others throw, as they always did.

   pcall and xpcall that are called so have no protected call of C: they return PERILUNE_CALLS, and the interpreter
   runs their function itself. Its frame is marked CIST_PROTECTED beside CIST_FRESH, the frame below is that of pcall,
   marked CIST_YPCALL as in any coroutine. An error that is thrown is caught by the protected call of C below, which
   finds the pcall by its mark, finishes it, and starts an interpreter that goes on after it.

   Whoever else runs Lua frames (compiled code, say) between the interpreter and such a function takes part in this:
   - It marks its own frames CIST_FRESH, so that no interpreter above goes on with them.
   - A frame that luaD_precall has returned may be marked CIST_PROTECTED, and then is not its callee but pcall's. It
     takes this mark away (the frame stays CIST_FRESH) before it runs the frame. When that has returned, L->ci is the
     frame of pcall: perilune_returned ends it.
   - After each call, and after instructions that may raise (perilune_type_error and the like return), it asks
     perilune_is_leaving. If so: perilune_left gives the frame to go on with, after the call that it has made, where
     that is its own; NULL, and it must return to its own caller, which does the same.
   - Ticks: perilune_returned and perilune_left leave the tick of a return from C to whoever goes on. */
#ifndef PERILUNE_LEAVE_H
#define PERILUNE_LEAVE_H

#include "lobject.h"
#include "lstate.h"

/* What a C function returns instead of a count of results, and only to the interpreter. */
enum perilune_end {
  PERILUNE_LEAVES = -2, /* it has yielded, or raised an error */
  PERILUNE_CALLS = -3   /* it is pcall or xpcall: its function is to be run */
};

/* What is rare is called, not inlined: the interpreter is one function. */
#define PERILUNE_RARE __attribute__((noinline, cold))

/* In the status of a call, beside those of lstate.h: the function of a pcall that the interpreter runs itself. */
#define CIST_PROTECTED (1 << 14)

/* 1 if an error or a yield is on its way to whoever catches it, by returning. [-0, +0, -] */
PERILUNE_RARE extern int perilune_is_leaving(lua_State *L);

/* After a C function that leaves, or an instruction that has raised an error: the frame to go on with, where the
   error was caught by a pcall that the interpreter runs; NULL, if the interpreter must return. [-?, +?, e] */
PERILUNE_RARE extern CallInfo *perilune_left(lua_State *L);

/* After the function of a pcall has returned: ends the pcall. The frame to go on with; NULL, if the interpreter must
   return, to whoever does the same for it. [-?, +?, e] */
extern CallInfo *perilune_returned(lua_State *L);

/* The same two for those who run the function of a pcall without its mark, and whoever has called a C function that may
   have been pcall: 1, if the call is over, and L->ci is `caller`; 0, if that must return. [-?, +?, e] */
extern int perilune_end_pcall(lua_State *L, const CallInfo *caller);

/* lua_error for C functions that return what it returns. [-1, +0, e] */
extern int perilune_raise(lua_State *L);

/* lua_yieldk for C functions that return what it returns. [-?, +?, e] */
extern int perilune_yield(lua_State *L, int results, lua_KContext context, lua_KFunction k);

/* For the body of a protected call that begins by calling this function with luaD_callnoyield. [-0, +0, -] */
extern void perilune_run_protected_directly(lua_State *L, const TValue *function);

/* For the C functions that are pcall and xpcall: PERILUNE_CALLS, to be returned at once, or 0 where they must go on by
   lua_pcallk. In the end, if there was an error or a yield, `k` is called, and is given as context how many values at
   the bottom of the function are no results. [-0, +0, -] */
extern int perilune_pcall(lua_State *L, lua_KFunction k);
extern int perilune_xpcall(lua_State *L, lua_KFunction k);

/* Calls the message handler, if there is one, with the error on top. [-1, +1, e] */
PERILUNE_RARE extern void perilune_call_handler(lua_State *L);

/* Whether an instruction of the running Lua function may raise an error by returning. [-0, +0, -] */
extern int perilune_may_return_error(lua_State *L);

/* Raises the error on top from such an instruction. The tick that the interpreter uses after the instruction is given
   back: an error that is thrown does not come to it. [-0, +0, -] */
PERILUNE_RARE extern void perilune_return_error(lua_State *L);

/* Errors of ldebug.h that return where they may: luaG_typeerror, luaG_callerror, luaG_opinterror, luaG_concaterror,
   luaG_ordererror. [-0, +1, e] */
PERILUNE_RARE extern void perilune_type_error(lua_State *L, const TValue *value, const char *operation);
PERILUNE_RARE extern void perilune_call_error(lua_State *L, const TValue *value);
PERILUNE_RARE extern void perilune_operand_error(lua_State *L, const TValue *a, const TValue *b, const char *operation);
PERILUNE_RARE extern void perilune_concat_error(lua_State *L, const TValue *a, const TValue *b);
PERILUNE_RARE extern void perilune_order_error(lua_State *L, const TValue *a, const TValue *b);

#endif
