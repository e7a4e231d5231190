//! Calls of the store from callbacks of Lua. The buffers are the context's, and a refusal becomes a Lua error
//! of the kind "storage".

use crate::lua::{Stack, Thrown};
use crate::state::context::{Context, context};
use crate::store::{StoreError, Transaction};

/// Runs one call of the store, after the roll backs that are still owed. `[-0, +0, m]`, or pushes the error
/// value.
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

/// Makes a Lua error of the store's refusal. `[-0, +1, m]`
#[cold]
#[inline(never)]
pub(super) fn refuse(stack: Stack, error: StoreError) -> Thrown {
    let out_of_memory = matches!(error, StoreError::OutOfMemory);
    if !out_of_memory {
        note(stack, &error);
    }
    // Pushing may raise, which would leak a text of this frame; the text in the context stays.
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

/// Rolls back the innermost transaction. If the store refuses, the roll back is owed: it is tried again
/// before any other operation.
pub(super) fn roll_back(c: &mut Context) -> Result<(), StoreError> {
    c.writes += 1;
    c.rollbacks_owed += 1;
    settle(c)
}

/// Runs the roll backs that were refused before, so that no operation sees changes that should have been
/// undone.
#[cold]
#[inline(never)]
fn settle(c: &mut Context) -> Result<(), StoreError> {
    while c.rollbacks_owed > 0 {
        match c.store.transaction(Transaction::RollBack) {
            // Without an open transaction there is nothing to roll back: the end of a batch has done it.
            Ok(()) | Err(StoreError::NoTransaction) => c.rollbacks_owed -= 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Notes the refusal in the context, so that the error record has the kind "storage".
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
        // There was no memory for the message. A non-empty text keeps the kind "storage".
        place.clear();
        if place.try_reserve(12).is_ok() {
            place.extend_from_slice(b"store failed");
        }
    }
}
