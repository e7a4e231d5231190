//! The counter of lua-5.4/port/fuel.h: ticks that are left until the runtime is asked again. One for each
//! thread of the process, so whoever runs Lua sets it, and puts back what was there.

use super::raw;
use super::stack::Stack;
use std::ffi::c_int;

unsafe extern "C" {
    safe fn perilune_fuel_left() -> c_int;
    safe fn perilune_set_fuel(ticks: c_int);
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

impl Stack {
    /// Raises the value on top, without asking any message handler. `[-1, +0, e]`
    pub(crate) fn raise_past_handlers(self) -> ! {
        // SAFETY: the state is valid, and no frame up to the protected call holds a destructor.
        unsafe { perilune_raise_past_handlers(self.as_ptr()) }
    }
}
