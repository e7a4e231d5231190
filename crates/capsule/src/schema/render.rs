//! Statements that make what is declared.

use super::declare::{ColumnDeclaration, ColumnType, DefaultValue, IndexDeclaration, TableDeclaration};
use crate::catalog::expression;
use crate::conn::{push_quoted, quoted};
use crate::value::SqlValue;
use std::fmt::Write;

/// CREATE TABLE for a declaration.
pub(super) fn create_table(table: &TableDeclaration) -> String {
    let mut sql = format!("CREATE TABLE main.{} (", quoted(&table.name));
    for (index, column) in table.columns.iter().enumerate() {
        sql.push_str(if index == 0 { "\n  " } else { ",\n  " });
        push_column(&mut sql, table, column);
        if column.unique && !table.is_key(column) {
            sql.push_str(" UNIQUE");
        }
    }
    if table.key().count() > 1 {
        let key: Vec<&str> = table.key().map(|column| column.name.as_str()).collect();
        let _ = write!(sql, ",\n  PRIMARY KEY ({})", names(&key));
    }
    sql.push_str("\n)");
    sql
}

/// ALTER TABLE for a column that is missing. It cannot make it unique: an index does.
pub(super) fn add_column(table: &TableDeclaration, column: &ColumnDeclaration) -> String {
    let mut sql = format!("ALTER TABLE main.{} ADD COLUMN ", quoted(&table.name));
    push_column(&mut sql, table, column);
    sql
}

/// CREATE INDEX for a declaration.
pub(super) fn create_index(index: &IndexDeclaration) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (name, table, columns) =
        (quoted(&index.effective_name()), quoted(&index.table), names(&index.columns));
    let mut sql = format!("CREATE {unique}INDEX main.{name} ON {table} ({columns})");
    if let Some(condition) = &index.where_ {
        let _ = write!(sql, " WHERE {}", expression(condition).unwrap_or(condition));
    }
    sql
}

fn names<N: AsRef<str>>(names: &[N]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn push_column(sql: &mut String, table: &TableDeclaration, column: &ColumnDeclaration) {
    push_quoted(sql, &column.name);
    let _ = write!(sql, " {}", column.kind.in_sql());
    if table.is_key(column) {
        sql.push_str(" PRIMARY KEY");
    }
    // SQLite takes NULL in keys that are not the rowid, unless it is told otherwise.
    if column.not_null || column.primary && !table.is_rowid(column) {
        sql.push_str(" NOT NULL");
    }
    match &column.default {
        Some(DefaultValue::Value(SqlValue::Null)) | None => {}
        Some(default) => {
            let _ = write!(sql, " DEFAULT {}", default_text(default));
        }
    }
    if column.kind == ColumnType::Json {
        let _ = write!(sql, " CHECK (json_valid({}))", quoted(&column.name));
    }
    if let Some(check) = &column.check {
        let _ = write!(sql, " CHECK ({})", expression(check).unwrap_or(check));
    }
    if let Some(references) = &column.references {
        let _ = write!(sql, " REFERENCES {}", quoted(&references.table));
        if let Some(column) = &references.column {
            let _ = write!(sql, " ({})", quoted(column));
        }
        for (event, action) in [("DELETE", references.on_delete), ("UPDATE", references.on_update)] {
            if action != super::ReferenceAction::NoAction {
                let _ = write!(sql, " ON {event} {}", action.name());
            }
        }
    }
}

/// A default as it stands after DEFAULT.
pub(super) fn default_text(default: &DefaultValue) -> String {
    match default {
        DefaultValue::Sql(sql) => format!("({})", expression(sql).unwrap_or(sql)),
        DefaultValue::Value(value) => literal(value),
    }
}

/// A value as an SQL literal that SQLite reads as exactly this value. Reals are finite.
fn literal(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "NULL".to_owned(),
        SqlValue::Integer(integer) => integer.to_string(),
        SqlValue::Real(real) => zmij::Buffer::new().format(*real).to_owned(),
        SqlValue::Blob(bytes) => blob(bytes),
        SqlValue::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => format!("'{}'", text.replace('\'', "''")),
            // No literal can hold it.
            _ => format!("(CAST({} AS TEXT))", blob(bytes)),
        },
    }
}

fn blob(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 3);
    text.push_str("x'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}
