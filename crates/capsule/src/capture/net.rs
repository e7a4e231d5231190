//! The net changes: what the rows that were touched are now, compared with what they were.

use super::image::{self, Key, Parameter, Row, Values};
use super::shadows::Shadows;
use super::{After, Capture, Touched};
use crate::catalog::{Catalog, KeyColumns, Table};
use crate::conn::Conn;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::value::SqlValue;
use rusqlite::CachedStatement;
use rusqlite::types::ValueRef;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Kind of a change of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A row that was not there before.
    Insert,
    /// A row with other values than before.
    Update,
    /// A row that is not there any more.
    Delete,
}

impl Operation {
    /// The name in the log and in events: `"INSERT"`, `"UPDATE"`, `"DELETE"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A row that is different at the end of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    pub(crate) table: Rc<str>,
    pub(crate) key: Key,
    pub(crate) rowid: Option<i64>,
    /// The rowid before; `None` if there was no such row, or it had none.
    pub(crate) old_rowid: Option<i64>,
    pub(crate) old: Option<Row>,
    pub(crate) new: Option<Row>,
}

impl RowChange {
    /// True if both are changes of the same row.
    pub(crate) fn is_of_same_row(&self, other: &Self) -> bool {
        self.key == other.key && self.table == other.table
    }

    /// The kind of the change.
    pub fn operation(&self) -> Operation {
        match (&self.old, &self.new) {
            (None, _) => Operation::Insert,
            (_, None) => Operation::Delete,
            _ => Operation::Update,
        }
    }

    /// The name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The values of the primary key, or the rowid where none is declared. With a NULL among them they tell
    /// no row apart from others: then [`rowid`](Self::rowid) does.
    pub fn key(&self) -> Vec<SqlValue> {
        let row = self.new.as_ref().or(self.old.as_ref());
        let declared = row.filter(|_| matches!(self.key, Key::Rowid(_))).and_then(Row::declared_key);
        declared.unwrap_or_else(|| self.key.values())
    }

    /// The rowid of the row now, or before it was deleted; `None` in a table without rowids.
    pub fn rowid(&self) -> Option<i64> {
        self.rowid
    }

    /// True for a row that is there as before, but with another rowid.
    pub(crate) fn is_renumbered(&self) -> bool {
        self.old.is_some() && self.new.is_some() && self.rowid != self.old_rowid
    }

    /// The rows before and now that there are, with their rowids.
    pub(crate) fn images(&self) -> [Option<(&Row, Option<i64>)>; 2] {
        let old = self.old.as_ref().map(|row| (row, self.old_rowid));
        [old, self.new.as_ref().map(|row| (row, self.rowid))]
    }

    /// The row before the transaction; `None` if there was none.
    pub fn old_row(&self) -> Option<&Row> {
        self.old.as_ref()
    }

    /// The row now; `None` if there is none.
    pub fn new_row(&self) -> Option<&Row> {
        self.new.as_ref()
    }
}

impl Capture {
    /// The net changes so far, in the order in which their rows were first touched.
    pub(crate) fn changes(&self, conn: &Conn) -> Result<Vec<RowChange>> {
        if let Some(code) = self.state.failure.get() {
            return Err(CapsuleError::new(
                ErrorKind::Full,
                format!(
                    "a change could not be captured (result {code} of SQLite), so the transaction cannot end well"
                ),
            ));
        }
        let catalog = self.catalog();
        let journal = self.state.journal.borrow();
        let mut reader = Reader {
            conn,
            catalog: &catalog,
            shadows: &self.shadows,
            statements: BTreeMap::new(),
            scratch: Vec::new(),
            renumbered: BTreeSet::new(),
            is_uncertain: journal.is_uncertain,
        };
        let mut changes = Vec::with_capacity(journal.rows.len());
        conn.own(|| -> Result<()> {
            for touched in &journal.rows {
                changes.extend(reader.change(touched)?);
            }
            Ok(())
        })?;
        *self.state.renumbered.borrow_mut() = reader.renumbered;
        Ok(changes)
    }

    /// Takes the names of the tables in which rows have got other rowids and nothing else, as the last look
    /// at the changes has found.
    pub(crate) fn take_renumbered(&self) -> Vec<Rc<str>> {
        self.state.renumbered.take().into_iter().collect()
    }
}

/// Reads rows again, with one statement for each table.
struct Reader<'a> {
    conn: &'a Conn,
    catalog: &'a Catalog,
    shadows: &'a Shadows,
    statements: BTreeMap<*const u8, CachedStatement<'a>>,
    scratch: Vec<u8>,
    renumbered: BTreeSet<Rc<str>>,
    is_uncertain: bool,
}

impl Reader<'_> {
    /// Returns the change of a row; `None` if it has not. The rows of a table that is gone went with it.
    fn change(&mut self, touched: &Touched) -> Result<Option<RowChange>> {
        let Some(table) = self.catalog.by_id(touched.table.id) else { return Ok(None) };
        let now = match &touched.after {
            After::Gone if !self.is_uncertain => None,
            After::There(rowid, row) if !self.is_uncertain => Some((*rowid, row.clone())),
            _ => self.read(table, &touched.key)?,
        };
        let (rowid, new) = now.map_or((None, None), |(rowid, row)| (rowid, Some(row)));
        let is_same = match (&touched.before, &new) {
            (None, None) => true,
            (Some(before), Some(now)) => before.is_same_as(now),
            _ => false,
        };
        if is_same {
            if new.is_some() && rowid != touched.rowid {
                self.renumbered.insert(Rc::clone(&table.name));
            }
            return Ok(None);
        }
        let complete = |row: Option<Row>| row.map(|row| self.shadows.complete(self.conn, row)).transpose();
        Ok(Some(RowChange {
            table: Rc::clone(&table.name),
            key: touched.key.clone(),
            rowid: rowid.or(touched.rowid),
            old_rowid: touched.rowid,
            old: complete(touched.before.clone())?,
            new: complete(new)?,
        }))
    }

    /// The row of a key as it is now, with its rowid.
    fn read(&mut self, table: &Rc<Table>, key: &Key) -> Result<Option<(Option<i64>, Row)>> {
        let sql = match key {
            Key::Rowid(_) => &table.select_by_rowid,
            Key::Declared(_) => &table.select_by_key,
        };
        // The text of a table stays where it is, so its address names the statement.
        let statement = match self.statements.entry(sql.as_ptr()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(self.conn.own_statement(sql)?),
        };
        match key {
            Key::Rowid(rowid) => statement.raw_bind_parameter(1, rowid)?,
            Key::Declared(bytes) => {
                for (index, value) in Values::new(bytes).flatten().enumerate() {
                    statement.raw_bind_parameter(index + 1, Parameter(value))?;
                }
            }
        }
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        let rowid = row.get(0)?;
        let bytes = &mut self.scratch;
        bytes.clear();
        let mut index = 0;
        for column in &table.columns {
            if column.is_virtual {
                image::push_missing(bytes);
                continue;
            }
            index += 1;
            image::push(bytes, row.get_ref(index)?);
        }
        let row = Row { table: Rc::clone(table), bytes: bytes.as_slice().into() };
        // A key that only compares equal, by a collation or as a number, is the key of another row.
        Ok((key_of(&row, rowid).as_ref() == Some(key)).then_some((rowid, row)))
    }
}

/// The key of a row that is there.
fn key_of(row: &Row, rowid: Option<i64>) -> Option<Key> {
    let KeyColumns::Declared(indices) = &row.table.key else { return rowid.map(Key::Rowid) };
    let values: Vec<_> = Values::new(&row.bytes).collect();
    let mut bytes = Vec::new();
    for &index in indices {
        // A column of a key is never a virtual one.
        match values[index]? {
            ValueRef::Null if rowid.is_some() => return rowid.map(Key::Rowid),
            value => image::push_stored(&mut bytes, value, row.table.columns[index].affinity),
        }
    }
    Some(Key::Declared(bytes.into()))
}
