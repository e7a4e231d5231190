/* wait.h: what a thread of Lua may do while a host function waits (lcorolib_port.c, src/host_call/wait.rs). */
#ifndef PERILUNE_WAIT_H
#define PERILUNE_WAIT_H

/* The first word before every thread (LUA_EXTRASPACE, config.h). */
enum perilune_role {
  PERILUNE_PLAIN = 0,   /* nothing below it can be suspended for the host */
  PERILUNE_IN_TASK = 1,   /* a coroutine that a task resumed, directly or not */
  PERILUNE_TASK = 2     /* the coroutine of a task itself, which scripts take for the main one */
};

#define perilune_role_of(L) (*(int *)lua_getextraspace(L))

/* What a thread yields that a host function has suspended: this address, which no script can make. */
extern const char perilune_waiting;

#endif
