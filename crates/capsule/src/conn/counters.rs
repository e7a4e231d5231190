//! Counters of what statements have changed, as SQL functions tell them: without what the capsule has written
//! for itself.
//!
//! SQLite counts the rows of the log like any others, so `changes()` after an INSERT would tell of its event.

use crate::error::Result;
use rusqlite::Connection;
use rusqlite::ffi;
use rusqlite::functions::FunctionFlags;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct State {
    /// Rows that the capsule has changed for itself.
    own: u64,
    /// Rows of the application's last statement, if the capsule has written since.
    last: Option<u64>,
}

/// Counters of changed rows of one connection.
#[derive(Debug, Default)]
pub(super) struct Counters(Arc<Mutex<State>>);

/// Counters of SQLite at the begin of work of the capsule's own.
#[derive(Debug)]
pub(super) struct Before {
    changes: u64,
    total: u64,
    rowid: i64,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counters {
    /// Makes the counters, with the SQL functions that show them.
    pub(super) fn attach(sqlite: &Connection) -> Result<Self> {
        let counters = Self::default();
        // Innocuous, as SQLite's own are: triggers and views may use them.
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let state = Arc::clone(&counters.0);
        sqlite.create_scalar_function("changes", 0, flags, move |context| {
            // SAFETY: nothing is done with the connection but to read its counter.
            let changes = unsafe { context.get_connection()?.changes() };
            Ok(lock(&state).last.unwrap_or(changes) as i64)
        })?;
        let state = Arc::clone(&counters.0);
        sqlite.create_scalar_function("total_changes", 0, flags, move |context| {
            // SAFETY: as above.
            let total = unsafe { context.get_connection()?.total_changes() };
            Ok((total - lock(&state).own) as i64)
        })?;
        Ok(counters)
    }

    /// Reads where SQLite's counters stand before the capsule writes.
    pub(super) fn before(&self, sqlite: &Connection) -> Before {
        let changes = lock(&self.0).last.unwrap_or_else(|| sqlite.changes());
        Before { changes, total: sqlite.total_changes(), rowid: sqlite.last_insert_rowid() }
    }

    /// Leaves out what the capsule has written since.
    pub(super) fn after(&self, sqlite: &Connection, before: &Before) {
        let written = sqlite.total_changes() - before.total;
        if written == 0 {
            return;
        }
        let mut state = lock(&self.0);
        state.own += written;
        state.last = Some(before.changes);
        // SAFETY: the connection is open; the number is one that it had.
        unsafe { ffi::sqlite3_set_last_insert_rowid(sqlite.handle(), before.rowid) }
    }

    /// A statement of the application that may write begins: SQLite counts again.
    pub(super) fn restart(&self) {
        lock(&self.0).last = None;
    }
}
