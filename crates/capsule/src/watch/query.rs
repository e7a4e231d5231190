//! Watched queries: the rows of the last run compared with those of a new one.

use super::event::{Change, Image, RowEvent};
use crate::capture::Operation;
use crate::database::Rows;
use crate::log::key_text;
use crate::value::SqlValue;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Differences of two results of a query. The order of rows is none.
pub(super) fn differences(name: &Rc<str>, before: &Rows, after: &Rows) -> Vec<(Change, RowEvent)> {
    let key = key_column(before, after);
    let mut gone: BTreeMap<String, VecDeque<&[SqlValue]>> = BTreeMap::new();
    for row in &before.rows {
        gone.entry(identity(row, key)).or_default().push_back(row);
    }
    let mut events = Vec::new();
    for row in &after.rows {
        let was = gone.get_mut(&identity(row, key)).and_then(VecDeque::pop_front);
        match was {
            Some(was) if was == row.as_slice() => {}
            Some(was) => {
                events.push((Change::Change, event(name, key, Some((before, was)), Some((after, row)))));
            }
            None => events.push((Change::Enter, event(name, key, None, Some((after, row))))),
        }
    }
    let rest = gone.into_values().flatten();
    events.extend(rest.map(|was| (Change::Leave, event(name, key, Some((before, was)), None))));
    events
}

/// The first column whose values tell the rows of both results apart; `None` if no column does: then a row
/// that changes is another row.
pub(super) fn key_column(before: &Rows, after: &Rows) -> Option<usize> {
    let is_unique = |rows: &Rows, column: usize| {
        let mut values: Vec<String> =
            rows.rows.iter().map(|row| key_text(std::slice::from_ref(&row[column]))).collect();
        let nulls = rows.rows.iter().any(|row| row[column] == SqlValue::Null);
        let count = values.len();
        values.sort_unstable();
        values.dedup();
        !nulls && values.len() == count
    };
    (0..after.columns.len()).find(|&column| is_unique(before, column) && is_unique(after, column))
}

fn identity(row: &[SqlValue], key: Option<usize>) -> String {
    key_text(key.map_or(row, |column| std::slice::from_ref(&row[column])))
}

type Side<'a> = (&'a Rows, &'a [SqlValue]);

fn event(name: &Rc<str>, key: Option<usize>, old: Option<Side<'_>>, new: Option<Side<'_>>) -> RowEvent {
    let image = |(rows, row): Side<'_>| -> Image {
        rows.columns.iter().zip(row).map(|(column, value)| (column.as_str().into(), value.clone())).collect()
    };
    let operation = match (&old, &new) {
        (None, _) => Operation::Insert,
        (_, None) => Operation::Delete,
        _ => Operation::Update,
    };
    let (_, row) = new.or(old).unwrap_or((&EMPTY, &[]));
    let key = key.map_or_else(|| row.to_vec(), |column| vec![row[column].clone()]);
    RowEvent { operation, table: Rc::clone(name), rowid: None, key, old: old.map(image), new: new.map(image) }
}

static EMPTY: Rows = Rows { columns: Vec::new(), rows: Vec::new() };
