//! Pages of linear memory, compressed: what captures and restores a VM from outside needs of the module.
//!
//! Keeps true: `pack` and `unpack` write to the IO buffer and to the stack below them, and to nothing else.
//! Neither is part of an image, so a memory can be read page by page while it is packed, also when there is
//! no room left in it; and any instance will do for unpacking, also one that was never initialised. Not here:
//! which pages there are and what an image looks like (web/src/snapshot).

use super::exports;
use crate::heap;
use crate::limits::IO_BUFFER_BYTES;
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into};
use std::slice;

/// Each half of the IO buffer: input in the first, output in the second.
const HALF: usize = IO_BUFFER_BYTES / 2;

/// Makes memory that is free say nothing. Between calls only.
#[doc(hidden)]
pub fn clear_free() {
    heap::clear_free();
}

/// Compresses `len` bytes of memory at `at` (an LZ4 block) into the second half of the IO buffer. Returns the
/// length there; 0 when they take as much room as before, or there is no such memory.
#[doc(hidden)]
pub fn pack(at: u32, len: u32) -> u32 {
    let (at, len) = (at as usize, len as usize);
    let output = second_half();
    let (start, memory) = (output.as_ptr().addr(), core::arch::wasm32::memory_size(0) * 65536);
    if len == 0 || len > HALF || at == 0 || at + len > memory || (at < start + HALF && start < at + len) {
        return 0;
    }
    // SAFETY: the bytes are within memory and not those of `output`; nothing writes to them before this
    // returns.
    let input = unsafe { slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(at), len) };
    let mut table = CompressTable::small();
    // It wants room for what cannot be compressed, and then a little more.
    let packed = compress_into_with_table(input, output, &mut table).unwrap_or(len);
    if packed < len { packed as u32 } else { 0 }
}

/// Decompresses the `len` bytes at the start of the IO buffer into its second half. Returns the length there;
/// 0 when they are not what `pack` makes.
#[doc(hidden)]
pub fn unpack(len: u32) -> u32 {
    if len as usize > HALF {
        return 0;
    }
    let output = second_half();
    // SAFETY: the first half of the buffer, which JavaScript has written; nobody else uses it while this
    // runs.
    let input = unsafe { slice::from_raw_parts(output.as_ptr().sub(HALF), len as usize) };
    decompress_into(input, output).map_or(0, |len| len as u32)
}

fn second_half() -> &'static mut [u8] {
    let start = std::ptr::with_exposed_provenance_mut::<u8>(exports::io_ptr() as usize);
    // SAFETY: within the static buffer, which is JavaScript's while no call runs; one of these lives at a
    // time.
    unsafe { slice::from_raw_parts_mut(start.add(HALF), HALF) }
}
