//! Tables as `json.encode` reads them: raw, except for two metafields. `__jsontype` marks a table as an array
//! or an object, and `__pairs` gives the contents of external tables (and of tables of scripts).

use super::{ARRAY, MARKER, OBJECT};
use crate::lua::{Stack, raw};
use crate::state::limit_exceeded::{tick, work_steps};
use std::ffi::c_int;

/// The JSON type of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
}

/// Keys that are looked at between two charges, and the steps that a look takes.
const KEYS_PER_CHARGE: usize = 16;
const STEPS_PER_KEY: usize = 4;

/// The name of a value that cannot be encoded, in three pieces.
type Fault = [&'static [u8]; 3];

/// Pushes the table to read (the same one, or the copy that `__pairs` gave), and the list of keys in the
/// order of `__pairs`, or nil without it. `[-0, +2, e]`
pub(super) fn push_contents(stack: Stack, table: c_int) {
    if push_metafield(stack, table, b"__pairs") == raw::LUA_TNIL {
        stack.push_copy(table);
        stack.replace(-2);
        stack.push_nil();
    } else {
        copy_by_pairs(stack, table);
    }
}

/// Finds the JSON type from the keys of the table to read, which is just above `table` on the stack, and from
/// the marker of `table`. `[-0, +0, m]`
pub(super) fn shape(stack: Stack, table: c_int) -> Result<Shape, Fault> {
    let (mut names, mut items, mut last) = (false, 0, 0);
    let mut keys = 0_usize;
    stack.push_nil();
    while stack.next(table + 1) {
        stack.pop(1);
        keys += 1;
        if keys.is_multiple_of(KEYS_PER_CHARGE) {
            work_steps(stack, KEYS_PER_CHARGE * STEPS_PER_KEY);
        }
        match stack.type_of(-1) {
            raw::LUA_TSTRING => names = true,
            raw::LUA_TNUMBER if stack.is_integer(-1) => {
                let index = stack.integer(-1).unwrap_or_default();
                items += 1;
                last = last.max(if index > 0 { index } else { i64::MAX });
            }
            raw::LUA_TNUMBER => return Err([b"a table with a float as key", b"", b""]),
            _ => return Err([b"a table with a ", stack.type_name(-1).as_bytes(), b" as key"]),
        }
    }
    push_metafield(stack, table, MARKER);
    // SAFETY: the string stays on top until it is compared.
    let marker = unsafe { stack.bytes(-1) };
    let (marked_array, marked_object) = (marker == Some(ARRAY), marker == Some(OBJECT));
    stack.pop(1);
    let fault: &[u8] = match (names, items > 0) {
        (true, true) => b"a table with both list and named keys",
        (true, false) if marked_array => b"an array with named keys",
        (false, true) if marked_object => b"an object with integer keys",
        (false, true) if last != items => b"a list with holes",
        (false, true) => return Ok(Shape::Array),
        (false, false) if marked_array => return Ok(Shape::Array),
        (_, false) => return Ok(Shape::Object),
    };
    Err([fault, b"", b""])
}

/// Pushes the list of a table's keys. `[-0, +1, m]`
pub(super) fn push_keys(stack: Stack, table: c_int) {
    let table = stack.absolute(table);
    stack.push_table(0, 0);
    let keys = stack.top();
    stack.push_nil();
    for count in 1.. {
        if !stack.next(table) {
            break;
        }
        tick(stack);
        stack.pop(1);
        stack.push_copy(-1);
        stack.raw_set_index(keys, count);
    }
}

/// Pushes a field of the value's metatable, read raw, or nil, and returns its type. `[-0, +1, m]`
fn push_metafield(stack: Stack, index: c_int, name: &[u8]) -> c_int {
    if !stack.push_metatable(index) {
        stack.push_nil();
        return raw::LUA_TNIL;
    }
    stack.push_bytes(name);
    let found = stack.raw_get(-2);
    stack.remove(-2);
    found
}

/// Calls the metamethod `__pairs`, which is on top, and runs its iterator. Pushes a plain table with the
/// entries that it gave, and the list of their keys in the same order. `[-1, +2, e]`
fn copy_by_pairs(stack: Stack, table: c_int) {
    stack.push_table(0, 0);
    stack.insert(-2);
    stack.push_table(0, 0);
    stack.insert(-2);
    stack.push_copy(table);
    stack.call(1, 3);
    // The stack has now: copy, keys, iterator, state, control.
    let control = stack.top();
    let (copy, keys) = (control - 4, control - 3);
    let mut count = 0;
    loop {
        tick(stack);
        for index in [control - 2, control - 1, control] {
            stack.push_copy(index);
        }
        stack.call(2, 2);
        if stack.type_of(-2) == raw::LUA_TNIL {
            break;
        }
        stack.push_copy(-2);
        if stack.raw_get(copy) == raw::LUA_TNIL {
            // The key was not given before.
            count += 1;
            stack.push_copy(-3);
            stack.raw_set_index(keys, count);
        }
        stack.pop(1);
        stack.push_copy(-2);
        stack.replace(control);
        stack.raw_set(copy);
    }
    stack.set_top(keys);
}
