//! Effects of a transaction: undoing one, and previewing one.

use crate::capture::RowChange;
use crate::catalog::Table;
use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{LoggedChange, Source};
use crate::value::{SqlValue, is_same};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Row that is not as the transaction left it, so that it cannot be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocker {
    /// The name of the table.
    pub table: String,
    /// The values of the primary key, or the rowid where none is declared.
    pub key: Vec<SqlValue>,
    /// The last transaction that changed the row; `None` if the log does not say.
    pub transaction: Option<i64>,
}

/// Result of undoing a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// The rows are as they were before it. There may be nothing left to be undone.
    Done {
        /// The number of rows that were written.
        rows: usize,
    },
    /// Rows that have changed since. Nothing was written.
    Blocked(Vec<Blocker>),
}

/// Reference to a row that is not there: the table, the rowid if it has rowids, and the number of the foreign
/// key.
type Dangling = (String, Option<i64>, Option<i64>);

/// Reason that the transaction of an undo is taken back.
enum Stopped {
    Blocked(Vec<Blocker>),
    Failed(CapsuleError),
}

impl From<CapsuleError> for Stopped {
    fn from(error: CapsuleError) -> Self {
        Self::Failed(error)
    }
}

impl Database {
    /// Undoes a transaction: writes the opposite of each of its changes, in a transaction of its own whose
    /// source is [`Source::Undo`]. Undoing that one does the changes again.
    ///
    /// # Errors
    /// `usage` if the log has no such transaction, or no longer has its changes, and within a transaction;
    /// `constraint` or `veto` if the rows cannot be as they were.
    pub fn undo(&self, transaction: i64) -> Result<Undo> {
        let Some(logged) = self.logged_transaction(transaction)? else {
            return Err(CapsuleError::usage(format!("the log has no transaction {transaction}")));
        };
        let changes = self.changes_of(transaction)?;
        if changes.len() as i64 != logged.events {
            return Err(CapsuleError::usage(format!(
                "the log no longer has what transaction {transaction} changed"
            )));
        }
        let tables = self.tables_around(&changes)?;
        // A row that goes for another to come must not take along those that refer to it.
        let undone = self.without_foreign_keys("an undo", || {
            let dangling = self.dangling(&tables)?;
            Ok(self.with_source(Source::Undo, || {
                self.transaction(|db| db.write_opposites(&changes, &tables, &dangling))
            }))
        })?;
        match undone {
            Err(Stopped::Blocked(blockers)) => Ok(Undo::Blocked(blockers)),
            Err(Stopped::Failed(error)) => Err(error),
            Ok(done) => Ok(done),
        }
    }

    /// Writes the opposite of changes, if nothing is in the way.
    fn write_opposites(
        &self,
        changes: &[LoggedChange],
        tables: &BTreeSet<String>,
        dangling: &BTreeSet<Dangling>,
    ) -> std::result::Result<Undo, Stopped> {
        let blockers = self.blockers(changes)?;
        if !blockers.is_empty() {
            return Err(Stopped::Blocked(blockers));
        }
        // What triggers did is among the changes.
        self.without_triggers(|| {
            // What is in the way of an old row goes first.
            let (gone, come): (Vec<_>, Vec<_>) =
                changes.iter().rev().partition(|change| change.old.is_none());
            gone.iter().chain(&come).try_for_each(|change| self.write_opposite(change))
        })?;
        let mut others = self.others(changes)?;
        for reference in self.dangling(tables)?.difference(dangling) {
            others.push(self.blocker_of(reference)?);
        }
        if others.is_empty() { Ok(Undo::Done { rows: changes.len() }) } else { Err(Stopped::Blocked(others)) }
    }

    /// The tables that were changed, and those that refer to them.
    fn tables_around(&self, changes: &[LoggedChange]) -> Result<BTreeSet<String>> {
        let mut tables: BTreeSet<String> = changes.iter().map(|change| change.table.clone()).collect();
        let sql = "SELECT s.name, f.\"table\" FROM main.sqlite_schema s JOIN pragma_foreign_key_list(s.name, 'main') f
                   WHERE s.type = 'table'";
        let changed = tables.clone();
        for row in self.query(sql, ())?.rows {
            if let [Some(name), Some(target)] = [row[0].as_str(), row[1].as_str()]
                && changed.iter().any(|table| table.eq_ignore_ascii_case(target))
            {
                tables.insert(name.to_owned());
            }
        }
        tables.retain(|table| self.table(table).is_some_and(|table| !table.is_virtual()));
        Ok(tables)
    }

    /// References of these tables to rows that are not there.
    fn dangling(&self, tables: &BTreeSet<String>) -> Result<BTreeSet<Dangling>> {
        let mut dangling = BTreeSet::new();
        for table in tables {
            let sql = "SELECT rowid, fkid FROM pragma_foreign_key_check(?1, 'main')";
            for row in self.query(sql, &[SqlValue::from(table.as_str())])?.rows {
                dangling.insert((table.clone(), row[0].as_i64(), row[1].as_i64()));
            }
        }
        Ok(dangling)
    }

    /// The row that refers to one that would be gone.
    fn blocker_of(&self, (name, rowid, _): &Dangling) -> Result<Blocker> {
        let key = match (self.table(name), rowid) {
            (Some(table), Some(rowid)) => self.key_of_rowid(&table, *rowid)?,
            _ => Vec::new(),
        };
        let transaction = self.last_change_of(name, &key, *rowid)?;
        Ok(Blocker { table: name.clone(), key, transaction })
    }

    /// Runs a function as a transaction, tells what it would change, and takes it back. Nothing of it is
    /// left.
    ///
    /// # Errors
    /// That of the function; `usage` within another transaction; those with which a commit would fail.
    pub fn preview(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Vec<RowChange>> {
        self.whole(|| {
            self.begin_preview()?;
            work(self).or_else(|error| self.leave_preview().and(Err(error)))?;
            self.end_preview()
        })
    }

    /// Begins a preview: a transaction that [`end_preview`](Self::end_preview) takes back.
    pub(crate) fn begin_preview(&self) -> Result<()> {
        if self.is_in_transaction() {
            return Err(CapsuleError::usage("a preview cannot be a part of a transaction"));
        }
        self.begin_part()
    }

    /// Ends a preview: what its transaction would change, which is taken back.
    pub(crate) fn end_preview(&self) -> Result<Vec<RowChange>> {
        let previewed = self.changes_so_far();
        self.leave_preview()?;
        previewed
    }

    /// The rows that are not as these changes have left them.
    fn blockers(&self, changes: &[LoggedChange]) -> Result<Vec<Blocker>> {
        let mut blockers = Vec::new();
        for change in changes {
            let is_same = match self.table(&change.table) {
                Some(table) => self.is_as(&table, change)?,
                None => false,
            };
            if !is_same {
                let transaction = self.last_change_of(&change.table, &change.key, change.rowid)?;
                blockers.push(Blocker { table: change.table.clone(), key: change.key.clone(), transaction });
            }
        }
        Ok(blockers)
    }

    /// The rows that have changed beside those that are undone, by a cascade, or not in the way that was
    /// wanted.
    fn others(&self, changes: &[LoggedChange]) -> Result<Vec<Blocker>> {
        let mut others = Vec::new();
        for change in self.changes_so_far()? {
            let key = change.key();
            let is_wanted = changes.iter().any(|wanted| {
                let named = wanted.table == change.table() && wanted.key == key;
                let row = named && (!key.contains(&SqlValue::Null) || wanted.rowid == change.rowid());
                row && wanted.old.is_some() == change.new_row().is_some()
            });
            if !is_wanted {
                let table = change.table().to_owned();
                let transaction = self.last_change_of(&table, &key, change.rowid())?;
                others.push(Blocker { table, key, transaction });
            }
        }
        Ok(others)
    }

    /// True if the row is as a change has left it.
    fn is_as(&self, table: &Rc<Table>, change: &LoggedChange) -> Result<bool> {
        let rows = self.row_of(table, change)?;
        match (rows.rows.first(), &change.new) {
            (None, None) => Ok(true),
            (Some(row), Some(image)) => {
                let value =
                    |name: &String| rows.columns.iter().position(|column| column == name).map(|at| &row[at]);
                // What was added to the table since is not of this change.
                Ok(image.iter().all(|(name, known)| {
                    value(name).is_none_or(|value| is_same(value.borrowed(), known.borrowed()))
                }))
            }
            _ => Ok(false),
        }
    }

    fn write_opposite(&self, change: &LoggedChange) -> Result<()> {
        let fault = || CapsuleError::new(ErrorKind::Bug, "a row that is undone is gone");
        let table = self.table(&change.table).ok_or_else(fault)?;
        match (&change.old, &change.new) {
            (None, _) => self.delete_row_of(&table, change),
            (Some(old), None) => {
                let mut row = writable(&table, old);
                // A row without a column of its rowid comes back under its own.
                if let (Some(name), Some(rowid)) = (table.hidden_rowid(), change.rowid) {
                    row.push((name, rowid.into()));
                }
                self.insert_row_of(&table, &row)
            }
            (Some(old), Some(new)) => {
                let mut row = writable(&table, old);
                row.retain(|(name, value)| {
                    new.iter()
                        .find(|(known, _)| known == name)
                        .is_none_or(|(_, new)| !is_same(new.borrowed(), value.borrowed()))
                });
                self.update_row_of(&table, change, &row)
            }
        }
    }
}

/// The columns of an image that can be written: those that the table still has and that are not generated.
fn writable<'a>(table: &Table, image: &'a [(String, SqlValue)]) -> Vec<(&'a str, SqlValue)> {
    let is_written = |name: &str| table.column(name).is_some_and(|index| !table.columns[index].is_generated);
    let columns = image.iter().filter(|(name, _)| is_written(name));
    columns.map(|(name, value)| (name.as_str(), value.clone())).collect()
}
