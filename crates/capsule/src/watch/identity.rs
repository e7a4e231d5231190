//! Identity of the rows of a query: which row of one run is which of the next.

use crate::database::Rows;
use crate::value::SqlValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;

/// Values as bytes: equal if and only if the values are.
pub(super) type Key = Box<[u8]>;

/// Values that are kept beside a row of a query and not shown.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// The values of the key.
    pub(super) values: Box<[SqlValue]>,
    /// The values by which the rows are ordered.
    pub(super) order: Box<[SqlValue]>,
}

/// Writes values as bytes.
pub(super) fn encode<'a>(values: impl IntoIterator<Item = &'a SqlValue>) -> Key {
    let mut bytes = Vec::with_capacity(16);
    for value in values {
        match value {
            SqlValue::Null => bytes.push(0),
            SqlValue::Integer(integer) => {
                bytes.push(1);
                bytes.extend_from_slice(&integer.to_le_bytes());
            }
            SqlValue::Real(real) => {
                bytes.push(2);
                bytes.extend_from_slice(&real.to_le_bytes());
            }
            SqlValue::Text(data) | SqlValue::Blob(data) => {
                bytes.push(if matches!(value, SqlValue::Text(_)) { 3 } else { 4 });
                bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
                bytes.extend_from_slice(data);
            }
        }
    }
    bytes.into()
}

/// Identity of rows.
#[derive(Debug)]
pub(super) enum Identity<'a> {
    /// Keys that are kept beside the rows before and those after.
    Entries(&'a [Rc<Entry>], &'a [Rc<Entry>]),
    /// Columns whose values tell rows apart, or all of them.
    Columns(Cow<'a, [usize]>),
    /// The first column whose values tell the rows apart, else whole rows.
    Guess,
}

impl Identity<'_> {
    /// True if rows with the same values are the same rows.
    pub(super) fn is_by_value(&self) -> bool {
        !matches!(self, Self::Entries(..))
    }

    /// The counts of rows at the start and at the end whose keys are the same, too.
    pub(super) fn same_ends(&self, start: usize, end: usize, old: usize, new: usize) -> (usize, usize) {
        let Self::Entries(before, after) = self else { return (start, end) };
        let same = |(a, b): &(&Rc<Entry>, &Rc<Entry>)| a.key == b.key;
        let from_start = before.iter().zip(*after).take(start).take_while(same).count();
        let (before, after) = (before[..old].iter().rev(), after[..new].iter().rev());
        (from_start, before.zip(after).take(end).take_while(same).count())
    }

    /// The keys of the rows before and after, without as many at the start and the end.
    pub(super) fn keys(&self, before: &Rows, after: &Rows, start: usize, end: usize) -> (Vec<Key>, Vec<Key>) {
        match self {
            Self::Entries(old, new) => {
                let keys = |entries: &[Rc<Entry>]| {
                    entries[start..entries.len() - end].iter().map(|entry| entry.key.clone()).collect()
                };
                (keys(old), keys(new))
            }
            Self::Columns(columns) => {
                let keys = |rows: &Rows| {
                    let rows = &rows.rows[start..rows.rows.len() - end];
                    rows.iter().map(|row| encode(columns.iter().map(|column| &row[*column]))).collect()
                };
                (keys(before), keys(after))
            }
            Self::Guess => {
                let there = |rows: &Rows| start..rows.rows.len() - end;
                let (old, new) = (&before.rows[there(before)], &after.rows[there(after)]);
                let columns = guess(old, new);
                let keys = |rows: &[Vec<SqlValue>]| {
                    rows.iter().map(|row| encode(columns.iter().map(|column| &row[*column]))).collect()
                };
                (keys(old), keys(new))
            }
        }
    }

    /// This identity without a guess, for all rows of two results.
    pub(super) fn decided(self, before: &Rows, after: &Rows) -> Self {
        match self {
            Self::Guess => Self::Columns(guess(&before.rows, &after.rows).into()),
            decided => decided,
        }
    }

    /// The values that name a row of one of two results: of the one before, or of the one after.
    pub(super) fn values(&self, row: &[SqlValue], index: usize, is_before: bool) -> Vec<SqlValue> {
        match self {
            Self::Entries(before, after) => (if is_before { before } else { after })[index].values.to_vec(),
            Self::Columns(columns) => columns.iter().map(|column| row[*column].clone()).collect(),
            Self::Guess => row.to_vec(),
        }
    }
}

/// The first column whose values tell the rows of both results apart; all of them if no column does: then a
/// row that changes is another row.
fn guess(before: &[Vec<SqlValue>], after: &[Vec<SqlValue>]) -> Vec<usize> {
    let width = before.iter().chain(after).map(Vec::len).min().unwrap_or(0);
    let is_unique = |rows: &[Vec<SqlValue>], column: usize| {
        let mut seen = HashSet::with_capacity(rows.len());
        rows.iter().all(|row| row[column] != SqlValue::Null && seen.insert(encode([&row[column]])))
    };
    let column = (0..width).find(|&column| is_unique(before, column) && is_unique(after, column));
    column.map_or_else(|| (0..width).collect(), |column| vec![column])
}
