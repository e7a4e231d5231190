//! `pairs` and `next` over an external table. The iterator reads entries ahead, and discards them when a
//! table was written to.
//!
//! The iterator is a userdata without pointers: it lives in the VM's memory and can be copied with it.

use super::proxy::id_of;
use super::store_call::store;
use crate::lua::{Stack, Status, Thrown, fuel, lua_function, raw};
use crate::marshal::push_value;
use crate::state::context::context;
use crate::store::{Cursor, TableId};
use crate::value::{Decoder, Token};
use std::ffi::c_int;

/// Most bytes that are read ahead.
const AHEAD_BYTES: usize = 1024;
/// Bytes asked for at first, and again after each write: about one small entry.
const AHEAD_BYTES_MIN: usize = 32;

/// Greatest size of an entry, in bytes, that is copied before it is pushed. Larger ones are pushed from the
/// context's buffer, while the collector is paused.
const ENTRY_COPIED_BYTES: usize = 256;

/// State of one traversal.
#[repr(C)]
struct Iterator {
    table: TableId,
    /// The cursor of the entry visited last.
    cursor: Cursor,
    /// The value of `Context::writes` when the bytes were read: another value means that they may be
    /// outdated.
    writes: u64,
    /// Start of the entries that were read ahead and not visited yet, `bytes[start..end]`.
    start: usize,
    end: usize,
    /// Number of bytes to ask the store for next time.
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
    if !stack.has_room(8) {
        return Err(stack.throw_out_of_memory());
    }
    let mut copy = [0; ENTRY_COPIED_BYTES];
    // SAFETY: the upvalue is the userdata of `push_iterator`, which this closure keeps alive; `advance` runs
    // no Lua code, so no other reference to it exists meanwhile.
    let entry = unsafe { (*iterator).advance(stack, &mut copy) }?;
    match entry {
        Entry::None => {
            stack.push_nil();
            Ok(1)
        }
        // A copy, because pushing may run a finalizer, which may call this same iterator.
        Entry::Small(len) => push_entry(stack, &copy[..len]),
        Entry::Large => push_large_entry(stack),
    }
}

/// Implements `next` for tables that have a metatable and no contents (lua-5.4/port/lbaselib_port.c). For an
/// external table it pushes the first entry, if there is one, and returns the number of values pushed; for
/// any other table it returns -1.
// SAFETY: no other symbol has this name.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn perilune_next(l: *mut raw::lua_State) -> c_int {
    // SAFETY: C gives the state that runs `next`, with its two arguments.
    let stack = unsafe { Stack::new(l) };
    match first_inner(stack) {
        Ok(pushed) => pushed,
        // The error value is on the Lua stack already, so no destructor is alive in this frame when Lua
        // jumps.
        Err(Thrown) => stack.raise(),
    }
}

fn first_inner(stack: Stack) -> Result<c_int, Thrown> {
    let Some(table) = id_of(stack, 1) else { return Ok(-1) };
    if stack.type_of(2) != raw::LUA_TNIL {
        // A store cannot find the cursor of a key; an iterator of `pairs` keeps its own.
        return Err(stack.throw(b"next cannot go on in an external table: use pairs"));
    }
    context(stack).value.clear();
    if !store(stack, |c| c.store.next(table, 0, AHEAD_BYTES_MIN, &mut c.value))? {
        return Ok(0);
    }
    fuel::charge(2 * context(stack).value.len());
    let Some((_, len)) = measure_entry(&context(stack).value) else { return Err(malformed(stack)) };
    context(stack).value.truncate(len);
    push_large_entry(stack)
}

/// Pushes the entry in the context's value buffer. `[-0, +2, m]`
fn push_large_entry(stack: Stack) -> Result<c_int, Thrown> {
    let bytes = &raw const context(stack).value;
    let status = stack.protect_without_collector(2, |inner| {
        // SAFETY: the buffer lives in the context, and nothing writes to it while the collector is paused.
        push_entry(inner, unsafe { &*bytes }).map(drop)
    });
    context(stack).trim();
    if status == Status::Ok { Ok(2) } else { Err(Thrown) }
}

impl Iterator {
    /// Advances to the next entry, and reads ahead if no valid entry is left.
    fn advance(&mut self, stack: Stack, copy: &mut [u8; ENTRY_COPIED_BYTES]) -> Result<Entry, Thrown> {
        let writes = context(stack).writes;
        if self.start == self.end || self.writes != writes {
            let undisturbed = self.writes == writes;
            self.room = if undisturbed { (self.room * 2).min(AHEAD_BYTES) } else { AHEAD_BYTES_MIN };
            self.writes = writes;
            self.start = 0;
            self.end = 0;
            context(stack).value.clear();
            if !store(stack, |c| c.store.next(self.table, self.cursor, self.room, &mut c.value))? {
                return Ok(Entry::None);
            }
            let found = &context(stack).value;
            fuel::charge(2 * found.len());
            let Some((cursor, len)) = measure_entry(found) else { return Err(malformed(stack)) };
            if len > ENTRY_COPIED_BYTES || found.len() > AHEAD_BYTES {
                self.cursor = cursor;
                context(stack).value.truncate(len);
                return Ok(Entry::Large);
            }
            self.bytes[..found.len()].copy_from_slice(found);
            self.end = found.len();
        }
        let rest = &self.bytes[self.start..self.end];
        let Some((cursor, len)) = measure_entry(rest) else { return Err(malformed(stack)) };
        if len > ENTRY_COPIED_BYTES {
            // Rare: a larger entry behind small ones. It is moved to the context's buffer, alone.
            let value = &mut context(stack).value;
            value.clear();
            if value.try_reserve(len).is_err() {
                return Err(stack.throw_out_of_memory());
            }
            value.extend_from_slice(&rest[..len]);
            self.start += len;
            self.cursor = cursor;
            return Ok(Entry::Large);
        }
        copy[..len].copy_from_slice(&rest[..len]);
        self.start += len;
        self.cursor = cursor;
        Ok(Entry::Small(len))
    }
}

/// The location of the next entry.
enum Entry {
    None,
    /// The entry is in the copy, with this length in bytes.
    Small(usize),
    /// The entry is alone in the context's value buffer.
    Large,
}

/// The cursor and the length in bytes of the entry at the front, or `None` if it is malformed.
fn measure_entry(bytes: &[u8]) -> Option<(Cursor, usize)> {
    let (cursor, rest) = bytes.split_first_chunk::<8>()?;
    let key = value_len(rest)?;
    let value = value_len(&rest[key..])?;
    Some((f64::from_le_bytes(*cursor) as Cursor, 8 + key + value))
}

fn malformed(stack: Stack) -> Thrown {
    stack.throw(b"store returned a malformed entry")
}

/// Pushes key and value of one whole entry. `[-0, +2, m]`
fn push_entry(stack: Stack, bytes: &[u8]) -> Result<c_int, Thrown> {
    let rest = &bytes[8..];
    let (key, value) = rest.split_at(value_len(rest).unwrap_or_default());
    push_value(stack, key)?;
    push_value(stack, value)?;
    Ok(2)
}

/// The length in bytes of the value at the front, or `None` if it is malformed.
fn value_len(bytes: &[u8]) -> Option<usize> {
    let mut decoder = Decoder::new(bytes);
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        if let Token::Table { array, pairs } = decoder.token().ok()? {
            left += u64::from(array) + 2 * u64::from(pairs);
        }
    }
    Some(bytes.len() - decoder.remaining())
}
