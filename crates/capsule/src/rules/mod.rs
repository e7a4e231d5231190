//! Rules that rows go through within a transaction: whoever writes, by whatever way.
//!
//! A row is judged when its statement has made it ([`Rules::validate`]), by a temporary trigger, so that an
//! error takes the statement back. When a transaction is about to commit, its net changes are shown
//! ([`Rules::round`]); what that writes is shown in another round.

mod validators;

pub(crate) use validators::Validators;

use crate::capture::{Operation, RowChange};
use crate::catalog::Column;
use crate::error::Result;
use rusqlite::types::ValueRef;
use std::fmt;

/// Rounds of rules before a commit, at most.
pub(crate) const ROUNDS_MAX: usize = 16;

/// Operations of which each row is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Judged {
    pub(crate) insert: bool,
    pub(crate) update: bool,
    pub(crate) delete: bool,
}

impl Judged {
    fn any(self) -> bool {
        self != Self::default()
    }

    fn includes(self, operation: Operation) -> bool {
        match operation {
            Operation::Insert => self.insert,
            Operation::Update => self.update,
            Operation::Delete => self.delete,
        }
    }
}

/// A row that is judged: the columns of its table, and a value for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JudgedRow<'a> {
    columns: &'a [Column],
    values: &'a [ValueRef<'a>],
}

impl<'a> JudgedRow<'a> {
    /// Names and values of the columns that are not NULL.
    pub(crate) fn present(self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
        let all = self.columns.iter().map(Column::name).zip(self.values.iter().copied());
        all.filter(|(_, value)| *value != ValueRef::Null)
    }
}

/// Rules of one database.
pub(crate) trait Rules: fmt::Debug {
    /// The operations that some rule judges at the moment.
    fn judged(&self) -> Judged;

    /// Judges one row, in the middle of the statement that writes it. An error takes the statement back.
    /// Nothing may be written meanwhile.
    fn validate(
        &self,
        operation: Operation,
        table: &str,
        new: Option<JudgedRow<'_>>,
        old: Option<JudgedRow<'_>>,
    ) -> Result<()>;

    /// True if some rule wants to see the rounds of a transaction at the moment.
    fn sees_rounds(&self) -> bool;

    /// Shows the net changes of a transaction that are different from those of the last round. It may write.
    fn round(&self, changes: &[RowChange]) -> Result<()>;
}

/// The changes of a round that the one before did not have.
pub(crate) fn fresh(changes: &[RowChange], before: &[RowChange]) -> Vec<RowChange> {
    // Both are in the order of the first touch: what is looked for lies behind what was found last.
    let mut rest = before;
    let is_new = |change: &&RowChange| {
        let Some(at) = rest.iter().position(|known| known.is_of_same_row(change)) else { return true };
        let known = &rest[at];
        rest = &rest[at + 1..];
        known != *change
    };
    changes.iter().filter(is_new).cloned().collect()
}
