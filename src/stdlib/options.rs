//! Option tables of the functions of `json` and `base64`: a table of named values, or nothing. An unknown
//! name is refused, because it is a typing error that would have no effect. Tables are read without
//! metamethods.

use crate::lua::{Stack, raw};
use std::ffi::{CStr, c_int};
use std::ops::RangeInclusive;

/// Checks that an argument is nil, none, or a table with only these keys. `[-0, +0, e]`
pub(super) fn check(stack: Stack, argument: c_int, names: &[&[u8]]) {
    if stack.is_none_or_nil(argument) {
        return;
    }
    stack.check_type(argument, raw::LUA_TTABLE);
    stack.push_nil();
    while stack.next(argument) {
        // SAFETY: the key stays on the stack, below its value, while the name is used.
        let name = unsafe { stack.bytes(-2) };
        if !name.is_some_and(|name| names.contains(&name)) {
            refuse_unknown(stack, argument);
        }
        stack.pop(1);
    }
}

/// Pushes an option's value, nil if it is not given, and returns its type. `[-0, +1, m]`
pub(super) fn push(stack: Stack, argument: c_int, name: &[u8]) -> c_int {
    if stack.is_none_or_nil(argument) {
        stack.push_nil();
        return raw::LUA_TNIL;
    }
    stack.push_bytes(name);
    stack.raw_get(argument)
}

/// Reads a boolean option. Raises `message` for any other type. `[-0, +0, e]`
pub(super) fn boolean(stack: Stack, argument: c_int, name: &[u8], message: &CStr) -> Option<bool> {
    let value = match push(stack, argument, name) {
        raw::LUA_TNIL => None,
        raw::LUA_TBOOLEAN => Some(stack.boolean(-1)),
        _ => stack.argument_error(argument, message),
    };
    stack.pop(1);
    value
}

/// Reads the integer on top. Raises `message` unless it is an integer in `range`. `[-0, +0, e]`
pub(super) fn integer(stack: Stack, argument: c_int, range: RangeInclusive<i64>, message: &CStr) -> i64 {
    let value = if stack.type_of(-1) == raw::LUA_TNUMBER { stack.integer(-1) } else { None };
    match value {
        Some(value) if range.contains(&value) => value,
        _ => stack.argument_error(argument, message),
    }
}

/// Raises the error for an unknown option, whose key and value are on top.
fn refuse_unknown(stack: Stack, argument: c_int) -> ! {
    stack.push_bytes(b"unknown option '");
    stack.push_text(-3);
    stack.push_bytes(b"'");
    stack.concat(3);
    // SAFETY: the message stays on top until it is raised.
    let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
    // SAFETY: Lua ends every string with a NUL.
    stack.argument_error(argument, unsafe { CStr::from_ptr(message.as_ptr().cast()) })
}
