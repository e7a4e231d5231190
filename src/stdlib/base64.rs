//! The module `base64`: Base64 (RFC 4648) from and to strings of any bytes. Decoding is strict: text that no
//! encoder makes is refused, with the position.
//!
//! The crate `base64ct` converts the letters; padding is done here, because options choose it.

use super::options;
use super::scratch::{SHORT_BYTES, scratch};
use crate::lua::{Stack, Thrown, lua_function};
use crate::state::limit_exceeded::work;
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use std::ffi::c_int;

lua_function!(
    /// Returns the module's table.
    open_base64 = open_inner
);
lua_function!(encode = encode_inner);
lua_function!(decode = decode_inner);

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
    let encode = if options.url { Base64UrlUnpadded::encode } else { Base64Unpadded::encode };
    // The room is large enough, so this cannot fail.
    let len = encode(bytes, room).map_or(0, str::len);
    room[len..].fill(b'=');
    stack.push_bytes(if options.pad == Some(false) { &room[..len] } else { room });
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
    let decode = if options.url { Base64UrlUnpadded::decode } else { Base64Unpadded::decode };
    let Ok(bytes) = decode(letters, room) else { return Err(refuse(stack, letters, options.url)) };
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
