//! Readers and consumers of the embedded log. Each topic has one partition.

use super::hub::Group;
use super::ledger::Ledger;
use super::{Shared, records};
use crate::{
    Consumer, Delivery, Finish, PortError, PortFuture, Position, Record, Tail, TailEvent, TailScope, Topic,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Turn to have the partition, among the members of a group.
#[derive(Debug)]
struct Turn {
    of: Arc<Semaphore>,
    mine: Option<OwnedSemaphorePermit>,
}

impl Turn {
    fn new(of: Arc<Semaphore>) -> Self {
        Turn { of, mine: None }
    }

    /// Waits until the partition is this member's; it stays so.
    async fn take(&mut self) -> Result<(), PortError> {
        if self.mine.is_none() {
            let permit = Arc::clone(&self.of).acquire_owned().await;
            self.mine = Some(permit.map_err(|_| PortError::Closed)?);
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct EmbeddedTail {
    shared: Arc<Shared>,
    topic: Topic,
    turn: Option<Turn>,
    end: watch::Receiver<u64>,
    /// The first record that was not told.
    next: u64,
    /// Records that were read and not told.
    read: VecDeque<Record>,
    /// True if the end is to be told when it is reached.
    tells_end: bool,
    position: Arc<AtomicU64>,
}

impl EmbeddedTail {
    pub(super) fn new(shared: Arc<Shared>, topic: Topic, scope: &TailScope) -> Self {
        let turn = match scope {
            TailScope::All => None,
            TailScope::Share(group) => Some(Turn::new(shared.hub.share(topic, group))),
        };
        let (end, position) = (shared.hub.end(topic).subscribe(), shared.hub.add_tail(topic));
        EmbeddedTail { shared, topic, turn, end, next: 0, read: VecDeque::new(), tells_end: true, position }
    }

    async fn next_event(&mut self) -> Result<TailEvent, PortError> {
        if let Some(turn) = &mut self.turn {
            turn.take().await?;
        }
        loop {
            if let Some(record) = self.read.pop_front() {
                self.pass(record.position.offset + 1);
                self.tells_end = true;
                return Ok(TailEvent::Record(record));
            }
            if self.shared.hub.is_closed() {
                return Err(PortError::Closed);
            }
            let end = *self.end.borrow_and_update();
            if self.next < end {
                let (topic, from) = (self.topic, self.next);
                self.read =
                    self.shared.read(move |connection| records::read(connection, topic, from)).await?.into();
                if self.read.is_empty() {
                    // Nothing is left of what was there.
                    self.pass(end);
                    self.tells_end = true;
                }
            } else if std::mem::take(&mut self.tells_end) {
                return Ok(TailEvent::CaughtUp { partition: 0, next: end });
            } else {
                self.end.changed().await.map_err(|_| PortError::Closed)?;
            }
        }
    }

    fn pass(&mut self, next: u64) {
        self.next = next;
        self.position.store(next, Ordering::Release);
    }
}

impl Tail for EmbeddedTail {
    fn next(&mut self) -> PortFuture<'_, TailEvent> {
        Box::pin(self.next_event())
    }

    fn read(&self, position: Position) -> PortFuture<'_, Option<Record>> {
        let topic = self.topic;
        Box::pin(self.shared.read(move |connection| records::read_one(connection, topic, position.offset)))
    }
}

#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    shared: Arc<Shared>,
    topic: Topic,
    turn: Turn,
    ledger: Arc<Ledger>,
    in_flight: usize,
    end: watch::Receiver<u64>,
    changes: watch::Receiver<()>,
    /// Records that were read and not given out.
    read: VecDeque<Record>,
}

impl EmbeddedConsumer {
    pub(super) fn new(shared: Arc<Shared>, topic: Topic, group: &Group, in_flight: usize) -> Self {
        let (end, ledger) = (shared.hub.end(topic).subscribe(), Arc::clone(&group.ledger));
        let (turn, changes) = (Turn::new(Arc::clone(&group.turn)), ledger.changes());
        let (in_flight, read) = (in_flight.max(1), VecDeque::new());
        EmbeddedConsumer { shared, topic, turn, ledger, in_flight, end, changes, read }
    }

    async fn next_delivery(&mut self) -> Result<Delivery, PortError> {
        self.turn.take().await?;
        loop {
            if self.shared.hub.is_closed() {
                return Err(PortError::Closed);
            }
            self.changes.borrow_and_update();
            let end = *self.end.borrow_and_update();
            if self.ledger.open() >= self.in_flight {
                self.wait(false).await?;
                continue;
            }
            if let Some(record) = self.ledger.take_returned() {
                return Ok(self.deliver(record));
            }
            if let Some(record) = self.read.pop_front() {
                self.ledger.give(record.position.offset);
                return Ok(self.deliver(record));
            }
            let (topic, from) = (self.topic, self.ledger.next());
            if from >= end {
                self.wait(true).await?;
                continue;
            }
            self.read =
                self.shared.read(move |connection| records::read(connection, topic, from)).await?.into();
            if self.read.is_empty() {
                self.ledger.skip(end);
            }
        }
    }

    /// Waits until something was finished or returned, or, if there is nothing to give, appended.
    async fn wait(&mut self, for_records: bool) -> Result<(), PortError> {
        let changed = if for_records {
            tokio::select! {
                changed = self.changes.changed() => changed,
                changed = self.end.changed() => changed,
            }
        } else {
            self.changes.changed().await
        };
        changed.map_err(|_| PortError::Closed)
    }

    fn deliver(&self, record: Record) -> Delivery {
        Delivery::new(record, Arc::clone(&self.ledger) as Arc<dyn Finish>)
    }
}

impl Consumer for EmbeddedConsumer {
    fn next(&mut self) -> PortFuture<'_, Delivery> {
        Box::pin(self.next_delivery())
    }
}
