//! The Rust functions of one VM: closures by id, and the program's errors that Lua refers to.
//!
//! Keeps true: no borrow of the table spans a call of a closure, because that may register, call and
//! evaluate. A panic of a closure becomes an error of Lua. Not here: who polls what waits (`future`).

use crate::api::raise::{Raise, Raised};
use crate::api::vm::{Vm, VmParts};
use crate::error::{Error, LuaError};
use crate::limits::{HOST_SERVICES_MAX, RUST_ID_FIRST};
use crate::lua::Stack;
use crate::state::guarded::{caught, panic_text};
use crate::state::host_functions::{HostFunctions, HostResult, Service, Side};
use crate::value::{
    Decoder, FormatError, FromLua, Misfit, Token, Value, decode_list, encode_list, encode_values,
};
use crate::vm::RawVm;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};

/// An error of a Rust function on its way through Lua.
pub(crate) type HostError = Rc<dyn StdError>;

/// Result of a function, ready or still to come.
pub(crate) type Answer = Result<Vec<Value>, HostError>;

/// Operation that a task waits for.
pub(crate) enum Pending {
    /// A function of the program.
    Host(Pin<Box<dyn Future<Output = Answer>>>),
    /// Tasks of its own, by the handles of their functions (service `run`).
    Group(Vec<u32>),
}

/// Outcome of a call of a Rust function.
pub(crate) enum CallOutcome {
    /// The function has written its list of results.
    Returned,
    Failed(HostError),
    Waits(Pending),
}

/// A Rust function: it reads its arguments from a list, and writes its results as a list into the buffer,
/// which comes empty.
pub(crate) type Function = dyn Fn(&mut Vm, &[u8], &mut Vec<u8>) -> CallOutcome;

#[derive(Clone)]
struct Entry {
    name: Rc<str>,
    function: Rc<Function>,
    /// Uses of the function in Lua; None where it is never released.
    uses: Option<u32>,
}

/// The Rust functions of one VM by id, with their uses in Lua, and the program's errors that Lua refers to.
pub(crate) struct FunctionTable {
    inner: RefCell<Inner>,
    /// The table itself: each call gives it to the `Vm` of the function.
    this: Weak<FunctionTable>,
}

#[derive(Default)]
struct Inner {
    /// The last id given; they are not used again.
    last: u32,
    /// Number of functions that were made as values.
    values: usize,
    functions: HashMap<u32, Entry>,
    /// Ids of registered functions, by name.
    names: HashMap<Rc<str>, u32>,
    errors: HashMap<u32, HostError>,
    modules: HashMap<String, Vec<u8>>,
    /// The operation that the last task to answer "waiting" waits for.
    pending: Option<Pending>,
    /// Tasks that were dropped while they waited.
    abandoned: Rc<RefCell<Vec<i64>>>,
}

impl fmt::Debug for FunctionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("FunctionTable").field("names", &inner.names).finish_non_exhaustive()
    }
}

impl Inner {
    fn next_id(&mut self) -> u32 {
        self.last = self.last.max(RUST_ID_FIRST - 1) + 1;
        self.last
    }
}

impl FunctionTable {
    /// A table without functions, and with modules that `require` finds.
    pub(crate) fn new(modules: Vec<(String, Vec<u8>)>) -> Rc<Self> {
        let modules = modules.into_iter().collect();
        Rc::new_cyclic(|this| FunctionTable {
            inner: RefCell::new(Inner { modules, ..Inner::default() }),
            this: Weak::clone(this),
        })
    }

    /// Keeps a function under a name, for good; the one that had it before is replaced. Returns its id.
    pub(crate) fn register(&self, name: &str, function: Rc<Function>) -> u32 {
        let mut inner = self.inner.borrow_mut();
        let name: Rc<str> = name.into();
        let id = match inner.names.get(&name) {
            Some(&id) => id,
            None => inner.next_id(),
        };
        inner.names.insert(Rc::clone(&name), id);
        inner.functions.insert(id, Entry { name, function, uses: None });
        id
    }

    /// A function as a value, kept as long as Lua refers to it (or the value was never given to Lua).
    pub(crate) fn create(&self, name: &str, function: Rc<Function>) -> Value {
        let mut inner = self.inner.borrow_mut();
        let id = inner.next_id();
        inner.values += 1;
        inner.functions.insert(id, Entry { name: name.into(), function, uses: Some(0) });
        Value::HostFunction { id, name: name.as_bytes().to_vec() }
    }

    /// The error behind a host object.
    pub(crate) fn error(&self, id: u32) -> Option<HostError> {
        self.inner.borrow().errors.get(&id).cloned()
    }

    pub(crate) fn take_pending(&self) -> Option<Pending> {
        self.inner.borrow_mut().pending.take()
    }

    /// The list of tasks that will never be resumed.
    pub(crate) fn abandoned(&self) -> Rc<RefCell<Vec<i64>>> {
        Rc::clone(&self.inner.borrow().abandoned)
    }

    /// One of them.
    pub(crate) fn take_abandoned(&self) -> Option<i64> {
        self.inner.borrow().abandoned.borrow_mut().pop()
    }

    /// The value that Lua gets for an error.
    fn error_value(&self, error: HostError) -> Value {
        let label = error.to_string().into_bytes();
        let mut inner = self.inner.borrow_mut();
        let id = inner.next_id();
        inner.errors.insert(id, error);
        Value::HostObject { id, label }
    }

    /// Answers a service; `results` comes empty.
    fn service(&self, vm: &mut Vm, id: u32, args: &[u8], results: &mut Vec<u8>) -> CallOutcome {
        let args = match decode_list(args) {
            Ok(args) => args,
            Err(error) => return failed(&error.to_string()),
        };
        let mut returns = |values: &[Value]| match encode_list(values, results) {
            Ok(()) => CallOutcome::Returned,
            Err(error) => failed(&error.to_string()),
        };
        match id {
            _ if id == Service::Module as u32 => match args.first() {
                Some(Value::String(name)) => returns(&self.module(vm, name)),
                _ => returns(&[]),
            },
            _ if id == Service::Run as u32 => {
                let handle = |value| if let Value::Function(handle) = value { Some(handle) } else { None };
                CallOutcome::Waits(Pending::Group(args.into_iter().filter_map(handle).collect()))
            }
            _ if id == Service::Sleep as u32 => {
                let ms = args.into_iter().next().map(f64::from_lua).and_then(Result::ok);
                let ms = ms.unwrap_or_default();
                match vm.context_mut().host.sleep(ms) {
                    Some(slept) => CallOutcome::Waits(Pending::Host(Box::pin(async move {
                        slept.await;
                        Ok(Vec::new())
                    }))),
                    None => failed("the host has no timer"),
                }
            }
            // Members: of errors, which have a message and nothing else.
            _ if id == Service::Get as u32 => match (args.first(), args.get(1)) {
                (Some(Value::HostObject { id, .. }), Some(Value::String(key))) if key == b"message" => {
                    let message = self.error(*id).map(|error| error.to_string());
                    returns(&message.map(|text| Value::from(text.as_str())).into_iter().collect::<Vec<_>>())
                }
                _ => returns(&[]),
            },
            _ => failed("a host object cannot be changed"),
        }
    }

    /// Source and chunk name of a module.
    fn module(&self, vm: &mut Vm, name: &[u8]) -> Vec<Value> {
        let own =
            std::str::from_utf8(name).ok().and_then(|name| self.inner.borrow().modules.get(name).cloned());
        let source = own.or_else(|| vm.context_mut().host.module(name));
        source.map_or_else(Vec::new, |source| vec![Value::String(source), Value::String(name.to_vec())])
    }

    /// The name of a function, for messages, and what became of its call.
    fn call_entry(&self, vm: &mut Vm, id: u32, args: &[u8], results: &mut Vec<u8>) -> (Rc<str>, CallOutcome) {
        if id < HOST_SERVICES_MAX {
            let name = if id == Service::Sleep as u32 { "async.sleep" } else { "async" };
            return (name.into(), self.service(vm, id, args, results));
        }
        let entry = self.inner.borrow().functions.get(&id).cloned();
        let Some(Entry { name, function, .. }) = entry else {
            return ("".into(), failed("this function of the host is gone"));
        };
        let outcome = function(vm, args, results);
        (name, outcome)
    }

    /// The name under which a function was made, for messages.
    fn name_of(&self, id: u32) -> Rc<str> {
        let inner = self.inner.borrow();
        inner.functions.get(&id).map_or_else(|| "".into(), |entry| Rc::clone(&entry.name))
    }

    /// The list for an error that is raised, and how it is raised.
    pub(crate) fn raised(&self, error: HostError) -> (Vec<Value>, HostResult) {
        match error.downcast_ref::<Raise>() {
            Some(Raise(Raised::Value(value))) => (vec![value.clone()], HostResult::Raises),
            Some(Raise(Raised::Result { function, args })) => {
                let mut call = vec![Value::Function(*function)];
                call.extend_from_slice(args);
                (call, HostResult::RaisesResult)
            }
            None => {
                let value = lua_value(&error).unwrap_or_else(|| self.error_value(error));
                (vec![value], HostResult::Raises)
            }
        }
    }

    /// Writes the list for an error that is raised.
    fn raise(&self, error: HostError, results: &mut Vec<u8>) -> HostResult {
        results.clear();
        let (values, how) = self.raised(error);
        match encode_values(&values, results) {
            Ok(()) => {
                self.count_uses(results);
                how
            }
            Err(Misfit { error: FormatError::OutOfMemory, .. }) => HostResult::OutOfMemory,
            // What was to be raised does not travel, so an error about that is raised instead.
            Err(problem) => self.raise(value_error(problem), results),
        }
    }

    /// Each function of ours in a list that goes to Lua is one use of it.
    pub(crate) fn count_uses(&self, list: &[u8]) {
        let mut inner = self.inner.borrow_mut();
        if inner.values == 0 {
            return;
        }
        let mut decoder = Decoder::new(list);
        let _ = decoder.count();
        while let Ok(token) = decoder.token() {
            if let Token::HostFunction { id, .. } = token
                && let Some(Entry { uses: Some(uses), .. }) = inner.functions.get_mut(&id)
            {
                *uses += 1;
            }
        }
    }
}

impl HostFunctions for FunctionTable {
    fn call(&self, stack: Stack, id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> HostResult {
        let functions = self.this.upgrade().map_or_else(OnceCell::new, OnceCell::from);
        let mut parts = VmParts { raw: RawVm::of(stack, Side::Rust), functions };
        let vm = parts.as_vm_mut();
        // Neither the function nor what its values and errors do may unwind into C.
        let ended = caught(|| {
            let (name, outcome) = self.call_entry(vm, id, args, results);
            match outcome {
                CallOutcome::Returned => {
                    self.count_uses(results);
                    HostResult::Returns
                }
                CallOutcome::Failed(error) if raises_again(vm, &error) => HostResult::RaisesAgain,
                CallOutcome::Failed(error) => self.raise(error, results),
                CallOutcome::Waits(pending) if may_wait => {
                    self.inner.borrow_mut().pending = Some(pending);
                    HostResult::Waits
                }
                CallOutcome::Waits(_) => {
                    let text = format!(
                        "'{name}' waits, and nothing here can: run it with eval_async or call_async, and not inside a \
                         function that cannot be suspended (table.sort, string.gsub ...)"
                    );
                    self.raise(Error::usage(text).into_rc(), results)
                }
            }
        });
        ended.unwrap_or_else(|panic| {
            let text = format!("host function '{}' panicked: {}", self.name_of(id), panic_text(&*panic));
            // What was thrown may panic again when it goes.
            std::mem::forget(panic);
            self.raise(Error::usage(text).into_rc(), results)
        })
    }

    fn release(&self, id: u32, uses: u32) {
        let mut inner = self.inner.borrow_mut();
        let error = inner.errors.remove(&id);
        let mut function = None;
        if let Some(Entry { uses: Some(count), .. }) = inner.functions.get_mut(&id) {
            *count = count.saturating_sub(uses);
            if *count == 0 {
                function = inner.functions.remove(&id);
            }
        }
        drop(inner);
        // What they own may use the table when it goes; and the collector, which may be why it does, cannot
        // unwind.
        if let Err(panic) = caught(|| drop((error, function))) {
            std::mem::forget(panic);
        }
    }
}

fn failed(text: &str) -> CallOutcome {
    CallOutcome::Failed(Error::usage(text).into_rc())
}

/// The error of a value that does not travel.
pub(crate) fn value_error(problem: impl Into<Error>) -> HostError {
    problem.into().into_rc()
}

/// True if the error carries the Lua value that was reported last, which Lua still has.
fn raises_again(vm: &Vm, error: &HostError) -> bool {
    let number = lua_error(error).and_then(|error| error.number);
    number.is_some() && number == Some(vm.context().error_number)
}

/// The Lua error that went through Rust code.
fn lua_error(error: &HostError) -> Option<&LuaError> {
    error.downcast_ref::<Error>().and_then(Error::lua)
}

/// Value of the Lua error, where it has one that can go back to Lua.
fn lua_value(error: &HostError) -> Option<Value> {
    lua_error(error).map(|error| error.value.clone()).filter(|value| *value != Value::Nil)
}
