//! Lua beside the database: what scripts see of it, hooks in its transactions, timers, actions.

mod delivery;
mod errors;
mod hooks;
mod mods;
mod natives;
mod password;
mod rules;
mod slot;
mod upkeep;
mod values;

use crate::bus::{Batches, Messages};
use crate::database::{Committed, Database};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::Source;
use crate::schema::Schema;
use crate::watch::{LiveQueries, Watchers};
use delivery::Subscription;
use hooks::{Hooks, Present};
use perilune::{FromLuaMulti, IntoLuaMulti, Value, Variadic, Vm};
use rules::ScriptRules;
use slot::VmSlot;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use upkeep::Upkeep;

pub(crate) use delivery::{Listener, ListenerKind, Listening};
pub(crate) use errors::{Failure, from_script};
pub use mods::ModInfo;
pub(crate) use values::{from_lua, to_lua};

/// Functions of the prelude that Rust calls, by their handles.
macro_rules! prelude {
    ($($name:ident),* $(,)?) => {
        #[derive(Debug)]
        struct Prelude { $($name: u32),* }

        impl Prelude {
            fn read(table: &perilune::Table) -> perilune::Result<Self> {
                let handle = |name: &str| match table.get(&name.into()) {
                    Value::Function(handle) => Ok(handle),
                    _ => Err(perilune::Error::from(perilune::ErrorKind::Bug(format!("the prelude has no {name}")))),
                };
                Ok(Self { $($name: handle(stringify!($name))?),* })
            }

            fn release(self, vm: &mut Vm) {
                $(vm.release(self.$name);)*
            }
        }
    };
}

prelude![
    make_error,
    present,
    validate,
    round,
    insert,
    update,
    update_where,
    delete,
    delete_where,
    handle,
    next_due,
    run_timers,
    deliver,
    reacts,
    react,
    unwatched,
    check_mod,
    start_mod,
    leave_mod,
    forget_mod,
    call_mod,
];

/// Errors that are kept while nobody is there to be told, at most.
const UNTOLD_MAX: usize = 100;

type ErrorListener = Rc<dyn Fn(&CapsuleError)>;
type CommitListener = Rc<dyn Fn(&Committed)>;

/// State that the functions of scripts share with the capsule.
pub(crate) struct Shared {
    pub(crate) db: Database,
    pub(crate) slot: VmSlot,
    prelude: OnceCell<Prelude>,
    hooks: Hooks,
    pub(crate) messages: Messages,
    pub(crate) batches: Batches,
    watchers: Watchers,
    pub(crate) live: LiveQueries,
    subscriptions: RefCell<Vec<Subscription>>,
    upkeep: Upkeep,
    /// True while messages or batches are delivered.
    delivering: Cell<bool>,
    errors: RefCell<Option<ErrorListener>>,
    /// Listener for the facts of each commit.
    commits: RefCell<Option<CommitListener>>,
    /// Errors of the time before anybody was there to be told: of the mods, when the capsule was opened.
    untold: RefCell<Vec<CapsuleError>>,
    /// The mods that take part at the moment.
    running_mods: RefCell<BTreeSet<Box<str>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("db", &self.db).field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// The libraries of the capsule, which a VM opens with the others.
pub(crate) struct Libraries {
    /// The database, until they are open.
    db: RefCell<Option<Database>>,
    shared: Rc<OnceCell<Rc<Shared>>>,
}

impl Libraries {
    /// Makes them, with the place of what they share when they are open.
    pub(crate) fn new(db: Database) -> (Self, Rc<OnceCell<Rc<Shared>>>) {
        let shared = Rc::default();
        (Self { db: RefCell::new(Some(db)), shared: Rc::clone(&shared) }, shared)
    }
}

impl perilune::Library for Libraries {
    fn name(&self) -> &str {
        LIBRARY
    }

    fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
        if let Some(db) = self.db.take() {
            let shared = Shared::open(db, vm)?;
            self.shared.get_or_init(|| shared);
        }
        Ok(())
    }
}

/// The name under which all libraries of the capsule are opened.
pub(crate) const LIBRARY: &str = "glyphcase";

impl Shared {
    /// Opens the libraries in a VM.
    pub(crate) fn open(db: Database, vm: &mut Vm) -> perilune::Result<Rc<Self>> {
        let shared = Rc::new(Self {
            db,
            slot: VmSlot::default(),
            prelude: OnceCell::new(),
            hooks: Hooks::default(),
            messages: Messages::default(),
            batches: Batches::default(),
            watchers: Watchers::default(),
            live: LiveQueries::default(),
            subscriptions: RefCell::default(),
            upkeep: Upkeep::default(),
            delivering: Cell::default(),
            errors: RefCell::default(),
            commits: RefCell::default(),
            untold: RefCell::default(),
            running_mods: RefCell::default(),
        });
        natives::register(vm, &shared)?;
        let made = vm.eval_library(include_str!("prelude.lua"), "capsule")?;
        let Some(Value::Table(table)) = made.values.first() else {
            return Err(perilune::ErrorKind::Bug("the prelude has made nothing".to_owned()).into());
        };
        let prelude = Prelude::read(table)?;
        shared.prelude.get_or_init(|| prelude);
        let charged = Rc::downgrade(&shared);
        shared.db.set_progress(move |operations| {
            let charge = |shared: Rc<Self>| shared.slot.with(|vm| vm.charge(operations.into()));
            charged.upgrade().and_then(charge).unwrap_or(true)
        });
        shared.db.set_rules(Rc::new(ScriptRules::new(&shared)));
        Ok(shared)
    }

    /// Begins to deliver what the database commits, and what was not delivered before it was opened.
    pub(crate) fn attach(self: &Rc<Self>) -> Result<()> {
        delivery::attach(self)
    }

    /// Closes the database, and lets go of what the VM has for it.
    pub(crate) fn close(self, vm: &mut Vm) -> Result<()> {
        let Self { db, prelude, .. } = self;
        if let Some(prelude) = prelude.into_inner() {
            prelude.release(vm);
        }
        db.close()
    }

    fn prelude(&self) -> Option<&Prelude> {
        self.prelude.get()
    }

    /// The function that makes errors. While the prelude is not there yet nothing can fail.
    fn make_error(&self) -> u32 {
        self.prelude().map_or(0, |prelude| prelude.make_error)
    }

    /// The hooks that there are at the moment.
    fn present(&self, vm: &mut Vm) -> Result<Present> {
        if let Some(present) = self.hooks.known(vm.runs()) {
            return Ok(present);
        }
        let bits = self.call_prelude(vm, |prelude| prelude.present, ())?;
        self.hooks.note(vm.runs(), bits);
        Ok(Present::of_bits(bits))
    }

    /// Tells an error that nobody waits for.
    pub(crate) fn report(&self, error: &CapsuleError) {
        // A reference of its own: a listener may set another.
        let listener = self.errors.borrow().clone();
        let Some(listener) = listener else {
            let mut untold = self.untold.borrow_mut();
            if untold.len() < UNTOLD_MAX {
                untold.push(error.clone());
            }
            return;
        };
        listener(error);
    }

    /// Sets who is told of errors that nobody waits for.
    pub(crate) fn on_error(&self, listener: impl Fn(&CapsuleError) + 'static) {
        *self.errors.borrow_mut() = Some(Rc::new(listener));
        for error in self.untold.take() {
            self.report(&error);
        }
    }

    /// Sets who is told the facts of each commit.
    pub(crate) fn on_commit(&self, listener: impl Fn(&Committed) + 'static) {
        *self.commits.borrow_mut() = Some(Rc::new(listener));
    }

    /// Takes note of what a schema says beyond tables and columns: the tables that are watched, under an id
    /// that is their name, and how long the log keeps what was changed in them.
    pub(crate) fn declared(self: &Rc<Self>, schema: &Schema) -> Result<()> {
        for table in &schema.tables {
            if let Some(days) = table.retention_days {
                self.upkeep.keep_table(&table.name, days);
            }
            if let Some(size) = table.batch_size {
                self.batches.set_size_of(&table.name, size as usize);
            }
            if table.watch && self.watchers.find(&table.name).is_none() {
                self.watch(Some(&table.name), &table.name, None, None)?;
            }
        }
        Ok(())
    }

    /// The handle of the function that calls one of a mod: with its name, the name of the function, and the
    /// arguments.
    pub(crate) fn mod_caller(&self) -> u32 {
        self.prelude().map_or(0, |prelude| prelude.call_mod)
    }

    /// Numbers of what there is at the moment, by their names.
    pub(crate) fn stats(&self) -> Vec<(&'static str, i64)> {
        vec![
            ("watchers", self.watchers.len() as i64),
            ("subscriptions", self.subscriptions.borrow().len() as i64),
            ("liveQueries", self.live.len() as i64),
            ("mods", self.running_mods.borrow().len() as i64),
            ("waitingChanges", self.batches.changes() as i64),
        ]
    }

    /// Runs a part in one transaction, whose author is a script.
    fn part_of_script<T>(&self, vm: &mut Vm, part: impl FnOnce(&mut Vm) -> Result<T>) -> Result<T> {
        self.db.with_source(Source::Lua, || self.part(vm, part))
    }

    /// Runs a part in one transaction, or a part of the one under way. The hooks of its end have the VM.
    pub(crate) fn part<T>(&self, vm: &mut Vm, part: impl FnOnce(&mut Vm) -> Result<T>) -> Result<T> {
        self.db.whole(|| {
            self.db.begin_part()?;
            let result = part(vm)?;
            self.slot.lend(vm, || self.db.commit_part())?;
            Ok(result)
        })
    }

    /// True if some hook changes rows before they are written.
    pub(crate) fn has_transforms(&self, vm: &mut Vm) -> Result<bool> {
        Ok(self.present(vm)?.transform())
    }

    /// Calls a function of the prelude.
    fn call_prelude<R: FromLuaMulti>(
        &self,
        vm: &mut Vm,
        function: impl FnOnce(&Prelude) -> u32,
        args: impl IntoLuaMulti,
    ) -> Result<R> {
        let Some(prelude) = self.prelude() else {
            return Err(CapsuleError::new(ErrorKind::Bug, "there is no prelude"));
        };
        vm.call_handle(function(prelude), args).map_err(from_script)
    }

    /// Inserts a row by way of the hooks, and returns its key.
    pub(crate) fn insert(&self, vm: &mut Vm, table: &str, row: Value) -> Result<Vec<Value>> {
        self.call_prelude(vm, |prelude| prelude.insert, Variadic(vec![table.into(), row]))
    }

    /// Updates a row by way of the hooks: table, row and the values of the key.
    pub(crate) fn update(&self, vm: &mut Vm, arguments: Variadic<Value>) -> Result<bool> {
        self.call_prelude(vm, |prelude| prelude.update, arguments)
    }

    /// Updates rows by way of the hooks: table, condition, row and parameters.
    pub(crate) fn update_where(&self, vm: &mut Vm, arguments: Variadic<Value>) -> Result<i64> {
        self.call_prelude(vm, |prelude| prelude.update_where, arguments)
    }

    /// Deletes rows by way of the hooks: table, condition and parameters.
    pub(crate) fn delete_where(&self, vm: &mut Vm, arguments: Variadic<Value>) -> Result<i64> {
        self.call_prelude(vm, |prelude| prelude.delete_where, arguments)
    }

    /// Deletes a row by way of the hooks: table and the values of the key.
    pub(crate) fn delete(&self, vm: &mut Vm, arguments: Variadic<Value>) -> Result<bool> {
        self.call_prelude(vm, |prelude| prelude.delete, arguments)
    }

    /// The time at which the next timer is due, in milliseconds since 1970.
    pub(crate) fn next_due(&self, vm: &mut Vm) -> Result<Option<i64>> {
        self.call_prelude(vm, |prelude| prelude.next_due, ())
    }

    /// Runs the timers that are due.
    pub(crate) fn run_timers(&self, vm: &mut Vm) -> Result<()> {
        let now = self.db.clock();
        self.call_prelude(vm, |prelude| prelude.run_timers, now)
    }
}
