/* levels.h: levels of calls for tracebacks, which look at both ends of them. lua_getstack walks along all levels from
   the innermost one, and a runaway recursion has a hundred thousand. */
#ifndef PERILUNE_LEVELS_H
#define PERILUNE_LEVELS_H

/* The outermost level, or 0; they are counted once. [-0, +0, -] */
int perilune_last_level(lua_State *L);

/* lua_getstack, where the outermost level is known: from the end that is nearer. [-0, +0, -] */
int perilune_level(lua_State *L, int level, int last, lua_Debug *ar);

#endif
