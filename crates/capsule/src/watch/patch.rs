//! Patches: steps from one state of the rows of a query to the next.

use super::identity::{Identity, Key};
use crate::database::Rows;
use crate::value::SqlValue;
use std::collections::HashMap;

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
    /// Counts its indices from another row on.
    fn shift(&mut self, by: usize) {
        match self {
            Self::Insert { at, .. } | Self::Update { at, .. } | Self::Delete { at } => *at += by,
            Self::Move { at, from } => {
                *at += by;
                *from += by;
            }
        }
    }

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

/// Identities of rows: their keys, the first, second ... of equal ones.
fn numbered(keys: Vec<Key>) -> Vec<(Key, usize)> {
    let mut seen: HashMap<Key, usize> = HashMap::with_capacity(keys.len());
    let number = |key: Key| {
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        (key, *count)
    };
    keys.into_iter().map(number).collect()
}

/// The patches that make the rows of `after` of those of `before`.
pub(super) fn patches(before: &Rows, after: &Rows, identity: &Identity<'_>) -> Vec<Patch> {
    // Rows that stay the same at both ends need no look.
    let same = |(a, b): &(&Vec<SqlValue>, &Vec<SqlValue>)| a == b;
    let (old, new) = (&before.rows, &after.rows);
    let mut start = old.iter().zip(new).take_while(same).count();
    let most = old.len().min(new.len()) - start;
    let mut end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(same).count();
    if !identity.is_by_value() {
        // Equal rows can be of different keys.
        (start, end) = identity.same_ends(start, end, old.len(), new.len());
    }
    let (old, new) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    let (old_keys, new_keys) = identity.keys(before, after, start, end);
    let mut patches = middle(old, new, &numbered(old_keys), numbered(new_keys));
    for patch in &mut patches {
        patch.shift(start);
    }
    patches
}

fn middle(
    old: &[Vec<SqlValue>],
    new: &[Vec<SqlValue>],
    old_keys: &[(Key, usize)],
    new_keys: Vec<(Key, usize)>,
) -> Vec<Patch> {
    let place: HashMap<(Key, usize), usize> = new_keys.into_iter().zip(0..).collect();
    let mut patches = Vec::new();
    // The rows that stay, as indices among the new ones, with their old values.
    let mut now: Vec<(usize, &[SqlValue])> = Vec::with_capacity(old.len());
    for (index, identity) in old_keys.iter().enumerate().rev() {
        match place.get(identity) {
            Some(&target) => now.push((target, &old[index])),
            None => patches.push(Patch::Delete { at: index }),
        }
    }
    now.reverse();
    let mut there = vec![false; new.len()];
    for (target, _) in &now {
        there[*target] = true;
    }
    let mut at = 0;
    while at < new.len() {
        let row = &new[at];
        match now.get(at) {
            Some((target, was)) if *target == at => {
                if *was != row.as_slice() {
                    patches.push(Patch::Update { at, row: row.clone() });
                }
                at += 1;
            }
            _ if !there[at] => {
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
        let patches = patches(before, after, &Identity::Guess);
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
