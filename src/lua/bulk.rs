//! Tables to bytes and back, many entries at a time: what lua-5.4/port/bulk.c does.

use super::stack::Stack;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;

/// Position of a walk over a table: `struct perilune_walk`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Walk {
    at: c_uint,
    /// Entries written so far.
    pub(crate) count: c_uint,
    /// Bytes that the last step wrote.
    pub(crate) written: usize,
    /// Bytes that the next entry takes, where the buffer was too short for it.
    pub(crate) needed: usize,
}

/// Outcome of a step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The table has no more entries.
    End,
    /// The buffer is too short for the next entry.
    Full,
    /// The next entry is on the stack: it is more than a boolean, a number or a string.
    Value,
}

unsafe extern "C-unwind" {
    fn perilune_list(
        l: *mut super::raw::lua_State,
        table: *const c_void,
        walk: *mut Walk,
        out: *mut u8,
        room: usize,
    ) -> c_int;
    fn perilune_pairs(
        l: *mut super::raw::lua_State,
        table: *const c_void,
        listed: c_uint,
        walk: *mut Walk,
        out: *mut u8,
        room: usize,
    ) -> c_int;
    fn perilune_fill(
        table: *const c_void,
        first: c_uint,
        most: c_uint,
        from: *const u8,
        length: usize,
        taken: *mut usize,
    ) -> c_uint;
    fn perilune_fill_pairs(
        l: *mut super::raw::lua_State,
        table: *const c_void,
        most: c_uint,
        from: *const u8,
        length: usize,
        taken: *mut usize,
    ) -> c_uint;
}

impl Step {
    fn from_raw(step: c_int) -> Self {
        match step {
            0 => Step::End,
            1 => Step::Full,
            _ => Step::Value,
        }
    }
}

impl Stack {
    /// Writes the values at 1, 2, ... that are in the table's array part, encoded. One free slot is needed.
    /// `[-0, +(0|1), -]`
    pub(crate) fn list_step(self, table: c_int, walk: &mut Walk, out: &mut [MaybeUninit<u8>]) -> Step {
        // SAFETY: the caller says that a table is at `table`, and that a slot is free; the room is as long as
        // it says.
        let step = unsafe {
            perilune_list(self.as_ptr(), self.pointer(table), walk, out.as_mut_ptr().cast(), out.len())
        };
        Step::from_raw(step)
    }

    /// Writes all pairs but those of the keys 1..=`listed`, encoded. Two free slots are needed.
    /// `[-0, +(0|2), -]`
    pub(crate) fn pairs_step(
        self,
        table: c_int,
        listed: u32,
        walk: &mut Walk,
        out: &mut [MaybeUninit<u8>],
    ) -> Step {
        let (room, len) = (out.as_mut_ptr().cast(), out.len());
        // SAFETY: as in `list_step`.
        let step = unsafe { perilune_pairs(self.as_ptr(), self.pointer(table), listed, walk, room, len) };
        Step::from_raw(step)
    }

    /// Puts what the bytes begin with into a new table's array part, from the key `first` on, as far as it is
    /// booleans and numbers and the array part has been made for it; at most `most`. How many, and how many
    /// bytes that took. `[-0, +0, -]`
    pub(crate) fn fill(self, table: c_int, first: u32, most: u32, bytes: &[u8]) -> (u32, usize) {
        let mut taken = 0;
        // SAFETY: as in `list_step`; C reads no further than the length. Booleans and numbers need no
        // barrier.
        let filled = unsafe {
            perilune_fill(self.pointer(table), first, most, bytes.as_ptr(), bytes.len(), &raw mut taken)
        };
        (filled, taken)
    }

    /// Puts the pairs that the bytes begin with into a table, as far as their keys are strings and their
    /// values booleans, numbers or strings; at most `most`. How many, and how many bytes that took. Two free
    /// slots are needed. `[-0, +0, m]`
    pub(crate) fn fill_pairs(self, table: c_int, most: u32, bytes: &[u8]) -> (u32, usize) {
        let mut taken = 0;
        let (from, length) = (bytes.as_ptr(), bytes.len());
        // SAFETY: as in `fill`; the state is valid, and no frame up to the protected call holds a destructor
        // if this raises.
        let filled = unsafe {
            perilune_fill_pairs(self.as_ptr(), self.pointer(table), most, from, length, &raw mut taken)
        };
        (filled, taken)
    }
}
