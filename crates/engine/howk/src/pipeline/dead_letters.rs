//! Webhooks that were given up: listing them, and trying one again.
//!
//! What is listed is an index in memory, made by reading `howk.deadletter`; bodies stay in the log. A record
//! without a value says that a dead letter was replayed.

use super::{Observer, Parts, PipelineSettings, StatusRecord, Statuses, WebhookState};
use crate::loader::Scripts;
use howk_contract::{ConfigId, DeadLetter, PreviousError, Reason, Webhook};
use howk_ports::{Append, Clock, Log, PortError, Position, Record, TailEvent, TailScope, Topic};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Wait before a log that failed is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// Most dead letters of a page.
const PAGE_MAX: usize = 1000;

/// Choice of the dead letters that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageOf {
    /// Configs of the dead letters; none is all.
    pub configs: Option<Vec<ConfigId>>,
    /// Reason of the dead letters; none is all.
    pub reason: Option<Reason>,
    /// Dead letter behind which they begin, the `next` of a page.
    pub after: Option<Cursor>,
    /// Most dead letters of the page.
    pub limit: usize,
}

/// A page of dead letters, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The dead letters, without credentials.
    pub letters: Vec<Listed>,
    /// Place where the next page begins; none behind the last one.
    pub next: Option<Cursor>,
    /// False if there may be older ones than can be listed, or the log is still being read.
    pub is_complete: bool,
}

/// A dead letter as people see it: credentials are redacted.
pub type Listed = DeadLetter;

/// The place of a dead letter in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    time_ms: i64,
    position: Position,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.time_ms, self.position.partition, self.position.offset)
    }
}

/// The error of a text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no `next` of a page")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(InvalidCursor);
        let time_ms = next()?.parse().map_err(|_| InvalidCursor)?;
        let partition = next()?.parse().map_err(|_| InvalidCursor)?;
        let offset = next()?.parse().map_err(|_| InvalidCursor)?;
        if parts.next().is_some() {
            return Err(InvalidCursor);
        }
        Ok(Cursor { time_ms, position: Position { partition, offset } })
    }
}

/// Reason for which a dead letter was not replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The webhook has no dead letter.
    #[error("there is no dead letter of this webhook")]
    NotFound,
    /// The webhook was accepted for a script, and its config has none now. It is never sent without.
    #[error("config {0} has no script, and this webhook is not sent without one")]
    NoScript(ConfigId),
    /// Another request replays it.
    #[error("this webhook is being replayed")]
    InProgress,
    /// The scripts or the dead letters have not been read yet.
    #[error("the log is still being read")]
    NotReady,
    /// The log did not give or take a record.
    #[error("the log: {0}")]
    Log(#[from] PortError),
}

#[derive(Debug)]
struct Entry {
    key: Arc<str>,
    config: ConfigId,
    reason: Reason,
}

#[derive(Debug, Default)]
struct Index {
    entries: BTreeMap<Cursor, Entry>,
    by_key: HashMap<Arc<str>, Cursor>,
    by_config: HashMap<ConfigId, BTreeSet<Cursor>>,
    replaying: HashSet<Arc<str>>,
    is_read: bool,
    has_dropped: bool,
}

impl Index {
    fn put(&mut self, cursor: Cursor, entry: Entry, most: usize) {
        self.remove(&Arc::clone(&entry.key));
        self.by_key.insert(Arc::clone(&entry.key), cursor);
        self.by_config.entry(entry.config.clone()).or_default().insert(cursor);
        self.entries.insert(cursor, entry);
        while self.entries.len() > most.max(1) {
            let Some(oldest) = self.entries.first_key_value().map(|(cursor, _)| *cursor) else { return };
            self.remove_at(oldest);
            self.has_dropped = true;
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(cursor) = self.by_key.get(key).copied() {
            self.remove_at(cursor);
        }
    }

    fn remove_at(&mut self, cursor: Cursor) {
        let Some(entry) = self.entries.remove(&cursor) else { return };
        self.by_key.remove(&entry.key);
        if let Some(cursors) = self.by_config.get_mut(&entry.config) {
            cursors.remove(&cursor);
            if cursors.is_empty() {
                self.by_config.remove(&entry.config);
            }
        }
    }

    /// Cursors before `before`, the newest first, at most `limit`.
    fn select(&self, of: &PageOf, before: Option<Cursor>, limit: usize) -> Vec<Cursor> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (Bound::Unbounded, end);
        let fits = |cursor: &Cursor| {
            of.reason
                .is_none_or(|reason| self.entries.get(cursor).is_some_and(|entry| entry.reason == reason))
        };
        let Some(configs) = &of.configs else {
            let newest = self.entries.range(range).rev().map(|(cursor, _)| *cursor);
            return newest.filter(fits).take(limit).collect();
        };
        let mut found: Vec<_> = configs
            .iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|config| self.by_config.get(config))
            .flat_map(|cursors| cursors.range(range).rev().copied().filter(fits).take(limit))
            .collect();
        found.sort_by_key(|cursor| std::cmp::Reverse(*cursor));
        found.truncate(limit);
        found
    }
}

/// Part of each dead letter that is read.
#[derive(Deserialize)]
struct Head {
    webhook: WebhookHead,
    reason: Reason,
    time: Timestamp,
}

#[derive(Deserialize)]
struct WebhookHead {
    config_id: ConfigId,
}

/// The dead letters. Its clones share the index.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    index: Mutex<Index>,
    reads: mpsc::Sender<Read>,
    requests: tokio::sync::Mutex<mpsc::Receiver<Read>>,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    scripts: Scripts,
    statuses: Statuses,
    listed: usize,
    kept: Duration,
}

/// A record that is to be read by the task that has the reader.
#[derive(Debug)]
struct Read {
    position: Position,
    reply: oneshot::Sender<Result<Option<Record>, PortError>>,
}

impl DeadLetters {
    /// Dead letters of which none is known yet: [`DeadLetters::follow`] reads them.
    pub fn new(parts: &Parts, settings: &PipelineSettings, scripts: Scripts, statuses: Statuses) -> Self {
        let (reads, requests) = mpsc::channel(64);
        DeadLetters {
            inner: Arc::new(Inner {
                index: Mutex::default(),
                reads,
                requests: tokio::sync::Mutex::new(requests),
                log: Arc::clone(&parts.log),
                clock: Arc::clone(&parts.clock),
                observer: Arc::clone(&parts.observer),
                scripts,
                statuses,
                listed: settings.dead_letters.listed,
                kept: settings.dead_letters.kept,
            }),
        }
    }

    /// Follows the log until the future is dropped.
    pub async fn follow(self) {
        let inner = &*self.inner;
        let mut requests = inner.requests.lock().await;
        loop {
            let Err(error) = inner.read_log(&mut requests).await;
            tracing::warn!(%error, "the dead letters cannot be read; they will be read again");
            inner.clock.sleep(AGAIN).await;
        }
    }

    /// Returns the config of a webhook, if there is a dead letter of it.
    pub fn config_of(&self, webhook_id: &str) -> Option<ConfigId> {
        let index = self.inner.index();
        let cursor = index.by_key.get(webhook_id)?;
        index.entries.get(cursor).map(|entry| entry.config.clone())
    }

    /// Lists dead letters.
    ///
    /// # Errors
    /// The log does not give a record.
    pub async fn list(&self, of: &PageOf) -> Result<Page, PortError> {
        let inner = &*self.inner;
        let limit = of.limit.clamp(1, PAGE_MAX);
        inner.expire();
        let (mut letters, mut after) = (Vec::new(), of.after);
        loop {
            // One more than is asked for tells whether there is a next page.
            let found = inner.index().select(of, after, limit - letters.len() + 1);
            let mut rest = found.iter();
            while letters.len() < limit {
                let Some(cursor) = rest.next() else { break };
                after = Some(*cursor);
                match inner.read(cursor.position).await? {
                    Some(letter) => letters.push(redacted(letter)),
                    // It has expired in the log.
                    None => inner.index().remove_at(*cursor),
                }
            }
            let is_last = rest.next().is_none();
            let is_full = letters.len() == limit;
            if is_full || is_last {
                let index = inner.index();
                let next = after.filter(|_| !is_last);
                return Ok(Page { letters, next, is_complete: index.is_read && !index.has_dropped });
            }
        }
    }

    /// Puts a webhook back into the queue, from its first attempt, with the newest script.
    ///
    /// # Errors
    /// There is no such dead letter, or it cannot be sent, or the log has not acknowledged.
    pub async fn replay(&self, webhook_id: &str) -> Result<Webhook, ReplayError> {
        let this = self.clone();
        let webhook_id: Arc<str> = webhook_id.into();
        // A caller that goes away stops nothing half way.
        let replaying = tokio::spawn(async move { this.inner.replay(webhook_id).await });
        replaying.await.map_err(|error| PortError::Unavailable(error.to_string()))?
    }
}

fn redacted(mut letter: DeadLetter) -> DeadLetter {
    letter.webhook.headers = letter.webhook.headers.redacted();
    letter.webhook.signing_secret = letter.webhook.signing_secret.map(|_| "[redacted]".into());
    letter
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_log(
        &self,
        requests: &mut mpsc::Receiver<Read>,
    ) -> Result<std::convert::Infallible, PortError> {
        let mut tail = self.log.tail(Topic::DeadLetter, TailScope::All).await?;
        let replaying = std::mem::take(&mut self.index().replaying);
        *self.index() = Index { replaying, ..Index::default() };
        loop {
            tokio::select! {
                biased;
                request = requests.recv() => {
                    // The sender lives as long as this.
                    let Some(Read { position, reply }) = request else { return Err(PortError::Closed) };
                    let _ = reply.send(tail.read(position).await);
                }
                event = tail.next() => match event? {
                    TailEvent::Record(record) => self.learn(&record),
                    TailEvent::CaughtUp { .. } => self.index().is_read = true,
                    TailEvent::Lost { .. } => {}
                },
            }
        }
    }

    fn learn(&self, record: &Record) {
        let Some(value) = &record.value else { return self.index().remove(&record.key) };
        match serde_json::from_slice::<Head>(value) {
            Ok(head) => {
                let cursor = Cursor { time_ms: head.time.as_millisecond(), position: record.position };
                let key = Arc::clone(&record.key);
                let entry = Entry { key, config: head.webhook.config_id, reason: head.reason };
                self.index().put(cursor, entry, self.listed);
            }
            // Records that were never webhooks are kept there, too; they are for operators.
            Err(error) => {
                tracing::debug!(key = &*record.key, %error, "a record among the dead letters is not listed");
            }
        }
    }

    /// Drops from the index what the log drops by itself.
    fn expire(&self) {
        let kept = SignedDuration::try_from(self.kept).unwrap_or(SignedDuration::MAX);
        let Ok(oldest) = self.clock.now().checked_sub(kept) else { return };
        let oldest = oldest.as_millisecond();
        let mut index = self.index();
        while let Some(cursor) = index.entries.first_key_value().map(|(cursor, _)| *cursor)
            && cursor.time_ms < oldest
        {
            index.remove_at(cursor);
        }
    }

    async fn read(&self, position: Position) -> Result<Option<DeadLetter>, PortError> {
        let (reply, answer) = oneshot::channel();
        self.reads.send(Read { position, reply }).await.map_err(|_| PortError::Closed)?;
        let away = |_| PortError::Unavailable("the dead letters are being read again".into());
        let Some(record) = answer.await.map_err(away)?? else { return Ok(None) };
        let Some(value) = record.value else { return Ok(None) };
        serde_json::from_slice(&value).map(Some).map_err(|error| PortError::Damaged(error.to_string()))
    }

    async fn replay(&self, webhook_id: Arc<str>) -> Result<Webhook, ReplayError> {
        if !self.scripts.is_caught_up() || !self.index().is_read {
            return Err(ReplayError::NotReady);
        }
        let position = {
            let mut index = self.index();
            let Some(cursor) = index.by_key.get(&webhook_id).copied() else {
                return Err(ReplayError::NotFound);
            };
            if !index.replaying.insert(Arc::clone(&webhook_id)) {
                return Err(ReplayError::InProgress);
            }
            cursor.position
        };
        let outcome = self.replay_at(&webhook_id, position).await;
        let mut index = self.index();
        index.replaying.remove(&webhook_id);
        if outcome.is_ok() {
            index.remove(&webhook_id);
        }
        outcome
    }

    async fn replay_at(&self, webhook_id: &Arc<str>, position: Position) -> Result<Webhook, ReplayError> {
        let Some(letter) = self.read(position).await? else { return Err(ReplayError::NotFound) };
        let webhook = letter.webhook;
        let newest = self.scripts.newest(&webhook.config_id).map(|script| script.hash);
        if webhook.script_hash.is_some() && newest.is_none() {
            return Err(ReplayError::NoScript(webhook.config_id));
        }
        let previous = PreviousError {
            error_type: letter.reason_type,
            message: letter.last_error,
            status_code: letter.status_code,
            attempt: webhook.attempt,
            retryable: false,
        };
        let webhook = Webhook { attempt: 0, script_hash: newest, previous_error: Some(previous), ..webhook };
        let json = serde_json::to_vec(&webhook).map_err(|error| PortError::Damaged(error.to_string()))?;
        // The status first: a fast worker's is then the later one.
        let status = StatusRecord::new(&webhook, WebhookState::Pending, 0, self.clock.now());
        self.statuses.put(&status).await;
        let pending = Append::new(Topic::Pending, Arc::clone(webhook_id), json).new_work();
        let replayed = Append::tombstone(Topic::DeadLetter, Arc::clone(webhook_id));
        self.log.append(vec![pending, replayed]).await?;
        self.observer.observe(super::Observed::Received);
        Ok(webhook)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_text_and_comes_back() {
        let cursor = Cursor { time_ms: -5, position: Position { partition: 3, offset: u64::MAX } };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1.2", "1.2.3.4", "a.b.c", "1.2.-3", "1..2", "99999999999999999999.0.0"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut index = Index::default();
        for n in 0..10_u64 {
            let cursor = Cursor { time_ms: n as i64, position: Position { partition: 0, offset: n } };
            let config = format!("c{}", n % 2).parse().unwrap();
            index.put(cursor, Entry { key: n.to_string().into(), config, reason: Reason::Exhausted }, 4);
        }
        let offsets = |of: &PageOf, before| {
            let found = index.select(of, before, 10);
            found.iter().map(|cursor| cursor.position.offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(&PageOf::default(), None), [9, 8, 7, 6]);
        let configs = Some(vec!["c0".parse().unwrap(), "c0".parse().unwrap(), "cx".parse().unwrap()]);
        assert_eq!(offsets(&PageOf { configs, ..PageOf::default() }, None), [8, 6]);
        let reason = Some(Reason::Unrecoverable);
        assert_eq!(offsets(&PageOf { reason, ..PageOf::default() }, None), [0; 0]);
        assert!(index.has_dropped && index.by_key.len() == 4 && index.by_config.len() == 2);
    }
}
