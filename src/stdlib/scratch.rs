//! Scratch memory for functions that may raise: a short buffer in the caller's frame, or a longer block that
//! Lua owns and frees.

use crate::lua::Stack;
use std::{ptr, slice};

/// Size of a short buffer, in bytes: enough for most calls, and little compared with the frames of C Lua's
/// own string functions.
pub(super) const SHORT_BYTES: usize = 256;

/// Returns `len` bytes: the first of `short`, or a block of zeros that is pushed on the stack.
/// `[-0, +(0|1), m]`
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
    // SAFETY: the bytes are initialised, no other reference to the block exists, and the caller keeps it on
    // the stack.
    unsafe { slice::from_raw_parts_mut(block, len) }
}
