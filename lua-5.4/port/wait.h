/* wait.h: the roles of Lua threads in waiting for host functions (lcorolib_port.c, src/host_call). */
#ifndef PERILUNE_WAIT_H
#define PERILUNE_WAIT_H

/* The first word before every thread (LUA_EXTRASPACE, config.h). */
enum perilune_role {
  PERILUNE_PLAIN = 0,   /* a thread in which host functions cannot wait */
  PERILUNE_IN_TASK = 1, /* a coroutine that a task resumed, directly or not */
  PERILUNE_TASK = 2     /* the coroutine of a task itself, which looks like the main one to scripts */
};

#define perilune_role_of(L) (*(int *)lua_getextraspace(L))

/* Its address is what a thread yields that a host function has suspended. No script can make that value. */
extern const char perilune_waiting;

#endif
