//! Events: what a change is for one watcher.

use crate::capture::{Operation, RowChange};
use crate::database::Committed;
use crate::log::Source;
use crate::value::SqlValue;
use std::rc::Rc;

/// Names and values of a row.
pub(crate) type Image = Rc<[(Box<str>, SqlValue)]>;

/// Meaning of a change for the filter of a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A row that is in the filter now, and was not before.
    Enter,
    /// A row that was in the filter before, and is not now.
    Leave,
    /// A row that was and is in the filter, with other values.
    Change,
}

impl Change {
    /// The name in events: `"enter"`, `"leave"`, `"change"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Leave => "leave",
            Self::Change => "change",
        }
    }
}

/// A change of a row, or of a row of a query's result, as a watcher tells it.
#[derive(Debug, Clone)]
pub struct ChangeEvent {
    pub(crate) watcher: Rc<str>,
    pub(crate) change: Change,
    pub(crate) row: Rc<RowEvent>,
    pub(crate) commit: Rc<CommitFacts>,
}

/// The part of an event that all watchers of a row share.
#[derive(Debug)]
pub(crate) struct RowEvent {
    pub(crate) seq: i64,
    pub(crate) operation: Operation,
    pub(crate) table: Rc<str>,
    pub(crate) rowid: Option<i64>,
    pub(crate) key: Vec<SqlValue>,
    pub(crate) old: Option<Image>,
    pub(crate) new: Option<Image>,
}

/// The part of an event that all changes of a transaction share.
#[derive(Debug)]
pub(crate) struct CommitFacts {
    pub(crate) id: Box<str>,
    pub(crate) source: Source,
    pub(crate) cause: Option<i64>,
    pub(crate) at: i64,
}

impl CommitFacts {
    pub(crate) fn new(committed: &Committed, device: &str) -> Self {
        let Committed { transaction, source, cause, at, .. } = *committed;
        Self { id: format!("{device}-{transaction}").into(), source, cause, at }
    }
}

impl RowEvent {
    pub(crate) fn new(change: &RowChange, seq: i64) -> Self {
        let image =
            |row: &crate::capture::Row| row.iter().map(|(name, value)| (name.into(), value)).collect();
        Self {
            seq,
            operation: change.operation(),
            table: change.table().into(),
            rowid: change.rowid(),
            key: change.key(),
            old: change.old_row().map(image),
            new: change.new_row().map(image),
        }
    }
}

impl ChangeEvent {
    /// The id of the watcher.
    pub fn watcher_id(&self) -> &str {
        &self.watcher
    }

    /// The meaning of the change for the filter of the watcher.
    pub fn change(&self) -> Change {
        self.change
    }

    /// The number of the change in the log; of a query that of the last change of the transaction.
    pub fn seq(&self) -> i64 {
        self.row.seq
    }

    /// The kind of the change.
    pub fn operation(&self) -> Operation {
        self.row.operation
    }

    /// The name of the table; of a query its text.
    pub fn table_name(&self) -> &str {
        &self.row.table
    }

    /// The value that names the row: the value of a primary key of one column, the rowid where there is none,
    /// else the values of the key as a JSON array.
    pub fn row_id(&self) -> SqlValue {
        match self.row.key.as_slice() {
            [SqlValue::Null] => self.row.rowid.into(),
            [one] => one.clone(),
            key => crate::log::key_text(key).into(),
        }
    }

    /// The values of the primary key, or the rowid where none is declared.
    pub fn key(&self) -> &[SqlValue] {
        &self.row.key
    }

    /// Names and values before; `None` if there was no such row.
    pub fn old_data(&self) -> Option<&[(Box<str>, SqlValue)]> {
        self.row.old.as_deref()
    }

    /// Names and values after; `None` if there is no such row.
    pub fn new_data(&self) -> Option<&[(Box<str>, SqlValue)]> {
        self.row.new.as_deref()
    }

    /// The time of the commit, in milliseconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.commit.at
    }

    /// The name of the transaction: `DEVICE-NUMBER`.
    pub fn transaction_id(&self) -> &str {
        &self.commit.id
    }

    /// The source of the transaction.
    pub fn source(&self) -> Source {
        self.commit.source
    }

    /// The number of the transaction whose changes this one reacts to.
    pub fn cause(&self) -> Option<i64> {
        self.commit.cause
    }
}
