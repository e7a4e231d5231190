//! The scheduler: reads `howk.retries`, waits, and puts webhooks back.

use super::GROUP;
use super::waiting::{Due, Waiting};
use crate::pipeline::{Observed, Observer, Parts, RetryHead, RetryRecord, SchedulerSettings};
use howk_ports::{Append, Clock, Log, PortError, Record, Tail, TailEvent, TailScope, Topic};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Wait before a log that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Wait before a webhook is put back that the log has refused for good.
const HOPELESS: Duration = Duration::from_mins(10);

/// Longest sleep. It ends sooner when something waits.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Puts webhooks back into `howk.pending` when they are due.
#[derive(Debug)]
pub struct Scheduler {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    settings: SchedulerSettings,
    waiting: Waiting,
    told: Option<u64>,
}

impl Scheduler {
    /// A scheduler that knows of nothing yet.
    pub fn new(parts: &Parts, settings: SchedulerSettings) -> Self {
        Scheduler {
            log: Arc::clone(&parts.log),
            clock: Arc::clone(&parts.clock),
            observer: Arc::clone(&parts.observer),
            settings,
            waiting: Waiting::default(),
            told: None,
        }
    }

    /// Runs until `stop`. Dropped, it leaves nothing half done that the next one does not find.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let error = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                outcome = self.follow() => match outcome {
                    Err(PortError::Closed) => return,
                    Err(error) => error,
                },
            };
            tracing::warn!(%error, "the log of retries cannot be read; it will be read again");
            self.waiting.clear();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(AGAIN) => {}
            }
        }
    }

    /// Follows the log until it fails.
    async fn follow(&mut self) -> Result<std::convert::Infallible, PortError> {
        let mut tail = self.log.tail(Topic::Retries, TailScope::Share(GROUP.into())).await?;
        let clock = Arc::clone(&self.clock);
        loop {
            let now = clock.elapsed();
            let sleep = self.waiting.next().map_or(LONGEST_SLEEP, |due| due.saturating_sub(now));
            if sleep.is_zero() {
                self.put_back(&*tail).await?;
                continue;
            }
            // Those that are due at about the same time go together.
            let sleep = sleep.clamp(self.settings.interval.min(LONGEST_SLEEP), LONGEST_SLEEP);
            tokio::select! {
                biased;
                event = tail.next() => self.hear(event?),
                () = clock.sleep(sleep) => {}
            }
        }
    }

    fn hear(&mut self, event: TailEvent) {
        match event {
            TailEvent::Record(record) => self.learn(&record),
            TailEvent::CaughtUp { partition, .. } => {
                self.waiting.caught_up(partition);
                self.tell();
            }
            TailEvent::Lost { partition } => self.waiting.lost(partition),
        }
    }

    fn learn(&mut self, record: &Record) {
        let Some(value) = &record.value else { return self.waiting.remove(&record.key) };
        let head = match serde_json::from_slice::<RetryHead>(value) {
            Ok(head) => head,
            Err(error) => {
                tracing::error!(key = &*record.key, %error, "a record of howk.retries is not ours, and is left alone");
                return;
            }
        };
        if head.fired_at.is_some() {
            return self.waiting.remove(&record.key);
        }
        // A clock that was set back since makes no wait longer than it was meant to be.
        let left = Duration::try_from(head.due_at.duration_since(self.clock.now())).unwrap_or(Duration::ZERO);
        let left = left.min(Duration::from_millis(head.delay_ms));
        self.waiting.put(Arc::clone(&record.key), self.clock.elapsed() + left, record.position);
    }

    /// Puts webhooks back that are due.
    async fn put_back(&mut self, tail: &dyn Tail) -> Result<(), PortError> {
        let mut ready = Vec::new();
        for due in self.waiting.due(self.clock.elapsed(), self.settings.batch.max(1)) {
            match tail.read(due.position).await? {
                Some(record) => match self.records_of(&due, &record) {
                    Ok(records) => ready.push((due, records)),
                    Err(error) => {
                        tracing::error!(key = &*due.key, error, "a record of howk.retries has no webhook");
                        self.waiting.remove(&due.key);
                    }
                },
                // Another record has taken its place, and will be told.
                None => self.waiting.remove(&due.key),
            }
        }
        let outcome = self.append(&ready).await;
        if matches!(&outcome, Err(error) if !error.is_transient() && *error != PortError::Closed) {
            // One of them is at fault: the others go by themselves.
            for one in ready.chunks(1) {
                if let Err(error) = self.append(one).await {
                    if error == PortError::Closed {
                        return Err(error);
                    }
                    tracing::error!(key = &*one[0].0.key, %error, "a webhook cannot be put back");
                    self.waiting.put_off(&one[0].0, self.clock.elapsed() + HOPELESS);
                }
            }
        } else if outcome == Err(PortError::Closed) {
            return Err(PortError::Closed);
        }
        self.tell();
        Ok(())
    }

    /// Appends what puts webhooks back. Where there is no room now they stay, and are tried again a little
    /// later.
    async fn append(&mut self, ready: &[(Due, [Append; 2])]) -> Result<(), PortError> {
        let records = ready.iter().flat_map(|(_, records)| records.clone()).collect();
        let appended = self.log.append(records).await;
        for (due, _) in ready {
            match &appended {
                Ok(_) => self.waiting.remove(&due.key),
                Err(error) if error.is_transient() => {
                    self.waiting.put_off(due, self.clock.elapsed() + AGAIN);
                }
                Err(_) => {}
            }
        }
        if let Err(error) = &appended {
            tracing::warn!(%error, "webhooks that are due could not be put back");
        }
        appended.map(|_| ())
    }

    /// The webhook for `howk.pending`, and what says that it is there. In this order: where an append is cut
    /// in two, the webhook is there twice rather than nowhere.
    fn records_of(&self, due: &Due, record: &Record) -> Result<[Append; 2], String> {
        let value = record.value.as_ref().ok_or("it has no value")?;
        let waiting: RetryRecord = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let webhook = waiting.webhook.as_ref().ok_or("it has no webhook")?;
        let json = |error: serde_json::Error| error.to_string();
        let pending =
            Append::new(Topic::Pending, Arc::clone(&due.key), serde_json::to_vec(webhook).map_err(json)?);
        // The worker ends the story of a webhook that was tried before. One that was only put off has none to
        // end.
        let fired = if waiting.attempt > 0 {
            let fired = RetryRecord { fired_at: Some(self.clock.now()), webhook: None, ..waiting };
            Append::new(Topic::Retries, Arc::clone(&due.key), serde_json::to_vec(&fired).map_err(json)?)
        } else {
            Append::tombstone(Topic::Retries, Arc::clone(&due.key))
        };
        Ok([pending, fired])
    }

    fn tell(&mut self) {
        let pending = self.waiting.len() as u64;
        if self.told.replace(pending) != Some(pending) {
            self.observer.observe(Observed::RetriesPending(pending));
        }
    }
}
