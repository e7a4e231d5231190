//! Rows of a query that are kept, and how the changes of single keys are put into them.

use super::identity::{Entry, Key};
use super::order::{Term, compare_rows};
use super::patch::Patch;
use super::query::Difference;
use super::shape::Window;
use crate::database::Rows;
use crate::value::SqlValue;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Rows of a query at the last commit.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) rows: Rows,
    /// One for each row, if the rows have keys.
    pub(super) entries: Vec<Rc<Entry>>,
    by_key: HashMap<Key, Rc<Entry>>,
}

/// A row with a key that has changed, as it is now.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) key: Key,
    /// The row with what is kept beside it; `None` if the query has no row of this key.
    pub(super) now: Option<(Vec<SqlValue>, Rc<Entry>)>,
    /// True if the change may have moved the row among rows that are equal in the order.
    pub(super) may_move: bool,
}

/// Order and window of the rows that are kept.
#[derive(Debug)]
pub(super) struct Arrangement {
    pub(super) terms: Vec<Term>,
    pub(super) window: Window,
}

/// Steps that were made for single keys.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) patches: Vec<Patch>,
    pub(super) differences: Vec<Difference>,
}

/// Step that can be taken back.
enum Undo {
    Removed(usize, Vec<SqlValue>, Rc<Entry>),
    Inserted(usize, Rc<Entry>),
    Replaced(usize, Vec<SqlValue>, Rc<Entry>),
}

/// The reason that the place of a row is not known.
pub(super) type Reason = &'static str;

const TIE: Reason = "rows are equal in the order, and the plan alone decides which comes first";
const OUTSIDE: Reason = "a row outside of the window moves into it";

impl Held {
    /// Takes rows, and what is kept beside each of them.
    pub(super) fn new(rows: Rows, entries: Vec<Rc<Entry>>) -> Self {
        let by_key = entries.iter().map(|entry| (entry.key.clone(), Rc::clone(entry))).collect();
        Self { rows, entries, by_key }
    }

    /// True if the rows are in the order of some terms, and every key is there once.
    pub(super) fn is_arranged(&self, terms: &[Term]) -> bool {
        let sorted = self.entries.is_sorted_by(|a, b| compare_rows(&a.order, &b.order, terms).is_le());
        sorted && self.by_key.len() == self.rows.rows.len()
    }

    /// Puts changed rows in their places. If the place of one is not known nothing is changed.
    pub(super) fn apply(&mut self, probed: Vec<Probed>, arrangement: &Arrangement) -> Result<Steps, Reason> {
        let mut work = Work::new(self, arrangement);
        let done = probed.into_iter().try_for_each(|one| work.one(one)).and_then(|()| work.close());
        match done {
            Ok(()) => Ok(work.steps()),
            Err(reason) => {
                work.take_back();
                Err(reason)
            }
        }
    }

    fn remove(&mut self, at: usize) -> (Vec<SqlValue>, Rc<Entry>) {
        let (row, entry) = (self.rows.rows.remove(at), self.entries.remove(at));
        self.by_key.remove(&entry.key);
        (row, entry)
    }

    fn insert(&mut self, at: usize, row: Vec<SqlValue>, entry: Rc<Entry>) {
        self.by_key.insert(entry.key.clone(), Rc::clone(&entry));
        self.rows.rows.insert(at, row);
        self.entries.insert(at, entry);
    }

    fn replace(&mut self, at: usize, row: Vec<SqlValue>, entry: Rc<Entry>) -> (Vec<SqlValue>, Rc<Entry>) {
        self.by_key.insert(entry.key.clone(), Rc::clone(&entry));
        let row = std::mem::replace(&mut self.rows.rows[at], row);
        (row, std::mem::replace(&mut self.entries[at], entry))
    }
}

/// Work on rows that are kept.
struct Work<'a> {
    held: &'a mut Held,
    arrangement: &'a Arrangement,
    /// The last row of a window that was full: what comes behind it is not known.
    edge: Option<Rc<Entry>>,
    patches: Vec<Patch>,
    undo: Vec<Undo>,
}

impl<'a> Work<'a> {
    fn new(held: &'a mut Held, arrangement: &'a Arrangement) -> Self {
        let is_full = arrangement.window.limit.is_some_and(|limit| held.entries.len() >= limit);
        let edge = held.entries.last().filter(|_| is_full).map(Rc::clone);
        Self { held, arrangement, edge, patches: Vec::new(), undo: Vec::new() }
    }

    fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        compare_rows(&a.order, &b.order, &self.arrangement.terms)
    }

    /// The place of a row that is kept.
    fn place_of(&self, entry: &Rc<Entry>) -> Result<usize, Reason> {
        let entries = &self.held.entries;
        let first = entries.partition_point(|other| self.compare(other, entry).is_lt());
        let found = entries[first..].iter().position(|other| Rc::ptr_eq(other, entry));
        found.map(|steps| first + steps).ok_or("the order of the rows cannot be repeated")
    }

    /// True if a row beside a place is equal in the order, or may be beyond the window.
    fn has_equals(&self, at: usize) -> bool {
        let entries = &self.held.entries;
        let is_at_end =
            |end: Option<&Rc<Entry>>| end.is_some_and(|end| self.compare(end, &entries[at]).is_eq());
        let starts_later = self.arrangement.window.offset > 0;
        if is_at_end(self.edge.as_ref()) || (starts_later && is_at_end(entries.first())) {
            return true;
        }
        let is_equal =
            |other: usize| entries.get(other).is_some_and(|other| self.compare(other, &entries[at]).is_eq());
        at.checked_sub(1).is_some_and(is_equal) || is_equal(at + 1)
    }

    /// Puts one changed row in its place.
    fn one(&mut self, probed: Probed) -> Result<(), Reason> {
        let Window { limit, offset } = self.arrangement.window;
        let known = self.held.by_key.get(&probed.key).cloned();
        match (known, probed.now) {
            (Some(known), Some((row, entry))) if self.compare(&known, &entry).is_eq() => {
                let at = self.place_of(&known)?;
                if probed.may_move && self.has_equals(at) {
                    return Err(TIE);
                }
                // Rows that look the same stay untouched; what is kept beside them may be different.
                if self.held.rows.rows[at] != row {
                    self.patches.push(Patch::Update { at, row: row.clone() });
                }
                let (row, entry) = self.held.replace(at, row, entry);
                self.undo.push(Undo::Replaced(at, row, entry));
                Ok(())
            }
            _ if offset > 0 || limit == Some(0) => Err(OUTSIDE),
            (None, None) => Ok(()),
            (Some(known), None) => {
                let at = self.place_of(&known)?;
                self.remove(at);
                self.patches.push(Patch::Delete { at });
                Ok(())
            }
            (None, Some((row, entry))) => {
                let Some(at) = self.new_place(&entry)? else { return Ok(()) };
                self.patches.push(Patch::Insert { at, row: row.clone() });
                self.insert(at, row, entry);
                Ok(())
            }
            (Some(known), Some((row, entry))) => {
                let from = self.place_of(&known)?;
                let was = self.remove(from);
                let Some(at) = self.new_place(&entry)? else {
                    self.patches.push(Patch::Delete { at: from });
                    return Ok(());
                };
                if at != from {
                    self.patches.push(Patch::Move { at, from });
                }
                if was != row {
                    self.patches.push(Patch::Update { at, row: row.clone() });
                }
                self.insert(at, row, entry);
                Ok(())
            }
        }
    }

    /// The place of a row that is new; `None` if it lies behind the window.
    fn new_place(&self, entry: &Rc<Entry>) -> Result<Option<usize>, Reason> {
        if let Some(edge) = &self.edge {
            match self.compare(entry, edge) {
                Ordering::Greater => return Ok(None),
                Ordering::Equal => return Err(TIE),
                Ordering::Less => {}
            }
        }
        let entries = &self.held.entries;
        let at = entries.partition_point(|other| self.compare(other, entry).is_lt());
        if entries.get(at).is_some_and(|next| self.compare(next, entry).is_eq()) {
            return Err(TIE);
        }
        Ok(Some(at))
    }

    /// Cuts the rows to the window.
    fn close(&mut self) -> Result<(), Reason> {
        let Some(limit) = self.arrangement.window.limit else { return Ok(()) };
        while self.held.entries.len() > limit {
            let at = self.held.entries.len() - 1;
            self.remove(at);
            self.patches.push(Patch::Delete { at });
        }
        if self.edge.is_some() && self.held.entries.len() < limit { Err(OUTSIDE) } else { Ok(()) }
    }

    fn remove(&mut self, at: usize) -> Vec<SqlValue> {
        let (row, entry) = self.held.remove(at);
        self.undo.push(Undo::Removed(at, row.clone(), entry));
        row
    }

    fn insert(&mut self, at: usize, row: Vec<SqlValue>, entry: Rc<Entry>) {
        self.undo.push(Undo::Inserted(at, Rc::clone(&entry)));
        self.held.insert(at, row, entry);
    }

    fn take_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Removed(at, row, entry) => self.held.insert(at, row, entry),
                Undo::Inserted(at, _) => drop(self.held.remove(at)),
                Undo::Replaced(at, row, entry) => drop(self.held.replace(at, row, entry)),
            }
        }
    }

    /// The steps, with the rows that are different in the end.
    fn steps(mut self) -> Steps {
        let mut seen = HashSet::new();
        let mut differences = Vec::new();
        for step in std::mem::take(&mut self.undo) {
            // The first step of a key knows the row before.
            let (entry, old) = match step {
                Undo::Removed(_, row, entry) | Undo::Replaced(_, row, entry) => (entry, Some(row)),
                Undo::Inserted(_, entry) => (entry, None),
            };
            if !seen.insert(entry.key.clone()) {
                continue;
            }
            let now = self.held.by_key.get(&entry.key);
            let place = now.and_then(|now| self.place_of(now).ok());
            let new = place.map(|at| self.held.rows.rows[at].clone());
            if old != new {
                differences.push(Difference { key: entry.values.to_vec(), old, new });
            }
        }
        Steps { patches: self.patches, differences }
    }
}
