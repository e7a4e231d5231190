//! `crypto`: decrypting credentials with keys that scripts name and never see.

mod envelope;
mod keyring;
mod pem;

pub(crate) use envelope::decrypt;
pub(crate) use keyring::KeyFailure;
pub use keyring::{KeyFrom, KeySource, Keyring};
pub use pem::KeyError;

/// Limits of `crypto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoSettings {
    /// Most calls of an event: each costs a private operation of RSA, outside of the VM's own limits.
    pub calls: u32,
    /// Most bytes of an argument.
    pub argument_bytes_max: usize,
    /// Decryptions at a time, of all events.
    pub concurrency: usize,
}

impl Default for CryptoSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        CryptoSettings { calls: 10, argument_bytes_max: 1 << 20, concurrency: cores }
    }
}
