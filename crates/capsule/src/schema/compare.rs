//! Differences between what is declared and what is there: those that an addition ends, and the others.
//!
//! What a declaration has no word for is left as it is in the database: collations, AUTOINCREMENT, STRICT,
//! the order of an index, conflict clauses, foreign keys of several columns.

use super::actual::{Actual, ActualColumn, ActualTable, same};
use super::check::Complaints;
use super::declare::{ColumnDeclaration, ColumnType, IndexDeclaration, Schema, TableDeclaration};
use super::text::{self, words};
use super::{SchemaAction, render};
use crate::catalog::Affinity;
use crate::database::Database;
use crate::value::SqlValue;
use std::collections::BTreeSet;

/// Statement that ends a difference.
#[derive(Debug)]
pub(super) struct Addition {
    pub(super) action: SchemaAction,
    pub(super) sql: String,
}

impl Addition {
    /// True if it cannot be made where another one was refused.
    pub(super) fn needs(&self, other: &SchemaAction) -> bool {
        let SchemaAction::CreatedIndex { table, columns, .. } = &self.action else { return false };
        match other {
            SchemaAction::CreatedTable(created) => same(table, created),
            SchemaAction::AddedColumn { table: altered, column } => {
                same(table, altered) && columns.iter().any(|name| same(name, column))
            }
            _ => false,
        }
    }
}

/// Comparison of a schema with a database.
pub(super) struct Comparison<'a> {
    db: &'a Database,
    schema: &'a Schema,
    actual: &'a Actual,
    pub(super) additions: Vec<Addition>,
    pub(super) differences: Complaints,
}

impl<'a> Comparison<'a> {
    /// Compares all of it. What is added comes in an order in which it can be made.
    pub(super) fn of(db: &'a Database, schema: &'a Schema, actual: &'a Actual) -> Self {
        let (additions, differences) = (Vec::new(), Complaints::new());
        let mut comparison = Self { db, schema, actual, additions, differences };
        for table in &schema.tables {
            comparison.table(table);
        }
        for index in &schema.indexes {
            comparison.index(index);
        }
        for sql in &schema.triggers {
            comparison.trigger(sql);
        }
        comparison
    }

    fn differs(&mut self, place: &str, what: impl AsRef<str>) {
        self.differences.push(format!("{place}: {}", what.as_ref()));
    }

    fn table(&mut self, table: &TableDeclaration) {
        let name = &table.name;
        let Some(actual) = self.actual.table(name) else {
            let action = SchemaAction::CreatedTable(name.clone());
            self.additions.push(Addition { action, sql: render::create_table(table) });
            return;
        };
        if actual.kind != "table" {
            let kind =
                if actual.kind == "view" { "view".to_owned() } else { format!("{} table", actual.kind) };
            return self.differs(name, format!("in the database it is a {kind}"));
        }
        for column in &table.columns {
            match actual.column(&column.name) {
                Some(known) => self.column(table, column, actual, known),
                None => self.missing_column(table, column),
            }
        }
        let declared: Vec<&str> = table.key().map(|column| column.name.as_str()).collect();
        let key = actual.key();
        if key.len() != declared.len() || key.iter().zip(&declared).any(|(a, b)| !same(a, b)) {
            let list = |key: &[&str]| {
                if key.is_empty() { "none".to_owned() } else { format!("({})", key.join(", ")) }
            };
            self.differs(name, format!("the primary key is {}, not {}", list(&key), list(&declared)));
        }
        if table.columns.iter().any(|column| table.is_rowid(column))
            && actual.indexes.iter().any(|index| index.is_key)
        {
            // DESC, or WITHOUT ROWID.
            self.differs(name, "the primary key has an index of its own, so it does not number the rows");
        }
        self.checks(table, actual);
        for column in &actual.columns {
            let is_declared = table.columns.iter().any(|known| same(&known.name, &column.name));
            let needs_value = column.not_null && column.default.is_none() && !column.is_generated;
            if !is_declared && needs_value && column.key == 0 {
                let what = "the database has this column, which is NOT NULL and has no default";
                self.differs(&format!("{name}.{}", column.name), what);
            }
        }
        self.unique_indexes(table, actual);
    }

    fn missing_column(&mut self, table: &TableDeclaration, column: &ColumnDeclaration) {
        let (name, place) = (&table.name, format!("{}.{}", table.name, column.name));
        if column.primary {
            return self.differs(&place, "it is missing, and a table that exists cannot get another key");
        }
        let action = SchemaAction::AddedColumn { table: name.clone(), column: column.name.clone() };
        let sql = render::add_column(table, column);
        self.additions.push(Addition { action, sql });
        // SQLite adds no column that is UNIQUE. An index is the same, unless one is declared anyway.
        let wanted = IndexDeclaration::new(name, [&column.name]).unique();
        let is_declared = self
            .schema
            .indexes
            .iter()
            .any(|index| same(&index.table, name) && index.is_unique_of(&column.name));
        if column.unique && !is_declared {
            self.add_index(&wanted);
        }
    }

    fn column(
        &mut self,
        table: &TableDeclaration,
        column: &ColumnDeclaration,
        actual: &ActualTable,
        known: &ActualColumn,
    ) {
        let place = format!("{}.{}", table.name, column.name);
        if known.is_generated {
            return self.differs(&place, "the database computes this column");
        }
        if !has_type(known, column.kind, table.is_rowid(column)) {
            let declared = if known.declared.is_empty() { "none" } else { &known.declared };
            self.differs(&place, format!("the type is {declared}, not {}", column.kind.name()));
        }
        // A rowid is never NULL. Of other keys SQLite says so only when it was told.
        let is_null_refused = known.not_null || table.is_rowid(column);
        if column.not_null && !is_null_refused {
            self.differs(&place, "it may be NULL, and is declared NOT NULL");
        } else if known.not_null && !column.not_null && !column.primary {
            self.differs(&place, "it is NOT NULL, and is declared without");
        }
        self.default(&place, column, known);
        let unique = actual.indexes.iter().any(|index| {
            index.unique && !index.is_key && index.condition.is_none() && index.is_of(&[&column.name])
        });
        if column.unique && !table.is_key(column) && !unique {
            self.differs(&place, "it is declared unique, and has no UNIQUE constraint nor a unique index");
        }
        self.reference(&place, column, actual);
    }

    fn default(&mut self, place: &str, column: &ColumnDeclaration, known: &ActualColumn) {
        let declared = column.default.as_ref().map(render::default_text).filter(|text| text != "NULL");
        let (wanted, actual) = (declared.as_deref(), known.default.as_deref());
        if !self.same_default(wanted.unwrap_or("NULL"), actual.unwrap_or("NULL"), column.kind) {
            let (wanted, actual) = (wanted.unwrap_or("none"), actual.unwrap_or("none"));
            self.differs(place, format!("the default is {actual}, not {wanted}"));
        }
    }

    /// True if two defaults are the same text, or two literals that a column keeps as the same value.
    fn same_default(&self, a: &str, b: &str, kind: ColumnType) -> bool {
        let names = &self.actual.names;
        if words(a, names) == words(b, names) {
            return true;
        }
        let is_number = matches!(kind, ColumnType::Integer | ColumnType::Real);
        let value = |text: &str| {
            let text = text.trim_start_matches('(').trim_end_matches(')');
            let literal = text::is_literal(text).then(|| self.db.query(&format!("SELECT {text}"), ()));
            let value = literal?.ok()?.rows.pop()?.pop()?;
            Some(match value {
                SqlValue::Integer(integer) if is_number => {
                    i32::try_from(integer).map_or(integer.into(), |small| f64::from(small).into())
                }
                other => other,
            })
        };
        value(a).is_some_and(|a| value(b).is_some_and(|b| a == b))
    }

    fn reference(&mut self, place: &str, column: &ColumnDeclaration, actual: &ActualTable) {
        let mut found = actual.references.iter().filter(|known| same(&known.from, &column.name)).peekable();
        let Some(declared) = &column.references else {
            if let Some(known) = found.peek() {
                self.differs(place, format!("it refers to {}, and is declared without", known.table));
            }
            return;
        };
        if found.peek().is_none() {
            return self
                .differs(place, format!("it does not refer to {}, and is declared so", declared.table));
        }
        let target = |table: &str, name: Option<&str>| {
            let of_schema = self.schema.tables.iter().find(|known| same(&known.name, table));
            let key = || {
                let declared = of_schema.and_then(|table| table.key().next()).map(|key| key.name.clone());
                declared.or_else(|| self.actual.table(table)?.key().first().map(|&key| key.to_owned()))
            };
            name.map(str::to_owned).or_else(key).unwrap_or_default()
        };
        let wanted = target(&declared.table, declared.column.as_deref());
        for known in found {
            let column = target(&known.table, known.column.as_deref());
            let actions = [(&known.on_delete, declared.on_delete), (&known.on_update, declared.on_update)];
            if !same(&known.table, &declared.table) || !same(&column, &wanted) {
                let what = format!("it refers to {}.{column}, not {}.{wanted}", known.table, declared.table);
                self.differences.push(format!("{place}: {what}"));
            } else if actions.iter().any(|(known, declared)| !same(known, declared.name())) {
                let what = format!(
                    "the reference is ON DELETE {} ON UPDATE {}, not ON DELETE {} ON UPDATE {}",
                    known.on_delete,
                    known.on_update,
                    declared.on_delete.name(),
                    declared.on_update.name()
                );
                self.differences.push(format!("{place}: {what}"));
            }
        }
    }

    fn checks(&mut self, table: &TableDeclaration, actual: &ActualTable) {
        let names = &self.actual.names;
        let is_declared = |name: &str| table.columns.iter().any(|column| same(&column.name, name));
        let of_columns = actual.columns.iter().filter(|column| is_declared(&column.name));
        let there: Vec<&str> = of_columns
            .flat_map(|column| column.checks.iter())
            .chain(&actual.checks)
            .map(String::as_str)
            .collect();
        let of_type: BTreeSet<Vec<String>> = table
            .columns
            .iter()
            .filter(|column| column.kind == ColumnType::Json)
            .map(|column| words(&format!("json_valid({})", crate::conn::quoted(&column.name)), names))
            .collect();
        let known: BTreeSet<Vec<String>> = there.iter().map(|check| words(check, names)).collect();
        let mut wanted = of_type;
        let mut found = Complaints::new();
        for column in &table.columns {
            let Some(check) = &column.check else { continue };
            let check_words = words(check, names);
            // That of a missing column comes with it.
            if actual.column(&column.name).is_some() && !known.contains(&check_words) {
                let place = format!("{}.{}", table.name, column.name);
                found.push(format!("{place}: the check ({check}) is not in the database"));
            }
            wanted.insert(check_words);
        }
        for check in there.iter().filter(|check| !wanted.contains(&words(check, names))) {
            found.push(format!(
                "{}: the database has the check ({check}), and it is not declared",
                table.name
            ));
        }
        self.differences.append(&mut found);
    }

    /// Complains about unique indexes of declared columns that are not declared: they refuse rows.
    fn unique_indexes(&mut self, table: &TableDeclaration, actual: &ActualTable) {
        let column = |name: &str| table.columns.iter().find(|column| same(&column.name, name));
        for index in actual.indexes.iter().filter(|index| index.unique && !index.is_key) {
            let columns: Option<Vec<&str>> = index.columns.iter().map(Option::as_deref).collect();
            let Some(columns) = columns else { continue };
            let declared: Vec<_> = columns.iter().filter_map(|name| column(name)).collect();
            let is_of_column = index.condition.is_none()
                && matches!(declared.as_slice(), [one] if one.unique || table.is_key(one));
            let is_of_index = self.schema.indexes.iter().any(|known| {
                same(&known.table, &table.name)
                    && known.unique
                    && index.is_of(&known.columns)
                    && self.same_condition(known, index.condition.as_deref())
            });
            let is_named = self.schema.indexes.iter().any(|known| same(&known.effective_name(), &index.name));
            if declared.len() == columns.len() && !is_of_column && !is_of_index && !is_named {
                let what =
                    format!("the database has unique ({}), and it is not declared", columns.join(", "));
                self.differs(&table.name, what);
            }
        }
    }

    fn same_condition(&self, index: &IndexDeclaration, condition: Option<&str>) -> bool {
        let of = |text: &str| words(text, &self.actual.names);
        index.where_.as_deref().map(of) == condition.map(of)
    }

    fn index(&mut self, index: &IndexDeclaration) {
        let name = index.effective_name();
        let place = format!("the index {name}");
        let is_same = |known: &super::actual::ActualIndex| {
            known.is_own
                && known.unique == index.unique
                && known.is_of(&index.columns)
                && self.same_condition(index, known.condition.as_deref())
        };
        let table = self.actual.table(&index.table);
        if index.name.is_none() && table.is_some_and(|table| table.indexes.iter().any(is_same)) {
            return;
        }
        let Some(known) = self.actual.named("index", &name) else { return self.add_index(index) };
        if !same(&known.table, &index.table) {
            return self.differs(&place, format!("it is one of {}, not of {}", known.table, index.table));
        }
        let known = table.and_then(|table| table.indexes.iter().find(|known| same(&known.name, &name)));
        if !known.is_some_and(is_same) {
            let sql = self.actual.named("index", &name).map_or("", |known| &known.sql).to_owned();
            self.differs(&place, format!("it is {sql:?}, not {:?}", render::create_index(index)));
        }
    }

    fn add_index(&mut self, index: &IndexDeclaration) {
        let (name, table, columns) = (index.effective_name(), index.table.clone(), index.columns.clone());
        let action = SchemaAction::CreatedIndex { name, table, columns };
        let sql = render::create_index(index);
        self.additions.push(Addition { action, sql });
    }

    fn trigger(&mut self, sql: &str) {
        let Ok((name, rest)) = text::trigger(sql) else { return };
        let Some(known) = self.actual.named("trigger", &name) else {
            let action = SchemaAction::CreatedTrigger(name);
            self.additions.push(Addition { action, sql: sql.to_owned() });
            return;
        };
        let names = &self.actual.names;
        let there = text::trigger(&known.sql).map(|(_, there)| words(there, names));
        if there != Ok(words(rest, names)) {
            let what = format!("it is another one in the database: {:?}", known.sql);
            self.differs(&format!("the trigger {name}"), what);
        }
    }
}

/// True if a column of the database is of a declared type. What matters is how it keeps values: `VARCHAR` is
/// TEXT. The rowid is `INTEGER`, and nothing else.
fn has_type(column: &ActualColumn, kind: ColumnType, is_rowid: bool) -> bool {
    let is_json = ColumnType::is_json(&column.declared);
    match kind {
        ColumnType::Json => is_json,
        ColumnType::Integer if is_rowid => column.declared.eq_ignore_ascii_case("INTEGER"),
        ColumnType::Integer => column.affinity == Affinity::Integer,
        ColumnType::Text => column.affinity == Affinity::Text && !is_json,
        ColumnType::Real => column.affinity == Affinity::Real,
        ColumnType::Blob => column.affinity == Affinity::Blob,
    }
}
