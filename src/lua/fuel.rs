//! The counter of lua-5.4/port/fuel.h: ticks that are left until the runtime is asked again. One for each
//! thread of the process, so whoever runs Lua sets it, and puts back what was there.

use super::raw;
use super::stack::Stack;
use std::ffi::c_int;

unsafe extern "C" {
    safe fn perilune_fuel_left() -> c_int;
    safe fn perilune_set_fuel(ticks: c_int);
    safe fn perilune_spend_bytes(bytes: usize) -> c_int;
    safe fn perilune_collector_steps_taken() -> usize;
}

unsafe extern "C-unwind" {
    fn perilune_raise_past_handlers(l: *mut raw::lua_State) -> !;
}

/// The largest number of ticks, for code that runs without a meter.
pub(crate) const UNLIMITED: i32 = i32::MAX;

/// Ticks left; negative when work was done beyond them.
#[inline]
pub(crate) fn left() -> i32 {
    perilune_fuel_left()
}

/// Sets the number of ticks left.
#[inline]
pub(crate) fn set(ticks: i32) {
    perilune_set_fuel(ticks);
}

/// Bytes of work for each tick: `PERILUNE_BYTES_PER_TICK_LOG2` of lua-5.4/port/fuel.h.
pub(crate) const BYTES_PER_TICK: usize = 64;

/// Uses ticks for work on so many bytes; the limit takes effect at the next tick. Returns what is left.
#[inline]
pub(crate) fn charge(bytes: usize) -> i32 {
    perilune_spend_bytes(bytes)
}

/// Uses ticks for so many steps of a loop, of some ten nanoseconds each: 16 for a tick. Returns what is left.
#[inline]
pub(crate) fn charge_steps(steps: usize) -> i32 {
    charge(steps.saturating_mul(BYTES_PER_TICK / 16))
}

/// Steps that the collector has taken on this thread of the process.
pub(crate) fn collector_steps() -> usize {
    perilune_collector_steps_taken()
}

impl Stack {
    /// Raises the value on top, without asking any message handler. `[-1, +0, e]`
    pub(crate) fn raise_past_handlers(self) -> ! {
        // SAFETY: the state is valid, and no frame up to the protected call holds a destructor.
        unsafe { perilune_raise_past_handlers(self.as_ptr()) }
    }
}
