//! The libraries of a VM. All are opened; an embedder takes away those that a program shall not have, before
//! it runs.
//!
//! Not here: values of a library that a script has before the library is taken away. They stay.

use super::{package, prelude};
use crate::host_call;
use crate::lua::{Stack, raw};
use crate::state::context::context;
use crate::value::{Decoder, FormatError, Token};

/// Names of the libraries that every VM opens. The base library is none of them and stays: `load` belongs to
/// it.
const NAMES: [&[u8]; 12] = [
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
];

/// The name of the library opened by a list that has this number, from 0; None past the last.
fn opened(stack: Stack, number: usize) -> Option<&'static [u8]> {
    let name = context(stack).libraries.get(number)?;
    // SAFETY: names are boxed, and none changes or goes while the VM lives, which is longer than this is
    // used.
    Some(unsafe { &*std::ptr::from_ref::<[u8]>(name.as_bytes()) })
}

/// Finds the first name in a list that no library of this VM has (not a string: empty).
///
/// # Errors
/// The bytes are not a list.
pub(crate) fn unknown(stack: Stack, list: &[u8]) -> Result<Option<&[u8]>, FormatError> {
    let mut decoder = Decoder::new(list);
    for _ in 0..decoder.count()? {
        match decoder.token()? {
            Token::String(name) if NAMES.contains(&name) => {}
            Token::String(name) if (0..).map_while(|at| opened(stack, at)).any(|known| known == name) => {}
            Token::String(name) => return Ok(Some(name)),
            _ => return Ok(Some(b"")),
        }
    }
    decoder.finish()?;
    Ok(None)
}

/// Takes away all libraries but those in the list. `[-0, +0, m]`
pub(crate) fn keep(stack: Stack, list: &[u8]) {
    for name in NAMES.iter().filter(|name| !holds(list, name)) {
        take_away(stack, name);
    }
    let mut number = 0;
    while let Some(name) = opened(stack, number) {
        if !holds(list, name) {
            take_away_opened(stack, name);
        }
        number += 1;
    }
}

fn holds(list: &[u8], name: &[u8]) -> bool {
    let mut decoder = Decoder::new(list);
    let count = decoder.count().unwrap_or(0);
    (0..count).any(|_| matches!(decoder.token(), Ok(Token::String(other)) if other == name))
}

fn take_away(stack: Stack, name: &[u8]) {
    stack.push_globals();
    remove(stack, name);
    match name {
        b"package" => remove(stack, b"require"),
        b"string" => {
            stack.push_bytes(b"");
            // Strings have one, which string.open made.
            if stack.push_metatable(-1) {
                remove(stack, b"__index");
                stack.pop(1);
            }
            stack.pop(1);
        }
        _ => {}
    }
    stack.pop(1);
    forget_loaded(stack, name);
}

/// Takes away a library that may be a global, a module that is not loaded yet, and functions of the host.
/// `[-0, +0, m]`
fn take_away_opened(stack: Stack, name: &[u8]) {
    prelude::forget_module(stack, name);
    stack.push_globals();
    remove(stack, name);
    stack.pop(1);
    host_call::push_registered_table(stack);
    remove(stack, name);
    stack.pop(1);
    forget_loaded(stack, name);
}

fn forget_loaded(stack: Stack, name: &[u8]) {
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
