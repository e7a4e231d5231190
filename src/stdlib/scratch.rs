//! Bytes to work in, for functions that may raise: short ones are the caller's, long ones a block that Lua owns and frees.

use crate::lua::Stack;
use std::{ptr, slice};

/// Enough for most, and little beside what C Lua's own string functions keep in their frames.
pub(super) const SHORT_BYTES: usize = 256;

/// `len` bytes: the first of `short`, or (all zero) a block on top of the stack. `[-0, +(0|1), m]`
///
/// # Safety
/// The bytes are valid only as long as the block stays on the stack.
pub(super) unsafe fn scratch(stack: Stack, short: &mut [u8], len: usize) -> &mut [u8] {
    if len <= short.len() {
        return &mut short[..len];
    }
    let block = stack.push_userdata(len).cast::<u8>();
    // SAFETY: Lua gave a block of `len` bytes.
    unsafe { ptr::write_bytes(block, 0, len) };
    // SAFETY: the bytes are set, nothing else knows the block, and the caller keeps it.
    unsafe { slice::from_raw_parts_mut(block, len) }
}
