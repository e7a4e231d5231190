//! Watchers: who wants to know of which changes.

mod event;
mod live;
mod query;

pub(crate) use event::Image;
pub use event::{Change, ChangeEvent};
use event::{CommitFacts, RowEvent};
pub(crate) use live::LiveQueries;
pub use live::{LiveUpdate, Patch};

use crate::capture::Row;
use crate::catalog::SchemaChange;
use crate::conn::first_word;
use crate::database::{Committed, Database, Rows};
use crate::error::{CapsuleError, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// The tables that a query reads, and the schema with which it does.
#[derive(Debug, Default)]
struct Reads {
    tables: BTreeSet<Box<str>>,
    schema: u64,
}

impl Reads {
    fn of(db: &Database, sql: &str) -> Result<Self> {
        Ok(Self { tables: db.tables_read_by(sql)?, schema: db.schema_number() })
    }

    /// True if a commit may have changed the rows of the query. An error is told once, and waits for another
    /// schema.
    fn concerns(&mut self, db: &Database, sql: &str, committed: &Committed) -> Result<bool> {
        let is_other = self.schema != db.schema_number();
        if is_other {
            self.schema = db.schema_number();
            self.tables.clear();
            self.tables = db.tables_read_by(sql)?;
        }
        Ok(is_other || committed.changes.iter().any(|change| self.tables.contains(change.table())))
    }
}

/// Target of a watcher.
#[derive(Debug)]
enum Target {
    /// A table, by its name, and the condition of the rows that are meant.
    Table { name: Rc<str>, filter: Option<Box<str>> },
    /// A query, with the tables that it reads and its rows at the last commit.
    Query { sql: Rc<str>, reads: RefCell<Reads>, rows: RefCell<Rows> },
}

/// Listener for changes of a table or a query.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) id: Rc<str>,
    target: Target,
    /// The owner, if it is one of a script: the name of the mod, or nothing for the globals.
    pub(crate) script: Option<Box<str>>,
    pub(crate) created: i64,
    /// Events that were not delivered yet.
    pending: RefCell<Vec<ChangeEvent>>,
    gone: Cell<bool>,
}

impl Watcher {
    /// The table, or the query.
    pub(crate) fn table_or_query(&self) -> &str {
        match &self.target {
            Target::Table { name, .. } => name,
            Target::Query { sql, .. } => sql,
        }
    }

    /// The condition of the rows that are meant.
    pub(crate) fn filter(&self) -> Option<&str> {
        match &self.target {
            Target::Table { filter, .. } => filter.as_deref(),
            Target::Query { .. } => None,
        }
    }

    /// True if it was taken away.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    pub(crate) fn is_query(&self) -> bool {
        matches!(self.target, Target::Query { .. })
    }

    /// Takes the rows of a query as they are now for those that were there before.
    pub(crate) fn look_again(&self, db: &Database) -> Result<()> {
        if let Target::Query { sql, rows, .. } = &self.target {
            rows.replace(db.query(sql, ())?);
        }
        Ok(())
    }

    /// Takes the events that were not delivered yet.
    pub(crate) fn take_pending(&self) -> Vec<ChangeEvent> {
        self.pending.take()
    }
}

/// The watchers of a capsule.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    list: RefCell<Vec<Rc<Watcher>>>,
}

/// True if a target is a query, not the name of a table.
fn is_query(target: &str) -> bool {
    let word = first_word(target);
    ["SELECT", "WITH", "VALUES"].iter().any(|first| word.eq_ignore_ascii_case(first))
}

impl Watchers {
    /// Adds a watcher of a table, of its rows for which a condition holds, or of a query.
    pub(crate) fn add(
        &self,
        db: &Database,
        id: &str,
        target: &str,
        filter: Option<&str>,
        script: Option<&str>,
    ) -> Result<Rc<Watcher>> {
        let target = if is_query(target) {
            if filter.is_some() {
                return Err(CapsuleError::usage("a query has its own WHERE: a filter is for tables"));
            }
            let reads = Reads::of(db, target)?;
            let rows = db.query(target, ())?;
            Target::Query { sql: target.into(), reads: RefCell::new(reads), rows: RefCell::new(rows) }
        } else {
            let Some(table) = db.table(target) else {
                return Err(CapsuleError::usage(format!("there is no table {target} to watch")));
            };
            let filter = filter.map(|filter| db.check_filter(&table.name, filter)).transpose()?;
            Target::Table { name: Rc::clone(&table.name), filter: filter.map(Into::into) }
        };
        let script = script.map(Into::into);
        let (created, pending) = (db.clock(), RefCell::default());
        let watcher =
            Rc::new(Watcher { id: id.into(), target, script, created, pending, gone: Cell::default() });
        self.list.borrow_mut().push(Rc::clone(&watcher));
        Ok(watcher)
    }

    /// Takes a watcher away; false if there is none with this id.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut list = self.list.borrow_mut();
        let Some(at) = list.iter().position(|watcher| *watcher.id == *id) else { return false };
        list.remove(at).gone.set(true);
        true
    }

    /// True if there is a watcher with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.list.borrow().iter().any(|watcher| *watcher.id == *id)
    }

    /// All watchers, in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<Rc<Watcher>> {
        self.list.borrow().clone()
    }

    /// Makes the events of a commit. Errors are those of single watchers: the others have their events.
    pub(crate) fn committed(&self, db: &Database, committed: &Committed) -> Vec<CapsuleError> {
        let list = self.list.borrow().clone();
        let mut errors = Vec::new();
        if list.is_empty() {
            return errors;
        }
        let facts = Rc::new(CommitFacts::new(committed, db.device()));
        of_tables(db, committed, &list, &facts, &mut errors);
        errors.extend(lost_tables(db, committed, &list));
        for watcher in &list {
            let Target::Query { sql, reads, rows } = &watcher.target else { continue };
            match reads.borrow_mut().concerns(db, sql, committed) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            }
            match db.query(sql, ()) {
                Ok(now) => {
                    let before = rows.replace(now);
                    let differences = query::differences(sql, &before, &rows.borrow());
                    for (change, row) in differences {
                        tell(watcher, change, &Rc::new(row), &facts);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        errors
    }
}

/// The tables of watchers that are not there any more.
fn lost_tables(db: &Database, committed: &Committed, list: &[Rc<Watcher>]) -> Vec<CapsuleError> {
    let lost = |change: &SchemaChange| match change {
        SchemaChange::Dropped(name) | SchemaChange::Renamed { from: name, .. } => {
            let is_watched =
                |watcher: &Rc<Watcher>| !watcher.is_query() && watcher.table_or_query() == &**name;
            let is_lost = list.iter().any(is_watched) && db.table(name).is_none();
            is_lost.then(|| {
                let message =
                    format!("a watcher watches {name}, and there is no table of that name any more");
                CapsuleError::new(ErrorKind::Schema, message)
            })
        }
        _ => None,
    };
    committed.schema.iter().filter_map(lost).collect()
}

/// Makes the events of the watchers of tables.
fn of_tables(
    db: &Database,
    committed: &Committed,
    list: &[Rc<Watcher>],
    facts: &Rc<CommitFacts>,
    errors: &mut Vec<CapsuleError>,
) {
    for change in &committed.changes {
        let of_table: Vec<&Rc<Watcher>> = list
            .iter()
            .filter(
                |watcher| matches!(&watcher.target, Target::Table { name, .. } if **name == *change.table()),
            )
            .collect();
        if of_table.is_empty() {
            continue;
        }
        let row = Rc::new(RowEvent::new(change));
        let filters: Vec<&str> = of_table.iter().filter_map(|watcher| watcher.filter()).collect();
        let mut side = |row: Option<&Row>| -> Vec<bool> {
            let Some(row) = row.filter(|_| !filters.is_empty()) else {
                return vec![false; filters.len()];
            };
            let answers = db.holds(row, &filters).unwrap_or_else(|error| vec![Err(error); filters.len()]);
            let answer = |answer: Result<bool>| {
                answer.unwrap_or_else(|error| {
                    errors.push(error);
                    false
                })
            };
            answers.into_iter().map(answer).collect()
        };
        let (mut before, mut after) =
            (side(change.old_row()).into_iter(), side(change.new_row()).into_iter());
        for watcher in of_table {
            let (was, is) = if watcher.filter().is_some() {
                (before.next() == Some(true), after.next() == Some(true))
            } else {
                (change.old_row().is_some(), change.new_row().is_some())
            };
            let meaning = match (was, is) {
                (false, true) => Change::Enter,
                (true, false) => Change::Leave,
                (true, true) => Change::Change,
                (false, false) => continue,
            };
            tell(watcher, meaning, &row, facts);
        }
    }
}

/// Adds an event to those that a watcher has not been told of yet.
fn tell(watcher: &Rc<Watcher>, change: Change, row: &Rc<RowEvent>, commit: &Rc<CommitFacts>) {
    let event = ChangeEvent {
        watcher: Rc::clone(&watcher.id),
        change,
        row: Rc::clone(row),
        commit: Rc::clone(commit),
    };
    watcher.pending.borrow_mut().push(event);
}
