//! Watchers: who wants to know of which changes.

mod depends;
mod event;
mod explain;
mod filters;
mod follow;
mod held;
mod identity;
mod ladder;
mod live;
mod missed;
mod order;
mod patch;
mod plan;
mod query;
mod shape;

pub(crate) use event::Image;
pub use event::{Change, ChangeEvent};
use event::{CommitFacts, RowEvent};
pub use explain::{Decided, Explanation, Rung};
use filters::Filters;
use follow::Followers;
use ladder::{Ladder, Wanted};
pub(crate) use live::LiveQueries;
pub use live::{LiveOptions, LiveStart, LiveUpdate};
pub use missed::Missed;
pub use patch::Patch;

use crate::capture::{Row, RowChange};
use crate::catalog::SchemaChange;
use crate::conn::first_word;
use crate::database::{Committed, Database};
use crate::error::{CapsuleError, ErrorKind, Result};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Target of a watcher.
#[derive(Debug)]
enum Target {
    /// A table, by its name, and the condition of the rows that are meant.
    Table { name: Rc<str>, filter: Option<Box<str>> },
    /// A query, with its rows at the last commit.
    Query { sql: Rc<str>, ladder: Rc<Ladder> },
}

/// Listener for changes of a table or a query.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) id: Rc<str>,
    /// Number in the order in which watchers were added.
    number: u64,
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
        match &self.target {
            Target::Query { ladder, .. } => ladder.look_again(db),
            Target::Table { .. } => Ok(()),
        }
    }

    /// Explains how it follows its data.
    pub(crate) fn explain(&self) -> Explanation {
        let (name, filter) = match &self.target {
            Target::Query { ladder, .. } => return ladder.explain(),
            Target::Table { name, filter } => (name, filter),
        };
        let reason = match filter {
            Some(filter) => format!("{filter} is asked about the images of changed rows"),
            None => "every changed row is told".to_owned(),
        };
        Explanation {
            rung: Rung::Table,
            reason,
            tables: BTreeMap::from([(name.to_string(), Vec::new())]),
            decided: Decided::default(),
            last_fall: None,
        }
    }

    /// Takes the events that were not delivered yet.
    pub(crate) fn take_pending(&self) -> Vec<ChangeEvent> {
        self.pending.take()
    }
}

/// A watcher of a query.
#[derive(Debug)]
struct OfQuery {
    watcher: Rc<Watcher>,
    ladder: Rc<Ladder>,
}

impl AsRef<Ladder> for OfQuery {
    fn as_ref(&self) -> &Ladder {
        &self.ladder
    }
}

/// Watchers by their numbers.
type Numbered = BTreeMap<u64, Rc<Watcher>>;

/// The watchers of a capsule.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    list: RefCell<Numbered>,
    next: Cell<u64>,
    /// Watchers of tables, by the names of these.
    of_tables: RefCell<BTreeMap<Rc<str>, Numbered>>,
    /// The same by their filters, as long as they are all of a table.
    by_filters: RefCell<BTreeMap<Rc<str>, Rc<Filters>>>,
    of_queries: Followers<OfQuery>,
    /// Watchers that have events to be delivered.
    told: RefCell<Numbered>,
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
            let ladder = Ladder::new(db, target.into(), Vec::new(), None)?;
            Target::Query { sql: target.into(), ladder: Rc::new(ladder) }
        } else {
            let Some(table) = db.table(target) else {
                return Err(CapsuleError::usage(if target.is_empty() {
                    "there is no table without a name to watch".to_owned()
                } else if db.is_view(target)? {
                    format!("{target} is a view, and no table to watch: watch a query of it")
                } else {
                    format!("there is no table {target} to watch")
                }));
            };
            let filter = filter.map(|filter| db.check_filter(&table.name, filter)).transpose()?;
            Target::Table { name: Rc::clone(&table.name), filter: filter.map(Into::into) }
        };
        let script = script.map(Into::into);
        let (created, pending) = (db.clock(), RefCell::default());
        let (number, gone) = (self.next.get(), Cell::default());
        self.next.set(number + 1);
        let watcher = Rc::new(Watcher { id: id.into(), number, target, script, created, pending, gone });
        self.list.borrow_mut().insert(number, Rc::clone(&watcher));
        match &watcher.target {
            Target::Table { name, .. } => {
                self.by_filters.borrow_mut().remove(name);
                let mut of_tables = self.of_tables.borrow_mut();
                of_tables.entry(Rc::clone(name)).or_default().insert(number, Rc::clone(&watcher));
            }
            Target::Query { ladder, .. } => {
                let (watcher, ladder) = (Rc::clone(&watcher), Rc::clone(ladder));
                self.of_queries.add(Rc::new(OfQuery { watcher, ladder }), db.schema_number());
            }
        }
        Ok(watcher)
    }

    /// Takes a watcher away; false if there is none with this id.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let Some(watcher) = self.find(id) else { return false };
        watcher.gone.set(true);
        self.list.borrow_mut().remove(&watcher.number);
        self.told.borrow_mut().remove(&watcher.number);
        match &watcher.target {
            Target::Query { .. } => drop(self.of_queries.remove(|one| one.watcher.number == watcher.number)),
            Target::Table { name, .. } => {
                self.by_filters.borrow_mut().remove(name);
                let mut of_tables = self.of_tables.borrow_mut();
                if let Some(watchers) = of_tables.get_mut(name) {
                    watchers.remove(&watcher.number);
                    if watchers.is_empty() {
                        of_tables.remove(name);
                    }
                }
            }
        }
        true
    }

    /// The number of watchers.
    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// A watcher by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Rc<Watcher>> {
        self.list.borrow().values().find(|watcher| *watcher.id == *id).cloned()
    }

    /// The first watcher of a table.
    pub(crate) fn of_table(&self, table: &str) -> Option<Rc<Watcher>> {
        self.of_tables.borrow().get(table).and_then(|watchers| watchers.values().next().cloned())
    }

    /// All watchers, in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<Rc<Watcher>> {
        self.list.borrow().values().cloned().collect()
    }

    /// True if a watcher has events to be delivered.
    pub(crate) fn has_told(&self) -> bool {
        !self.told.borrow().is_empty()
    }

    /// Takes the watchers that have events to be delivered, in the order in which they were added.
    pub(crate) fn take_told(&self) -> Vec<Rc<Watcher>> {
        self.told.take().into_values().collect()
    }

    /// Makes the events of a commit. Errors are those of single watchers: the others have their events.
    pub(crate) fn committed(&self, db: &Database, committed: &Committed) -> Vec<CapsuleError> {
        let mut errors = Vec::new();
        if self.list.borrow().is_empty() {
            return errors;
        }
        let facts = Rc::new(CommitFacts::new(committed, db.device()));
        self.tables_committed(db, committed, &facts, &mut errors);
        errors.extend(self.lost_tables(db, committed));
        let seq = committed.last_seq().unwrap_or_default();
        errors.extend(self.of_queries.committed(db, committed, Wanted::Differences, |one, steps, before| {
            let columns = one.ladder.rows().columns.clone();
            let before = before.as_ref().unwrap_or(&columns);
            for difference in steps.differences {
                let Target::Query { sql, .. } = &one.watcher.target else { continue };
                let (change, row) = difference.event(sql, before, &columns, seq);
                self.tell(&one.watcher, change, &Rc::new(row), &facts);
            }
        }));
        errors
    }

    /// The tables of watchers that are not there any more.
    fn lost_tables(&self, db: &Database, committed: &Committed) -> Vec<CapsuleError> {
        let lost = |change: &SchemaChange| match change {
            SchemaChange::Dropped(name) | SchemaChange::Renamed { from: name, .. } => {
                let is_lost = self.of_tables.borrow().contains_key(name) && db.table(name).is_none();
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
    fn tables_committed(
        &self,
        db: &Database,
        committed: &Committed,
        facts: &Rc<CommitFacts>,
        errors: &mut Vec<CapsuleError>,
    ) {
        for (change, seq) in committed.changes.iter().zip(committed.first.unwrap_or_default()..) {
            let Some(found) = self.asked(db, change) else { continue };
            let row = OnceCell::new();
            let filters: Vec<&str> = found.values().filter_map(|watcher| watcher.filter()).collect();
            let [before, after] = change.images();
            let mut before = sides(db, before, &filters, errors).into_iter();
            let mut after = sides(db, after, &filters, errors).into_iter();
            for watcher in found.values() {
                let (was, is) = if watcher.filter().is_some() {
                    (before.next() == Some(true), after.next() == Some(true))
                } else {
                    (change.old_row().is_some(), change.new_row().is_some())
                };
                if let Some(meaning) = meaning(was, is) {
                    let row = row.get_or_init(|| Rc::new(RowEvent::new(change, seq)));
                    self.tell(watcher, meaning, row, facts);
                }
            }
        }
    }

    /// The watchers that have to be asked about a change; `None` if nobody watches its table.
    fn asked(&self, db: &Database, change: &RowChange) -> Option<Numbered> {
        let of_tables = self.of_tables.borrow();
        let (name, watchers) = of_tables.get_key_value(change.table())?;
        let Some(table) = db.table(name) else { return Some(watchers.clone()) };
        let known = self.by_filters.borrow().get(name).filter(|filters| filters.are_of(&table)).cloned();
        let filters = known.unwrap_or_else(|| {
            let made = Rc::new(Filters::new(db, &table, watchers.values()));
            self.by_filters.borrow_mut().insert(Rc::clone(name), Rc::clone(&made));
            made
        });
        let mut found = Numbered::new();
        filters.find([change.old_row(), change.new_row()], &mut found);
        Some(found)
    }

    /// Adds an event to those that a watcher has not been told of yet.
    fn tell(&self, watcher: &Rc<Watcher>, change: Change, row: &Rc<RowEvent>, commit: &Rc<CommitFacts>) {
        let event = ChangeEvent {
            watcher: Rc::clone(&watcher.id),
            change,
            row: Rc::clone(row),
            commit: Rc::clone(commit),
        };
        watcher.pending.borrow_mut().push(event);
        self.told.borrow_mut().insert(watcher.number, Rc::clone(watcher));
    }
}

/// The meaning of a change for those who see rows or do not; `None` if they see it neither before nor after.
fn meaning(was: bool, is: bool) -> Option<Change> {
    match (was, is) {
        (false, true) => Some(Change::Enter),
        (true, false) => Some(Change::Leave),
        (true, true) => Some(Change::Change),
        (false, false) => None,
    }
}

/// The answers of all filters about one side of a change.
fn sides(
    db: &Database,
    image: Option<(&Row, Option<i64>)>,
    filters: &[&str],
    errors: &mut Vec<CapsuleError>,
) -> Vec<bool> {
    let Some((row, rowid)) = image.filter(|_| !filters.is_empty()) else { return vec![false; filters.len()] };
    let answers = db.holds(row, rowid, filters).unwrap_or_else(|error| vec![Err(error); filters.len()]);
    let answer = |answer: Result<bool>| {
        answer.unwrap_or_else(|error| {
            errors.push(error);
            false
        })
    };
    answers.into_iter().map(answer).collect()
}
