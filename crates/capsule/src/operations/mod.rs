//! A capsule for a host that is not Rust: its calls as operations of the VM, in bytes (docs/codec.md,
//! section 7).
//!
//! The module of the npm package lists [`CapsuleLibrary`] among its libraries. The host opens the database by
//! an operation, and what happens later, while it waits for nothing, it hears as messages (outbox.rs).

mod arguments;
mod data;
mod lifecycle;
mod outbox;
mod reply;
mod requests;
mod schema;
mod scripts;
mod watching;

use crate::call::Call;
use crate::database::Database;
use crate::environment::Environment;
use crate::error::{CapsuleError, ErrorKind};
use crate::schema::Schema;
use crate::script::{Failure, LIBRARY, Listener, Shared};
use arguments::Arguments;
use outbox::Outbox;
use perilune::{Results, Vm};
use reply::Reply;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// The number of the first operation.
const FIRST: u32 = 256;

type Done = Result<(), Failure>;
type Run = fn(&mut Operation<'_, '_, '_>) -> Done;

/// Operations by their names. Each has the number of its place, counted from [`FIRST`].
const OPERATIONS: &[(&str, Run)] = &[
    // The database itself.
    ("open", lifecycle::open),
    ("close", lifecycle::close),
    ("import", lifecycle::import),
    ("export", lifecycle::export),
    ("settings", lifecycle::settings),
    ("stats", lifecycle::stats),
    ("sweep", lifecycle::sweep),
    ("take_message", lifecycle::take_message),
    ("listen", lifecycle::listen),
    ("unlisten", lifecycle::unlisten),
    ("next_due", lifecycle::next_due),
    ("run_due", lifecycle::run_due),
    ("flush", lifecycle::flush),
    // Rows.
    ("query", data::query),
    ("query_one", data::query_one),
    ("query_scalar", data::query_scalar),
    ("execute", data::execute),
    ("insert", data::insert),
    ("insert_multiple", data::insert_multiple),
    ("update", data::update),
    ("update_where", data::update_where),
    ("delete", data::delete),
    ("delete_where", data::delete_where),
    // Transactions and schema.
    ("begin", data::begin),
    ("commit", data::commit),
    ("roll_back", data::roll_back),
    ("begin_preview", data::begin_preview),
    ("end_preview", data::end_preview),
    ("undo", data::undo),
    ("begin_upgrade", data::begin_upgrade),
    ("note_migration", data::note_migration),
    ("end_upgrade", data::end_upgrade),
    ("cancel_upgrade", data::cancel_upgrade),
    // Watchers.
    ("watch", watching::watch),
    ("unwatch", watching::unwatch),
    ("subscribe", watching::subscribe),
    ("unsubscribe", watching::unsubscribe),
    ("live", watching::live),
    ("end_live", watching::end_live),
    // Scripts.
    ("settle", scripts::settle),
    ("dispatch", scripts::dispatch),
    ("activate_mods", scripts::activate_mods),
    ("install_mod", scripts::install_mod),
    ("activate_mod", scripts::activate_mod),
    ("deactivate_mod", scripts::deactivate_mod),
    ("uninstall_mod", scripts::uninstall_mod),
    ("mods", scripts::mods),
    ("mod_caller", scripts::mod_caller),
    // Requests that must have their effect once.
    ("find_request", requests::find_request),
    ("keep_request", requests::keep_request),
    ("keep_clients", requests::keep_clients),
    // More of live queries and watchers.
    ("live_with", watching::live_with),
    ("move_live", watching::move_live),
    ("explain", watching::explain),
    ("explain_live", watching::explain_live),
    ("events_since", watching::events_since),
];

/// Names of the operations, with their numbers, as the host has to know them.
pub fn operation_numbers() -> impl Iterator<Item = (&'static str, u32)> {
    OPERATIONS.iter().zip(FIRST..).map(|((name, _), number)| (*name, number))
}

/// The library of a VM whose host works with a capsule by operations.
pub struct CapsuleLibrary(Rc<Host>);

impl fmt::Debug for CapsuleLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CapsuleLibrary").field(&self.0.outbox).finish()
    }
}

impl CapsuleLibrary {
    /// Makes the library. `environment` gives each database its surroundings, and `notify` is told that so
    /// many messages wait for the host.
    pub fn new(environment: fn() -> Box<dyn Environment>, notify: fn(u32)) -> Self {
        let outbox = Rc::new(Outbox::new(notify));
        let told = Rc::clone(&outbox);
        Self(Rc::new(Host {
            environment,
            outbox,
            listener: Rc::new(move |events| told.events(events)),
            shared: RefCell::default(),
            imported: RefCell::default(),
            schema: RefCell::default(),
            channels: RefCell::default(),
        }))
    }
}

impl perilune::Library for CapsuleLibrary {
    fn name(&self) -> &str {
        LIBRARY
    }

    fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
        let host = Rc::clone(&self.0);
        vm.set_operations(move |vm, number, input, results| {
            let (_, run) = OPERATIONS.get(number.checked_sub(FIRST)? as usize)?;
            Some(host.run(vm, *run, input, results))
        })
    }
}

/// State behind the operations.
struct Host {
    environment: fn() -> Box<dyn Environment>,
    outbox: Rc<Outbox>,
    /// The one listener of all subscriptions of the host, which hears each batch once.
    listener: Listener,
    shared: RefCell<Option<Rc<Shared>>>,
    /// Database in memory that was imported and is to be opened.
    imported: RefCell<Option<Database>>,
    /// The schema whose migrations run at the moment.
    schema: RefCell<Option<Schema>>,
    /// Listeners by the names that the host listens to.
    channels: RefCell<BTreeMap<String, u64>>,
}

/// One operation, with all that it has.
struct Operation<'a, 'b, 'c> {
    host: &'a Host,
    vm: &'a mut Vm,
    args: Arguments<'a>,
    /// All arguments, for operations whose arguments are values of Lua.
    input: &'a [u8],
    reply: Reply<'b, 'c>,
}

impl Host {
    fn run(&self, vm: &mut Vm, run: Run, input: &[u8], results: &mut Results<'_>) -> perilune::Result<()> {
        let mut reply = Reply::new(results);
        let args = match Arguments::read(input) {
            Ok(args) => args,
            Err(error) => return Ok(reply.fail(&error)?),
        };
        let mut operation = Operation { host: self, vm, args, input, reply };
        let done = run(&mut operation);
        reply = operation.reply;
        match done {
            Ok(()) => Ok(reply.finish()?),
            Err(Failure::Capsule(error)) if reply.is_begun() => {
                Err(perilune::ErrorKind::Bug(format!("an operation failed after its results: {error}"))
                    .into())
            }
            Err(Failure::Capsule(error)) => Ok(reply.fail(&error)?),
            Err(Failure::Format(error)) => Err(error.into()),
        }
    }

    fn shared(&self) -> crate::error::Result<Rc<Shared>> {
        let shared = self.shared.borrow().clone();
        shared.ok_or_else(|| CapsuleError::new(ErrorKind::Closed, "the capsule is not open"))
    }
}

impl Operation<'_, '_, '_> {
    /// Works with the capsule, whose VM is that of the operation.
    fn call<T>(
        &mut self,
        work: impl FnOnce(&mut Call<'_>) -> crate::error::Result<T>,
    ) -> crate::error::Result<T> {
        let shared = self.host.shared()?;
        work(&mut Call { shared: &shared, vm: self.vm })
    }
}
