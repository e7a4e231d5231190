//! Commits whose changes wait for their delivery.

use super::CHAIN_MAX;
use crate::capture::Operation;
use crate::database::Committed;
use crate::log::LoggedChange;
use crate::value::SqlValue;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Causes that are remembered, to tell how long a chain is.
const CAUSES_MAX: usize = 1000;

/// A row for reactions: as it is now, or was before it was deleted.
#[derive(Debug)]
pub(crate) struct ReactionRow {
    pub(crate) operation: &'static str,
    pub(crate) table: Rc<str>,
    pub(crate) row: Vec<(Box<str>, SqlValue)>,
}

/// The changes of one transaction, for reactions.
#[derive(Debug)]
pub(crate) struct Reaction {
    pub(crate) transaction: i64,
    /// The number of its last change.
    pub(crate) last: i64,
    pub(crate) rows: Vec<ReactionRow>,
    /// Links of the chain of causes that it ends.
    pub(crate) links: usize,
}

impl Reaction {
    fn of_commit(committed: &Committed, links: usize) -> Self {
        let row = |change: &crate::capture::RowChange| ReactionRow {
            operation: change.operation().name(),
            table: change.table().into(),
            row: (change.new_row().or(change.old_row()).into_iter())
                .flat_map(|row| row.iter().map(|(name, value)| (name.into(), value)))
                .collect(),
        };
        let rows: Vec<_> = committed.changes.iter().map(row).collect();
        let last = committed.first.unwrap_or_default() + rows.len() as i64 - 1;
        Self { transaction: committed.transaction, last, rows, links }
    }

    /// True if the chain is too long to go on.
    pub(crate) fn ends_chain(&self) -> bool {
        self.links > CHAIN_MAX
    }
}

/// Commits that wait, and when they are due.
#[derive(Debug)]
pub(crate) struct Batches {
    /// Milliseconds from the first event to the delivery.
    interval: Cell<i64>,
    /// Events that do not wait any longer.
    size: Cell<usize>,
    /// The same for the events of single tables.
    sizes: RefCell<BTreeMap<Box<str>, usize>>,
    /// The number of changes of those tables that wait.
    counts: RefCell<BTreeMap<Box<str>, usize>>,
    waiting: RefCell<VecDeque<Reaction>>,
    /// The number of changes in them.
    changes: Cell<usize>,
    /// The time at which the first of them came.
    since: Cell<i64>,
    /// True if watchers have events of commits without changes of rows: of the schema alone, of the capsule's
    /// own tables.
    has_others: Cell<bool>,
    /// The transaction that has set the last of those off.
    others_cause: Cell<Option<i64>>,
    /// True if nothing is delivered yet: the scripts whose reactions are meant have not run.
    is_held: Cell<bool>,
    /// Links of the chains that transactions with a cause end.
    chains: RefCell<BTreeMap<i64, usize>>,
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            interval: Cell::new(100),
            size: Cell::new(100),
            sizes: RefCell::default(),
            counts: RefCell::default(),
            waiting: RefCell::default(),
            changes: Cell::default(),
            since: Cell::default(),
            has_others: Cell::default(),
            others_cause: Cell::default(),
            is_held: Cell::default(),
            chains: RefCell::default(),
        }
    }
}

impl Batches {
    /// Sets interval, in milliseconds, and size.
    pub(crate) fn set(&self, interval: i64, size: usize) {
        self.interval.set(interval.max(0));
        self.size.set(size.max(1));
    }

    /// Sets the number of events of one table that do not wait any longer.
    pub(crate) fn set_size_of(&self, table: &str, size: usize) {
        self.sizes.borrow_mut().insert(table.into(), size.max(1));
    }

    /// The number of changes that wait.
    pub(crate) fn changes(&self) -> usize {
        self.waiting.borrow().iter().map(|reaction| reaction.rows.len()).sum()
    }

    /// Adds a commit; returns the links of the chain of causes that it ends.
    pub(crate) fn add(&self, committed: &Committed) -> usize {
        let links = committed.cause.map_or(0, |cause| self.link(committed.transaction, cause));
        self.push(Reaction::of_commit(committed, links), committed.at);
        links
    }

    /// The links of a chain of causes that would go on from a transaction.
    pub(crate) fn links_of(&self, cause: Option<i64>) -> usize {
        cause.map_or(0, |cause| self.chains.borrow().get(&cause).copied().unwrap_or_default() + 1)
    }

    fn link(&self, transaction: i64, cause: i64) -> usize {
        let links = self.links_of(Some(cause));
        let mut chains = self.chains.borrow_mut();
        chains.insert(transaction, links);
        if chains.len() > CAUSES_MAX {
            chains.pop_first();
        }
        links
    }

    fn push(&self, reaction: Reaction, at: i64) {
        if reaction.rows.is_empty() {
            return;
        }
        self.begin(at);
        self.changes.set(self.changes.get() + reaction.rows.len());
        let sizes = self.sizes.borrow();
        for row in reaction.rows.iter().filter(|row| sizes.contains_key(&*row.table)) {
            *self.counts.borrow_mut().entry((&*row.table).into()).or_default() += 1;
        }
        self.waiting.borrow_mut().push_back(reaction);
    }

    /// Notes the time at which the first of what waits came.
    fn begin(&self, at: i64) {
        if self.waiting.borrow().is_empty() && !self.has_others.get() {
            self.since.set(at);
        }
    }

    /// Notes that watchers have events, be they of a commit that changed no row. `cause`: the transaction
    /// that has set them off.
    pub(crate) fn add_others(&self, at: i64, cause: Option<i64>) {
        self.begin(at);
        self.has_others.set(true);
        self.others_cause.set(cause);
    }

    /// Adds what was not delivered before the database was closed, or a crash.
    pub(crate) fn resume(&self, changes: Vec<LoggedChange>, now: i64) {
        for change in changes {
            let LoggedChange { seq, transaction, operation, table, old, new, .. } = change;
            let operation = [Operation::Insert, Operation::Update, Operation::Delete]
                .into_iter()
                .find(|it| it.name() == operation);
            let row = ReactionRow {
                operation: operation.map_or("", Operation::name),
                table: table.into(),
                row: new
                    .or(old)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, value)| (name.into(), value))
                    .collect(),
            };
            let mut waiting = self.waiting.borrow_mut();
            if let Some(last) = waiting.back_mut().filter(|last| last.transaction == transaction) {
                last.rows.push(row);
                last.last = seq;
                continue;
            }
            drop(waiting);
            self.push(Reaction { transaction, last: seq, rows: vec![row], links: 0 }, now);
        }
        // They wait for the interval, however many they are.
        self.changes.set(0);
        self.counts.borrow_mut().clear();
    }

    /// Has everything wait (true), or go its way.
    pub(crate) fn hold(&self, held: bool) {
        self.is_held.set(held);
    }

    /// The time at which what waits is due, in milliseconds since 1970; `None` if nothing waits, or all does.
    pub(crate) fn due(&self) -> Option<i64> {
        let waits = !self.is_held.get() && (self.has_others.get() || !self.waiting.borrow().is_empty());
        waits.then(|| self.since.get().saturating_add(self.interval.get()))
    }

    /// True if so much waits that it does not wait any longer.
    pub(crate) fn is_full(&self) -> bool {
        let (sizes, counts) = (self.sizes.borrow(), self.counts.borrow());
        !self.is_held.get()
            && (self.changes.get() >= self.size.get()
                || counts.iter().any(|(table, count)| sizes.get(table).is_some_and(|size| count >= size)))
    }

    /// Takes all that waits, and the transaction that has set off what is no change of a row.
    pub(crate) fn take(&self) -> (VecDeque<Reaction>, Option<i64>) {
        self.changes.set(0);
        self.counts.borrow_mut().clear();
        self.has_others.set(false);
        (self.waiting.take(), self.others_cause.take())
    }
}
