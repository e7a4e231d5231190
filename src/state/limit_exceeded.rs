//! The end of a call that has used up its fuel or its time, or was interrupted: raised wherever the script is, past its message
//! handlers, and again at its next tick, whoever catches it.

use crate::lua::{Stack, fuel, raw};
use crate::state::context::context;
use crate::state::error_record::note_trip;
use crate::state::meter::Trip;

impl Trip {
    /// The word for programs, which is also the error value.
    pub(crate) fn word(self) -> &'static [u8] {
        match self {
            Trip::Timeout => b"timeout",
            Trip::Fuel => b"fuel",
            Trip::Interrupt => b"interrupt",
        }
    }
}

/// Lua has no ticks left (lua-5.4/port/fuel.h).
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn perilune_refuel(l: *mut raw::lua_State) {
    // SAFETY: C gives the running thread, where it may be raised.
    let stack = unsafe { Stack::new(l) };
    let c = context(stack);
    if c.depth == 0 {
        // Finalizers at the end, or code that came from elsewhere: nobody asked for a limit.
        return fuel::set(fuel::UNLIMITED);
    }
    let known = c.meter.tripped().is_some();
    let (now_ms, interrupted) = if known { (0.0, false) } else { (c.host.timer_ms(), c.is_interrupted()) };
    let trip = match c.meter.refuel(fuel::left(), now_ms, interrupted) {
        Ok(ticks) => return fuel::set(ticks),
        Err(trip) => trip,
    };
    // Negative until the call ends: every tick comes back here.
    fuel::set(-1);
    if !known {
        note_trip(stack, trip);
    }
    // Without room, what follows is a "stack overflow"; that ends here just as well.
    stack.has_room(4);
    stack.push_bytes(trip.word());
    stack.raise_past_handlers()
}
