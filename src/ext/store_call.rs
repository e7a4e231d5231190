//! Calls of the store from a callback: the buffers are the context's, and a refusal becomes a Lua error whose kind the
//! runtime can tell from others.

use crate::context::{Context, context};
use crate::lua::{Stack, Thrown};
use crate::store::StoreError;

/// Runs one call of the store. `[-0, +0, m]`, or pushes the error value.
#[inline]
pub(super) fn store<R>(
    stack: Stack,
    call: impl FnOnce(&mut Context) -> Result<R, StoreError>,
) -> Result<R, Thrown> {
    match call(context(stack)) {
        Ok(result) => Ok(result),
        Err(StoreError::OutOfMemory) => Err(stack.throw_out_of_memory()),
        Err(error) => {
            note(stack, &error);
            // The text is the context's, not this frame's: pushing may raise.
            let text = &raw const context(stack).failure.store;
            drop(error);
            // SAFETY: the buffer lives in the context and nothing writes to it while the string is pushed.
            Err(stack.throw(unsafe { &*text }))
        }
    }
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
    let place = &mut context(stack).failure.store;
    place.clear();
    if write!(Text(place), "{error}").is_err() || place.is_empty() {
        // Even the message did not fit in memory; the kind must not be lost.
        place.clear();
        if place.try_reserve(12).is_ok() {
            place.extend_from_slice(b"store failed");
        }
    }
}
