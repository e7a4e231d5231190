//! Upkeep of the log: it is swept when a capsule is opened, and once a day.

use super::Shared;
use crate::error::Result;
use crate::log::{Retention, SWEEP_INTERVAL_MS};
use std::cell::{Cell, RefCell};

/// Retention of the log, and the time of the last sweep.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    retention: RefCell<Retention>,
    /// Milliseconds since 1970; `None` before the first sweep.
    swept: Cell<Option<i64>>,
}

impl Upkeep {
    /// Has the log keep the changes of a table for so many days.
    pub(super) fn keep_table(&self, table: &str, days: u32) {
        self.retention.borrow_mut().tables.insert(table.to_owned(), days);
    }
}

impl Shared {
    /// Sets what the log keeps.
    pub(crate) fn set_retention(&self, retention: Retention) {
        *self.upkeep.retention.borrow_mut() = retention;
    }

    /// Sweeps the log if that has not been done for a day. An error is told, and the next attempt is a day
    /// later.
    pub(crate) fn sweep_if_due(&self) {
        let now = self.db.clock();
        // A clock that was turned back does not keep the log from being swept.
        let is_due = self.upkeep.swept.get().is_none_or(|swept| (now - swept).abs() >= SWEEP_INTERVAL_MS);
        if !is_due || self.db.is_in_transaction() {
            return;
        }
        self.upkeep.swept.set(Some(now));
        if let Err(error) = self.sweep() {
            self.report(&error);
        }
    }

    /// Sweeps the log. Returns the number of changes that were deleted.
    pub(crate) fn sweep(&self) -> Result<u64> {
        self.db.sweep(&self.upkeep.retention.borrow())
    }
}
