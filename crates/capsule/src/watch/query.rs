//! Events of watched queries: the rows before compared with those now.

use super::event::{Change, Image, RowEvent};
use super::identity::{Identity, Key};
use crate::capture::Operation;
use crate::database::Rows;
use crate::value::SqlValue;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

/// A row of a query before and now, with the values that name it.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) key: Vec<SqlValue>,
    pub(super) old: Option<Vec<SqlValue>>,
    pub(super) new: Option<Vec<SqlValue>>,
}

impl Difference {
    /// The event of it, with the columns before and now. `query` is what it is called by.
    pub(super) fn event(
        self,
        query: &Rc<str>,
        before: &[String],
        now: &[String],
        seq: i64,
    ) -> (Change, RowEvent) {
        let Self { key, old, new } = self;
        let (change, operation) = match (&old, &new) {
            (None, _) => (Change::Enter, Operation::Insert),
            (_, None) => (Change::Leave, Operation::Delete),
            _ => (Change::Change, Operation::Update),
        };
        let image = |columns: &[String], row: Vec<SqlValue>| -> Image {
            columns.iter().zip(row).map(|(column, value)| (column.as_str().into(), value)).collect()
        };
        let (old, new) = (old.map(|row| image(before, row)), new.map(|row| image(now, row)));
        (change, RowEvent { seq, operation, table: Rc::clone(query), rowid: None, key, old, new })
    }
}

/// Differences of two results of a query. The order of rows is none.
pub(super) fn differences(before: &Rows, after: &Rows, identity: Identity<'_>) -> Vec<Difference> {
    let identity = identity.decided(before, after);
    let (old_keys, new_keys) = identity.keys(before, after, 0, 0);
    let mut gone: HashMap<Key, VecDeque<usize>> = HashMap::with_capacity(old_keys.len());
    for (index, key) in old_keys.into_iter().enumerate() {
        gone.entry(key).or_default().push_back(index);
    }
    let mut found = Vec::new();
    for (index, key) in new_keys.into_iter().enumerate() {
        let row = &after.rows[index];
        let was = gone.get_mut(&key).and_then(VecDeque::pop_front);
        let old = was.map(|was| &before.rows[was]);
        if old != Some(row) {
            let key = identity.values(row, index, false);
            found.push(Difference { key, old: old.cloned(), new: Some(row.clone()) });
        }
    }
    let rest: BTreeSet<usize> = gone.into_values().flatten().collect();
    found.extend(rest.into_iter().map(|index| {
        let row = &before.rows[index];
        Difference { key: identity.values(row, index, true), old: Some(row.clone()), new: None }
    }));
    found
}
