//! The function `json.decode`. The lexer is the crate `hifijson`, which neither allocates nor recurses; this
//! file makes values of its tokens.
//!
//! On the Lua stack each open array has two slots, itself and the index of its next value; each open object
//! likewise, itself and the key of its next value.

use super::{depth_option, options};
use crate::lua::{Stack, Thrown, raw};
use crate::state::limit_exceeded::{tick, work};
use crate::stdlib::scratch::{SHORT_BYTES, scratch};
use hifijson::escape::{self, Lex as _};
use hifijson::num::LexWrite as _;
use hifijson::str::{self, LexWrite as _};
use hifijson::token::Lex as _;
use hifijson::{Read as _, SliceLexer};
use std::ffi::{CStr, c_int};
use std::mem::needs_drop;

/// Stack indices of the text and of the scratch block.
const TEXT: c_int = 1;
const BLOCK: c_int = 2;

/// Upvalues with the metatables.
const ARRAYS: c_int = raw::lua_upvalueindex(1);
const OBJECTS: c_int = raw::lua_upvalueindex(2);

/// Most stack slots that one step needs.
const SLOTS: c_int = 10;

/// State of one call of `json.decode`.
struct Decoder<'a> {
    stack: Stack,
    text: &'a [u8],
    lexer: SliceLexer<'a>,
    /// Room for strings and numerals that cannot be pushed as they stand in the text.
    room: &'a mut [u8],
    depth: i64,
    depth_max: i64,
}

const _: () = assert!(!needs_drop::<Decoder<'_>>(), "an error would jump over it");

/// `json.decode(text, options)`
pub(super) fn decode_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the text stays at index 1.
    let text = unsafe { stack.check_bytes(TEXT) };
    options::check(stack, 2, &[b"depth"]);
    let depth_max = depth_option(stack, 2);
    stack.set_top(TEXT);
    stack.push_nil();
    let mut short = [0; SHORT_BYTES];
    let lexer = SliceLexer::new(text);
    let mut decoder = Decoder { stack, text, lexer, room: &mut short, depth: 0, depth_max };
    // For each byte: is it UTF-8, a blank, where is it. Values take longer, and use ticks of their own.
    work(stack, text.len());
    if let Err(error) = std::str::from_utf8(text) {
        return Err(decoder.refuse(b"invalid UTF-8", text.len() - error.valid_up_to()));
    }
    decoder.document()?;
    Ok(1)
}

impl Decoder<'_> {
    /// Pushes the value that the whole text stands for.
    fn document(&mut self) -> Result<(), Thrown> {
        loop {
            if self.value()? {
                continue;
            }
            // A value is complete. It is stored in its table, which may complete that one, too.
            while self.depth > 0 && self.store()? {}
            if self.depth == 0 {
                break;
            }
        }
        match self.lexer.ws_peek() {
            None => Ok(()),
            Some(_) => Err(self.refuse_here(b"end of text expected after the value")),
        }
    }

    /// Pushes a whole scalar or an empty table, and returns false; or pushes a table and the key of its first
    /// value, and returns true.
    fn value(&mut self) -> Result<bool, Thrown> {
        let stack = self.stack;
        tick(stack);
        match self.lexer.ws_peek() {
            Some(b'[') => {
                self.open(ARRAYS)?;
                if self.lexer.expect(SliceLexer::ws_peek, b']').is_some() {
                    return Ok(false);
                }
                stack.push_integer(1);
                self.depth += 1;
                return Ok(true);
            }
            Some(b'{') => {
                self.open(OBJECTS)?;
                if self.lexer.expect(SliceLexer::ws_peek, b'}').is_some() {
                    return Ok(false);
                }
                self.key()?;
                self.depth += 1;
                return Ok(true);
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z') => self.word()?,
            _ => return Err(self.refuse_here(b"value expected")),
        }
        Ok(false)
    }

    /// Pushes a table for the array or object that begins here.
    fn open(&mut self, metatable: c_int) -> Result<(), Thrown> {
        let stack = self.stack;
        if self.depth >= self.depth_max {
            return Err(self.refuse_here(b"nested deeper than option 'depth' allows"));
        }
        if !stack.has_room(SLOTS) {
            return Err(stack.throw(b"stack overflow"));
        }
        self.lexer.take_next();
        stack.push_table(0, 0);
        stack.push_copy(metatable);
        stack.set_metatable(-2);
        Ok(())
    }

    /// Stores the value on top in its table. Returns true if the table is complete, which is on top then;
    /// false if another value follows, whose key is on top then.
    fn store(&mut self) -> Result<bool, Thrown> {
        let stack = self.stack;
        let index = if stack.is_integer(-2) { stack.integer(-2) } else { None };
        stack.raw_set(-3);
        let (end, message): (u8, &[u8]) = match index {
            Some(_) => (b']', b"',' or ']' expected"),
            None => (b'}', b"',' or '}' expected"),
        };
        let next = self.lexer.ws_peek();
        if next != Some(end) && next != Some(b',') {
            return Err(self.refuse_here(message));
        }
        self.lexer.take_next();
        if next == Some(end) {
            self.depth -= 1;
            return Ok(true);
        }
        match index {
            Some(index) => stack.push_integer(index + 1),
            None => self.key()?,
        }
        Ok(false)
    }

    /// Pushes a key, and skips the colon.
    fn key(&mut self) -> Result<(), Thrown> {
        tick(self.stack);
        if self.lexer.ws_peek() != Some(b'"') {
            return Err(self.refuse_here(b"key (a string) expected"));
        }
        self.string()?;
        match self.lexer.expect(SliceLexer::ws_peek, b':') {
            Some(()) => Ok(()),
            None => Err(self.refuse_here(b"':' expected")),
        }
    }

    fn word(&mut self) -> Result<(), Thrown> {
        let left = self.left();
        match self.lexer.null_or_bool() {
            Some(None) => self.stack.push_address(std::ptr::null_mut()),
            Some(Some(value)) => self.stack.push_boolean(value),
            None => return Err(self.refuse(b"value expected", left)),
        }
        Ok(())
    }

    /// Pushes the number that Lua's `tonumber` makes of the numeral: an integer if it has no fraction and no
    /// exponent, and fits; otherwise a float.
    fn number(&mut self) -> Result<(), Thrown> {
        let left = self.left();
        let Ok((numeral, _)) = self.lexer.num_bytes().validated() else {
            return Err(self.refuse(b"malformed number", left));
        };
        let stack = self.stack;
        let room = self.room(numeral.len() + 1);
        room[..numeral.len()].copy_from_slice(numeral);
        room[numeral.len()] = 0;
        let read = CStr::from_bytes_until_nul(room).is_ok_and(|numeral| stack.push_numeral(numeral));
        if !read || stack.number(-1).is_some_and(f64::is_infinite) {
            return Err(self.refuse(b"number too large for a float", left));
        }
        Ok(())
    }

    /// Pushes the string whose opening quote comes next.
    fn string(&mut self) -> Result<(), Thrown> {
        let left = self.left();
        self.lexer.take_next();
        let start = self.lexer.as_slice();
        // Escapes are read byte by byte, twice if they are many.
        let left_before = start.len();
        let len = match unescape(&mut self.lexer, self.room) {
            Ok(len) => len,
            Err(fault) => return Err(self.refuse_string(&fault, left)),
        };
        work(self.stack, (left_before - self.left()) * 2);
        // Every escape is longer than what it stands for.
        if start.len() - self.left() == len + 1 {
            self.stack.push_bytes(&start[..len]);
            return Ok(());
        }
        if len > self.room.len() {
            let room = self.room(len);
            // The first pass has found no error.
            let _ = unescape(&mut SliceLexer::new(start), room);
        }
        self.stack.push_bytes(&self.room[..len]);
        Ok(())
    }

    /// Returns room for `len` bytes. Its previous contents are lost.
    fn room(&mut self, len: usize) -> &mut [u8] {
        if len > self.room.len() {
            // SAFETY: the block stays at its index until a larger one replaces both the block and the room.
            self.room = unsafe { scratch(self.stack, &mut [], len) };
            self.stack.replace(BLOCK);
        }
        &mut self.room[..len]
    }

    /// Number of bytes of the text that are not read yet.
    fn left(&self) -> usize {
        self.lexer.as_slice().len()
    }

    fn refuse_string(&self, fault: &Fault, left_at_quote: usize) -> Thrown {
        use escape::Error::{Eof, ExpectedLowSurrogate, InvalidChar, InvalidHex, InvalidKind};
        match fault {
            Fault::String(str::Error::Control) => {
                self.refuse(b"control character in a string", self.left() + 1)
            }
            Fault::Escape(InvalidKind(_) | InvalidHex(_), left) => self.refuse(b"invalid escape", *left),
            Fault::Escape(InvalidChar(_) | ExpectedLowSurrogate, left) => {
                self.refuse(b"half of a surrogate pair", *left)
            }
            Fault::Escape(Eof, _) | Fault::String(_) => self.refuse(b"unfinished string", left_at_quote),
        }
    }

    fn refuse_here(&self, what: &[u8]) -> Thrown {
        self.refuse(what, self.left())
    }

    /// Makes the error "json: WHAT at line L, column C", for the place that is `left` bytes before the end of
    /// the text.
    fn refuse(&self, what: &[u8], left: usize) -> Thrown {
        let stack = self.stack;
        let before = &self.text[..self.text.len() - left];
        let (mut line, mut column) = (1, 1);
        for &byte in before {
            if byte == b'\n' {
                (line, column) = (line + 1, 1);
            } else if byte & 0xC0 != 0x80 {
                // Columns are counted in characters: a byte that continues one does not count.
                column += 1;
            }
        }
        stack.push_bytes(b"json: ");
        stack.push_bytes(what);
        stack.push_bytes(b" at line ");
        stack.push_integer(line);
        stack.push_bytes(b", column ");
        stack.push_integer(column);
        stack.concat(6);
        // SAFETY: the message stays on top until the error is made.
        let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
        stack.throw(message)
    }
}

/// The error of a malformed string. For an escape, with the number of bytes of text left there.
enum Fault {
    String(str::Error),
    Escape(escape::Error, usize),
}

impl From<str::Error> for Fault {
    fn from(error: str::Error) -> Self {
        Fault::String(error)
    }
}

/// Reads a string up to its closing quote, and writes as much of it as fits to `room`. Returns its length in
/// bytes.
fn unescape(lexer: &mut SliceLexer<'_>, room: &mut [u8]) -> Result<usize, Fault> {
    struct Out<'a> {
        room: &'a mut [u8],
        len: usize,
    }
    fn put(out: &mut Out<'_>, bytes: &[u8]) {
        let end = out.len + bytes.len();
        if let Some(place) = out.room.get_mut(out.len..end) {
            place.copy_from_slice(bytes);
        }
        out.len = end;
    }
    let out = lexer.str_fold(
        Out { room, len: 0 },
        |bytes, out| {
            put(out, bytes);
            Ok(())
        },
        |lexer, out| {
            let left = lexer.as_slice().len() + 1;
            let kind = lexer.take_next().ok_or(str::Error::Eof)?;
            let character = lexer.escape(kind).map_err(|error| Fault::Escape(error, left))?;
            put(out, character.encode_utf8(&mut [0; 4]).as_bytes());
            Ok::<(), Fault>(())
        },
    )?;
    Ok(out.len)
}
