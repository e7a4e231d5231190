/* signal.h: there are no signals; `sig_atomic_t` is the type of Lua's hook flag. */
#ifndef PERILUNE_SIGNAL_H
#define PERILUNE_SIGNAL_H
typedef int sig_atomic_t;
#endif
