//! Followers of queries, found by the tables that a commit has changed.

use super::held::Steps;
use super::ladder::{Ladder, Wanted, passing};
use crate::database::{Committed, Database};
use crate::error::CapsuleError;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Followers of queries, in the order in which they were added.
#[derive(Debug)]
pub(super) struct Followers<T> {
    list: RefCell<BTreeMap<u64, Rc<T>>>,
    index: RefCell<Index>,
}

/// Numbers of followers by the tables that they read.
#[derive(Debug, Default)]
struct Index {
    /// The schema for which it holds.
    schema: u64,
    next: u64,
    by_table: BTreeMap<Rc<str>, BTreeSet<u64>>,
    /// Numbers of those for which every commit counts.
    always: BTreeSet<u64>,
}

impl<T> Default for Followers<T> {
    fn default() -> Self {
        Self { list: RefCell::default(), index: RefCell::default() }
    }
}

impl Index {
    fn add(&mut self, number: u64, ladder: &Ladder) {
        match ladder.tables() {
            None => {
                self.always.insert(number);
            }
            Some(tables) => {
                for table in tables {
                    self.by_table.entry(table).or_default().insert(number);
                }
            }
        }
    }

    fn remove(&mut self, number: u64) {
        self.always.remove(&number);
        for numbers in self.by_table.values_mut() {
            numbers.remove(&number);
        }
    }
}

impl<T: AsRef<Ladder>> Followers<T> {
    /// Adds one, with the schema by which it was planned.
    pub(super) fn add(&self, follower: Rc<T>, schema: u64) {
        let mut index = self.index.borrow_mut();
        if self.list.borrow().is_empty() {
            index.schema = schema;
        }
        let number = index.next;
        index.next += 1;
        index.add(number, follower.as_ref().as_ref());
        self.list.borrow_mut().insert(number, follower);
    }

    /// Takes one away; false if there is none of this kind.
    pub(super) fn remove(&self, is_it: impl Fn(&T) -> bool) -> bool {
        let found =
            self.list.borrow().iter().find(|(_, follower)| is_it(follower)).map(|(number, _)| *number);
        let Some(number) = found else { return false };
        self.index.borrow_mut().remove(number);
        self.list.borrow_mut().remove(&number);
        true
    }

    /// The first of a kind.
    pub(super) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<Rc<T>> {
        self.list.borrow().values().find(|follower| is_it(follower)).cloned()
    }

    /// The number of followers.
    pub(super) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Followers that a commit may concern.
    fn concerned(&self, db: &Database, committed: &Committed) -> Vec<(u64, Rc<T>)> {
        let list = self.list.borrow();
        let index = self.index.borrow();
        if index.schema != db.schema_number() {
            return list.iter().map(|(number, follower)| (*number, Rc::clone(follower))).collect();
        }
        let mut numbers = index.always.clone();
        let tables: BTreeSet<&str> = committed.changes.iter().map(crate::capture::RowChange::table).collect();
        for table in tables.into_iter().chain(committed.renumbered.iter().map(|table| &**table)) {
            numbers.extend(index.by_table.get(table).into_iter().flatten());
        }
        numbers.into_iter().filter_map(|number| Some((number, Rc::clone(list.get(&number)?)))).collect()
    }

    /// Has all that a commit concerns follow it, and tells each its steps. Errors are those of single ones.
    pub(super) fn committed(
        &self,
        db: &Database,
        committed: &Committed,
        wanted: Wanted,
        mut tell: impl FnMut(&Rc<T>, Steps, Option<Vec<String>>),
    ) -> Vec<CapsuleError> {
        let concerned = self.concerned(db, committed);
        let is_other_schema = self.index.borrow().schema != db.schema_number();
        let ladders: Vec<&Ladder> = concerned.iter().map(|(_, follower)| (**follower).as_ref()).collect();
        let passed = passing(db, committed, &ladders);
        let mut errors = Vec::new();
        for ((number, follower), passed) in concerned.iter().zip(passed) {
            let ladder: &Ladder = (**follower).as_ref();
            let followed = ladder.committed(db, committed, &passed, wanted);
            if is_other_schema {
                let mut index = self.index.borrow_mut();
                index.remove(*number);
                index.add(*number, ladder);
            }
            // One that was told before may have taken it away.
            let is_there = self.list.borrow().contains_key(number);
            match followed {
                Ok((steps, columns_before)) if is_there => tell(follower, steps, columns_before),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        if is_other_schema {
            self.index.borrow_mut().schema = db.schema_number();
        }
        errors
    }
}
