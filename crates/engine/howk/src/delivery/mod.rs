//! Sending a webhook: its headers, its signature, and what an answer means.

mod guarded;
mod headers;
mod retry_after;
mod verdict;

pub use guarded::GuardedTransport;
pub use headers::{Outgoing, outgoing_headers};
pub use retry_after::retry_after;
pub use verdict::{Verdict, verdict};

use bytes::Bytes;
use howk_contract::Headers;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A request to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportRequest {
    /// The URL.
    pub endpoint: String,
    /// All headers but those that frame the message.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// Longest time that it may take.
    pub timeout: Duration,
    /// Most bytes of the answer's body that are read; the rest is left.
    pub response_max_bytes: usize,
}

/// An endpoint's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportReply {
    /// Status of the answer.
    pub status: u16,
    /// Header `Retry-After` of the answer.
    pub retry_after: Option<String>,
    /// Beginning of its body.
    pub body: Bytes,
}

/// Reason for which there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Words on what happened, without secrets.
    pub message: String,
    /// True if another attempt may succeed.
    pub is_retryable: bool,
}

/// A future of an answer.
pub type TransportFuture<'a> =
    Pin<Box<dyn Future<Output = Result<TransportReply, TransportError>> + Send + 'a>>;

/// Carrier of requests to endpoints.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends a `POST`, once. Redirects are answers.
    fn send(&self, request: TransportRequest) -> TransportFuture<'_>;
}
