//! Accepting webhooks.
//!
//! Keeps true: what was acknowledged is in the log; a webhook of a config that has a script carries its hash,
//! so it is never sent without. While scripts are still being read, nothing is accepted.

use super::{
    Observed, Observer, Parts, PipelineSettings, QueueSettings, StatusRecord, Statuses, WebhookState,
};
use crate::loader::Scripts;
use bytes::Bytes;
use howk_contract::{ConfigId, Headers, Payload, Webhook};
use howk_ports::{Append, Clock, Log, PortError, State, Topic};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use ulid::Ulid;
use url::Url;

/// Most bytes of an idempotency key.
const IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Most bytes of an endpoint.
const ENDPOINT_BYTES: usize = 2048;

/// Most looks at a key that others change at the same time.
const TRIES: usize = 8;

/// A webhook that is to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct EnqueueRequest {
    /// Config of the webhook.
    pub config_id: ConfigId,
    /// Endpoint to which it goes.
    pub endpoint: String,
    /// The body.
    pub payload: Bytes,
    /// The headers.
    pub headers: Headers,
    /// The client's name for it: the same name again is the same webhook.
    pub idempotency_key: Option<String>,
    /// Key of the signature.
    pub signing_secret: Option<String>,
    /// Attempts after which it is given up; none is as many as the settings say.
    pub max_attempts: Option<u32>,
    /// True if it is refused where the config has no script.
    pub require_script: bool,
}

/// A webhook that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// Id of the webhook.
    pub webhook_id: String,
    /// False if it had been accepted before, under the same idempotency key.
    pub is_new: bool,
}

/// Reason for which a webhook was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The endpoint is no URL to send to.
    #[error("endpoint: {0}")]
    Endpoint(String),
    /// The number of attempts is out of range.
    #[error("max_attempts is a number from 1 to {0}")]
    MaxAttempts(u32),
    /// The idempotency key is empty or too long.
    #[error("idempotency_key has 1 to {IDEMPOTENCY_KEY_BYTES} bytes")]
    IdempotencyKey,
    /// The config has no script, and one was required.
    #[error("config {0} has no script")]
    NoScript(ConfigId),
    /// Another request with the same idempotency key is at work.
    #[error("a webhook with this idempotency_key is being accepted")]
    InProgress,
    /// The scripts have not been read yet.
    #[error("the scripts are still being read")]
    NotReady,
    /// The log has not acknowledged.
    #[error("the log has not acknowledged: {0}")]
    Log(PortError),
    /// The state does not tell whether the idempotency key is known.
    #[error("the state does not answer: {0}")]
    State(PortError),
}

/// Accepts webhooks. Its clones share everything.
#[derive(Debug, Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Arc<dyn Log>,
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    scripts: Scripts,
    statuses: Statuses,
    settings: QueueSettings,
    max_attempts: u32,
}

/// Value that is stored under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reservation {
    webhook_id: String,
    /// False until the log has acknowledged the webhook.
    accepted: bool,
    at: Timestamp,
}

/// Answer of an idempotency key to a request.
enum Claim {
    /// The webhook is this request's to accept, under this id.
    Mine(String),
    /// The webhook was accepted before.
    Known(String),
}

fn id_key(config: &ConfigId, key: &str) -> Bytes {
    format!("idempotency:{config}:{key}").into()
}

impl Queue {
    /// A queue that uses these scripts.
    pub fn new(parts: &Parts, settings: &PipelineSettings, scripts: Scripts, statuses: Statuses) -> Self {
        Queue {
            inner: Arc::new(Inner {
                log: Arc::clone(&parts.log),
                state: Arc::clone(&parts.state),
                clock: Arc::clone(&parts.clock),
                observer: Arc::clone(&parts.observer),
                scripts,
                statuses,
                settings: settings.queue.clone(),
                max_attempts: settings.retry.max_attempts.max(1),
            }),
        }
    }

    /// Accepts a webhook: the answer comes once the log has acknowledged it. A caller that goes away stops
    /// nothing.
    ///
    /// # Errors
    /// Why it was not accepted.
    pub async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, EnqueueError> {
        let inner = Arc::clone(&self.inner);
        let accepting = tokio::spawn(async move { inner.enqueue(request).await });
        let failed = |error: tokio::task::JoinError| PortError::Unavailable(error.to_string());
        accepting.await.map_err(|error| EnqueueError::Log(failed(error)))?
    }

    /// Accepts many webhooks at once, each by itself.
    pub async fn enqueue_all(&self, requests: Vec<EnqueueRequest>) -> Vec<Result<Enqueued, EnqueueError>> {
        futures_util::future::join_all(requests.into_iter().map(|request| self.enqueue(request))).await
    }
}

/// Checks an endpoint. Where it leads is the guard's to say, at each attempt.
fn check_endpoint(endpoint: &str) -> Result<(), EnqueueError> {
    let fail = |text: &str| Err(EnqueueError::Endpoint(text.into()));
    if endpoint.len() > ENDPOINT_BYTES {
        return fail("it has more than 2048 bytes");
    }
    let Ok(url) = Url::parse(endpoint) else { return fail("it is no URL") };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return fail("it is no URL of http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail("it has a user name or a password");
    }
    Ok(())
}

impl Inner {
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, EnqueueError> {
        check_endpoint(&request.endpoint)?;
        let max_attempts = request.max_attempts.unwrap_or(self.max_attempts);
        if !(1..=self.max_attempts).contains(&max_attempts) {
            return Err(EnqueueError::MaxAttempts(self.max_attempts));
        }
        if request
            .idempotency_key
            .as_ref()
            .is_some_and(|key| !(1..=IDEMPOTENCY_KEY_BYTES).contains(&key.len()))
        {
            return Err(EnqueueError::IdempotencyKey);
        }
        if !self.scripts.is_caught_up() {
            return Err(EnqueueError::NotReady);
        }
        let script = self.scripts.newest(&request.config_id);
        if request.require_script && script.is_none() {
            return Err(EnqueueError::NoScript(request.config_id));
        }
        let now = self.clock.now();
        let webhook = Webhook {
            webhook_id: new_id(now),
            config_id: request.config_id,
            endpoint: request.endpoint,
            payload: Payload(request.payload),
            headers: request.headers,
            script_hash: script.map(|script| script.hash),
            signing_secret: request.signing_secret,
            idempotency_key: request.idempotency_key,
            attempt: 0,
            max_attempts,
            created_at: now,
            previous_error: None,
        };
        let Some(key) = webhook.idempotency_key.clone() else {
            return self.accept(&webhook).await;
        };
        let key = id_key(&webhook.config_id, &key);
        match self.claim(&key, &webhook.webhook_id, now).await? {
            Claim::Known(webhook_id) => Ok(Enqueued { webhook_id, is_new: false }),
            Claim::Mine(webhook_id) => {
                let webhook = Webhook { webhook_id, ..webhook };
                let accepted = self.accept(&webhook).await;
                // Refused, the key is free at once; its webhook keeps the id, since a log may have taken it
                // after all.
                let at = if accepted.is_ok() { now } else { Timestamp::UNIX_EPOCH };
                self.note(
                    &key,
                    Reservation { webhook_id: webhook.webhook_id, accepted: accepted.is_ok(), at },
                )
                .await;
                accepted
            }
        }
    }

    async fn accept(&self, webhook: &Webhook) -> Result<Enqueued, EnqueueError> {
        let json = serde_json::to_vec(webhook);
        let json = json.map_err(|error| EnqueueError::Log(PortError::Damaged(error.to_string())))?;
        let record = Append::new(Topic::Pending, webhook.webhook_id.as_str(), json).new_work();
        let status = StatusRecord::new(webhook, WebhookState::Pending, 0, webhook.created_at);
        // Together, so that they share a write where log and state are one.
        let (appended, ()) = tokio::join!(self.log.append(vec![record]), self.statuses.begin(&status));
        if let Err(error) = appended {
            self.statuses.forget(&webhook.webhook_id).await;
            return Err(EnqueueError::Log(error));
        }
        self.observer.observe(Observed::Received);
        Ok(Enqueued { webhook_id: webhook.webhook_id.clone(), is_new: true })
    }

    /// Claims an idempotency key for a webhook. A crash between the claim and the log leaves a reservation,
    /// which the next request takes over with the same id after a while.
    async fn claim(&self, key: &Bytes, id: &str, now: Timestamp) -> Result<Claim, EnqueueError> {
        for _ in 0..TRIES {
            let there = self.in_time(self.state.get(key.clone())).await?;
            let known = match &there {
                None => None,
                Some(json) => Some(read(json).map_err(EnqueueError::State)?),
            };
            let webhook_id = match known {
                None => id.to_owned(),
                Some(known) if known.accepted => return Ok(Claim::Known(known.webhook_id)),
                Some(known) => {
                    let age = Duration::try_from(now.duration_since(known.at)).unwrap_or(Duration::ZERO);
                    if age < self.settings.reservation {
                        return Err(EnqueueError::InProgress);
                    }
                    known.webhook_id
                }
            };
            let mine = Reservation { webhook_id, accepted: false, at: now };
            let json = write(&mine).map_err(EnqueueError::State)?;
            let ttl = Some(self.settings.idempotency_ttl);
            if self.in_time(self.state.compare_and_set(key.clone(), there, Some(json), ttl)).await? {
                return Ok(Claim::Mine(mine.webhook_id));
            }
        }
        Err(EnqueueError::InProgress)
    }

    async fn note(&self, key: &Bytes, reservation: Reservation) {
        let ttl = Some(self.settings.idempotency_ttl);
        let noted = match write(&reservation) {
            Ok(json) => self.in_time(self.state.set(key.clone(), json, ttl)).await,
            Err(error) => Err(EnqueueError::State(error)),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "an idempotency key was not noted; a repetition may be sent again, with the same id");
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, PortError>>) -> Result<T, EnqueueError> {
        let late = |_| Err(PortError::Unavailable("no answer in time".into()));
        tokio::time::timeout(self.settings.state_timeout, work)
            .await
            .unwrap_or_else(late)
            .map_err(EnqueueError::State)
    }
}

fn read(json: &[u8]) -> Result<Reservation, PortError> {
    serde_json::from_slice(json).map_err(|error| PortError::Damaged(error.to_string()))
}

fn write(reservation: &Reservation) -> Result<Bytes, PortError> {
    let json = serde_json::to_vec(reservation);
    json.map(Bytes::from).map_err(|error| PortError::Damaged(error.to_string()))
}

fn new_id(now: Timestamp) -> String {
    Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or(0), rand::random()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_of_http() {
        for fine in ["http://a/", "https://a.example:8443/b?c#d", "HTTP://127.0.0.1"] {
            check_endpoint(fine).unwrap();
        }
        let long = format!("http://a/{}", "x".repeat(2048));
        for bad in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http://u@a",
            "http://:p@a",
            "file:///etc",
            "data:,x",
            &long,
        ] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_of_their_time() {
        let id = new_id("2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!((id.len(), Ulid::from_string(&id).unwrap().timestamp_ms()), (26, 1_767_323_045_000));
        assert_ne!(id, new_id("2026-01-02T03:04:05Z".parse().unwrap()));
    }
}
