//! The end of an attempt, as records of the log.

use crate::pipeline::{DeliveryResult, RetryRecord, RetrySettings, StatusRecord, WebhookState};
use crate::scheduler::backoff;
use howk_contract::{DeadLetter, PreviousError, Reason, ScriptHash, Webhook};
use howk_ports::{Append, PortError, Topic};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// End of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    /// The endpoint took it.
    Delivered { status: u16, time: Duration, script: Option<ScriptHash> },
    /// Another attempt may succeed.
    Failed {
        error_type: String,
        message: String,
        status: Option<u16>,
        body: Option<String>,
        after: Option<Duration>,
    },
    /// No other attempt would.
    Dead { reason: Reason, error_type: String, message: String, status: Option<u16>, body: Option<String> },
    /// The attempt was not made: there was no room.
    Deferred { because: &'static str },
}

/// Data that is written at the end of an attempt.
#[derive(Debug)]
pub(super) struct Written {
    /// Records that the log must acknowledge before the webhook is finished.
    pub(super) records: Vec<Append>,
    /// Status for clients; none if nothing has changed for them.
    pub(super) status: Option<StatusRecord>,
    /// Reason for which it was given up, if it was.
    pub(super) reason: Option<Reason>,
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, PortError> {
    serde_json::to_vec(value).map_err(|error| PortError::Damaged(error.to_string()))
}

impl Ending {
    /// A webhook that is given up without an answer.
    pub(super) fn dead(reason: Reason, error_type: &str, message: &str) -> Ending {
        Ending::Dead {
            reason,
            error_type: error_type.into(),
            message: message.into(),
            status: None,
            body: None,
        }
    }

    /// The records of this ending. `delay` is for how long a webhook is put off that was deferred, and
    /// `chance` a random number from 0 to 1.
    pub(super) fn write(
        self,
        webhook: &Webhook,
        retry: &RetrySettings,
        now: Timestamp,
        delay: Duration,
        chance: f64,
    ) -> Result<Written, PortError> {
        let made = webhook.attempt.saturating_add(1);
        let status = |state| StatusRecord::new(webhook, state, made, now);
        match self {
            Ending::Delivered { status: status_code, time, script } => {
                let result = DeliveryResult {
                    webhook_id: webhook.webhook_id.clone(),
                    config_id: webhook.config_id.clone(),
                    endpoint: webhook.endpoint.clone(),
                    attempt: webhook.attempt,
                    script_hash: script,
                    status_code,
                    duration_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                    created_at: webhook.created_at,
                    delivered_at: now,
                };
                let result = Append::new(Topic::Results, webhook.webhook_id.as_str(), json(&result)?);
                let status =
                    StatusRecord { status_code: Some(status_code), ..status(WebhookState::Delivered) };
                let records = with_tombstone(webhook, result);
                Ok(Written { records, status: Some(status), reason: None })
            }
            Ending::Failed { error_type, message, status: status_code, body, after } => {
                if made >= webhook.max_attempts.min(retry.max_attempts).max(1) {
                    let reason = Reason::Exhausted;
                    let dead = Ending::Dead { reason, error_type, message, status: status_code, body };
                    return dead.write(webhook, retry, now, delay, chance);
                }
                let previous = PreviousError {
                    error_type,
                    message: message.clone(),
                    status_code,
                    attempt: webhook.attempt,
                    retryable: true,
                };
                let next = Webhook { attempt: made, previous_error: Some(previous), ..webhook.clone() };
                let delay = backoff(retry, webhook.attempt, after, chance);
                let (record, due_at) = waiting(next, now, delay)?;
                let status = StatusRecord {
                    next_attempt_at: Some(due_at),
                    last_error: Some(message),
                    status_code,
                    ..status(WebhookState::Retrying)
                };
                Ok(Written { records: vec![record], status: Some(status), reason: None })
            }
            Ending::Dead { reason, error_type, message, status: status_code, body } => {
                let letter = DeadLetter {
                    webhook: webhook.clone(),
                    reason,
                    reason_type: error_type,
                    last_error: message.clone(),
                    status_code,
                    response_body: body,
                    time: now,
                };
                let record = Append::new(Topic::DeadLetter, webhook.webhook_id.as_str(), json(&letter)?);
                let status = StatusRecord {
                    last_error: Some(message),
                    status_code,
                    reason: Some(reason),
                    ..status(WebhookState::Dead)
                };
                let records = with_tombstone(webhook, record);
                Ok(Written { records, status: Some(status), reason: Some(reason) })
            }
            Ending::Deferred { .. } => {
                let (record, _) = waiting(webhook.clone(), now, delay)?;
                Ok(Written { records: vec![record], status: None, reason: None })
            }
        }
    }
}

/// A record of `howk.retries`, and when it is due.
fn waiting(webhook: Webhook, now: Timestamp, delay: Duration) -> Result<(Append, Timestamp), PortError> {
    let wait = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    let due_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let record = RetryRecord {
        attempt: webhook.attempt,
        due_at,
        delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        fired_at: None,
        webhook: Some(webhook),
    };
    let key = record.webhook.as_ref().map_or("", |webhook| webhook.webhook_id.as_str());
    Ok((Append::new(Topic::Retries, key, json(&record)?), due_at))
}

/// The last record of a webhook. One that has come by `howk.retries` ends its story there.
fn with_tombstone(webhook: &Webhook, record: Append) -> Vec<Append> {
    let mut records = vec![record];
    if webhook.attempt > 0 {
        records.push(Append::tombstone(Topic::Retries, webhook.webhook_id.as_str()));
    }
    records
}
