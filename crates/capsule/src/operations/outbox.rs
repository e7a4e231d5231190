//! Messages for the host: what happens in a capsule while no call of the host waits for it.
//!
//! The host is told that there are some, and takes them one by one between its calls.

use super::reply::{Reply, failure};
use crate::catalog::SchemaChange;
use crate::database::Committed;
use crate::error::CapsuleError;
use crate::watch::{ChangeEvent, LiveUpdate, Patch};
use perilune::Value;
use perilune::value::FormatError;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// A message.
#[derive(Debug)]
enum Message {
    /// Payload that was dispatched under a name that the host listens to.
    Dispatched { name: String, payload: Value },
    /// Events of a watcher.
    Events { watcher: Rc<str>, events: Vec<ChangeEvent> },
    /// Update of a live query.
    Live(Live),
    /// Error that nobody waits for.
    Error(CapsuleError),
    /// The facts of a commit.
    Committed {
        transaction: i64,
        source: &'static str,
        seq: i64,
        rows: Vec<(&'static str, Rc<str>)>,
        schema: Vec<SchemaChange>,
    },
}

#[derive(Debug)]
struct Live {
    id: u64,
    seq: i64,
    columns: Vec<String>,
    patches: Vec<Patch>,
}

/// Function that tells the host how many messages wait.
pub(super) type Notify = fn(u32);

/// The messages that wait.
pub(super) struct Outbox {
    waiting: RefCell<VecDeque<Message>>,
    notify: Notify,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.waiting.borrow()).finish()
    }
}

impl Outbox {
    pub(super) fn new(notify: Notify) -> Self {
        Self { waiting: RefCell::default(), notify }
    }

    fn push(&self, message: Message) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(message);
        (self.notify)(u32::try_from(waiting.len()).unwrap_or(u32::MAX));
    }

    pub(super) fn dispatched(&self, name: &str, payload: &Value) {
        self.push(Message::Dispatched { name: name.to_owned(), payload: payload.clone() });
    }

    pub(super) fn events(&self, events: &[ChangeEvent]) {
        if let Some(first) = events.first() {
            self.push(Message::Events { watcher: Rc::clone(&first.watcher), events: events.to_vec() });
        }
    }

    pub(super) fn live(&self, id: u64, update: LiveUpdate<'_>) {
        let LiveUpdate { rows, patches, seq } = update;
        self.push(Message::Live(Live { id, seq, columns: rows.columns.clone(), patches: patches.to_vec() }));
    }

    pub(super) fn error(&self, error: &CapsuleError) {
        self.push(Message::Error(error.clone()));
    }

    pub(super) fn committed(&self, committed: &Committed) {
        let changes = &committed.changes;
        self.push(Message::Committed {
            transaction: committed.transaction,
            source: committed.source.name(),
            seq: committed.first.map_or(0, |first| first + changes.len() as i64 - 1),
            rows: changes.iter().map(|change| (change.operation().name(), change.table.clone())).collect(),
            schema: committed.schema.clone(),
        });
    }

    /// Writes the message that waits longest, and forgets it; writes nil if there is none.
    pub(super) fn take(&self, reply: &mut Reply<'_, '_>) -> Result<(), FormatError> {
        let Some(message) = self.waiting.borrow_mut().pop_front() else { return reply.nil() };
        match message {
            Message::Dispatched { name, payload } => {
                reply.text("dispatched")?;
                reply.text(&name)?;
                reply.lua(&payload)
            }
            Message::Events { watcher, events } => {
                reply.text("events")?;
                reply.text(&watcher)?;
                reply.count(events.len())?;
                events.iter().try_for_each(|event| reply.event(event))
            }
            Message::Live(Live { id, seq, columns, patches }) => {
                reply.text("live")?;
                reply.integer(id as i64)?;
                reply.integer(seq)?;
                reply.columns(&columns)?;
                reply.count(patches.len())?;
                patches.iter().try_for_each(|patch| reply.patch(patch))
            }
            Message::Error(error) => {
                reply.text("error")?;
                reply.lua(&failure(&error))
            }
            Message::Committed { transaction, source, seq, rows, schema } => {
                reply.text("committed")?;
                reply.integer(transaction)?;
                reply.text(source)?;
                reply.integer(seq)?;
                reply.count(rows.len())?;
                for (operation, table) in &rows {
                    reply.text(operation)?;
                    reply.text(table)?;
                }
                reply.count(schema.len())?;
                schema.iter().try_for_each(|change| schema_change(reply, change))
            }
        }
    }

    /// Forgets all messages.
    pub(super) fn clear(&self) {
        self.waiting.borrow_mut().clear();
    }
}

/// A change of the schema: its kind, the table, and its new name or nil.
fn schema_change(reply: &mut Reply<'_, '_>, change: &SchemaChange) -> Result<(), FormatError> {
    let (kind, table, to) = match change {
        SchemaChange::Created(table) => ("created", table, None),
        SchemaChange::Altered(table) => ("altered", table, None),
        SchemaChange::Renamed { from, to } => ("renamed", from, Some(to)),
        SchemaChange::Dropped(table) => ("dropped", table, None),
        SchemaChange::Renumbered(table) => ("renumbered", table, None),
    };
    reply.text(kind)?;
    reply.text(table)?;
    reply.optional_text(to.map(|to| &**to))
}
