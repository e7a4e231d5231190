//! The trait of the log: topics of records, groups that consume them, and readers that follow them.

use crate::PortFuture;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// A topic of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// The scripts by config id. Compacted, one partition.
    Scripts,
    /// Webhooks that wait for an attempt.
    Pending,
    /// Webhooks that were delivered.
    Results,
    /// Webhooks that were given up; a tombstone says that one was replayed.
    DeadLetter,
    /// Webhooks that wait for their next attempt, by webhook id. Compacted.
    Retries,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 5] =
        [Topic::Scripts, Topic::Pending, Topic::Results, Topic::DeadLetter, Topic::Retries];

    /// The name that operators see.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Scripts => "howk.scripts",
            Topic::Pending => "howk.pending",
            Topic::Results => "howk.results",
            Topic::DeadLetter => "howk.deadletter",
            Topic::Retries => "howk.retries",
        }
    }

    /// True if only the last record of each key is kept.
    pub fn is_compacted(self) -> bool {
        matches!(self, Topic::Scripts | Topic::Retries)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Topic to which it goes.
    pub topic: Topic,
    /// Key of the record: records of one key keep their order.
    pub key: Arc<str>,
    /// Value of the record; none is a tombstone, which deletes the key where records are compacted.
    pub value: Option<Bytes>,
    /// True for new work: it is refused while the last of the room is kept for what finishes old work.
    pub is_new_work: bool,
}

impl Append {
    /// A record with a value.
    pub fn new(topic: Topic, key: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        Append { topic, key: key.into(), value: Some(value.into()), is_new_work: false }
    }

    /// A record without a value.
    pub fn tombstone(topic: Topic, key: impl Into<Arc<str>>) -> Self {
        Append { topic, key: key.into(), value: None, is_new_work: false }
    }

    /// The same record as new work.
    #[must_use]
    pub fn new_work(mut self) -> Self {
        self.is_new_work = true;
        self
    }
}

/// Place of a record in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The number of the record there. Numbers grow; some may be missing.
    pub offset: u64,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Topic of the record.
    pub topic: Topic,
    /// Place in the topic.
    pub position: Position,
    /// Key of the record.
    pub key: Arc<str>,
    /// Value of the record; none for a tombstone.
    pub value: Option<Bytes>,
    /// Time at which it was appended.
    pub time: Timestamp,
}

/// Partitions that a reader follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailScope {
    /// All of them.
    All,
    /// The partitions that the members of this group share out to this one. Each has one owner at a time.
    Share(String),
}

/// Event that a reader is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailEvent {
    /// The next record of a partition.
    Record(Record),
    /// Everything below `next` has been told. Said whenever the end of a partition is reached: once at the
    /// beginning, also for an empty one, and after each run of records.
    CaughtUp {
        /// The partition.
        partition: u32,
        /// The number that its next record will have, or a lower one.
        next: u64,
    },
    /// The partition has another owner now: what was learnt of it is void.
    Lost {
        /// The partition.
        partition: u32,
    },
}

/// A log of records. Its clones and readers may be used from any task.
pub trait Log: Send + Sync + fmt::Debug {
    /// Appends records in their order, and answers when they are durable.
    ///
    /// An embedded log appends all of them or none. Another one may fail with some of the first appended.
    ///
    /// # Errors
    /// The log has not acknowledged them all. No error ends the log: later appends may succeed.
    fn append(&self, records: Vec<Append>) -> PortFuture<'_, Vec<Position>>;

    /// Reads a topic from its beginning and follows it, without consuming anything.
    fn tail(&self, topic: Topic, scope: TailScope) -> PortFuture<'_, Box<dyn Tail>>;

    /// Joins a group of consumers, which share the records of a topic. A new group begins at the first record
    /// that is kept: what every group has finished may be gone.
    ///
    /// At most `in_flight` records of a partition are open: given out, and not finished.
    fn subscribe(&self, topic: Topic, group: &str, in_flight: usize) -> PortFuture<'_, Box<dyn Consumer>>;

    /// The end of each partition: the number that its next record will have.
    fn ends(&self, topic: Topic) -> PortFuture<'_, Vec<Position>>;

    /// The number of records that the group has not finished, without those that it has finished out of
    /// order.
    fn lag(&self, topic: Topic, group: &str) -> PortFuture<'_, u64>;

    /// Asks whether the log takes and gives records now.
    fn health(&self) -> PortFuture<'_, ()>;
}

/// A reader of a topic.
pub trait Tail: Send + Sync + fmt::Debug {
    /// The next event. A call that is dropped loses nothing.
    fn next(&mut self) -> PortFuture<'_, TailEvent>;

    /// Reads a record again that this reader has told; none if it was superseded or has expired since.
    fn read(&self, position: Position) -> PortFuture<'_, Option<Record>>;
}

/// A member of a group of consumers.
pub trait Consumer: Send + fmt::Debug {
    /// The next record, once fewer than the agreed number are open. A call that is dropped loses nothing.
    fn next(&mut self) -> PortFuture<'_, Delivery>;
}

/// Hears of the end of a delivery.
pub trait Finish: Send + Sync + fmt::Debug {
    /// Notes that a record is done with: what follows from it is durable.
    fn finished(&self, position: Position);
    /// Takes back a record that was dropped unfinished, and is to be given out again.
    fn returned(&self, record: Record);
}

/// A record that was given to a consumer, until it is finished.
///
/// One that is dropped unfinished is given out again, by this consumer while it lives, else by the group's
/// next.
#[derive(Debug)]
pub struct Delivery {
    record: Option<Record>,
    to: Arc<dyn Finish>,
}

impl Delivery {
    /// A delivery whose end is told to `to`.
    pub fn new(record: Record, to: Arc<dyn Finish>) -> Self {
        Delivery { record: Some(record), to }
    }

    /// The record.
    ///
    /// # Panics
    /// Never: the record is there until the delivery is finished or dropped.
    pub fn record(&self) -> &Record {
        self.record.as_ref().expect("a delivery has its record until it ends")
    }

    /// Says that the record is done with. The group forgets it once everything before it is finished, too.
    pub fn finish(mut self) {
        if let Some(record) = self.record.take() {
            self.to.finished(record.position);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.to.returned(record);
        }
    }
}
