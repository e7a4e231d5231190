//! The tables of the database as they are at a point of the transaction.
//!
//! A catalog is a value: a savepoint keeps the one that it can go back to. A table keeps its number when it
//! is renamed or altered; one that is dropped and made again is another table.

mod definition;
mod expression;
mod read;
mod table;

pub(crate) use definition::{Token, TokenKind, Tokens, definitions, reserved_reference};
pub(crate) use expression::{condition, expression, is_closed};
pub use table::Column;
pub(crate) use table::{Affinity, KeyColumns, Shadow, Table, TableId};

use crate::conn::{Conn, reserved};
use crate::error::{CapsuleError, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Change of the schema, as far as rows show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaChange {
    /// A table was made.
    Created(Rc<str>),
    /// A table has other columns than before.
    Altered(Rc<str>),
    /// A table has another name.
    Renamed {
        /// The name before.
        from: Rc<str>,
        /// The name now.
        to: Rc<str>,
    },
    /// A table is gone, with all its rows.
    Dropped(Rc<str>),
    /// VACUUM may have given the rows of a table other rowids: it has no INTEGER PRIMARY KEY to keep them.
    Renumbered(Rc<str>),
}

/// The tables whose rows are captured.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Tables by the name under which SQLite reports changes, in lower case.
    by_storage: BTreeMap<Box<str>, Rc<Table>>,
    by_id: BTreeMap<TableId, Rc<Table>>,
    /// Names of the capsule's own tables; `None` before they were read for the first time.
    own: Option<BTreeSet<String>>,
}

impl Catalog {
    /// Reads the catalog of a database. Tables that `before` has, too, keep their number, and next numbers
    /// are taken from `next`.
    pub(crate) fn read(conn: &Conn, before: &Self, next: &mut TableId) -> Result<(Self, Vec<SchemaChange>)> {
        let mut catalog = Self::default();
        let mut changes = Vec::new();
        let (sources, own) = read::sources(conn)?;
        if let Some(name) = before.own.as_ref().and_then(|before| own.difference(before).next()) {
            return Err(CapsuleError::usage(reserved(name)));
        }
        catalog.own = Some(own);
        let mut earlier: BTreeMap<&str, &Rc<Table>> = BTreeMap::new();
        for table in before.by_id.values() {
            earlier.insert(&table.storage, table);
        }
        // One statement makes one change. A table with the name of before is the same one; one with a new
        // name is a renamed one if it lies where a table lay whose name is gone.
        for source in &sources {
            let same = earlier.remove(&*source.storage).cloned();
            let renamed = || {
                let gone = |table: &&Rc<Table>| {
                    table.root == source.root && !sources.iter().any(|other| other.storage == *table.storage)
                };
                before.by_id.values().find(gone).cloned()
            };
            let known = same.or_else(renamed);
            let table = match &known {
                Some(known) if known.is_read_from(source) => Rc::clone(known),
                _ => {
                    let id = known.as_ref().map_or_else(|| next.take(), |known| known.id);
                    Rc::new(read::table(conn, id, source, known.as_deref())?)
                }
            };
            changes.extend(change(known.as_deref(), &table));
            catalog.insert(table);
        }
        let dropped = before.by_id.values().filter(|table| !catalog.by_id.contains_key(&table.id));
        let mut dropped: Vec<_> =
            dropped.map(|table| SchemaChange::Dropped(Rc::clone(&table.name))).collect();
        dropped.append(&mut changes);
        Ok((catalog, dropped))
    }

    fn insert(&mut self, table: Rc<Table>) {
        self.by_storage.insert(table.storage.to_ascii_lowercase().into(), Rc::clone(&table));
        self.by_id.insert(table.id, table);
    }

    /// The table of a name that SQLite reports. The spelling is that of the schema: the fast case.
    pub(crate) fn by_storage(&self, name: &str) -> Option<&Rc<Table>> {
        self.by_storage.get(name).or_else(|| self.by_storage.get(&*name.to_ascii_lowercase()))
    }

    /// A table by the name that the application knows.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Rc<Table>> {
        let direct = self.by_storage(name).filter(|table| table.name.eq_ignore_ascii_case(name));
        direct.or_else(|| self.by_id.values().find(|table| table.name.eq_ignore_ascii_case(name)))
    }

    /// The tables with a number from `first` on.
    pub(crate) fn since(&self, first: TableId) -> impl Iterator<Item = &Rc<Table>> {
        self.by_id.range(first..).map(|(_, table)| table)
    }

    /// Changes that VACUUM makes.
    pub(crate) fn vacuumed(&self) -> Vec<SchemaChange> {
        let renumbered = self.by_id.values().filter(|table| table.rowid.is_some() && !table.keeps_rowids());
        renumbered.map(|table| SchemaChange::Renumbered(Rc::clone(&table.name))).collect()
    }

    /// A table by its number.
    pub(crate) fn by_id(&self, id: TableId) -> Option<&Rc<Table>> {
        self.by_id.get(&id)
    }
}

/// Returns the change of a table; `None` if nothing that its rows show.
fn change(before: Option<&Table>, now: &Table) -> Option<SchemaChange> {
    let Some(before) = before else { return Some(SchemaChange::Created(Rc::clone(&now.name))) };
    if before.name != now.name {
        return Some(SchemaChange::Renamed { from: Rc::clone(&before.name), to: Rc::clone(&now.name) });
    }
    (before.columns != now.columns).then(|| SchemaChange::Altered(Rc::clone(&now.name)))
}
