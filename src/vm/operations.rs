//! The operations of `request`, one function each (docs/codec.md, section 3). Each runs protected, as an
//! `Operation`.

use crate::limits::{HOST_SERVICES_MAX, NAME_BYTES_MAX};
use crate::lua::{RefKind, Stack, Thrown, fuel, lua_function, raw};
use crate::state::context::context;
use crate::state::error_record::Mark;
use crate::value::{Decoder, Token};
use crate::{host_call, marshal, stdlib};
use std::ffi::c_int;

/// An operation and its arguments, on their way into a protected call.
pub(crate) struct Body<'a> {
    pub(crate) run: Operation,
    pub(crate) input: &'a [u8],
}

/// Takes its arguments from a list in bytes, and leaves its results on the stack.
pub(crate) type Operation = fn(Stack, &[u8]) -> Result<(), Thrown>;

lua_function!(run_body = run_body_inner);

fn run_body_inner(stack: Stack) -> Result<c_int, Thrown> {
    let body = stack.userdata(1).cast::<Body<'_>>();
    // SAFETY: `request_raw` passed the address of its own `Body`, which outlives this call.
    let body = unsafe { &*body };
    stack.set_top(0);
    (body.run)(stack, body.input)?;
    Ok(stack.top())
}

/// Makes the error of an operation that cannot be done with its arguments. `[-0, +1, m]`
pub(super) fn usage(stack: Stack, message: &[u8]) -> Thrown {
    context(stack).error_record.mark(Mark::Usage, message);
    stack.push_bytes(message);
    Thrown
}

lua_function!(find = find_inner);

/// `"math.max"`: walks the dots with metamethods; the function is what it finds.
fn find_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the name stays at index 1.
    let Some(name) = (unsafe { stack.bytes(1) }) else {
        return Err(usage(stack, b"call takes a function's name"));
    };
    stack.push_globals();
    for part in name.split(|&byte| byte == b'.') {
        if stack.type_of(-1) != raw::LUA_TTABLE && stack.type_of(-1) != raw::LUA_TUSERDATA {
            return Err(no_such_function(stack, name));
        }
        stack.push_bytes(part);
        stack.get(-2);
        stack.remove(-2);
    }
    if stack.is_none_or_nil(-1) {
        return Err(no_such_function(stack, name));
    }
    Ok(1)
}

fn no_such_function(stack: Stack, name: &[u8]) -> Thrown {
    stack.push_bytes(b"no function '");
    stack.push_bytes(name);
    stack.push_bytes(b"'");
    stack.concat(3);
    // SAFETY: the message stays on top while it is copied.
    let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
    context(stack).error_record.mark(Mark::Usage, message);
    Thrown
}

pub(crate) fn release(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    marshal::push_list(stack, input)?;
    if !push_reference(stack, 1) {
        return Err(usage(stack, marshal::RELEASED));
    }
    let handle = stack.integer(1).unwrap_or_default();
    stack.release_reference(RefKind::Host, handle as c_int);
    let context = context(stack);
    context.handles = context.handles.saturating_sub(1);
    stack.set_top(0);
    Ok(())
}

/// Releases all references of the host, but for the handles that the list names: it is another host.
pub(crate) fn disown(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let kept = marshal::push_list(stack, input)?;
    let mut handles = 0;
    stack.release_references(RefKind::Host, |handle| {
        let keeps = (1..=kept).any(|index| stack.integer(index) == Some(i64::from(handle)));
        handles += usize::from(keeps);
        keeps
    });
    context(stack).handles = handles;
    stack.set_top(0);
    Ok(())
}

/// `math.random` starts anew from the host's randomness.
pub(crate) fn reseed(stack: Stack, _input: &[u8]) -> Result<(), Thrown> {
    stdlib::push_random_seed(stack);
    stack.call(0, 0);
    Ok(())
}

/// Pushes what the handle at `index` refers to; false (and nothing) when that is nothing. `[-0, +(0|1), -]`
pub(crate) fn push_reference(stack: Stack, index: c_int) -> bool {
    stack.push_reference(RefKind::Host, stack.integer(index).unwrap_or_default())
}

/// Makes a function of the host known under its name.
pub(crate) fn register(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    marshal::push_list(stack, input)?;
    let id = stack.integer(1).and_then(|id| u32::try_from(id).ok());
    // SAFETY: the name stays at index 2.
    let (Some(id), Some(name)) = (id, unsafe { stack.bytes(2) }) else {
        return Err(usage(stack, b"register takes an id and a name"));
    };
    let empty_part = name.split(|&byte| byte == b'.').any(<[u8]>::is_empty);
    if empty_part || name.contains(&0) || name.len() > NAME_BYTES_MAX || id < HOST_SERVICES_MAX {
        return Err(usage(stack, b"register takes an id from 16 on and a name, whose parts are not empty"));
    }
    host_call::push_registered(stack, id, name)?;
    stack.set_top(0);
    Ok(())
}

/// Takes away all libraries but those that the list names. `request` has checked it.
pub(crate) fn libraries(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    stdlib::keep_libraries(stack, input);
    Ok(())
}

pub(crate) fn global_get(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    marshal::push_list(stack, input)?;
    stack.push_globals();
    stack.push_copy(1);
    stack.raw_get(-2);
    keep_top(stack);
    Ok(())
}

pub(crate) fn global_set(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    marshal::push_list(stack, input)?;
    if stack.top() != 2 || stack.is_none_or_nil(1) {
        return Err(usage(stack, b"global_set takes a name and a value"));
    }
    stack.push_globals();
    stack.insert(1);
    stack.raw_set(1);
    stack.set_top(0);
    Ok(())
}

pub(crate) fn global_has(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    global_get(stack, input)?;
    let has = !stack.is_none_or_nil(-1);
    stack.push_boolean(has);
    keep_top(stack);
    Ok(())
}

pub(crate) fn global_delete(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    marshal::push_list(stack, input)?;
    stack.set_top(1);
    stack.push_globals();
    stack.push_copy(1);
    let was_there = stack.raw_get(-2) != raw::LUA_TNIL;
    if was_there {
        stack.pop(1);
        stack.push_copy(1);
        stack.push_nil();
        stack.raw_set(-3);
    }
    stack.set_top(0);
    stack.push_boolean(was_there);
    Ok(())
}

pub(crate) fn global_keys(stack: Stack, _input: &[u8]) -> Result<(), Thrown> {
    stack.push_globals();
    stack.push_nil();
    let mut count = 0;
    while stack.next(1) {
        stack.pop(1);
        if stack.type_of(-1) == raw::LUA_TSTRING {
            if !stack.has_room(4) {
                return Err(stack.throw_out_of_memory());
            }
            stack.push_copy(-1);
            stack.insert(2);
            count += 1;
        }
    }
    stack.remove(1);
    debug_assert_eq!(stack.top(), count);
    Ok(())
}

pub(crate) fn gc(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let mut decoder = Decoder::new(input.get(4..).unwrap_or_default());
    let Ok(Token::String(mode)) = decoder.token() else { return Err(usage(stack, b"gc takes a mode")) };
    match mode {
        b"collect" | b"step" | b"stop" | b"restart" | b"incremental" | b"generational" => {}
        _ => return Err(usage(stack, b"unknown gc mode")),
    }
    stdlib::push_collect_garbage(stack);
    stack.push_bytes(mode);
    stack.call(1, raw::LUA_MULTRET);
    Ok(())
}

pub(crate) fn stats(stack: Stack, _input: &[u8]) -> Result<(), Thrown> {
    let running = stack.collector_runs();
    let c = context(stack);
    // On wasm32 everything lives in the linear memory; natively only Lua's part is known.
    #[cfg(target_arch = "wasm32")]
    let total = core::arch::wasm32::memory_size(0) * 65536;
    #[cfg(not(target_arch = "wasm32"))]
    let total = c.memory.used();
    let numbers = [total, c.memory.limit(), c.memory.peak(), c.memory.used(), c.handles];
    for number in numbers {
        stack.push_integer(number as i64);
    }
    stack.push_bytes(if context(stack).collector.generational { b"generational" } else { b"incremental" });
    stack.push_boolean(running);
    let c = context(stack);
    // Inside of a call: what that has used so far.
    let used = if c.depth > 1 { c.meter.used(fuel::left()) } else { c.meter.last_used() };
    stack.push_integer(used as i64);
    Ok(())
}

/// Drops everything but the top.
fn keep_top(stack: Stack) {
    stack.insert(1);
    stack.set_top(1);
}
