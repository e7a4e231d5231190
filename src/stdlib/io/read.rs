//! The function `read` of files, and its formats (manual, `file:read`).
//!
//! Keeps true: the bytes that a format takes are marked as read before its value is pushed, because pushing
//! may run a finalizer, which may read as well.

use super::{File, Handle, file_of, push_bad_descriptor};
use crate::lua::{Stack, Thrown, raw};
use crate::state::context::{More, context};
use crate::state::limit_exceeded::tick;
use std::ffi::{CStr, c_int};

/// Longest numeral that the format "n" takes (C Lua's `L_MAXLENNUM`).
const NUMERAL_BYTES_MAX: usize = 200;

/// Least number of consumed bytes that are dropped from the input buffer at once, so that the rest is not
/// moved often.
const READ_KEPT_BYTES: usize = 4096;

/// Stack slots that must be free beside the results: C Lua's `LUA_MINSTACK`.
const SLOTS: c_int = 20;

/// One call of `read`.
struct Reader {
    stack: Stack,
    handle: *mut Handle,
    /// True if the host has reported the end of input, or the file is not readable.
    ended: bool,
}

/// Reads according to the formats at the indices `first` to `last`, or a line if there is none. Pushes the
/// results.
pub(super) fn read(stack: Stack, handle: *mut Handle, first: c_int, last: c_int) -> Result<c_int, Thrown> {
    let is_input = file_of(handle) == File::Stdin;
    let mut reader = Reader { stack, handle, ended: !is_input };
    let mut success = true;
    let mut results = 0;
    if last < first {
        success = reader.line(false)?;
        results = 1;
    } else if !stack.has_room(last - first + 1 + SLOTS) {
        return Err(stack.throw(b"stack overflow (too many arguments)"));
    }
    for index in first..=last {
        if !success {
            break;
        }
        tick(stack);
        success = reader.format(index)?;
        results += 1;
    }
    if !is_input {
        return Ok(push_bad_descriptor(stack));
    }
    if !success {
        stack.pop(1);
        stack.push_nil();
    }
    Ok(results)
}

impl Reader {
    /// Reads and pushes one value. Returns false if nothing could be read; the value pushed is meaningless
    /// then.
    fn format(&mut self, index: c_int) -> Result<bool, Thrown> {
        if self.stack.type_of(index) == raw::LUA_TNUMBER {
            return match self.stack.check_integer(index) {
                0 => self.is_more(),
                count => self.bytes(usize::try_from(count).unwrap_or(usize::MAX)),
            };
        }
        // SAFETY: the argument stays on the stack.
        let format = unsafe { self.stack.check_bytes(index) };
        match format.strip_prefix(b"*").unwrap_or(format).first() {
            Some(b'n') => self.number(),
            Some(b'l') => self.line(false),
            Some(b'L') => self.line(true),
            Some(b'a') => self.all(),
            _ => self.stack.argument_error(index, c"invalid format"),
        }
    }

    /// Pushes "", and returns true if input is left.
    fn is_more(&mut self) -> Result<bool, Thrown> {
        let more = !self.unread().is_empty() || self.fill()?;
        self.stack.push_bytes(b"");
        Ok(more)
    }

    /// Reads at most `count` bytes.
    fn bytes(&mut self, count: usize) -> Result<bool, Thrown> {
        while self.unread().len() < count && self.fill()? {}
        let found = self.unread().len().min(count);
        self.push(found, found);
        Ok(found > 0)
    }

    fn all(&mut self) -> Result<bool, Thrown> {
        while self.fill()? {}
        let found = self.unread().len();
        self.push(found, found);
        Ok(true)
    }

    fn line(&mut self, with_newline: bool) -> Result<bool, Thrown> {
        let mut seen = 0;
        loop {
            let unread = self.unread();
            if let Some(at) = unread[seen..].iter().position(|&byte| byte == b'\n') {
                let line = seen + at;
                self.push(if with_newline { line + 1 } else { line }, line + 1);
                return Ok(true);
            }
            seen = unread.len();
            if !self.fill()? {
                self.push(seen, seen);
                return Ok(seen > 0);
            }
        }
    }

    /// Reads a numeral. The longest prefix that looks like one is consumed, even if it is not a numeral in
    /// the end, as in C Lua.
    fn number(&mut self) -> Result<bool, Thrown> {
        while matches!(self.peek()?, Some(b' ' | b'\t'..=b'\r')) {
            tick(self.stack);
            self.consume(1);
        }
        let mut numeral = Numeral { bytes: [0; NUMERAL_BYTES_MAX + 1], len: 0, too_long: false };
        self.take(&mut numeral, b"-+")?;
        let mut digits = 0;
        let mut set: &[u8] = b"0123456789";
        let mut exponent = b"eE";
        if self.take(&mut numeral, b"0")? {
            if self.take(&mut numeral, b"xX")? {
                set = b"0123456789abcdefABCDEF";
                exponent = b"pP";
            } else {
                digits = 1;
            }
        }
        digits += self.take_all(&mut numeral, set)?;
        if self.take(&mut numeral, b".")? {
            digits += self.take_all(&mut numeral, set)?;
        }
        if digits > 0 && self.take(&mut numeral, exponent)? {
            self.take(&mut numeral, b"-+")?;
            self.take_all(&mut numeral, b"0123456789")?;
        }
        let found = match CStr::from_bytes_until_nul(&numeral.bytes) {
            Ok(text) if !numeral.too_long => self.stack.push_numeral(text),
            _ => false,
        };
        if !found {
            self.stack.push_nil();
        }
        Ok(found)
    }

    fn take_all(&mut self, numeral: &mut Numeral, set: &[u8]) -> Result<usize, Thrown> {
        let mut count = 0;
        while self.take(numeral, set)? {
            count += 1;
        }
        Ok(count)
    }

    /// Takes the next byte if it is one of the set and the numeral has room for it.
    fn take(&mut self, numeral: &mut Numeral, set: &[u8]) -> Result<bool, Thrown> {
        match self.peek()? {
            Some(byte) if set.contains(&byte) => {
                if numeral.len == NUMERAL_BYTES_MAX {
                    numeral.too_long = true;
                    return Ok(false);
                }
                numeral.bytes[numeral.len] = byte;
                numeral.len += 1;
                self.consume(1);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Thrown> {
        if self.unread().is_empty() {
            self.fill()?;
        }
        Ok(self.unread().first().copied())
    }

    // ---- the context's buffer ----

    /// The input that the program has not read. The slice must not be kept across a call of Lua or of `fill`.
    fn unread<'a>(&self) -> &'a [u8] {
        if file_of(self.handle) == File::Stdin {
            // SAFETY: as in `file_of`.
            let read = unsafe { (*self.handle).read };
            context(self.stack).input.get(read..).unwrap_or_default()
        } else {
            &[]
        }
    }

    fn consume(&mut self, count: usize) {
        // SAFETY: as in `file_of`; no reference to it is kept anywhere.
        unsafe { (*self.handle).read += count };
    }

    /// Marks `taken` bytes as read, and pushes the first `len` of them.
    fn push(&mut self, len: usize, taken: usize) {
        let text = &self.unread()[..len];
        self.consume(taken);
        // Lua copies the bytes before its collector may run a finalizer, which may read and so change the
        // buffer.
        self.stack.push_bytes(text);
    }

    /// Asks the host for more input. Returns false at the end.
    fn fill(&mut self) -> Result<bool, Thrown> {
        if self.ended {
            return Ok(false);
        }
        let unread = self.unread().len();
        let context = context(self.stack);
        let read = context.input.len() - unread;
        if unread == 0 {
            context.input = Vec::new();
        } else if read >= READ_KEPT_BYTES.max(unread) {
            context.input.drain(..read);
        }
        // SAFETY: as in `file_of`; no reference to it is kept anywhere.
        unsafe { (*self.handle).read = context.input.len() - unread };
        // No value can be larger than Lua's memory, so an endless input ends here.
        let more = if unread > context.memory.limit() { More::OutOfMemory } else { context.read_more() };
        match more {
            More::Some => Ok(true),
            More::End => {
                self.ended = true;
                Ok(false)
            }
            More::OutOfMemory => Err(self.stack.throw_out_of_memory()),
            More::Failed => {
                let message = &raw const context.value;
                // SAFETY: the buffer belongs to the context, and Lua copies the bytes before anything can
                // write to it.
                Err(self.stack.throw(unsafe { &*message }))
            }
        }
    }
}

/// The text of a numeral, which ends in NUL.
struct Numeral {
    bytes: [u8; NUMERAL_BYTES_MAX + 1],
    len: usize,
    too_long: bool,
}
