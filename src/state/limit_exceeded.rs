//! The end of a call that has used up its fuel or its time, or was interrupted: raised wherever the script
//! is, past its message handlers, and again at its next tick, whoever catches it.

use crate::lua::{Stack, fuel, raw};
use crate::state::context::context;
use crate::state::error_record::note_limit_exceeded;
use crate::state::meter::LimitExceeded;

impl LimitExceeded {
    /// The word for programs, which is also the error value.
    pub(crate) fn word(self) -> &'static [u8] {
        match self {
            LimitExceeded::Timeout => b"timeout",
            LimitExceeded::Fuel => b"fuel",
            LimitExceeded::Interrupt => b"interrupt",
        }
    }
}

/// Asks the meter for more ticks. Returns the limit that the call has exceeded, once it has, and then each
/// time.
fn refuel(stack: Stack) -> Option<LimitExceeded> {
    let c = context(stack);
    if c.depth == 0 {
        // Finalizers at the end, or code that came from elsewhere: nobody asked for a limit.
        fuel::set(fuel::UNLIMITED);
        return None;
    }
    let known = c.meter.exceeded().is_some();
    let (now_ms, interrupted) = if known { (0.0, false) } else { (c.host.timer_ms(), c.is_interrupted()) };
    match c.meter.refuel(fuel::left(), now_ms, interrupted) {
        Ok(ticks) => {
            fuel::set(ticks);
            None
        }
        Err(limit) => {
            // Negative until the call ends: every tick comes back here.
            fuel::set(-1);
            if !known {
                note_limit_exceeded(stack, limit);
            }
            Some(limit)
        }
    }
}

/// Counts ticks of work that is not Lua's; false when the call must end.
#[inline(never)]
pub(crate) fn charge(stack: Stack, ticks: u64) -> bool {
    fuel::set(context(stack).meter.charge(fuel::left(), ticks));
    fuel::left() >= 0 || refuel(stack).is_none()
}

/// Gives Lua more ticks, when it has none left (lua-5.4/port/fuel.h), or ends the call.
// SAFETY: nothing else has this name.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn perilune_refuel(l: *mut raw::lua_State) {
    // SAFETY: C gives the running thread, where it may be raised.
    let stack = unsafe { Stack::new(l) };
    let Some(limit) = refuel(stack) else { return };
    // Without room, what follows is a "stack overflow"; that ends here just as well.
    stack.has_room(4);
    stack.push_bytes(limit.word());
    stack.raise_past_handlers()
}
