/* time.h: the core reads no clock by itself. lmathlib.c takes a first seed here, which the runtime replaces at once
   with the host's (src/stdlib/base.rs). */
#ifndef PERILUNE_TIME_H
#define PERILUNE_TIME_H
typedef long long time_t;
typedef long clock_t;
static inline time_t time(time_t *out) { (void)out; return 0; }
#endif
