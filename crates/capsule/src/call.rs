//! Calls of a capsule: each works with the database while hooks may use the VM, and delivers what it has set
//! off.

use crate::conn::Params;
use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::script::{Shared, from_lua, from_script, to_lua};
use crate::value::SqlValue;
use perilune::{Table, Value, Variadic, Vm};
use std::rc::Rc;

/// Columns of a row with their values.
type Columns<'a> = [(&'a str, SqlValue)];

/// One call of a capsule, with the VM that it has for its time.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Rc<Shared>,
    pub(crate) vm: &'a mut Vm,
}

impl Call<'_> {
    /// Works with the database while hooks may use the VM, and delivers what was dispatched. All of it has
    /// the limits of one call.
    pub(crate) fn enter<T>(&mut self, work: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        let (mut work, mut done) = (Some(work), None);
        let exceeded = self.limited(&mut |db| done = work.take().map(|work| work(db)));
        match (done, exceeded) {
            // What has come to its end in spite of a limit is done.
            (Some(Ok(value)), _) => Ok(value),
            (_, Some(error)) | (Some(Err(error)), None) => Err(error),
            (None, None) => Err(CapsuleError::new(ErrorKind::Bug, "a call has not begun")),
        }
    }

    /// Does what [`enter`](Self::enter) does, once for all kinds of work; returns the error of a limit that
    /// was exceeded.
    fn limited(&mut self, work: &mut dyn FnMut(&Database)) -> Option<CapsuleError> {
        let Self { shared, vm } = self;
        let limited = vm.within_limits(|vm| shared.slot.lend(vm, || work(&shared.db)));
        shared.pump(vm);
        limited.err().map(from_script)
    }

    /// Works in Lua. If it fails, what it has begun and not ended is taken back.
    pub(crate) fn script<T>(&mut self, work: impl FnOnce(&mut Vm) -> perilune::Result<T>) -> Result<T> {
        let Self { shared, vm } = self;
        let result = shared.db.whole(|| work(vm).map_err(from_script));
        shared.pump(vm);
        result
    }

    /// Works with the VM and what scripts share.
    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&Rc<Shared>, &mut Vm) -> Result<T>) -> Result<T> {
        let Self { shared, vm } = self;
        let done = work(shared, vm);
        shared.pump(vm);
        done
    }

    /// Inserts a row, after the hooks that change it, and returns its key.
    pub(crate) fn insert(&mut self, table: &str, row: &Columns<'_>) -> Result<Vec<SqlValue>> {
        if !self.has_transforms()? {
            return self.enter(|db| db.insert(table, row));
        }
        let row = script_row(row);
        let key: Vec<Value> = self.hooked(|shared, vm| shared.insert(vm, table, row))?;
        key.iter().map(from_lua).collect()
    }

    /// Inserts several rows in one transaction, after the hooks that change them, and returns their keys.
    pub(crate) fn insert_multiple(
        &mut self,
        table: &str,
        rows: &[&Columns<'_>],
    ) -> Result<Vec<Vec<SqlValue>>> {
        if !self.has_transforms()? {
            return self.enter(|db| db.insert_multiple(table, rows));
        }
        self.hooked(|shared, vm| {
            let one = |row: &&Columns<'_>| {
                let key = shared.insert(vm, table, script_row(row))?;
                key.iter().map(from_lua).collect()
            };
            rows.iter().map(one).collect()
        })
    }

    /// Sets columns of the row with a key, after the hooks that change them. Returns false if there is no
    /// such row.
    pub(crate) fn update(&mut self, table: &str, key: &[SqlValue], row: &Columns<'_>) -> Result<bool> {
        if !self.has_transforms()? {
            return self.enter(|db| db.update(table, key, row));
        }
        let arguments = arguments(table, Some(script_row(row)), key);
        self.hooked(|shared, vm| shared.update(vm, arguments))
    }

    /// Deletes the row with a key. Returns false if there is no such row.
    pub(crate) fn delete(&mut self, table: &str, key: &[SqlValue]) -> Result<bool> {
        if !self.has_transforms()? {
            return self.enter(|db| db.delete(table, key));
        }
        let arguments = arguments(table, None, key);
        self.hooked(|shared, vm| shared.delete(vm, arguments))
    }

    /// Sets columns of all rows for which a condition holds, after the hooks that change them, and returns
    /// how many these are.
    pub(crate) fn update_where(
        &mut self,
        table: &str,
        condition: &str,
        params: Params<'_>,
        row: &Columns<'_>,
    ) -> Result<u64> {
        if !self.has_transforms()? {
            return self.enter(|db| db.update_where(table, condition, params, row));
        }
        let arguments =
            Variadic(vec![table.into(), condition.into(), script_params(params), script_row(row)]);
        self.hooked(|shared, vm| shared.update_where(vm, arguments)).map(|count| count as u64)
    }

    /// Deletes all rows for which a condition holds, and returns how many these were.
    pub(crate) fn delete_where(&mut self, table: &str, condition: &str, params: Params<'_>) -> Result<u64> {
        if !self.has_transforms()? {
            return self.enter(|db| db.delete_where(table, condition, params));
        }
        let arguments = Variadic(vec![table.into(), condition.into(), script_params(params)]);
        self.hooked(|shared, vm| shared.delete_where(vm, arguments)).map(|count| count as u64)
    }

    /// The time at which the next timer of a script or the next batch of events is due, in milliseconds since
    /// 1970; `None` if there is none.
    pub(crate) fn next_due(&mut self) -> Result<Option<i64>> {
        let timer = self.shared.next_due(self.vm)?;
        Ok(timer.into_iter().chain(self.shared.batches.due()).min())
    }

    /// Runs the timers that are due, and delivers the events that are.
    pub(crate) fn run_due(&mut self) -> Result<()> {
        let Self { shared, vm } = self;
        let done = shared.db.whole(|| shared.run_timers(vm));
        shared.pump(vm);
        shared.deliver_due(vm);
        shared.sweep_if_due();
        done
    }

    fn has_transforms(&mut self) -> Result<bool> {
        self.shared.has_transforms(self.vm)
    }

    /// Writes by way of the prelude, which runs the hooks that change rows.
    fn hooked<T>(&mut self, work: impl FnOnce(&Shared, &mut Vm) -> Result<T>) -> Result<T> {
        self.with(|shared, vm| shared.part(vm, |vm| work(shared, vm)))
    }
}

fn script_row(row: &Columns<'_>) -> Value {
    let table: Table = Table::new();
    table.with_mut(|data| {
        for (name, value) in row {
            let value = if *value == SqlValue::Null { Value::Null } else { to_lua(value) };
            data.pairs.push(((*name).into(), value));
        }
    });
    table.into()
}

/// Parameters as a list with its length, or by their names.
fn script_params(params: Params<'_>) -> Value {
    match params {
        Params::Named(named) => script_row(named),
        Params::List(values) => {
            let table = Table::new();
            table.with_mut(|data| {
                let pairs = values.iter().zip(1i64..).filter(|(value, _)| **value != SqlValue::Null);
                data.pairs.extend(pairs.map(|(value, place)| (place.into(), to_lua(value))));
                data.pairs.push(("n".into(), (values.len() as i64).into()));
            });
            table.into()
        }
    }
}

fn arguments(table: &str, row: Option<Value>, key: &[SqlValue]) -> Variadic<Value> {
    let mut arguments = vec![table.into()];
    arguments.extend(row);
    arguments.extend(key.iter().map(to_lua));
    Variadic(arguments)
}
