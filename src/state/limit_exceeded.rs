//! The end of a call that has used up its fuel or its time, or was interrupted: raised wherever the script
//! is, past its message handlers, and again at its next tick, whoever catches it.

use crate::lua::{Stack, Thrown, fuel, raw};
use crate::state::context::context;
use crate::state::error_record::note_limit_exceeded;
use crate::state::meter::LimitExceeded;
use std::ffi::c_int;

impl LimitExceeded {
    /// The word for programs, which is also the error value.
    pub(crate) fn word(self) -> &'static [u8] {
        match self {
            LimitExceeded::Timeout => b"timeout",
            LimitExceeded::Fuel => b"fuel",
            LimitExceeded::Interrupt => b"interrupt",
            LimitExceeded::Exit => b"exit",
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

/// Uses ticks for work on so many bytes (64 for each), and ends the call if none are left. `[-0, +0, e]`
#[inline]
pub(crate) fn work(stack: Stack, bytes: usize) {
    if fuel::charge(bytes) < 0 {
        end_if_exceeded(stack);
    }
}

/// Uses ticks for so many steps of a loop (16 for each), and ends the call if none are left. `[-0, +0, e]`
#[inline]
pub(crate) fn work_steps(stack: Stack, steps: usize) {
    if fuel::charge_steps(steps) < 0 {
        end_if_exceeded(stack);
    }
}

/// Uses a tick, for a step of a loop that takes about as long as one of Lua's. `[-0, +0, e]`
#[inline]
pub(crate) fn tick(stack: Stack) {
    work(stack, 64);
}

/// Asks for more ticks, or raises. `[-0, +0, e]`
#[cold]
#[inline(never)]
fn end_if_exceeded(stack: Stack) {
    let Some(limit) = refuel(stack) else { return };
    // Without room, what follows is a "stack overflow"; that ends here just as well.
    stack.has_room(4);
    stack.push_bytes(limit.word());
    stack.raise_past_handlers()
}

/// Ends the call of the host that runs with a code, after closing what is to be closed in the running thread
/// if the program asks for it. Outside of any call (a finalizer when the VM ends) it is an error. `[-0, +0,
/// e]`
pub(crate) fn end_program(stack: Stack, code: i32, closes: bool) -> Result<c_int, Thrown> {
    if context(stack).depth == 0 {
        return Err(stack.throw(b"there is no program to exit from"));
    }
    if closes {
        stack.close_variables(|stack| context(stack).meter.exceeded().is_none());
    }
    let c = context(stack);
    c.exit_code = code;
    c.meter.exit(fuel::left());
    fuel::set(-1);
    if c.meter.exceeded() == Some(LimitExceeded::Exit) {
        note_limit_exceeded(stack, LimitExceeded::Exit);
    }
    stack.has_room(4);
    stack.push_bytes(LimitExceeded::Exit.word());
    stack.raise_past_handlers()
}

/// Steps aside until the clock is asked: about half a millisecond.
const STEPS_ASIDE_PER_LOOK: usize = 50_000;

/// Notes steps that use no fuel (lua-5.4/port/fuel.h): how many there are depends on the size of pointers or
/// on the seed of the hash. They do, once the script has told the collector how to work.
// SAFETY: nothing else has this name.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn perilune_worked_aside(l: *mut raw::lua_State, steps: usize) {
    // SAFETY: C gives the running thread. Nothing here runs Lua or raises.
    let c = context(unsafe { Stack::new(l) });
    if c.depth == 0 {
        return;
    }
    if c.collector.is_tuned {
        fuel::charge_steps(steps);
        return;
    }
    c.steps_aside += steps;
    if c.steps_aside >= STEPS_ASIDE_PER_LOOK {
        c.steps_aside = 0;
        c.after_host();
    }
}

/// Keys of a chain for which a tick counts once more: walking along them takes about as long.
const KEYS_PER_TICK: u32 = 16;

/// Makes ticks heavier once so many short strings collide in a table (lua-5.4/port/fuel.h).
// SAFETY: nothing else has this name.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn perilune_long_chain(l: *mut raw::lua_State, length: c_int) {
    // SAFETY: C gives the running thread. Nothing here runs Lua or raises.
    let c = context(unsafe { Stack::new(l) });
    if c.depth > 0 {
        fuel::set(c.meter.weigh(fuel::left(), length.unsigned_abs() / KEYS_PER_TICK));
    }
}

/// Gives Lua more ticks, when it has none left (lua-5.4/port/fuel.h), or ends the call.
// SAFETY: nothing else has this name.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn perilune_refuel(l: *mut raw::lua_State) {
    // SAFETY: C gives the running thread, where it may be raised.
    end_if_exceeded(unsafe { Stack::new(l) });
}
