/* fuel.h: what a script has used, counted in ticks: one for each jump, loop and call of the interpreter, and for each step of a C
   loop that a script can stretch (docs/decisions/0015). The counter is what is left until the runtime wants to be asked again. */
#ifndef PERILUNE_FUEL_H
#define PERILUNE_FUEL_H

#if defined(__wasm__)
#define PERILUNE_PER_THREAD
#else
#define PERILUNE_PER_THREAD _Thread_local
#endif

extern PERILUNE_PER_THREAD int perilune_fuel;

/* Gives more, or raises what no script can catch. Only where an error may be raised. */
extern void perilune_refuel(lua_State *L);

#if defined(PERILUNE_UNMETERED) /* to measure what ticks cost; nothing ends such a build */
#define perilune_tick(L) ((void)(L))
#define perilune_check(L) ((void)(L))
#define perilune_charge(bytes) ((void)0)
#else

/* Has a tick been the last one? 0 or 1, without a branch. */
#define perilune_tick_out() ((int)((unsigned int)--perilune_fuel >> 31))

/* A step of a loop that may have no end. */
#define perilune_tick(L) ((void)(--perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Not a step, but a place that nothing may pass that has no fuel. */
#define perilune_check(L) ((void)(perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Work that has an end, by bytes: it is told, and felt at the next tick. */
#define PERILUNE_BYTES_PER_TICK_LOG2 6
#define perilune_charge(bytes) \
  ((void)(perilune_fuel > -(1 << 30) && (perilune_fuel -= (int)((size_t)(bytes) >> PERILUNE_BYTES_PER_TICK_LOG2), 0)))
#endif

#endif
