//! A capsule: one database and one Lua VM that rules over it.

use crate::call::Call;
use crate::capture::RowChange;
use crate::conn::{Durability, Location, Params};
use crate::database::{Database, Rows};
use crate::environment::{self, Environment};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::history::Undo;
use crate::log::Retention;
use crate::schema::{Schema, SchemaAction, TableDeclaration};
use crate::script::{LIBRARY, Libraries, Listening, ModInfo, Shared, from_script};
use crate::value::SqlValue;
use crate::watch::{ChangeEvent, Explanation, LiveOptions, LiveStart, LiveUpdate, Missed, Patch};
use perilune::{Host, IntoLuaMulti, Limits, Runtime, Value};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Libraries of Lua that scripts of a capsule have, beside those of the capsule.
const LIBRARIES: &[&str] =
    &["string", "table", "math", "utf8", "coroutine", "os", "json", "base64", "host", "async", LIBRARY];

/// Time that one call of Lua may take, unless something else is said.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Bytes that Lua may use, unless something else is said.
const MEMORY_DEFAULT_BYTES: usize = 512 * 1024 * 1024;

/// Setup of a [`Capsule`].
pub struct CapsuleBuilder {
    location: Location,
    durability: Durability,
    environment: Option<Box<dyn Environment>>,
    host: Option<Box<dyn FnOnce(perilune::Builder) -> perilune::Builder>>,
    memory_bytes: usize,
    timeout: Option<Duration>,
    fuel: Option<u64>,
    batch: (Duration, usize),
    events: bool,
    retention: Retention,
}

impl fmt::Debug for CapsuleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapsuleBuilder").field("location", &self.location).finish_non_exhaustive()
    }
}

impl CapsuleBuilder {
    /// Sets what a commit survives.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets clock and randomness of the capsule. Those of the system unless something else is said; on
    /// `wasm32-unknown-unknown`, where there are none, something has to be said.
    #[must_use]
    pub fn environment(mut self, environment: impl Environment + 'static) -> Self {
        self.environment = Some(Box::new(environment));
        self
    }

    /// Sets the world around Lua: where its output goes, what time it is for `os`.
    #[must_use]
    pub fn host(mut self, host: impl Host + 'static) -> Self {
        self.host = Some(Box::new(move |builder| builder.host(host)));
        self
    }

    /// Sets the bytes that Lua may use: 512 MiB unless something else is said, at least 512 KiB.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets the time that one call of Lua may take, with all SQL in it: 30 seconds unless something else is
    /// said. None is no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the fuel that one call of Lua may use, with all SQL in it. None, the default, is no limit.
    #[must_use]
    pub fn fuel(mut self, fuel: Option<u64>) -> Self {
        self.fuel = fuel;
        self
    }

    /// Sets when events are delivered: an interval after the first that waits, or at once when so many wait.
    /// 100 ms and 100 events unless something else is said.
    #[must_use]
    pub fn batch(mut self, interval: Duration, size: usize) -> Self {
        self.batch = (interval, size);
        self
    }

    /// Sets whether changes are events: kept in the log, and told to watchers. They are unless something else
    /// is said. Without them there are no watchers, live queries, reactions and undo; hooks work as ever.
    #[must_use]
    pub fn events(mut self, kept: bool) -> Self {
        self.events = kept;
        self
    }

    /// Sets what the log keeps: see [`Retention`]. It is swept when the capsule is opened, and once a day by
    /// [`Capsule::run_due`].
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Opens the capsule. Its database is made if there is none. The mods that were active are activated
    /// again, in the order in which they were installed; what fails there is told to [`Capsule::on_error`].
    ///
    /// # Errors
    /// `unsupported` where the database cannot be opened, `locked` if another program has it, `corrupt` if it
    /// is no database, `usage` for a memory limit below 512 KiB or without an environment.
    pub fn open(self) -> Result<Capsule> {
        let Some(environment) = self.environment else {
            return Err(CapsuleError::usage("this platform has no clock of its own: set the environment"));
        };
        let db = Database::open(&self.location, self.durability, environment)?;
        if self.location != Location::Memory {
            db.expect_disk()?;
        }
        let mut limits = Limits::default();
        limits.memory_bytes = self.memory_bytes;
        let (libraries, shared) = Libraries::new(db);
        let mut builder = Runtime::builder().limits(limits).library(libraries).libraries(LIBRARIES);
        if let Some(set) = self.host {
            builder = set(builder);
        }
        let mut lua = builder.build().map_err(from_script)?;
        let Some(shared) = shared.get().cloned() else {
            return Err(CapsuleError::new(ErrorKind::Bug, "the libraries of the capsule were not opened"));
        };
        shared.attach()?;
        shared.db.set_events(self.events);
        lua.set_limits(self.timeout, self.fuel);
        let (interval, size) = self.batch;
        shared.batches.set(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX), size);
        let mut capsule = Capsule { lua, shared };
        capsule.shared.set_retention(self.retention);
        capsule.shared.sweep_if_due();
        capsule.begin().with(|shared, lua| shared.activate_mods(lua))?;
        Ok(capsule)
    }
}

/// A database whose changes are events, with a Lua VM whose hooks take part in its transactions.
///
/// ```
/// use perilune_capsule::{Capsule, ErrorKind};
///
/// let mut capsule = Capsule::open(":memory:")?;
/// capsule.execute("CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT)", ())?;
/// capsule.eval("function validate_insert(t, row) if not row.email then error('no address') end end")?;
/// assert_eq!(capsule.execute("INSERT INTO users DEFAULT VALUES", ()).unwrap_err().kind(), ErrorKind::Veto);
/// # Ok::<(), perilune_capsule::CapsuleError>(())
/// ```
#[derive(Debug)]
pub struct Capsule {
    // Lua is dropped first: its functions use the database.
    lua: Runtime,
    shared: Rc<Shared>,
}

impl Capsule {
    /// Opens a capsule with everything as it is by default: `":memory:"`, or the path of a file.
    ///
    /// # Errors
    /// As [`CapsuleBuilder::open`].
    pub fn open(name: &str) -> Result<Self> {
        Self::builder(Location::from_name(name)).open()
    }

    /// Sets up a capsule.
    pub fn builder(location: Location) -> CapsuleBuilder {
        CapsuleBuilder {
            location,
            durability: Durability::default(),
            environment: environment::of_system(),
            host: None,
            memory_bytes: MEMORY_DEFAULT_BYTES,
            timeout: Some(TIMEOUT_DEFAULT),
            fuel: None,
            batch: (Duration::from_millis(100), 100),
            events: true,
            retention: Retention::default(),
        }
    }

    fn begin(&mut self) -> Call<'_> {
        Call { shared: &self.shared, vm: &mut self.lua }
    }

    /// Runs Lua source, and returns what it returned. Globals stay for the next.
    ///
    /// # Errors
    /// `lua`, `timeout`, `limit` for a lack of memory; those of the capsule that the script did not catch. A
    /// transaction that was open is taken back.
    pub fn eval(&mut self, source: &str) -> Result<Vec<Value>> {
        self.begin().script(|lua| lua.eval_named(source, "capsule").map(|reply| reply.values))
    }

    /// Calls a global function, or one in a table (`"math.max"`), and returns its results.
    ///
    /// # Errors
    /// As [`eval`](Self::eval).
    pub fn call(&mut self, name: &str, args: impl IntoLuaMulti) -> Result<Vec<Value>> {
        self.begin().script(|lua| lua.call(name, args))
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// `sql`, `usage`, `constraint`, `veto`, ...
    pub fn query<'a>(&mut self, sql: &str, params: impl Into<Params<'a>>) -> Result<Rows> {
        let params = params.into();
        self.begin().enter(|db| db.query(sql, params))
    }

    /// The first row of a query; without rows if it has none.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_one<'a>(&mut self, sql: &str, params: impl Into<Params<'a>>) -> Result<Rows> {
        let params = params.into();
        self.begin().enter(|db| db.query_one(sql, params))
    }

    /// The first value of the first row; `None` if the query has no rows.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_scalar<'a>(&mut self, sql: &str, params: impl Into<Params<'a>>) -> Result<Option<SqlValue>> {
        let params = params.into();
        self.begin().enter(|db| db.query_scalar(sql, params))
    }

    /// Runs one statement with its parameters, or several without; returns the number of rows that the last
    /// one changed.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn execute<'a>(&mut self, sql: &str, params: impl Into<Params<'a>>) -> Result<u64> {
        let params = params.into();
        self.begin().enter(|db| db.execute(sql, params))
    }

    /// Inserts a row, after the hooks that change it, and returns its key.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn insert(&mut self, table: &str, row: &[(&str, SqlValue)]) -> Result<Vec<SqlValue>> {
        self.begin().insert(table, row)
    }

    /// Inserts several rows in one transaction, after the hooks that change them, and returns their keys.
    ///
    /// # Errors
    /// As [`query`](Self::query); no row is inserted then.
    pub fn insert_multiple(
        &mut self,
        table: &str,
        rows: &[&[(&str, SqlValue)]],
    ) -> Result<Vec<Vec<SqlValue>>> {
        self.begin().insert_multiple(table, rows)
    }

    /// Sets columns of the row with a key, after the hooks that change them. Returns false if there is no
    /// such row.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn update(&mut self, table: &str, key: &[SqlValue], row: &[(&str, SqlValue)]) -> Result<bool> {
        self.begin().update(table, key, row)
    }

    /// Deletes the row with a key. Returns false if there is no such row.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn delete(&mut self, table: &str, key: &[SqlValue]) -> Result<bool> {
        self.begin().delete(table, key)
    }

    /// Sets columns of all rows for which a condition holds, after the hooks that change them, and returns
    /// how many these are. The condition is an expression of SQL, with or without the word WHERE before it.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn update_where<'a>(
        &mut self,
        table: &str,
        condition: &str,
        params: impl Into<Params<'a>>,
        row: &[(&str, SqlValue)],
    ) -> Result<u64> {
        self.begin().update_where(table, condition, params.into(), row)
    }

    /// Deletes all rows for which a condition holds, and returns how many these were.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn delete_where<'a>(
        &mut self,
        table: &str,
        condition: &str,
        params: impl Into<Params<'a>>,
    ) -> Result<u64> {
        self.begin().delete_where(table, condition, params.into())
    }

    /// Runs a function as one transaction, or as a part of the one under way. An error takes back what it
    /// did.
    ///
    /// ```
    /// # use perilune_capsule::{Capsule, CapsuleError};
    /// let mut capsule = Capsule::open(":memory:")?;
    /// capsule.execute("CREATE TABLE stock(item TEXT PRIMARY KEY, count INTEGER CHECK(count >= 0))", ())?;
    /// capsule.insert("stock", &[("item", "tea".into()), ("count", 1.into())])?;
    /// let sold = capsule.transaction(|capsule| {
    ///     capsule.execute("INSERT INTO stock VALUES('cup', 1)", ())?;
    ///     capsule.execute("UPDATE stock SET count = count - 2 WHERE item = 'tea'", ())
    /// });
    /// assert!(sold.is_err());
    /// assert_eq!(capsule.query_scalar("SELECT count(*) FROM stock", ())?, Some(1.into()));
    /// # Ok::<(), CapsuleError>(())
    /// ```
    ///
    /// # Errors
    /// That of the function; those of a commit.
    pub fn transaction<T, E: From<CapsuleError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.begin().enter(Database::begin_part)?;
        match work(self) {
            Ok(value) => self.begin().enter(Database::commit_part).map(|()| value).map_err(E::from),
            Err(error) => {
                self.begin().enter(Database::take_back_part)?;
                Err(error)
            }
        }
    }

    /// Runs a function as a transaction, tells what it would change, and takes it back: see
    /// [`Database::preview`].
    ///
    /// # Errors
    /// As [`Database::preview`].
    pub fn preview(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<Vec<RowChange>> {
        self.begin().enter(Database::begin_preview)?;
        let done = work(self);
        let call = &mut self.begin();
        match done {
            Ok(()) => call.enter(Database::end_preview),
            Err(error) => call.enter(Database::leave_preview).and(Err(error)),
        }
    }

    /// Undoes a transaction, which the rules can refuse like any other: see [`Database::undo`].
    ///
    /// # Errors
    /// As [`Database::undo`].
    pub fn undo(&mut self, transaction: i64) -> Result<Undo> {
        self.begin().enter(|db| db.undo(transaction))
    }

    /// The database as bytes: see [`Database::export`].
    ///
    /// # Errors
    /// As [`Database::export`].
    pub fn export(&mut self) -> Result<Vec<u8>> {
        self.begin().enter(Database::export)
    }

    /// Brings the database to a schema: see [`Database::apply_schema`].
    ///
    /// # Errors
    /// As [`Database::apply_schema`].
    pub fn apply_schema(&mut self, schema: &Schema) -> Result<Vec<SchemaAction>> {
        let actions = self.begin().enter(|db| db.apply_schema(schema))?;
        self.shared.declared(schema)?;
        Ok(actions)
    }

    /// Makes a table, or adds to it what is declared and missing.
    ///
    /// # Errors
    /// As [`Database::apply_schema`].
    pub fn create_table(&mut self, table: &TableDeclaration) -> Result<()> {
        self.apply_schema(&Schema::new().table(table.clone())).map(drop)
    }

    /// Installs a mod: named sources that run in this order, in an environment of their own that reads the
    /// globals and writes to itself. `on_install` and `on_activate` run after them, all in one transaction
    /// with the row that keeps the mod; if anything fails, everything is as before. From then on the hooks of
    /// the mod take part, after those of the globals and of the mods that were installed before it.
    ///
    /// A mod that is there with this version stays as it is, active or not. With another version its files
    /// are replaced: the old version is deactivated, the new one runs and is activated, without `on_install`.
    /// If that fails, the old version is activated again. Of a mod that is not active the files are replaced,
    /// and do not run.
    ///
    /// ```
    /// # let mut capsule = perilune_capsule::Capsule::open(":memory:")?;
    /// capsule.install_mod("greeter", "1.0", &[("main.lua", "function greet(name) return 'Hello, ' .. name
    /// end")])?; assert_eq!(capsule.call_mod("greeter", "greet", "Ann")?, ["Hello, Ann".into()]);
    /// # Ok::<(), perilune_capsule::CapsuleError>(())
    /// ```
    ///
    /// # Errors
    /// `usage` for names that are empty or too long, for no files, and within a transaction; `lua` if a file
    /// does not compile, with its name and line; those of the files and hooks.
    pub fn install_mod(&mut self, name: &str, version: &str, files: &[(&str, &str)]) -> Result<()> {
        self.begin().with(|shared, lua| shared.install_mod(lua, name, version, files))
    }

    /// Activates a mod that is not active: its files and `on_activate` run in one transaction. It will be
    /// activated again whenever the capsule is opened.
    ///
    /// # Errors
    /// `usage` if there is no such mod, and within a transaction; those of the files and hooks. The mod is
    /// not active then.
    pub fn activate_mod(&mut self, name: &str) -> Result<()> {
        self.begin().with(|shared, lua| shared.activate_mod(lua, name))
    }

    /// Deactivates a mod: `on_deactivate` runs, in a transaction, then its hooks, timers, watchers, handlers
    /// and cache are gone. They are, too, if `on_deactivate` fails; its error is told to
    /// [`on_error`](Self::on_error).
    ///
    /// # Errors
    /// `usage` if there is no such mod, and within a transaction.
    pub fn deactivate_mod(&mut self, name: &str) -> Result<()> {
        self.begin().with(|shared, lua| shared.deactivate_mod(lua, name))
    }

    /// Deactivates a mod and forgets it. What it has written to tables stays.
    ///
    /// # Errors
    /// As [`deactivate_mod`](Self::deactivate_mod).
    pub fn uninstall_mod(&mut self, name: &str) -> Result<()> {
        self.begin().with(|shared, lua| shared.uninstall_mod(lua, name))
    }

    /// Calls a function of an active mod, or one in a table of its own (`"api.find"`), and returns its
    /// results.
    ///
    /// # Errors
    /// As [`eval`](Self::eval); `usage` if there is no such function, or the mod is not active.
    pub fn call_mod(&mut self, name: &str, function: &str, args: impl IntoLuaMulti) -> Result<Vec<Value>> {
        let shared = Rc::clone(&self.shared);
        self.begin().script(|lua| shared.call_mod(lua, name, function, args))
    }

    /// The mods that are installed, in the order of their installation.
    ///
    /// # Errors
    /// `corrupt` if their table is damaged.
    pub fn mods(&self) -> Result<Vec<ModInfo>> {
        self.shared.mods()
    }

    /// Adds a listener of what is dispatched under a name. Returns its number, for [`off`](Self::off).
    pub fn on(&self, name: &str, listener: impl Fn(&Value) + 'static) -> u64 {
        self.shared.messages.listen(name, listener)
    }

    /// Takes a listener away; false if there is none of this number.
    pub fn off(&self, listener: u64) -> bool {
        self.shared.messages.unlisten(listener)
    }

    /// Sets who is told of errors that nobody waits for: of timers and handlers.
    pub fn on_error(&self, listener: impl Fn(&CapsuleError) + 'static) {
        self.shared.on_error(listener);
    }

    /// Watches a table, the rows of a table for which a condition holds, or a query, and returns the id of
    /// the watcher. Anything that begins with SELECT, WITH or VALUES is a query.
    ///
    /// # Errors
    /// `usage` if there is no such table, or the filter is no condition; `sql` for a query that cannot run.
    pub fn watch(&mut self, table_or_query: &str, filter: Option<&str>) -> Result<Rc<str>> {
        self.shared.watch(None, table_or_query, filter, None)
    }

    /// Keeps the rows of a query as they are: a listener is told right after each commit that has changed
    /// them, with the patches that bring the rows before to those now. Returns the number of the live query,
    /// for [`end_live`](Self::end_live), and the rows to begin with.
    ///
    /// # Errors
    /// `usage` if it is no query, or a transaction is open; those of a query.
    pub fn live(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        listener: impl Fn(LiveUpdate<'_>) + 'static,
    ) -> Result<(u64, Rows)> {
        let begun = self.live_with(sql, params, LiveOptions::default(), listener)?;
        Ok((begun.live, begun.rows))
    }

    /// Keeps the rows of a query as they are, as [`live`](Self::live) does, with options: a window that can
    /// be moved, a key, and what the subscriber has seen before.
    ///
    /// # Errors
    /// As [`live`](Self::live); `usage` for a window of a query with its own LIMIT, and a key that is not
    /// among its columns.
    pub fn live_with(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        options: LiveOptions,
        listener: impl Fn(LiveUpdate<'_>) + 'static,
    ) -> Result<LiveStart> {
        let tell = move |_, update: LiveUpdate<'_>| listener(update);
        self.shared.live.add(&self.shared.db, sql, params.to_vec(), options, tell)
    }

    /// Moves the window of a live query. Returns the patches that make the rows of the new window of those of
    /// the window before; the listener is not told of them.
    ///
    /// # Errors
    /// `usage` if there is no such live query, if it has begun without a window, and within a transaction.
    pub fn move_live(&mut self, live: u64, limit: u64, offset: u64) -> Result<Vec<Patch>> {
        self.shared.live.set_window(&self.shared.db, live, (limit, offset))
    }

    /// Explains how a live query is kept up: the cheapest rung that can be used, and why no cheaper one.
    ///
    /// # Errors
    /// `usage` if there is no such live query.
    pub fn explain_live(&self, live: u64) -> Result<Explanation> {
        self.shared.live.explain(live)
    }

    /// Explains how a watcher follows its data.
    ///
    /// # Errors
    /// `usage` if there is no such watcher.
    pub fn explain(&self, watcher: &str) -> Result<Explanation> {
        self.shared.explain(watcher)
    }

    /// Ends a live query; false if there is none of this number.
    pub fn end_live(&mut self, live: u64) -> bool {
        self.shared.live.remove(live)
    }

    /// Takes a watcher away, with its subscriptions; false if there is none with this id.
    pub fn unwatch(&mut self, watcher: &str) -> bool {
        self.shared.unwatch_from_outside(&mut self.lua, watcher)
    }

    /// Has a listener told of the events of a watcher, batch by batch. Returns the id of the subscription.
    ///
    /// # Errors
    /// `usage` if there is no such watcher.
    pub fn subscribe(
        &mut self,
        watcher: &str,
        listener: impl Fn(&[ChangeEvent]) + 'static,
    ) -> Result<Rc<str>> {
        self.shared.subscribe(watcher, Listening::default(), Rc::new(listener))
    }

    /// The events of a watcher with a number above `since` ([`ChangeEvent::seq`]), as the log has them: for a
    /// subscriber that comes back. What still waits for its delivery is not among them.
    ///
    /// # Errors
    /// `usage` if there is no such watcher; those of its filter.
    pub fn events_since(&self, watcher: &str, since: i64) -> Result<Missed> {
        self.shared.missed(watcher, since)
    }

    /// Takes a subscription away; false if there is none with this id.
    pub fn unsubscribe(&mut self, subscription: &str) -> bool {
        self.shared.unsubscribe(subscription)
    }

    /// The time at which the next timer of a script or the next batch of events is due, in milliseconds since
    /// 1970; `None` if there is none.
    ///
    /// # Errors
    /// `timeout` and `limit`.
    pub fn next_due(&mut self) -> Result<Option<i64>> {
        self.begin().next_due()
    }

    /// Runs the timers that are due, and delivers the events that are. Once a day it sweeps the log, too.
    /// What fails is told to [`on_error`](Self::on_error), and the rest goes on.
    ///
    /// # Errors
    /// `timeout` and `limit`: those of all timers together.
    pub fn run_due(&mut self) -> Result<()> {
        self.begin().run_due()
    }

    /// Delivers all events that wait, whether they are due or not.
    pub fn flush(&mut self) {
        self.shared.flush(&mut self.lua);
    }

    /// The database, to read its log.
    pub fn database(&self) -> &Database {
        &self.shared.db
    }
}
