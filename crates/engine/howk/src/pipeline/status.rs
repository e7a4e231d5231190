//! Knowledge of a webhook for clients: `status:{webhook_id}` in the state.
//!
//! It is for people. Nothing is decided by it, and losing it loses no webhook.

use howk_contract::{ConfigId, Reason, Webhook};
use howk_ports::{PortError, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Stage of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// The webhook was accepted.
    Pending,
    /// An attempt has failed, and another one comes.
    Retrying,
    /// The webhook has arrived.
    Delivered,
    /// The webhook was given up.
    Dead,
}

/// The status of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRecord {
    /// Id of the webhook.
    pub webhook_id: String,
    /// Config of the webhook.
    pub config_id: ConfigId,
    /// Stage of the webhook.
    pub state: WebhookState,
    /// Attempts that were made.
    pub attempts: u32,
    /// Time at which it was accepted.
    pub created_at: Timestamp,
    /// Time at which this was written.
    pub updated_at: Timestamp,
    /// Time at which the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// The error of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// Status of the endpoint's last answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status_code: Option<u16>,
    /// Reason for which it was given up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Reason>,
}

impl StatusRecord {
    /// The status of a webhook that has made `attempts`.
    pub fn new(webhook: &Webhook, state: WebhookState, attempts: u32, now: Timestamp) -> Self {
        StatusRecord {
            webhook_id: webhook.webhook_id.clone(),
            config_id: webhook.config_id.clone(),
            state,
            attempts,
            created_at: webhook.created_at,
            updated_at: now,
            next_attempt_at: None,
            last_error: None,
            status_code: None,
            reason: None,
        }
    }
}

/// Statuses of webhooks, in the state.
#[derive(Debug, Clone)]
pub struct Statuses {
    state: Arc<dyn State>,
    ttl: Duration,
    timeout: Duration,
}

fn key(webhook_id: &str) -> bytes::Bytes {
    format!("status:{webhook_id}").into()
}

fn json(record: &StatusRecord) -> Option<bytes::Bytes> {
    let json = serde_json::to_vec(record);
    json.map(Into::into).inspect_err(|error| tracing::error!(%error, "a status is no JSON")).ok()
}

impl Statuses {
    /// Statuses in a state, each for `ttl`. A write that takes longer than `timeout` is given up.
    pub fn new(state: Arc<dyn State>, ttl: Duration, timeout: Duration) -> Self {
        Statuses { state, ttl, timeout }
    }

    /// The status of a webhook; none if it is not known, or no more.
    ///
    /// # Errors
    /// The state does not answer, or has something else there.
    pub async fn get(&self, webhook_id: &str) -> Result<Option<StatusRecord>, PortError> {
        let Some(json) = self.state.get(key(webhook_id)).await? else { return Ok(None) };
        let damaged =
            |error: serde_json::Error| PortError::Damaged(format!("status of {webhook_id}: {error}"));
        serde_json::from_slice(&json).map(Some).map_err(damaged)
    }

    /// Writes a status, if the state takes it in time.
    pub async fn put(&self, record: &StatusRecord) {
        let Some(json) = json(record) else { return };
        self.try_to(&record.webhook_id, self.state.set(key(&record.webhook_id), json, Some(self.ttl))).await;
    }

    /// Writes the first status of a webhook. A worker that was faster has written a later one, which stays.
    pub async fn begin(&self, record: &StatusRecord) {
        let Some(json) = json(record) else { return };
        let key = key(&record.webhook_id);
        let begin = self.state.compare_and_set(key, None, Some(json), Some(self.ttl));
        self.try_to(&record.webhook_id, begin).await;
    }

    /// Forgets the status of a webhook that was not accepted after all.
    pub async fn forget(&self, webhook_id: &str) {
        self.try_to(webhook_id, self.state.delete(key(webhook_id))).await;
    }

    async fn try_to<T>(&self, webhook_id: &str, write: impl Future<Output = Result<T, PortError>>) {
        let outcome = tokio::time::timeout(self.timeout, write).await;
        let error = match outcome {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".into(),
        };
        tracing::warn!(webhook_id, error, "the status of a webhook was not written");
    }
}
