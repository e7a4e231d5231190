//! Inputs of a script.

use crate::{ConfigId, Headers, PreviousError};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The global `metadata` of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Id of the webhook, a ULID where the engine made it.
    pub webhook_id: String,
    /// Id of the config whose script it is.
    pub config_id: ConfigId,
    /// Number of this attempt, from 0.
    pub attempt: u32,
    /// Number of attempts after which the webhook is given up.
    pub max_attempts: u32,
    /// Time at which the webhook was accepted.
    pub created_at: Timestamp,
}

/// The input of an event: one execution of one script for one attempt of one webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct EventInput {
    /// The body as it was accepted, byte for byte.
    pub payload: Bytes,
    /// The headers that it was accepted with.
    pub headers: Headers,
    /// The webhook and the attempt.
    pub metadata: Metadata,
    /// The error of the attempt before this one; none at the first.
    pub previous_error: Option<PreviousError>,
}
