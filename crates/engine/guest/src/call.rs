//! The one function that Rust gives to the prelude: a call of a module of the host.

use crate::imports;
use perilune::value::{Decoder, FormatError, Token};
use perilune::{Results, Vm};

/// Bytes of an answer that need no allocation.
const ROOM_BYTES: usize = 512;
/// Bytes of a request and its answer that count as one tick.
const BYTES_PER_TICK: usize = 64;

/// Passes the arguments on as a list, and the answer's values back: true and results, or false and an error.
pub(crate) fn call_host(
    vm: &mut Vm,
    args: &mut Decoder<'_>,
    results: &mut Results<'_>,
) -> Result<(), FormatError> {
    let request = args.rest();
    let fuel = vm.fuel_used();
    let mut short = [0; ROOM_BYTES];
    // SAFETY: the host reads the request and writes at most as many bytes as there is room for, both during
    // the call.
    let len =
        unsafe { imports::call(request.as_ptr(), request.len(), short.as_mut_ptr(), short.len(), fuel) };
    if !vm.charge(((request.len() + len) / BYTES_PER_TICK) as u64) {
        return Ok(());
    }
    let mut long = Vec::new();
    let answer = if len <= ROOM_BYTES {
        &short[..len]
    } else {
        long.try_reserve_exact(len)?;
        long.resize(len, 0);
        // SAFETY: there is room for the `len` bytes that the host has kept.
        unsafe { imports::take(long.as_mut_ptr()) };
        &long[..]
    };
    copy(&mut Decoder::new(answer), results)
}

/// Copies the values of a list of scalars and of tables of scalars.
fn copy(answer: &mut Decoder<'_>, results: &mut Results<'_>) -> Result<(), FormatError> {
    answer.count()?;
    while answer.remaining() > 0 {
        match answer.token()? {
            Token::Nil => results.nil()?,
            Token::Boolean(truth) => results.boolean(truth)?,
            Token::Integer(number) => results.integer(number)?,
            Token::Float(number) => results.float(number)?,
            Token::String(bytes) => results.string(bytes)?,
            Token::Table { array, pairs } => results.table(array, pairs)?,
            // The host sends nothing else.
            _ => return Err(FormatError::Truncated),
        }
    }
    Ok(())
}
