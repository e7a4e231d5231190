//! The sandboxed base library: `print` writes to the host, `load` takes text only, and functions that access
//! files are removed. Also `math.randomseed` and `warn`.

use super::debug;
use crate::host::Stream;
use crate::lua::{Stack, Thrown, fuel, lua_function, raw};
use crate::state::context::context;
use crate::state::limit_exceeded::{tick, work, work_steps};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

lua_function!(print = print_inner);
lua_function!(load = load_inner);
lua_function!(random_seed = random_seed_inner);
lua_function!(raw_set = raw_set_inner);
lua_function!(collect_garbage = collect_garbage_inner);

/// Registry key of the host's own `collectgarbage`.
static COLLECT_GARBAGE: u8 = 0;
/// Registry key of the host's own `math.randomseed`.
static RANDOM_SEED: u8 = 0;

/// Pushes the original `collectgarbage`, whatever the global of that name is now. `[-0, +1, -]`
pub(crate) fn push_collect_garbage(stack: Stack) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&COLLECT_GARBAGE).cast());
}

/// Pushes the original `math.randomseed`, whatever the field of that name is now. `[-0, +1, -]`
pub(crate) fn push_random_seed(stack: Stack) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&RANDOM_SEED).cast());
}

/// Removes or replaces the functions of C Lua that a sandbox must not offer, and seeds `math.random`.
/// `[-0, +0, m]`
pub(super) fn harden(stack: Stack, seed: u64) {
    stack.push_globals();
    for name in [c"dofile", c"loadfile"] {
        stack.push_nil();
        stack.set_field(-2, name);
    }
    stack.set_functions(-1, &[(c"print", print)]);
    // These two keep C Lua's function as an upvalue and call it.
    for (name, function) in
        [(c"load", load as raw::lua_CFunction), (c"rawset", raw_set), (c"collectgarbage", collect_garbage)]
    {
        stack.get_field(-1, name);
        stack.push_function(function, 1);
        stack.set_field(-2, name);
    }
    // A reference for the host, which no script can replace.
    stack.get_field(-1, c"collectgarbage");
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&COLLECT_GARBAGE).cast());
    stack.get_field(-1, c"string");
    stack.push_nil();
    stack.set_field(-2, c"dump");
    stack.pop(1);
    close_string_metatable(stack);
    debug::open(stack);
    own_random_seed(stack, seed);
    stack.pop(1);
    stack.set_warn_function(warn);
}

/// Hides the metatable of strings from scripts. All strings of a VM share it, so a change would affect every
/// program. `[-0, +0, m]`
fn close_string_metatable(stack: Stack) {
    stack.push_bytes(b"");
    if stack.push_metatable(-1) {
        stack.push_boolean(false);
        stack.set_field(-2, c"__metatable");
        stack.pop(1);
    }
    stack.pop(1);
}

/// Seeds `math.random` with `seed`, and replaces `math.randomseed` by a function that takes its default seed
/// from the host, where C Lua would take the clock and an address. `[-0, +0, m]`, globals on top.
fn own_random_seed(stack: Stack, seed: u64) {
    stack.get_field(-1, c"math");
    stack.get_field(-1, c"randomseed");
    stack.push_copy(-1);
    stack.push_integer(seed as i64);
    stack.call(1, 0);
    // C Lua's function finds the generator's state in its first upvalue. Ours has the state there, too, and C
    // Lua's function in the second.
    let pushed = stack.push_upvalue(-1, 1);
    debug_assert!(pushed, "the function on top has that upvalue (lmathlib.c, setrandfunc)");
    stack.push_copy(-2);
    stack.push_function(random_seed, 2);
    stack.push_copy(-1);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&RANDOM_SEED).cast());
    stack.set_field(-3, c"randomseed");
    stack.pop(2);
}

fn random_seed_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.top() == 0 {
        let host = &mut context(stack).host;
        for seed in [host.random_u64(), host.random_u64()] {
            stack.push_integer(seed as i64);
        }
    }
    forward_to(stack, raw::lua_upvalueindex(2))
}

fn print_inner(stack: Stack) -> Result<c_int, Thrown> {
    for index in 1..=stack.top() {
        tick(stack);
        stack.push_text(index);
        // SAFETY: the string stays on top while it is copied.
        let text = unsafe { stack.bytes(-1) }.unwrap_or_default();
        let context = context(stack);
        if index > 1 {
            context.write(Stream::Stdout, b"\t");
        }
        context.write(Stream::Stdout, text);
        stack.pop(1);
    }
    context(stack).write(Stream::Stdout, b"\n");
    Ok(0)
}

/// `load(chunk, name, mode, env)`: loads text only, whatever the mode. A malicious binary chunk can crash C
/// Lua.
fn load_inner(stack: Stack) -> Result<c_int, Thrown> {
    let given = stack.top();
    if given == 0 {
        return forward(stack);
    }
    if given < 3 {
        stack.set_top(3);
    }
    // SAFETY: the string stays at index 3 until it is replaced, after its last use.
    let mode = unsafe { stack.bytes(3) };
    work(stack, mode.map_or(0, <[u8]>::len));
    match mode {
        None if stack.is_none_or_nil(3) => {}
        // Mode "b" refuses text, as C Lua does; every other mode becomes "t".
        Some(mode) if !mode.contains(&b't') => {
            stack.push_nil();
            stack.push_bytes(b"attempt to load a text chunk (mode is '");
            stack.push_copy(3);
            stack.push_bytes(b"')");
            stack.concat(3);
            return Ok(2);
        }
        Some(_) => {}
        // C Lua raises its own error about the type.
        None => return forward(stack),
    }
    stack.push_bytes(b"t");
    stack.replace(3);
    forward(stack)
}

/// Calls C Lua's own function, which is the first upvalue (and uses none itself).
fn forward(stack: Stack) -> Result<c_int, Thrown> {
    forward_to(stack, raw::lua_upvalueindex(1))
}

/// Calls the C function in this upvalue, in the same frame, so that its error messages have the name and the
/// position that they have in C Lua.
fn forward_to(stack: Stack, upvalue: c_int) -> Result<c_int, Thrown> {
    let Some(function) = stack.c_function(upvalue) else { return Ok(0) };
    stack.call_in_frame(function)
}

/// `rawset(table, key, value)`: refuses external tables, in whose proxy the value would be out of reach.
fn raw_set_inner(stack: Stack) -> Result<c_int, Thrown> {
    if crate::ext::push_name_of(stack, 1) {
        return Err(stack.throw(b"rawset on an external table"));
    }
    forward(stack)
}

/// `collectgarbage(option, ...)`: C Lua's own, which also notes the mode for `stats`. What the collector does
/// on behalf of the script is charged, from then on also what it does by itself in a way that the script has
/// set.
fn collect_garbage_inner(stack: Stack) -> Result<c_int, Thrown> {
    let collector = &context(stack).collector;
    let (mut generational, mut is_tuned) = (collector.generational, collector.is_tuned);
    // SAFETY: the string stays at index 1 during the comparison.
    let option = unsafe { stack.bytes(1) };
    match option {
        Some(b"generational") => (generational, is_tuned) = (true, true),
        Some(b"incremental") => (generational, is_tuned) = (false, true),
        Some(b"setpause" | b"setstepmul" | b"step") => is_tuned = true,
        _ => {}
    }
    // A full collection is charged where it is done.
    let is_charged = matches!(option, None | Some(b"collect"));
    let before = fuel::collector_steps();
    let results = forward(stack)?;
    let collector = &mut context(stack).collector;
    (collector.generational, collector.is_tuned) = (generational, is_tuned);
    work_steps(stack, if is_charged { 0 } else { fuel::collector_steps().wrapping_sub(before) });
    Ok(results)
}

/// Writes warnings to stderr, as the reference interpreter does; "@on" and "@off" switch them (manual,
/// `warn`).
unsafe extern "C-unwind" fn warn(state: *mut c_void, message: *const c_char, to_be_continued: c_int) {
    // SAFETY: the userdata is the main state (see `harden`), which is live while Lua runs.
    let stack = unsafe { Stack::new(state.cast()) };
    // SAFETY: Lua gives a NUL-terminated message.
    let message = unsafe { CStr::from_ptr(message) }.to_bytes();
    fuel::charge(message.len());
    let context = context(stack);
    if !context.warnings.unfinished && to_be_continued == 0 && message.first() == Some(&b'@') {
        match message {
            b"@on" => context.warnings.on = true,
            b"@off" => context.warnings.on = false,
            _ => {}
        }
        return;
    }
    if context.warnings.on {
        if !context.warnings.unfinished {
            context.write(Stream::Stderr, b"Lua warning: ");
        }
        context.write(Stream::Stderr, message);
        if to_be_continued == 0 {
            context.write(Stream::Stderr, b"\n");
        }
    }
    context.warnings.unfinished = to_be_continued != 0;
}
