//! Meaning of an endpoint's answer for a webhook.

use super::{TransportError, TransportReply, retry_after};
use jiff::Timestamp;
use std::time::Duration;

/// Most bytes of an answer that are kept.
const KEPT_BYTES: usize = 1024;

/// Fate of a webhook after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The webhook has arrived.
    Success {
        /// The answer's status.
        status: u16,
    },
    /// The webhook is to be tried again.
    Retry {
        /// Words on what happened.
        message: String,
        /// The answer's status.
        status: Option<u16>,
        /// Beginning of the answer.
        body: Option<String>,
        /// Time for which the endpoint asked to be left alone.
        after: Option<Duration>,
    },
    /// Another attempt would meet the same.
    Unrecoverable {
        /// Words on what happened.
        message: String,
        /// The answer's status.
        status: Option<u16>,
        /// Beginning of the answer.
        body: Option<String>,
    },
}

/// The verdict on an answer: 2xx is success; 5xx, 408, 429 and what the network did are tried again; a
/// redirect, which is not followed, and the rest of 4xx are for good.
pub fn verdict(answer: Result<TransportReply, TransportError>, now: Timestamp) -> Verdict {
    let reply = match answer {
        Ok(reply) => reply,
        Err(TransportError { message, is_retryable: true }) => {
            return Verdict::Retry { message, status: None, body: None, after: None };
        }
        Err(TransportError { message, is_retryable: false }) => {
            return Verdict::Unrecoverable { message, status: None, body: None };
        }
    };
    let code = reply.status;
    let kept = &reply.body[..reply.body.len().min(KEPT_BYTES)];
    let body = Some(String::from_utf8_lossy(kept).into_owned()).filter(|body| !body.is_empty());
    let status = Some(code);
    match code {
        200..=299 => Verdict::Success { status: code },
        408 | 429 | 500.. => {
            let after = reply.retry_after.and_then(|value| retry_after(&value, now));
            Verdict::Retry { message: format!("the endpoint answered {code}"), status, body, after }
        }
        300..=399 => {
            let message = format!("the endpoint answered {code}, and redirects are not followed");
            Verdict::Unrecoverable { message, status, body }
        }
        _ => Verdict::Unrecoverable { message: format!("the endpoint answered {code}"), status, body },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn of(status: u16) -> Verdict {
        let reply = TransportReply { status, retry_after: Some("7".into()), body: vec![b'x'; 2000].into() };
        verdict(Ok(reply), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn each_status_has_its_verdict() {
        for status in 100..=999 {
            match of(status) {
                Verdict::Success { .. } => assert!((200..300).contains(&status), "{status}"),
                Verdict::Retry { body, after, .. } => {
                    assert!(status >= 500 || status == 408 || status == 429, "{status}");
                    assert_eq!((body.unwrap().len(), after), (1024, Some(Duration::from_secs(7))));
                }
                Verdict::Unrecoverable { status: known, .. } => {
                    assert_eq!(known, Some(status));
                    assert!(!(200..300).contains(&status) && status < 500 && status != 408 && status != 429);
                }
            }
        }
    }

    #[test]
    fn a_network_is_tried_again_and_a_guard_is_not() {
        let error = |is_retryable| Err(TransportError { message: "m".into(), is_retryable });
        assert!(matches!(verdict(error(true), Timestamp::UNIX_EPOCH), Verdict::Retry { .. }));
        assert!(matches!(verdict(error(false), Timestamp::UNIX_EPOCH), Verdict::Unrecoverable { .. }));
        let cut = TransportReply { status: 400, retry_after: None, body: Bytes::from_static(b"\xff\xfe") };
        let Verdict::Unrecoverable { body, .. } = verdict(Ok(cut), Timestamp::UNIX_EPOCH) else { panic!() };
        assert_eq!(body.unwrap(), "\u{fffd}\u{fffd}");
    }
}
