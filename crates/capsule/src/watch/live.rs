//! Live queries: the rows of a query, and patches that bring them to the next state.

use super::Reads;
use crate::conn::Params;
use crate::database::{Committed, Database, Rows};
use crate::error::{CapsuleError, Result};
use crate::log::key_text;
use crate::value::SqlValue;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// Step from one state of the rows of a query to the next. Steps apply one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// Inserts a row.
    Insert {
        /// The index of the row afterwards.
        at: usize,
        /// The row.
        row: Vec<SqlValue>,
    },
    /// Gives a row other values.
    Update {
        /// The index of the row.
        at: usize,
        /// The row as it is now.
        row: Vec<SqlValue>,
    },
    /// Deletes a row.
    Delete {
        /// The index of the row before.
        at: usize,
    },
    /// Moves a row.
    Move {
        /// The index of the row afterwards, when it is not where it was any more.
        at: usize,
        /// The index of the row before.
        from: usize,
    },
}

impl Patch {
    /// Applies the patch to rows.
    ///
    /// # Panics
    /// If these are not the rows that the patch was made for.
    pub fn apply(&self, rows: &mut Vec<Vec<SqlValue>>) {
        match self {
            Self::Insert { at, row } => rows.insert(*at, row.clone()),
            Self::Update { at, row } => rows[*at].clone_from(row),
            Self::Delete { at } => drop(rows.remove(*at)),
            Self::Move { at, from } => {
                let row = rows.remove(*from);
                rows.insert(*at, row);
            }
        }
    }
}

/// Update of a live query, after a commit that has changed its rows.
#[derive(Debug, Clone, Copy)]
pub struct LiveUpdate<'a> {
    /// The columns and the rows as they are now.
    pub rows: &'a Rows,
    /// The steps from the rows before to these.
    pub patches: &'a [Patch],
    /// The number of the last change of the commit.
    pub seq: i64,
}

type Listener = Box<dyn Fn(u64, LiveUpdate<'_>)>;

/// A live query.
struct Live {
    id: u64,
    sql: String,
    params: Vec<SqlValue>,
    reads: RefCell<Reads>,
    rows: RefCell<Rows>,
    listener: Listener,
}

/// The live queries of a capsule.
#[derive(Default)]
pub(crate) struct LiveQueries {
    list: RefCell<Vec<Rc<Live>>>,
    last: Cell<u64>,
}

impl fmt::Debug for LiveQueries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} live queries", self.list.borrow().len())
    }
}

impl LiveQueries {
    /// Adds a query, whose listener gets its number with each update. Returns the number and its rows.
    pub(crate) fn add(
        &self,
        db: &Database,
        sql: &str,
        params: Vec<SqlValue>,
        listener: impl Fn(u64, LiveUpdate<'_>) + 'static,
    ) -> Result<(u64, Rows)> {
        db.check_events("a live query")?;
        if db.is_in_transaction() {
            return Err(CapsuleError::usage(
                "a live query begins outside of a transaction, which may be taken back",
            ));
        }
        let reads = RefCell::new(Reads::of(db, sql)?);
        let rows = db.query(sql, Params::List(&params))?;
        let id = self.last.get() + 1;
        self.last.set(id);
        let (sql, listener) = (sql.to_owned(), Box::new(listener));
        let live = Live { id, sql, params, reads, rows: RefCell::new(rows.clone()), listener };
        self.list.borrow_mut().push(Rc::new(live));
        Ok((id, rows))
    }

    /// The number of live queries.
    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Ends a query; false if there is none of this number.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut list = self.list.borrow_mut();
        let before = list.len();
        list.retain(|live| live.id != id);
        list.len() < before
    }

    /// Tells the queries whose rows a commit has changed. Errors are those of single queries.
    pub(crate) fn committed(&self, db: &Database, committed: &Committed) -> Vec<CapsuleError> {
        let list = self.list.borrow().clone();
        list.iter().filter_map(|live| live.committed(db, committed).err()).collect()
    }
}

impl Live {
    fn committed(&self, db: &Database, committed: &Committed) -> Result<()> {
        if !self.reads.borrow_mut().concerns(db, &self.sql, committed)? {
            return Ok(());
        }
        let now = db.query(&self.sql, Params::List(&self.params))?;
        let before = self.rows.replace(now.clone());
        let patches = patches(&before, &now);
        if !patches.is_empty() || before.columns != now.columns {
            let seq = committed.first.unwrap_or_default() + committed.changes.len() as i64 - 1;
            (self.listener)(self.id, LiveUpdate { rows: &now, patches: &patches, seq });
        }
        Ok(())
    }
}

/// Identities of rows: the values of a column that tells them apart, else whole rows, the first, second ...
/// of equal ones.
fn identities(rows: &Rows, key: Option<usize>) -> Vec<(String, usize)> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let identity = |row: &Vec<SqlValue>| {
        let text = key_text(key.map_or(row.as_slice(), |column| std::slice::from_ref(&row[column])));
        let count = seen.entry(text.clone()).or_default();
        *count += 1;
        (text, *count)
    };
    rows.rows.iter().map(identity).collect()
}

/// The patches that make the rows of `after` of those of `before`.
pub(crate) fn patches(before: &Rows, after: &Rows) -> Vec<Patch> {
    let key = super::query::key_column(before, after);
    let (old, new) = (identities(before, key), identities(after, key));
    let place: BTreeMap<&(String, usize), usize> = new.iter().zip(0..).collect();
    let mut patches = Vec::new();
    // The rows that stay, as indices among the new ones, with their old values.
    let mut now: Vec<(usize, &[SqlValue])> = Vec::with_capacity(old.len());
    for (index, identity) in old.iter().enumerate().rev() {
        match place.get(identity) {
            Some(&target) => now.push((target, &before.rows[index])),
            None => patches.push(Patch::Delete { at: index }),
        }
    }
    now.reverse();
    let there: std::collections::BTreeSet<usize> = now.iter().map(|(target, _)| *target).collect();
    let mut at = 0;
    while at < new.len() {
        let row = &after.rows[at];
        match now.get(at) {
            Some((target, was)) if *target == at => {
                if *was != row.as_slice() {
                    patches.push(Patch::Update { at, row: row.clone() });
                }
                at += 1;
            }
            _ if !there.contains(&at) => {
                patches.push(Patch::Insert { at, row: row.clone() });
                now.insert(at, (at, row));
                at += 1;
            }
            // The next one is right: the row that stands here has moved down.
            Some((target, _)) if now.get(at + 1).is_some_and(|(next, _)| *next == at) => {
                let target = (*target).min(now.len() - 1);
                let moved = now.remove(at);
                now.insert(target, moved);
                patches.push(Patch::Move { at: target, from: at });
            }
            _ => {
                let from =
                    now.iter().skip(at).position(|(target, _)| *target == at).map_or(at, |steps| at + steps);
                let moved = now.remove(from);
                now.insert(at, moved);
                patches.push(Patch::Move { at, from });
            }
        }
    }
    patches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random numbers that a seed repeats.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % n
        }
    }

    /// A change of rows of a key and a value.
    type Edit<'a> = &'a dyn Fn(&mut Vec<(i64, i64)>);

    fn rows(values: &[(i64, i64)]) -> Rows {
        let row = |&(key, value): &(i64, i64)| vec![key.into(), value.into()];
        Rows { columns: vec!["k".into(), "v".into()], rows: values.iter().map(row).collect() }
    }

    fn check(before: &Rows, after: &Rows) -> Vec<Patch> {
        let patches = patches(before, after);
        let mut patched = before.rows.clone();
        for patch in &patches {
            patch.apply(&mut patched);
        }
        assert_eq!(patched, after.rows, "{patches:?} of {before:?}");
        patches
    }

    #[test]
    fn patches_make_the_rows_of_a_fresh_run() {
        let mut random = Random(7);
        for _ in 0..20_000 {
            let mut side = |distinct: bool| {
                let mut values: Vec<(i64, i64)> = Vec::new();
                for _ in 0..random.below(9) {
                    let (key, value) = (random.below(7) as i64, random.below(2) as i64);
                    if !distinct || values.iter().all(|(known, _)| *known != key) {
                        values.push((key, value));
                    }
                }
                rows(&values)
            };
            for distinct in [true, false] {
                let (before, after) = (side(distinct), side(distinct));
                check(&before, &after);
                assert_eq!(check(&after, &after), []);
            }
        }
    }

    #[test]
    fn one_change_is_one_patch() {
        let all: Vec<(i64, i64)> = (0..100).map(|n| (n, n)).collect();
        let changed = |change: Edit<'_>| {
            let mut values = all.clone();
            change(&mut values);
            check(&rows(&all), &rows(&values)).len()
        };
        assert_eq!(changed(&|values| values[50].1 = 1000), 1);
        assert_eq!(
            changed(&|values| {
                values.remove(0);
            }),
            1
        );
        assert_eq!(changed(&|values| values.insert(0, (200, 1))), 1);
        assert_eq!(
            changed(&|values| {
                let first = values.remove(0);
                values.push(first);
            }),
            1,
            "a row that moves down"
        );
        assert_eq!(
            changed(&|values| {
                let last = values.remove(99);
                values.insert(0, last);
            }),
            1,
            "a row that moves up"
        );
    }
}
