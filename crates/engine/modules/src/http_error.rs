//! Reasons for which a request has no answer.

use crate::guard::GuardError;
use std::error::Error;

/// Reason for which a request has no answer. Messages name the host at most: no address that a name led to,
/// no path, no query, no header, since they reach the logs of strangers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The URL is none, or not one for a request.
    #[error("bad URL: {0}")]
    BadUrl(String),
    /// A header cannot be sent.
    #[error("{0}")]
    BadHeader(String),
    /// No setting allows the host.
    #[error("host {0} is not allowed")]
    HostNotAllowed(String),
    /// The host is, or leads to, an address that is not on the public internet.
    #[error("host {0} is, or leads to, an address that is not public")]
    AddressNotAllowed(String),
    /// The name has no address, or nobody could be asked.
    #[error("cannot look up the host's name")]
    Resolve,
    /// A host that cannot be reached, or that listens to nobody.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// An answer that was not whole in time.
    #[error("no whole answer in time")]
    Timeout,
    /// The answer's body is larger than it may be.
    #[error("the body of the answer has more than {limit} bytes")]
    BodyTooLarge {
        /// Most bytes that it may have.
        limit: usize,
    },
    /// No secure connection: a certificate that is not trusted, or none.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// The answer is not HTTP, has too many headers, or ended too early.
    #[error("bad answer: {0}")]
    Protocol(String),
}

impl HttpError {
    /// True if the same request may have an answer at another time.
    pub fn is_retryable(&self) -> bool {
        match self {
            HttpError::Resolve
            | HttpError::Connect(_)
            | HttpError::Timeout
            | HttpError::Tls(_)
            | HttpError::Protocol(_) => true,
            HttpError::BadUrl(_)
            | HttpError::BadHeader(_)
            | HttpError::HostNotAllowed(_)
            | HttpError::AddressNotAllowed(_)
            | HttpError::BodyTooLarge { .. } => false,
        }
    }

    /// A word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            HttpError::BadUrl(_) => "bad_url",
            HttpError::BadHeader(_) => "bad_header",
            HttpError::HostNotAllowed(_) => "host_not_allowed",
            HttpError::AddressNotAllowed(_) => "address_not_allowed",
            HttpError::Resolve => "resolve",
            HttpError::Connect(_) => "connect",
            HttpError::Timeout => "timeout",
            HttpError::BodyTooLarge { .. } => "body_too_large",
            HttpError::Tls(_) => "tls",
            HttpError::Protocol(_) => "protocol",
        }
    }

    /// Meaning of an error of the client. Its own text names URLs and addresses, and is not passed on.
    pub(crate) fn from_client(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(refused) = cause::<GuardError>(&error) {
            return refused.clone().into();
        }
        if error.is_dns() {
            return HttpError::Resolve;
        }
        if error.is_timeout() {
            return HttpError::Timeout;
        }
        if let Some(tls) = cause::<rustls::Error>(&error) {
            return HttpError::Tls(tls.to_string());
        }
        let io = cause::<std::io::Error>(&error).map(std::io::Error::kind);
        match io {
            Some(std::io::ErrorKind::TimedOut) => HttpError::Timeout,
            Some(kind) if error.is_connect() => HttpError::Connect(kind.to_string()),
            None if error.is_connect() => HttpError::Connect("no connection".into()),
            Some(kind) => HttpError::Protocol(kind.to_string()),
            None if error.is_builder() => HttpError::BadUrl("it cannot be requested".into()),
            None => HttpError::Protocol(innermost(&error)),
        }
    }
}

/// The first cause of a type. An I/O error may hold another one, which `source` steps over.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| cause::<T>(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The text of the last cause: the HTTP parser's own, which quotes nothing.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
