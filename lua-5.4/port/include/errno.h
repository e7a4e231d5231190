/* errno.h: nothing here can fail with a system error. */
#ifndef PERILUNE_ERRNO_H
#define PERILUNE_ERRNO_H
/* Lua sets it to 0 before a call and reads it after: a place of its own for each file. */
static int errno __attribute__((unused));
#endif
