/* jit.c: samples, recordings and entries of the compiler of hot functions (jit.h, docs/decisions/0038).

   A sample is taken when a slice of fuel has been used up, so that nothing counts in the interpreter. From a function
   that was found so often on, the thread is recorded: its `trap` is on, and each instruction is noted with what the
   compiler wants to know of it. Then Rust compiles (src/js/jit.rs), and sets `jit` in the prototypes. */
#define LUA_CORE

#include "lprefix.h"

#include <stddef.h>

#include "lua.h"

#include "ldebug.h"
#include "lgc.h"
#include "lobject.h"
#include "lopcodes.h"
#include "lstate.h"
#include "ltable.h"
#include "ltm.h"

#include "fuel.h"
#include "jit.h"
#include "leave.h"

#if defined(PERILUNE_JIT)

typedef int (*compiled)(lua_State *L, CallInfo *ci, int entry);

/* An instruction that is about to be run: `Event` of src/jit/mod.rs. */
struct event {
  const Proto *proto;
  unsigned int serial, pc;
  lu_byte tags[3], fact;
  size_t numbers[4];
};

/* Meanings of `numbers`: `fact` of src/jit/mod.rs. */
enum { NO_FACT, KEY_HERE, KEY_INHERITED, LUA_CALLEE, C_CALLEE };

#define NO_REGISTER 255

/* Where compiled code has given up: `Exit` of src/js/jit.rs. */
struct exit_at {
  unsigned int serial, pc;
};

/* Answered by Rust (src/js/jit.rs): a buffer for so many events, or NULL; the end of a recording. */
extern struct event *perilune_jit_buffer(unsigned int events);
extern void perilune_jit_recorded(lua_State *L, const struct event *events, unsigned int count,
                                  const struct exit_at *exits, unsigned int exit_count);

/* Exits of a function from which on it is recorded again. */
#define EXITS_MOST 200
/* Exits that are remembered; a power of two. */
#define EXITS_KEPT 64
/* Jumps and calls of a frame for which it looks for an entry. */
#define SEEK_MOST 64
/* Instructions that are worth compiling when a recording ends early. */
#define RECORDED_LEAST 32

int perilune_jit_depth = 0;
const Instruction *perilune_jit_pc;
int perilune_jit_landed;
int perilune_jit_trap;
CallInfo perilune_jit_over;
const CallInfo *perilune_jit_seeker = NULL;

static int threshold = 0; /* samples; 0: switched off */
static unsigned int length;
static unsigned int seeks_left;
static lua_State *recorded_thread = NULL; /* compared only: it may be gone */
static struct event *events;
static unsigned int recorded;
static struct exit_at exits[EXITS_KEPT];
static unsigned int exit_count;
unsigned int perilune_jit_exits = 0; /* all */
static unsigned int serials = 0;

unsigned int perilune_jit_next_serial(void) { return ++serials; }

void perilune_jit_switch(int samples, unsigned int instructions) {
  threshold = samples;
  length = instructions;
}

/* ---- entries ---- */

/* Takes note that compiled code has given up where this frame is now. */
static void note_exit(CallInfo *ci) {
  Proto *p = ci_func(ci)->p;
  struct exit_at *e = &exits[exit_count++ & (EXITS_KEPT - 1)];
  e->serial = p->serial;
  e->pc = (unsigned int)(ci->u.l.savedpc - p->code);
  perilune_jit_exits++;
  if (p->heat < 255) p->heat++;
}

int perilune_jit_ended(lua_State *L, CallInfo *ci, int status) {
  int kind = status & PERILUNE_JIT_KIND;
  if (kind != PERILUNE_JIT_INTERPRET && kind != PERILUNE_JIT_REPLACED) return status;
  if (L->ci != ci || perilune_is_leaving(L)) return PERILUNE_JIT_LEAVING;
  if (kind == PERILUNE_JIT_INTERPRET && !(status & PERILUNE_JIT_TRIPPED)) note_exit(ci);
  return status;
}

void perilune_jit_leave(lua_State *L, const CallInfo *ci) {
  if ((ci->callstatus & (CIST_FRESH | CIST_PROTECTED)) == CIST_FRESH) perilune_left(L);
}

/* Gives back a tick that the interpreter is about to use once more. It must trip there if the last one has tripped, and
   only then. */
static void give_back_tick(int tripped) {
  if (!tripped) perilune_owe_fuel();
  perilune_fuel++;
}

void perilune_jit_give_back_start(int status) {
  int kind = status & PERILUNE_JIT_KIND;
  if (kind == PERILUNE_JIT_REPLACED && !(status & PERILUNE_JIT_BEGUN)) return;
  give_back_tick(status & PERILUNE_JIT_TRIPPED);
}

/* 1 if the interpreter is to go on with the frame. */
static int has_given_up(int status) { return status & PERILUNE_JIT_KIND && status != PERILUNE_JIT_LEAVING; }

static int run(lua_State *L, CallInfo *ci, int entry) {
  int status;
  perilune_jit_depth++;
  status = ((compiled)(size_t)(ci_func(ci)->p->jit & 0xffff))(L, ci, entry);
  perilune_jit_depth--;
  return perilune_jit_ended(L, ci, status);
}

static int may_run(lua_State *L) { return L->hookmask == 0 && perilune_jit_depth < PERILUNE_JIT_DEPTH; }

/* Runs the frame from its start, with the tick of that; REFUSED: it is as it was. */
static int start(lua_State *L, CallInfo *ci) {
  int status;
  if (!may_run(L)) return PERILUNE_JIT_REFUSED;
  if (--perilune_fuel < 0) {
    perilune_fuel++; /* the interpreter takes it itself, and asks for more */
    return PERILUNE_JIT_REFUSED;
  }
  status = run(L, ci, 0);
  if (has_given_up(status)) perilune_jit_give_back_start(status);
  return status;
}

CallInfo *perilune_jit_run(lua_State *L, CallInfo *ci) {
  int waiting = ci->callstatus & (CIST_FRESH | PERILUNE_CIST_COMPILED), status = start(L, ci);
  if (has_given_up(status)) return ci;
  if (status == PERILUNE_JIT_LEAVING) perilune_jit_leave(L, ci);
  if (waiting & PERILUNE_CIST_COMPILED) {
    perilune_jit_landed = status;
    return &perilune_jit_over;
  }
  if (!waiting && status != PERILUNE_JIT_LEAVING) {
    /* The interpreter takes no tick where a function of its own returns to it. */
    give_back_tick(status & PERILUNE_JIT_TRIPPED);
  }
  return NULL;
}

int perilune_jit_run_protected(lua_State *L, CallInfo *ci) {
  return has_given_up(start(L, ci));
}

int perilune_jit_run_tail(lua_State *L, CallInfo *ci) { return start(L, ci); }

void perilune_jit_unrolled(lua_State *L, int trap) {
  const CallInfo *ended = L->ci->next;
  if (perilune_is_leaving(L) || ended == NULL || !(ended->callstatus & PERILUNE_CIST_COMPILED)) return;
  give_back_tick(trap);
}

/* ---- recordings ---- */

static void note_tags(struct event *e, const Proto *p, const TValue *base, int first, int second, int third) {
  e->tags[0] = first < p->maxstacksize ? rawtt(base + first) : NO_REGISTER;
  e->tags[1] = second < p->maxstacksize ? rawtt(base + second) : NO_REGISTER;
  e->tags[2] = third < p->maxstacksize ? rawtt(base + third) : NO_REGISTER;
}

/* Index of the node of a value that was found in a table; -1 where it is not in a node. */
static int node_of(const Table *t, const TValue *slot) {
  return isempty(slot) ? -1 : (int)((const Node *)slot - t->node);
}

static void note_key(lua_State *L, struct event *e, const TValue *owner, const TValue *key) {
  Table *t, *meta, *inherited;
  const TValue *slot;
  int node;
  if (!ttistable(owner) || !ttisshrstring(key)) return;
  t = hvalue(owner);
  node = node_of(t, luaH_getshortstr(t, tsvalue(key)));
  if (node >= 0) {
    e->fact = KEY_HERE;
    e->numbers[0] = t->lsizenode;
    e->numbers[1] = (size_t)node;
    return;
  }
  meta = t->metatable;
  if (meta == NULL) return;
  slot = luaH_getshortstr(meta, G(L)->tmname[TM_INDEX]);
  if (!ttistable(slot)) return;
  inherited = hvalue(slot);
  node = node_of(inherited, luaH_getshortstr(inherited, tsvalue(key)));
  if (node < 0) return;
  e->fact = KEY_INHERITED;
  e->numbers[0] = meta->lsizenode;
  e->numbers[1] = (size_t)node_of(meta, slot);
  e->numbers[2] = inherited->lsizenode;
  e->numbers[3] = (size_t)node;
}

/* What is freed is told to the compiler only if it has a heat. */
static void mark(Proto *p) {
  if (p->heat == 0) p->heat = 1;
}

static void note_callee(struct event *e, const TValue *f) {
  if (ttisLclosure(f)) {
    Proto *p = clLvalue(f)->p;
    mark(p);
    e->fact = LUA_CALLEE;
    e->numbers[0] = (size_t)p;
    e->numbers[1] = p->serial;
  }
  else if (ttislcf(f)) {
    e->fact = C_CALLEE;
    e->numbers[0] = (size_t)fvalue(f);
  }
}

static void note(lua_State *L, const CallInfo *ci, const Instruction *pc) {
  struct event *e = &events[recorded++];
  const LClosure *cl = ci_func(ci);
  Proto *p = cl->p;
  const TValue *base = s2v(ci->func.p + 1), *k = p->k;
  Instruction i = *pc;
  int a = GETARG_A(i), b = GETARG_B(i), c = GETARG_C(i);
  mark(p);
  e->proto = p;
  e->serial = p->serial;
  e->pc = (unsigned int)(pc - p->code);
  e->fact = NO_FACT;
  e->numbers[0] = e->numbers[1] = e->numbers[2] = e->numbers[3] = 0;
  switch (GET_OPCODE(i)) {
    case OP_FORPREP: case OP_FORLOOP: case OP_TFORPREP: case OP_TFORCALL: b = a + 1; c = a + 2; break;
    default: break;
  }
  note_tags(e, p, base, a, b, c);
  switch (GET_OPCODE(i)) {
    case OP_GETFIELD: note_key(L, e, base + b, k + c); break;
    case OP_SELF: note_key(L, e, base + b, TESTARG_k(i) ? k + c : base + c); break;
    case OP_SETFIELD: note_key(L, e, base + a, k + b); break;
    case OP_GETTABUP: note_key(L, e, cl->upvals[b]->v.p, k + c); break;
    case OP_SETTABUP: note_key(L, e, cl->upvals[a]->v.p, k + b); break;
    case OP_CALL: case OP_TAILCALL: case OP_TFORCALL: note_callee(e, base + a); break;
    default: break;
  }
}

/* Ends the recording: its functions are compiled, if they can be. */
static void finish(lua_State *L) {
  recorded_thread = NULL;
  if (recorded >= RECORDED_LEAST || recorded >= length) {
    unsigned int kept = exit_count < EXITS_KEPT ? exit_count : EXITS_KEPT;
    exit_count = 0;
    perilune_jit_recorded(L, events, recorded, exits, kept);
  }
  events = NULL;
  recorded = 0;
}

/* Ends the recording, if there is one, and forgets it. */
void perilune_jit_drop_recording(void) {
  recorded_thread = NULL;
  events = NULL;
  recorded = 0;
  perilune_jit_seeker = NULL;
}

static void begin(lua_State *L, CallInfo *ci) {
  events = perilune_jit_buffer(length);
  if (events == NULL) return;
  recorded = 0;
  recorded_thread = L;
  L->hookmask |= PERILUNE_JIT_RECORDS;
  ci->u.l.trap = 1;
}

static void seek(CallInfo *ci) {
  perilune_jit_seeker = ci;
  seeks_left = SEEK_MOST;
}

void perilune_jit_sample(lua_State *L) {
  CallInfo *ci = L->ci;
  Proto *p = ci_func(ci)->p;
  if (threshold == 0) return;
  if (recorded_thread != NULL) {
    /* It has had its time: it may have ended, or wait. */
    if (recorded_thread == L) L->hookmask &= ~PERILUNE_JIT_RECORDS;
    finish(L);
  }
  if (p->jit > 0) {
    seek(ci);
    if (p->heat < EXITS_MOST) return;
  }
  else if (p->jit < 0 || ++p->heat < threshold)
    return;
  p->heat = 0;
  begin(L, ci);
}

int perilune_jit_watch(lua_State *L, const Instruction *pc) {
  CallInfo *ci = L->ci;
  if (L->hookmask & PERILUNE_JIT_RECORDS) {
    if (recorded_thread == L) {
      note(L, ci, pc);
      if (recorded < length) {
        ci->u.l.trap = 1;
        return 1;
      }
      L->hookmask &= (lu_byte)~PERILUNE_JIT_RECORDS;
      finish(L);
      if (ci_func(ci)->p->jit > 0) seek(ci);
    }
    else
      L->hookmask &= (lu_byte)~PERILUNE_JIT_RECORDS; /* of a recording that has ended */
  }
  /* The next jump of a frame that looks for an entry is noticed. */
  ci->u.l.trap = perilune_jit_seeker == ci;
  return 0;
}

/* Tries to enter compiled code at this instruction: a status. */
static int enter(lua_State *L, CallInfo *ci, const Instruction *pc) {
  Proto *p = ci_func(ci)->p;
  int status = PERILUNE_JIT_REFUSED;
  if (p->jit <= 0 || !may_run(L))
    seeks_left = 0;
  else {
    ci->u.l.savedpc = pc;
    status = run(L, ci, (int)(pc - p->code));
  }
  if (status == PERILUNE_JIT_REFUSED) {
    if (seeks_left == 0)
      perilune_jit_seeker = NULL;
    else
      seeks_left--;
  }
  else
    perilune_jit_seeker = NULL;
  return status;
}

int perilune_jit_loop(lua_State *L, const Instruction *pc) {
  CallInfo *ci = L->ci;
  for (;;) {
    int trap = luaG_traceexec(L, pc), status;
    perilune_jit_landed = PERILUNE_JIT_INTERPRET;
    perilune_jit_pc = pc;
    if (trap || perilune_jit_seeker != ci) return trap;
    status = enter(L, ci, pc);
    perilune_jit_landed = PERILUNE_JIT_INTERPRET; /* what ran may have landed elsewhere */
    if (status == PERILUNE_JIT_REFUSED) return 0;
    if ((status & PERILUNE_JIT_KIND) != PERILUNE_JIT_INTERPRET) {
      if ((status & PERILUNE_JIT_KIND) == PERILUNE_JIT_REPLACED) perilune_jit_give_back_start(status);
      perilune_jit_landed = status;
      return (status & PERILUNE_JIT_TRIPPED) != 0;
    }
    perilune_jit_pc = pc = ci->u.l.savedpc;
    if (!(status & PERILUNE_JIT_TRIPPED)) return 0;
    /* The fuel is used up: more comes before the instruction that is left to the interpreter. */
  }
}

/* ---- images ---- */

/* Takes all that is the compiler's out of prototypes and threads: compiled code, heats, marks of recordings. Only when
   nothing runs. */
void perilune_jit_clear(lua_State *L) {
  GCObject *o;
  perilune_jit_drop_recording();
  exit_count = perilune_jit_exits = 0;
  G(L)->mainthread->hookmask &= (lu_byte)~PERILUNE_JIT_RECORDS;
  for (o = G(L)->allgc; o != NULL; o = o->next) {
    if (o->tt == LUA_VPROTO) {
      gco2p(o)->jit = 0;
      gco2p(o)->heat = 0;
    }
    else if (o->tt == LUA_VTHREAD)
      gco2th(o)->hookmask &= (lu_byte)~PERILUNE_JIT_RECORDS;
  }
}

#endif
