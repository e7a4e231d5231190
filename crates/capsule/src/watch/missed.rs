//! Events that a subscriber has missed, made of the log.

use super::event::{ChangeEvent, CommitFacts, RowEvent};
use super::{Target, Watcher, meaning, sides};
use crate::capture::{Operation, Row};
use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{LoggedChange, Source};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

/// Changes of the log that are looked through for one who has missed some, at most.
pub(super) const MISSED_MAX: i64 = 10_000;

/// Events that a subscriber has missed.
#[derive(Debug, Clone)]
pub enum Missed {
    /// All of them, in order.
    Events(Vec<ChangeEvent>),
    /// Unknown ones: the log does not reach back, the schema has changed, or they are those of a query
    /// whose rows may have changed. The subscriber begins again with the data as it is.
    Reset,
}

/// True if all changes since a number can be read from the log.
pub(super) fn is_known(db: &Database, since: i64) -> Result<bool> {
    Ok(db.last_change()? - since <= MISSED_MAX && db.log_reaches_back(since)?)
}

impl Watcher {
    /// The events since a number that were delivered, or would have been. Those that wait for their delivery
    /// are not among them.
    pub(crate) fn missed(&self, db: &Database, since: i64) -> Result<Missed> {
        if !is_known(db, since)? {
            return Ok(Missed::Reset);
        }
        let mut changes = db.changes_since(since, MISSED_MAX)?;
        if let Some(first) = self.pending.borrow().first() {
            changes.retain(|change| change.seq < first.seq());
        }
        match &self.target {
            Target::Query { ladder, .. } => {
                let is_unchanged =
                    ladder.is_steady() && !changes.iter().any(|change| ladder.sees_logged(change));
                Ok(if is_unchanged { Missed::Events(Vec::new()) } else { Missed::Reset })
            }
            Target::Table { name, filter } => {
                changes.retain(|change| change.table == **name);
                self.of_table(db, name, filter.as_deref(), changes)
            }
        }
    }

    fn of_table(
        &self,
        db: &Database,
        name: &str,
        filter: Option<&str>,
        changes: Vec<LoggedChange>,
    ) -> Result<Missed> {
        let Some(table) = db.table(name) else { return Ok(Missed::Reset) };
        let mut commits: HashMap<i64, Rc<CommitFacts>> = HashMap::new();
        let mut events = Vec::new();
        for change in changes {
            let image =
                |row: &Option<Vec<_>>| row.as_ref().map(|row| Row::of_values(&table, row)).transpose();
            let (Some(old), Some(new)) = (image(&change.old).ok(), image(&change.new).ok()) else {
                return Ok(Missed::Reset);
            };
            let holds = |row: Option<&Row>| -> Result<bool> {
                let (Some(row), Some(filter)) = (row, filter) else { return Ok(row.is_some()) };
                let mut errors = Vec::new();
                let answer = sides(db, Some((row, change.rowid)), &[filter], &mut errors);
                errors.pop().map_or(Ok(answer == [true]), Err)
            };
            let Some(meaning) = meaning(holds(old.as_ref())?, holds(new.as_ref())?) else { continue };
            let commit = match commits.entry(change.transaction) {
                Entry::Occupied(known) => Rc::clone(known.get()),
                Entry::Vacant(new) => Rc::clone(new.insert(Rc::new(facts(db, &change)?))),
            };
            let row = Rc::new(row_event(change, name));
            events.push(ChangeEvent { watcher: Rc::clone(&self.id), change: meaning, row, commit });
        }
        Ok(Missed::Events(events))
    }
}

fn facts(db: &Database, change: &LoggedChange) -> Result<CommitFacts> {
    let source = [Source::Application, Source::Lua, Source::Sync, Source::Undo]
        .into_iter()
        .find(|source| source.name() == change.source);
    let Some(source) = source else {
        let message = format!("the log has a change of an unknown source: {}", change.source);
        return Err(CapsuleError::new(ErrorKind::Corrupt, message));
    };
    let cause = db.logged_transaction(change.transaction)?.and_then(|transaction| transaction.cause);
    let id = format!("{}-{}", db.device(), change.transaction).into();
    Ok(CommitFacts { id, source, cause, at: change.at })
}

fn row_event(change: LoggedChange, table: &str) -> RowEvent {
    let LoggedChange { seq, rowid, key, old, new, .. } = change;
    let operation = match (&old, &new) {
        (None, _) => Operation::Insert,
        (_, None) => Operation::Delete,
        _ => Operation::Update,
    };
    let image = |row: Vec<(String, _)>| row.into_iter().map(|(name, value)| (name.into(), value)).collect();
    RowEvent { seq, operation, table: table.into(), rowid, key, old: old.map(image), new: new.map(image) }
}
