//! `pairs` over an external table: reads ahead as long as nobody writes, and finds its place again when somebody did.
//!
//! The iterator is a userdata without pointers: it lives in the VM's memory and can be copied with it.

use super::proxy::out_of_memory;
use super::store_call::store;
use crate::bridge::push_value;
use crate::context::context;
use crate::lua::{Stack, Thrown, lua_function, raw};
use crate::store::{Cursor, TableId};
use crate::value::{Reader, Token};
use std::ffi::c_int;

/// Bytes read ahead at most.
const AHEAD_BYTES: usize = 1024;
/// Bytes asked for at first, and again after each interference by a write: about one small entry.
const AHEAD_BYTES_MIN: usize = 32;

/// State of one traversal.
#[repr(C)]
struct Iterator {
    table: TableId,
    /// The entry visited last.
    cursor: Cursor,
    /// `Context::writes` when the bytes were read.
    writes: u64,
    /// What was read ahead and not visited yet: `bytes[start..end]`.
    start: usize,
    end: usize,
    /// How much to ask for next time.
    room: usize,
    bytes: [u8; AHEAD_BYTES],
}

lua_function!(step = step_inner);

/// Pushes the function that `pairs` returns first. `[-0, +1, m]`
pub(super) fn push_iterator(stack: Stack, table: TableId) {
    let place = stack.push_userdata(size_of::<Iterator>()).cast::<Iterator>();
    // SAFETY: the block has the size of an `Iterator` and Lua's alignment, which is that of u64.
    unsafe {
        place.write(Iterator {
            table,
            cursor: 0,
            writes: 0,
            start: 0,
            end: 0,
            room: AHEAD_BYTES_MIN,
            bytes: [0; AHEAD_BYTES],
        });
    }
    stack.push_function(step, 1);
}

fn step_inner(stack: Stack) -> Result<c_int, Thrown> {
    let iterator = stack.userdata(raw::lua_upvalueindex(1)).cast::<Iterator>();
    // SAFETY: the upvalue is the userdata of `push_iterator`, which this closure keeps alive; no other reference to it
    // exists while this function runs (nothing below calls Lua code).
    let iterator = unsafe { &mut *iterator };
    let writes = context(stack).writes;
    if iterator.start == iterator.end || iterator.writes != writes {
        let undisturbed = iterator.writes == writes;
        iterator.room = if undisturbed { (iterator.room * 2).min(AHEAD_BYTES) } else { AHEAD_BYTES_MIN };
        iterator.writes = writes;
        iterator.start = 0;
        iterator.end = 0;
        context(stack).value.clear();
        if !store(stack, |c| c.store.next(iterator.table, iterator.cursor, iterator.room, &mut c.value))? {
            stack.push_nil();
            return Ok(1);
        }
        let found = &context(stack).value;
        if found.len() > AHEAD_BYTES {
            // One large entry: it is visited from the context's buffer.
            let found = &raw const *found;
            // SAFETY: the buffer lives in the context, and pushing scalars and tables does not touch it.
            let (cursor, _) = push_entry(stack, unsafe { &*found })?;
            iterator.cursor = cursor;
            context(stack).trim();
            return Ok(2);
        }
        iterator.bytes[..found.len()].copy_from_slice(found);
        iterator.end = found.len();
    }
    let (cursor, len) = push_entry(stack, &iterator.bytes[iterator.start..iterator.end])?;
    iterator.cursor = cursor;
    iterator.start += len;
    Ok(2)
}

/// Pushes key and value of the entry at the front; returns its cursor and length. `[-0, +2, m]`
fn push_entry(stack: Stack, bytes: &[u8]) -> Result<(Cursor, usize), Thrown> {
    let parts = || {
        let (cursor, rest) = bytes.split_first_chunk::<8>()?;
        let key = &rest[..value_len(rest)?];
        let value = &rest[key.len()..];
        let value = &value[..value_len(value)?];
        Some((f64::from_le_bytes(*cursor) as Cursor, key, value))
    };
    let Some((cursor, key, value)) = parts() else { return Err(stack.throw(b"store returned a malformed entry")) };
    if !stack.has_room(8) {
        return Err(out_of_memory(stack));
    }
    push_value(stack, key)?;
    push_value(stack, value)?;
    Ok((cursor, 8 + key.len() + value.len()))
}

/// Bytes of the value at the front.
fn value_len(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        if let Token::Table { array, pairs } = reader.token().ok()? {
            left += u64::from(array) + 2 * u64::from(pairs);
        }
    }
    Some(bytes.len() - reader.remaining())
}
