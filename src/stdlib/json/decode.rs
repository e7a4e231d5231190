//! The function `json.decode`. Words and escapes are read by the lexer of the crate `hifijson`, which neither
//! allocates nor recurses; the rest here.
//!
//! On the Lua stack each open array or object has a slot, which is nil or its table, and above it the values
//! that are not in the table yet, of objects with their keys. They are put there many at a time, so that the
//! table gets its size at once: at the end, or when `PENDING_MAX` values wait.

use super::{DEPTH_MAX, depth_option, options};
use crate::lua::{Stack, Thrown, fuel, raw};
use crate::state::limit_exceeded::work;
use crate::stdlib::scratch::{SHORT_BYTES, copy, scratch};
use crate::value::escape::plain_len;
use hifijson::SliceLexer;
use hifijson::escape::{self, Lex as _};
use hifijson::token::Lex as _;
use std::ffi::{CStr, c_int};
use std::mem::needs_drop;

/// Stack indices of the text and of the scratch block.
const TEXT: c_int = 1;
const BLOCK: c_int = 2;

/// Upvalues with the metatables.
const ARRAYS: c_int = raw::lua_upvalueindex(1);
const OBJECTS: c_int = raw::lua_upvalueindex(2);

/// Most stack slots that one step needs.
const SLOTS: c_int = 12;

/// Stack slots that are asked for at a time, and the most for values that wait, of all levels together.
const SLOTS_AT_ONCE: c_int = 40;
const PENDING_MAX: c_int = 128;

/// An open array or object.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Stack index of its slot.
    slot: c_int,
    is_array: bool,
    /// Values that are in the table.
    done: u32,
}

/// State of one call of `json.decode`.
struct Decoder<'a> {
    stack: Stack,
    text: &'a [u8],
    /// Bytes of the text that are read.
    at: usize,
    /// Room for strings and numerals that cannot be pushed as they stand in the text.
    room: &'a mut [u8],
    depth: usize,
    depth_max: usize,
    /// The innermost level, and those around it.
    level: Level,
    outer: &'a mut [Level; DEPTH_MAX as usize],
    /// Stack index of the top, and the one up to which there is room for a step.
    top: c_int,
    top_max: c_int,
    /// Values that may wait above the slots of all levels.
    pending_max: c_int,
    /// Ticks that are not used yet.
    ticks: usize,
}

/// Most ticks that are used at once.
const TICKS_AT_ONCE: usize = 16;

const _: () = assert!(!needs_drop::<Decoder<'_>>(), "an error would jump over it");

/// `json.decode(text, options)`
pub(super) fn decode_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the text stays at index 1.
    let text = unsafe { stack.check_bytes(TEXT) };
    options::check(stack, 2, &[b"depth"]);
    let depth_max = depth_option(stack, 2) as usize;
    stack.set_top(TEXT);
    stack.push_nil();
    let mut short = [0; SHORT_BYTES];
    let level = Level { slot: BLOCK, is_array: false, done: 0 };
    let mut decoder = Decoder {
        stack,
        text,
        at: 0,
        room: &mut short,
        depth: 0,
        depth_max,
        level,
        outer: &mut [level; DEPTH_MAX as usize],
        top: BLOCK,
        top_max: 0,
        pending_max: PENDING_MAX,
        ticks: 0,
    };
    // For each byte: is it UTF-8, a blank, where is it. Values take longer, and use ticks of their own.
    work(stack, text.len());
    if let Err(error) = std::str::from_utf8(text) {
        return Err(decoder.refuse(b"invalid UTF-8", text.len() - error.valid_up_to()));
    }
    let ended = decoder.document();
    work(stack, decoder.ticks * fuel::BYTES_PER_TICK);
    ended.map(|()| 1)
}

impl Decoder<'_> {
    /// Pushes the value that the whole text stands for.
    fn document(&mut self) -> Result<(), Thrown> {
        loop {
            if self.value()? {
                continue;
            }
            // A value is complete, which may complete the table that it is in, too.
            while self.depth > 0 && self.end_value()? {}
            if self.depth == 0 {
                break;
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.refuse_here(b"end of text expected after the value")),
        }
    }

    /// Pushes a whole scalar or an empty table, and returns false; or begins a table, pushes the key of its
    /// first value, and returns true.
    fn value(&mut self) -> Result<bool, Thrown> {
        self.tick();
        if self.top + SLOTS > self.top_max {
            self.make_room()?;
        }
        match self.peek() {
            Some(b'[') => {
                self.open(true)?;
                if self.peek() != Some(b']') {
                    return Ok(true);
                }
                self.at += 1;
                self.close();
                return Ok(false);
            }
            Some(b'{') => {
                self.open(false)?;
                if self.peek() != Some(b'}') {
                    self.key()?;
                    return Ok(true);
                }
                self.at += 1;
                self.close();
                return Ok(false);
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z') => self.word()?,
            _ => return Err(self.refuse_here(b"value expected")),
        }
        self.top += 1;
        Ok(false)
    }

    /// Uses a tick, in a while.
    #[inline]
    fn tick(&mut self) {
        self.ticks += 1;
        if self.ticks == TICKS_AT_ONCE {
            self.ticks = 0;
            work(self.stack, TICKS_AT_ONCE * fuel::BYTES_PER_TICK);
        }
    }

    /// Skips blanks, and returns the byte after them.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Makes sure that there are stack slots for a step.
    #[cold]
    fn make_room(&mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        if stack.has_room(SLOTS_AT_ONCE) {
            self.top_max = self.top + SLOTS_AT_ONCE;
            return Ok(());
        }
        // In a small stack nothing waits.
        self.pending_max = 0;
        if !stack.has_room(SLOTS) {
            return Err(stack.throw(b"stack overflow"));
        }
        self.top_max = self.top + SLOTS;
        Ok(())
    }

    /// Begins an array or object. `[-0, +1, e]`
    fn open(&mut self, is_array: bool) -> Result<(), Thrown> {
        if self.depth >= self.depth_max {
            return Err(self.refuse_here(b"nested deeper than option 'depth' allows"));
        }
        self.at += 1;
        self.outer[self.depth] = self.level;
        self.depth += 1;
        self.stack.push_nil();
        self.top += 1;
        self.level = Level { slot: self.top, is_array, done: 0 };
        Ok(())
    }

    /// Ends the innermost array or object: its table is on top. `[-?, +0, e]`
    fn close(&mut self) {
        self.put();
        self.depth -= 1;
        self.level = self.outer[self.depth];
    }

    /// Puts the values that wait into their table, which is made if there is none. `[-?, +0, e]`
    fn put(&mut self) {
        let count = (self.top - self.level.slot) as u32;
        if self.level.is_array {
            self.stack.put_list(ARRAYS, self.level.done, count);
        } else {
            self.stack.put_pairs(OBJECTS, count / 2);
        }
        self.level.done += count;
        self.top = self.level.slot;
    }

    /// Reads what follows a value. Returns true if its table is complete, which is on top then; false if
    /// another value follows, whose key is on top then.
    fn end_value(&mut self) -> Result<bool, Thrown> {
        let (end, message): (u8, &[u8]) =
            if self.level.is_array { (b']', b"',' or ']' expected") } else { (b'}', b"',' or '}' expected") };
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                if self.top - self.outer[0].slot - 2 * self.depth as c_int > self.pending_max {
                    self.put();
                }
                if !self.level.is_array {
                    self.key()?;
                }
                Ok(false)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                self.close();
                Ok(true)
            }
            _ => Err(self.refuse_here(message)),
        }
    }

    /// Pushes a key, and skips the colon.
    fn key(&mut self) -> Result<(), Thrown> {
        self.tick();
        if self.peek() != Some(b'"') {
            return Err(self.refuse_here(b"key (a string) expected"));
        }
        self.string()?;
        self.top += 1;
        if self.peek() != Some(b':') {
            return Err(self.refuse_here(b"':' expected"));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self) -> Result<(), Thrown> {
        let mut lexer = SliceLexer::new(&self.text[self.at..]);
        match lexer.null_or_bool() {
            Some(None) => self.stack.push_address(std::ptr::null_mut()),
            Some(Some(value)) => self.stack.push_boolean(value),
            None => return Err(self.refuse_here(b"value expected")),
        }
        self.at = self.text.len() - lexer.as_slice().len();
        Ok(())
    }

    /// Pushes the number that Lua's `tonumber` makes of the numeral: an integer if it has no fraction and no
    /// exponent, and fits; otherwise a float.
    fn number(&mut self) -> Result<(), Thrown> {
        let text = &self.text[self.at..];
        match short_number(text) {
            Some((Number::Integer(integer), len)) => {
                self.stack.push_integer(integer);
                self.at += len;
                Ok(())
            }
            Some((Number::Float(float), len)) => {
                self.stack.push_number(float);
                self.at += len;
                Ok(())
            }
            None => self.long_number(),
        }
    }

    #[cold]
    fn long_number(&mut self) -> Result<(), Thrown> {
        let left = self.left();
        let text = &self.text[self.at..];
        let Some(len) = numeral_len(text) else {
            return Err(self.refuse(b"malformed number", left));
        };
        let numeral = &text[..len];
        self.at += len;
        let stack = self.stack;
        #[cfg(not(target_arch = "wasm32"))]
        if numeral.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            // The same float as Lua's, sooner; on wasm it would be 19 KB of code.
            work(stack, numeral.len() * 16);
            let float = str::from_utf8(numeral).ok().and_then(|numeral| numeral.parse::<f64>().ok());
            let Some(float) = float.filter(|float| float.is_finite()) else {
                return Err(self.refuse(b"number too large for a float", left));
            };
            stack.push_number(float);
            return Ok(());
        }
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
        let start = self.at + 1;
        let text = &self.text[start..];
        let len = plain_len(text);
        if len >= fuel::BYTES_PER_TICK {
            work(self.stack, len);
        }
        if text.get(len) == Some(&b'"') {
            self.stack.push_bytes(&text[..len]);
            self.at = start + len + 1;
            return Ok(());
        }
        let left = self.left();
        let (len, end) = match unescape(text, self.room) {
            Ok(found) => found,
            Err(fault) => return Err(self.refuse_string(&fault, left)),
        };
        // Escapes are read byte by byte, twice if they are many.
        work(self.stack, end * 2);
        if len > self.room.len() {
            let room = self.room(len);
            // The first pass has found no error.
            let _ = unescape(text, room);
        }
        self.stack.push_bytes(&self.room[..len]);
        self.at = start + end;
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
        self.text.len() - self.at
    }

    fn refuse_string(&self, fault: &Fault, left_at_quote: usize) -> Thrown {
        use escape::Error::{Eof, ExpectedLowSurrogate, InvalidChar, InvalidHex, InvalidKind};
        match fault {
            Fault::Control(left) => self.refuse(b"control character in a string", *left),
            Fault::Escape(InvalidKind(_) | InvalidHex(_), left) => self.refuse(b"invalid escape", *left),
            Fault::Escape(InvalidChar(_) | ExpectedLowSurrogate, left) => {
                self.refuse(b"half of a surrogate pair", *left)
            }
            Fault::Escape(Eof, _) | Fault::Unfinished => self.refuse(b"unfinished string", left_at_quote),
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

/// A number whose text says it without rounding.
enum Number {
    Integer(i64),
    Float(f64),
}

/// Most digits of a number that is read here: any of them fits into an integer.
const DIGITS_MAX: usize = 18;

/// Most powers of ten that are floats.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Reads a number that has few digits and no exponent, and returns the length of its text. None is for all
/// others, and for what is none.
fn short_number(text: &[u8]) -> Option<(Number, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let first = usize::from(is_negative);
    let (mut mantissa, mut at) = (0_u64, first);
    let mut digits = |at: &mut usize| {
        while let Some(byte @ b'0'..=b'9') = text.get(*at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            *at += 1;
            if *at > DIGITS_MAX {
                return None;
            }
        }
        text.get(*at).copied().or(Some(0))
    };
    let mut next = digits(&mut at)?;
    let whole = at - first;
    if whole == 0 || whole > 1 && text[first] == b'0' {
        return None;
    }
    let point = at;
    if next == b'.' {
        at += 1;
        next = digits(&mut at)?;
    }
    if matches!(next, b'e' | b'E') {
        return None;
    }
    if at == point {
        let integer = mantissa as i64;
        return Some((Number::Integer(if is_negative { -integer } else { integer }), at));
    }
    let fraction = at - point - 1;
    // Both are exact, so that their quotient is the nearest float.
    if fraction == 0 || mantissa > 1 << f64::MANTISSA_DIGITS {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "it is at most 2^53")]
    let float = mantissa as f64 / EXACT_POWERS[fraction];
    Some((Number::Float(if is_negative { -float } else { float }), at))
}

/// The length of the numeral that the text begins with, if it does.
fn numeral_len(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let some_digits = |at: usize| Some(at + digits(at)).filter(|&end| end > at);
    let mut at = usize::from(text.first() == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { some_digits(at)? };
    if text.get(at) == Some(&b'.') {
        at = some_digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = some_digits(at)?;
    }
    Some(at)
}

/// The error of a malformed string, with the number of bytes of text left there.
enum Fault {
    Unfinished,
    Control(usize),
    Escape(escape::Error, usize),
}

/// Reads a string after its opening quote, and writes as much of it as fits to `room`. Returns its length in
/// bytes, and that of its text, with the closing quote.
fn unescape(text: &[u8], room: &mut [u8]) -> Result<(usize, usize), Fault> {
    let (mut at, mut len) = (0, 0);
    let mut put = |bytes: &[u8], len: &mut usize| {
        let end = *len + bytes.len();
        if let Some(place) = room.get_mut(*len..end) {
            copy(place, bytes);
        }
        *len = end;
    };
    loop {
        let left = text.len() - at;
        let Some(&byte) = text.get(at) else { return Err(Fault::Unfinished) };
        match byte {
            b'"' => return Ok((len, at + 1)),
            b'\\' => {}
            0..0x20 => return Err(Fault::Control(left)),
            _ => {
                let plain = plain_len(&text[at..]);
                put(&text[at..at + plain], &mut len);
                at += plain;
                continue;
            }
        }
        let kind = *text.get(at + 1).ok_or(Fault::Unfinished)?;
        if matches!(kind, b'"' | b'\\' | b'n') {
            put(&[if kind == b'n' { b'\n' } else { kind }], &mut len);
            at += 2;
            continue;
        }
        let mut lexer = SliceLexer::new(&text[at + 2..]);
        let character = lexer.escape(kind).map_err(|error| Fault::Escape(error, left))?;
        put(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut len);
        at = text.len() - lexer.as_slice().len();
    }
}
