//! The function `read` of files, and its formats (manual, `file:read`).
//!
//! Keeps true: the bytes that a format takes are marked as read before its value is pushed, because pushing
//! may run a finalizer, which may read as well. And not before all of them are there (only blanks before a
//! numeral are): a format for which the program has to wait begins anew when there is more, and has lost
//! nothing.

use super::{File, Handle, file_of, push_bad_descriptor};
use crate::host_call::{ask, take_settled};
use crate::lua::{Stack, Thrown, fuel, raw};
use crate::state::context::{More, context};
use crate::state::host_functions::Service;
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

/// Arguments of `read`: the handle, the indices of the first and the last format (none: a line), and that of
/// the last value below the results.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) handle: *mut Handle,
    pub(super) first: c_int,
    pub(super) last: c_int,
    pub(super) base: c_int,
}

/// Reason that a format has no value.
enum Stop {
    Thrown,
    /// The host has no input yet.
    Waits,
}

impl From<Thrown> for Stop {
    fn from(_: Thrown) -> Self {
        Stop::Thrown
    }
}

/// Reads according to the formats. Pushes the results, and returns how many; None: the program has to wait,
/// with the results that there are on the stack, and goes on with `go_on`.
pub(super) fn read(stack: Stack, reading: Reading) -> Result<Option<c_int>, Thrown> {
    let Reading { handle, first, last, .. } = reading;
    let is_input = file_of(handle) == File::Stdin;
    if !stack.has_room(last - first + 1 + SLOTS) {
        return Err(stack.throw(b"stack overflow (too many arguments)"));
    }
    read_on(Reader { stack, handle, ended: !is_input }, reading)
}

/// Continues a `read` for which the host's answer is there.
pub(super) fn go_on(stack: Stack, reading: Reading) -> Result<Option<c_int>, Thrown> {
    let mut reader = Reader { stack, handle: reading.handle, ended: false };
    let top = stack.top();
    let results = take_settled(stack)?;
    reader.take_input(results)?;
    stack.set_top(top);
    // The format looks at all of it again.
    fuel::charge(reader.unread().len());
    read_on(reader, reading)
}

fn read_on(mut reader: Reader, reading: Reading) -> Result<Option<c_int>, Thrown> {
    let Reading { first, last, base, .. } = reading;
    let stack = reader.stack;
    let mut success = true;
    // One for each format, or for the line if there is none.
    while success && (stack.top() - base < last - first + 1 || stack.top() == base) {
        tick(stack);
        let index = first + stack.top() - base;
        let read = if last < first { reader.line(false) } else { reader.format(index) };
        success = match read {
            Ok(success) => success,
            Err(Stop::Thrown) => return Err(Thrown),
            Err(Stop::Waits) => return Ok(None),
        };
    }
    let results = stack.top() - base;
    if !reader.is_readable() {
        return Ok(Some(push_bad_descriptor(stack)));
    }
    if !success {
        stack.pop(1);
        stack.push_nil();
    }
    Ok(Some(results))
}

impl Reader {
    /// Reads and pushes one value. Returns false if nothing could be read; the value pushed is meaningless
    /// then.
    fn format(&mut self, index: c_int) -> Result<bool, Stop> {
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
    fn is_more(&mut self) -> Result<bool, Stop> {
        let more = !self.unread().is_empty() || self.fill()?;
        self.stack.push_bytes(b"");
        Ok(more)
    }

    /// Reads at most `count` bytes.
    fn bytes(&mut self, count: usize) -> Result<bool, Stop> {
        while self.unread().len() < count && self.fill()? {}
        let found = self.unread().len().min(count);
        self.push(found, found);
        Ok(found > 0)
    }

    fn all(&mut self) -> Result<bool, Stop> {
        while self.fill()? {}
        let found = self.unread().len();
        self.push(found, found);
        Ok(true)
    }

    fn line(&mut self, with_newline: bool) -> Result<bool, Stop> {
        let mut seen = 0;
        loop {
            let unread = self.unread();
            if let Some(at) = unread[seen..].iter().position(|&byte| byte == b'\n') {
                let line = seen + at;
                self.push(if with_newline { line + 1 } else { line }, line + 1);
                return Ok(true);
            }
            seen = unread.len();
            let consumed = self.consumed();
            let more = self.fill()?;
            // The host may have had somebody else read meanwhile.
            if self.consumed() != consumed {
                seen = 0;
            }
            if !more {
                let rest = self.unread().len();
                self.push(rest, rest);
                return Ok(rest > 0);
            }
        }
    }

    /// Reads a numeral. The longest prefix that looks like one is consumed, even if it is not a numeral in
    /// the end, as in C Lua.
    fn number(&mut self) -> Result<bool, Stop> {
        while matches!(self.peek(0)?, Some(b' ' | b'\t'..=b'\r')) {
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
        self.consume(numeral.len.min(self.unread().len()));
        let found = match CStr::from_bytes_until_nul(&numeral.bytes) {
            Ok(text) if !numeral.too_long => self.stack.push_numeral(text),
            _ => false,
        };
        if !found {
            self.stack.push_nil();
        }
        Ok(found)
    }

    fn take_all(&mut self, numeral: &mut Numeral, set: &[u8]) -> Result<usize, Stop> {
        let mut count = 0;
        while self.take(numeral, set)? {
            count += 1;
        }
        Ok(count)
    }

    /// Takes the next byte if it is one of the set and the numeral has room for it.
    fn take(&mut self, numeral: &mut Numeral, set: &[u8]) -> Result<bool, Stop> {
        match self.peek(numeral.len)? {
            Some(byte) if set.contains(&byte) => {
                if numeral.len == NUMERAL_BYTES_MAX {
                    numeral.too_long = true;
                    return Ok(false);
                }
                numeral.bytes[numeral.len] = byte;
                numeral.len += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The byte behind `ahead` others that are not read.
    fn peek(&mut self, ahead: usize) -> Result<Option<u8>, Stop> {
        if self.unread().len() <= ahead {
            self.fill()?;
        }
        Ok(self.unread().get(ahead).copied())
    }

    // ---- the context's buffer ----

    /// The input that the program has not read. The slice must not be kept across a call of Lua or of `fill`.
    fn unread<'a>(&self) -> &'a [u8] {
        match file_of(self.handle) {
            File::Stdin => {
                // SAFETY: as in `file_of`.
                let read = unsafe { (*self.handle).read };
                context(self.stack).input.get(read..).unwrap_or_default()
            }
            File::Opened(number) => {
                let files = context(self.stack).files.as_deref();
                files.and_then(|files| files.unread(number).ok()).unwrap_or_default()
            }
            _ => &[],
        }
    }

    fn is_readable(&self) -> bool {
        match file_of(self.handle) {
            File::Stdin => true,
            File::Opened(number) => {
                context(self.stack).files.as_deref().is_some_and(|files| files.unread(number).is_ok())
            }
            _ => false,
        }
    }

    fn consume(&mut self, count: usize) {
        if let File::Opened(number) = file_of(self.handle) {
            // They are looked at, and copied.
            fuel::charge(2 * count);
            if let Some(files) = context(self.stack).files.as_deref_mut() {
                files.advance(number, count);
            }
            return;
        }
        // SAFETY: as in `file_of`; no reference to it is kept anywhere.
        unsafe {
            (*self.handle).read += count;
            (*self.handle).consumed = (*self.handle).consumed.wrapping_add(count);
        }
    }

    /// Bytes that were ever consumed.
    fn consumed(&self) -> usize {
        // SAFETY: as in `file_of`.
        unsafe { (*self.handle).consumed }
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
    fn fill(&mut self) -> Result<bool, Stop> {
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
        if unread > context.memory.limit() {
            return Err(self.stack.throw_out_of_memory().into());
        }
        if context.functions.host.has_input() {
            let results = ask(self.stack, Service::Input)?.ok_or(Stop::Waits)?;
            return Ok(self.take_input(results)?);
        }
        let more = context.read_more();
        Ok(self.note(more)?)
    }

    /// Takes the host's answer, which is on top. Returns false at the end. `[-results, +0, m]`
    fn take_input(&mut self, results: c_int) -> Result<bool, Thrown> {
        // SAFETY: the string stays on the stack while it is copied.
        let bytes = if results == 0 { None } else { unsafe { self.stack.bytes(-results) } };
        let more = context(self.stack).add_input(bytes.unwrap_or_default());
        self.stack.pop(results);
        self.note(more)
    }

    fn note(&mut self, more: More) -> Result<bool, Thrown> {
        match more {
            More::Some => Ok(true),
            More::End => {
                self.ended = true;
                Ok(false)
            }
            More::OutOfMemory => Err(self.stack.throw_out_of_memory()),
            More::Failed => {
                let message = &raw const context(self.stack).value;
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
