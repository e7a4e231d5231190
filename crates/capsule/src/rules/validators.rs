//! Temporary triggers that show every row to the rules, through SQL functions.
//!
//! Temporary, so that they belong to this connection alone: a trigger within a file could not call the
//! functions, as the schema of a file is not trusted.

use super::{Judged, JudgedRow, Rules};
use crate::capture::Operation;
use crate::catalog::{Catalog, Table, TableId};
use crate::conn::{Conn, RESERVED, push_quoted};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::value::SqlValue;
use rusqlite::types::ValueRef;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// Values that one call of a function takes. SQLite allows 1,000.
const VALUES_PER_CALL: usize = 500;

const OPERATIONS: [Operation; 3] = [Operation::Insert, Operation::Update, Operation::Delete];

/// State that the functions share with the database.
#[derive(Debug, Default)]
struct State {
    rules: RefCell<Option<Rc<dyn Rules>>>,
    /// The tables whose triggers are there, as they were then.
    installed: RefCell<BTreeMap<TableId, Rc<Table>>>,
    /// The first values of a row that is too wide for one call, up to the call that judges it.
    values: RefCell<Vec<SqlValue>>,
    judging: Cell<bool>,
}

/// The rules of a database, with the triggers that ask them.
#[derive(Debug, Default)]
pub(crate) struct Validators {
    state: Rc<State>,
    triggers: Cell<Judged>,
    /// The tables for which all triggers are there; `None` if some may be missing.
    complete: RefCell<Option<Rc<Catalog>>>,
}

impl Validators {
    /// Makes the functions known to a connection.
    pub(crate) fn attach(conn: &Conn) -> Result<Self> {
        let validators = Self::default();
        let state = Rc::clone(&validators.state);
        conn.add_function(&format!("{RESERVED}first"), move |values| {
            let owned: Result<_> = values.iter().map(|value| SqlValue::read(*value)).collect();
            state.values.replace(owned?);
            Ok(SqlValue::Null)
        })?;
        let state = Rc::clone(&validators.state);
        conn.add_function(&format!("{RESERVED}more"), move |values| {
            let owned: Result<Vec<_>> = values.iter().map(|value| SqlValue::read(*value)).collect();
            state.values.borrow_mut().append(&mut owned?);
            Ok(SqlValue::Null)
        })?;
        let state = Rc::clone(&validators.state);
        conn.add_function(&format!("{RESERVED}judge"), move |values| {
            state.judge(values).map(|()| SqlValue::Null)
        })?;
        Ok(validators)
    }

    /// Sets the rules.
    pub(crate) fn set(&self, rules: Rc<dyn Rules>) {
        *self.state.rules.borrow_mut() = Some(rules);
    }

    /// The rules, if there are any that want to see rounds.
    pub(crate) fn of_rounds(&self) -> Option<Rc<dyn Rules>> {
        self.state.rules.borrow().clone().filter(|rules| rules.sees_rounds())
    }

    /// True while a row is judged: nothing may be written.
    pub(crate) fn is_judging(&self) -> bool {
        self.state.judging.get()
    }

    /// Forgets which triggers are there: a rollback may have taken some away.
    pub(crate) fn forget(&self) {
        self.complete.take();
        self.state.installed.borrow_mut().clear();
    }

    /// Takes all triggers away: they would keep columns from being dropped or renamed.
    pub(crate) fn remove(&self, conn: &Conn) -> Result<()> {
        self.complete.take();
        for id in std::mem::take(&mut *self.state.installed.borrow_mut()).keys() {
            for operation in OPERATIONS {
                conn.run_own(&format!("DROP TRIGGER IF EXISTS temp.{}", trigger_name(operation, *id)))?;
            }
        }
        Ok(())
    }

    /// Makes the triggers for what the rules judge now, in all tables: what a statement sets off may write to
    /// others.
    pub(crate) fn install(&self, conn: &Conn, catalog: Rc<Catalog>) -> Result<()> {
        let judged = self.state.rules.borrow().as_ref().map_or(Judged::default(), |rules| rules.judged());
        let mut installed = self.state.installed.borrow_mut();
        if judged != self.triggers.get() {
            self.complete.take();
            installed.clear();
        }
        if !judged.any() && !self.triggers.get().any() {
            return Ok(());
        }
        if self.complete.borrow().as_ref().is_some_and(|known| Rc::ptr_eq(known, &catalog)) {
            return Ok(());
        }
        for table in catalog.since(TableId::default()) {
            // Virtual tables cannot have triggers.
            if table.is_virtual() || installed.get(&table.id).is_some_and(|known| Rc::ptr_eq(known, table)) {
                continue;
            }
            for operation in OPERATIONS {
                let name = trigger_name(operation, table.id);
                let mut sql = format!("DROP TRIGGER IF EXISTS temp.{name};");
                if judged.includes(operation) {
                    push_trigger(&mut sql, &name, operation, table);
                }
                conn.run_own(&sql)?;
            }
            installed.insert(table.id, Rc::clone(table));
        }
        self.triggers.set(judged);
        self.complete.replace(Some(catalog));
        Ok(())
    }
}

fn trigger_name(operation: Operation, table: TableId) -> String {
    format!("{RESERVED}{}_{}", operation.name().to_ascii_lowercase(), table.0)
}

/// Appends the statement that makes a trigger.
fn push_trigger(sql: &mut String, name: &str, operation: Operation, table: &Table) {
    let event = operation.name();
    let _ = write!(sql, "CREATE TEMP TRIGGER {name} AFTER {event} ON main.");
    push_quoted(sql, &table.name);
    sql.push_str(" BEGIN SELECT ");
    let sides: &[&str] = match operation {
        Operation::Insert => &["NEW"],
        Operation::Update => &["NEW", "OLD"],
        Operation::Delete => &["OLD"],
    };
    let values: Vec<(&str, &str)> =
        sides.iter().flat_map(|side| table.columns.iter().map(|column| (*side, column.name()))).collect();
    // The last call judges, with all values where they are few.
    let last = values.len().div_ceil(VALUES_PER_CALL).saturating_sub(1);
    for (index, chunk) in values.chunks(VALUES_PER_CALL).enumerate() {
        let function = if index == last { "judge" } else { ["more", "first"][usize::from(index == 0)] };
        let _ = write!(sql, "{RESERVED}{function}(");
        if index == last {
            let _ = write!(sql, "{},{},", place_of(operation), table.id.0);
        }
        for (place, (side, column)) in chunk.iter().enumerate() {
            let _ = write!(sql, "{}{side}.", if place == 0 { "" } else { "," });
            push_quoted(sql, column);
        }
        sql.push_str(if index == last { ")" } else { ")," });
    }
    sql.push_str("; END;");
}

/// The number of an operation among all.
fn place_of(operation: Operation) -> usize {
    OPERATIONS.iter().position(|known| *known == operation).unwrap_or_default()
}

impl State {
    /// Judges the row whose values are there. `call`: the operation, the table, and the last of the values.
    fn judge(&self, call: &[ValueRef<'_>]) -> Result<()> {
        let first = self.values.take();
        let fault = || CapsuleError::new(ErrorKind::Bug, "a trigger of the rules has shown no row");
        let [ValueRef::Integer(place), ValueRef::Integer(id), rest @ ..] = call else { return Err(fault()) };
        let table = u32::try_from(*id).ok().and_then(|id| self.installed.borrow().get(&TableId(id)).cloned());
        let operation = usize::try_from(*place).ok().and_then(|place| OPERATIONS.get(place).copied());
        let (Some(table), Some(operation)) = (table, operation) else { return Err(fault()) };
        let Some(rules) = self.rules.borrow().clone() else { return Ok(()) };
        let all: Vec<ValueRef<'_>>;
        let values = if first.is_empty() {
            rest
        } else {
            all = first.iter().map(SqlValue::borrowed).chain(rest.iter().copied()).collect();
            &all
        };
        let columns = &table.columns;
        let sides = if operation == Operation::Update { 2 } else { 1 };
        if values.len() != sides * columns.len() {
            return Err(fault());
        }
        let mut sides = values.chunks(columns.len()).map(|values| JudgedRow { columns, values });
        let (first, second) = (sides.next(), sides.next());
        let (new, old) = if operation == Operation::Delete { (second, first) } else { (first, second) };
        let before = self.judging.replace(true);
        let judged = rules.validate(operation, &table.name, new, old);
        self.judging.set(before);
        judged
    }
}
