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

/* Ticks that are used beyond what the counter says. A counter below 0 is looked at where the next tick is used; where
   another tick must come before that one (perilune_owe_fuel), the counter is 0 for so long. */
extern PERILUNE_PER_THREAD int perilune_fuel_owed;

#define perilune_owe_fuel() ((void)(perilune_fuel < 0 && (perilune_fuel_owed -= perilune_fuel, perilune_fuel = 0)))

/* Asks the runtime for more ticks, which refills the counter or raises an error that no script can catch.
   Only where an error may be raised. */
extern void perilune_refuel(lua_State *L);

/* Steps of the collector: a slot visited, an object swept. Only grows. They use no fuel by themselves, because the
   collector's moments depend on the size of pointers, and fuel must not; but the clock is asked after enough of
   them (perilune_worked_aside), and where a script asks for a collection, or fills the memory, they are
   charged. */
extern PERILUNE_PER_THREAD size_t perilune_collector_steps;

/* Tells the runtime of steps that use no fuel, because their number is not the same everywhere: of the collector by
   itself, of a search that depends on the hash. Raises nothing. */
extern void perilune_worked_aside(lua_State *L, size_t steps);

/* Tells the runtime of so many short strings that collide in a table. Every access may have to pass all of them, so
   from now on a tick counts as more. Raises nothing. */
extern void perilune_long_chain(lua_State *L, int length);

#if defined(PERILUNE_UNMETERED) /* to measure the cost of ticks; such a build has no limits */
#define perilune_tick(L) ((void)(L))
#define perilune_check(L) ((void)(L))
#define perilune_spend(ticks) ((void)0)
#define perilune_charge(bytes) ((void)0)
#define perilune_charge_steps(n) ((void)0)
#define perilune_charge_values(n) ((void)0)
#define perilune_work(L, bytes) ((void)(L))
#else

/* Uses a tick; 1 if none is left, otherwise 0. Without a branch. */
#define perilune_tick_out() ((int)((unsigned int)--perilune_fuel >> 31))

/* Uses a tick, for a step of a loop that may not end. */
#define perilune_tick(L) ((void)(--perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Uses no tick, but stops a script that has none left. */
#define perilune_check(L) ((void)(perilune_fuel < 0 && (perilune_refuel(L), 0)))

/* Uses a few ticks, for an operation that takes long: the limit takes effect at the next tick. */
#define perilune_spend(ticks) ((void)(perilune_fuel -= (ticks)))

/* Uses ticks for work on this many bytes, which does end by itself: the limit takes effect at the next
   tick. */
#define PERILUNE_BYTES_PER_TICK_LOG2 6
#define perilune_charge(bytes) \
  ((void)(perilune_fuel > -(1 << 30) && (perilune_fuel -= (int)((size_t)(bytes) >> PERILUNE_BYTES_PER_TICK_LOG2), 0)))

/* Uses ticks for so many steps of a loop that does end by itself, 16 for each. */
#define perilune_charge_steps(n) perilune_charge((size_t)(n) << 2)

/* Uses ticks for values that are copied, 4 for each. A few cost nothing: the host's own operations copy some. */
#define perilune_charge_values(n) ((void)((n) > 16 && (perilune_charge((size_t)(n) << 4), 0)))

/* Uses ticks for work on this many bytes, and stops a script that has none left. */
#define perilune_work(L, bytes) (perilune_charge(bytes), perilune_check(L))
#endif

#endif
