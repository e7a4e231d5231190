//! `snprintf` with exactly one value, one function per type of value: `config.h` sends Lua's
//! `l_sprintf` to the right one by `_Generic`, so there are no variable arguments.
//!
//! A format is literal text around one conversion: `%`, flags of `-+ #0`, a width, a precision, a
//! length (skipped: the function called says the type), a letter; `%%` anywhere. The answer is what
//! C prescribes: the bytes that fit with a NUL after them, and the length all would have had.
//! A letter that does not belong to the type is undefined in C, and text here.
//!
//! Not here: `*` as width or precision, `%n`, wide characters, locales, and rounding modes but the
//! nearest: Lua has no way to ask for them.

use core::ffi::{c_char, c_int, c_void};

use super::decimal;
use super::float;

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_format_int(
    buf: *mut c_char,
    size: usize,
    fmt: *const c_char,
    value: i64,
) -> c_int {
    let value = Value::Int { signed: value, unsigned: value.cast_unsigned() };
    // SAFETY: handed on from the caller.
    unsafe { format(buf, size, fmt, value) }
}

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_format_cint(
    buf: *mut c_char,
    size: usize,
    fmt: *const c_char,
    value: c_int,
) -> c_int {
    let value = Value::Int { signed: value.into(), unsigned: value.cast_unsigned().into() };
    // SAFETY: handed on from the caller.
    unsafe { format(buf, size, fmt, value) }
}

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_format_double(
    buf: *mut c_char,
    size: usize,
    fmt: *const c_char,
    value: f64,
) -> c_int {
    // SAFETY: handed on from the caller.
    unsafe { format(buf, size, fmt, Value::Double(value)) }
}

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL; so does `value`, or it is readable for as
/// many bytes as the precision says.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_format_str(
    buf: *mut c_char,
    size: usize,
    fmt: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: handed on from the caller.
    unsafe { format(buf, size, fmt, Value::Str(value)) }
}

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_format_ptr(
    buf: *mut c_char,
    size: usize,
    fmt: *const c_char,
    value: *const c_void,
) -> c_int {
    let mut last = 0;
    let mut at = fmt;
    // SAFETY: `fmt` ends in NUL, and `at` has not passed it.
    while let byte @ 1.. = unsafe { *at } as u8 {
        last = byte;
        // SAFETY: the byte at `at` is not the NUL.
        at = unsafe { at.add(1) };
    }
    // string.format("%p", 1): lstrlib.c makes the conversion an `s` and the value the string "(null)".
    let value = if last == b's' { Value::Str(value.cast()) } else { Value::Ptr(value) };
    // SAFETY: handed on from the caller.
    unsafe { format(buf, size, fmt, value) }
}

/// Prints an integer as the format `%lld` does, with its NUL; returns the length.
///
/// # Safety
/// `to` is writable for 21 bytes: a sign, 19 digits and a NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_print_integer(to: *mut c_char, value: i64) -> c_int {
    let mut room = [0; decimal::U64_DIGITS_MAX];
    let mut out = Out { to: to.cast(), room: decimal::U64_DIGITS_MAX, terminated: true, length: 0 };
    if value < 0 {
        out.byte(b'-');
    }
    match &*decimal::write_u64(value.unsigned_abs(), &mut room) {
        [] => out.byte(b'0'),
        digits => out.bytes(digits),
    }
    out.finish()
}

/// Prints a float as the format `%.14g` does.
///
/// # Safety
/// `to` is writable for `size` bytes.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_print_number(to: *mut c_char, size: usize, value: f64) -> c_int {
    let mut out = Out::new(to, size);
    float::print(&mut out, &Spec { precision: Some(14), ..Spec::of(Style::General) }, value);
    out.finish()
}

/// The one value of a format.
#[derive(Clone, Copy)]
enum Value {
    /// An integer, as signed and as unsigned: the unsigned value of the same bits depends on the width, 32 or
    /// 64.
    Int {
        signed: i64,
        unsigned: u64,
    },
    Double(f64),
    /// A string, which ends in NUL or is readable for as many bytes as the precision says.
    Str(*const c_char),
    Ptr(*const c_void),
}

/// The style of a conversion, independent of the type.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Char,
    Signed,
    /// An unsigned integer in this base: 8, 10 or 16.
    Unsigned(u32),
    Scientific,
    Fixed,
    General,
    Hex,
    Str,
    Ptr,
}

/// A conversion specification.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "C's five flags are five independent bits")]
pub(super) struct Spec {
    /// Flag `-`: pad on the right.
    left: bool,
    /// Flag `+`: numbers that are not negative have a sign, too.
    plus: bool,
    /// Flag ` `: numbers that are not negative have a space in place of a sign.
    space: bool,
    /// Flag `#`: the alternative form.
    pub(super) alternate: bool,
    /// Flag `0`: pad numbers with zeros, behind the sign.
    zero: bool,
    width: usize,
    pub(super) precision: Option<usize>,
    pub(super) style: Style,
    /// True if the letter is a capital.
    pub(super) upper: bool,
}

impl Spec {
    /// A specification without flags, width or precision.
    fn of(style: Style) -> Self {
        Self {
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            width: 0,
            precision: None,
            style,
            upper: false,
        }
    }

    /// The same specification, padded with spaces: for conversions of other values than numbers, whatever the
    /// flag `0`.
    pub(super) fn with_spaces(&self) -> Self {
        Self { zero: false, ..*self }
    }

    /// The sign of a signed number: `-`, `+`, a space, or nothing.
    pub(super) fn sign(&self, negative: bool) -> &'static [u8] {
        match (negative, self.plus, self.space) {
            (true, _, _) => b"-",
            (false, true, _) => b"+",
            (false, false, true) => b" ",
            (false, false, false) => b"",
        }
    }
}

/// A piece of output.
pub(super) enum Piece<'a> {
    Bytes(&'a [u8]),
    Zeros(usize),
}

/// The caller's buffer. It counts all bytes that are written, and keeps those that leave room for a NUL.
pub(super) struct Out {
    /// Writable for `room` bytes and one for the NUL, if `terminated`.
    to: *mut u8,
    room: usize,
    terminated: bool,
    length: usize,
}

impl Out {
    /// A buffer that is writable for `size` bytes.
    fn new(to: *mut c_char, size: usize) -> Self {
        Self { to: to.cast(), room: size.saturating_sub(1), terminated: size > 0, length: 0 }
    }

    fn byte(&mut self, byte: u8) {
        if self.length < self.room {
            // SAFETY: `to` is writable for `room` bytes, and `length` is below.
            unsafe { self.to.wrapping_add(self.length).write(byte) };
        }
        self.length = self.length.saturating_add(1);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.byte(*byte);
        }
    }

    fn fill(&mut self, byte: u8, count: usize) {
        let end = self.length.saturating_add(count);
        while self.length < end && self.length < self.room {
            self.byte(byte);
        }
        self.length = end;
    }

    /// Writes `prefix` and `pieces`, padded to the width; padding zeros go between the two.
    pub(super) fn pad(&mut self, spec: &Spec, prefix: &[u8], pieces: &[Piece]) {
        let mut padding = 0;
        if spec.width > 0 {
            let mut length = prefix.len();
            for piece in pieces {
                length = length.saturating_add(match piece {
                    Piece::Bytes(bytes) => bytes.len(),
                    Piece::Zeros(count) => *count,
                });
            }
            padding = spec.width.saturating_sub(length);
        }
        let (before, zeros, after) = match (spec.left, spec.zero) {
            (true, _) => (0, 0, padding),
            (false, true) => (0, padding, 0),
            (false, false) => (padding, 0, 0),
        };
        self.fill(b' ', before);
        self.bytes(prefix);
        self.fill(b'0', zeros);
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => self.bytes(bytes),
                Piece::Zeros(count) => self.fill(b'0', *count),
            }
        }
        self.fill(b' ', after);
    }

    /// Ends the text with a NUL, and returns the length that it has or would have had; -1 if that does not
    /// fit in an int, as in C.
    fn finish(self) -> c_int {
        if self.terminated {
            let end = if self.length < self.room { self.length } else { self.room };
            // SAFETY: one byte more than `room` is writable, and `end` is at most `room`.
            unsafe { self.to.wrapping_add(end).write(0) };
        }
        c_int::try_from(self.length).unwrap_or(-1)
    }
}

/// # Safety
/// `buf` is writable for `size` bytes; `fmt` ends in NUL; a string value is as `Value` says.
unsafe fn format(buf: *mut c_char, size: usize, fmt: *const c_char, value: Value) -> c_int {
    let mut out = Out::new(buf, size);
    let mut cursor = Cursor { at: fmt.cast() };
    let mut pending = Some(value);
    loop {
        let byte = cursor.peek();
        if byte == 0 {
            return out.finish();
        }
        cursor.advance();
        if byte != b'%' {
            out.byte(byte);
            continue;
        }
        if cursor.peek() == b'%' {
            cursor.advance();
            out.byte(b'%');
            continue;
        }
        let start = cursor;
        if let (Some(value), Some(spec)) = (pending, cursor.spec(value)) {
            pending = None;
            // SAFETY: the caller guarantees that a string value is as `Value` says.
            unsafe { convert(&mut out, &spec, value) };
        } else {
            // Not a conversion of this value, or a second one: text.
            out.byte(b'%');
            cursor = start;
        }
    }
}

/// A position in the format.
#[derive(Clone, Copy)]
struct Cursor {
    /// Readable up to a NUL that is here or later.
    at: *const u8,
}

impl Cursor {
    fn peek(self) -> u8 {
        // SAFETY: the NUL is not before `at`, because `advance` stops there.
        unsafe { self.at.read() }
    }

    /// Goes to the next byte; stays on the NUL.
    fn advance(&mut self) {
        if self.peek() != 0 {
            self.at = self.at.wrapping_add(1);
        }
    }

    /// Reads a decimal number, zero if there is none.
    fn number(&mut self) -> usize {
        let mut number = 0_usize;
        while self.peek().is_ascii_digit() {
            number = number.saturating_mul(10).saturating_add((self.peek() - b'0').into());
            self.advance();
        }
        number
    }

    /// Reads the specification behind a `%`; `None` if its letter does not fit the value.
    fn spec(&mut self, value: Value) -> Option<Spec> {
        let mut spec = Spec::of(Style::Str);
        loop {
            match self.peek() {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            self.advance();
        }
        spec.width = self.number();
        if self.peek() == b'.' {
            self.advance();
            spec.precision = Some(self.number());
        }
        while matches!(self.peek(), b'l' | b'h' | b'j' | b'z' | b't' | b'L') {
            self.advance();
        }
        let letter = self.peek();
        self.advance();
        spec.upper = letter.is_ascii_uppercase();
        spec.style = match (value, letter) {
            (Value::Int { .. }, b'c') => Style::Char,
            (Value::Int { .. }, b'd' | b'i') => Style::Signed,
            (Value::Int { .. }, b'u') => Style::Unsigned(10),
            (Value::Int { .. }, b'o') => Style::Unsigned(8),
            (Value::Int { .. }, b'x' | b'X') => Style::Unsigned(16),
            (Value::Double(_), b'e' | b'E') => Style::Scientific,
            (Value::Double(_), b'f' | b'F') => Style::Fixed,
            (Value::Double(_), b'g' | b'G') => Style::General,
            (Value::Double(_), b'a' | b'A') => Style::Hex,
            (Value::Str(_), b's') => Style::Str,
            (Value::Ptr(_), b'p') => Style::Ptr,
            _ => return None,
        };
        Some(spec)
    }
}

/// # Safety
/// A string value is as `Value` says.
unsafe fn convert(out: &mut Out, spec: &Spec, value: Value) {
    let text = spec.with_spaces();
    match value {
        Value::Double(value) => float::print(out, spec, value),
        Value::Int { signed, unsigned } => match spec.style {
            Style::Char => out.pad(&text, b"", &[Piece::Bytes(&[unsigned as u8])]),
            Style::Signed => {
                integer(out, spec, spec.sign(signed < 0), signed.unsigned_abs(), 10);
            }
            Style::Unsigned(base) => integer(out, spec, b"", unsigned, base),
            _ => {}
        },
        Value::Ptr(value) if value.is_null() => out.pad(&text, b"", &[Piece::Bytes(b"(nil)")]),
        Value::Ptr(value) => {
            // An address is its hexadecimal number, always with its 0x.
            let spec = Spec { alternate: true, ..*spec };
            integer(out, &spec, b"", value.addr() as u64, 16);
        }
        Value::Str(value) => {
            let most = spec.precision.unwrap_or(usize::MAX);
            let start = value.cast::<u8>();
            let mut length = 0;
            // SAFETY: no byte before `length` was the NUL, and `length` is below the precision.
            while length < most && unsafe { start.wrapping_add(length).read() } != 0 {
                length += 1;
            }
            // SAFETY: these bytes were all just read.
            let bytes = unsafe { core::slice::from_raw_parts(start, length) };
            out.pad(&text, b"", &[Piece::Bytes(bytes)]);
        }
    }
}

/// Prints a whole number in base 8, 10 or 16. A precision is the least number of digits, and disables the
/// flag `0`.
fn integer(out: &mut Out, spec: &Spec, sign: &[u8], number: u64, base: u32) {
    let mut room = [0; OCTAL_DIGITS_MAX];
    let mut decimal_room = [0; decimal::U64_DIGITS_MAX];
    let digits = match base {
        10 => &*decimal::write_u64(number, &mut decimal_room),
        _ => write_binary(number, base.trailing_zeros(), spec.upper, &mut room),
    };
    let prefix: &[u8] = match (spec.alternate && number != 0, base, spec.upper) {
        (true, 16, false) => b"0x",
        (true, 16, true) => b"0X",
        _ => sign,
    };
    let mut least = spec.precision.unwrap_or(1);
    if spec.alternate && base == 8 && least <= digits.len() {
        least = digits.len() + 1; // the alternative form of octal is a leading zero
    }
    let zeros = least.saturating_sub(digits.len());
    let spec = Spec { zero: spec.zero && spec.precision.is_none(), ..*spec };
    out.pad(&spec, prefix, &[Piece::Zeros(zeros), Piece::Bytes(digits)]);
}

/// Number of digits of `u64::MAX` in base 8.
pub(super) const OCTAL_DIGITS_MAX: usize = 22;

/// The digits of `number` in a base of `bits` bits, none for zero, at the end of `room`. Takes a slice, and
/// is not inlined, because LLVM unrolls this loop to two kilobytes if it knows the length.
#[inline(never)]
pub(super) fn write_binary(number: u64, bits: u32, upper: bool, room: &mut [u8]) -> &[u8] {
    let ten = if upper { b'A' } else { b'a' };
    let mut rest = number;
    let mut unused = room.len();
    while rest != 0
        && let Some(place) = room.get_mut(unused.wrapping_sub(1))
    {
        let digit = (rest & ((1 << bits) - 1)) as u8;
        *place = if digit < 10 { b'0' + digit } else { ten - 10 + digit };
        rest >>= bits;
        unused -= 1;
    }
    room.get(unused..).unwrap_or_default()
}

/// `letters`, which are lower case, in the case asked for.
pub(super) fn cased<const N: usize>(letters: [u8; N], upper: bool) -> [u8; N] {
    if upper { letters.map(|letter| letter & !0x20) } else { letters }
}
