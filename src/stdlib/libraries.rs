//! Which libraries a VM has. All are opened; an embedder takes away what a program shall not have, before it runs.
//!
//! Not here: what a script holds of a library that is taken away later. That stays.

use super::{package, prelude};
use crate::lua::{Stack, raw};
use crate::value::{Decoder, FormatError, Token};

/// Their names. What is not here is the base library, which stays: `load` belongs to it.
const NAMES: [&[u8]; 14] = [
    b"string",
    b"table",
    b"math",
    b"utf8",
    b"coroutine",
    b"os",
    b"io",
    b"debug",
    b"package",
    b"ext",
    b"async",
    b"host",
    b"json",
    b"base64",
];

/// What is wrong with a list of names of libraries: the first that is none (not a string: empty), or its bytes.
pub(crate) fn unknown(list: &[u8]) -> Result<Option<&[u8]>, FormatError> {
    let mut decoder = Decoder::new(list);
    for _ in 0..decoder.count()? {
        match decoder.token()? {
            Token::String(name) if NAMES.contains(&name) => {}
            Token::String(name) => return Ok(Some(name)),
            _ => return Ok(Some(b"")),
        }
    }
    decoder.finish()?;
    Ok(None)
}

/// Takes away all libraries but those in the list. `[-0, +0, m]`
pub(crate) fn keep(stack: Stack, list: &[u8]) {
    for name in NAMES {
        if !holds(list, name) {
            take_away(stack, name);
        }
    }
}

fn holds(list: &[u8], name: &[u8]) -> bool {
    let mut decoder = Decoder::new(list);
    let count = decoder.count().unwrap_or(0);
    (0..count).any(|_| matches!(decoder.token(), Ok(Token::String(other)) if other == name))
}

fn take_away(stack: Stack, name: &[u8]) {
    // No library takes up the global of another one's name: json and base64 are not globals.
    stack.push_globals();
    match name {
        b"json" | b"base64" => prelude::forget_module(stack, name),
        b"package" => {
            remove(stack, name);
            remove(stack, b"require");
        }
        b"string" => {
            remove(stack, name);
            stack.push_bytes(b"");
            // Strings have one, which string.open made.
            if stack.push_metatable(-1) {
                remove(stack, b"__index");
                stack.pop(1);
            }
            stack.pop(1);
        }
        _ => remove(stack, name),
    }
    stack.pop(1);
    stack.push_subtable(raw::LUA_REGISTRYINDEX, package::LOADED);
    remove(stack, name);
    stack.pop(1);
}

/// Removes a field of the table on top, without metamethods. `[-0, +0, m]`
fn remove(stack: Stack, name: &[u8]) {
    stack.push_bytes(name);
    stack.push_nil();
    stack.raw_set(-3);
}
