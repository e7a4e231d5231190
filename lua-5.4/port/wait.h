/* wait.h: the roles of Lua threads in waiting for host functions (lcorolib_port.c, src/host_call). */
#ifndef PERILUNE_WAIT_H
#define PERILUNE_WAIT_H

/* The first word before every thread (LUA_EXTRASPACE, config.h): its role, below PERILUNE_ROLES, and how far its
   closing is. */
enum perilune_role {
  PERILUNE_PLAIN = 0,      /* a thread in which host functions cannot wait */
  PERILUNE_IN_TASK = 1,    /* a coroutine that a task resumed, directly or not */
  PERILUNE_TASK = 2,       /* the coroutine of a task itself, which looks like the main one to scripts */
  PERILUNE_ROLES = 3,      /* mask of these */
  PERILUNE_CLOSING = 4,    /* perilune_close_thread has begun to close what it has open */
  PERILUNE_ENDING = 8,     /* ... for perilune_end_task */
  PERILUNE_REPLACED = 16,  /* ... and a closing method has raised another error than the first one */
  PERILUNE_CANCELLED = 32, /* a task that was ended from outside */
  PERILUNE_STATUS = 64     /* times the status with which it is closed */
};

#define perilune_role_of(L) (*(int *)lua_getextraspace(L))

/* Its address is what a thread yields that a host function has suspended. No script can make that value. */
extern const char perilune_waiting;

/* Closes what a thread has open, as lua_closethread does, but closing methods may be suspended: LUA_YIELD, and to be
   called again when the thread can go on (ldo_port.c). [-?, +(0|1), -] */
extern int perilune_close_thread(lua_State *L, lua_State *from);

#endif
