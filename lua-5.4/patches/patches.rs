// Patches of Lua's C files, for the few places that no macro and no wrapper reaches (docs/decisions/0015).
// The build writes patched copies, and stops unless it finds each text exactly once. The functions
// `perilune_...` are those of lua-5.4/port/fuel.h.
//
// Included by build/sources.rs.

/// One replacement in one C file.
struct Patch {
    /// Name of the file, without `.c`.
    file: &'static str,
    /// The text to replace, which must occur exactly once.
    find: &'static str,
    replace: &'static str,
}

/// Yields and errors that return (lua-5.4/port/leave.h, docs/decisions/0036).
const LEAVING: &[Patch] = &[
    // The count of C calls at which a protected call runs an interpreter itself, how many pcalls that
    // interpreter runs, and the count without those (leave.h).
    Patch {
        file: "ldo",
        find: "  volatile int status;  /* error code */\n",
        replace: "  volatile int status;  /* error code */\n  l_uint32 base, ccalls;\n  int pcalls;\n",
    },
    // luaD_rawrunprotected is in ldo_port.c, and this is one attempt of it.
    Patch {
        file: "ldo",
        find: "int luaD_rawrunprotected (lua_State *L, Pfunc f, void *ud) {\n  l_uint32 oldnCcalls = L->nCcalls;\n  struct lua_longjmp lj;\n  lj.status = LUA_OK;\n  lj.previous = L->errorJmp;  /* chain new error handler */\n  L->errorJmp = &lj;\n  LUAI_TRY(L, &lj,\n    (*f)(L, ud);\n  );\n  L->errorJmp = lj.previous;  /* restore old error handler */\n  L->nCcalls = oldnCcalls;\n  return lj.status;\n}\n",
        replace: "static void run_protected (lua_State *L, Pfunc f, void *ud, struct lua_longjmp *lj) {\n  l_uint32 oldnCcalls = L->nCcalls;\n  lj->status = LUA_OK;\n  lj->base = lj->ccalls = NO_INTERPRETER;\n  lj->pcalls = 0;\n  lj->previous = L->errorJmp;\n  L->errorJmp = lj;\n  LUAI_TRY(L, lj,\n    (*f)(L, ud);\n  );\n  L->errorJmp = lj->previous;\n  L->nCcalls = oldnCcalls;\n}\n",
    },
    // C functions that leave, and pcall, which has its function called.
    Patch {
        file: "ldo",
        find: "  n = (*f)(L);  /* do the actual call */\n",
        replace: "  n = (*f)(L);\n  if (l_unlikely(n < 0)) return n;\n",
    },
    Patch {
        file: "ldo",
        find: "      precallC(L, func, nresults, clCvalue(s2v(func))->f);\n      return NULL;\n",
        replace: "      return precallC(L, func, nresults, clCvalue(s2v(func))->f) == PERILUNE_CALLS ? perilune_begin_protected(L) : NULL;\n",
    },
    Patch {
        file: "ldo",
        find: "      precallC(L, func, nresults, fvalue(s2v(func)));\n      return NULL;\n",
        replace: "      return precallC(L, func, nresults, fvalue(s2v(func))) == PERILUNE_CALLS ? perilune_begin_protected(L) : NULL;\n",
    },
    Patch {
        file: "ldo",
        find: "    case LUA_VCCL:  /* C closure */\n      return precallC(L, func, LUA_MULTRET, clCvalue(s2v(func))->f);\n    case LUA_VLCF:  /* light C function */\n      return precallC(L, func, LUA_MULTRET, fvalue(s2v(func)));\n",
        replace: "    case LUA_VCCL: {\n      int n = precallC(L, func, LUA_MULTRET, clCvalue(s2v(func))->f);\n      return l_likely(n >= 0) ? n : perilune_begin_protected_tail(L, n);\n    }\n    case LUA_VLCF: {\n      int n = precallC(L, func, LUA_MULTRET, fvalue(s2v(func)));\n      return l_likely(n >= 0) ? n : perilune_begin_protected_tail(L, n);\n    }\n",
    },
    // A call of what is no function is an error that returns.
    Patch {
        file: "ldo",
        find: "  if (l_unlikely(ttisnil(tm)))\n    luaG_callerror(L, s2v(func));  /* nothing to call */\n",
        replace: "  if (l_unlikely(ttisnil(tm))) {\n    perilune_call_error(L, s2v(func));\n    return NULL;\n  }\n",
    },
    Patch {
        file: "ldo",
        find: "      func = tryfuncTM(L, func);  /* try to get '__call' metamethod */\n      /* return luaD_precall(L, func, nresults); */\n",
        replace: "      func = tryfuncTM(L, func);\n      if (l_unlikely(func == NULL)) return NULL;\n",
    },
    Patch {
        file: "ldo",
        find: "      func = tryfuncTM(L, func);  /* try to get '__call' metamethod */\n      /* return luaD_pretailcall(L, ci, func, narg1 + 1, delta); */\n",
        replace: "      func = tryfuncTM(L, func);\n      if (l_unlikely(func == NULL)) return perilune_end_tail_call(L);\n",
    },
    // Threads: the interpreters that lua_resume runs itself, and continuations that leave. A thread goes
    // on in `unroll` also where it was not suspended, but an error has returned.
    Patch {
        file: "ldo",
        find: "    n = (*ci->u.c.k)(L, status, ci->u.c.ctx);  /* call continuation */\n",
        replace: "    n = (*ci->u.c.k)(L, status, ci->u.c.ctx);\n    if (l_unlikely(n < 0)) return;\n",
    },
    Patch {
        file: "ldo",
        find: "        n = (*ci->u.c.k)(L, LUA_YIELD, ci->u.c.ctx); /* call continuation */\n",
        replace: "        n = (*ci->u.c.k)(L, LUA_YIELD, ci->u.c.ctx);\n        if (l_unlikely(n < 0)) return;\n",
    },
    Patch {
        file: "ldo",
        find: "  UNUSED(ud);\n  while ((ci = L->ci) != &L->base_ci) {  /* something in the stack */\n",
        replace: "  UNUSED(ud);\n  perilune_unroll_directly(L);\n  while (L->errorJmp->status == LUA_OK && (ci = L->ci) != &L->base_ci) {\n",
    },
    Patch {
        file: "ldo",
        find: "      luaV_finishOp(L);  /* finish interrupted instruction */\n",
        replace: "      L->errorJmp->ccalls = NO_INTERPRETER;\n      luaV_finishOp(L);\n      perilune_unroll_directly(L);\n",
    },
    Patch {
        file: "ldo",
        find: "    ccall(L, firstArg - 1, LUA_MULTRET, 0);  /* just call its body */\n  else {  /* resuming from previous yield */\n    lua_assert(L->status == LUA_YIELD);\n",
        replace: "  {\n    perilune_run_directly(L, s2v(firstArg - 1), L->nCcalls);\n    ccall(L, firstArg - 1, LUA_MULTRET, 0);\n  }\n  else {\n    lua_assert(L->status == LUA_YIELD);\n    perilune_unroll_directly(L);\n",
    },
    Patch {
        file: "ldo",
        find: "      luaD_poscall(L, ci, n);  /* finish 'luaD_call' */\n    }\n    unroll(L, NULL);  /* run continuation */\n  }\n",
        replace: "      luaD_poscall(L, ci, n);\n    }\n  }\n  unroll(L, NULL);\n",
    },
    // The interpreter that a protected call of the API runs itself.
    Patch {
        file: "lapi",
        find: "  struct CallS *c = cast(struct CallS *, ud);\n",
        replace: "  struct CallS *c = cast(struct CallS *, ud);\n  perilune_run_protected_directly(L, s2v(c->func));\n",
    },
    Patch {
        file: "lapi",
        find: "struct CallS {  /* data to 'f_call' */\n",
        replace: "#include \"leave.h\"\n\nstruct CallS {\n",
    },
    // The interpreter looks whether a C function has left where it has returned: then the frame is not its
    // caller's any more. Instructions that have failed have set `trap`.
    Patch {
        file: "lvm",
        find: "#define Protect(exp)  (savestate(L,ci), (exp), updatetrap(ci))\n",
        replace: "#define Protect(exp)  { savestate(L,ci); (exp); updatetrap(ci); checkleaving() }\n\n#define checkleaving()  { if (l_unlikely(trap) && perilune_is_leaving(L)) goto left; }\n",
    },
    Patch {
        file: "lvm",
        find: "          updatetrap(ci);  /* C call; nothing else to be done */\n        else {  /* Lua call: run function in this same C frame */\n",
        replace: "        {\n          if (l_unlikely(L->ci != ci)) goto left;\n          updatetrap(ci);\n          checkleaving();\n        }\n        else {\n",
    },
    Patch {
        file: "lvm",
        find: "        if ((n = luaD_pretailcall(L, ci, ra, b, delta)) < 0)  /* Lua function? */\n          goto startfunc;  /* execute the callee */\n        else {  /* C function? */\n",
        replace: "        if ((n = luaD_pretailcall(L, ci, ra, b, delta)) < 0) {\n          if (l_unlikely(n < -1)) goto left;\n          ci = L->ci;\n          goto startfunc;\n        }\n        else if (l_unlikely(L->ci != ci)) goto left;\n        else {\n",
    },
    Patch {
        file: "lvm",
        find: "        if (ci->callstatus & CIST_FRESH)\n          return;  /* end this frame */\n        else {\n          ci = ci->previous;\n          goto returning;  /* continue running caller in this frame */\n        }\n",
        replace: "        if (ci->callstatus & CIST_FRESH) {\n          if (!(ci->callstatus & CIST_PROTECTED) || (ci = perilune_returned(L)) == NULL) return;\n          goto startfunc;\n        }\n        else {\n          ci = ci->previous;\n          goto returning;\n        }\n       left:\n        if ((ci = perilune_left(L)) == NULL) return;\n        goto startfunc;\n",
    },
    // Errors that instructions raise most, which return where the instruction is of that interpreter.
    Patch {
        file: "lvm",
        find: "      tm = luaT_gettmbyobj(L, t, TM_INDEX);\n      if (l_unlikely(notm(tm)))\n        luaG_typeerror(L, t, \"index\");  /* no metamethod */\n",
        replace: "      tm = luaT_gettmbyobj(L, t, TM_INDEX);\n      if (l_unlikely(notm(tm))) {\n        perilune_type_error(L, t, \"index\");\n        return;\n      }\n",
    },
    Patch {
        file: "lvm",
        find: "      tm = luaT_gettmbyobj(L, t, TM_NEWINDEX);\n      if (l_unlikely(notm(tm)))\n        luaG_typeerror(L, t, \"index\");\n",
        replace: "      tm = luaT_gettmbyobj(L, t, TM_NEWINDEX);\n      if (l_unlikely(notm(tm))) {\n        perilune_type_error(L, t, \"index\");\n        return;\n      }\n",
    },
    Patch {
        file: "lvm",
        find: "      if (l_unlikely(notm(tm)))  /* no metamethod? */\n        luaG_typeerror(L, rb, \"get length of\");\n      break;\n",
        replace: "      if (l_unlikely(notm(tm))) {\n        perilune_type_error(L, rb, \"get length of\");\n        return;\n      }\n      break;\n",
    },
    Patch {
        file: "ltm",
        find: "          luaG_opinterror(L, p1, p2, \"perform bitwise operation on\");\n      }\n",
        replace: "        {\n          perilune_operand_error(L, p1, p2, \"perform bitwise operation on\");\n          return;\n        }\n      }\n",
    },
    Patch {
        file: "ltm",
        find: "        luaG_opinterror(L, p1, p2, \"perform arithmetic on\");\n",
        replace: "        perilune_operand_error(L, p1, p2, \"perform arithmetic on\");\n",
    },
    Patch {
        file: "ltm",
        find: "    luaG_concaterror(L, s2v(top - 2), s2v(top - 1));\n",
        replace: "    perilune_concat_error(L, s2v(top - 2), s2v(top - 1));\n",
    },
    Patch {
        file: "lvm",
        find: "      luaT_tryconcatTM(L);  /* may invalidate 'top' */\n",
        replace: "    {\n      luaT_tryconcatTM(L);\n      if (l_unlikely(perilune_is_leaving(L))) return;\n    }\n",
    },
    Patch {
        file: "lvm",
        find: "        ProtectNT(luaV_concat(L, n));\n",
        replace: "        ProtectNT(luaV_concat(L, n));\n        checkleaving();\n",
    },
    Patch {
        file: "ltm",
        find: "  luaG_ordererror(L, p1, p2);  /* no metamethod found */\n",
        replace: "  perilune_order_error(L, p1, p2);\n",
    },
    // Coroutines that wait for the host suspend those who have resumed or close them.
    Patch {
        file: "lcorolib",
        find: "  status = lua_resume(co, L, narg, &nres);\n",
        replace: "  status = lua_resume(co, L, narg, &nres);\n  if (l_unlikely(status < 0)) return status;\n",
    },
    Patch {
        file: "lcorolib",
        find: "  r = auxresume(L, co, lua_gettop(L) - 1);\n",
        replace: "  r = auxresume(L, co, lua_gettop(L) - 1);\n  if (l_unlikely(r < -1)) return r;\n",
    },
    Patch {
        file: "lcorolib",
        find: "  int r = auxresume(L, co, lua_gettop(L));\n",
        replace: "  int r = auxresume(L, co, lua_gettop(L));\n  if (l_unlikely(r < -1)) return r;\n",
    },
    Patch {
        file: "lcorolib",
        find: "      stat = lua_closethread(co, L);  /* close its tbc variables */\n",
        replace: "      stat = lua_closethread(co, L);\n      if (l_unlikely(stat < 0)) return stat;\n",
    },
    Patch {
        file: "lcorolib",
        find: "      status = lua_closethread(co, L);\n",
        replace: "      status = lua_closethread(co, L);\n      if (l_unlikely(status < 0)) return status;\n",
    },
    // pcall and xpcall.
    Patch {
        file: "lbaselib",
        find: "static int luaB_pcall (lua_State *L) {\n  int status;\n",
        replace: "static int luaB_pcall (lua_State *L) {\n  int status = perilune_pcall(L, finishpcall);\n  if (l_likely(status != 0)) return status;\n",
    },
    Patch {
        file: "lbaselib",
        find: "  int status;\n  int n = lua_gettop(L);\n  luaL_checktype(L, 2, LUA_TFUNCTION);",
        replace: "  int n, status = perilune_xpcall(L, finishpcall);\n  if (l_likely(status != 0)) return status;\n  n = lua_gettop(L);\n  luaL_checktype(L, 2, LUA_TFUNCTION);",
    },
    Patch {
        file: "lvm",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"leave.h\"\n",
    },
    Patch {
        file: "ltm",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"leave.h\"\n",
    },
];

/// Hot functions are compiled (lua-5.4/port/jit.h, docs/decisions/0038). Without the compiler the macros are
/// empty.
const COMPILING: &[Patch] = &[
    Patch { file: "lvm", find: "#include \"lvm.h\"\n", replace: "#include \"lvm.h\"\n#include \"jit.h\"\n" },
    Patch { file: "ldo", find: "#include \"lzio.h\"\n", replace: "#include \"lzio.h\"\n#include \"jit.h\"\n" },
    // Two numbers in each prototype, and a third where there was a gap.
    Patch {
        file: "lobject.h",
        find: "  lu_byte maxstacksize;  /* number of registers needed by this function */\n",
        replace: "  lu_byte maxstacksize;\n#if defined(PERILUNE_JIT)\n  lu_byte heat;  /* samples, or exits of compiled code */\n  int jit;  /* compiled code: its slot in the table; 0 none, -1 never */\n  unsigned int serial;\n#endif\n",
    },
    Patch {
        file: "lfunc",
        find: "  f->lastlinedefined = 0;\n",
        replace: "  f->lastlinedefined = 0;\n  perilune_jit_new(f);\n",
    },
    Patch {
        file: "lfunc",
        find: "void luaF_freeproto (lua_State *L, Proto *f) {\n",
        replace: "void luaF_freeproto (lua_State *L, Proto *f) {\n  perilune_jit_free(f);\n",
    },
    Patch {
        file: "lfunc",
        find: "#include \"lstate.h\"\n",
        replace: "#include \"lstate.h\"\n#include \"jit.h\"\n",
    },
    // A call of a function that is compiled runs it where a function of C is run. The status of the frame
    // says whether C or the interpreter waits for it.
    Patch {
        file: "ldo",
        find: "CallInfo *luaD_precall (lua_State *L, StkId func, int nresults) {\n",
        replace: "CallInfo *perilune_precall (lua_State *L, StkId func, int nresults, int status) {\n",
    },
    Patch {
        file: "ldo",
        find: "      L->ci = ci = prepCallInfo(L, func, nresults, 0, func + 1 + fsize);\n",
        replace: "      L->ci = ci = prepCallInfo(L, func, nresults, status, func + 1 + fsize);\n",
    },
    Patch {
        file: "ldo",
        find: "      lua_assert(ci->top.p <= L->stack_last.p);\n      return ci;\n",
        replace: "      lua_assert(ci->top.p <= L->stack_last.p);\n      perilune_jit_try_run(p, ci);\n      return ci;\n",
    },
    Patch {
        file: "ldo",
        find: "  if ((ci = luaD_precall(L, func, nResults)) != NULL) {  /* Lua function? */\n    ci->callstatus = CIST_FRESH;  /* mark that it is a \"fresh\" execute */\n",
        replace: "  if ((ci = perilune_precall(L, func, nResults, CIST_FRESH)) != NULL) {\n",
    },
    // A frame for which compiled code had waited ends in the loop that resumes, and the one that had called
    // it goes on without a tick, as it would within the interpreter.
    Patch {
        file: "ldo",
        find: "      luaV_execute(L, ci);  /* execute down to higher C 'boundary' */\n",
        replace: "      luaV_execute(L, ci);\n      perilune_jit_unrolled(L, perilune_jit_trap);\n",
    },
    // An error passes compiled frames.
    Patch {
        file: "ldo",
        find: "if (setjmp((c)->b) == 0) { a }\n",
        replace: "perilune_jit_protect(if (setjmp((c)->b) == 0) { a })\n",
    },
    // A loop goes on in compiled code where it jumps back, when its slice of fuel has been used up: the
    // interpreter tests `trap` there anyway. OP_EXTRAARG, which is never run, is where it goes then.
    Patch {
        file: "lvm",
        find: "#define dojump(ci,i,e)\t{ pc += GETARG_sJ(i) + e; updatetrap(ci); }\n",
        replace: "#define dojump(ci,i,e)\t{ pc += GETARG_sJ(i) + e; updatetrap(ci); perilune_jit_jumped(); }\n",
    },
    Patch {
        file: "lvm",
        find: "        updatetrap(ci);  /* allows a signal to break the loop */\n",
        replace: "        updatetrap(ci);\n        perilune_jit_jumped();\n",
    },
    Patch {
        file: "lvm",
        find: "          setobjs2s(L, ra + 2, ra + 4);  /* save control variable */\n          pc -= GETARG_Bx(i);  /* jump back */\n",
        replace: "          setobjs2s(L, ra + 2, ra + 4);\n          pc -= GETARG_Bx(i);\n          perilune_jit_jumped();\n",
    },
    Patch {
        file: "lvm",
        find: "      vmcase(OP_EXTRAARG) {\n        lua_assert(0);\n        vmbreak;\n",
        replace: "      vmcase(OP_EXTRAARG) {\n        perilune_jit_traced()\n        lua_assert(0);\n        vmbreak;\n",
    },
    Patch {
        file: "lvm",
        find: "          ci = L->ci;\n          goto startfunc;\n",
        replace: "          ci = L->ci;\n          perilune_jit_enter_tail()\n          goto startfunc;\n",
    },
    // One instruction by its own text (lvm_port.c).
    Patch { file: "lvm", find: " startfunc:\n", replace: "  perilune_jit_begin();\n startfunc:\n" },
    Patch {
        file: "lvm",
        find: "        if (ci->callstatus & CIST_FRESH) {\n          if (!(ci->callstatus & CIST_PROTECTED)",
        replace: "        if (PERILUNE_STEPPING || (ci->callstatus & CIST_FRESH)) {\n          perilune_jit_note_trap(trap);\n          if (PERILUNE_STEPPING || !(ci->callstatus & CIST_PROTECTED)",
    },
    Patch {
        file: "lvm",
        find: "       left:\n        if ((ci = perilune_left(L)) == NULL) return;\n",
        replace: "       left:\n        perilune_jit_note_trap(1);\n        if (PERILUNE_STEPPING || (ci = perilune_left(L)) == NULL) return;\n",
    },
];

const PATCHES: &[Patch] = &[
    // A stack that cannot grow collects garbage and tries again (ldo_port.c). The original forbids that,
    // because all pointers into the stack are offsets while it asks for memory. Here they are pointers again
    // before.
    Patch {
        file: "ldo",
        find: "  if (l_unlikely(newstack == NULL)) {  /* reallocation failed? */\n    correctstack(L);  /* change offsets back to pointers */\n",
        replace: "  if (l_unlikely(newstack == NULL)) {\n    correctstack(L);\n    newstack = perilune_collect_and_grow(L, oldsize, newsize);\n  }\n  if (l_unlikely(newstack == NULL)) {\n",
    },
    // A request for more slots than a stack may have fails without the room for a message handler, which is
    // that of a whole stack, if whoever asked goes on by itself: that only needs a few slots.
    Patch {
        file: "ldo",
        find: "  luaD_reallocstack(L, ERRORSTACKSIZE, raiseerror);\n  if (raiseerror)\n    luaG_runerror",
        replace: "  if (!raiseerror && perilune_has_room_to_refuse(L)) return 0;\n  luaD_reallocstack(L, ERRORSTACKSIZE, raiseerror);\n  if (raiseerror)\n    luaG_runerror",
    },
    // The clock is asked after stacks were moved and lists of calls were freed. Their sizes depend on the
    // moments of the collector, so that is no fuel.
    Patch {
        file: "ldo",
        find: "  lua_assert(newsize <= LUAI_MAXSTACK || newsize == ERRORSTACKSIZE);\n  relstack(L);",
        replace: "  lua_assert(newsize <= LUAI_MAXSTACK || newsize == ERRORSTACKSIZE);\n  perilune_stack_work(L, newsize);\n  relstack(L);",
    },
    Patch {
        file: "ldo",
        find: "  int inuse = stackinuse(L);\n",
        replace: "  int inuse = (perilune_stack_work(L, L->nci), stackinuse(L));\n",
    },
    // A traceback counts the levels once, and finds the outermost ones from their end of the list of calls
    // (ldebug_port.c). The original walks along the list for each step of a binary search.
    Patch {
        file: "lauxlib",
        find: "  int li = 1, le = 1;\n  /* find an upper bound */\n  while (lua_getstack(L, le, &ar)) { li = le; le *= 2; }\n  /* do a binary search */\n  while (li < le) {\n    int m = (li + le)/2;\n    if (lua_getstack(L, m, &ar)) li = m + 1;\n    else le = m;\n  }\n  return le - 1;\n",
        replace: "  (void)ar;\n  return perilune_last_level(L);\n",
    },
    Patch {
        file: "lauxlib",
        find: "  while (lua_getstack(L1, level++, &ar)) {\n",
        replace: "  while (perilune_level(L1, level++, last, &ar)) {\n",
    },
    // The pieces of a concatenation are short (copy.h).
    Patch { file: "lvm", find: "#include \"ltm.h\"\n", replace: "#include \"ltm.h\"\n#include \"copy.h\"\n" },
    Patch {
        file: "lvm",
        find: "    memcpy(buff + tl, getstr(st), l * sizeof(char));\n",
        replace: "    perilune_copy(buff + tl, getstr(st), l * sizeof(char));\n",
    },
    // Small blocks are taken and given back in place, where that is possible (slabs.h).
    Patch { file: "lmem", find: "#include \"lstate.h\"\n", replace: "#include \"lstate.h\"\n#include \"slabs.h\"\n" },
    Patch {
        file: "lmem",
        find: "    void *newblock = firsttry(g, NULL, tag, size);\n",
        replace: "    void *newblock = perilune_new(g, tag, size);\n",
    },
    Patch {
        file: "lmem",
        find: "  callfrealloc(g, block, osize, 0);\n",
        replace: "  perilune_free(g, block, osize);\n",
    },
    // A major collection of the generational mode begins while there is memory left (lgc_port.c).
    Patch {
        file: "lgc",
        find: "    lu_mem majorinc = (majorbase / 100) * getgcparam(g->genmajormul);\n",
        replace: "    lu_mem majorinc = perilune_growth_max(g, (majorbase / 100) * getgcparam(g->genmajormul));\n",
    },
    // Names of chunks in messages and tracebacks as they were given (chunk_name.h), not in the 60 bytes of
    // lua_Debug.
    Patch {
        file: "ldebug",
        find: "\"%s:%d: %s\", buff, line, msg",
        replace: "\"%s:%d: %s\", src ? perilune_chunk_name(getstr(src), tsslen(src), buff) : buff, line, msg",
    },
    Patch {
        file: "lauxlib",
        find: "\"function <%s:%d>\", ar->short_src, ",
        replace: "\"function <%s:%d>\", perilune_chunk_name(ar->source, ar->srclen, ar->short_src), ",
    },
    Patch {
        file: "lauxlib",
        find: "\"\\n\\t%s: in \", ar.short_src)",
        replace: "\"\\n\\t%s: in \", perilune_chunk_name(ar.source, ar.srclen, ar.short_src))",
    },
    Patch {
        file: "lauxlib",
        find: "\"\\n\\t%s:%d: in \", ar.short_src, ",
        replace: "\"\\n\\t%s:%d: in \", perilune_chunk_name(ar.source, ar.srclen, ar.short_src), ",
    },
    Patch {
        file: "lauxlib",
        find: "\"%s:%d: \", ar.short_src, ",
        replace: "\"%s:%d: \", perilune_chunk_name(ar.source, ar.srclen, ar.short_src), ",
    },
    // The block of a string buffer is freed when its function ends, and else by the collector together with
    // the userdata that owns it: in a heap that is full, there may be no room for the call that closes it.
    // With a finalizer, each long string would leave a userdata that an emergency collection cannot free: a
    // hole in memory every kilobyte.
    Patch { file: "lauxlib", find: "  {\"__gc\", boxgc},\n", replace: "" },
    Patch {
        file: "lauxlib",
        find: "  box->bsize = 0;\n  getBoxMT(L);\n",
        replace: "  box->bsize = 0;\n  perilune_own_block(L);\n  getBoxMT(L);\n",
    },
    Patch {
        file: "lgc",
        find: "      Udata *u = gco2u(o);\n      luaM_freemem(L, o,",
        replace: "      Udata *u = gco2u(o);\n      if (perilune_owns_block(o)) perilune_free_block(L, getudatamem(u));\n      luaM_freemem(L, o,",
    },
    // What is freed on the way to the next live object does not make the collector wait longer. The original
    // has it wait for as many bytes more, which may be beyond the limit.
    Patch {
        file: "lgc",
        find: "  GCObject **old = p;\n  do {\n    p = sweeplist(L, p, 1, NULL);\n  } while (p == old);\n",
        replace: "  GCObject **old = p;\n  global_State *g = G(L);\n  l_mem debt = g->GCdebt;\n  do {\n    p = sweeplist(L, p, 1, NULL);\n  } while (p == old);\n  g->GCestimate += g->GCdebt - debt;\n  luaE_setdebt(g, debt);\n",
    },
    // A buffer that cannot grow is of no use any more. Its block is freed at once: in a heap that is full,
    // there may be no room for the call that closes it.
    Patch {
        file: "lauxlib",
        find: "  if (l_unlikely(temp == NULL && newsize > 0)) {  /* allocation error? */\n",
        replace: "  if (l_unlikely(temp == NULL && newsize > 0)) {\n    allocf(ud, box->box, box->bsize, 0);\n    box->box = NULL;\n    box->bsize = 0;\n",
    },
    // A tick for every jump back, every step of a loop and every return from C. The interpreter tests `trap`
    // anyway to leave its fast path, so a tick costs a decrement and no branch.
    Patch {
        file: "lvm",
        find: "#define updatetrap(ci)  (trap = ci->u.l.trap)",
        replace: "#define updatetrap(ci)  (trap = ci->u.l.trap | perilune_tick_out())",
    },
    // A step of the collector is no tick: its moments depend on the size of pointers, and fuel must not. What
    // the instruction has set already stays.
    Patch {
        file: "lvm",
        find: "                         updatetrap(ci)); \\\n           luai_threadyield(L); }\n",
        replace: "                         trap |= ci->u.l.trap); \\\n           luai_threadyield(L); }\n",
    },
    // A tick for every call of a Lua function, because tail calls can loop without a jump.
    Patch { file: "lvm", find: "  trap = L->hookmask;\n", replace: "  trap = L->hookmask | perilune_tick_out();\n" },
    Patch { file: "lvm", find: "#include \"lvm.h\"\n", replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n" },
    // pcall and xpcall must not catch the error that ends the eval, even if the call had yielded.
    Patch {
        file: "lbaselib",
        find: "static int finishpcall (lua_State *L, int status, lua_KContext extra) {\n",
        replace: "static int finishpcall (lua_State *L, int status, lua_KContext extra) {\n  perilune_check(L);\n",
    },
    // load must not catch it either: a reader function is code of the script.
    Patch {
        file: "lbaselib",
        find: "static int load_aux (lua_State *L, int status, int envidx) {\n",
        replace: "static int load_aux (lua_State *L, int status, int envidx) {\n  perilune_check(L);\n",
    },
    Patch { file: "lbaselib", find: "#include \"lualib.h\"\n", replace: "#include \"lualib.h\"\n#include \"fuel.h\"\n" },
    // A tick for each token that the compiler reads.
    Patch {
        file: "llex",
        find: "void luaX_next (LexState *ls) {\n",
        replace: "void luaX_next (LexState *ls) {\n  perilune_tick(ls->L);\n",
    },
    Patch { file: "llex", find: "#include \"lzio.h\"\n", replace: "#include \"lzio.h\"\n#include \"fuel.h\"\n" },
    // Pattern matching: a tick for each step of the backtracking, and fuel for the bytes that it scans.
    Patch {
        file: "lstrlib",
        find: "  if (l_unlikely(ms->matchdepth-- == 0))\n",
        replace: "  perilune_tick(ms->L);\n  if (l_unlikely(ms->matchdepth-- == 0))\n",
    },
    // A plain search compares at each place where the first byte fits, which is quadratic in one call.
    Patch {
        file: "lstrlib",
        find: "static const char *lmemfind (const char *s1, size_t l1,\n",
        replace: "static const char *lmemfind (lua_State *L, const char *s1, size_t l1,\n",
    },
    Patch { file: "lstrlib", find: "lmemfind(s + init, ls - init, p, lp)", replace: "lmemfind(L, s + init, ls - init, p, lp)" },
    // string.rep("", 2^40) makes an empty string, but loops for hours.
    Patch {
        file: "lstrlib",
        find: "    while (n-- > 1) {  /* first n-1 copies (followed by separator) */\n",
        replace: "    while (n-- > 1) {\n      perilune_tick(L);\n",
    },
    Patch { file: "lstrlib", find: "#include \"lualib.h\"\n", replace: "#include \"lualib.h\"\n#include \"fuel.h\"\n" },
    // Comparing long strings that begin alike uses fuel by bytes.
    Patch {
        file: "lvm",
        find: "  size_t rl2 = tsslen(ts2);\n",
        replace: "  size_t rl2 = tsslen(ts2);\n  perilune_charge(rl1 < rl2 ? rl1 : rl2);\n",
    },
    // `next` in a large table that was emptied visits every slot.
    Patch {
        file: "ltable",
        find: "  for (; i < asize; i++) {  /* try first array part */\n",
        replace: "  for (; i < asize; i++, perilune_fuel--) {\n",
    },
    Patch {
        file: "ltable",
        find: "  for (i -= asize; cast_int(i) < sizenode(t); i++) {  /* hash part */\n",
        replace: "  for (i -= asize; cast_int(i) < sizenode(t); i++, perilune_fuel--) {\n",
    },
    Patch { file: "ltable", find: "#include \"lvm.h\"\n", replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n" },
    // A tick for each character in utf8.len.
    Patch {
        file: "lutf8lib",
        find: "    const char *s1 = utf8_decode(s + posi, NULL, !lax);\n",
        replace: "    const char *s1 = (perilune_tick(L), utf8_decode(s + posi, NULL, !lax));\n",
    },
    Patch { file: "lutf8lib", find: "#include \"lualib.h\"\n", replace: "#include \"lualib.h\"\n#include \"fuel.h\"\n" },
    // Numerals may be as long as any string, and converting one is slow.
    Patch {
        file: "lobject",
        find: "  const char *pmode = strpbrk(s, \".xXnN\");  /* look for special chars */\n",
        replace: "  const char *pmode = strpbrk(s, \".xXnN\");\n  perilune_charge(strlen(s) << 4);\n",
    },
    Patch { file: "lobject", find: "#include \"lvm.h\"\n", replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n" },
    // A chain of `__index` or `__newindex` is one instruction, and may be 2,000 tables long.
    Patch {
        file: "lvm",
        find: "  for (loop = 0; loop < MAXTAGLOOP; loop++) {\n    if (slot == NULL) {",
        replace: "  for (loop = 0; loop < MAXTAGLOOP; loop++) {\n    perilune_spend(loop > 0);\n    if (slot == NULL) {",
    },
    Patch {
        file: "lvm",
        find: "    const TValue *tm;  /* '__newindex' metamethod */\n",
        replace: "    const TValue *tm;\n    perilune_spend(loop > 0);\n",
    },
    // Strings with many zeros are compared piece by piece.
    Patch {
        file: "lvm",
        find: "      zl1++; zl2++;\n",
        replace: "      perilune_spend(1);\n      zl1++; zl2++;\n",
    },
    // Powers and remainders of floats take as long as a hundred other instructions, without a tick of their
    // own.
    Patch {
        file: "lvm",
        find: "  luai_nummod(L, m, n, r);\n  return r;",
        replace: "  perilune_spend(2);\n  luai_nummod(L, m, n, r);\n  return r;",
    },
    Patch {
        file: "lvm",
        find: "#include \"lobject.h\"\n",
        replace: "#include \"lobject.h\"\n#undef luai_numpow\n#define luai_numpow(L, a, b) ((void)L, perilune_spend(1), (b == 2) ? (a) * (a) : l_mathop(pow)(a, b))\n",
    },
    // A tick for each table and closure that the interpreter makes.
    Patch {
        file: "lvm",
        find: "  LClosure *ncl = luaF_newLclosure(L, nup);\n",
        replace: "  LClosure *ncl = (perilune_spend(1), luaF_newLclosure(L, nup));\n",
    },
    Patch {
        file: "lvm",
        find: "        t = luaH_new(L);  /* memory allocation */\n",
        replace: "        t = (perilune_spend(1), luaH_new(L));\n",
    },
    // Values that are copied, 4 for each tick if they are many: varargs, results, and what moves between
    // threads or within a frame.
    Patch {
        file: "ltm",
        find: "  for (i = 0; i < wanted && i < nextra; i++)\n    setobjs2s(L, where + i",
        replace: "  perilune_charge_values(wanted);\n  for (i = 0; i < wanted && i < nextra; i++)\n    setobjs2s(L, where + i",
    },
    Patch {
        file: "ltm",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n",
    },
    Patch {
        file: "ldo",
        find: "  firstresult = L->top.p - nres;  /* index of first result */\n",
        replace: "  firstresult = L->top.p - nres;\n  perilune_charge_values(wanted);\n",
    },
    Patch {
        file: "ldo",
        find: "#include \"lzio.h\"\n",
        replace: "#include \"lzio.h\"\n#include \"fuel.h\"\n",
    },
    Patch {
        file: "lapi",
        find: "  from->top.p -= n;\n  for (i = 0; i < n; i++) {",
        replace: "  from->top.p -= n;\n  perilune_charge_values(n);\n  for (i = 0; i < n; i++) {",
    },
    Patch {
        file: "lapi",
        find: "  m = (n >= 0 ? t - n : p - n - 1);  /* end of prefix */\n",
        replace: "  m = (n >= 0 ? t - n : p - n - 1);\n  perilune_charge_values(t - p);\n",
    },
    // A chunk is given to the lexer in pieces of 4,096 bytes, each charged before it is read: blanks,
    // comments and long strings are no tokens.
    Patch {
        file: "lapi",
        find: "LUA_API int lua_load (lua_State *L, lua_Reader reader, void *data,\n",
        replace: "#include \"pieces.h\"\n\nLUA_API int lua_load (lua_State *L, lua_Reader reader, void *data,\n",
    },
    Patch {
        file: "lapi",
        find: "  luaZ_init(L, &z, reader, data);\n",
        replace: "  struct perilune_pieces pieces = { reader, data, NULL, 0 };\n  luaZ_init(L, &z, perilune_read_piece, &pieces);\n",
    },
    Patch {
        file: "lapi",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n",
    },
    // The compiler: each step along a list of jumps; the names, labels and gotos that it compares.
    Patch {
        file: "lcode",
        find: "static int getjump (FuncState *fs, int pc) {\n",
        replace: "static int getjump (FuncState *fs, int pc) {\n  perilune_spend(1);\n",
    },
    Patch {
        file: "lcode",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n",
    },
    Patch {
        file: "lparser",
        find: "  Upvaldesc *up = fs->f->upvalues;\n  for (i = 0; i < fs->nups; i++) {\n    if (eqstr(up[i].name, name)) return i;",
        replace: "  Upvaldesc *up = fs->f->upvalues;\n  perilune_charge_steps(fs->nups);\n  for (i = 0; i < fs->nups; i++) {\n    if (eqstr(up[i].name, name)) return i;",
    },
    Patch {
        file: "lparser",
        find: "  for (i = cast_int(fs->nactvar) - 1; i >= 0; i--) {\n",
        replace: "  perilune_charge_steps(fs->nactvar);\n  for (i = cast_int(fs->nactvar) - 1; i >= 0; i--) {\n",
    },
    Patch {
        file: "lparser",
        find: "  /* check labels in current function for a match */\n",
        replace: "  perilune_charge_steps(dyd->label.n - ls->fs->firstlabel);\n",
    },
    Patch {
        file: "lparser",
        find: "  int i = ls->fs->bl->firstgoto;\n  int needsclose = 0;\n",
        replace: "  int i = ls->fs->bl->firstgoto;\n  int needsclose = 0;\n  perilune_charge_steps(gl->n - i);\n",
    },
    Patch {
        file: "lparser",
        find: "  luaK_patchlist(ls->fs, gt->pc, label->pc);\n",
        replace: "  luaK_patchlist(ls->fs, gt->pc, label->pc);\n  perilune_charge((size_t)(gl->n - g) * sizeof(Labeldesc));\n",
    },
    Patch {
        file: "lparser",
        find: "  /* correct pending gotos to current block */\n",
        replace: "  perilune_charge_steps(gl->n - bl->firstgoto);\n",
    },
    // Straight code has no jump: after 48 instructions of a function without one, the compiler puts in a jump
    // to the next instruction, which is a tick.
    Patch {
        file: "lparser",
        find: "static void statement (LexState *ls);\nstatic void expr (LexState *ls, expdesc *v);\n",
        replace: "static void statement (LexState *ls);\nstatic void expr (LexState *ls, expdesc *v);\n\n/* The function that is compiled, and its last tick of this kind. */\nstatic PERILUNE_PER_THREAD FuncState *ticked_function = NULL;\nstatic PERILUNE_PER_THREAD int ticked_at = 0;\n\nstatic void code_tick (FuncState *fs) {\n  /* After an inner function, where the last tick was is not known any more. */\n  if (fs->pc - (fs == ticked_function ? ticked_at : 0) < 48) return;\n  luaK_patchtohere(fs, luaK_jump(fs));\n  ticked_function = fs;\n  ticked_at = fs->pc;\n}\n",
    },
    Patch {
        file: "lparser",
        find: "  fs->prev = ls->fs;  /* linked list of funcstates */\n",
        replace: "  fs->prev = ls->fs;\n  ticked_function = fs;\n  ticked_at = 0;\n",
    },
    Patch {
        file: "lparser",
        find: "  ls->fs = fs->prev;\n  luaC_checkGC(L);",
        replace: "  ls->fs = fs->prev;\n  ticked_function = NULL;\n  luaC_checkGC(L);",
    },
    Patch {
        file: "lparser",
        find: "  int line = ls->linenumber;  /* may be needed for error messages */\n  enterlevel(ls);\n",
        replace: "  int line = ls->linenumber;\n  code_tick(ls->fs);\n  enterlevel(ls);\n",
    },
    Patch {
        file: "lparser",
        find: "    luaK_infix(ls->fs, op, v);\n",
        replace: "    luaK_infix(ls->fs, op, v);\n    code_tick(ls->fs);\n",
    },
    Patch {
        file: "lparser",
        find: "  luaK_exp2anyregup(fs, v);\n  luaX_next(ls);  /* skip the dot or colon */\n",
        replace: "  luaK_exp2anyregup(fs, v);\n  code_tick(fs);\n  luaX_next(ls);\n",
    },
    Patch {
        file: "lparser",
        find: "        luaK_exp2anyregup(fs, v);\n        yindex(ls, &key);\n",
        replace: "        luaK_exp2anyregup(fs, v);\n        code_tick(fs);\n        yindex(ls, &key);\n",
    },
    Patch {
        file: "lparser",
        find: "    closelistfield(fs, &cc);\n    field(ls, &cc);\n",
        replace: "    closelistfield(fs, &cc);\n    code_tick(fs);\n    field(ls, &cc);\n",
    },
    Patch {
        file: "lparser",
        find: "#include \"ltable.h\"\n",
        replace: "#include \"ltable.h\"\n#include \"fuel.h\"\n",
    },
    // What error messages and tracebacks look at: the levels of the stack, the instructions and the local
    // variables of a function.
    Patch {
        file: "ldebug",
        find: "  for (ci = L->ci; level > 0 && ci != &L->base_ci; ci = ci->previous)\n    level--;\n",
        replace: "  int wanted = level;\n  for (ci = L->ci; level > 0 && ci != &L->base_ci; ci = ci->previous)\n    level--;\n  perilune_charge_steps(wanted - level);\n",
    },
    Patch {
        file: "ldebug",
        find: "    lastpc--;  /* previous instruction was not actually executed */\n",
        replace: "    lastpc--;\n  perilune_charge_steps(lastpc);\n",
    },
    Patch {
        file: "ldebug",
        find: "#include \"lvm.h\"\n",
        replace: "#include \"lvm.h\"\n#include \"fuel.h\"\n",
    },
    Patch {
        file: "lfunc",
        find: "  int i;\n  for (i = 0; i<f->sizelocvars && f->locvars[i].startpc <= pc; i++) {",
        replace: "  int i;\n  perilune_charge_steps(f->sizelocvars);\n  for (i = 0; i<f->sizelocvars && f->locvars[i].startpc <= pc; i++) {",
    },
    Patch {
        file: "lfunc",
        find: "#include \"lstate.h\"\n",
        replace: "#include \"lstate.h\"\n#include \"fuel.h\"\n",
    },
    // Classes of characters by a table (lstrlib_port.c).
    Patch {
        file: "lstrlib",
        find: "  int res;\n  switch (tolower(cl)) {\n    case 'a' : res = isalpha(c); break;\n    case 'c' : res = iscntrl(c); break;\n    case 'd' : res = isdigit(c); break;\n    case 'g' : res = isgraph(c); break;\n    case 'l' : res = islower(c); break;\n    case 'p' : res = ispunct(c); break;\n    case 's' : res = isspace(c); break;\n    case 'u' : res = isupper(c); break;\n    case 'w' : res = isalnum(c); break;\n    case 'x' : res = isxdigit(c); break;\n    case 'z' : res = (c == 0); break;  /* deprecated option */\n    default: return (cl == c);\n  }\n  return (islower(cl) ? res : !res);\n",
        replace: "  int class = perilune_class(cl);\n  if (class == 0) return (cl == c);\n  return ((perilune_classes[c] & class) != 0) == !isupper(cl);\n",
    },
    // Patterns: the repetitions of a single character (a class is not looked up again each time), each
    // with the length of its set; the length of a set where a step begins; the text between two brackets.
    Patch {
        file: "lstrlib",
        find: "  while (singlematch(ms, s + i, p, ep))\n    i++;\n",
        replace: "  const ptrdiff_t at_once = l_unlikely(ep - p > 64) ? 1 : 4096;\n  const int class = *p == L_ESC ? perilune_class(uchar(p[1])) : 0;\n  const int wanted = class != 0 && !isupper(uchar(p[1]));\n  for (;;) {\n    ptrdiff_t stop = i + at_once;\n    if (class != 0)\n      while (i < stop && s + i < ms->src_end && ((perilune_classes[uchar(s[i])] & class) != 0) == wanted)\n        i++;\n    else\n      while (i < stop && singlematch(ms, s + i, p, ep))\n        i++;\n    if (i < stop) break;\n    perilune_work(ms->L, at_once * (ep - p));\n  }\n  perilune_charge((i & 4095) * (ep - p));\n",
    },
    Patch {
        file: "lstrlib",
        find: "      s++;  /* try with one more repetition */\n",
        replace: "      s += (perilune_charge(ep - p), 1);\n",
    },
    Patch {
        file: "lstrlib",
        find: "        const char *ep = classend(ms, p);  /* points to optional suffix */\n",
        replace: "        const char *ep = classend(ms, p);\n        if (l_unlikely(ep - p > 64)) perilune_work(ms->L, ep - p);\n",
    },
    Patch {
        file: "lstrlib",
        find: "            ep = classend(ms, p);  /* points to what is next */\n",
        replace: "            ep = classend(ms, p);\n            if (l_unlikely(ep - p > 64)) perilune_work(ms->L, (ep - p) * 3);\n",
    },
    Patch {
        file: "lstrlib",
        find: "    while (++s < ms->src_end) {\n      if (*s == e) {\n",
        replace: "    const char *begin = s;\n    while (++s < ms->src_end) {\n      if (((s - begin) & 63) == 0) perilune_tick(ms->L);\n      if (*s == e) {\n",
    },
    Patch {
        file: "lstrlib",
        find: "      init++;   /* 1st char is already checked */\n",
        replace: "      init++;\n      perilune_tick(L);\n",
    },
    Patch {
        file: "lstrlib",
        find: "      if (*p == '^') p++;\n      do {  /* look for a ']' */\n        if (l_unlikely(p == ms->p_end))\n          luaL_error(",
        replace: "      const char *begin = p;\n      if (*p == '^') p++;\n      do {\n        if (l_unlikely(p == ms->p_end && (perilune_charge(p - begin), 1)))\n          luaL_error(",
    },
    Patch {
        file: "lstrlib",
        find: "    if (*p == L_ESC)  /* '%%' */\n",
        replace: "    perilune_tick(L);\n    if (*p == L_ESC)\n",
    },
    // Formats: their own length, each item, numbers that take long, characters that are escaped.
    Patch {
        file: "lstrlib",
        find: "  luaL_buffinit(L, &b);\n  while (strfrmt < strfrmt_end) {\n",
        replace: "  perilune_work(L, sfl);\n  luaL_buffinit(L, &b);\n  while (strfrmt < strfrmt_end) {\n",
    },
    Patch {
        file: "lstrlib",
        find: "      if (++arg > top)\n",
        replace: "      perilune_tick(L);\n      if (++arg > top)\n",
    },
    Patch {
        file: "lstrlib",
        find: "          maxitem = MAX_ITEMF;  /* extra space for '%f' */\n",
        replace: "          maxitem = MAX_ITEMF;\n          perilune_spend(16);\n",
    },
    Patch {
        file: "lstrlib",
        find: "          lua_Number n = luaL_checknumber(L, arg);\n          checkformat(L, form, L_FMTFLAGSF, 1);\n",
        replace: "          lua_Number n = luaL_checknumber(L, arg);\n          perilune_spend(8);\n          checkformat(L, form, L_FMTFLAGSF, 1);\n",
    },
    Patch {
        file: "lstrlib",
        find: "      char buff[10];\n      if (!isdigit(uchar(*(s+1))))\n",
        replace: "      char buff[10];\n      perilune_tick(b->L);\n      if (!isdigit(uchar(*(s+1))))\n",
    },
    // Each option of a format of string.pack, packsize and unpack.
    Patch {
        file: "lstrlib",
        find: "  KOption opt = getoption(h, fmt, psize);\n  int align = *psize;  /* usually, alignment follows size */\n",
        replace: "  KOption opt = (perilune_tick(h->L), getoption(h, fmt, psize));\n  int align = *psize;\n",
    },
    Patch {
        file: "lstrlib",
        find: "        while (len++ < (size_t)size)  /* pad extra space */\n",
        replace: "        perilune_work(L, (size_t)size - len);\n        while (len++ < (size_t)size)\n",
    },
    Patch {
        file: "lstrlib",
        find: "  luaL_checkstack(L, n, \"string slice too long\");\n  for (i=0; i<n; i++)\n",
        replace: "  luaL_checkstack(L, n, \"string slice too long\");\n  perilune_work(L, (size_t)n << 4);\n  for (i=0; i<n; i++)\n",
    },
    Patch {
        file: "lbaselib",
        find: "    if (b_str2int(s, (int)base, &n) == s + l) {\n",
        replace: "    perilune_charge(l << 1);\n    if (b_str2int(s, (int)base, &n) == s + l) {\n",
    },
    // A tick for each character of UTF-8, or for 64 bytes that are looked at to find one.
    Patch {
        file: "lutf8lib",
        find: "    s = utf8_decode(s, &code, !lax);\n",
        replace: "    s = (perilune_tick(L), utf8_decode(s, &code, !lax));\n",
    },
    Patch {
        file: "lutf8lib",
        find: "      pushutfchar(L, i);\n",
        replace: "      perilune_tick(L);\n      pushutfchar(L, i);\n",
    },
    Patch {
        file: "lutf8lib",
        find: "    while (posi > 0 && iscontp(s + posi)) posi--;\n",
        replace: "    while (posi > 0 && iscontp(s + posi))\n      if ((posi-- & 63) == 0) perilune_tick(L);\n",
    },
    Patch {
        file: "lutf8lib",
        find: "           posi--;\n         } while",
        replace: "           if ((posi-- & 63) == 0) perilune_tick(L);\n         } while",
    },
    Patch {
        file: "lutf8lib",
        find: "           posi++;\n         } while",
        replace: "           if ((posi++ & 63) == 0) perilune_tick(L);\n         } while",
    },
    Patch {
        file: "lutf8lib",
        find: "    while (iscontp(s + n)) n++;  /* go to next character */\n",
        replace: "    while (iscontp(s + n))\n      if ((n++ & 63) == 0) perilune_tick(L);\n",
    },
    // Integers in text, which are read before anything else is tried; and floats made text.
    Patch {
        file: "lobject",
        find: "  if ((e = l_str2int(s, &i)) != NULL) {  /* try as an integer */\n",
        replace: "  if ((e = l_str2int(s, &i)) != NULL) {\n    perilune_charge(e - s);\n",
    },
    Patch {
        file: "lobject",
        find: "    len = lua_number2str(buff, MAXNUMBER2STR, fltvalue(obj));\n",
        replace: "    perilune_spend(4);\n    len = lua_number2str(buff, MAXNUMBER2STR, fltvalue(obj));\n",
    },
    // Tables: 16 steps along a chain of keys that collide, which ordinary keys do not take; growing, by
    // slots; a table that is full and changes counts its slots at each new key.
    Patch {
        file: "ltable",
        find: "static const TValue *getgeneric (Table *t, const TValue *key, int deadok) {\n  Node *n = mainpositionTV(t, key);\n",
        replace: "#define perilune_chain_step() ((void)((++steps & 15) == 0 && (perilune_spend(1), 0)))\n\nstatic const TValue *getgeneric (Table *t, const TValue *key, int deadok) {\n  Node *n = mainpositionTV(t, key);\n  int steps = 0;\n",
    },
    Patch {
        file: "ltable",
        find: "    if (equalkey(key, n, deadok))\n      return gval(n);  /* that's it */\n    else {\n      int nx = gnext(n);\n",
        replace: "    if (equalkey(key, n, deadok))\n      return gval(n);\n    else {\n      int nx = gnext(n);\n      perilune_chain_step();\n",
    },
    Patch {
        file: "ltable",
        find: "    Node *n = hashint(t, key);\n    for (;;) {  /* check whether 'key' is somewhere in the chain */\n",
        replace: "    Node *n = hashint(t, key);\n    int steps = 0;\n    for (;;) {\n",
    },
    Patch {
        file: "ltable",
        find: "        if (nx == 0) break;\n        n += nx;\n",
        replace: "        if (nx == 0) break;\n        perilune_chain_step();\n        n += nx;\n",
    },
    Patch {
        file: "ltable",
        find: "      while (othern + gnext(othern) != mp)  /* find previous */\n        othern += gnext(othern);\n",
        replace: "      int steps = 0;\n      while (othern + gnext(othern) != mp) {\n        perilune_chain_step();\n        othern += gnext(othern);\n      }\n",
    },
    Patch {
        file: "ltable",
        find: "  setlimittosize(t);\n  na = numusearray(t, nums);  /* count keys in array part */\n",
        replace: "  setlimittosize(t);\n  perilune_charge((size_t)t->alimit + ((size_t)sizenode(t) << 2));\n  na = numusearray(t, nums);\n",
    },
    // A look-up by a short string must stay as fast as it is, and writes nothing that the interpreter would
    // have to read again: there a chain that becomes long makes all ticks heavier.
    Patch {
        file: "ltable",
        find: "      gnext(mp) = cast_int(f - mp);\n      mp = f;\n",
        replace: "      gnext(mp) = cast_int(f - mp);\n      if (ttisshrstring(key)) {\n        const Node *last = mp;\n        int length = 1;\n        for (; gnext(last) != 0; last += gnext(last)) length++;\n        if (l_unlikely(length > 64)) perilune_long_chain(L, length);\n      }\n      mp = f;\n",
    },
    // A table that grows puts its keys into new places. Lua looks for each of them first, although none is
    // there yet, which is quadratic when many collide.
    Patch {
        file: "ltable",
        find: "      luaH_set(L, t, &k, gval(old));\n",
        replace: "      if (ttisinteger(&k) && l_castS2U(ivalue(&k)) - 1u < t->alimit) {\n        setobj2t(L, &t->array[ivalue(&k) - 1], gval(old));\n      }\n      else\n        luaH_newkey(L, t, &k, gval(old));\n",
    },
    Patch {
        file: "ltable",
        find: "static void reinsert (lua_State *L, Table *ot, Table *t) {\n",
        replace: "static void luaH_newkey (lua_State *L, Table *t, const TValue *key, TValue *value);\n\nstatic void reinsert (lua_State *L, Table *ot, Table *t) {\n",
    },
    Patch {
        file: "ltable",
        find: "  exchangehashpart(t, &newt);  /* 't' has the new hash ('newt' has the old) */\n",
        replace: "  exchangehashpart(t, &newt);\n  if (oldasize + newasize + sizenode(&newt) + sizenode(t) > 64)\n    perilune_charge(((size_t)oldasize + newasize) * 2 + (((size_t)sizenode(&newt) + sizenode(t)) << 3));\n",
    },
    // Strings: the hash of a long one, which is made when it is a key; chains of short ones that collide; a
    // name that is in the cache.
    Patch {
        file: "lstring",
        find: "    ts->hash = luaS_hash(getlngstr(ts), len, ts->hash);\n",
        replace: "    perilune_charge(len);\n    ts->hash = luaS_hash(getlngstr(ts), len, ts->hash);\n",
    },
    Patch {
        file: "lstring",
        find: "  lua_assert(str != NULL);  /* otherwise 'memcmp'/'memcpy' are undefined */\n  for (ts = *list; ts != NULL; ts = ts->u.hnext) {\n",
        replace: "  int length = 0;\n  for (ts = *list; ts != NULL; ts = ts->u.hnext) {\n    length++;\n",
    },
    Patch {
        file: "lstring",
        find: "  /* else must create a new string */\n",
        replace: "  if (l_unlikely(length > 64)) perilune_long_chain(L, length);\n",
    },
    Patch {
        file: "lstring",
        find: "  while (*p != ts)  /* find previous element */\n    p = &(*p)->u.hnext;\n",
        replace: "  int steps = 0;\n  while (*p != ts) {\n    if (++steps > 16) perilune_collector_steps++;\n    p = &(*p)->u.hnext;\n  }\n",
    },
    Patch {
        file: "lstring",
        find: "    if (strcmp(str, getstr(p[j])) == 0)  /* hit? */\n      return p[j];  /* that is it */\n",
        replace: "    if (strcmp(str, getstr(p[j])) == 0) {\n      perilune_charge(tsslen(p[j]));\n      return p[j];\n    }\n",
    },
    // The steps of the collector: slots that are visited, objects that are swept.
    Patch {
        file: "lgc",
        find: "static lu_mem propagatemark (global_State *g) {\n",
        replace: "static lu_mem traverse (global_State *g);\n\nstatic lu_mem propagatemark (global_State *g) {\n  lu_mem work = traverse(g);\n  perilune_collector_steps += work;\n  return work;\n}\n\nstatic lu_mem traverse (global_State *g) {\n",
    },
    Patch {
        file: "lgc",
        find: "    count++;\n    markobject(g, o);\n",
        replace: "    count++;\n    perilune_collector_steps++;\n    markobject(g, o);\n",
    },
    Patch {
        file: "lgc",
        find: "  return work;\n}\n\n\nstatic void cleargraylists",
        replace: "  perilune_collector_steps += work;\n  return work;\n}\n\n\nstatic void cleargraylists",
    },
    Patch {
        file: "lgc",
        find: "    Node *limit = gnodelast(h);\n    Node *n;\n    for (n = gnode(h, 0); n < limit; n++) {\n      if (iscleared(g, gckeyN(n)))",
        replace: "    Node *limit = gnodelast(h);\n    Node *n;\n    perilune_collector_steps += sizenode(h);\n    for (n = gnode(h, 0); n < limit; n++) {\n      if (iscleared(g, gckeyN(n)))",
    },
    Patch {
        file: "lgc",
        find: "    for (i = 0; i < asize; i++) {\n      TValue *o = &h->array[i];\n",
        replace: "    perilune_collector_steps += asize + sizenode(h);\n    for (i = 0; i < asize; i++) {\n      TValue *o = &h->array[i];\n",
    },
    Patch {
        file: "lgc",
        find: "  if (countout)\n    *countout = i;  /* number of elements traversed */\n",
        replace: "  perilune_collector_steps += i;\n  if (countout)\n    *countout = i;\n",
    },
    Patch {
        file: "lgc",
        find: "      luaS_resize(L, g->strt.size / 2);\n",
        replace: "      perilune_collector_steps += g->strt.size;\n      luaS_resize(L, g->strt.size / 2);\n",
    },
    Patch {
        file: "lgc",
        find: "    lua_assert(tofinalize(curr));\n    if (!(iswhite(curr) || all))",
        replace: "    perilune_collector_steps++;\n    if (!(iswhite(curr) || all))",
    },
    Patch {
        file: "lgc",
        find: "      lua_assert(isdead(g, curr));\n      *p = curr->next;  /* remove 'curr' from list */\n      freeobj(L, curr);  /* erase 'curr' */\n    }\n    else {  /* all surviving objects become old */\n",
        replace: "      perilune_collector_steps++;\n      *p = curr->next;\n      freeobj(L, curr);\n    }\n    else {\n      perilune_collector_steps++;\n",
    },
    Patch {
        file: "lgc",
        find: "  while ((curr = *p) != limit) {\n    if (iswhite(curr)) {  /* is 'curr' dead? */\n",
        replace: "  while ((curr = *p) != limit) {\n    perilune_collector_steps++;\n    if (iswhite(curr)) {\n",
    },
    Patch {
        file: "lgc",
        find: "  for (; p != NULL; p = p->next)\n    p->marked = ",
        replace: "  for (; p != NULL; p = p->next, perilune_collector_steps++)\n    p->marked = ",
    },
    Patch {
        file: "lgc",
        find: "    GCObject **next = getgclist(curr);\n    if (iswhite(curr))\n",
        replace: "    GCObject **next = getgclist(curr);\n    perilune_collector_steps++;\n    if (iswhite(curr))\n",
    },
    Patch {
        file: "lgc",
        find: "    if (getage(p) == G_OLD1) {\n      lua_assert(!iswhite(p));\n",
        replace: "    perilune_collector_steps++;\n    if (getage(p) == G_OLD1) {\n      lua_assert(!iswhite(p));\n",
    },
    // Work that the collector does by itself shortens the time to the next look at the clock; a full
    // collection, which a script has asked for or made necessary, is charged.
    Patch {
        file: "lgc",
        find: "    if(isdecGCmodegen(g))\n      genstep(L, g);\n    else\n      incstep(L, g);\n",
        replace: "    size_t before = perilune_collector_steps;\n    if(isdecGCmodegen(g))\n      genstep(L, g);\n    else\n      incstep(L, g);\n    if (perilune_is_ours(g)) perilune_worked_aside(L, perilune_collector_steps - before);\n",
    },
    Patch {
        file: "lgc",
        find: "  lua_assert(!g->gcemergency);\n  g->gcemergency = isemergency;  /* set flag */\n",
        replace: "  size_t before = perilune_collector_steps;\n  lua_assert(!g->gcemergency);\n  g->gcemergency = isemergency;\n",
    },
    Patch {
        file: "lgc",
        find: "    fullgen(L, g);\n  g->gcemergency = 0;\n",
        replace: "    fullgen(L, g);\n  g->gcemergency = 0;\n  if (isemergency) perilune_finalize_soon(g);\n  perilune_charge_steps(perilune_collector_steps - before);\n",
    },
    // A finalizer for an object that is old: Lua looks for the object among all that are younger.
    Patch {
        file: "lgc",
        find: "    for (p = &g->allgc; *p != o; p = &(*p)->next) { /* empty */ }\n",
        replace: "    size_t steps = 0;\n    for (p = &g->allgc; *p != o; p = &(*p)->next) steps++;\n    if (steps > 256) perilune_charge(steps << 5);\n",
    },
    // Ephemeron tables converge in linear time (lua-5.4/port/ephemerons.h).
    Patch {
        file: "lgc",
        find: "static void entersweep (lua_State *L);\n",
        replace: "static void entersweep (lua_State *L);\nstatic void key_is_marked (GCObject *key);\n",
    },
    Patch {
        file: "lgc",
        find: "      linkobjgclist(o, g->gray);  /* to be visited later */\n",
        replace: "      if (l_unlikely(testbit(o->marked, TESTBIT))) key_is_marked(o);\n      else linkobjgclist(o, g->gray);\n",
    },
    Patch {
        file: "lgc",
        find: "static void convergeephemerons (global_State *g) {\n",
        replace: "static void converge_by_passes (global_State *g) {\n",
    },
    Patch {
        file: "lgc",
        find: "      if (traverseephemeron(g, h, dir)) {  /* marked some value? */\n",
        replace: "      perilune_collector_steps += sizenode(h);\n      if (traverseephemeron(g, h, dir)) {\n",
    },
    Patch {
        file: "lgc",
        find: "    dir = !dir;  /* invert direction next time */\n  } while (changed);  /* repeat until no more changes */\n}\n",
        replace: "    dir = !dir;\n  } while (changed);\n}\n\n#include \"ephemerons.h\"\n",
    },
    Patch {
        file: "lgc",
        find: "#include \"ltm.h\"\n",
        replace: "#include \"ltm.h\"\n#include \"fuel.h\"\n",
    },
];
