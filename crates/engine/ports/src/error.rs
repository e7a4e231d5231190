//! Errors of a port that cannot do what it was asked.

use std::future::Future;
use std::pin::Pin;

/// A future of a port's answer.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// Reason for which a port did not do what it was asked. Nothing was stored unless the method says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The store has no room left. Later calls work again when it has.
    #[error("no room is left: {0}")]
    Full(String),
    /// The store did not answer, or not in time. Another try may succeed.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The key or the value is larger than the store takes.
    #[error("{what} has {bytes} bytes, and may have {limit}")]
    TooLarge {
        /// Name of what is too large.
        what: &'static str,
        /// Bytes that it has.
        bytes: u64,
        /// Most bytes that it may have.
        limit: u64,
    },
    /// The store holds what this program does not write: the operator must look.
    #[error("what is stored is damaged or not ours: {0}")]
    Damaged(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl PortError {
    /// True if the same call may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        matches!(self, PortError::Full(_) | PortError::Unavailable(_))
    }
}
