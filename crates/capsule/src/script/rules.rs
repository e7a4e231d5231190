//! Hooks of scripts as rules of the database.

use super::errors::from_hook;
use super::natives::event;
use super::values::row_to_lua;
use super::{Prelude, Shared};
use crate::capture::{Operation, RowChange};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::rules::{Judged, JudgedRow, Rules};
use perilune::{FromLuaMulti, IntoLuaMulti, Value, Variadic};
use std::rc::{Rc, Weak};

/// Rules that the hooks of scripts make.
#[derive(Debug)]
pub(super) struct ScriptRules(Weak<Shared>);

impl ScriptRules {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self(Rc::downgrade(shared))
    }

    fn call<R: FromLuaMulti>(
        &self,
        function: impl FnOnce(&Prelude) -> u32,
        args: impl IntoLuaMulti,
    ) -> Result<R> {
        let called = self.0.upgrade().and_then(|shared| shared.call(function, args));
        let missing =
            || CapsuleError::new(ErrorKind::Bug, "hooks cannot run: SQLite was entered without the VM");
        called.ok_or_else(missing)?.map_err(from_hook)
    }
}

impl Rules for ScriptRules {
    fn judged(&self) -> Judged {
        let judged = self.call(|prelude| prelude.judged, ());
        let (insert, update, delete) = judged.unwrap_or((true, true, true));
        Judged { insert, update, delete }
    }

    fn validate(
        &self,
        operation: Operation,
        table: &str,
        new: Option<&JudgedRow>,
        old: Option<&JudgedRow>,
    ) -> Result<()> {
        let hook = match operation {
            Operation::Insert => "validate_insert",
            Operation::Update => "validate_update",
            Operation::Delete => "validate_delete",
        };
        let row = |row: Option<&JudgedRow>| {
            let table =
                |row: &JudgedRow| row_to_lua(row.iter().map(|(name, value)| (&**name, value.clone())));
            row.map_or(Value::Nil, table)
        };
        // What is deleted is the row that a hook is about.
        let (row, old) =
            if operation == Operation::Delete { (row(old), Value::Nil) } else { (row(new), row(old)) };
        self.call(|prelude| prelude.validate, Variadic(vec![hook.into(), table.into(), row, old]))
    }

    fn sees_rounds(&self) -> bool {
        self.call(|prelude| prelude.sees_rounds, ()).unwrap_or(true)
    }

    fn round(&self, changes: &[RowChange]) -> Result<()> {
        let events: Variadic<Value> =
            Variadic(vec![perilune::Table::from(changes.iter().map(event).collect::<Vec<_>>()).into()]);
        let shared = self.0.upgrade();
        let call = || self.call(|prelude| prelude.round, events);
        match shared {
            Some(shared) => shared.db.whole(call),
            None => call(),
        }
    }
}
