/* fuel.h: the fuel that a script uses, counted in ticks: one for each jump, loop and call of the interpreter,
   and for each step of a C loop whose length a script controls (docs/decisions/0015). The counter holds the
   ticks left until the runtime must be asked for more. */
#ifndef PERILUNE_FUEL_H
#define PERILUNE_FUEL_H

#if defined(__wasm__)
#define PERILUNE_PER_THREAD
#else
#define PERILUNE_PER_THREAD _Thread_local
#endif

extern PERILUNE_PER_THREAD int perilune_fuel;

/* Asks the runtime for more ticks, which refills the counter or raises an error that no script can catch.
   Only where an error may be raised. */
extern void perilune_refuel(lua_State *L);

#if defined(PERILUNE_UNMETERED) /* to measure the cost of ticks; such a build has no limits */
#define perilune_tick(L) ((void)(L))
#define perilune_check(L) ((void)(L))
#define perilune_charge(bytes) ((void)0)
#else

/* Uses a tick; 1 if none is left, otherwise 0. Without a branch. */
#define perilune_tick_out() ((int)((unsigned int)--perilune_fuel >> 31))

/* Uses a tick, for a step of a loop that may not end. */
#define perilune_tick(L) ((void)(--perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Uses no tick, but stops a script that has none left. */
#define perilune_check(L) ((void)(perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Uses ticks for work on this many bytes, which does end by itself: the limit takes effect at the next
   tick. */
#define PERILUNE_BYTES_PER_TICK_LOG2 6
#define perilune_charge(bytes) \
  ((void)(perilune_fuel > -(1 << 30) && (perilune_fuel -= (int)((size_t)(bytes) >> PERILUNE_BYTES_PER_TICK_LOG2), 0)))
#endif

#endif
