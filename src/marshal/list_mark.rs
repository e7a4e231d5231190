//! The mark of lists: a metatable that says that a table is a list even when it is empty, as those that
//! `json.array` and `json.decode` set. Who made an empty list gets one back, in JSON and outside of Lua.
//!
//! Keeps true: asking for the mark allocates nothing, so that encoding raises nothing. No two lists of the
//! host share a metatable: what a script does to it stays with that list, and in its environment.

use crate::lua::{Stack, raw};
use std::ffi::{c_int, c_void};
use std::ptr;

/// Metafield that marks a table, and its value for lists. Those of dkjson.
pub(crate) const MARKER: &[u8] = b"__jsontype";
pub(crate) const ARRAY: &[u8] = b"array";

/// The registry's place for the name of the field.
static NAME: u8 = 0;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

/// Makes what is kept in the registry. `[-0, +0, m]`
pub(crate) fn open(stack: Stack) {
    stack.push_bytes(MARKER);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&NAME));
}

/// Marks the table on top as a list. Three free slots are needed. `[-0, +0, m]`
pub(super) fn mark(stack: Stack) {
    push_mark(stack, ARRAY);
    stack.set_metatable(-2);
}

/// Pushes a new metatable that marks tables as of this kind. Three free slots are needed. `[-0, +1, m]`
pub(crate) fn push_mark(stack: Stack, kind: &[u8]) {
    stack.push_table(0, 1);
    stack.push_bytes(MARKER);
    stack.push_bytes(kind);
    stack.raw_set(-3);
}

/// True if a table is marked as a list: by this metatable, or by another that says the same. Two free slots
/// are needed. `[-0, +0, -]`
pub(crate) fn is_marked(stack: Stack, table: c_int) -> bool {
    if !stack.push_metatable(table) {
        return false;
    }
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&NAME));
    stack.raw_get(-2);
    // SAFETY: the string stays on top until it is compared.
    let marked = unsafe { stack.bytes(-1) } == Some(ARRAY);
    stack.pop(2);
    marked
}
