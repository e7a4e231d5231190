/* jit_layout.c: offsets in Lua's structures for the compiler (src/jit/layout.rs), and what it takes for
   granted about them. */
#define LUA_CORE

#include "lprefix.h"

#include <stddef.h>

#include "lua.h"

#include "lgc.h"
#include "lobject.h"
#include "lopcodes.h"
#include "lstate.h"
#include "ltm.h"

#include "fuel.h"
#include "jit.h"

#define AT(type, field) ((unsigned int)offsetof(type, field))
#define ADDRESS(object) ((unsigned int)(size_t)(object))

/* Tags, bits of the collector, slots. */
_Static_assert(LUA_VNIL == 0 && LUA_VFALSE == 1 && LUA_VTRUE == 17 && LUA_VNUMINT == 3 && LUA_VNUMFLT == 19, "tags");
_Static_assert(LUA_VLCF == 22 && ctb(LUA_VSHRSTR) == 68 && ctb(LUA_VTABLE) == 69 && ctb(LUA_VLCL) == 70, "tags");
_Static_assert(ctb(LUA_VLNGSTR) == 84 && BIT_ISCOLLECTABLE == 64, "tags");
_Static_assert(BLACKBIT == 5 && WHITEBITS == 24, "colours");
_Static_assert(sizeof(TValue) == 16 && sizeof(StackValue) == 16 && offsetof(TValue, tt_) == 8, "slots");
_Static_assert(offsetof(Node, u.tt_) == 8 && offsetof(Node, u.key_tt) == 9, "nodes");
_Static_assert(offsetof(Table, marked) == offsetof(UpVal, marked) && offsetof(Table, marked) == offsetof(TString, marked),
               "objects");
_Static_assert(maskflags == 63, "flags of metamethods");
_Static_assert(sizeof(Instruction) == 4 && NUM_OPCODES == 83, "instructions");
_Static_assert(OP_ADDI == 21 && OP_ADD == 34 && OP_MMBIN == 46 && OP_JMP == 56 && OP_CALL == 68 && OP_FORLOOP == 73 &&
                 OP_CLOSURE == 79,
               "opcodes");
_Static_assert(POS_A == 7 && POS_k == 15 && POS_B == 16 && POS_C == 24 && OFFSET_sBx == 65535 && OFFSET_sJ == 16777215 &&
                 OFFSET_sC == 127,
               "operands");
_Static_assert(CIST_FRESH == 1 << 2, "status of calls");
#if defined(PERILUNE_JIT)
_Static_assert(PERILUNE_CIST_COMPILED == 1 << 15, "status of calls");
#define PROTO_JIT AT(Proto, jit)
#else
#define PROTO_JIT 0 /* natively only the compiler's own tests ask */
#endif
_Static_assert(sizeof(((CallInfo *)0)->nresults) == 2 && sizeof(((CallInfo *)0)->callstatus) == 2, "status of calls");

/* Writes the layout for this VM; returns the number of its fields. `depth`: where the number of compiled frames is. */
unsigned int perilune_jit_layout(lua_State *L, unsigned int *to, unsigned int most, const int *depth) {
  const unsigned int layout[] = {
    0,
    AT(lua_State, ci), AT(lua_State, top), AT(lua_State, stack_last),
    AT(CallInfo, func), AT(CallInfo, top), AT(CallInfo, previous), AT(CallInfo, next), AT(CallInfo, u.l.savedpc),
    AT(CallInfo, nresults), AT(CallInfo, callstatus),
    AT(Proto, numparams), AT(Proto, is_vararg), AT(Proto, maxstacksize), AT(Proto, sizecode), AT(Proto, sizek),
    AT(Proto, sizep), AT(Proto, sizeupvalues), AT(Proto, code), AT(Proto, k), AT(Proto, p), AT(Proto, upvalues),
    PROTO_JIT,
    (unsigned int)sizeof(Upvaldesc), AT(Upvaldesc, instack), AT(Upvaldesc, idx),
    AT(LClosure, p), AT(LClosure, upvals), AT(UpVal, v),
    AT(Table, marked), AT(Table, lsizenode), AT(Table, alimit), AT(Table, array), AT(Table, node), AT(Table, metatable),
    AT(Table, flags), AT(Table, lastfree),
    (unsigned int)sizeof(Node), AT(Node, u.next), AT(Node, u.key_val),
    AT(TString, hash), AT(TString, shrlen), AT(TString, contents),
    ADDRESS(&perilune_fuel), ADDRESS(depth), ADDRESS(G(L)->tmname[TM_INDEX]),
  };
  unsigned int count = sizeof layout / sizeof *layout, i;
  for (i = 1; i < count && i < most; i++) to[i] = layout[i];
  if (most > 0) to[0] = count;
  return count;
}
