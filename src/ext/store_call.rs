//! Calls of the store from a callback: the buffers are the context's, and a refusal becomes a Lua error whose kind the
//! runtime can tell from others.

use crate::lua::{Stack, Thrown};
use crate::state::context::{Context, context};
use crate::store::{StoreError, Transaction};

/// Runs one call of the store. `[-0, +0, m]`, or pushes the error value.
#[inline]
pub(super) fn store<R>(
    stack: Stack,
    call: impl FnOnce(&mut Context) -> Result<R, StoreError>,
) -> Result<R, Thrown> {
    if context(stack).rollbacks_owed > 0 {
        settle(context(stack)).map_err(|error| refuse(stack, error))?;
    }
    call(context(stack)).map_err(|error| refuse(stack, error))
}

/// Makes the store's refusal a Lua error. `[-0, +1, m]`
#[cold]
#[inline(never)]
pub(super) fn refuse(stack: Stack, error: StoreError) -> Thrown {
    let out_of_memory = matches!(error, StoreError::OutOfMemory);
    if !out_of_memory {
        note(stack, &error);
    }
    // The text is the context's, not this frame's: pushing may raise.
    drop(error);
    if out_of_memory {
        return stack.throw_out_of_memory();
    }
    let text = &raw const context(stack).error_record.store;
    // SAFETY: the buffer lives in the context and nothing writes to it while the string is pushed.
    stack.throw(unsafe { &*text })
}

/// Commits the innermost transaction.
pub(super) fn commit(c: &mut Context) -> Result<(), StoreError> {
    settle(c)?;
    c.store.transaction(Transaction::Commit)
}

/// Rolls the innermost transaction back. If the store refuses, that is the first thing it is asked again.
pub(super) fn roll_back(c: &mut Context) -> Result<(), StoreError> {
    c.writes += 1;
    c.rollbacks_owed += 1;
    settle(c)
}

/// Does the roll backs that were refused: nobody shall see, or build on, what should have been taken back.
#[cold]
#[inline(never)]
fn settle(c: &mut Context) -> Result<(), StoreError> {
    while c.rollbacks_owed > 0 {
        match c.store.transaction(Transaction::RollBack) {
            // Without a transaction there is nothing to take back: the end of a batch has done it.
            Ok(()) | Err(StoreError::NoTransaction) => c.rollbacks_owed -= 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Remembers the refusal, so that the error record says "storage".
fn note(stack: Stack, error: &StoreError) {
    use std::fmt::Write;
    struct Text<'a>(&'a mut Vec<u8>);
    impl Write for Text<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.try_reserve(text.len()).map_err(|_| std::fmt::Error)?;
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let place = &mut context(stack).error_record.store;
    place.clear();
    if write!(Text(place), "{error}").is_err() || place.is_empty() {
        // Even the message did not fit in memory; the kind must not be lost.
        place.clear();
        if place.try_reserve(12).is_ok() {
            place.extend_from_slice(b"store failed");
        }
    }
}
