//! The worker: takes webhooks, works on many at once, finishes each when its end is written.

use super::GROUP;
use super::attempt::Attempts;
use super::ending::{Ending, Written};
use super::gate::Gates;
use crate::loader::Scripts;
use crate::pipeline::{
    Appender, Observed, Parts, PipelineSettings, RetrySettings, Statuses, UnreadableRecord,
};
use futures_util::FutureExt;
use howk_contract::{Payload, Webhook};
use howk_ports::{Append, Clock, Consumer, Delivery, Log, PortError, Record, Topic};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Wait before a log that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Time for which a webhook is held whose end the log will never take, before it is tried once more.
const HOPELESS: Duration = Duration::from_secs(10);

/// Takes webhooks and works on them.
#[derive(Debug, Clone)]
pub struct Worker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    attempts: Attempts,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    appender: Appender,
    statuses: Statuses,
    retry: RetrySettings,
    in_flight: usize,
}

impl Worker {
    /// A worker that uses these scripts.
    pub fn new(parts: &Parts, settings: &PipelineSettings, scripts: Scripts, statuses: Statuses) -> Self {
        let attempts = Attempts {
            scripts,
            runner: Arc::clone(&parts.runner),
            transport: Arc::clone(&parts.transport),
            clock: Arc::clone(&parts.clock),
            observer: Arc::clone(&parts.observer),
            gates: Gates::new(settings.worker.clone(), Arc::clone(&parts.clock)),
            delivery: settings.delivery.clone(),
            scripts_enabled: settings.scripts_enabled,
        };
        Worker {
            inner: Arc::new(Inner {
                attempts,
                log: Arc::clone(&parts.log),
                clock: Arc::clone(&parts.clock),
                appender: Appender::new(Arc::clone(&parts.log), Arc::clone(&parts.clock)),
                statuses,
                retry: settings.retry.clone(),
                in_flight: settings.worker.in_flight,
            }),
        }
    }

    /// Works until `stop`, and then until what is open has ended. Dropped, it leaves what is open to be done
    /// again.
    pub async fn run(self, stop: CancellationToken) {
        let mut open = JoinSet::new();
        let mut consumer = None;
        loop {
            while let Some(ended) = open.try_join_next() {
                report(ended);
            }
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = self.inner.next(&mut consumer) => next,
            };
            match next {
                Ok(delivery) => {
                    let inner = Arc::clone(&self.inner);
                    open.spawn(async move { inner.work(delivery).await });
                }
                Err(PortError::Closed) => break,
                Err(error) => {
                    tracing::warn!(%error, "no webhooks from the log; it will be asked again");
                    consumer = None;
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = self.inner.clock.sleep(AGAIN) => {}
                    }
                }
            }
        }
        while let Some(ended) = open.join_next().await {
            report(ended);
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the end of a webhook panicked; it will come again");
    }
}

impl Inner {
    async fn next(&self, consumer: &mut Option<Box<dyn Consumer>>) -> Result<Delivery, PortError> {
        if consumer.is_none() {
            *consumer = Some(self.log.subscribe(Topic::Pending, GROUP, self.in_flight).await?);
        }
        match consumer {
            Some(consumer) => consumer.next().await,
            None => Err(PortError::Closed),
        }
    }

    async fn work(&self, delivery: Delivery) {
        let webhook = match parse(delivery.record()) {
            Ok(webhook) => webhook,
            Err(error) => return self.set_aside(delivery, error).await,
        };
        let span = tracing::info_span!(
            "webhook",
            id = webhook.webhook_id,
            config = %webhook.config_id,
            attempt = webhook.attempt,
            hash = webhook.script_hash.map(tracing::field::display),
        );
        self.see_through(delivery, webhook).instrument(span).await;
    }

    async fn see_through(&self, delivery: Delivery, webhook: Webhook) {
        let attempt = AssertUnwindSafe(self.attempts.attempt(&webhook)).catch_unwind();
        let ending = attempt.await.unwrap_or_else(|_| {
            tracing::error!("an attempt panicked");
            self.attempts.observer.observe(Observed::Panic);
            let (error_type, message) = ("internal".into(), "the server failed".into());
            Ending::Failed { error_type, message, status: None, body: None, after: None }
        });
        let (delay, observed) = match &ending {
            Ending::Deferred { because } => {
                (self.attempts.gates.defer_delay(&webhook.config_id), Some(Observed::Deferred { because }))
            }
            _ => (Duration::ZERO, None),
        };
        tracing::debug!(?ending, "an attempt has ended");
        let written = ending.write(&webhook, &self.retry, self.clock.now(), delay, rand::random());
        let Some(written) = self.append(written).await else { return };
        delivery.finish();
        self.tell(observed, &written);
        if let Some(status) = &written.status {
            self.statuses.put(status).await;
        }
    }

    /// Appends what ends an attempt, however long the log refuses it: the attempt was made, and is not made
    /// again for that. None if the log was closed; then the webhook is not finished, and comes again.
    async fn append(&self, written: Result<Written, PortError>) -> Option<Written> {
        let mut written = written
            .inspect_err(
                |error| tracing::error!(%error, "the end of a webhook is no record; it will come again"),
            )
            .ok()?;
        let records = std::mem::take(&mut written.records);
        loop {
            match self.appender.append(records.clone()).await {
                Ok(()) => return Some(written),
                Err(PortError::Closed) => return None,
                Err(error) => {
                    tracing::error!(%error, "the log refuses the end of a webhook; it will be asked again");
                    self.clock.sleep(HOPELESS).await;
                }
            }
        }
    }

    fn tell(&self, deferred: Option<Observed>, written: &Written) {
        let observer = &self.attempts.observer;
        if let Some(observed) = deferred {
            observer.observe(observed);
        }
        match written.reason {
            Some(reason) => observer.observe(Observed::DeadLetter(reason)),
            None if written.status.as_ref().is_some_and(|status| status.next_attempt_at.is_some()) => {
                observer.observe(Observed::Retry);
            }
            None => {}
        }
    }

    /// Keeps what is no webhook among the dead letters.
    async fn set_aside(&self, delivery: Delivery, error: String) {
        let record = delivery.record();
        tracing::error!(key = &*record.key, error, "a record of howk.pending is no webhook");
        let value = record.value.clone().unwrap_or_default();
        let unreadable = UnreadableRecord { unreadable: Payload(value), error, time: self.clock.now() };
        let Ok(json) = serde_json::to_vec(&unreadable) else { return };
        let append = Append::new(Topic::DeadLetter, Arc::clone(&record.key), json);
        if self.appender.append(vec![append]).await.is_ok() {
            delivery.finish();
            self.attempts.observer.observe(Observed::Unreadable);
        }
    }
}

fn parse(record: &Record) -> Result<Webhook, String> {
    let value = record.value.as_ref().ok_or("it has no value")?;
    serde_json::from_slice(value).map_err(|error| error.to_string())
}
