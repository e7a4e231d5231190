//! Webhooks on their way.

use crate::{ConfigId, Headers, Metadata, Payload, ScriptHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A webhook that was accepted, and how far it has come: a record of `howk.pending` and of `howk.retries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// A ULID.
    pub webhook_id: String,
    /// Id of the config that it belongs to.
    pub config_id: ConfigId,
    /// URL that it is sent to.
    pub endpoint: String,
    /// The body as it was accepted.
    pub payload: Payload,
    /// The headers that it was accepted with.
    #[serde(default)]
    pub headers: Headers,
    /// The script that the config had then. A webhook that has one is never sent untransformed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub script_hash: Option<ScriptHash>,
    /// Key of the signature over the final body.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signing_secret: Option<String>,
    /// The client's name for this webhook: the same name again is the same webhook.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// Number of the attempt that comes next, from 0.
    #[serde(default)]
    pub attempt: u32,
    /// Number of attempts after which it is given up.
    pub max_attempts: u32,
    /// Time at which it was accepted.
    pub created_at: Timestamp,
    /// The error of the attempt before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_error: Option<PreviousError>,
}

/// The global `previous_error` of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousError {
    /// Type of a script's error, or `delivery`.
    #[serde(rename = "type")]
    pub error_type: String,
    /// Description of the error.
    pub message: String,
    /// Status of the endpoint's answer, if it answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status_code: Option<u16>,
    /// The attempt that failed, from 0.
    pub attempt: u32,
    /// True if it was worth another attempt: always, but for a webhook that was replayed.
    pub retryable: bool,
}

impl Webhook {
    /// The global `metadata` of its script.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            webhook_id: self.webhook_id.clone(),
            config_id: self.config_id.clone(),
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            created_at: self.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back() {
        let webhook = Webhook {
            webhook_id: "01J".into(),
            config_id: "c".parse().unwrap(),
            endpoint: "https://example.com/".into(),
            payload: b"\xff\0".to_vec().into(),
            headers: Headers::new(),
            script_hash: Some(ScriptHash::of("x")),
            signing_secret: None,
            idempotency_key: None,
            attempt: 1,
            max_attempts: 20,
            created_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            previous_error: Some(PreviousError {
                error_type: "delivery".into(),
                message: "503".into(),
                status_code: Some(503),
                attempt: 0,
                retryable: true,
            }),
        };
        let json = serde_json::to_string(&webhook).unwrap();
        assert!(!json.contains("null"), "{json}");
        assert_eq!(serde_json::from_str::<Webhook>(&json).unwrap(), webhook);
        assert_eq!(webhook.metadata().attempt, 1);
    }
}
