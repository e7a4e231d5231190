//! Tables as `json.encode` reads them: raw, except for two metafields. `__jsontype` marks a table as an array
//! or an object, and `__pairs` gives the contents of external tables (and of tables of scripts).

use crate::lua::{Marks, Stack, TableAddress, name_of_type, raw};
use crate::state::limit_exceeded::tick;
use std::ffi::c_int;

/// The JSON type of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
}

/// The name of a value that cannot be encoded, in three pieces.
type Fault = [&'static [u8]; 3];

/// Pushes the copy of the table that its `__pairs` gives, and the list of its keys in that order. `[-0, +2,
/// e]`
pub(super) fn push_contents_by_pairs(stack: Stack, table: c_int) {
    stack.push_metatable(table);
    stack.push_bytes(b"__pairs");
    stack.raw_get(-2);
    stack.remove(-2);
    copy_by_pairs(stack, table);
}

/// Finds the JSON type from the keys of the table to read, and from the marks of the table itself.
/// `[-0, +0, e]`
pub(super) fn shape(stack: Stack, from: TableAddress, marks: Marks) -> Result<Shape, Fault> {
    let keys = stack.json_keys(from);
    if keys.float() {
        return Err([b"a table with a float as key", b"", b""]);
    }
    if let Some(kind) = keys.other() {
        return Err([b"a table with a ", name_of_type(kind).as_bytes(), b" as key"]);
    }
    let fault: &[u8] = match (keys.names(), keys.items()) {
        (true, true) => b"a table with both list and named keys",
        (true, false) if marks.array() => b"an array with named keys",
        (false, true) if marks.object() => b"an object with integer keys",
        (false, true) if keys.holes() => b"a list with holes",
        (false, true) => return Ok(Shape::Array),
        (false, false) if marks.array() => return Ok(Shape::Array),
        (_, false) => return Ok(Shape::Object),
    };
    Err([fault, b"", b""])
}

/// Pushes the list of a table's keys, without a step of the collector. `[-0, +1, e]`
pub(super) fn push_keys(stack: Stack, table: c_int) {
    let table = stack.absolute(table);
    stack.push_table_aside();
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
