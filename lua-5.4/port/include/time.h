/* time.h: a clock that stands still, because the core reads no clock by itself. lmathlib.c takes its first
   seed from it, which the runtime replaces at once with the host's (src/stdlib/base.rs). */
#ifndef PERILUNE_TIME_H
#define PERILUNE_TIME_H
typedef long long time_t;
typedef long clock_t;
static inline time_t time(time_t *out) { (void)out; return 0; }
#endif
