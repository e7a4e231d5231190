//! Rows by the name of their table: inserts, updates and deletes without SQL text. Names are always quoted.

use crate::catalog::{KeyColumns, Table, condition as condition_of};
use crate::conn::{Params, push_quoted, quoted};
use crate::database::{Database, Rows};
use crate::error::{CapsuleError, Result};
use crate::log::LoggedChange;
use crate::value::SqlValue;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

/// Names and values of a row, or of the part of it that is written.
type Columns<'a> = [(&'a str, SqlValue)];

/// Names of columns that are compared one with the other. More of them are put into a set.
const COMPARED_NAMES_MAX: usize = 16;

/// Bytes of a usual INSERT.
const INSERT_BYTES: usize = 128;

impl Database {
    /// The first row of a query; without rows if it has none.
    pub fn query_one<'a>(&self, sql: &str, params: impl Into<Params<'a>>) -> Result<Rows> {
        self.query_up_to(sql, params.into(), 1)
    }

    /// The first value of the first row; `None` if the query has no rows.
    pub fn query_scalar<'a>(&self, sql: &str, params: impl Into<Params<'a>>) -> Result<Option<SqlValue>> {
        let rows = self.query_up_to(sql, params.into(), 1)?.rows;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()))
    }

    /// Inserts a row, and returns its key: the values of the primary key, or the rowid where none is
    /// declared. Columns that are not named have their default.
    ///
    /// # Errors
    /// `sql` if there is no such table or column, `usage` for a column that is named twice, `constraint`.
    pub fn insert(&self, table: &str, row: &Columns<'_>) -> Result<Vec<SqlValue>> {
        check_names(row)?;
        let known = self.table(table);
        let mut sql = String::with_capacity(INSERT_BYTES);
        sql.push_str("INSERT INTO ");
        push_table(&mut sql, known.as_deref(), table);
        if row.is_empty() {
            sql.push_str(" DEFAULT VALUES");
        } else {
            sql.push('(');
            push_names(&mut sql, row);
            sql.push_str(") VALUES(");
            push_list(&mut sql, row.iter().map(|_| "?"));
            sql.push(')');
        }
        // A virtual table returns nothing, and the key of a view is nobody's.
        let Some(known) = known.filter(|known| !known.is_virtual()) else {
            let rowid = self.write_row(&sql, row)?.rowid;
            let rowid = rowid.unwrap_or_else(|| self.last_insert_rowid());
            return Ok(vec![rowid.into()]);
        };
        if let KeyColumns::Rowid(_) = known.key {
            // SQLite knows it by itself. There is none if a trigger or a constraint has left the row out.
            let rowid = self.write_row(&sql, row)?.rowid;
            return Ok(rowid.map(SqlValue::from).into_iter().collect());
        }
        sql.push_str(" RETURNING ");
        push_list(&mut sql, known.key_names().iter());
        let rows = self.write_row(&sql, row)?.rows.rows;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Inserts several rows in one transaction, and returns their keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); no row is inserted then.
    pub fn insert_multiple(&self, table: &str, rows: &[&Columns<'_>]) -> Result<Vec<Vec<SqlValue>>> {
        self.transaction(|db| rows.iter().map(|row| db.insert(table, row)).collect())
    }

    /// Sets columns of the row with a key. Returns false if there is no such row.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); `usage` if the key has another number of values than the primary key, or
    /// the table has none.
    pub fn update(&self, table: &str, key: &[SqlValue], row: &Columns<'_>) -> Result<bool> {
        check_names(row)?;
        let known = self.keyed(table, key)?;
        let Some(known) = known else { return self.has_row(table, key).map(|_| false) };
        if row.is_empty() {
            return self.has_row(table, key);
        }
        let mut sql = format!("UPDATE {} SET ", quoted(&known.name));
        push_list(&mut sql, row.iter().map(|(name, _)| format!("{}=?", quoted(name))));
        push_key(&mut sql, &known);
        let mut values: Vec<SqlValue> = row.iter().map(|(_, value)| value.clone()).collect();
        values.extend_from_slice(key);
        Ok(self.execute_one(&sql, Params::List(&values))? > 0)
    }

    /// Sets columns of all rows for which a condition holds, and returns how many these are. The condition is
    /// an expression of SQL, with or without the word WHERE before it; `params` are the values of its
    /// parameters.
    ///
    /// # Errors
    /// `sql` if there is no such table or column, or SQLite cannot read the condition; `usage` if it is empty
    /// or no expression, or its parameters do not match; `constraint`.
    pub fn update_where<'a>(
        &self,
        table: &str,
        condition: &str,
        params: impl Into<Params<'a>>,
        row: &Columns<'_>,
    ) -> Result<u64> {
        check_names(row)?;
        let condition = condition_of(condition)?;
        let known = self.table(table);
        // A key with a NULL in it would be found by no comparison; the rowid tells every row apart.
        let key = known.as_deref().map_or_else(
            || "rowid".to_owned(),
            |known| known.rowid.as_deref().map_or_else(|| known.key_names().join(","), str::to_owned),
        );
        let mut target = String::new();
        push_table(&mut target, known.as_deref(), table);
        if row.is_empty() {
            let sql = format!("SELECT count(*) FROM {target} WHERE ({condition}\n)");
            let count = self.query_scalar(&sql, params)?.and_then(|count| count.as_i64());
            return Ok(count.unwrap_or_default() as u64);
        }
        // The condition comes first, so that its parameters have the numbers that it gives them.
        let mut sql = format!(
            "WITH _capsule_rows AS MATERIALIZED (SELECT {key} FROM {target} WHERE ({condition}\n)) UPDATE {target} SET "
        );
        let rows = format!(" WHERE ({key}) IN _capsule_rows");
        match params.into() {
            Params::List(before) => {
                push_list(&mut sql, row.iter().map(|(name, _)| format!("{}=?", quoted(name))));
                let values: Vec<SqlValue> =
                    before.iter().chain(row.iter().map(|(_, value)| value)).cloned().collect();
                self.execute_one(&(sql + &rows), Params::List(&values))
            }
            Params::Named(before) => {
                let names: Vec<String> = (0..row.len()).map(|index| format!(":_capsule_{index}")).collect();
                push_list(
                    &mut sql,
                    row.iter().zip(&names).map(|((column, _), name)| format!("{}={name}", quoted(column))),
                );
                let set = names.iter().zip(row).map(|(name, (_, value))| (name.as_str(), value.clone()));
                let values: Vec<(&str, SqlValue)> = before.iter().cloned().chain(set).collect();
                self.execute_one(&(sql + &rows), Params::Named(&values))
            }
        }
    }

    /// Deletes the row with a key. Returns false if there is no such row.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn delete(&self, table: &str, key: &[SqlValue]) -> Result<bool> {
        let known = self.keyed(table, key)?;
        let Some(known) = known else { return self.has_row(table, key).map(|_| false) };
        let mut sql = format!("DELETE FROM {}", quoted(&known.name));
        push_key(&mut sql, &known);
        Ok(self.execute_one(&sql, Params::List(key))? > 0)
    }

    /// Deletes all rows for which a condition holds, and returns how many these were.
    ///
    /// # Errors
    /// As [`update_where`](Self::update_where).
    pub fn delete_where<'a>(
        &self,
        table: &str,
        condition: &str,
        params: impl Into<Params<'a>>,
    ) -> Result<u64> {
        let condition = condition_of(condition)?;
        let mut sql = String::from("DELETE FROM ");
        push_table(&mut sql, self.table(table).as_deref(), table);
        let _ = write!(sql, " WHERE ({condition}\n)");
        self.execute_one(&sql, params.into())
    }

    /// The row with a key; without rows if there is none.
    pub(crate) fn get(&self, table: &str, key: &[SqlValue]) -> Result<Rows> {
        let known = self.keyed(table, key)?;
        let Some(known) = known else { return self.has_row(table, key).map(|_| Rows::default()) };
        let mut sql = format!("SELECT * FROM {}", quoted(&known.name));
        push_key(&mut sql, &known);
        self.query_one(&sql, Params::List(key))
    }

    /// The rows for which a condition holds.
    pub(crate) fn select_where(&self, table: &str, condition: &str, params: Params<'_>) -> Result<Rows> {
        let condition = condition_of(condition)?;
        let mut sql = String::from("SELECT * FROM ");
        push_table(&mut sql, self.table(table).as_deref(), table);
        let _ = write!(sql, " WHERE ({condition}\n)");
        self.query(&sql, params)
    }

    /// The row that a change of the log is about, as it is now.
    pub(crate) fn row_of(&self, table: &Table, change: &LoggedChange) -> Result<Rows> {
        let (condition, key) = identity(table, change);
        let sql = format!("SELECT * FROM main.{}{condition}", quoted(&table.name));
        self.query_one(&sql, Params::List(&key))
    }

    /// The key of the row with a rowid; empty if there is none.
    pub(crate) fn key_of_rowid(&self, table: &Table, rowid: i64) -> Result<Vec<SqlValue>> {
        let Some(name) = &table.rowid else { return Ok(Vec::new()) };
        let key = table.key_names().join(",");
        let sql = format!("SELECT {key} FROM main.{} WHERE {name}=?", quoted(&table.name));
        let rows = self.query_one(&sql, &[SqlValue::from(rowid)])?.rows;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Deletes the row that a change of the log is about.
    pub(crate) fn delete_row_of(&self, table: &Table, change: &LoggedChange) -> Result<()> {
        let (condition, key) = identity(table, change);
        let sql = format!("DELETE FROM main.{}{condition}", quoted(&table.name));
        self.execute_one(&sql, Params::List(&key)).map(drop)
    }

    /// Sets columns of the row that a change of the log is about.
    pub(crate) fn update_row_of(
        &self,
        table: &Table,
        change: &LoggedChange,
        row: &Columns<'_>,
    ) -> Result<()> {
        if row.is_empty() {
            return Ok(());
        }
        let (condition, key) = identity(table, change);
        let mut sql = format!("UPDATE main.{} SET ", quoted(&table.name));
        push_list(&mut sql, row.iter().map(|(name, _)| format!("{}=?", quoted(name))));
        sql.push_str(&condition);
        let values: Vec<SqlValue> = row.iter().map(|(_, value)| value.clone()).chain(key).collect();
        self.execute_one(&sql, Params::List(&values)).map(drop)
    }

    /// Inserts a row as it was. The rowid may be among its columns.
    pub(crate) fn insert_row_of(&self, table: &Table, row: &Columns<'_>) -> Result<()> {
        let mut sql = format!("INSERT INTO main.{}(", quoted(&table.name));
        push_names(&mut sql, row);
        sql.push_str(") VALUES(");
        push_list(&mut sql, row.iter().map(|_| "?"));
        sql.push(')');
        self.write_row(&sql, row).map(drop)
    }

    /// True if there is a row with a key.
    fn has_row(&self, table: &str, key: &[SqlValue]) -> Result<bool> {
        let Some(known) = self.table(table) else {
            // SQLite says that there is no such table; a view has no keys.
            self.query_one(&format!("SELECT 1 FROM {}", quoted(table)), ())?;
            return Err(CapsuleError::usage(format!("{table} has no key: give a condition")));
        };
        let mut sql = format!("SELECT 1 FROM {}", quoted(&known.name));
        push_key(&mut sql, &known);
        Ok(!self.query_one(&sql, Params::List(key))?.rows.is_empty())
    }

    /// The table, if the key is one of it; `None` if there is no such table.
    fn keyed(&self, table: &str, key: &[SqlValue]) -> Result<Option<Rc<Table>>> {
        let Some(known) = self.table(table) else { return Ok(None) };
        let names = known.key_names();
        if names.len() == key.len() {
            return Ok(Some(known));
        }
        Err(CapsuleError::usage(format!(
            "the key of {table} is ({}), and {} value{} given",
            names.join(", "),
            key.len(),
            if key.len() == 1 { " is" } else { "s are" },
        )))
    }
}

/// The condition that only the row of a change fulfils, with its values.
fn identity(table: &Table, change: &LoggedChange) -> (String, Vec<SqlValue>) {
    match (change.rowid, table.rowid.as_deref()) {
        // A key with NULL in it tells no row apart, and with another key it would be another row.
        (Some(rowid), Some(name)) if change.key.contains(&SqlValue::Null) => {
            let mut condition = format!(" WHERE {name}=?");
            for name in table.key_names() {
                let _ = write!(condition, " AND {name} IS ?");
            }
            (condition, [rowid.into()].into_iter().chain(change.key.iter().cloned()).collect())
        }
        _ => {
            let mut condition = String::new();
            push_key(&mut condition, table);
            (condition, change.key.clone())
        }
    }
}

impl Table {
    /// The columns of the key, quoted.
    fn key_names(&self) -> Vec<String> {
        match &self.key {
            KeyColumns::Declared(indices) => {
                indices.iter().map(|&index| quoted(self.columns[index].name())).collect()
            }
            KeyColumns::Rowid(Some(index)) => vec![quoted(self.columns[*index].name())],
            KeyColumns::Rowid(None) => vec![self.rowid.as_deref().unwrap_or("rowid").to_owned()],
        }
    }
}

/// Refuses a column that is named twice: one of the values would be lost.
fn check_names(row: &Columns<'_>) -> Result<()> {
    if row.len() <= COMPARED_NAMES_MAX {
        let again = |at: usize| row[..at].iter().any(|(name, _)| name.eq_ignore_ascii_case(row[at].0));
        return match (1..row.len()).find(|at| again(*at)) {
            Some(at) => Err(twice(row[at].0)),
            None => Ok(()),
        };
    }
    let mut names = BTreeSet::new();
    match row.iter().find(|(name, _)| !names.insert(name.to_ascii_lowercase())) {
        Some((name, _)) => Err(twice(name)),
        None => Ok(()),
    }
}

fn twice(name: &str) -> CapsuleError {
    CapsuleError::usage(format!("the column {name} is given twice"))
}

/// Appends the name of a table: that of the main database, unless it is something else, as a temporary table.
fn push_table(sql: &mut String, known: Option<&Table>, name: &str) {
    if known.is_some() {
        sql.push_str("main.");
    }
    push_quoted(sql, known.map_or(name, |known| &known.name));
}

/// Appends the names of columns.
fn push_names(sql: &mut String, row: &Columns<'_>) {
    for (index, (name, _)) in row.iter().enumerate() {
        if index > 0 {
            sql.push(',');
        }
        push_quoted(sql, name);
    }
}

fn push_list(sql: &mut String, items: impl Iterator<Item = impl AsRef<str>>) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            sql.push(',');
        }
        sql.push_str(item.as_ref());
    }
}

fn push_key(sql: &mut String, table: &Table) {
    for (index, name) in table.key_names().iter().enumerate() {
        let _ = write!(sql, "{}{name}=?", if index == 0 { " WHERE " } else { " AND " });
    }
}
