//! `debug` (manual, 6.10) as far as it looks and does not touch: `traceback`, and `getinfo` without what
//! gives access to functions.
//!
//! Not here: the functions that reach into others (locals, upvalues, hooks, the registry, metatables behind
//! `__metatable`).

use crate::host_call::{add_traceback, object_id};
use crate::lua::{FunctionInfo, Stack, Thrown, lua_function, raw};
use crate::state::limit_exceeded::work;
use std::ffi::c_int;

lua_function!(traceback = traceback_inner);
lua_function!(get_info = get_info_inner);

/// Opens the library. `[-0, +0, m]`, globals on top.
pub(super) fn open(stack: Stack) {
    stack.push_table(0, 2);
    stack.set_functions(-1, &[(c"getinfo", get_info), (c"traceback", traceback)]);
    stack.push_copy(-1);
    stack.set_field(-3, c"debug");
    stack.get_field(raw::LUA_REGISTRYINDEX, c"_LOADED");
    stack.insert(-2);
    stack.set_field(-2, c"debug");
    stack.pop(1);
}

/// The thread that a function of `debug` is about, and how many arguments that has taken: the first argument,
/// if it is a thread, else the running one.
fn thread_argument(stack: Stack) -> (Stack, c_int) {
    match stack.thread(1) {
        Some(thread) => (thread, 1),
        None => (stack, 0),
    }
}

/// `debug.traceback([thread,] [message [, level]])`: a message that is not a string is returned as it is. An
/// error of the host shows the traceback when it is made a string.
fn traceback_inner(stack: Stack) -> Result<c_int, Thrown> {
    let (of, shift) = thread_argument(stack);
    let message = 1 + shift;
    // By default from the function that called `traceback`; in another thread, from its innermost.
    let default = i64::from(of.as_ptr() == stack.as_ptr());
    let is_text = matches!(stack.type_of(message), raw::LUA_TSTRING | raw::LUA_TNUMBER);
    if !is_text && !stack.is_none_or_nil(message) {
        if object_id(stack, message).is_some() {
            let level = stack.optional_integer(message + 1, default);
            add_traceback(stack, message, of, level as c_int);
        }
        stack.push_copy(message);
        return Ok(1);
    }
    let level = stack.optional_integer(message + 1, default);
    stack.push_traceback(of, is_text.then_some(message), level as c_int);
    Ok(1)
}

/// `debug.getinfo([thread,] f [, what])`: the fields of `what`, any of `S`, `l`, `n`, `t`, `u`, which is the
/// default. nil for a level that is not there.
fn get_info_inner(stack: Stack) -> Result<c_int, Thrown> {
    let (of, shift) = thread_argument(stack);
    let wanted = wanted_fields(stack, 2 + shift);
    if stack.type_of(1 + shift) != raw::LUA_TFUNCTION {
        stack.check_integer(1 + shift);
    }
    let found = |stack: Stack| match stack.type_of(1 + shift) {
        raw::LUA_TFUNCTION => Some(FunctionInfo::of_function(stack, 1 + shift)),
        _ => c_int::try_from(stack.check_integer(1 + shift))
            .ok()
            .and_then(|level| FunctionInfo::of_level(of, level)),
    };
    stack.push_table(0, 16);
    // Each text is copied before anything else is allocated: then a finalizer may run, and that may end the
    // other thread, whose functions keep the texts. So they are looked for twice.
    match found(stack).as_ref().map(FunctionInfo::name) {
        Some(Some(name)) => stack.push_bytes(name),
        _ => stack.push_nil(),
    }
    let Some(info) = found(stack) else {
        stack.push_nil();
        return Ok(1);
    };
    if wanted.has(b'n') {
        stack.set_field(-2, c"name");
    } else {
        stack.pop(1);
    }
    push_fields(stack, &info, wanted);
    Ok(1)
}

/// Groups of fields that are wanted, a bit for each of their letters.
#[derive(Clone, Copy)]
struct Wanted(u8);

const LETTERS: &[u8] = b"Slntu";

impl Wanted {
    fn has(self, letter: u8) -> bool {
        LETTERS.iter().position(|&known| known == letter).is_some_and(|bit| self.0 & 1 << bit != 0)
    }
}

/// The argument `what`. Raises if there is a letter that stands for nothing, or for what is left out. `[-0,
/// +0, e]`
fn wanted_fields(stack: Stack, argument: c_int) -> Wanted {
    if stack.is_none_or_nil(argument) {
        return Wanted(u8::MAX);
    }
    // SAFETY: the argument stays on the stack, and nothing is called while it is read.
    let what = unsafe { stack.check_bytes(argument) };
    work(stack, what.len());
    if what.starts_with(b">") {
        stack.argument_error(argument, c"invalid option '>'");
    }
    let mut wanted = 0;
    for letter in what {
        match LETTERS.iter().position(|known| known == letter) {
            Some(bit) => wanted |= 1 << bit,
            None if b"fLr".contains(letter) => {
                stack.argument_error(argument, c"options 'f', 'L' and 'r' are left out")
            }
            None => stack.argument_error(argument, c"invalid option"),
        }
    }
    Wanted(wanted)
}

/// Sets the wanted fields of the table on top, but for the name; the source first, which the function keeps.
/// `[-0, +0, e]`
fn push_fields(stack: Stack, info: &FunctionInfo, wanted: Wanted) {
    let integer = |name, value: i64| {
        stack.push_integer(value);
        stack.set_field(-2, name);
    };
    let boolean = |name, value| {
        stack.push_boolean(value);
        stack.set_field(-2, name);
    };
    let text = |name, value: &[u8]| {
        stack.push_bytes(value);
        stack.set_field(-2, name);
    };
    if wanted.has(b'S') {
        work(stack, info.source().len());
        text(c"source", info.source());
        text(c"short_src", info.short_source());
        text(c"what", info.kind());
        integer(c"linedefined", info.line_defined());
        integer(c"lastlinedefined", info.last_line_defined());
    }
    if wanted.has(b'l') {
        integer(c"currentline", info.current_line());
    }
    if wanted.has(b'n') {
        text(c"namewhat", info.name_kind());
    }
    if wanted.has(b't') {
        boolean(c"istailcall", info.is_tail_call());
    }
    if wanted.has(b'u') {
        integer(c"nups", info.upvalues());
        integer(c"nparams", info.parameters());
        boolean(c"isvararg", info.is_vararg());
    }
}
