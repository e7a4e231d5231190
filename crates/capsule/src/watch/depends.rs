//! Dependencies of a query: the tables and columns whose changes can change its rows.
//!
//! SQLite's compiler tells which columns a query reads. The rows, and their order where nothing is said of
//! it, also follow the indexes that its plan opens: their columns count as read.

use crate::capture::RowChange;
use crate::catalog::{Catalog, KeyColumns, Table};
use crate::conn::{Facts, Params, is_reserved};
use crate::database::{Committed, Database, Rows};
use crate::error::Result;
use crate::value::SqlValue;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Columns of a table that a query reads.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) table: Rc<Table>,
    /// One mark for each column of the table.
    marked: Vec<bool>,
    /// True if the rowid is read, where it is no column.
    pub(super) rowid: bool,
    /// One mark for each column of an index that the plan opens: they may decide about the order of rows.
    pub(super) indexed: Vec<bool>,
}

impl Columns {
    fn new(table: &Rc<Table>) -> Self {
        let none = vec![false; table.columns.len()];
        Self { table: Rc::clone(table), marked: none.clone(), rowid: false, indexed: none }
    }

    fn mark_all(&mut self) {
        self.marked.fill(true);
        self.rowid = true;
    }

    fn names(&self) -> Vec<String> {
        let marked = self.table.columns.iter().zip(&self.marked).filter(|(_, marked)| **marked);
        let rowid = self.rowid.then(|| "rowid".to_owned());
        marked.map(|(column, _)| column.name().to_owned()).chain(rowid).collect()
    }

    /// True if a change of a row of the table can be seen through these columns.
    fn sees(&self, change: &RowChange) -> bool {
        let (Some(old), Some(new)) = (change.old_row(), change.new_row()) else { return true };
        // Where rows have other rowids they lie in another order, too.
        change.is_renumbered()
            || !Rc::ptr_eq(old.table(), &self.table)
            || !Rc::ptr_eq(new.table(), &self.table)
            || old.differs_in(new, &self.marked)
            || old.differs_in(new, &self.indexed)
    }

    /// True if a change can move a row among others that are equal in the order: a column of an index has
    /// changed.
    pub(super) fn may_move(&self, change: &RowChange) -> bool {
        match (change.old_row(), change.new_row()) {
            (Some(old), Some(new)) => change.is_renumbered() || old.differs_in(new, &self.indexed),
            _ => true,
        }
    }

    /// True if names and values before and after, as the log has them, differ in these columns.
    fn sees_logged(&self, old: &[(String, SqlValue)], new: &[(String, SqlValue)]) -> bool {
        let marks = self.marked.iter().zip(&self.indexed).map(|(marked, indexed)| *marked || *indexed);
        let value = |row: &[(String, SqlValue)], name: &str| {
            row.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        self.rowid
            || self.table.columns.iter().zip(marks).any(|(column, marked)| {
                let (old, new) = (value(old, column.name()), value(new, column.name()));
                marked && (old.is_none() || old != new)
            })
    }
}

/// Dependencies of a query.
#[derive(Debug, Default)]
pub(super) struct Dependencies {
    tables: BTreeMap<Rc<str>, Columns>,
    /// The reason that every commit counts.
    pub(super) always: Option<String>,
    /// The reason that every change of its tables counts, whatever the columns.
    pub(super) unsteady: Option<String>,
}

/// Functions whose results follow what the connection has done last.
const OF_CONNECTION: &[&str] = &["changes", "total_changes", "last_insert_rowid"];

/// Functions whose results are others each time, or may read the clock.
const UNSTEADY: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "random",
    "randomblob",
    "sqlite_offset",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
];

/// Virtual tables whose rows follow from their arguments alone.
const OF_ARGUMENTS: &[&str] = &["json_each", "json_tree"];

/// The steps of SQLite's machine for a query.
pub(super) fn program(db: &Database, sql: &str, params: &[SqlValue]) -> Result<Rows> {
    db.query(&format!("EXPLAIN {sql}"), Params::List(params))
}

/// An index or a table by its first page.
struct Tree {
    name: String,
    table: String,
    is_index: bool,
}

impl Dependencies {
    /// Finds the dependencies of a query.
    pub(super) fn of(db: &Database, facts: &Facts, program: Option<&Rows>) -> Result<Self> {
        let catalog = db.catalog();
        let mut found = Self::default();
        let mut others: BTreeSet<Box<str>> = BTreeSet::new();
        for read in &facts.reads {
            let is_main = read.database.as_deref().is_none_or(|database| database == "main");
            match catalog.by_name(&read.table).filter(|_| is_main) {
                Some(table) => found.mark(table, &read.column),
                None => drop(others.insert(read.table.clone())),
            }
        }
        if !others.is_empty() {
            found.read_others(db, &catalog, facts, &others)?;
        }
        for function in &facts.functions {
            let name = &**function;
            if OF_CONNECTION.contains(&name) || is_reserved(name) {
                found.always.get_or_insert_with(|| format!("{name}() follows what was written last"));
            } else if UNSTEADY.contains(&name) {
                found.unsteady.get_or_insert_with(|| format!("{name}() may have another result each time"));
            }
        }
        found.read_program(db, &catalog, program)?;
        Ok(found)
    }

    fn entry(&mut self, table: &Rc<Table>) -> &mut Columns {
        self.tables.entry(Rc::clone(&table.name)).or_insert_with(|| Columns::new(table))
    }

    fn mark(&mut self, table: &Rc<Table>, column: &str) {
        let columns = self.entry(table);
        if table.is_virtual() {
            // A full-text table is asked by columns of its own, and by its name.
            columns.mark_all();
            return;
        }
        let found = table.column(column);
        if let Some(index) = found {
            columns.marked[index] = true;
        }
        if column.eq_ignore_ascii_case("rowid") && !matches!(table.key, KeyColumns::Rowid(Some(_))) {
            columns.rowid = true;
        } else if found.is_none() && !column.is_empty() {
            columns.mark_all();
        }
    }

    /// Judges names that are no tables of the catalog: views, whose own tables are told, too; names of parts
    /// of the query; and what changes without an event.
    fn read_others(
        &mut self,
        db: &Database,
        catalog: &Catalog,
        facts: &Facts,
        others: &BTreeSet<Box<str>>,
    ) -> Result<()> {
        let listed = db.query(
            "SELECT lower(name), type FROM pragma_table_list
             UNION ALL SELECT lower(name), 'module' FROM pragma_module_list",
            (),
        )?;
        let kinds: Vec<(&str, &str)> =
            (listed.rows.iter()).filter_map(|row| Some((row[0].as_str()?, row[1].as_str()?))).collect();
        for name in others {
            let lower = name.to_ascii_lowercase();
            let is = |kind: &str| kinds.contains(&(lower.as_str(), kind));
            if OF_ARGUMENTS.contains(&lower.as_str()) {
                continue;
            }
            let owner = kinds
                .iter()
                .filter(|(_, kind)| *kind == "virtual")
                .find(|(table, _)| lower.strip_prefix(table).is_some_and(|rest| rest.starts_with('_')));
            if is("shadow")
                && let Some(table) = owner.and_then(|(table, _)| catalog.by_name(table))
            {
                self.entry(table).mark_all();
                continue;
            }
            if is("view") && !is("table") && !is("virtual") {
                continue;
            }
            let is_unread = |read: &crate::conn::Read| read.table != *name || read.column.is_empty();
            let is_known = kinds.iter().any(|(known, _)| *known == lower) || lower.starts_with("pragma_");
            if !is_known && facts.reads.iter().all(is_unread) {
                // A common table expression of which no column is read.
                continue;
            }
            self.always.get_or_insert_with(|| format!("{name} changes without events"));
        }
        Ok(())
    }

    /// Marks the columns of the indexes that a program opens.
    fn read_program(&mut self, db: &Database, catalog: &Catalog, program: Option<&Rows>) -> Result<()> {
        let Some(program) = program else {
            self.tables.values_mut().for_each(Columns::mark_all);
            return Ok(());
        };
        let mut roots: BTreeSet<(i64, i64)> = BTreeSet::new();
        for step in opened(program) {
            roots.insert(step);
        }
        if roots.iter().any(|(_, database)| *database != 0) {
            self.always.get_or_insert_with(|| "temporary tables change without events".to_owned());
        }
        for (root, _) in roots.into_iter().filter(|(_, database)| *database == 0) {
            let Some(tree) = tree(db, root)? else { continue };
            let Some(table) = catalog.by_storage(&tree.table) else { continue };
            let columns = self.entry(table);
            if !tree.is_index {
                continue;
            }
            for row in db.query("SELECT cid FROM pragma_index_xinfo(?1)", &[SqlValue::from(tree.name)])?.rows
            {
                let position = row[0].as_i64().unwrap_or(-2);
                let index = table.columns.iter().position(|column| i64::from(column.position) == position);
                match index {
                    Some(index) => columns.indexed[index] = true,
                    // An expression, which may be one of any column.
                    None if position < -1 => columns.indexed.fill(true),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// The columns of a table that are read; `None` if the table is not.
    pub(super) fn columns(&self, table: &str) -> Option<&Columns> {
        self.tables.get(table)
    }

    /// The only table that is read; `None` if there are more, or none.
    pub(super) fn only_table(&self) -> Option<&Columns> {
        let mut tables = self.tables.values();
        let first = tables.next()?;
        (tables.next().is_none()).then_some(first)
    }

    /// Names of the tables and of their columns that are read.
    pub(super) fn names(&self) -> BTreeMap<String, Vec<String>> {
        self.tables.iter().map(|(table, columns)| (table.to_string(), columns.names())).collect()
    }

    /// Names of the tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Rc<str>> {
        self.tables.keys()
    }

    /// True if a change can change the rows of the query.
    pub(super) fn sees(&self, change: &RowChange) -> bool {
        let Some(columns) = self.columns(change.table()) else { return false };
        self.unsteady.is_some() || columns.sees(change)
    }

    /// True if a commit can change the rows of the query.
    pub(super) fn sees_commit(&self, committed: &Committed) -> bool {
        self.always.is_some()
            || committed.renumbered.iter().any(|table| self.tables.contains_key(table))
            || committed.changes.iter().any(|change| self.sees(change))
    }

    /// True if a change of the log can have changed the rows of the query.
    pub(super) fn sees_logged(&self, change: &crate::log::LoggedChange) -> bool {
        let Some(columns) = self.columns(&change.table) else { return self.always.is_some() };
        match (&change.old, &change.new) {
            (Some(old), Some(new)) if self.unsteady.is_none() && self.always.is_none() => {
                columns.sees_logged(old, new)
            }
            _ => true,
        }
    }
}

/// First pages and databases of the trees that a program reads.
fn opened(program: &Rows) -> impl Iterator<Item = (i64, i64)> {
    let steps = program
        .rows
        .iter()
        .filter(|step| matches!(step[1].as_str(), Some("OpenRead" | "ReopenIdx" | "OpenWrite")));
    steps.filter_map(|step| Some((step[3].as_i64()?, step[4].as_i64()?)))
}

/// The table or index that begins at a page; `None` for one of SQLite's own.
fn tree(db: &Database, root: i64) -> Result<Option<Tree>> {
    let found = db.query(
        "SELECT name, tbl_name, type = 'index' FROM main.sqlite_schema WHERE rootpage = ?1",
        &[SqlValue::from(root)],
    )?;
    let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
    let text = |value: &SqlValue| value.as_str().unwrap_or_default().to_owned();
    Ok(Some(Tree { name: text(&row[0]), table: text(&row[1]), is_index: row[2] == SqlValue::Integer(1) }))
}
