//! The IO buffer: 64 KiB that JavaScript and the runtime hand to each other.
//!
//! Keeps true: exactly one side owns the bytes, and `Owner` says which. What is larger travels by a spill, a
//! block of the heap, in either direction. While a host function runs, the buffer is JavaScript's: an
//! operation has read its input before anything of Lua runs, and lays down its reply after. Not here: what
//! the bytes mean (`value`, `request`); calls of the store have their own scratch.

use crate::limits::{IO_BUFFER_BYTES, REPLY_HEADER_BYTES};
use crate::vm::RawVm;
use crate::vm::protocol::Outcome;
use std::slice;

/// The side that owns the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// JavaScript may write an input.
    Js,
    /// The module reads an input, or runs: nobody may call in, but while it calls a host function.
    Running,
    /// JavaScript reads a reply; its next input ends that.
    Output,
}

#[derive(Debug)]
#[repr(C, align(16))]
pub(super) struct IoBuffer {
    bytes: [u8; IO_BUFFER_BYTES],
    pub(super) owner: Owner,
    /// An input that is larger than the buffer.
    input_spill: Vec<u8>,
}

impl IoBuffer {
    #[allow(clippy::large_stack_arrays, reason = "evaluated at compile time, for a static")]
    pub(super) const fn new() -> Self {
        IoBuffer { bytes: [0; IO_BUFFER_BYTES], owner: Owner::Js, input_spill: Vec::new() }
    }

    pub(super) fn address(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// Address for an input of `len` bytes; null when there is no memory for it.
    pub(super) fn reserve(&mut self, len: usize) -> *mut u8 {
        self.input_spill = Vec::new();
        if len <= IO_BUFFER_BYTES {
            return self.address();
        }
        if self.input_spill.try_reserve_exact(len).is_err() {
            return std::ptr::null_mut();
        }
        self.input_spill.as_mut_ptr()
    }

    /// The input, as its owner for the length of one operation. None when `len` is more than was reserved.
    pub(super) fn take_input(&mut self, len: usize) -> Option<Input> {
        let spill = std::mem::take(&mut self.input_spill);
        if len <= IO_BUFFER_BYTES && spill.capacity() == 0 {
            return Some(Input { at: self.bytes.as_ptr(), len, _spill: spill });
        }
        if len <= spill.capacity() { Some(Input { at: spill.as_ptr(), len, _spill: spill }) } else { None }
    }

    /// Lays the reply down; returns its length.
    pub(super) fn put_reply(&mut self, outcome: Outcome, vm: &mut RawVm) -> usize {
        let room = IO_BUFFER_BYTES - REPLY_HEADER_BYTES;
        let mut output_len = vm.pending_output().len();
        let list_len = vm.reply_list().len();
        let spilled = list_len + output_len > room;
        let body = if spilled {
            // List and output must lie in one piece. Where there is no memory for that, the output goes
            // ahead.
            if !vm.append_output_to_reply() {
                vm.flush_output();
                output_len = 0;
            }
            vm.reply_list().as_ptr()
        } else {
            let (list, output) = (vm.reply_list(), vm.pending_output());
            let body = &mut self.bytes[REPLY_HEADER_BYTES..];
            body[..list.len()].copy_from_slice(list);
            body[list.len()..list.len() + output.len()].copy_from_slice(output);
            body.as_ptr()
        };
        self.bytes[0] = outcome as u8;
        self.bytes[1] = u8::from(spilled);
        self.bytes[2..4].fill(0);
        for (at, number) in [(4, body.addr()), (8, list_len), (12, output_len)] {
            self.bytes[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
        }
        if !spilled {
            vm.clear_reply();
        }
        self.owner = Owner::Output;
        REPLY_HEADER_BYTES + list_len + output_len
    }
}

/// The bytes of an input. Those in the buffer stay as they are until the operation has read them: calls
/// inside of it use the same buffer.
pub(super) struct Input {
    at: *const u8,
    len: usize,
    _spill: Vec<u8>,
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `at` is the static buffer or this spill, both of at least `len` bytes, initialised by
        // JavaScript (or zero); nothing writes to either before the operation that borrows this has ended.
        unsafe { slice::from_raw_parts(self.at, self.len) }
    }
}
