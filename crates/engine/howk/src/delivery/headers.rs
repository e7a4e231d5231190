//! The headers of a webhook on its way out.

use hmac::{Hmac, KeyInit, Mac};
use howk_contract::{HeaderError, Headers, Transform, Webhook};
use jiff::Timestamp;
use sha2::Sha256;

/// A webhook as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// All headers.
    pub headers: Headers,
    /// The body.
    pub body: bytes::Bytes,
}

/// The request of a webhook: defaults, then what the webhook and its script say, which replaces them.
///
/// `X-Webhook-Attempt` counts from 1, `X-Webhook-Timestamp` is the time of this attempt in seconds since
/// 1970, and `X-Webhook-Signature` is the HMAC-SHA256 of the body that is sent, in hexadecimal digits, where
/// there is a secret.
///
/// # Errors
/// The webhook's id, or the user agent, is no header value.
pub fn outgoing_headers(
    webhook: &Webhook,
    transform: Transform,
    user_agent: &str,
    now: Timestamp,
) -> Result<Outgoing, HeaderError> {
    let body = transform.body.unwrap_or_else(|| webhook.payload.0.clone());
    let mut headers = Headers::new();
    headers.set(b"Content-Type", b"application/json")?;
    headers.set(b"User-Agent", user_agent.as_bytes())?;
    if !transform.opt_out_default_headers {
        headers.set(b"X-Webhook-ID", webhook.webhook_id.as_bytes())?;
        let attempt = webhook.attempt.saturating_add(1).to_string();
        headers.set(b"X-Webhook-Attempt", attempt.as_bytes())?;
        headers.set(b"X-Webhook-Timestamp", now.as_second().to_string().as_bytes())?;
        if let Some(secret) = &webhook.signing_secret {
            headers.set(b"X-Webhook-Signature", signature(secret, &body).as_bytes())?;
        }
    }
    for (name, value) in transform.headers.iter() {
        headers.set(name.as_bytes(), value.as_bytes())?;
    }
    Ok(Outgoing { headers, body })
}

fn signature(secret: &str, body: &[u8]) -> String {
    // A key of HMAC may have any length.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn webhook() -> Webhook {
        let mut headers = Headers::new();
        headers.set(b"x-own", b"1").unwrap();
        Webhook {
            webhook_id: "01J".into(),
            config_id: "c".parse().unwrap(),
            endpoint: "https://example.com/".into(),
            payload: b"payload".to_vec().into(),
            headers,
            script_hash: None,
            signing_secret: Some("key".into()),
            idempotency_key: None,
            attempt: 2,
            max_attempts: 20,
            created_at: Timestamp::UNIX_EPOCH,
            previous_error: None,
        }
    }

    fn sent(transform: Transform) -> (Vec<(String, String)>, Bytes) {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let outgoing = outgoing_headers(&webhook(), transform, "agent/1", now).unwrap();
        let pairs = outgoing.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        (pairs.collect(), outgoing.body)
    }

    #[test]
    fn defaults_come_first_and_the_webhook_overrides_them() {
        let (headers, body) = sent(Transform { headers: webhook().headers, ..Transform::default() });
        // openssl: printf payload | openssl dgst -sha256 -hmac key
        let signature = "5d98b45c90a207fa998ce639fea6f02ecc8cc3f36fef81d694fb856b4d0a28ca";
        let expected = [
            ("Content-Type", "application/json"),
            ("User-Agent", "agent/1"),
            ("X-Webhook-ID", "01J"),
            ("X-Webhook-Attempt", "3"),
            ("X-Webhook-Timestamp", "1767323045"),
            ("X-Webhook-Signature", signature),
            ("x-own", "1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers, expected);
        assert_eq!(body, "payload");

        let mut own = webhook().headers;
        own.set(b"content-type", b"text/plain").unwrap();
        own.set(b"x-webhook-id", b"mine").unwrap();
        let (headers, _) = sent(Transform { headers: own, ..Transform::default() });
        assert!(headers.contains(&("content-type".into(), "text/plain".into())));
        assert!(headers.contains(&("x-webhook-id".into(), "mine".into())));
        assert_eq!(headers.len(), 7);
    }

    #[test]
    fn the_signature_is_that_of_the_final_body() {
        let body = Some(Bytes::from_static(b"changed"));
        let (headers, body) = sent(Transform { body, ..Transform::default() });
        assert_eq!(body, "changed");
        // openssl: printf changed | openssl dgst -sha256 -hmac key
        let signature = "2271c37d60a0365fb17f6648c1c01dd9a24321a12209b75fa8cd0aa9570ca870";
        assert!(headers.contains(&("X-Webhook-Signature".into(), signature.into())));
        assert_eq!(body, "changed");
    }

    #[test]
    fn opting_out_leaves_out_the_defaults_alone() {
        let mut own = Headers::new();
        own.set(b"X-Webhook-Mine", b"1").unwrap();
        let (headers, _) =
            sent(Transform { headers: own, opt_out_default_headers: true, ..Transform::default() });
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Content-Type", "User-Agent", "X-Webhook-Mine"]);
    }
}
