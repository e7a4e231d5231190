//! One database: statements, transactions, and what they change.

use crate::capture::{Capture, Row, RowChange};
use crate::catalog::{Catalog, SchemaChange, Table, condition, reserved_reference};
use crate::conn::{
    Bound, CHECKPOINT_PAGES_OF_DISK, Conn, Durability, Facts, Location, OPERATIONS_PER_ASK, Params, Role,
    Statement, quoted, reserved,
};
use crate::environment::Environment;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{self, Header, Log, LoggedChange, LoggedTransaction, Registry, Retention, Source};
use crate::rules::{self, ROUNDS_MAX, Rules, Validators};
use crate::transaction::Transaction;
use crate::value::SqlValue;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Rows of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The values of each row, in the order of the columns.
    pub rows: Vec<Vec<SqlValue>>,
}

/// Changes of one transaction, told after its commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Number of the transaction; 0 if it changed no row, and so is not in the log.
    pub transaction: i64,
    /// The number of its first change in the log.
    pub first: Option<i64>,
    /// Author of the changes.
    pub source: Source,
    /// The transaction whose changes it reacts to.
    pub cause: Option<i64>,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The rows that are different than before.
    pub changes: Vec<RowChange>,
    /// Changes of the schema.
    pub schema: Vec<SchemaChange>,
    /// Tables in which rows have got other rowids and nothing else.
    pub(crate) renumbered: Vec<Rc<str>>,
}

impl Committed {
    /// The number of its last change in the log; `None` if it has none.
    pub(crate) fn last_seq(&self) -> Option<i64> {
        self.first.map(|first| first + self.changes.len() as i64 - 1)
    }
}

/// Result of one statement that has come to its end.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) rows: Rows,
    /// Rows that it changed itself.
    pub(crate) changed: u64,
    /// The rowid of the last row that it inserted, if it has inserted any.
    pub(crate) rowid: Option<i64>,
}

/// State of a transaction after a commit that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    /// The transaction is as it was before: SQL may go on with it.
    GoOn,
    /// The transaction is taken back by whoever commits. So nothing has to be kept for the way back.
    TakeBack,
}

/// Bytes that the rows of one query may take. What is more would have to be in memory several times on its
/// way.
const ROWS_BYTES_MAX: usize = 256 * 1024 * 1024;

type Listener = dyn FnMut(&Committed);

/// A database whose changes are events.
#[derive(Debug)]
pub struct Database {
    // The connection is dropped before the state that its hook uses.
    conn: Conn,
    capture: Capture,
    transaction: Transaction,
    log: Log,
    validators: Validators,
    environment: RefCell<Box<dyn Environment>>,
    source: Cell<Source>,
    cause: Cell<Option<i64>>,
    /// True if changes are kept in the log and told.
    has_events: Cell<bool>,
    listener: Listening,
    /// Listener for what is changed without being told: in the capsule's own tables.
    own_listener: Listening,
    /// Rows that were written up to what was told last.
    told_rows: Cell<u64>,
    /// Number of the schema that the log knows of.
    logged_schema: Cell<u64>,
    /// True if the commit that comes to its end is told whatever it has changed: an index, a view.
    is_told: Cell<bool>,
}

/// Number of rows that is none: whatever was written has not been told.
const NONE_TOLD: u64 = u64::MAX;

#[derive(Default)]
struct Listening(RefCell<Option<Box<Listener>>>);

impl Listening {
    fn tell(&self, committed: &Committed) {
        // Taken out while it runs, so that it may write.
        let listener = self.0.borrow_mut().take();
        if let Some(mut listener) = listener {
            listener(committed);
            self.0.borrow_mut().get_or_insert(listener);
        }
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.borrow().is_some() { "a listener" } else { "none" })
    }
}

impl Database {
    /// Opens a database, which is made if there is none.
    ///
    /// # Errors
    /// `unsupported` where it cannot be opened, `locked` if another program has it, `corrupt` if it is no
    /// database.
    pub fn open(
        location: &Location,
        durability: Durability,
        environment: Box<dyn Environment>,
    ) -> Result<Self> {
        Self::of(Conn::open(location, durability)?, environment)
    }

    /// The database of a connection.
    pub(crate) fn of(conn: Conn, mut environment: Box<dyn Environment>) -> Result<Self> {
        let log = Log::open(&conn, &mut *environment)?;
        let capture = Capture::attach(&conn);
        let validators = Validators::attach(&conn)?;
        let transaction = Transaction::default();
        transaction.schema_changed(&conn, &capture)?;
        let logged_schema = Cell::new(conn.schema_number());
        let told_rows = Cell::new(conn.total_changes());
        Ok(Self {
            conn,
            capture,
            transaction,
            log,
            validators,
            environment: RefCell::new(environment),
            source: Cell::default(),
            cause: Cell::default(),
            has_events: Cell::new(true),
            listener: Listening::default(),
            own_listener: Listening::default(),
            told_rows,
            logged_schema,
            is_told: Cell::default(),
        })
    }

    /// Sets who is told of each commit, after it. A commit that has changed an index or a view has neither
    /// changes of rows nor of the schema, as far as rows show it.
    pub fn on_commit(&self, listener: impl FnMut(&Committed) + 'static) {
        *self.listener.0.borrow_mut() = Some(Box::new(listener));
    }

    /// Sets who is told when something has changed that is no change of a row or of the schema: what the
    /// capsule keeps for itself, and shows in its own tables and views.
    pub(crate) fn on_own_change(&self, listener: impl FnMut(&Committed) + 'static) {
        *self.own_listener.0.borrow_mut() = Some(Box::new(listener));
    }

    /// Tells that something has changed which the capsule's own tables and views show; after the end of the
    /// transaction under way, if there is one.
    pub(crate) fn own_changed(&self) {
        // Whatever comes next is told then.
        self.told_rows.set(NONE_TOLD);
        if !self.transaction.is_open() {
            self.publish_own(self.cause.get(), self.clock());
        }
    }

    /// Has the write-ahead log grow as it may on a disk, without a quota, before it goes into the database.
    pub(crate) fn expect_disk(&self) -> Result<()> {
        self.conn.set_checkpoint_pages(CHECKPOINT_PAGES_OF_DISK)
    }

    /// Sets whether changes are kept in the log and told. Hooks see them in any case.
    pub(crate) fn set_events(&self, kept: bool) {
        self.has_events.set(kept);
    }

    /// Refuses what needs events, where there are none.
    pub(crate) fn check_events(&self, what: &str) -> Result<()> {
        if self.has_events.get() {
            return Ok(());
        }
        Err(CapsuleError::usage(format!("{what} needs events, which this capsule was opened without")))
    }

    /// Sets the rules that rows go through.
    pub(crate) fn set_rules(&self, rules: Rc<dyn Rules>) {
        self.validators.set(rules);
    }

    /// Sets who is asked whether a statement that runs long may go on, with the number of operations since it
    /// was asked.
    pub(crate) fn set_progress(&self, may_go_on: impl Fn(u32) -> bool + 'static) {
        self.conn.set_progress(move || may_go_on(OPERATIONS_PER_ASK));
    }

    /// Runs a part in which what is written comes from a source.
    pub fn with_source<T>(&self, source: Source, part: impl FnOnce() -> T) -> T {
        let before = self.source.replace(source);
        let result = part();
        self.source.set(before);
        result
    }

    /// Runs a part in which what is written reacts to the changes of a transaction.
    pub(crate) fn with_cause<T>(&self, cause: Option<i64>, part: impl FnOnce() -> T) -> T {
        let before = self.cause.replace(cause);
        let result = part();
        self.cause.set(before);
        result
    }

    /// The transaction to whose changes what is written now reacts.
    pub(crate) fn cause(&self) -> Option<i64> {
        self.cause.get()
    }

    /// Sets who knows the watchers.
    pub(crate) fn set_registry(&self, registry: Rc<dyn Registry>) {
        self.log.registry.set(registry);
    }

    /// The number of the last change that was delivered to reactions.
    pub(crate) fn delivered(&self) -> Result<i64> {
        log::delivered(&self.conn)
    }

    /// Notes that somebody has worked up all changes up to this number: they are `processed`, and may be
    /// swept.
    ///
    /// # Errors
    /// Those of a write.
    pub fn mark_delivered(&self, seq: i64) -> Result<()> {
        log::set_delivered(&self.conn, seq)?;
        self.own_changed();
        Ok(())
    }

    /// The last request of a client that was committed.
    pub(crate) fn request(&self, client: &str) -> Result<Option<log::StoredRequest>> {
        log::request(&self.conn, client)
    }

    /// Keeps the answer of a request in the transaction that it has made, which is open.
    pub(crate) fn keep_request(&self, client: &str, number: i64, reply: &[u8]) -> Result<()> {
        if !self.is_in_transaction() {
            return Err(CapsuleError::usage("an answer is kept within a transaction"));
        }
        log::keep_request(&self.conn, client, number, reply)
    }

    /// Forgets the requests of all clients but these.
    pub(crate) fn keep_clients(&self, clients: &[String]) -> Result<()> {
        log::keep_clients(&self.conn, clients)?;
        self.own_changed();
        Ok(())
    }

    /// The rows of one statement.
    pub fn query<'a>(&self, sql: &str, params: impl Into<Params<'a>>) -> Result<Rows> {
        self.query_up_to(sql, params.into(), usize::MAX)
    }

    /// The first `limit` rows of one statement, which runs no further for them.
    pub(crate) fn query_up_to(&self, sql: &str, params: Params<'_>, limit: usize) -> Result<Rows> {
        let statement = self.conn.prepare(sql)?;
        Ok(self.run(statement, sql, params.into(), limit)?.rows)
    }

    /// Facts about a query.
    ///
    /// # Errors
    /// `usage` if it is no query.
    pub(crate) fn facts_of_query(&self, sql: &str) -> Result<Rc<Facts>> {
        let statement = self.conn.prepare(sql)?;
        if !statement.is_readonly() || !statement.has_columns() {
            return Err(CapsuleError::usage("only a query can be watched").in_sql(sql));
        }
        Ok(Rc::clone(&statement.facts))
    }

    /// The names of the columns of a query.
    pub(crate) fn columns_of_query(&self, sql: &str) -> Result<Vec<String>> {
        Ok(self.conn.prepare(sql)?.columns())
    }

    /// The tables that are captured, as they are now.
    pub(crate) fn catalog(&self) -> Rc<Catalog> {
        self.capture.catalog()
    }

    /// A number that is another after each change of the schema, of views, too.
    pub(crate) fn schema_number(&self) -> u64 {
        self.conn.schema_number()
    }

    /// True if a column compares texts by their bytes. False where that is not known.
    pub(crate) fn compares_bytes(&self, table: &Table, column: &str) -> bool {
        let collation = self.conn.own(|| self.conn.collation(&table.name, column));
        matches!(collation, Ok(name) if name.as_deref().is_none_or(|name| name.eq_ignore_ascii_case("BINARY")))
    }

    /// Checks that a condition is an expression about the rows of a table, and returns it without its WHERE.
    pub(crate) fn check_filter(&self, table: &str, filter: &str) -> Result<String> {
        let filter = condition(filter)?;
        // In WHERE no aggregate can stand. Twice, so that what closes the parenthesis makes other columns
        // than these.
        let one = format!("({filter}\n)");
        let sql = format!("SELECT {one}, {one} FROM main.{} WHERE {one}", quoted(table));
        let statement = self.conn.prepare(&sql).map_err(|error| error.in_sql(filter))?;
        if statement.columns().len() != 2 || !statement.is_readonly() {
            return Err(CapsuleError::usage(format!("a filter is one expression about a row: {filter}")));
        }
        statement.check_unbound().map_err(|error| error.in_sql(filter))?;
        Ok(filter.trim().to_owned())
    }

    /// Answers expressions about a row that need not be in its table, with its rowid.
    pub(crate) fn holds(
        &self,
        row: &Row,
        rowid: Option<i64>,
        expressions: &[&str],
    ) -> Result<Vec<Result<bool>>> {
        self.capture.holds(&self.conn, row, rowid, expressions)
    }

    /// Runs one statement, and returns the number of rows that it changed.
    pub(crate) fn execute_one(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let statement = self.conn.prepare(sql)?;
        Ok(self.run(statement, sql, params.into(), usize::MAX)?.changed)
    }

    /// Runs one statement that writes a row, with the values of its columns.
    pub(crate) fn write_row(&self, sql: &str, row: &[(&str, SqlValue)]) -> Result<Written> {
        let statement = self.conn.prepare(sql)?;
        self.run(statement, sql, Bound::Columns(row), usize::MAX)
    }

    /// True if a view has this name.
    pub(crate) fn is_view(&self, name: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
        Ok(self.query_scalar(sql, &[SqlValue::from(name)])?.is_some())
    }

    /// A table of the application that is captured, by its name.
    pub(crate) fn table(&self, name: &str) -> Option<Rc<Table>> {
        self.capture.catalog().by_name(name).cloned()
    }

    /// The rowid of the last row that the application inserted.
    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    /// Runs one statement with its parameters; or several, if there are none. Returns the number of rows that
    /// the last one changed.
    pub fn execute<'a>(&self, sql: &str, params: impl Into<Params<'a>>) -> Result<u64> {
        let params = params.into();
        if params != Params::NONE {
            return self.execute_one(sql, params);
        }
        let mut changed = 0;
        let mut batch = self.conn.prepare_each(sql)?;
        while let Some(statement) = self.conn.prepare_next(&mut batch, sql)? {
            changed = self.run(statement, sql, params.into(), usize::MAX)?.changed;
        }
        Ok(changed)
    }

    /// Runs a function as one transaction, or as a part of the one under way. An error takes back what it
    /// did.
    pub fn transaction<T, E: From<CapsuleError>>(
        &self,
        work: impl FnOnce(&Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.begin_part()?;
        match work(self) {
            Ok(value) => self.commit_part().map(|()| value).map_err(E::from),
            Err(error) => {
                self.take_back_part()?;
                Err(error)
            }
        }
    }

    /// Begins a part of a transaction, or one: [`commit_part`](Self::commit_part) or
    /// [`take_back_part`](Self::take_back_part) ends it.
    pub(crate) fn begin_part(&self) -> Result<()> {
        self.check_not_judging()?;
        self.transaction.begin_function(&self.conn, &self.capture, || self.header())
    }

    /// Runs work whose end leaves no part open that it has begun: what is open then is taken back.
    pub(crate) fn whole<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let depth = self.depth();
        let result = work();
        if result.is_err() {
            self.cut(depth)?;
        }
        result
    }

    /// The net changes of the transaction under way, after the rules have seen them.
    pub(crate) fn changes_so_far(&self) -> Result<Vec<RowChange>> {
        self.rounds()
    }

    /// Takes back the transaction under way, of which the log will not tell.
    pub(crate) fn leave_preview(&self) -> Result<()> {
        let undone = self.go_back();
        self.end_lost();
        undone
    }

    /// Changes of a transaction, in order.
    pub(crate) fn changes_of(&self, transaction: i64) -> Result<Vec<LoggedChange>> {
        log::changes_of(&self.conn, transaction)
    }

    /// The last transaction of the log that changed a row.
    pub(crate) fn last_change_of(
        &self,
        table: &str,
        key: &[SqlValue],
        rowid: Option<i64>,
    ) -> Result<Option<i64>> {
        log::last_change_of(&self.conn, table, key, rowid)
    }

    /// Works while references are neither checked nor followed by cascades, which SQLite allows outside of a
    /// transaction only.
    pub(crate) fn without_foreign_keys<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.suspend_foreign_keys(what)?;
        let result = work();
        self.resume_foreign_keys()?;
        result
    }

    /// Has references not checked until [`resume_foreign_keys`](Self::resume_foreign_keys).
    pub(crate) fn suspend_foreign_keys(&self, what: &str) -> Result<()> {
        if self.is_in_transaction() {
            return Err(CapsuleError::usage(format!("{what} cannot run within a transaction")));
        }
        self.conn.run_own("PRAGMA foreign_keys=OFF")
    }

    /// Has references checked again.
    pub(crate) fn resume_foreign_keys(&self) -> Result<()> {
        self.conn.run_own("PRAGMA foreign_keys=ON")
    }

    /// Works while triggers of the application do not run. Those of the rules do.
    pub(crate) fn without_triggers<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.conn.enable_triggers(false)?;
        let done = work();
        self.conn.enable_triggers(true)?;
        done
    }

    /// Deletes what the log need not keep: see [`Retention`]. Returns the number of changes that were
    /// deleted.
    pub fn sweep(&self, retention: &Retention) -> Result<u64> {
        let nobody_waits = log::lowest_cursor(&self.conn)?;
        let swept = log::sweep(&self.conn, retention, self.clock(), nobody_waits)?;
        self.own_changed();
        Ok(swept)
    }

    /// The number of parts that are open.
    pub(crate) fn depth(&self) -> usize {
        self.transaction.depth()
    }

    /// Takes back all parts above a depth, whoever has begun them; false if there are none.
    pub(crate) fn cut(&self, depth: usize) -> Result<bool> {
        if self.transaction.depth() <= depth {
            return Ok(false);
        }
        if depth == 0 {
            self.roll_back()?;
        } else {
            self.validators.forget();
            self.transaction.cut(&self.conn, &self.capture, depth)?;
        }
        Ok(true)
    }

    /// True while a transaction is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.transaction.is_open()
    }

    /// Does work after the commit of the transaction under way; at once if there is none.
    pub(crate) fn after_commit(&self, work: impl FnOnce() + 'static) {
        if self.transaction.is_open() { self.transaction.defer(Box::new(work)) } else { work() }
    }

    /// Does work after the end of the transaction under way, be it a commit or not, before anybody is told of
    /// it; at once if there is none.
    pub(crate) fn after_end(&self, work: impl FnOnce() + 'static) {
        if self.transaction.is_open() { self.transaction.at_end(Box::new(work)) } else { work() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn clock(&self) -> i64 {
        self.environment.borrow_mut().now()
    }

    /// Random bytes of the surroundings.
    pub(crate) fn random(&self, bytes: &mut [u8]) {
        self.environment.borrow_mut().random(bytes);
    }

    /// Changes with a number above `seq`, at most `limit`, in order.
    pub fn changes_since(&self, seq: i64, limit: i64) -> Result<Vec<LoggedChange>> {
        log::changes_since(&self.conn, seq, limit)
    }

    /// The number of the last change that was ever logged; 0 if there was none.
    pub fn last_change(&self) -> Result<i64> {
        log::last_change(&self.conn)
    }

    /// True if the log has every change with a number above `seq`, and the schema is the same since.
    pub(crate) fn log_reaches_back(&self, seq: i64) -> Result<bool> {
        log::reaches_back(&self.conn, seq)
    }

    /// A transaction of the log, by its number.
    pub fn logged_transaction(&self, transaction: i64) -> Result<Option<LoggedTransaction>> {
        log::transaction(&self.conn, transaction)
    }

    /// The name of this copy of the database.
    pub fn device(&self) -> &str {
        self.log.device()
    }

    /// The mode of the journal, and the level of `synchronous`: 1 is NORMAL, 2 is FULL.
    pub(crate) fn settings(&self) -> Result<(String, i64)> {
        let one = |sql: &str| Ok::<_, CapsuleError>(self.query_scalar(sql, ())?.unwrap_or_default());
        let journal = one("PRAGMA journal_mode")?.as_str().unwrap_or_default().to_owned();
        Ok((journal, one("PRAGMA synchronous")?.as_i64().unwrap_or_default()))
    }

    /// Numbers of the database at the moment, by their names.
    pub(crate) fn stats(&self) -> Result<Vec<(&'static str, i64)>> {
        let one = |sql: &str| {
            Ok::<_, CapsuleError>(self.query_scalar(sql, ())?.and_then(|n| n.as_i64()).unwrap_or_default())
        };
        Ok(vec![
            ("databaseBytes", one("PRAGMA page_count")? * one("PRAGMA page_size")?),
            ("freeBytes", one("PRAGMA freelist_count")? * one("PRAGMA page_size")?),
            ("logChanges", one("SELECT count(*) FROM _capsule_events")?),
            ("lastSeq", one("SELECT coalesce(max(id), 0) FROM _capsule_events")?),
            ("sqliteMemory", self.conn.memory_used()),
            ("openParts", self.depth() as i64),
        ])
    }

    /// Closes the database. Any SQLite can open its file then.
    pub fn close(self) -> Result<()> {
        self.conn.close()
    }

    /// The connection, for the parts above that keep something in the capsule's own tables.
    pub(crate) fn conn(&self) -> &Conn {
        &self.conn
    }

    fn header(&self) -> Header {
        Header {
            tx: self.log.take_number(),
            started: self.clock(),
            source: self.source.get(),
            cause: self.cause.get(),
        }
    }

    /// Runs a statement as what it is.
    fn run(
        &self,
        mut statement: Statement<'_>,
        sql: &str,
        params: Bound<'_>,
        limit: usize,
    ) -> Result<Written> {
        let facts = Rc::clone(&statement.facts);
        let (conn, capture, transaction) = (&self.conn, &self.capture, &self.transaction);
        if !matches!(facts.role, Role::Work) {
            self.check_not_judging()?;
        }
        match &facts.role {
            Role::Work => return self.work(statement, sql, params, limit),
            Role::Begin => transaction.begin_sql(conn, capture, || self.header())?,
            Role::Commit => {
                transaction.check_sql_may_end("COMMIT")?;
                self.commit(OnFailure::GoOn)?;
            }
            Role::Rollback => {
                transaction.check_sql_may_end("ROLLBACK")?;
                self.roll_back()?;
            }
            Role::Savepoint(name) => transaction.savepoint(conn, capture, name, || self.header())?,
            Role::Release(name) => {
                let index = transaction.find(name)?;
                if transaction.release_ends(index) {
                    self.commit(OnFailure::GoOn)?;
                } else {
                    transaction.release(conn, index)?;
                }
            }
            Role::RollbackTo(name) => {
                let index = transaction.find(name)?;
                self.validators.forget();
                transaction.rollback_to(conn, capture, index)?;
            }
            Role::Outside | Role::Vacuum if transaction.is_open() => {
                return Err(CapsuleError::usage("this statement cannot run within a transaction").in_sql(sql));
            }
            Role::Outside => {
                statement.bind(params)?;
                return self.step(&mut statement, sql, limit);
            }
            Role::Vacuum => {
                drop(statement);
                conn.vacuum(sql)?;
                // Tables lie elsewhere in the file now.
                transaction.schema_changed(conn, capture)?;
                log::set_schema_changed(conn)?;
                let header = Header { tx: 0, started: self.clock(), source: self.source.get(), cause: None };
                self.publish(
                    header,
                    header.started,
                    None,
                    Vec::new(),
                    capture.catalog().vacuumed(),
                    Vec::new(),
                );
            }
        }
        Ok(Written::default())
    }

    /// Runs a statement that reads or writes. One that writes is a transaction of its own outside of another.
    fn work(
        &self,
        mut statement: Statement<'_>,
        sql: &str,
        params: Bound<'_>,
        limit: usize,
    ) -> Result<Written> {
        statement.bind(params).map_err(|error| error.in_sql(sql))?;
        if statement.is_readonly() && !statement.facts.schema {
            self.transaction.check()?;
            return self.step(&mut statement, sql, limit);
        }
        self.check_not_judging().map_err(|error| error.in_sql(sql))?;
        // A change of the schema that cannot be captured is taken back by itself, whatever it is part of.
        if self.transaction.is_open() && !statement.facts.schema {
            self.transaction.check()?;
            return self.step_writing(statement, sql, limit);
        }
        let written: Result<_> = self.transaction(|db| db.step_writing(statement, sql, limit));
        written.map_err(|error| error.in_sql(sql))
    }

    fn step_writing(&self, mut statement: Statement<'_>, sql: &str, limit: usize) -> Result<Written> {
        let schema = statement.facts.schema;
        if schema && let Some(name) = reserved_reference(sql) {
            return Err(CapsuleError::usage(reserved(name)).in_sql(sql));
        }
        if schema {
            self.validators.remove(&self.conn)?;
        } else {
            self.validators.install(&self.conn, self.capture.catalog())?;
        }
        // Applications may count their own rows anew. The log counts on.
        let sequence =
            if statement.facts.writes_sequences() { Some(log::sequence(&self.conn)?) } else { None };
        self.conn.writing();
        let mut result = self.step(&mut statement, sql, limit);
        // One that fails, or ends before its last row, can have been taken back.
        if !matches!(&result, Ok(written) if written.rows.rows.len() < limit) {
            self.capture.doubt();
        }
        // A statement that stays compiled would keep tables from being dropped.
        drop(statement);
        if let Some(sequence) = sequence
            && !self.conn.is_autocommit()
            && let Err(error) = log::keep_sequence(&self.conn, sequence)
        {
            result = Err(error);
        }
        if self.conn.is_autocommit() {
            // ON CONFLICT ROLLBACK, a full disk: SQLite has taken everything back by itself.
            if self.transaction.is_of_sql() { self.forget_lost() } else { self.transaction.lose() }
        } else if schema && result.is_ok() {
            self.transaction.schema_changed(&self.conn, &self.capture)?;
        }
        result
    }

    fn step(&self, statement: &mut Statement<'_>, sql: &str, limit: usize) -> Result<Written> {
        let columns = if statement.has_columns() { statement.columns() } else { Vec::new() };
        let width = columns.len();
        let before = self.conn.total_changes();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut cursor = statement.rows();
        loop {
            match cursor.next() {
                // What a statement changes it changes before its first row.
                Ok(Some(_)) if rows.len() == limit => break,
                Ok(Some(row)) if width > 0 => {
                    let values = (0..width).map(|index| SqlValue::read(row.get_ref(index)?));
                    let values = values.collect::<Result<Vec<_>>>()?;
                    bytes += values.iter().map(SqlValue::bytes).sum::<usize>();
                    if bytes > ROWS_BYTES_MAX {
                        let message = format!(
                            "the rows of this query take more than {} MiB: ask for fewer at a time",
                            ROWS_BYTES_MAX >> 20
                        );
                        return Err(CapsuleError::new(ErrorKind::Limit, message).in_sql(sql));
                    }
                    rows.push(values);
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    drop(cursor);
                    return Err(self.conn.refused(error, sql));
                }
            }
        }
        drop(cursor);
        let changed = if self.conn.total_changes() == before { 0 } else { self.conn.changes() };
        // Read here: hooks before the commit may insert, too.
        let rowid = (changed > 0).then(|| self.conn.last_insert_rowid());
        Ok(Written { rows: Rows { columns, rows }, changed, rowid })
    }

    /// Refuses to write while a row is judged: the statement that made it is not at its end.
    fn check_not_judging(&self) -> Result<()> {
        if self.validators.is_judging() {
            return Err(CapsuleError::usage(
                "a validate_ hook judges a row and cannot write: before_commit can",
            ));
        }
        Ok(())
    }

    /// Ends the innermost part well. If that fails it is taken back.
    pub(crate) fn commit_part(&self) -> Result<()> {
        if self.transaction.check().is_err() {
            self.take_back_part()?;
            return Err(CapsuleError::usage("the transaction was rolled back by an error before its end"));
        }
        let frame = self.transaction.function_frame();
        if frame > 0 {
            return self.transaction.release(&self.conn, frame);
        }
        self.commit(OnFailure::TakeBack).inspect_err(|_| drop(self.take_back_part()))
    }

    /// Takes the innermost part back.
    pub(crate) fn take_back_part(&self) -> Result<()> {
        self.validators.forget();
        if self.transaction.function_frame() == 0 {
            return self.roll_back();
        }
        if self.transaction.check().is_ok() {
            return self.transaction.rollback_function(&self.conn, &self.capture);
        }
        self.transaction.leave_lost();
        if self.transaction.is_of_sql() {
            self.forget_lost();
        }
        Ok(())
    }

    /// Commits the transaction with its log.
    fn commit(&self, on_failure: OnFailure) -> Result<()> {
        let Some(header) = self.transaction.header() else {
            return Err(CapsuleError::new(ErrorKind::Bug, "a commit without a transaction"));
        };
        let mut changes = self.rounds()?;
        if !self.has_events.get() {
            changes.clear();
        }
        let schema = self.transaction.schema_changes();
        let now = self.clock();
        // A view or an index has changed, too, where the numbers differ.
        let is_other_schema = self.logged_schema.get() != self.conn.schema_number();
        let is_logged = !changes.is_empty() || !schema.is_empty();
        let header = if is_logged { header } else { Header { tx: 0, ..header } };
        if !is_logged && !is_other_schema {
            self.conn.run_boundary("COMMIT")?;
            self.finish(header, now, None, changes, schema);
            return Ok(());
        }
        let goes_on = on_failure == OnFailure::GoOn;
        if goes_on {
            self.conn.run_own("SAVEPOINT _capsule_log")?;
        }
        let write = || {
            let log = || self.log.write(&self.conn, header, now, &changes);
            let first = if is_logged { self.capture.aside(&self.conn, log)? } else { None };
            if is_other_schema {
                log::set_schema_changed(&self.conn)?;
            }
            self.conn.run_boundary("COMMIT").map(|()| first)
        };
        match write() {
            Ok(first) => {
                if is_logged {
                    self.log.written();
                }
                self.logged_schema.set(self.conn.schema_number());
                self.is_told.set(is_other_schema);
                self.finish(header, now, first, changes, schema);
                Ok(())
            }
            Err(error) => {
                if goes_on && !self.conn.is_autocommit() {
                    self.conn.run_own("ROLLBACK TO _capsule_log; RELEASE _capsule_log")?;
                }
                Err(error)
            }
        }
    }

    /// The net changes, after the rules have seen them and what they have written themselves.
    fn rounds(&self) -> Result<Vec<RowChange>> {
        let mut shown = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let changes = self.capture.changes(&self.conn)?;
            let Some(rules) = self.validators.of_rounds() else { return Ok(changes) };
            let fresh = rules::fresh(&changes, &shown);
            if fresh.is_empty() {
                return Ok(changes);
            }
            // A frame, so that nothing in it can end the transaction.
            self.transaction(|_| rules.round(&fresh))?;
            shown = changes;
        }
        let last = self.capture.changes(&self.conn)?;
        let fresh = rules::fresh(&last, &shown);
        if fresh.is_empty() {
            return Ok(last);
        }
        let chain: Vec<&str> = fresh.iter().map(RowChange::table).collect();
        Err(CapsuleError::new(
            ErrorKind::Limit,
            format!(
                "after_save and before_commit still change rows after {ROUNDS_MAX} rounds: of {}",
                chain.join(", ")
            ),
        ))
    }

    /// Ends a transaction that is committed, and tells who listens.
    fn finish(
        &self,
        header: Header,
        at: i64,
        first: Option<i64>,
        changes: Vec<RowChange>,
        schema: Vec<SchemaChange>,
    ) {
        let renumbered = self.capture.take_renumbered();
        self.transaction.end(&self.conn, &self.capture, true);
        self.ended();
        for work in self.transaction.take_deferred() {
            work();
        }
        self.publish(header, at, first, changes, schema, renumbered);
    }

    /// Tells who listens.
    fn publish(
        &self,
        header: Header,
        at: i64,
        first: Option<i64>,
        changes: Vec<RowChange>,
        schema: Vec<SchemaChange>,
        renumbered: Vec<Rc<str>>,
    ) {
        let is_told = self.is_told.take();
        let Header { tx: transaction, source, cause, .. } = header;
        if changes.is_empty() && schema.is_empty() && renumbered.is_empty() && !is_told {
            return self.publish_own(cause, at);
        }
        self.told_rows.set(self.conn.total_changes());
        self.listener.tell(&Committed { transaction, first, source, cause, at, changes, schema, renumbered });
    }

    /// Tells those who look at the capsule's own tables, if rows were written that nobody was told of.
    fn publish_own(&self, cause: Option<i64>, at: i64) {
        let written = self.conn.total_changes();
        if self.told_rows.replace(written) == written {
            return;
        }
        self.own_listener.tell(&Committed {
            transaction: 0,
            first: None,
            source: self.source.get(),
            cause,
            at,
            changes: Vec::new(),
            schema: Vec::new(),
            renumbered: Vec::new(),
        });
    }

    /// Does what was waiting for the end of the transaction.
    fn ended(&self) {
        for work in self.transaction.take_at_end() {
            work();
        }
    }

    /// Takes the whole transaction back.
    fn roll_back(&self) -> Result<()> {
        let result = self.go_back();
        self.forget_lost();
        result
    }

    /// Has SQLite take the transaction back, unless it has by itself.
    fn go_back(&self) -> Result<()> {
        if self.conn.is_autocommit() { Ok(()) } else { self.conn.run_own("ROLLBACK") }
    }

    /// Forgets a transaction that is gone, with all that it did.
    fn forget_lost(&self) {
        // The log tells of it with the next commit.
        if let Some(header) = self.end_lost() {
            self.log.rolled_back(header, self.clock());
        }
    }

    /// Ends a transaction that is gone, and returns what was known of it.
    fn end_lost(&self) -> Option<Header> {
        self.validators.forget();
        let header = self.transaction.end(&self.conn, &self.capture, false);
        self.ended();
        // What is in memory is not taken back.
        if self.told_rows.get() == NONE_TOLD && self.conn.is_autocommit() {
            self.publish_own(None, self.clock());
        }
        header
    }
}
