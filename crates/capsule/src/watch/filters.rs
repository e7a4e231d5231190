//! Watchers of one table, found by the values of a row: of a thousand filters `owner = 7` one is asked.
//!
//! Keeps true: a watcher that is left out would have answered no. Whoever is found is still asked by SQLite,
//! so that a filter means here what it means there. Left out is only by comparisons that have no conversion:
//! an integer with an integer, a text with a text in a column that compares bytes.

use super::Watcher;
use crate::capture::Row;
use crate::catalog::{Affinity, Table};
use crate::database::Database;
use rusqlite::types::ValueRef;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Names that mean something else than a column, or may.
const NO_COLUMNS: [&str; 9] =
    ["rowid", "oid", "_rowid_", "null", "true", "false", "current_date", "current_time", "current_timestamp"];

/// A literal that a column is compared with.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Literal {
    Integer(i64),
    Text(Box<[u8]>),
}

/// Watchers whose filters compare one column with a literal.
#[derive(Debug, Default)]
struct OfColumn {
    by_literal: HashMap<Literal, Vec<Rc<Watcher>>>,
}

/// Watchers of a table by what their filters want.
#[derive(Debug)]
pub(super) struct Filters {
    table: Rc<Table>,
    /// Watchers that have no filter, or one that says nothing here.
    others: Vec<Rc<Watcher>>,
    of_columns: BTreeMap<usize, OfColumn>,
}

impl Filters {
    pub(super) fn new<'a>(
        db: &Database,
        table: &Rc<Table>,
        watchers: impl Iterator<Item = &'a Rc<Watcher>>,
    ) -> Self {
        let (mut others, mut of_columns) = (Vec::new(), BTreeMap::<usize, OfColumn>::new());
        // By the index of a column: whether it compares texts by their bytes.
        let mut compares_bytes = BTreeMap::new();
        for watcher in watchers {
            let wanted = watcher.filter().and_then(|filter| comparison(filter, table));
            let wanted = wanted.filter(|(column, literal)| match literal {
                Literal::Integer(_) => table.columns[*column].affinity != Affinity::Text,
                Literal::Text(_) => {
                    matches!(table.columns[*column].affinity, Affinity::Text | Affinity::Blob)
                        && *compares_bytes
                            .entry(*column)
                            .or_insert_with(|| db.compares_bytes(table, table.columns[*column].name()))
                }
            });
            match wanted {
                Some((column, literal)) => {
                    let of_column = of_columns.entry(column).or_default();
                    of_column.by_literal.entry(literal).or_default().push(Rc::clone(watcher));
                }
                None => others.push(Rc::clone(watcher)),
            }
        }
        Self { table: Rc::clone(table), others, of_columns }
    }

    /// True if rows of this table are meant, as it is now.
    pub(super) fn are_of(&self, table: &Rc<Table>) -> bool {
        Rc::ptr_eq(&self.table, table)
    }

    /// Adds the watchers that may want one of these rows, by their numbers.
    pub(super) fn find(&self, rows: [Option<&Row>; 2], found: &mut BTreeMap<u64, Rc<Watcher>>) {
        let mut add = |watchers: &[Rc<Watcher>]| {
            found.extend(watchers.iter().map(|watcher| (watcher.number, Rc::clone(watcher))));
        };
        add(&self.others);
        for row in rows.into_iter().flatten() {
            let is_as_known = Rc::ptr_eq(row.table(), &self.table);
            for (column, watchers) in &self.of_columns {
                let value = if is_as_known { row.value_at(*column) } else { None };
                let all = |alike: fn(&Literal) -> bool, add: &mut dyn FnMut(&[Rc<Watcher>])| {
                    let chosen = watchers.by_literal.iter().filter(|(literal, _)| alike(literal));
                    chosen.for_each(|(_, some)| add(some));
                };
                let literal = match value {
                    // `=` with NULL is never true.
                    Some(ValueRef::Null) => continue,
                    Some(ValueRef::Integer(integer)) => {
                        all(|literal| matches!(literal, Literal::Text(_)), &mut add);
                        Literal::Integer(integer)
                    }
                    Some(ValueRef::Text(text)) => {
                        all(|literal| matches!(literal, Literal::Integer(_)), &mut add);
                        Literal::Text(text.into())
                    }
                    _ => {
                        all(|_| true, &mut add);
                        continue;
                    }
                };
                if let Some(some) = watchers.by_literal.get(&literal) {
                    add(some);
                }
            }
        }
    }
}

/// The column and the literal of a filter that is `column = literal` and nothing else.
fn comparison(filter: &str, table: &Table) -> Option<(usize, Literal)> {
    let (name, literal) = filter.split_once('=')?;
    let (name, literal) = (name.trim(), literal.strip_prefix('=').unwrap_or(literal).trim());
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if !is_name(name) || NO_COLUMNS.iter().any(|other| name.eq_ignore_ascii_case(other)) {
        return None;
    }
    Some((table.column(name)?, literal_of(literal)?))
}

fn literal_of(text: &str) -> Option<Literal> {
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        // With a quote in it, it would have to be read; a NUL ends a text for some of SQLite's functions.
        return (!inner.contains(['\'', '\0'])).then(|| Literal::Text(inner.as_bytes().into()));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_integer.then(|| text.parse().ok().map(Literal::Integer)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_that_mean_themselves_are_read() {
        assert_eq!(literal_of("17"), Some(Literal::Integer(17)));
        assert_eq!(literal_of("-9223372036854775808"), Some(Literal::Integer(i64::MIN)));
        assert_eq!(literal_of("'a b'"), Some(Literal::Text((*b"a b").into())));
        assert_eq!(literal_of("''"), Some(Literal::Text((*b"").into())));
        for other in [
            "9223372036854775808",
            "1.0",
            "0x10",
            "+1",
            "- 1",
            "1 OR 1",
            "'a'''",
            "'a' || 'b'",
            "\"a\"",
            "x'00'",
            "",
        ] {
            assert_eq!(literal_of(other), None, "{other}");
        }
    }
}
