/* signal.h: only `sig_atomic_t`, the type of Lua's hook flag, because there are no signals. */
#ifndef PERILUNE_SIGNAL_H
#define PERILUNE_SIGNAL_H
typedef int sig_atomic_t;
#endif
