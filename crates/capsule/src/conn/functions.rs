//! SQL functions of the capsule.

use super::Conn;
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The error with which a function of the capsule has ended a statement. SQLite itself keeps no more than its
/// text.
#[derive(Debug, Clone, Default)]
pub(super) struct Raised(Rc<RefCell<Option<CapsuleError>>>);

impl Raised {
    /// Takes the error, if a function has failed since.
    pub(super) fn take(&self) -> Option<CapsuleError> {
        self.0.take()
    }
}

/// Sign for SQLite that the error is kept elsewhere.
#[derive(Debug)]
struct IsKept;

impl fmt::Display for IsKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function of the capsule has failed")
    }
}

impl std::error::Error for IsKept {}

impl Conn {
    /// Adds a SQL function with any number of arguments. Its error is that of the statement which calls it.
    pub(crate) fn add_function(
        &self,
        name: &str,
        function: impl Fn(&[ValueRef<'_>]) -> Result<SqlValue> + 'static,
    ) -> Result<()> {
        // SQLite calls it where the statement runs, and a connection never leaves its thread.
        let shared = SendWrapper::new((function, self.raised.clone()));
        self.sqlite.create_scalar_function(name, -1, FunctionFlags::SQLITE_UTF8, move |context| {
            let (function, raised) = &*shared;
            let values: Vec<_> = (0..context.len()).map(|index| context.get_raw(index)).collect();
            function(&values).map_err(|error| {
                raised.0.replace(Some(error));
                rusqlite::Error::UserFunctionError(Box::new(IsKept))
            })
        })?;
        Ok(())
    }
}
