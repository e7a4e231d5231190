//! The ladder of a query: after a commit the cheapest rung that is sure tells what has become of its rows.
//!
//! 1. The commit has changed no column that the query reads: nothing has changed.
//! 2. Its condition holds for none of the changed rows, neither before nor after: nothing has changed.
//! 3. The rows of the changed keys are read, and put in their places.
//! 4. The query runs again, and the rows before are compared with those now. This is always right.

use super::explain::{Decided, Explanation, Rung};
use super::held::{Held, Probed, Steps};
use super::identity::{Identity, encode};
use super::patch::patches;
use super::plan::{Filter, Plan, Probe};
use super::query::differences;
use crate::capture::RowChange;
use crate::conn::Params;
use crate::database::{Committed, Database, Rows};
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

/// Keys that are read one by one, beside one for every [`ROWS_PER_KEY`] rows that are kept.
const KEYS_MIN: usize = 16;

/// Rows whose reading takes about as long as putting one key in its place.
const ROWS_PER_KEY: usize = 32;

/// Changed rows whose images are asked, at most.
const IMAGES_MAX: usize = 1000;

/// Conditions of one table from which on they are asked together, before any keys are read.
const CONDITIONS_TOGETHER: usize = 8;

/// Question of who keeps up a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Steps from the rows before to those now.
    Patches,
    /// The rows that are different, without their places.
    Differences,
}

/// A query with its rows at the last commit.
#[derive(Debug)]
pub(super) struct Ladder {
    /// The query as it runs, with its window.
    sql: RefCell<Rc<str>>,
    params: Vec<SqlValue>,
    /// The names of the columns that are declared as the key.
    key: Option<Vec<String>>,
    schema: Cell<u64>,
    plan: RefCell<Plan>,
    held: RefCell<Held>,
    /// True if the rows are not those of the last commit: the query has failed.
    is_stale: Cell<bool>,
    decided: Cell<Decided>,
    last_fall: RefCell<Option<String>>,
}

impl Ladder {
    /// Plans a query and reads its rows.
    pub(super) fn new(
        db: &Database,
        sql: Rc<str>,
        params: Vec<SqlValue>,
        key: Option<Vec<String>>,
    ) -> Result<Self> {
        let plan = Plan::of(db, &sql, &params)?;
        let ladder = Self {
            sql: RefCell::new(sql),
            params,
            key,
            schema: Cell::new(db.schema_number()),
            plan: RefCell::new(plan),
            held: RefCell::default(),
            is_stale: Cell::default(),
            decided: Cell::default(),
            last_fall: RefCell::default(),
        };
        let held = ladder.read(db)?;
        if let Some(key) = &ladder.key {
            let has = |name: &&String| held.rows.columns.iter().any(|column| column == *name);
            if let Some(name) = key.iter().find(|name| !has(name)) {
                let message = format!("the key has a column {name}, which the query has not");
                return Err(CapsuleError::usage(message));
            }
        }
        ladder.held.replace(held);
        Ok(ladder)
    }

    /// The rows at the last commit.
    pub(super) fn rows(&self) -> Ref<'_, Rows> {
        Ref::map(self.held.borrow(), |held| &held.rows)
    }

    /// The names of the tables that are read; `None` if every commit counts.
    pub(super) fn tables(&self) -> Option<Vec<Rc<str>>> {
        let plan = self.plan.borrow();
        plan.depends.always.is_none().then(|| plan.depends.tables().cloned().collect())
    }

    /// True if a change of the log can have changed the rows.
    pub(super) fn sees_logged(&self, change: &crate::log::LoggedChange) -> bool {
        self.plan.borrow().depends.sees_logged(change)
    }

    /// True if the rows follow from the tables alone.
    pub(super) fn is_steady(&self) -> bool {
        let plan = self.plan.borrow();
        plan.depends.always.is_none() && plan.depends.unsteady.is_none()
    }

    /// Takes the rows as they are now for those that were there before.
    pub(super) fn look_again(&self, db: &Database) -> Result<()> {
        self.is_stale.set(true);
        self.held.replace(self.read(db)?);
        self.is_stale.set(false);
        Ok(())
    }

    /// Puts another query in the place of this one: the same with another window. Returns the steps.
    pub(super) fn set_query(&self, db: &Database, sql: Rc<str>) -> Result<Steps> {
        let plan = Plan::of(db, &sql, &self.params)?;
        let before = (self.plan.replace(plan), self.sql.replace(sql));
        self.schema.set(db.schema_number());
        self.run(db, Wanted::Patches).inspect_err(|_| {
            self.plan.replace(before.0);
            self.sql.replace(before.1);
        })
    }

    /// The condition that images are asked about a commit, if that is to be done: `others` says how many
    /// queries have one for the same table.
    pub(super) fn filter(&self, db: &Database, committed: &Committed, others: usize) -> Option<Filter> {
        let plan = self.plan.borrow();
        let Ok(filter) = &plan.filter else { return None };
        let is_worth = plan.probe.is_err() || others >= CONDITIONS_TOGETHER;
        let is_sure = self.schema.get() == db.schema_number()
            && !self.is_stale.get()
            && !committed.renumbered.contains(&filter.table);
        (is_worth && is_sure && committed.changes.len() <= IMAGES_MAX)
            .then(|| Filter { table: Rc::clone(&filter.table), condition: Rc::clone(&filter.condition) })
    }

    /// The table whose images its condition can be asked about.
    pub(super) fn filtered_table(&self) -> Option<Rc<str>> {
        self.plan.borrow().filter.as_ref().ok().map(|filter| Rc::clone(&filter.table))
    }

    /// True if a change can have changed the rows.
    pub(super) fn sees(&self, change: &RowChange) -> bool {
        self.plan.borrow().depends.sees(change)
    }

    /// Follows a commit. `passed` are the changes for whose images its condition holds. Returns the steps,
    /// and the columns before if they are others now.
    pub(super) fn committed(
        &self,
        db: &Database,
        committed: &Committed,
        passed: &Passed,
        wanted: Wanted,
    ) -> Result<(Steps, Option<Vec<String>>)> {
        if self.schema.get() != db.schema_number() {
            // An error is told once, and waits for another schema.
            self.schema.set(db.schema_number());
            self.plan.replace(Plan::none());
            let plan = Plan::of(db, &self.sql.borrow(), &self.params)?;
            self.plan.replace(plan);
            let columns = self.rows().columns.clone();
            let steps = self.fall(db, wanted, "the schema has changed")?;
            let are_others = self.rows().columns != columns;
            return Ok((steps, are_others.then_some(columns)));
        }
        if !self.plan.borrow().depends.sees_commit(committed) {
            self.count(|decided| &mut decided.columns);
            return Ok((Steps::default(), None));
        }
        if self.is_stale.get() {
            return Ok((self.fall(db, wanted, "the query has failed before")?, None));
        }
        if passed.is_none() {
            self.count(|decided| &mut decided.images);
            return Ok((Steps::default(), None));
        }
        let probed = self.probe(db, committed, passed);
        let steps = match probed {
            Ok(steps) => {
                self.count(|decided| &mut decided.keys);
                steps
            }
            Err(reason) => self.fall(db, wanted, &reason)?,
        };
        Ok((steps, None))
    }

    fn count(&self, which: impl FnOnce(&mut Decided) -> &mut u64) {
        let mut decided = self.decided.get();
        *which(&mut decided) += 1;
        self.decided.set(decided);
    }

    /// Runs again, for a reason.
    fn fall(&self, db: &Database, wanted: Wanted, reason: &str) -> Result<Steps> {
        self.count(|decided| &mut decided.again);
        *self.last_fall.borrow_mut() = Some(reason.to_owned());
        self.run(db, wanted)
    }

    /// Reads the changed keys, and puts their rows in their places; or says why that cannot be done.
    fn probe(
        &self,
        db: &Database,
        committed: &Committed,
        passed: &Passed,
    ) -> std::result::Result<Steps, String> {
        let plan = self.plan.borrow();
        let probe = plan.probe.as_ref().map_err(|reason| (*reason).to_owned())?;
        if committed.renumbered.contains(&probe.table) {
            return Err("rows have other rowids".to_owned());
        }
        let mut held = self.held.borrow_mut();
        let most = KEYS_MIN + held.entries.len() / ROWS_PER_KEY;
        let mut known: HashSet<Box<[u8]>> = HashSet::new();
        let mut probed = Vec::new();
        let columns = plan.depends.columns(&probe.table);
        let concerned = (committed.changes.iter().enumerate())
            .filter(|(index, change)| passed.includes(*index) && plan.depends.sees(change));
        for (_, change) in concerned {
            let may_move = !probe.is_total && columns.is_none_or(|columns| columns.may_move(change));
            for key in keys(probe, change) {
                if !known.insert(encode(&key)) {
                    continue;
                }
                if known.len() > most {
                    return Err("many rows have changed".to_owned());
                }
                let now = probe.read_one(db, &key).map_err(|error| error.message().to_owned())?;
                probed.push(Probed { key: encode(&key), now, may_move });
            }
        }
        held.apply(probed, &probe.arrangement).map_err(str::to_owned)
    }

    /// Runs the query.
    fn read(&self, db: &Database) -> Result<Held> {
        let mut plan = self.plan.borrow_mut();
        let Ok(probe) = &plan.probe else {
            let rows = db.query(&self.sql.borrow(), Params::List(&self.params))?;
            return Ok(Held::new(rows, Vec::new()));
        };
        let (rows, entries) = probe.read(db)?;
        let held = Held::new(rows, entries);
        if !held.is_arranged(&probe.arrangement.terms) {
            plan.probe = Err("the order of its rows cannot be repeated");
        }
        Ok(held)
    }

    /// Runs the query, and compares its rows with those before.
    fn run(&self, db: &Database, wanted: Wanted) -> Result<Steps> {
        self.is_stale.set(true);
        let now = self.read(db)?;
        let before = self.held.replace(now);
        self.is_stale.set(false);
        let now = self.held.borrow();
        Ok(match wanted {
            Wanted::Patches => {
                let patches = patches(&before.rows, &now.rows, &self.identity(&before, &now));
                Steps { patches, differences: Vec::new() }
            }
            Wanted::Differences => {
                let differences = differences(&before.rows, &now.rows, self.identity(&before, &now));
                Steps { patches: Vec::new(), differences }
            }
        })
    }

    fn identity<'a>(&self, before: &'a Held, now: &'a Held) -> Identity<'a> {
        let declared = self.key.as_ref().and_then(|key| {
            let place = |name: &String| now.rows.columns.iter().position(|column| column == name);
            let columns: Option<Vec<usize>> = key.iter().map(place).collect();
            columns.filter(|_| before.rows.columns == now.rows.columns)
        });
        let is_keyed = |held: &Held| held.entries.len() == held.rows.rows.len();
        match declared {
            Some(columns) => Identity::Columns(columns.into()),
            None if is_keyed(before) && is_keyed(now) => Identity::Entries(&before.entries, &now.entries),
            None => Identity::Guess,
        }
    }

    /// Explains which rung can be used, and why no cheaper one.
    pub(super) fn explain(&self) -> Explanation {
        let plan = self.plan.borrow();
        let (rung, reason) = match (&plan.depends.always, &plan.probe, &plan.filter) {
            (Some(reason), ..) => (Rung::Commits, reason.clone()),
            (None, Ok(probe), _) => {
                let key = if probe.by_rowid { "rowid" } else { "primary key" };
                (Rung::Keys, format!("changed rows of {} are read by their {key}", probe.table))
            }
            (None, Err(reason), Ok(filter)) => {
                let condition = filter.condition.trim();
                (Rung::Images, format!("{reason}; it runs again for rows of which {condition} holds"))
            }
            (None, Err(reason), Err(_)) => {
                let reason = plan.depends.unsteady.clone().unwrap_or_else(|| (*reason).to_owned());
                (Rung::Columns, reason)
            }
        };
        Explanation {
            rung,
            reason,
            tables: plan.depends.names(),
            decided: self.decided.get(),
            last_fall: self.last_fall.borrow().clone(),
        }
    }
}

/// The keys by which the row of a change may be found.
fn keys(probe: &Probe, change: &RowChange) -> Vec<Vec<SqlValue>> {
    if !probe.by_rowid {
        return vec![change.key()];
    }
    let rowids: BTreeSet<i64> = change.rowid().into_iter().chain(change.old_rowid).collect();
    rowids.into_iter().map(|rowid| vec![rowid.into()]).collect()
}

/// Changes of a commit that pass the condition of a query, before or after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passed {
    /// All of them may: the condition was not asked.
    Unknown,
    /// Changes with these indices.
    These(BTreeSet<usize>),
}

impl Passed {
    fn is_none(&self) -> bool {
        matches!(self, Self::These(indices) if indices.is_empty())
    }

    fn includes(&self, index: usize) -> bool {
        match self {
            Self::Unknown => true,
            Self::These(indices) => indices.contains(&index),
        }
    }

    fn add(&mut self, index: usize) {
        if let Self::These(indices) = self {
            indices.insert(index);
        }
    }
}

/// Judges which changes of a commit can concern some queries by their conditions: those of one table are
/// asked together about each row.
pub(super) fn passing(db: &Database, committed: &Committed, ladders: &[&Ladder]) -> Vec<Passed> {
    let mut passed = vec![Passed::Unknown; ladders.len()];
    let mut of_tables: BTreeMap<Rc<str>, Vec<usize>> = BTreeMap::new();
    for (index, ladder) in ladders.iter().enumerate() {
        if let Some(table) = ladder.filtered_table() {
            of_tables.entry(table).or_default().push(index);
        }
    }
    for (table, of_table) in of_tables {
        let asked: Vec<(usize, Filter)> = (of_table.iter())
            .filter_map(|&index| Some((index, ladders[index].filter(db, committed, of_table.len())?)))
            .collect();
        for (index, _) in &asked {
            passed[*index] = Passed::These(BTreeSet::new());
        }
        for (number, change) in committed.changes.iter().enumerate() {
            if change.table() != &*table {
                continue;
            }
            for (row, rowid) in change.images().into_iter().flatten() {
                let open = |(index, _): &&(usize, Filter)| {
                    !passed[*index].includes(number) && ladders[*index].sees(change)
                };
                let open: Vec<&(usize, Filter)> = asked.iter().filter(open).collect();
                if open.is_empty() {
                    break;
                }
                let conditions: Vec<&str> = open.iter().map(|(_, filter)| &*filter.condition).collect();
                // A condition that fails for a row may do so in the query, too.
                let answers = db.holds(row, rowid, &conditions).ok();
                for (place, (index, _)) in open.into_iter().enumerate() {
                    let holds = answers.as_ref().and_then(|answers| answers[place].as_ref().ok());
                    if holds.copied().unwrap_or(true) {
                        passed[*index].add(number);
                    }
                }
            }
        }
    }
    passed
}
