/* errno.h: a dummy, because nothing here fails with a system error. */
#ifndef PERILUNE_ERRNO_H
#define PERILUNE_ERRNO_H
/* Lua sets it to 0 before a call and reads it afterwards, so one variable per file is enough. */
static int errno __attribute__((unused));
#endif
