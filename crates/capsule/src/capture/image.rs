//! Rows as bytes: one allocation each, equal if and only if the rows are.

use crate::catalog::{Affinity, Column, KeyColumns, Table};
use crate::value::{SqlValue, is_same};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt;
use std::rc::Rc;

/// A value that is computed and not stored, and was not computed.
const MISSING: u8 = u8::MAX;
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Appends a value to an image.
pub(super) fn push(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => bytes.push(NULL),
        ValueRef::Integer(integer) => {
            bytes.push(INTEGER);
            bytes.extend_from_slice(&integer.to_le_bytes());
        }
        ValueRef::Real(real) => {
            bytes.push(REAL);
            bytes.extend_from_slice(&real.to_le_bytes());
        }
        ValueRef::Text(text) => push_bytes(bytes, TEXT, text),
        ValueRef::Blob(blob) => push_bytes(bytes, BLOB, blob),
    }
}

/// Appends the place of a value that is not known.
pub(super) fn push_missing(bytes: &mut Vec<u8>) {
    bytes.push(MISSING);
}

/// Appends a value as its column keeps it: where a REAL column has a float the hook can see an integer, in a
/// new row and as the default of a column that was added.
pub(super) fn push_stored(bytes: &mut Vec<u8>, value: ValueRef<'_>, affinity: Affinity) {
    match (value, affinity) {
        #[expect(clippy::cast_precision_loss, reason = "SQLite converts it in the same way")]
        (ValueRef::Integer(integer), Affinity::Real) => push(bytes, ValueRef::Real(integer as f64)),
        _ => push(bytes, value),
    }
}

fn push_bytes(bytes: &mut Vec<u8>, tag: u8, data: &[u8]) {
    bytes.push(tag);
    // SQLite's longest value is shorter than 2^31 bytes.
    bytes.extend_from_slice(&(data.len() as u32).to_le_bytes());
    bytes.extend_from_slice(data);
}

/// The values of an image, or of a key, in order; `None` for one that is missing.
#[derive(Debug, Clone)]
pub(crate) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn take_array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N));
        array
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Option<ValueRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(Some(match tag {
            MISSING => return Some(None),
            INTEGER => ValueRef::Integer(i64::from_le_bytes(self.take_array())),
            REAL => ValueRef::Real(f64::from_le_bytes(self.take_array())),
            TEXT | BLOB => {
                let length = u32::from_le_bytes(self.take_array()) as usize;
                let data = self.take(length);
                if tag == TEXT { ValueRef::Text(data) } else { ValueRef::Blob(data) }
            }
            _ => ValueRef::Null,
        }))
    }
}

/// A value of an image as a parameter.
pub(super) struct Parameter<'a>(pub(super) ValueRef<'a>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

/// A row as it was or is.
#[derive(Clone)]
pub struct Row {
    pub(super) table: Rc<Table>,
    pub(super) bytes: Rc<[u8]>,
}

impl Row {
    /// The columns of the table.
    pub fn columns(&self) -> &[Column] {
        &self.table.columns
    }

    /// Columns and values, in the order of the table. A virtual generated column whose expression fails for
    /// this row is not among them.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Column, ValueRef<'_>)> {
        let all = self.columns().iter().zip(Values::new(&self.bytes));
        all.filter_map(|(column, value)| value.map(|value| (column, value)))
    }

    /// The values of the declared primary key; `None` where the rowid is the key.
    pub(super) fn declared_key(&self) -> Option<Vec<SqlValue>> {
        let KeyColumns::Declared(indices) = &self.table.key else { return None };
        let values: Vec<_> = Values::new(&self.bytes).collect();
        indices.iter().map(|&index| values[index].map(Into::into)).collect()
    }

    /// Names and values, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&str, SqlValue)> {
        self.values().map(|(column, value)| (column.name(), value.into()))
    }

    /// The value of a column; `None` if there is no column of that name, or no value of it.
    pub fn get(&self, column: &str) -> Option<SqlValue> {
        let index = self.table.column(column)?;
        Values::new(&self.bytes).nth(index).flatten().map(Into::into)
    }

    /// The value of the column with an index; `None` for one that is not known.
    pub(crate) fn value_at(&self, index: usize) -> Option<ValueRef<'_>> {
        Values::new(&self.bytes).nth(index).flatten()
    }

    /// Makes a row of names and values; an error names a column that is missing.
    pub(crate) fn of_values(
        table: &Rc<Table>,
        values: &[(String, SqlValue)],
    ) -> std::result::Result<Self, Rc<str>> {
        let mut bytes = Vec::new();
        for column in &table.columns {
            let value = values.iter().find(|(name, _)| **name == *column.name).map(|(_, value)| value);
            match value {
                Some(value) => push(&mut bytes, value.borrowed()),
                None if column.is_virtual => push_missing(&mut bytes),
                None => return Err(Rc::clone(&column.name)),
            }
        }
        Ok(Self { table: Rc::clone(table), bytes: bytes.into() })
    }

    /// True if one of the columns that are marked may differ: a value that could not be computed counts as
    /// one.
    pub(crate) fn differs_in(&self, other: &Self, marked: &[bool]) -> bool {
        let both = Values::new(&self.bytes).zip(Values::new(&other.bytes)).zip(marked);
        let differs =
            |(values, marked): (_, &bool)| *marked && !matches!(values, (Some(a), Some(b)) if is_same(a, b));
        both.into_iter().any(differs)
    }

    /// The table, as it was when the row was read.
    pub(crate) fn table(&self) -> &Rc<Table> {
        &self.table
    }

    /// True if both have the same values in the columns that both have. What one of them lacks is a change of
    /// the schema, not of the row.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        if Rc::ptr_eq(&self.table, &other.table) || self.table.columns == other.table.columns {
            return self.bytes == other.bytes;
        }
        self.values().all(|(column, value)| {
            let there = other.values().find(|(known, _)| known.id == column.id);
            there.is_none_or(|(_, known)| is_same(known, value))
        })
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.table.columns == other.table.columns && self.bytes == other.bytes
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Identity of a row within its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The rowid.
    Rowid(i64),
    /// The values of the declared primary key, as an image.
    Declared(Rc<[u8]>),
}

impl Key {
    /// The values of the key.
    pub(crate) fn values(&self) -> Vec<SqlValue> {
        match self {
            Self::Rowid(rowid) => vec![SqlValue::Integer(*rowid)],
            Self::Declared(bytes) => Values::new(bytes).flatten().map(Into::into).collect(),
        }
    }
}
