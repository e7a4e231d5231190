//! Records of the log that only the pipeline writes and reads.

use howk_contract::{ConfigId, ScriptHash, Webhook};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A record of `howk.retries`, by webhook id. A tombstone says that the webhook's story has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryRecord {
    /// Number of the attempt that comes next, from 0.
    pub attempt: u32,
    /// Time at which it is due.
    pub due_at: Timestamp,
    /// The wait that was chosen: a clock that was set back in between makes it no longer.
    pub delay_ms: u64,
    /// Time at which it was put back into `howk.pending`; none while it waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fired_at: Option<Timestamp>,
    /// The webhook as it will be tried; none once it was put back into `howk.pending`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub webhook: Option<Webhook>,
}

/// A [`RetryRecord`] without its webhook: what is read of each at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct RetryHead {
    /// Number of the attempt that comes next, from 0.
    pub attempt: u32,
    /// Time at which it is due.
    pub due_at: Timestamp,
    /// The wait that was chosen.
    pub delay_ms: u64,
    /// Time at which it was put back into `howk.pending`; none while it waits.
    #[serde(default)]
    pub fired_at: Option<Timestamp>,
}

/// A record of `howk.results`: a webhook that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryResult {
    /// Id of the webhook.
    pub webhook_id: String,
    /// Config of the webhook.
    pub config_id: ConfigId,
    /// Endpoint to which it went.
    pub endpoint: String,
    /// The attempt that succeeded, from 0.
    pub attempt: u32,
    /// The script that transformed it, if one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub script_hash: Option<ScriptHash>,
    /// The endpoint's answer.
    pub status_code: u16,
    /// Time that the endpoint took.
    pub duration_ms: u64,
    /// Time at which it was accepted.
    pub created_at: Timestamp,
    /// Time at which the endpoint had answered.
    pub delivered_at: Timestamp,
}

/// A record of `howk.deadletter` for what is no webhook: somebody else wrote it into `howk.pending`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnreadableRecord {
    /// Bytes of the record.
    pub unreadable: howk_contract::Payload,
    /// Reason for which it is no webhook.
    pub error: String,
    /// Time at which it was found.
    pub time: Timestamp,
}
