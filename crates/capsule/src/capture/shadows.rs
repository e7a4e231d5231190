//! Rows that are not in their table, in temporary tables of the same columns.
//!
//! SQLite computes virtual generated columns when a row is read, and tells the hook none of them; and an
//! expression about a row means the same only where the columns have the same affinities and collations.

use super::image::{self, Parameter, Row, Values};
use crate::catalog::Shadow;
use crate::conn::{Conn, RESERVED};
use crate::error::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A temporary table that was made.
#[derive(Debug)]
struct Known {
    number: usize,
    /// False if it may have gone with a rollback.
    is_there: bool,
}

/// Temporary tables by the definitions of their columns.
#[derive(Debug, Default)]
pub(super) struct Shadows(RefCell<BTreeMap<Box<str>, Known>>);

impl Shadows {
    /// The row with its virtual columns. It has none if one of their expressions fails for it: SQLite refuses
    /// to write such a row, but a column can be added to one that is there.
    pub(super) fn complete(&self, conn: &Conn, row: Row) -> Result<Row> {
        let virtuals = &row.table.shadow.virtuals;
        if virtuals.is_empty() {
            return Ok(row);
        }
        let select = |table: &str| format!("SELECT {} FROM {table}", row.table.shadow.computed);
        let computed = match self.with(conn, &row, None, |table| read(conn, &select(table), virtuals.len())) {
            // No memory, a full disk: not the expression.
            Err(error) if error.code() != Some("SQLITE_ERROR") => return Err(error),
            Err(_) => return Ok(row),
            Ok(computed) => computed,
        };
        let mut bytes = Vec::with_capacity(row.bytes.len() + computed.len());
        let mut computed = Values::new(&computed).flatten();
        for (index, value) in Values::new(&row.bytes).enumerate() {
            let value = value.or_else(|| virtuals.contains(&index).then(|| computed.next()).flatten());
            match value {
                Some(value) => image::push(&mut bytes, value),
                None => image::push_missing(&mut bytes),
            }
        }
        Ok(Row { table: Rc::clone(&row.table), bytes: bytes.into() })
    }

    /// Does work with the name of a temporary table that has this row and no other, with its rowid if one is
    /// given.
    pub(super) fn with<T>(
        &self,
        conn: &Conn,
        row: &Row,
        rowid: Option<i64>,
        work: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        let Shadow { stored, marks, .. } = &row.table.shadow;
        let table = self.table(conn, &row.table.shadow)?;
        let numbered = rowid.zip(row.table.free_rowid());
        let sql = match numbered {
            Some((_, name)) => format!("INSERT INTO {table}({name},{stored}) VALUES(?,{marks})"),
            None => format!("INSERT INTO {table}({stored}) VALUES({marks})"),
        };
        let mut insert = conn.own_statement(&sql)?;
        let mut next = 1..;
        let mut place = || next.next().unwrap_or_default();
        if let Some((rowid, _)) = numbered {
            insert.raw_bind_parameter(place(), rowid)?;
        }
        let stored =
            row.columns().iter().zip(Values::new(&row.bytes)).filter(|(column, _)| !column.is_virtual);
        for (_, value) in stored {
            insert.raw_bind_parameter(place(), value.map(Parameter))?;
        }
        let done = insert.raw_execute().map_err(Into::into).and_then(|_| work(&table));
        conn.own_statement(&format!("DELETE FROM {table}"))?.execute([])?;
        done
    }

    /// Notes that a rollback may have taken tables away.
    pub(super) fn rolled_back(&self) {
        self.0.borrow_mut().values_mut().for_each(|shadow| shadow.is_there = false);
    }

    /// The name of the temporary table, which is made where it is missing.
    fn table(&self, conn: &Conn, shadow: &Shadow) -> Result<String> {
        let mut known = self.0.borrow_mut();
        let next = Known { number: known.len(), is_there: false };
        let known = known.entry(shadow.definitions.clone()).or_insert(next);
        let table = format!("temp.{RESERVED}shadow_{}", known.number);
        if !known.is_there {
            conn.run_own(&format!("CREATE TABLE IF NOT EXISTS {table}({})", shadow.definitions))?;
            known.is_there = true;
        }
        Ok(table)
    }
}

/// The first row of a query as an image.
fn read(conn: &Conn, sql: &str, width: usize) -> Result<Vec<u8>> {
    let mut select = conn.own_statement(sql)?;
    let bytes = select.query_row([], |row| {
        let mut bytes = Vec::new();
        for index in 0..width {
            image::push(&mut bytes, row.get_ref(index)?);
        }
        Ok(bytes)
    })?;
    Ok(bytes)
}
