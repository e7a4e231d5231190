//! Values between Lua and SQL.
//!
//! A string of Lua is text if it is UTF-8, else a blob; a boolean is 0 or 1. NULL is a missing key in a row,
//! and `json.null` binds it. Integers are exact on both sides.

use crate::database::Rows;
use crate::error::{CapsuleError, Result};
use crate::rules::JudgedRow;
use crate::value::SqlValue;
use perilune::value::{FormatError, Token};
use perilune::{Results, Table, Value};
use rusqlite::types::ValueRef;

/// The value of one token.
pub(super) fn from_token(token: &Token<'_>) -> Result<SqlValue> {
    Ok(match token {
        Token::Nil | Token::Null => SqlValue::Null,
        Token::Boolean(flag) => (*flag).into(),
        Token::Integer(integer) => (*integer).into(),
        Token::Float(float) => SqlValue::Real(*float),
        Token::String(bytes) => from_bytes(bytes),
        Token::Table { .. } | Token::EmptyList | Token::BackReference(_) => return Err(no_value("a table")),
        Token::ExternalTable(_) => return Err(no_value("an external table")),
        Token::Function(_) | Token::HostFunction { .. } => return Err(no_value("a function")),
        Token::Reference { .. } | Token::HostObject { .. } => return Err(no_value("a userdata or thread")),
    })
}

/// The SQL value of a value of Lua.
pub(crate) fn from_lua(value: &Value) -> Result<SqlValue> {
    Ok(match value {
        Value::Nil | Value::Null => SqlValue::Null,
        Value::Boolean(flag) => (*flag).into(),
        Value::Integer(integer) => (*integer).into(),
        Value::Float(float) => SqlValue::Real(*float),
        Value::String(bytes) => from_bytes(bytes),
        Value::Table(_) => return Err(no_value("a table")),
        Value::Function(_) | Value::HostFunction { .. } => return Err(no_value("a function")),
        _ => return Err(no_value("a userdata, a thread or an external table")),
    })
}

fn no_value(what: &str) -> CapsuleError {
    CapsuleError::usage(format!("{what} cannot be a value of SQL"))
}

fn from_bytes(bytes: &[u8]) -> SqlValue {
    if str::from_utf8(bytes).is_ok() { SqlValue::Text(bytes.into()) } else { SqlValue::Blob(bytes.into()) }
}

/// The value for Lua; nil for NULL.
pub(crate) fn to_lua(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Nil,
        SqlValue::Integer(integer) => Value::Integer(*integer),
        SqlValue::Real(real) => Value::Float(*real),
        SqlValue::Text(bytes) | SqlValue::Blob(bytes) => Value::String(bytes.clone()),
    }
}

/// A row as a table of Lua. A column that is NULL is missing.
pub(crate) fn row_to_lua<'a>(row: impl Iterator<Item = (&'a str, SqlValue)>) -> Value {
    let table = Table::new();
    table.with_mut(|data| {
        for (name, value) in row.filter(|(_, value)| *value != SqlValue::Null) {
            data.pairs.push((name.into(), to_lua(&value)));
        }
    });
    table.into()
}

/// Writes a value as a result.
pub(super) fn write(results: &mut Results<'_>, value: &SqlValue) -> std::result::Result<(), FormatError> {
    match value {
        SqlValue::Null => results.nil(),
        SqlValue::Integer(integer) => results.integer(*integer),
        SqlValue::Real(real) => results.float(*real),
        SqlValue::Text(bytes) | SqlValue::Blob(bytes) => results.string(bytes),
    }
}

/// Writes a row as a table with its columns.
fn write_row(
    results: &mut Results<'_>,
    columns: &[String],
    row: &[SqlValue],
) -> std::result::Result<(), FormatError> {
    let there = || columns.iter().zip(row).filter(|(_, value)| **value != SqlValue::Null);
    results.table(0, there().count() as u32)?;
    for (column, value) in there() {
        results.string(column.as_bytes())?;
        write(results, value)?;
    }
    Ok(())
}

/// Writes a row that is judged as a table with its columns.
pub(super) fn write_judged(
    results: &mut Results<'_>,
    row: JudgedRow<'_>,
) -> std::result::Result<(), FormatError> {
    results.table(0, row.present().count() as u32)?;
    for (column, value) in row.present() {
        results.string(column.as_bytes())?;
        match value {
            ValueRef::Null => results.nil(),
            ValueRef::Integer(integer) => results.integer(integer),
            ValueRef::Real(real) => results.float(real),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => results.string(bytes),
        }?;
    }
    Ok(())
}

/// Writes rows as a list of tables.
pub(super) fn write_rows(results: &mut Results<'_>, rows: &Rows) -> std::result::Result<(), FormatError> {
    results.table(rows.rows.len() as u32, 0)?;
    rows.rows.iter().try_for_each(|row| write_row(results, &rows.columns, row))
}

/// Writes the first row as a table; nil if there is none.
pub(super) fn write_first(results: &mut Results<'_>, rows: &Rows) -> std::result::Result<(), FormatError> {
    match rows.rows.first() {
        Some(row) => write_row(results, &rows.columns, row),
        None => results.nil(),
    }
}
