// Patches of Lua's C files, for the few places that no macro and no wrapper reaches (docs/decisions/0015).
// The build writes patched copies, and stops unless it finds each text exactly once. The functions
// `perilune_...` are those of lua-5.4/port/fuel.h.
//
// Included by build/sources.rs.

/// One replacement in one C file.
struct Patch {
    file: &'static str,
    /// The text to replace, which must occur exactly once.
    find: &'static str,
    replace: &'static str,
}

const PATCHES: &[Patch] = &[
    // A stack that cannot grow collects garbage and tries again (ldo_port.c). The original forbids that,
    // because all pointers into the stack are offsets while it asks for memory. Here they are pointers again
    // before.
    Patch {
        file: "ldo",
        find: "  if (l_unlikely(newstack == NULL)) {  /* reallocation failed? */\n    correctstack(L);  /* change offsets back to pointers */\n",
        replace: "  if (l_unlikely(newstack == NULL)) {\n    correctstack(L);\n    newstack = perilune_collect_and_grow(L, oldsize, newsize);\n  }\n  if (l_unlikely(newstack == NULL)) {\n",
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
    // The block of a string buffer is freed when its function ends, by whatever way; nothing that may be
    // suspended has one. With a finalizer as well, each long string leaves a userdata that an emergency
    // collection cannot free: a hole in memory every kilobyte.
    Patch { file: "lauxlib", find: "  {\"__gc\", boxgc},\n", replace: "" },
    // A tick for every jump back, every step of a loop and every return from C. The interpreter tests `trap`
    // anyway to leave its fast path, so a tick costs a decrement and no branch.
    Patch {
        file: "lvm",
        find: "#define updatetrap(ci)  (trap = ci->u.l.trap)",
        replace: "#define updatetrap(ci)  (trap = ci->u.l.trap | perilune_tick_out())",
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
    Patch {
        file: "lstrlib",
        find: "  /* keeps trying to match with the maximum repetitions */\n",
        replace: "  perilune_charge(i);\n",
    },
    Patch {
        file: "lstrlib",
        find: "    while (++s < ms->src_end) {\n      if (*s == e) {\n",
        replace: "    perilune_charge(ms->src_end - s);\n    while (++s < ms->src_end) {\n      if (*s == e) {\n",
    },
    // A plain search compares at each place where the first byte fits, which is quadratic in one call.
    Patch {
        file: "lstrlib",
        find: "static const char *lmemfind (const char *s1, size_t l1,\n",
        replace: "static const char *lmemfind (lua_State *L, const char *s1, size_t l1,\n",
    },
    Patch {
        file: "lstrlib",
        find: "      init++;   /* 1st char is already checked */\n",
        replace: "      init++;\n      perilune_charge(l2);\n      perilune_tick(L);\n",
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
];
