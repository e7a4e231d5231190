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
    // SAFETY: Lua gives a new block of `len` bytes, which the caller keeps.
    unsafe { zeros(stack.push_userdata(len).cast(), len) }
}

/// Returns a block of zeros, which is pushed, and takes no step of the collector for it. `[-0, +1, m]`
///
/// # Safety
/// As for `scratch`.
pub(super) unsafe fn scratch_aside<'a>(stack: Stack, len: usize) -> &'a mut [u8] {
    // SAFETY: as in `scratch`.
    unsafe { zeros(stack.push_userdata_aside(len).cast(), len) }
}

/// # Safety
/// The block has `len` bytes, there is no other reference to it, and it lives as long as the result is used.
unsafe fn zeros<'a>(block: *mut u8, len: usize) -> &'a mut [u8] {
    // SAFETY: the block has `len` bytes.
    unsafe { ptr::write_bytes(block, 0, len) };
    // SAFETY: the bytes are initialised, and the caller has the only reference.
    unsafe { slice::from_raw_parts_mut(block, len) }
}

/// Copies bytes to a place of their length. A few are copied by moves of fixed lengths: on wasm, an
/// instruction that copies any number is a call.
#[inline]
pub(super) fn copy(place: &mut [u8], bytes: &[u8]) {
    fn ends<const N: usize>(place: &mut [u8], bytes: &[u8]) -> Option<()> {
        let (first, last) = (*bytes.first_chunk::<N>()?, *bytes.last_chunk::<N>()?);
        *place.first_chunk_mut()? = first;
        *place.last_chunk_mut()? = last;
        Some(())
    }
    let copied = match bytes.len() {
        0 => Some(()),
        1 => ends::<1>(place, bytes),
        2..4 => ends::<2>(place, bytes),
        4..8 => ends::<4>(place, bytes),
        8..16 => ends::<8>(place, bytes),
        16..=32 => ends::<16>(place, bytes),
        _ => None,
    };
    if copied.is_none() {
        place.copy_from_slice(bytes);
    }
}
