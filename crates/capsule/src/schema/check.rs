//! Contradictions of a schema: with itself, and of its names with the tables that there are.

use super::actual::{Actual, ActualTable, same};
use super::declare::{ColumnDeclaration, ColumnType, DefaultValue, Schema, TableDeclaration};
use super::text;
use crate::catalog::expression;
use crate::conn::{is_reserved, reserved};
use crate::database::Database;
use crate::error::Result;
use crate::value::SqlValue;

/// A list of what is wrong.
pub(super) type Complaints = Vec<String>;

/// Contradictions that no database could make right.
pub(super) fn itself(schema: &Schema) -> Complaints {
    let mut complaints = Complaints::new();
    let tables = schema.tables.iter().map(|table| ("table", table.name.clone()));
    let indexes = schema.indexes.iter().map(|index| ("index", index.effective_name()));
    // Tables and indexes share their names.
    names(&mut complaints, tables.chain(indexes));
    for table in &schema.tables {
        check_table(&mut complaints, table);
    }
    for index in &schema.indexes {
        let name = index.effective_name();
        if index.columns.is_empty() {
            complaints.push(format!("the index {name} has no columns"));
        }
        for (at, column) in index.columns.iter().enumerate() {
            if index.columns[..at].iter().any(|earlier| same(earlier, column)) {
                complaints.push(format!("the index {name} has the column {column} twice"));
            }
        }
        if let Some(Err(reason)) = index.where_.as_deref().map(expression) {
            complaints.push(format!("the condition of the index {name} is no expression: {reason}"));
        }
    }
    let mut triggers = Vec::new();
    for sql in &schema.triggers {
        match text::trigger(sql) {
            Ok((name, _)) => triggers.push(("trigger", name)),
            Err(reason) => complaints.push(format!("the trigger {sql:?} cannot be declared: {reason}")),
        }
    }
    names(&mut complaints, triggers.into_iter());
    let mut before = 0;
    for migration in &schema.migrations {
        let version = migration.version;
        if version < 1 {
            complaints.push(format!("the migration to version {version}: versions begin with 1"));
        } else if version <= before {
            complaints.push(format!(
                "the migration to version {version} comes after that to version {before}: versions must rise"
            ));
        }
        before = before.max(version);
    }
    complaints
}

/// Complains about names that cannot be, or are there twice.
fn names(complaints: &mut Complaints, all: impl Iterator<Item = (&'static str, String)>) {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for (kind, name) in all {
        if let Some(reason) = unusable(&name) {
            complaints.push(format!("the name of a {kind} cannot be {name:?}: {reason}"));
        } else if name.get(..7).is_some_and(|start| same(start, "sqlite_")) {
            complaints.push(format!("{name} belongs to SQLite: names that begin with sqlite_ are reserved"));
        } else if is_reserved(&name) {
            complaints.push(reserved(&name));
        } else if let Some((other, earlier)) = seen.iter().find(|(_, earlier)| same(earlier, &name)) {
            let hint = if kind == "index" { ": give one of them another name" } else { "" };
            complaints.push(format!("the {other} {earlier} and the {kind} {name} have one name{hint}"));
        }
        seen.push((kind, name));
    }
}

fn unusable(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    name.contains('\0').then_some("it holds a NUL character")
}

fn check_table(complaints: &mut Complaints, table: &TableDeclaration) {
    let name = &table.name;
    if table.columns.is_empty() {
        complaints.push(format!("the table {name} has no columns"));
    }
    if table.batch_size == Some(0) {
        complaints.push(format!("the table {name} has batches of 0 events: 1 is the least"));
    }
    for (at, column) in table.columns.iter().enumerate() {
        let place = format!("{name}.{}", column.name);
        if let Some(reason) = unusable(&column.name) {
            complaints.push(format!("a column of {name} cannot have the name {:?}: {reason}", column.name));
        } else if table.columns[..at].iter().any(|earlier| same(&earlier.name, &column.name)) {
            complaints.push(format!("{place}: the table has two columns of this name"));
        }
        check_default(complaints, &place, table, column);
        if let Some(Err(reason)) = column.check.as_deref().map(expression) {
            complaints.push(format!("{place}: the check is no expression: {reason}"));
        }
        if let Some(references) = &column.references {
            let names = [Some(&references.table), references.column.as_ref()];
            for reason in names.into_iter().flatten().filter_map(|name| unusable(name)) {
                complaints.push(format!("{place} refers to a name that cannot be: {reason}"));
            }
        }
    }
}

fn check_default(
    complaints: &mut Complaints,
    place: &str,
    table: &TableDeclaration,
    column: &ColumnDeclaration,
) {
    let Some(default) = &column.default else { return };
    if table.is_rowid(column) {
        complaints.push(format!("{place}: an INTEGER primary key numbers its rows, so it has no default"));
    }
    match default {
        DefaultValue::Value(SqlValue::Real(real)) if !real.is_finite() => {
            complaints.push(format!("{place}: the default is {real}, which SQL has no literal for"));
        }
        DefaultValue::Value(SqlValue::Null) if column.not_null || column.primary => {
            complaints.push(format!("{place}: the default is NULL, which the column refuses"));
        }
        DefaultValue::Value(SqlValue::Blob(_)) if column.kind == ColumnType::Json => {
            complaints.push(format!("{place}: the default is a blob, which is no JSON"));
        }
        DefaultValue::Value(_) => {}
        DefaultValue::Sql(sql) => {
            if let Err(reason) = expression(sql) {
                complaints.push(format!("{place}: the default is no expression: {reason}"));
            }
        }
    }
}

/// Defaults of JSON columns that are none.
pub(super) fn json_defaults(db: &Database, schema: &Schema) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    for table in &schema.tables {
        for column in table.columns.iter().filter(|column| column.kind == ColumnType::Json) {
            let Some(DefaultValue::Value(value @ SqlValue::Text(_))) = &column.default else { continue };
            let valid = db.query("SELECT json_valid(?1)", std::slice::from_ref(value))?;
            if valid.rows != [[SqlValue::Integer(1)]] {
                complaints.push(format!("{}.{}: the default is no JSON", table.name, column.name));
            }
        }
    }
    Ok(complaints)
}

/// Names that neither the schema nor the database has.
pub(super) fn unknown_names(schema: &Schema, actual: &Actual) -> Complaints {
    let mut complaints = Complaints::new();
    for table in &schema.tables {
        for column in &table.columns {
            let Some(references) = &column.references else { continue };
            let place = format!("{}.{}", table.name, column.name);
            let target = Target::find(schema, actual, &references.table);
            let to = &references.table;
            match &references.column {
                _ if !target.exists() => {
                    complaints.push(format!("{place} refers to {to}, and there is no such table"));
                }
                Some(name) if !target.has(name) => {
                    complaints.push(format!("{place} refers to {to}.{name}, and there is no such column"));
                }
                Some(name) if !target.is_unique(schema, name) => complaints.push(format!(
                    "{place} refers to {to}.{name}, which is neither primary nor unique: it may mean several rows"
                )),
                None if target.key().len() != 1 => complaints.push(format!(
                    "{place} refers to the primary key of {to}, which has {} columns: name one that is unique",
                    target.key().len()
                )),
                _ => {}
            }
        }
    }
    for index in &schema.indexes {
        let name = index.effective_name();
        let target = Target::find(schema, actual, &index.table);
        if !target.exists() {
            complaints.push(format!("the index {name} is of {}, and there is no such table", index.table));
            continue;
        }
        for column in index.columns.iter().filter(|column| !target.has(column)) {
            let place = &index.table;
            complaints.push(format!("the index {name} is of {place}.{column}, and there is no such column"));
        }
    }
    complaints
}

/// A table by its name: as it is declared, as it is in the database, or both.
struct Target<'a> {
    declared: Option<&'a TableDeclaration>,
    actual: Option<&'a ActualTable>,
}

impl<'a> Target<'a> {
    fn find(schema: &'a Schema, actual: &'a Actual, name: &str) -> Self {
        let declared = schema.tables.iter().find(|table| same(&table.name, name));
        let actual = actual.table(name).filter(|table| table.kind == "table");
        Self { declared, actual }
    }

    fn exists(&self) -> bool {
        self.declared.is_some() || self.actual.is_some()
    }

    fn has(&self, column: &str) -> bool {
        self.declared.is_some_and(|table| table.columns.iter().any(|known| same(&known.name, column)))
            || self.actual.is_some_and(|table| table.column(column).is_some())
    }

    fn key(&self) -> Vec<&'a str> {
        match (self.declared, self.actual) {
            (Some(table), _) => table.key().map(|column| column.name.as_str()).collect(),
            (None, Some(table)) => table.key(),
            (None, None) => Vec::new(),
        }
    }

    fn is_unique(&self, schema: &Schema, column: &str) -> bool {
        let is_key = matches!(self.key().as_slice(), [key] if same(key, column));
        let is_declared = self.declared.is_some_and(|table| {
            table.columns.iter().any(|known| same(&known.name, column) && known.unique)
                || schema
                    .indexes
                    .iter()
                    .any(|index| same(&index.table, &table.name) && index.is_unique_of(column))
        });
        let is_actual = self.actual.is_some_and(|table| {
            table
                .indexes
                .iter()
                .any(|index| index.unique && index.condition.is_none() && index.is_of(&[column]))
        });
        is_key || is_declared || is_actual
    }
}
