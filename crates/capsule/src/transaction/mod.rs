//! The boundaries of transactions: frames that nest, each with the tables it can go back to.
//!
//! The capsule owns the boundary. What SQL says of it (`BEGIN`, `SAVEPOINT`) and what functions say of it go
//! through the same frames, so neither can end what the other has begun.

use crate::capture::Capture;
use crate::catalog::{Catalog, SchemaChange, TableId};
use crate::conn::{Conn, RESERVED, quoted};
use crate::error::{CapsuleError, Result};
use crate::log::Header;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Author of a frame, who alone may end it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// SQL: `BEGIN`.
    Begin,
    /// SQL: `SAVEPOINT name`. The outermost one has begun the transaction, too.
    Savepoint(String),
    /// A function, or a single statement.
    Function,
}

/// A point that the transaction can go back to.
#[derive(Debug)]
struct Frame {
    owner: Owner,
    /// The name of the savepoint; `None` for the transaction itself.
    savepoint: Option<String>,
    catalog: Rc<Catalog>,
    /// Schema changes before it.
    schema_changes: usize,
    /// Work for after the commit, before it.
    deferred: usize,
}

/// Work that is done after the commit, and only then.
pub(crate) type Deferred = Box<dyn FnOnce()>;

/// The transaction under way, if there is one.
#[derive(Default)]
pub(crate) struct Transaction {
    frames: RefCell<Vec<Frame>>,
    header: Cell<Option<Header>>,
    schema_changes: RefCell<Vec<SchemaChange>>,
    /// Work for after the commit.
    deferred: RefCell<Vec<Deferred>>,
    /// Work for after the end, whichever it is.
    at_end: RefCell<Vec<Deferred>>,
    next_table: Cell<TableId>,
    /// True if SQLite has rolled it back by itself, below functions that do not know it yet.
    lost: Cell<bool>,
}

impl Transaction {
    /// True while one is under way.
    pub(crate) fn is_open(&self) -> bool {
        !self.frames.borrow().is_empty()
    }

    /// The number of frames.
    pub(crate) fn depth(&self) -> usize {
        self.frames.borrow().len()
    }

    /// Facts about the one under way.
    pub(crate) fn header(&self) -> Option<Header> {
        self.header.get()
    }

    /// Adds work for after the commit.
    pub(crate) fn defer(&self, work: Deferred) {
        self.deferred.borrow_mut().push(work);
    }

    /// Adds work for after the end.
    pub(crate) fn at_end(&self, work: Deferred) {
        self.at_end.borrow_mut().push(work);
    }

    /// Takes the work for after the end.
    pub(crate) fn take_at_end(&self) -> Vec<Deferred> {
        self.at_end.take()
    }

    /// Takes the work for after the commit.
    pub(crate) fn take_deferred(&self) -> Vec<Deferred> {
        self.deferred.take()
    }

    /// Changes of the schema so far.
    pub(crate) fn schema_changes(&self) -> Vec<SchemaChange> {
        self.schema_changes.borrow().clone()
    }

    /// Refuses work in a transaction that is gone.
    pub(crate) fn check(&self) -> Result<()> {
        if self.lost.get() {
            return Err(CapsuleError::usage("the transaction was rolled back by an error before"));
        }
        Ok(())
    }

    /// Begins a frame: the transaction, or a savepoint in it.
    fn push(
        &self,
        conn: &Conn,
        capture: &Capture,
        owner: Owner,
        savepoint: Option<String>,
        sql: &str,
    ) -> Result<()> {
        conn.run_boundary(sql)?;
        if self.frames.borrow().is_empty() {
            capture.start();
            self.schema_changes.borrow_mut().clear();
            self.lost.set(false);
        }
        let (schema_changes, deferred) = (self.schema_changes.borrow().len(), self.deferred.borrow().len());
        let catalog = capture.catalog();
        self.frames.borrow_mut().push(Frame { owner, savepoint, catalog, schema_changes, deferred });
        Ok(())
    }

    /// Begins the transaction. `take_header` is asked for what is known about it.
    fn begin(&self, conn: &Conn, capture: &Capture, owner: Owner, header: Header) -> Result<()> {
        self.push(conn, capture, owner, None, "BEGIN IMMEDIATE")?;
        self.header.set(Some(header));
        Ok(())
    }

    /// Begins a frame of a function; within a transaction it is a savepoint.
    pub(crate) fn begin_function(
        &self,
        conn: &Conn,
        capture: &Capture,
        header: impl FnOnce() -> Header,
    ) -> Result<()> {
        self.check()?;
        let depth = self.depth();
        if depth == 0 {
            return self.begin(conn, capture, Owner::Function, header());
        }
        let name = format!("{RESERVED}{depth}");
        let sql = format!("SAVEPOINT {name}");
        self.push(conn, capture, Owner::Function, Some(name), &sql)
    }

    /// `BEGIN` of SQL.
    pub(crate) fn begin_sql(
        &self,
        conn: &Conn,
        capture: &Capture,
        header: impl FnOnce() -> Header,
    ) -> Result<()> {
        if self.is_open() {
            return Err(CapsuleError::usage("BEGIN within a transaction: use SAVEPOINT"));
        }
        self.begin(conn, capture, Owner::Begin, header())
    }

    /// `SAVEPOINT` of SQL. Outside of a transaction it begins one.
    pub(crate) fn savepoint(
        &self,
        conn: &Conn,
        capture: &Capture,
        name: &str,
        header: impl FnOnce() -> Header,
    ) -> Result<()> {
        self.check()?;
        let owner = Owner::Savepoint(name.to_owned());
        if !self.is_open() {
            self.begin(conn, capture, owner.clone(), header())?;
        }
        let sql = format!("SAVEPOINT {}", quoted(name));
        self.push(conn, capture, owner, Some(name.to_owned()), &sql)
    }

    /// The frame that SQL names: the innermost savepoint of that name above the innermost function.
    pub(crate) fn find(&self, name: &str) -> Result<usize> {
        let frames = self.frames.borrow();
        let found = frames.iter().enumerate().rev().take_while(|(_, frame)| frame.owner != Owner::Function);
        let mut found = found.filter(|(_, frame)| {
            frame.savepoint.as_deref().is_some_and(|savepoint| savepoint.eq_ignore_ascii_case(name))
        });
        found
            .next()
            .map(|(index, _)| index)
            .ok_or_else(|| CapsuleError::usage(format!("no such savepoint: {name}")))
    }

    /// Refuses SQL that would end the transaction of a function.
    pub(crate) fn check_sql_may_end(&self, statement: &str) -> Result<()> {
        match self.frames.borrow().iter().find(|frame| frame.owner == Owner::Function) {
            Some(_) => Err(CapsuleError::usage(format!(
                "{statement} within the transaction of a function, which ends it"
            ))),
            None if !self.is_open() => {
                Err(CapsuleError::usage(format!("{statement}: no transaction is active")))
            }
            None => Ok(()),
        }
    }

    /// True if a frame is the outermost savepoint of SQL, whose release ends the transaction.
    pub(crate) fn release_ends(&self, index: usize) -> bool {
        index == 1 && matches!(self.frames.borrow()[0].owner, Owner::Savepoint(_))
    }

    /// Releases a savepoint, with all that lie in it.
    pub(crate) fn release(&self, conn: &Conn, index: usize) -> Result<()> {
        let name = self.frames.borrow()[index].savepoint.clone().unwrap_or_default();
        conn.run_own(&format!("RELEASE {}", quoted(&name)))?;
        self.frames.borrow_mut().truncate(index);
        Ok(())
    }

    /// Goes back to a savepoint, which stays.
    pub(crate) fn rollback_to(&self, conn: &Conn, capture: &Capture, index: usize) -> Result<()> {
        let (name, catalog, schema_changes, deferred) = {
            let frames = self.frames.borrow();
            let Frame { savepoint, catalog, schema_changes, deferred, .. } = &frames[index];
            (savepoint.clone().unwrap_or_default(), Rc::clone(catalog), *schema_changes, *deferred)
        };
        conn.run_own(&format!("ROLLBACK TO {}", quoted(&name)))?;
        self.frames.borrow_mut().truncate(index + 1);
        self.schema_changes.borrow_mut().truncate(schema_changes);
        self.deferred.borrow_mut().truncate(deferred);
        capture.rolled_back();
        if !Rc::ptr_eq(&catalog, &capture.catalog()) {
            capture.set_catalog(catalog);
            conn.forget_facts();
        }
        Ok(())
    }

    /// Takes back all frames above a depth that is not 0, whoever has begun them.
    pub(crate) fn cut(&self, conn: &Conn, capture: &Capture, depth: usize) -> Result<()> {
        if conn.is_autocommit() {
            self.frames.borrow_mut().truncate(depth);
            return Ok(());
        }
        self.rollback_to(conn, capture, depth)?;
        self.release(conn, depth)
    }

    /// Takes back the innermost frame, which is a function's savepoint.
    pub(crate) fn rollback_function(&self, conn: &Conn, capture: &Capture) -> Result<()> {
        let index = self.function_frame();
        self.rollback_to(conn, capture, index)?;
        self.release(conn, index)
    }

    /// Index of the innermost frame of a function.
    pub(crate) fn function_frame(&self) -> usize {
        self.frames.borrow().iter().rposition(|frame| frame.owner == Owner::Function).unwrap_or_default()
    }

    /// Reads the tables again after a statement that has changed the schema.
    pub(crate) fn schema_changed(&self, conn: &Conn, capture: &Capture) -> Result<()> {
        conn.forget_facts();
        let first_new = self.next_table.get();
        let mut next = first_new;
        let read = Catalog::read(conn, &capture.catalog(), &mut next);
        self.next_table.set(next);
        let (catalog, mut changes) = read?;
        capture.set_catalog(Rc::new(catalog));
        self.schema_changes.borrow_mut().append(&mut changes);
        capture.touch_created(conn, first_new)
    }

    /// All of it is over: committed, or taken back to the tables that it began with.
    pub(crate) fn end(&self, conn: &Conn, capture: &Capture, committed: bool) -> Option<Header> {
        let first = self.frames.borrow_mut().drain(..).next();
        if !committed {
            capture.rolled_back();
            self.deferred.borrow_mut().clear();
        }
        capture.stop();
        if let Some(frame) = first
            && !committed
            && !Rc::ptr_eq(&frame.catalog, &capture.catalog())
        {
            capture.set_catalog(frame.catalog);
            conn.forget_facts();
        }
        self.lost.set(false);
        self.header.take()
    }

    /// Notes that SQLite has rolled the transaction back. Functions that have begun it still have to end it.
    pub(crate) fn lose(&self) {
        self.lost.set(true);
    }

    /// Ends the innermost frame of a function in a transaction that SQLite has rolled back.
    pub(crate) fn leave_lost(&self) {
        let index = self.function_frame();
        self.frames.borrow_mut().truncate(index);
    }

    /// True if nothing but SQL has begun the one under way.
    pub(crate) fn is_of_sql(&self) -> bool {
        self.frames.borrow().iter().all(|frame| frame.owner != Owner::Function)
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction")
            .field("frames", &self.frames)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
