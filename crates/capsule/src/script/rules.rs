//! Hooks of scripts as rules of the database.

use super::errors::from_hook;
use super::hooks::Present;
use super::natives::event;
use super::values::write_judged;
use super::{Prelude, Shared};
use crate::capture::{Operation, RowChange};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::rules::{Judged, JudgedRow, Rules};
use perilune::{Value, Variadic, Vm};
use std::rc::{Rc, Weak};

/// Rules that the hooks of scripts make.
#[derive(Debug)]
pub(super) struct ScriptRules(Weak<Shared>);

impl ScriptRules {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self(Rc::downgrade(shared))
    }

    /// Works with what scripts share, and with the VM that is lent.
    fn with<R>(&self, work: impl FnOnce(&Shared, &Prelude, &mut Vm) -> Result<R>) -> Result<R> {
        let shared = self.0.upgrade();
        let done = shared.and_then(|shared| {
            let prelude = shared.prelude()?;
            shared.slot.with(|vm| work(&shared, prelude, vm))
        });
        let missing =
            || CapsuleError::new(ErrorKind::Bug, "hooks cannot run: SQLite was entered without the VM");
        done.ok_or_else(missing)?
    }

    fn present(&self) -> Present {
        self.with(|shared, _, vm| shared.present(vm)).unwrap_or(Present::ALL)
    }
}

impl Rules for ScriptRules {
    fn judged(&self) -> Judged {
        self.present().judged()
    }

    fn validate(
        &self,
        operation: Operation,
        table: &str,
        new: Option<JudgedRow<'_>>,
        old: Option<JudgedRow<'_>>,
    ) -> Result<()> {
        let hook = match operation {
            Operation::Insert => "validate_insert",
            Operation::Update => "validate_update",
            Operation::Delete => "validate_delete",
        };
        // What is deleted is the row that a hook is about.
        let (row, old) = if operation == Operation::Delete { (old, None) } else { (new, old) };
        self.with(|shared, prelude, vm| {
            let bits = vm.call_handle_raw(prelude.validate, |args| {
                args.string(hook.as_bytes())?;
                args.string(table.as_bytes())?;
                [row, old].into_iter().flatten().try_for_each(|row| write_judged(args, row))
            });
            let bits = bits.map_err(from_hook)?;
            shared.hooks.note(vm.runs(), bits);
            Ok(())
        })
    }

    fn sees_rounds(&self) -> bool {
        self.present().see_rounds()
    }

    fn round(&self, changes: &[RowChange]) -> Result<()> {
        let events: Variadic<Value> =
            Variadic(vec![perilune::Table::from(changes.iter().map(event).collect::<Vec<_>>()).into()]);
        self.with(|shared, prelude, vm| {
            shared.db.whole(|| vm.call_handle(prelude.round, events).map_err(from_hook))
        })
    }
}
