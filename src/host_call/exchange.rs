//! One call of a host function: arguments out as a list, results in as a list.
//!
//! Keeps true: what the host wrote is read before any Lua code can run again (the collector is paused), so
//! that a call inside a call may use the same buffers.

use super::object::{object_id, prefix_position};
use crate::lua::{Stack, Thrown, lua_continuation, raw};
use crate::marshal;
use crate::state::context::context;
use crate::state::error_record::Mark;
use crate::state::host_functions::{HostResult, Service, Side};
use crate::state::limit_exceeded::charge;
use std::ffi::{c_int, c_void};
use std::{mem, ptr};

/// The registry's place for the value of the last error that was reported to the host in this call, or false.
static LAST_ERROR: u8 = 0;

/// Bytes of results that are read for a tick; the host has written them.
const RESULT_BYTES_PER_TICK: usize = 32;

fn last_error() -> *const c_void {
    ptr::from_ref(&LAST_ERROR).cast()
}

/// Makes the place. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.push_boolean(false);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, last_error());
}

/// Calls a host function with the values of the running C function, as that function. `[-0, +results, e]`
pub(super) fn call(stack: Stack, id: u32) -> Result<c_int, Thrown> {
    match answer(stack, id, stack.top())? {
        Some(results) => Ok(results),
        None => Ok(stack.wait(settled, 0)),
    }
}

/// Asks for a service, without arguments. None: the caller has to wait, and to take the results by
/// `take_settled`. `[-0, +results, e]`
pub(crate) fn ask(stack: Stack, service: Service) -> Result<Option<c_int>, Thrown> {
    answer(stack, service as u32, 0)
}

/// Calls a host function with the top `args` values. None: it waits. `[-0, +results, e]`
fn answer(stack: Stack, id: u32, args: c_int) -> Result<Option<c_int>, Thrown> {
    match exchange(stack, id, args)? {
        HostResult::Returns => push_list(stack).map(Some),
        HostResult::Raises => {
            push_list(stack)?;
            Err(raise(stack))
        }
        HostResult::RaisesResult => {
            let values = push_list(stack)?;
            stack.call(values - 1, 1);
            Err(raise(stack))
        }
        HostResult::RaisesAgain => {
            stack.raw_get_address(raw::LUA_REGISTRYINDEX, last_error());
            Err(Thrown)
        }
        HostResult::Waits => Ok(None),
        HostResult::OutOfMemory => Err(stack.throw_out_of_memory()),
    }
}

/// The host's side of a call. `[-0, +0, m]`
fn exchange(stack: Stack, id: u32, args_count: c_int) -> Result<HostResult, Thrown> {
    let side = side_of_call(stack, id);
    // Both buffers are this frame's while nothing can raise; a call inside this one finds others.
    let mut args = mem::take(&mut context(stack).args);
    args.clear();
    let written = marshal::encode_list(stack, args_count, side, true, &mut args);
    let mut ended = HostResult::OutOfMemory;
    if written.is_ok() {
        let c = context(stack);
        c.runs += 1;
        // What was printed before the call is seen before what the call does.
        c.flush_output();
        c.before_host();
        let entry = mem::replace(&mut c.entry, stack);
        // Lua also runs outside of operations (finalizers at the end, mlua): what the function begins is
        // inside of it.
        let depth = c.depth;
        c.depth = depth.max(1);
        let mut results = mem::take(&mut c.results);
        results.clear();
        let functions = c.functions.on(side);
        ended = functions.call(stack, id, &args, stack.may_wait(), &mut results);
        let c = context(stack);
        c.entry = entry;
        c.depth = depth;
        c.results = results;
        // It may have written to external tables.
        c.writes += 1;
        c.after_host();
    }
    context(stack).args = args;
    match written {
        Ok(()) => Ok(ended),
        Err(marshal::EncodeError::Memory) => Ok(HostResult::OutOfMemory),
        Err(error) => {
            // Over the limit, it ends at the next tick, whoever catches this.
            let c = context(stack);
            let message = error.message(&mut c.refused);
            c.error_record.mark(Mark::Value, message);
            let message = &raw const *message;
            // SAFETY: the text lives in the context, and is copied before anything else can run.
            Err(stack.throw(unsafe { &*message }))
        }
    }
}

/// The side that answers a call: the owner of the function, or of the object whose member is wanted.
fn side_of_call(stack: Stack, id: u32) -> Side {
    let of_object = id == Service::Get as u32 || id == Service::Set as u32;
    let owned = if of_object { object_id(stack, 1) } else { None };
    Side::of(owned.unwrap_or(id))
}

/// Pushes the list that the host has left. `[-0, +count, m]`
fn push_list(stack: Stack) -> Result<c_int, Thrown> {
    let results = &raw const context(stack).results;
    // SAFETY: the buffer lives in the context, and nothing writes to it while it is read: the collector is
    // paused.
    let count = marshal::push_list(stack, unsafe { &*results });
    let ticks = context(stack).results.len() / RESULT_BYTES_PER_TICK;
    context(stack).trim();
    // What was made of the results is paid for afterwards: being over the limit takes effect at the next
    // tick.
    if ticks > 0 {
        charge(stack, ticks as u64);
    }
    count
}

/// Prepares the value on top as an error: one of the host's gets the position that an error of Lua has.
/// `[-0, +0, m]`
fn raise(stack: Stack) -> Thrown {
    prefix_position(stack);
    Thrown
}

lua_continuation!(settled = settled_inner);

fn settled_inner(stack: Stack, _context: c_int) -> Result<c_int, Thrown> {
    take_settled(stack)
}

/// Takes the results of a host function that waited, as the top values: they are in the input of the
/// operation that resumes (docs/codec.md: resume). For continuations. `[-0, +(2 + results), e]`
pub(crate) fn take_settled(stack: Stack) -> Result<c_int, Thrown> {
    let Some(input) = context(stack).settled.take() else {
        return Err(stack.throw(b"nothing has settled"));
    };
    let first = stack.top() + 1;
    // SAFETY: the operation that resumes keeps its input until it ends, and nothing of Lua has run since it
    // began.
    let count = marshal::push_list(stack, unsafe { input.as_ref() })?;
    if stack.boolean(first + 1) {
        return Ok(count - 2);
    }
    if stack.type_of(first + 1) == raw::LUA_TNIL && count > 2 {
        // A function and its arguments: what that returns is raised.
        stack.call(count - 3, 1);
    }
    Err(raise(stack))
}

/// The number under which the host knows the error value on top: that of an earlier record, if it is the same
/// value; a new one if there is a call of Lua around this one, to which it may come back. `[-0, +0, -]`
pub(crate) fn number_error(stack: Stack) -> Option<u32> {
    let (number, nested) = (context(stack).error_number, context(stack).depth > 1);
    if number != 0 {
        stack.raw_get_address(raw::LUA_REGISTRYINDEX, last_error());
        let same = stack.raw_equal(-1, -2);
        stack.pop(1);
        if same {
            return Some(number);
        }
    }
    if !nested {
        return None;
    }
    stack.push_copy(-1);
    // The key is there since `open`: nothing is allocated.
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, last_error());
    let c = context(stack);
    c.errors_numbered = c.errors_numbered.wrapping_add(1).max(1);
    c.error_number = c.errors_numbered;
    Some(c.errors_numbered)
}

/// Releases the error value that was kept for the outermost call, which has ended. `[-0, +0, -]`
pub(crate) fn forget_error(stack: Stack) {
    if mem::take(&mut context(stack).error_number) != 0 {
        stack.push_boolean(false);
        stack.raw_set_address(raw::LUA_REGISTRYINDEX, last_error());
    }
}
