//! Exact changes of a transaction.
//!
//! SQLite tells each change of a row before it is made (its preupdate hook). Of each row the *first* image is
//! kept, and the last one: at the end they are compared, and what differs is an event. Where anything was
//! rolled back on the way the last image is not what is there, so every row that was touched is read again.
//! So it does not matter by which way a row changed, or how often.
//!
//! No SQL runs inside of the hook.

mod hook;
mod image;
mod net;
mod shadows;

pub(crate) use image::Key;
pub use image::Row;
pub use net::{Operation, RowChange};

use crate::catalog::{Catalog, KeyColumns, Table, TableId};
use crate::conn::{Conn, quoted};
use crate::error::Result;
use shadows::Shadows;
use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Expressions that one query asks. SQLite allows 2,000 columns.
const EXPRESSIONS_PER_QUERY: usize = 500;

/// Bytes of the images of one transaction, at most. In the module, where memory that Rust cannot have is its
/// end; on their way to the log and to who listens they are there several times.
const CAPTURED_BYTES_MAX: usize = if cfg!(target_family = "wasm") { 128 << 20 } else { usize::MAX / 2 };

/// A row that a transaction has touched, as it was before.
#[derive(Debug, Clone)]
struct Touched {
    /// The table as it was then.
    table: Rc<Table>,
    key: Key,
    /// The rowid then, if the row was there and has one.
    rowid: Option<i64>,
    before: Option<Row>,
    after: After,
}

/// A row that a transaction has touched, as its last change has left it.
#[derive(Debug, Clone)]
enum After {
    /// Unknown: it has to be read.
    Unknown,
    Gone,
    There(Option<i64>, Row),
}

#[derive(Debug, Default)]
struct Journal {
    /// Places among the rows.
    known: HashMap<(TableId, Key), usize>,
    /// Rows in the order of their first touch.
    rows: Vec<Touched>,
    /// True if a part was taken back: what changes have left is not what is there.
    is_uncertain: bool,
}

impl Journal {
    /// The place of a row; `None` if this is its first touch, which takes the next place.
    fn place(&mut self, table: TableId, key: &Key) -> Option<usize> {
        match self.known.entry((table, key.clone())) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(free) => {
                free.insert(self.rows.len());
                None
            }
        }
    }

    /// Keeps a row, unless it was touched before.
    fn touch(&mut self, row: Touched) {
        if self.place(row.table.id, &row.key).is_none() {
            self.rows.push(row);
        }
    }
}

/// State of the hook. It has one place in memory, which SQLite knows.
#[derive(Debug, Default)]
struct State {
    on: Cell<bool>,
    catalog: RefCell<Rc<Catalog>>,
    /// The table of the last change, with the address of the name that SQLite gave for it.
    last: RefCell<Option<(usize, Rc<Table>)>>,
    journal: RefCell<Journal>,
    scratch: RefCell<Vec<u8>>,
    /// Tables in which rows have got other rowids and nothing else.
    renumbered: RefCell<BTreeSet<Rc<str>>>,
    /// Result code of a value that could not be read or kept: there was no memory.
    failure: Cell<Option<i32>>,
    /// Bytes of the images and keys that are kept.
    bytes: Cell<usize>,
}

/// The rows that the transaction under way has touched.
#[derive(Debug)]
pub(crate) struct Capture {
    state: Box<State>,
    shadows: Shadows,
}

impl Capture {
    /// Watches a connection. It must be dropped after the connection, or the hook would use what is gone.
    pub(crate) fn attach(conn: &Conn) -> Self {
        let state = Box::<State>::default();
        hook::set(conn, &state);
        Self { state, shadows: Shadows::default() }
    }

    /// Starts to capture a transaction.
    pub(crate) fn start(&self) {
        let mut journal = self.state.journal.borrow_mut();
        journal.known.clear();
        journal.rows.clear();
        journal.is_uncertain = false;
        self.state.failure.set(None);
        self.state.bytes.set(0);
        self.state.renumbered.borrow_mut().clear();
        self.state.on.set(true);
    }

    /// Ends capturing; what was captured is forgotten.
    pub(crate) fn stop(&self) {
        self.state.on.set(false);
        *self.state.journal.borrow_mut() = Journal::default();
    }

    /// Works on the capsule's own tables, of which SQLite tells nothing meanwhile.
    pub(crate) fn aside<T>(&self, conn: &Conn, work: impl FnOnce() -> T) -> T {
        hook::unset(conn);
        let result = work();
        hook::set(conn, &self.state);
        result
    }

    /// Captures the rows that tables with a number from `first` on came with: CREATE TABLE AS tells the hook
    /// of none.
    pub(crate) fn touch_created(&self, conn: &Conn, first: TableId) -> Result<()> {
        if !self.state.on.get() {
            return Ok(());
        }
        for table in self.catalog().since(first) {
            // Tables of another kind begin empty, and then their rows go through the hook.
            let (KeyColumns::Rowid(None), Some(rowid)) = (&table.key, &table.rowid) else { continue };
            let sql = format!("SELECT {rowid} FROM main.{}", quoted(&table.storage));
            let mut statement = conn.own_statement(&sql)?;
            let mut journal = self.state.journal.borrow_mut();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key = Key::Rowid(row.get(0)?);
                let (table, after) = (Rc::clone(table), After::Unknown);
                journal.touch(Touched { table, key, rowid: None, before: None, after });
            }
        }
        Ok(())
    }

    /// Answers expressions about a row that need not be in its table, with its rowid: true for those that
    /// hold. An expression that fails for the row has its error.
    pub(crate) fn holds(
        &self,
        conn: &Conn,
        row: &Row,
        rowid: Option<i64>,
        expressions: &[&str],
    ) -> Result<Vec<Result<bool>>> {
        let name = quoted(&row.table.name);
        conn.own(|| {
            self.shadows.with(conn, row, rowid, |table| {
                let mut answers = Vec::with_capacity(expressions.len());
                for chunk in expressions.chunks(EXPRESSIONS_PER_QUERY) {
                    match holds(conn, table, &name, chunk) {
                        Ok(some) => answers.extend(some.into_iter().map(Ok)),
                        // One of them fails: which one, is found one by one.
                        Err(_) => answers.extend(chunk.iter().map(|one| {
                            holds(conn, table, &name, &[one]).map(|answer| answer.first() == Some(&true))
                        })),
                    }
                }
                Ok(answers)
            })
        })
    }

    /// Notes that SQLite has gone back to an earlier point.
    pub(crate) fn rolled_back(&self) {
        self.shadows.rolled_back();
        self.doubt();
    }

    /// Notes that a statement may have been taken back, or has changed tables themselves: touched rows are
    /// read again at the end.
    pub(crate) fn doubt(&self) {
        self.state.journal.borrow_mut().is_uncertain = true;
    }

    /// The tables as they are now.
    pub(crate) fn catalog(&self) -> Rc<Catalog> {
        Rc::clone(&self.state.catalog.borrow())
    }

    /// Sets the tables: after a change of the schema, or when one was taken back.
    pub(crate) fn set_catalog(&self, catalog: Rc<Catalog>) {
        *self.state.catalog.borrow_mut() = catalog;
        *self.state.last.borrow_mut() = None;
        self.doubt();
    }
}

/// Asks expressions about the row in a temporary table, under the name of the row's own table.
fn holds(conn: &Conn, table: &str, name: &str, expressions: &[&str]) -> Result<Vec<bool>> {
    // Not `IS TRUE`: a column may have that name.
    let one = |expression: &&str| format!("CASE WHEN ({expression}\n) THEN 1 ELSE 0 END");
    let list: Vec<String> = expressions.iter().map(one).collect();
    let sql = format!("SELECT {} FROM {table} AS {name}", list.join(","));
    let mut select = conn.own_statement(&sql)?;
    let answers = select.query_row([], |row| (0..expressions.len()).map(|index| row.get(index)).collect());
    answers.map_err(Into::into)
}
