//! Facts that the threads of the store and its readers share: ends of topics, readers, groups.

use super::ledger::{Ledger, Note};
use super::records;
use super::thread::Command;
use crate::{Clock, Topic};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Work that a group has finished, as it is to be written down.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) topic: Topic,
    pub(super) group: Arc<str>,
    pub(super) note: Note,
    /// Offset below which every reader of the topic has told everything.
    pub(super) passed: u64,
    ledger: Arc<Ledger>,
}

/// A group of consumers, or of readers that share a topic.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Turn to have the partition: one member has it at a time.
    pub(super) turn: Arc<Semaphore>,
    /// Ledger of what is given out; none for readers.
    pub(super) ledger: Arc<Ledger>,
}

/// One value for each group of a topic.
type ByGroup<T> = BTreeMap<(Topic, Arc<str>), T>;

#[derive(Debug)]
pub(super) struct Hub {
    clock: Arc<dyn Clock>,
    opened: (Timestamp, Duration),
    ends: BTreeMap<Topic, watch::Sender<u64>>,
    groups: Mutex<ByGroup<Group>>,
    shares: Mutex<ByGroup<Arc<Semaphore>>>,
    tails: Mutex<Vec<(Topic, Weak<AtomicU64>)>>,
    wake: Sender<Command>,
    closed: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(super) fn load(
        connection: &Connection,
        clock: Arc<dyn Clock>,
        wake: Sender<Command>,
    ) -> rusqlite::Result<Self> {
        let mut ends = BTreeMap::new();
        for topic in Topic::ALL {
            ends.insert(topic, watch::Sender::new(records::end(connection, topic)?));
        }
        let opened = (clock.now(), clock.elapsed());
        let (groups, shares, tails) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Hub { clock, opened, ends, groups, shares, tails, wake, closed: AtomicBool::new(false) })
    }

    /// The time in milliseconds. A wall clock that jumps while the store is open ages nothing.
    pub(super) fn now_ms(&self) -> i64 {
        let (wall, elapsed) = self.opened;
        let passed = SignedDuration::try_from(self.clock.elapsed().saturating_sub(elapsed));
        let now = passed.ok().and_then(|passed| wall.checked_add(passed).ok());
        now.unwrap_or(Timestamp::MAX).as_millisecond()
    }

    pub(super) fn end(&self, topic: Topic) -> &watch::Sender<u64> {
        &self.ends[&topic]
    }

    /// Tells readers of a topic where it ends now.
    pub(super) fn advance(&self, topic: Topic, end: u64) {
        self.end(topic).send_if_modified(|known| {
            let is_more = end > *known;
            *known = end.max(*known);
            is_more
        });
    }

    pub(super) fn group(&self, topic: Topic, name: &str, committed: u64) -> Group {
        let mut groups = lock(&self.groups);
        let group = groups.entry((topic, name.into())).or_insert_with(|| Group {
            turn: Arc::new(Semaphore::new(1)),
            ledger: Arc::new(Ledger::new(committed, self.wake.clone())),
        });
        group.clone()
    }

    pub(super) fn share(&self, topic: Topic, name: &str) -> Arc<Semaphore> {
        let mut shares = lock(&self.shares);
        Arc::clone(shares.entry((topic, name.into())).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }

    /// Registers a reader; the number is the first record that it has not told.
    pub(super) fn add_tail(&self, topic: Topic) -> Arc<AtomicU64> {
        let position = Arc::new(AtomicU64::new(0));
        lock(&self.tails).push((topic, Arc::downgrade(&position)));
        position
    }

    /// Returns for each topic the offset below which every reader has told everything.
    pub(super) fn passed(&self) -> BTreeMap<Topic, u64> {
        let mut passed: BTreeMap<_, _> = Topic::ALL.map(|topic| (topic, *self.end(topic).borrow())).into();
        lock(&self.tails).retain(|(topic, tail)| {
            let Some(tail) = tail.upgrade() else { return false };
            let lowest = passed.entry(*topic).or_default();
            *lowest = tail.load(Ordering::Acquire).min(*lowest);
            true
        });
        passed
    }

    /// Returns what groups have finished since it was last written down.
    pub(super) fn take_commits(&self) -> Vec<Commit> {
        let groups = lock(&self.groups);
        let mut commits: Vec<_> = groups
            .iter()
            .filter_map(|((topic, name), group)| {
                let (group, ledger) = (Arc::clone(name), Arc::clone(&group.ledger));
                ledger.take_note().map(|note| Commit { topic: *topic, group, note, passed: 0, ledger })
            })
            .collect();
        drop(groups);
        if !commits.is_empty() {
            let passed = self.passed();
            for commit in &mut commits {
                commit.passed = passed.get(&commit.topic).copied().unwrap_or_default();
            }
        }
        commits
    }

    /// Tells the groups whether what they have finished is written down.
    pub(super) fn committed(commits: Vec<Commit>, is_written: bool) {
        for Commit { note, ledger, .. } in commits {
            if is_written {
                ledger.noted(&note);
            } else {
                ledger.not_noted(note);
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Wakes every reader, to tell it that the store is closed.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for end in self.ends.values() {
            end.send_modify(|_| {});
        }
    }
}
