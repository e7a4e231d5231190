//! Surroundings of the capsule: it has no clock and no randomness of its own.

use std::fmt;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
use std::time::{SystemTime, UNIX_EPOCH};

/// Clock and randomness of a capsule.
pub trait Environment: fmt::Debug {
    /// Milliseconds since 1970, UTC.
    fn now(&mut self) -> i64;

    /// Fills the buffer with random bytes, fit for identifiers.
    fn random(&mut self, buffer: &mut [u8]);
}

/// The clock and the randomness of the operating system. Not on `wasm32-unknown-unknown`, which has neither.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
impl Environment for SystemEnvironment {
    fn now(&mut self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let length = buffer.len() as i32;
        // SAFETY: the pointer and the length are those of one live buffer, and SQLite writes nothing else.
        // Its generator is seeded by the operating system.
        unsafe { rusqlite::ffi::sqlite3_randomness(length, buffer.as_mut_ptr().cast()) }
    }
}

/// The environment of a capsule for which none was set.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub(crate) fn of_system() -> Option<Box<dyn Environment>> {
    Some(Box::new(SystemEnvironment))
}

/// The environment of a capsule for which none was set.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub(crate) fn of_system() -> Option<Box<dyn Environment>> {
    None
}
