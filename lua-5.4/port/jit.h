/* jit.h: what the interpreter has of the compiler of hot functions (src/jit, docs/decisions/0038): where functions enter
   compiled code, and where recordings come from. Without PERILUNE_JIT there is nothing of it: the macros that the
   patches name are empty. */
#ifndef PERILUNE_JIT_H
#define PERILUNE_JIT_H

#include "ldo.h"

/* luaD_precall, with bits for the status of the frame. */
CallInfo *perilune_precall(lua_State *L, StkId func, int nresults, int status);
#define luaD_precall(L, func, nresults) perilune_precall(L, func, nresults, 0)

#if defined(PERILUNE_JIT)

/* Statuses of compiled functions: those of src/jit/mod.rs. */
#define PERILUNE_JIT_DONE 0      /* it has returned: L->ci is its caller */
#define PERILUNE_JIT_INTERPRET 1 /* the interpreter goes on at savedpc */
#define PERILUNE_JIT_REFUSED 2   /* there is no entry here, and nothing was done */
#define PERILUNE_JIT_REPLACED 3  /* the frame is another function's, by a tail call */
#define PERILUNE_JIT_LEAVING 4   /* everything returns up to whoever protects or resumes (leave.h) */
#define PERILUNE_JIT_KIND 7      /* bits that are one of these */
#define PERILUNE_JIT_TRIPPED 8   /* beside DONE, INTERPRET and REPLACED: the last tick has found no fuel left */
#define PERILUNE_JIT_BEGUN 16    /* beside REPLACED: the tick of its start has been taken */

/* Most compiled frames on the wasm stack; then calls stay in the interpreter, which needs no stack of C for them. */
#define PERILUNE_JIT_DEPTH 160

/* In L->hookmask, beside Lua's own bits: the thread is recorded. */
#define PERILUNE_JIT_RECORDS (1 << 6)

/* In the status of a call, beside CIST_FRESH: it is compiled code, not C, that waits for the end of the frame. */
#define PERILUNE_CIST_COMPILED (1 << 15)

/* Compiled frames on the wasm stack. */
extern int perilune_jit_depth;

/* The instruction that is next after perilune_jit_loop. */
extern const Instruction *perilune_jit_pc;

/* How the compiled code has ended that perilune_jit_loop, perilune_jit_run or perilune_jit_run_tail may have run:
   INTERPRET also where there was none. For perilune_jit_run it is only set where compiled code waits. */
extern int perilune_jit_landed;

/* What perilune_jit_run returns, where compiled code waits, instead of NULL. */
extern CallInfo perilune_jit_over;

/* The trap of the interpreter where it last returned from a frame: 1 if the tick of the return has found no fuel. */
extern int perilune_jit_trap;

/* Runs compiled code for the frame of a call that has been prepared, with the tick of its start. NULL: it has returned,
   or leaves (leave.h), and the interpreter, if it has called, takes the tick that follows a call of C. */
CallInfo *perilune_jit_run(lua_State *L, CallInfo *ci);

/* The same for the function of a pcall that the interpreter runs itself: 1, if the frame is to be interpreted. */
int perilune_jit_run_protected(lua_State *L, CallInfo *ci);

/* Runs compiled code for a frame that a tail call has made another function's, if there is some: a status. */
int perilune_jit_run_tail(lua_State *L, CallInfo *ci);

/* After a frame has ended for which somebody had waited in C who is gone, so that the interpreter is entered for L->ci:
   that uses a tick, which it would not, if compiled code had waited. `trap`: whether a tick has found no fuel. */
void perilune_jit_unrolled(lua_State *L, int trap);

/* What the status is that the compiled code of a frame has ended with: LEAVING where it has only given up because
   something is on its way. Notes where it has given up otherwise. */
int perilune_jit_ended(lua_State *L, CallInfo *ci, int status);

/* After that status, by whoever has entered the frame, as an interpreter that was entered for it: an error takes the
   frame away. */
void perilune_jit_leave(lua_State *L, const CallInfo *ci);

/* Before the interpreter is entered for a frame that compiled code has given up: it takes the tick of a start. */
void perilune_jit_give_back_start(int status);

/* Called when a slice of fuel has been used up: the function that runs may be hot. */
void perilune_jit_sample(lua_State *L);

/* Called before an instruction of a thread that is recorded, or of a frame that looks for an entry: the trap. */
int perilune_jit_watch(lua_State *L, const Instruction *pc);

/* Called instead of luaG_traceexec after a jump: goes on in compiled code if there is an entry. Returns the trap. */
int perilune_jit_loop(lua_State *L, const Instruction *pc);

/* The frame that looks for an entry into compiled code; NULL if there is none. */
extern const CallInfo *perilune_jit_seeker;

/* A function that has a heat or compiled code is freed (Rust). */
void perilune_jit_forget(unsigned int serial, int jit);

unsigned int perilune_jit_next_serial(void);

#define perilune_jit_watches(L) (((L)->hookmask & PERILUNE_JIT_RECORDS) || perilune_jit_seeker == (L)->ci)
#define perilune_jit_new(f) ((f)->jit = 0, (f)->heat = 0, (f)->serial = perilune_jit_next_serial())
#define perilune_jit_free(f) ((void)(((f)->jit > 0 || (f)->heat > 0) && (perilune_jit_forget((f)->serial, (f)->jit), 0)))
#define perilune_jit_try_run(p, ci) if (l_unlikely((p)->jit > 0)) return perilune_jit_run(L, ci)
#define perilune_jit_try_run_protected(p, ci) ((p)->jit <= 0 || perilune_jit_run_protected(L, ci))
#define perilune_jit_note_trap(trap) ((void)(perilune_jit_trap = (trap)))

/* Around what may throw: an error passes compiled frames, which are then no more on the wasm stack. */
#define perilune_jit_protect(...)     \
  do {                                \
    int depth = perilune_jit_depth;   \
    __VA_ARGS__                       \
    perilune_jit_depth = depth;       \
  } while (0)

/* Where one instruction is run by its own text (lvm_port.c), luaV_execute begins and ends in other ways. */
#define PERILUNE_STEPPING 0
#define perilune_jit_begin() ((void)0)

#define perilune_jit_enter_tail()                                  \
  if (l_unlikely(ci_func(ci)->p->jit > 0)) {                       \
    perilune_jit_landed = perilune_jit_run_tail(L, ci);            \
    if (!(perilune_jit_landed & PERILUNE_JIT_KIND)) {              \
      trap = perilune_jit_landed != 0;                             \
      goto ret;                                                    \
    }                                                              \
    if (perilune_jit_landed == PERILUNE_JIT_LEAVING) goto left;    \
  }

#define perilune_jit_jumped() \
  if (l_unlikely(trap)) goto traced

#define perilune_jit_traced()                                      \
 traced:                                                           \
  trap = perilune_jit_loop(L, pc);                                 \
  if (l_unlikely(perilune_jit_landed != PERILUNE_JIT_INTERPRET)) { \
    if (!(perilune_jit_landed & PERILUNE_JIT_KIND)) goto ret;      \
    if (perilune_jit_landed == PERILUNE_JIT_LEAVING) goto left;    \
    goto startfunc;                                                \
  }                                                                \
  updatebase(ci);                                                  \
  pc = perilune_jit_pc;                                            \
  i = *(pc++);                                                     \
  vmdispatch(GET_OPCODE(i));

#else

#define perilune_jit_protect(...) __VA_ARGS__
#define perilune_jit_sample(L) ((void)0)
#define perilune_jit_watches(L) 0
#define perilune_jit_watch(L, pc) 0
#define perilune_jit_new(f) ((void)0)
#define perilune_jit_free(f) ((void)0)
#define perilune_jit_try_run(p, ci) ((void)(p))
#define perilune_jit_try_run_protected(p, ci) 1
#define perilune_jit_note_trap(trap) ((void)0)
#define perilune_jit_unrolled(L, trap) ((void)0)
#define PERILUNE_STEPPING 0
#define perilune_jit_begin() ((void)0)
#define perilune_jit_enter_tail()
#define perilune_jit_jumped() ((void)0)
#define perilune_jit_traced()

#endif

#endif
