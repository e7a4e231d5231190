//! The rows of all tables as SQL shows them, and the same rows as the events make them.

use perilune_capsule::{Committed, Database, LoggedChange, Row, RowChange, SchemaChange, SqlValue};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Values by the names of their columns. Text, so that storage classes and signs of zero are told apart.
type Values = BTreeMap<String, String>;

/// Rows by their key.
type Rows = BTreeMap<String, Values>;

/// The rows of a database.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Model {
    pub(crate) tables: BTreeMap<String, Rows>,
}

fn text(value: &SqlValue) -> String {
    match value {
        SqlValue::Real(real) => format!("Real({:x} {real})", real.to_bits()),
        other => format!("{other:?}"),
    }
}

/// Identity of a row: its key, or the rowid if there is a NULL in that.
fn key(values: &[SqlValue], rowid: Option<i64>) -> String {
    match rowid {
        Some(rowid) if values.contains(&SqlValue::Null) => format!("rowid {rowid}"),
        _ => values.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn strings(db: &Database, sql: &str, params: &[SqlValue]) -> Vec<Vec<String>> {
    let rows = db.query(sql, params).expect(sql).rows;
    let shown = |value: &SqlValue| match value {
        SqlValue::Integer(integer) => integer.to_string(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    rows.iter().map(|row| row.iter().map(shown).collect()).collect()
}

impl Model {
    /// Reads all tables of the application.
    pub(crate) fn read(db: &Database) -> Self {
        let mut model = Self::default();
        let tables = strings(
            db,
            "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_capsule\\_%' ESCAPE '\\'",
            &[],
        );
        for table in tables {
            let [name, kind, without_rowid] = &table[..] else { unreachable!("three columns") };
            model.tables.insert(name.clone(), rows(db, name, kind == "virtual", without_rowid == "1"));
        }
        model
    }

    /// Applies a commit to the rows before it. Every old row must be there, and every new one different.
    pub(crate) fn apply(&mut self, committed: &Committed) {
        for change in &committed.schema {
            match change {
                SchemaChange::Created(name) => {
                    let before = self.tables.insert(name.to_string(), Rows::new());
                    assert!(before.is_none(), "{name} was there");
                }
                SchemaChange::Dropped(name) => {
                    assert!(self.tables.remove(&**name).is_some(), "{name} was not there");
                }
                SchemaChange::Renamed { from, to } => {
                    let rows = self.tables.remove(&**from).expect("the table was there");
                    self.tables.insert(to.to_string(), rows);
                }
                _ => {}
            }
        }
        for change in &committed.changes {
            self.apply_row(change);
        }
    }

    fn apply_row(&mut self, change: &RowChange) {
        let rows = self.tables.get_mut(change.table()).expect("the table is there");
        let key = key(&change.key(), change.rowid());
        let old = change.old_row().map(values);
        match (rows.get(&key), &old) {
            (Some(known), Some(old)) => {
                assert!(agree(known, old), "{} {key}: the old row {old:?} was {known:?}", change.table());
            }
            (None, None) => {}
            (known, old) => panic!("{} {key}: the old row {old:?} was {known:?}", change.table()),
        }
        match change.new_row().map(values) {
            Some(new) => {
                assert_ne!(old.as_ref(), Some(&new), "{} {key} did not change", change.table());
                rows.insert(key, new);
            }
            None => drop(rows.remove(&key)),
        }
    }

    /// Applies a change of the log.
    pub(crate) fn replay(&mut self, change: &LoggedChange) {
        let rows = self.tables.entry(change.table.clone()).or_default();
        let key = key(&change.key, change.rowid);
        let image = |row: &Vec<(String, SqlValue)>| -> Values {
            row.iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        assert_eq!(rows.get(&key), change.old.as_ref().map(image).as_ref(), "{change:?}");
        match change.new.as_ref().map(image) {
            Some(new) => drop(rows.insert(key, new)),
            None => drop(rows.remove(&key)),
        }
    }

    /// The first difference from the rows of the database; `None` if these are the same. What a change of the
    /// schema did to columns is no event of a row: only the columns that both have must agree.
    pub(crate) fn difference(&self, after: &Self) -> Option<String> {
        if !self.tables.keys().eq(after.tables.keys()) {
            return Some(format!("tables {:?}, not {:?}", self.tables.keys(), after.tables.keys()));
        }
        self.tables.iter().find_map(|(name, rows)| {
            let there = &after.tables[name];
            let keys = rows.keys().chain(there.keys());
            let mut different = keys.filter(|&key| match (rows.get(key), there.get(key)) {
                (Some(row), Some(other)) => !agree(row, other),
                _ => true,
            });
            let key = different.next()?;
            Some(format!("{name} {key}: by events {:?}\nin the table {:?}", rows.get(key), there.get(key)))
        })
    }
}

/// True if the columns that both have are equal.
fn agree(a: &Values, b: &Values) -> bool {
    a.iter().all(|(name, value)| b.get(name).is_none_or(|other| value == other))
}

fn values(row: &Row) -> Values {
    row.iter().map(|(name, value)| (name.to_owned(), text(&value))).collect()
}

fn rows(db: &Database, table: &str, is_virtual: bool, without_rowid: bool) -> Rows {
    let info = strings(
        db,
        "SELECT name, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
        &[table.into()],
    );
    // A virtual column that cannot be read for some row is left out for all: the others must agree.
    let is_read =
        |name: &str| db.query(&format!("SELECT {} FROM main.{}", quoted(name), quoted(table)), ()).is_ok();
    let columns: Vec<&[String]> = info
        .iter()
        .map(Vec::as_slice)
        .filter(|column| column[2] != "1" && (column[2] != "2" || is_read(&column[0])))
        .collect();
    let mut key_columns: Vec<(usize, usize)> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| (column[1].parse().expect("a number"), index))
        .filter(|(place, _)| *place > 0)
        .collect();
    key_columns.sort_unstable();
    let mut select = String::from("SELECT ");
    select.push_str(if without_rowid { "NULL" } else { "_rowid_" });
    for column in &columns {
        select.push_str(", ");
        select.push_str(&quoted(&column[0]));
    }
    let _ = write!(select, " FROM main.{}", quoted(table));
    let mut rows = Rows::new();
    for row in db.query(&select, ()).expect(&select).rows {
        let rowid = row[0].as_i64();
        let named: Vec<SqlValue> = key_columns.iter().map(|(_, index)| row[index + 1].clone()).collect();
        let by_rowid = is_virtual || named.is_empty();
        let key = key(if by_rowid { &row[..1] } else { &named }, rowid);
        let values = columns.iter().zip(&row[1..]).map(|(column, value)| (column[0].clone(), text(value)));
        let before = rows.insert(key.clone(), values.collect());
        assert!(before.is_none(), "two rows of {table} have the key {key}");
    }
    rows
}
