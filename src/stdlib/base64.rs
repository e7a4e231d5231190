//! The module `base64`: Base64 (RFC 4648) from and to strings of any bytes. Decoding is strict: text that no
//! encoder makes is refused, with the position.

use super::options;
use super::scratch::{SHORT_BYTES, scratch};
use crate::lua::{Stack, Thrown, lua_function};
use crate::state::limit_exceeded::work;
use std::ffi::c_int;

lua_function!(
    /// Returns the module's table.
    open_base64 = open_inner
);
lua_function!(encode = encode_inner);
lua_function!(decode = decode_inner);

/// The letters by their values, without and with the option `url`.
static LETTERS: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// The values by their letters; of other bytes `NO_LETTER`.
static VALUES: [[u8; 128]; 2] = [values(LETTERS[0]), values(LETTERS[1])];
const NO_LETTER: u8 = 64;

const fn values(letters: &[u8; 64]) -> [u8; 128] {
    let mut values = [NO_LETTER; 128];
    let mut value = 0;
    while value < letters.len() {
        values[letters[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// The options of both functions.
struct Options {
    /// True for the alphabet for URLs and file names: `-_` in place of `+/`.
    url: bool,
    /// Encoding pads unless this is false. Decoding requires padding if it is true, forbids it if it is
    /// false, and accepts both if it is not given.
    pad: Option<bool>,
}

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_table(0, 2);
    stack.set_functions(-1, &[(c"encode", encode), (c"decode", decode)]);
    Ok(1)
}

/// `base64.encode(bytes, options)`
fn encode_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the string stays at index 1.
    let bytes = unsafe { stack.check_bytes(1) };
    work(stack, bytes.len() * 2);
    let options = options(stack, 2);
    let padded = bytes.len().div_ceil(3).saturating_mul(4);
    let mut short = [0; SHORT_BYTES];
    // SAFETY: a block stays on the stack until this function returns.
    let room = unsafe { scratch(stack, &mut short, padded) };
    write_letters(bytes, LETTERS[usize::from(options.url)], room);
    let unpadded = room.len() - (3 - bytes.len() % 3) % 3;
    stack.push_bytes(if options.pad == Some(false) { &room[..unpadded] } else { room });
    Ok(1)
}

/// `base64.decode(text, options)`
fn decode_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the string stays at index 1.
    let text = unsafe { stack.check_bytes(1) };
    work(stack, text.len() * 4);
    let options = options(stack, 2);
    let (letters, padding) = match text {
        [letters @ .., b'=', b'='] => (letters, 2),
        [letters @ .., b'='] => (letters, 1),
        letters => (letters, 0),
    };
    let mut short = [0; SHORT_BYTES];
    // SAFETY: a block stays on the stack until this function returns.
    let room = unsafe { scratch(stack, &mut short, letters.len().div_ceil(4) * 3) };
    if !read_letters(letters, &VALUES[usize::from(options.url)], room) {
        return Err(refuse(stack, letters, options.url));
    }
    // In an order that no length overflows.
    let bytes = &room[..letters.len() / 4 * 3 + letters.len() % 4 * 3 / 4];
    let is_right = match options.pad {
        Some(true) => text.len() % 4 == 0,
        Some(false) => padding == 0,
        None => padding == 0 || text.len() % 4 == 0,
    };
    if !is_right {
        return Err(stack.throw(b"base64: wrong padding"));
    }
    stack.push_bytes(bytes);
    Ok(1)
}

/// Encodes bytes into room for four letters of each three of them, with padding.
fn write_letters(bytes: &[u8], letters: &[u8; 64], room: &mut [u8]) {
    for (bytes, room) in bytes.chunks(3).zip(room.chunks_exact_mut(4)) {
        let bits = bytes.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - bytes.len()));
        for (place, byte) in room.iter_mut().enumerate() {
            let value = (bits >> (18 - 6 * place)) & 63;
            *byte = if place <= bytes.len() { letters[value as usize] } else { b'=' };
        }
    }
}

/// Decodes letters into room for three bytes of each four of them; false if no encoder makes such letters.
fn read_letters(letters: &[u8], values: &[u8; 128], room: &mut [u8]) -> bool {
    for (letters, room) in letters.chunks(4).zip(room.chunks_exact_mut(3)) {
        let mut bits = 0;
        for &letter in letters {
            let value = values.get(usize::from(letter)).map_or(NO_LETTER, |&value| value);
            if value == NO_LETTER {
                return false;
            }
            bits = bits << 6 | u32::from(value);
        }
        // The last letters may be fewer; the bits of theirs that make no byte are zeros.
        let missing = 4 - letters.len();
        bits <<= 6 * missing;
        if missing > 2 || bits & ((1 << (8 * missing)) - 1) != 0 {
            return false;
        }
        room.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    true
}

fn options(stack: Stack, argument: c_int) -> Options {
    options::check(stack, argument, &[b"url", b"pad"]);
    let url = options::boolean(stack, argument, b"url", c"option 'url' must be a boolean");
    let pad = options::boolean(stack, argument, b"pad", c"option 'pad' must be a boolean");
    Options { url: url == Some(true), pad }
}

/// Makes the error for letters that cannot be decoded. Positions count from 1, as in Lua.
fn refuse(stack: Stack, letters: &[u8], url: bool) -> Thrown {
    let others = if url { b"-_" } else { b"+/" };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || others.contains(byte);
    let (what, position): (&[u8], usize) = match letters.iter().position(|byte| !is_letter(byte)) {
        Some(at) => (b"base64: invalid byte at position ", at + 1),
        None if letters.len() % 4 == 1 => {
            (b"base64: text ends in the middle of a byte, at position ", letters.len())
        }
        None => (b"base64: bits left over at position ", letters.len()),
    };
    stack.push_bytes(what);
    stack.push_integer(position as i64);
    stack.concat(2);
    // SAFETY: the message stays on top until the error is made.
    let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
    stack.throw(message)
}
