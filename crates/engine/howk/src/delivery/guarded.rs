//! The transport over the guarded client.

use super::{Transport, TransportError, TransportFuture, TransportReply, TransportRequest};
use howk_modules::{BodyLimit, GuardedClient};
use http::Method;

/// Sends webhooks where the guard allows it.
#[derive(Debug, Clone)]
pub struct GuardedTransport {
    client: GuardedClient,
}

impl GuardedTransport {
    /// A transport over a client.
    pub fn new(client: GuardedClient) -> Self {
        GuardedTransport { client }
    }
}

impl Transport for GuardedTransport {
    fn send(&self, request: TransportRequest) -> TransportFuture<'_> {
        Box::pin(async move {
            let limit = BodyLimit::Keep(request.response_max_bytes);
            let TransportRequest { endpoint, headers, body, timeout, .. } = request;
            let answer = self.client.request(Method::POST, &endpoint, &headers, body, timeout, limit).await;
            let answer = answer.map_err(|error| TransportError {
                is_retryable: error.is_retryable(),
                message: error.to_string(),
            })?;
            let retry_after =
                answer.header("retry-after").map(|value| String::from_utf8_lossy(value).into_owned());
            Ok(TransportReply { status: answer.status, retry_after, body: answer.body })
        })
    }
}
