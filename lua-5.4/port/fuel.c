/* fuel.c: access to the counter of fuel.h, for Rust; and a way to raise an error without calling a message
   handler. */
#define LUA_CORE

#include "lprefix.h"

#include <limits.h>

#include "lua.h"

#include "ldo.h"

#include "fuel.h"

PERILUNE_PER_THREAD int perilune_fuel = INT_MAX;
PERILUNE_PER_THREAD int perilune_fuel_owed = 0;
PERILUNE_PER_THREAD size_t perilune_collector_steps = 0;

int perilune_fuel_left(void) { return perilune_fuel - perilune_fuel_owed; }

void perilune_set_fuel(int ticks) {
  perilune_fuel = ticks;
  perilune_fuel_owed = 0;
}

int perilune_spend_bytes(size_t bytes) {
  perilune_charge(bytes);
  return perilune_fuel;
}

size_t perilune_collector_steps_taken(void) { return perilune_collector_steps; }

/* Raises the value on top without calling the message handler, which would be code of the script. [-1, +0,
   e] */
void perilune_raise_past_handlers(lua_State *L) { luaD_throw(L, LUA_ERRRUN); }
