//! Output buffer of `json.encode`: first in the caller's frame, then in a block of Lua's. Each time the block
//! is full it becomes a string of Lua's, and at the end these are joined at once, so no text is copied to
//! grow. Before the end no step of the collector is taken: a finalizer could change the tables that are being
//! written.

use crate::lua::{Stack, Thrown, raw};
use crate::state::limit_exceeded::work;
use crate::stdlib::scratch::{copy, scratch_aside};
use std::ffi::c_int;

/// Size of each string but the last, in bytes.
const PIECE_BYTES: usize = 4096;

/// Most strings that are joined at once.
const JOINED: i64 = 64;

/// Text under construction.
pub(super) struct Writer<'a> {
    stack: Stack,
    room: &'a mut [u8],
    len: usize,
    /// Number of strings so far.
    pieces: i64,
    /// Stack index of the block.
    block: c_int,
    /// Stack index of the table with the strings.
    table: c_int,
}

impl<'a> Writer<'a> {
    /// Makes an empty text, which starts in `room`. It takes two stack slots, which must stay where they are.
    /// `[-0, +2, -]`
    pub(super) fn new(stack: Stack, room: &'a mut [u8]) -> Self {
        stack.push_nil();
        stack.push_nil();
        Writer { stack, room, len: 0, pieces: 0, block: stack.top() - 1, table: stack.top() }
    }

    /// Appends bytes. `[-0, +0, m]`
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.room.get_mut(self.len..end) {
            Some(place) => {
                copy(place, bytes);
                self.len = end;
            }
            None => self.put_in_pieces(bytes),
        }
    }

    /// Appends ASCII without escapes in quotes. `[-0, +0, m]`
    pub(super) fn put_quoted(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len() + 2;
        if let Some([first, place @ .., last]) = self.room.get_mut(self.len..end) {
            (*first, *last) = (b'"', b'"');
            copy(place, bytes);
            self.len = end;
        } else {
            self.put_in_pieces(b"\"");
            self.put_in_pieces(bytes);
            self.put_in_pieces(b"\"");
        }
    }

    #[inline(never)]
    fn put_in_pieces(&mut self, mut bytes: &[u8]) {
        loop {
            let free = self.room.len() - self.len;
            let (now, rest) = bytes.split_at(bytes.len().min(free));
            self.room[self.len..self.len + now.len()].copy_from_slice(now);
            self.len += now.len();
            if rest.is_empty() {
                return;
            }
            self.make_room();
            bytes = rest;
        }
    }

    /// Pushes the whole text. `[-0, +1, e]`
    pub(super) fn finish(mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        if self.pieces == 0 {
            stack.push_bytes(&self.room[..self.len]);
            return Ok(());
        }
        if !stack.has_room(self.pieces.min(JOINED) as c_int + 4) {
            return Err(stack.throw(b"stack overflow"));
        }
        while self.pieces > JOINED {
            self.join();
        }
        for piece in 1..=self.pieces {
            stack.raw_get_index(self.table, piece);
        }
        stack.push_bytes(&self.room[..self.len]);
        stack.concat(self.pieces as c_int + 1);
        Ok(())
    }

    /// Joins so many strings at a time, in their order: all at once would need a stack as long as the text.
    /// `[-0, +0, e]`
    fn join(&mut self) {
        let stack = self.stack;
        let mut joined = 0;
        for first in (1..=self.pieces).step_by(JOINED as usize) {
            let count = JOINED.min(self.pieces - first + 1);
            for piece in first..first + count {
                stack.raw_get_index(self.table, piece);
                stack.push_nil();
                stack.raw_set_index(self.table, piece);
            }
            stack.concat(count as c_int);
            joined += 1;
            stack.raw_set_index(self.table, joined);
            work(stack, 0);
        }
        self.pieces = joined;
    }

    /// Makes room for more: moves to the block, or turns the full block into a string. `[-0, +0, m]`
    fn make_room(&mut self) {
        let stack = self.stack;
        if self.room.len() < PIECE_BYTES {
            // SAFETY: the block stays at its stack index as long as the writer is used.
            let block = unsafe { scratch_aside(stack, PIECE_BYTES) };
            block[..self.len].copy_from_slice(&self.room[..self.len]);
            stack.replace(self.block);
            self.room = block;
            return;
        }
        if stack.type_of(self.table) == raw::LUA_TNIL {
            stack.push_table_aside();
            stack.replace(self.table);
        }
        stack.push_bytes_aside(&self.room[..self.len]);
        // What is pushed is charged; here it is felt.
        work(stack, 0);
        self.pieces += 1;
        stack.raw_set_index(self.table, self.pieces);
        self.len = 0;
    }
}
