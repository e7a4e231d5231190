//! What a port answers when it cannot do what it was asked.

use std::future::Future;
use std::pin::Pin;

/// A future of a port's answer.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// Why a port did not do what it was asked. Nothing was stored unless the method says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// There is no room left. Later calls work again when there is.
    #[error("no room is left: {0}")]
    Full(String),
    /// The store did not answer, or not in time. Another try may succeed.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Something is larger than the store takes.
    #[error("{what} has {bytes} bytes, and may have {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// What is stored is not what this program writes: the operator must look.
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
