//! The host functions of a Rust program: closures by id, and what Lua holds of the program's errors.
//!
//! Keeps true: no borrow of the registry spans a call of a closure, because that may register, call and evaluate. A panic of a
//! closure becomes an error of Lua. Not here: who polls what waits (`future`).

use crate::api::vm::Vm;
use crate::error::{Error, LuaError};
use crate::host_call::{Ended, HostFunctions, Service};
use crate::limits::HOST_SERVICES_MAX;
use crate::lua::Stack;
use crate::value::{Decoder, FromLua, Token, Value, decode_list, encode_list};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;

/// An error of a Rust function on its way through Lua.
pub(crate) type HostError = Rc<dyn StdError>;

/// What a function gives, now or later.
pub(crate) type Answer = Result<Vec<Value>, HostError>;

/// Something that a task waits for.
pub(crate) enum Pending {
    /// A function of the program.
    Host(Pin<Box<dyn Future<Output = Answer>>>),
    /// Tasks of its own, by the handles of their functions (service `run`).
    Group(Vec<u32>),
}

/// What a call gave at once.
pub(crate) enum Called {
    Ended(Answer),
    Waits(Pending),
}

pub(crate) type Function = dyn Fn(&mut Vm, Vec<Value>) -> Called;

#[derive(Clone)]
struct Entry {
    name: Rc<str>,
    function: Rc<Function>,
    /// Uses that Lua holds; None where it is kept for good.
    uses: Option<u32>,
}

/// What Rust code has registered, and what Lua holds of it.
#[derive(Default)]
pub(crate) struct Registry {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The last id given; they are not used again.
    last: u32,
    /// How many functions were made as values.
    values: usize,
    functions: HashMap<u32, Entry>,
    /// Ids of registered functions, by name.
    names: HashMap<Rc<str>, u32>,
    errors: HashMap<u32, HostError>,
    modules: HashMap<String, Vec<u8>>,
    /// What the operation that has just answered "waiting" waits for.
    pending: Option<Pending>,
    /// Tasks that were dropped while they waited.
    abandoned: Rc<RefCell<Vec<i64>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("Registry").field("names", &inner.names).finish_non_exhaustive()
    }
}

impl Inner {
    fn next_id(&mut self) -> u32 {
        self.last = self.last.max(HOST_SERVICES_MAX - 1) + 1;
        self.last
    }
}

impl Registry {
    pub(crate) fn with_modules(modules: Vec<(String, Vec<u8>)>) -> Self {
        let modules = modules.into_iter().collect();
        Registry { inner: RefCell::new(Inner { modules, ..Inner::default() }) }
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

    /// A function as a value, kept as long as Lua holds it (or the value was never given to Lua).
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
    pub(crate) fn error_value(&self, error: HostError) -> Value {
        let label = error.to_string().into_bytes();
        let mut inner = self.inner.borrow_mut();
        let id = inner.next_id();
        inner.errors.insert(id, error);
        Value::HostObject { id, label }
    }

    fn service(&self, vm: &mut Vm, id: u32, args: Vec<Value>) -> Called {
        let ended = |values| Called::Ended(Ok(values));
        match id {
            _ if id == Service::Module as u32 => match args.first() {
                Some(Value::String(name)) => ended(self.module(vm, name)),
                _ => ended(Vec::new()),
            },
            _ if id == Service::Run as u32 => {
                let handle = |value| if let Value::Function(handle) = value { Some(handle) } else { None };
                Called::Waits(Pending::Group(args.into_iter().filter_map(handle).collect()))
            }
            _ if id == Service::Sleep as u32 => {
                let ms = args.into_iter().next().map(f64::from_lua).and_then(Result::ok);
                let ms = ms.unwrap_or_default();
                match vm.context_mut().host.sleep(ms) {
                    Some(slept) => Called::Waits(Pending::Host(Box::pin(async move {
                        slept.await;
                        Ok(Vec::new())
                    }))),
                    None => failed("the host has no timer"),
                }
            }
            // Members: of errors, which have a message and nothing else.
            _ if id == Service::Get as u32 => match (args.first(), args.get(1)) {
                (Some(Value::HostObject { id, .. }), Some(Value::String(key))) if key == b"message" => {
                    let error = self.error(*id);
                    ended(error.map(|error| Value::from(error.to_string().as_str())).into_iter().collect())
                }
                _ => ended(Vec::new()),
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

    fn call_entry(&self, vm: &mut Vm, id: u32, args: &[u8]) -> (Rc<str>, Called) {
        let entry = self.inner.borrow().functions.get(&id).cloned();
        let args = match decode_list(args) {
            Ok(args) => args,
            Err(error) => return ("".into(), failed(&error.to_string())),
        };
        if id < HOST_SERVICES_MAX {
            let name = if id == Service::Sleep as u32 { "async.sleep" } else { "async" };
            return (name.into(), self.service(vm, id, args));
        }
        let Some(Entry { name, function, .. }) = entry else {
            return ("".into(), failed("this function of the host is gone"));
        };
        let called = catch_unwind(AssertUnwindSafe(|| function(vm, args))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            failed(&format!("host function '{name}' panicked: {text}"))
        });
        (name, called)
    }

    /// Writes what a call gave.
    fn answer(&self, answer: Answer, results: &mut Vec<u8>) -> Ended {
        let (values, ended) = match answer {
            Ok(values) => (values, Ended::Results),
            Err(error) => match lua_value(&error) {
                Some(value) => (vec![value], Ended::Raises),
                None => (vec![self.error_value(error)], Ended::Raises),
            },
        };
        match encode_list(&values, results) {
            Ok(()) => {
                self.count_uses(results);
                ended
            }
            Err(_) if ended == Ended::Raises => Ended::OutOfMemory,
            Err(error) => {
                results.clear();
                self.answer(Err(Error::from(crate::ErrorKind::Value(error.to_string())).into_rc()), results)
            }
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

impl HostFunctions for Registry {
    fn call(&self, stack: Stack, id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> Ended {
        let mut vm = Vm::new(stack);
        let (name, called) = self.call_entry(&mut vm, id, args);
        match called {
            Called::Ended(Err(error)) if raises_again(&vm, &error) => Ended::RaisesAgain,
            Called::Ended(answer) => self.answer(answer, results),
            Called::Waits(pending) if may_wait => {
                self.inner.borrow_mut().pending = Some(pending);
                Ended::Waits
            }
            Called::Waits(_) => {
                let text = format!(
                    "'{name}' waits, and nothing here can: run it with eval_async or call_async, and not inside a \
                     function that cannot be suspended (table.sort, string.gsub ...)"
                );
                self.answer(Err(Error::usage(text).into_rc()), results)
            }
        }
    }

    fn release(&self, id: u32, uses: u32) {
        let mut inner = self.inner.borrow_mut();
        let error = inner.errors.remove(&id);
        let mut function = None;
        if let Some(Entry { uses: Some(held), .. }) = inner.functions.get_mut(&id) {
            *held = held.saturating_sub(uses);
            if *held == 0 {
                function = inner.functions.remove(&id);
            }
        }
        // What they own may use the registry when it goes.
        drop(inner);
        drop((error, function));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn failed(text: &str) -> Called {
    Called::Ended(Err(Error::usage(text).into_rc()))
}

/// Does the error carry the Lua value that was told of last? Then Lua still has it.
fn raises_again(vm: &Vm, error: &HostError) -> bool {
    let number = lua_error(error).and_then(|error| error.number);
    number.is_some() && number == Some(vm.context().failure_number)
}

/// The Lua error that went through Rust code.
fn lua_error(error: &HostError) -> Option<&LuaError> {
    error.downcast_ref::<Error>().and_then(Error::lua)
}

/// Its value, where it has one that can go back.
fn lua_value(error: &HostError) -> Option<Value> {
    lua_error(error).map(|error| error.value.clone()).filter(|value| *value != Value::Nil)
}
