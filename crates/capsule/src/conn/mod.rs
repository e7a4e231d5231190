//! The connection to SQLite: opening, statements with what is known about them, names.
//!
//! With `capture`, the only module that calls SQLite. Everything above it is told rows and errors.

mod bytes;
mod counters;
mod facts;
mod functions;
mod names;
mod open;
mod progress;
mod statement;

pub(crate) use facts::{EVENTS_DELETE_TRIGGER, Facts, RESERVED, Read, Role, Trust, is_reserved, reserved};
pub(crate) use names::{first_word, push_quoted, quoted};
pub(crate) use open::CHECKPOINT_PAGES_OF_DISK;
pub use open::{Durability, Location};
pub(crate) use progress::OPERATIONS_PER_ASK;
pub use statement::Params;
pub(crate) use statement::{Bound, Statement};

use crate::error::{CapsuleError, Result};
use counters::Counters;
use facts::Recorder;
use functions::Raised;
use progress::Progress;
use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Statements that stay compiled.
const COMPILED_STATEMENTS: usize = 128;

/// Statements whose facts are remembered. All are forgotten when there are more.
const REMEMBERED_FACTS: usize = 4 * COMPILED_STATEMENTS;

/// A connection to one database, of which nobody else writes.
pub(crate) struct Conn {
    sqlite: Connection,
    recorder: Arc<Mutex<Recorder>>,
    counters: Counters,
    raised: Raised,
    progress: Progress,
    /// Facts of statements by their text. A statement that stays compiled is not judged again.
    facts: RefCell<HashMap<Box<str>, Rc<Facts>>>,
    /// Another number after each change of the schema.
    schema: Cell<u64>,
}

impl Conn {
    /// Opens a database and sets what holds for every capsule.
    pub(crate) fn open(location: &Location, durability: Durability) -> Result<Self> {
        Self::of(open::open(location, durability)?)
    }

    /// Opens an empty database in memory with pages of this size.
    pub(crate) fn empty(page_size: u32) -> Result<Self> {
        Self::of(open::empty(page_size)?)
    }

    /// Takes a connection for which holds what does for every capsule.
    fn of(mut sqlite: Connection) -> Result<Self> {
        sqlite.set_prepared_statement_cache_capacity(COMPILED_STATEMENTS);
        let recorder = Arc::new(Mutex::new(Recorder::default()));
        let judge = Arc::clone(&recorder);
        sqlite.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
            judge.lock().unwrap_or_else(PoisonError::into_inner).judge(&context)
        }))?;
        let progress = Progress::attach(&mut sqlite)?;
        let counters = Counters::attach(&sqlite)?;
        Ok(Self {
            sqlite,
            recorder,
            counters,
            raised: Raised::default(),
            progress,
            facts: RefCell::default(),
            schema: Cell::default(),
        })
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs work of the capsule's own, whose statements may do everything.
    pub(crate) fn own<T>(&self, work: impl FnOnce() -> T) -> T {
        let trust = std::mem::replace(&mut self.recorder().trust, Trust::Own);
        if trust == Trust::Own {
            return work();
        }
        let before = self.counters.before(&self.sqlite);
        let result = work();
        self.counters.after(&self.sqlite, &before);
        self.recorder().trust = trust;
        result
    }

    /// Notes that a statement of the application begins, which may write.
    pub(crate) fn writing(&self) {
        self.counters.restart();
    }

    /// Sets who is asked, every [`OPERATIONS_PER_ASK`] operations of SQLite, whether a statement may go on.
    pub(crate) fn set_progress(&self, may_go_on: impl Fn() -> bool + 'static) {
        self.progress.set(may_go_on);
    }

    /// Sets after how many pages of the write-ahead log it goes into the database.
    pub(crate) fn set_checkpoint_pages(&self, pages: u32) -> Result<()> {
        // It answers with the number.
        self.own(|| self.sqlite.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(())))
            .map_err(Into::into)
    }

    /// Lets triggers of the application run, or not. Temporary ones always do.
    pub(crate) fn enable_triggers(&self, enabled: bool) -> Result<()> {
        self.sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, enabled)?;
        Ok(())
    }

    /// Runs VACUUM, which attaches a database of its own.
    pub(crate) fn vacuum(&self, sql: &str) -> Result<()> {
        self.recorder().vacuum = true;
        let result = self.sqlite.execute_batch(sql).map_err(|error| CapsuleError::from(error).in_sql(sql));
        self.recorder().vacuum = false;
        result
    }

    /// Compiles one statement, or finds it compiled. From its second use on it stays compiled.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        let known = self.facts.borrow().get(sql).cloned();
        if let Some(facts) = known {
            let compiled = self.sqlite.prepare_cached(sql).map_err(|error| self.refused(error, sql))?;
            return Ok(Statement::cached(compiled, facts));
        }
        check_nul(sql)?;
        self.recorder().facts = Facts::default();
        let compiled = self.sqlite.prepare(sql).map_err(|error| self.refused(error, sql))?;
        // SQLite compiles nothing of a text without a statement, and would call its use a mistake of ours.
        if first_word(sql).is_empty() {
            return Err(CapsuleError::usage("there is no statement in the text").in_sql(sql));
        }
        let facts = self.take_facts(&compiled, sql)?;
        let mut remembered = self.facts.borrow_mut();
        if remembered.len() >= REMEMBERED_FACTS {
            remembered.clear();
        }
        remembered.insert(sql.into(), Rc::clone(&facts));
        Ok(Statement::once(compiled, facts))
    }

    /// Compiles the statements of a text one after the other, each when the one before has run.
    pub(crate) fn prepare_each<'sql>(&self, sql: &'sql str) -> Result<Batch<'_, 'sql>> {
        check_nul(sql)?;
        Ok(Batch::new(&self.sqlite, sql))
    }

    /// Compiles the next statement of a text; `None` at its end.
    pub(crate) fn prepare_next<'conn>(
        &'conn self,
        batch: &mut Batch<'conn, '_>,
        sql: &str,
    ) -> Result<Option<Statement<'conn>>> {
        self.recorder().facts = Facts::default();
        let Some(compiled) = batch.next().map_err(|error| self.refused(error, sql))? else { return Ok(None) };
        let text = compiled.expanded_sql().unwrap_or_default();
        let facts = self.take_facts(&compiled, &text)?;
        Ok(Some(Statement::once(compiled, facts)))
    }

    /// The facts of a statement that has just been compiled.
    fn take_facts(&self, compiled: &rusqlite::Statement<'_>, sql: &str) -> Result<Rc<Facts>> {
        let mut facts = std::mem::take(&mut self.recorder().facts);
        if compiled.is_explain() != 0 {
            facts = Facts { reads: facts.reads, functions: facts.functions, ..Facts::default() };
        } else if first_word(sql).eq_ignore_ascii_case("VACUUM") {
            if sql.split_whitespace().any(|word| word.eq_ignore_ascii_case("INTO")) {
                return Err(
                    CapsuleError::usage("VACUUM INTO is refused: export the database instead").in_sql(sql)
                );
            }
            facts.role = Role::Vacuum;
        }
        Ok(Rc::new(facts))
    }

    /// The error of a statement that could not be compiled; the reason, if it was the capsule that refused
    /// it.
    pub(crate) fn refused(&self, error: rusqlite::Error, sql: &str) -> CapsuleError {
        let refusal = self.recorder().refusal.take().map(CapsuleError::usage);
        self.raised.take().or(refusal).unwrap_or_else(|| error.into()).in_sql(sql)
    }

    /// Forgets what is known about statements: the schema has changed. One that stays compiled would go on to
    /// tell the columns of before until it runs.
    pub(crate) fn forget_facts(&self) {
        self.sqlite.flush_prepared_statement_cache();
        self.facts.borrow_mut().clear();
        self.schema.set(self.schema.get() + 1);
    }

    /// A number that is another after each change of the schema.
    pub(crate) fn schema_number(&self) -> u64 {
        self.schema.get()
    }

    /// Runs statements of the capsule's own, without parameters and results.
    pub(crate) fn run_own(&self, sql: &str) -> Result<()> {
        self.own(|| self.sqlite.execute_batch(sql)).map_err(|error| self.refused(error, sql))
    }

    /// Runs one statement of the capsule's own at the boundary of a transaction. It stays compiled.
    pub(crate) fn run_boundary(&self, sql: &str) -> Result<()> {
        self.own(|| self.sqlite.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop))
            .map_err(|error| self.refused(error, sql))
    }

    /// Compiles a statement of the capsule's own, or finds it compiled. It must run within
    /// [`own`](Self::own).
    pub(crate) fn own_statement(&self, sql: &str) -> Result<rusqlite::CachedStatement<'_>> {
        self.own(|| self.sqlite.prepare_cached(sql)).map_err(|error| self.refused(error, sql))
    }

    /// The collation of a column.
    pub(crate) fn collation(&self, table: &str, column: &str) -> Result<Option<String>> {
        let (_, collation, ..) = self.sqlite.column_metadata(Some("main"), table, column)?;
        Ok(collation.and_then(|name| name.to_str().ok()).map(str::to_owned))
    }

    /// True outside of every transaction, as SQLite sees it.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.sqlite.is_autocommit()
    }

    /// The rowid of the last row inserted.
    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.sqlite.last_insert_rowid()
    }

    /// Rows that the last statement changed, without those of its triggers.
    pub(crate) fn changes(&self) -> u64 {
        self.sqlite.changes()
    }

    /// Rows that all statements have changed.
    pub(crate) fn total_changes(&self) -> u64 {
        self.sqlite.total_changes()
    }

    /// Bytes that SQLite has allocated, in all of this program or module.
    #[allow(clippy::unused_self, reason = "SQLite counts for all connections together")]
    pub(crate) fn memory_used(&self) -> i64 {
        // SAFETY: the function reads a counter, and takes nothing.
        unsafe { rusqlite::ffi::sqlite3_memory_used() }
    }

    /// The address of the connection, for the hook of `capture`.
    pub(crate) fn handle(&self) -> *mut rusqlite::ffi::sqlite3 {
        // SAFETY: the address alone is unsafe to have since the connection could be closed with it; `capture`
        // sets its hook on it and nothing else.
        unsafe { self.sqlite.handle() }
    }

    /// Closes the connection. What WAL holds goes into the database file.
    pub(crate) fn close(self) -> Result<()> {
        self.sqlite.close().map_err(|(_, error)| error.into())
    }
}

/// Refuses a text that SQLite would read up to a NUL character only.
fn check_nul(sql: &str) -> Result<()> {
    if sql.contains('\0') {
        return Err(CapsuleError::usage("SQL cannot hold a NUL character").in_sql(sql));
    }
    Ok(())
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").finish_non_exhaustive()
    }
}
