//! Limits of statements that run long.

use crate::error::Result;
use rusqlite::Connection;
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Operations of SQLite's own machine between two questions whether a statement may go on.
///
/// Few, because one operation can work on a value of many megabytes.
pub(crate) const OPERATIONS_PER_ASK: u32 = 100;

type MayGoOn = Rc<RefCell<Option<Box<dyn Fn() -> bool>>>>;

/// Judge of whether a statement may go on.
pub(super) struct Progress(MayGoOn);

impl Progress {
    /// Has a connection ask.
    pub(super) fn attach(sqlite: &mut Connection) -> Result<Self> {
        let decides: MayGoOn = Rc::default();
        let asked = SendWrapper::new(Rc::clone(&decides));
        let ends = move || !asked.borrow().as_ref().is_none_or(|may_go_on| may_go_on());
        sqlite.progress_handler(OPERATIONS_PER_ASK as i32, Some(ends))?;
        Ok(Self(decides))
    }

    pub(super) fn set(&self, may_go_on: impl Fn() -> bool + 'static) {
        *self.0.borrow_mut() = Some(Box::new(may_go_on));
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
