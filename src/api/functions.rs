//! Rust functions in Lua, with Rust's own types: registering them, and calls with typed arguments and
//! results.

use crate::api::function_table::{CallOutcome, Function, HostError, Pending, value_error};
use crate::api::results::Results;
use crate::api::vm::Vm;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::NAME_BYTES_MAX;
use crate::value::{Decoder, FormatError, FromLuaMulti, IntoLuaMulti, Value, decode_list, encode_values};
use crate::vm::protocol::operation;
use std::error::Error as StdError;
use std::future::Future;
use std::rc::Rc;

impl Vm {
    /// Makes a Rust function known to Lua under a stable name: as `host.NAME`, and as the global of that
    /// name; dots make tables (`"game.move"`). The same name again replaces the function. It gets the VM, for
    /// calls of its own, and its arguments as a type ([`FromLuaMulti`]); it returns a type that Lua gets as
    /// results, or any error, which Lua can catch, and which comes back as the `cause` of ours if it does
    /// not.
    ///
    /// ```
    /// # use perilune::{Error, Runtime, Vm};
    /// let mut lua = Runtime::builder().build()?;
    /// lua.register("add", |_: &mut Vm, (a, b): (i64, i64)| Ok::<_, Error>(a + b))?;
    /// assert_eq!(lua.eval("return add(1, 2)")?.values, [3.into()]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// `usage`: a part of the name is empty, or leads through something that is no table.
    pub fn register<A, R, E>(
        &mut self,
        name: &str,
        function: impl Fn(&mut Vm, A) -> std::result::Result<R, E> + 'static,
    ) -> Result<()>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        E: Into<Box<dyn StdError>>,
    {
        self.register_function(name, now(function))
    }

    /// Registers an asynchronous function, like [`Vm::register`]. Lua waits for its future, if it was called
    /// by [`Vm::eval_async`] or its like; anywhere else a call of it is an error. The VM is free while it
    /// waits.
    ///
    /// # Errors
    /// As [`Vm::register`].
    pub fn register_async<A, R, E, F>(
        &mut self,
        name: &str,
        function: impl Fn(A) -> F + 'static,
    ) -> Result<()>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        E: Into<Box<dyn StdError>>,
        F: Future<Output = std::result::Result<R, E>> + 'static,
    {
        self.register_function(
            name,
            Rc::new(move |_, args, _| match arguments(args) {
                Ok(args) => {
                    let future = function(args);
                    CallOutcome::Waits(Pending::Host(Box::pin(async move { answer(future.await) })))
                }
                Err(error) => CallOutcome::Failed(error),
            }),
        )
    }

    /// Registers, like [`Vm::register`], a function that reads its arguments from bytes and writes its
    /// results as bytes, without a tree of values on the way (docs/codec.md, section 1). Its decoder stands
    /// behind the count of a list; what the function leaves unread is skipped.
    ///
    /// # Errors
    /// As [`Vm::register`].
    pub fn register_raw<E>(
        &mut self,
        name: &str,
        function: impl Fn(&mut Vm, &mut Decoder<'_>, &mut Results<'_>) -> std::result::Result<(), E> + 'static,
    ) -> Result<()>
    where
        E: Into<Box<dyn StdError>>,
    {
        let run = move |vm: &mut Vm, args: &[u8], out: &mut Vec<u8>| -> std::result::Result<(), HostError> {
            let mut args = Decoder::new(args);
            args.count().map_err(value_error)?;
            let mut results = Results::new(out).map_err(value_error)?;
            function(vm, &mut args, &mut results).map_err(|error| Rc::from(error.into()))?;
            results.finish().map_err(|error| Rc::new(error) as HostError)
        };
        self.register_function(
            name,
            Rc::new(move |vm, args, out| match run(vm, args, out) {
                Ok(()) => CallOutcome::Returned,
                Err(error) => CallOutcome::Failed(error),
            }),
        )
    }

    /// A Rust function as a value, to be given to Lua: as an argument, a result, in a table, to a global.
    /// `name` is for messages.
    ///
    /// # Errors
    /// None today; a later version may limit how many there are.
    pub fn create_function<A, R, E>(
        &mut self,
        name: &str,
        function: impl Fn(&mut Vm, A) -> std::result::Result<R, E> + 'static,
    ) -> Result<Value>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        E: Into<Box<dyn StdError>>,
    {
        Ok(self.functions().create(name, now(function)))
    }

    /// Calls a global or dotted function (`"math.max"`), with typed arguments and results:
    /// `let largest: i64 = lua.call("math.max", (1, 2, 3))?`. `Vec<Value>` takes all results as they are.
    ///
    /// # Errors
    /// As [`Vm::eval`]; `value` when an argument is no value of Lua's or a result is not of the type.
    pub fn call<R: FromLuaMulti>(&mut self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let args = args.into_lua_multi()?;
        Ok(R::from_lua_multi(self.operation(operation::CALL, name.into(), args)?)?)
    }

    /// Calls a function like [`Vm::call_handle`], with arguments that are written as bytes, without a tree of
    /// values on the way: see [`Vm::register_raw`].
    ///
    /// ```
    /// # use perilune::{Runtime, Value};
    /// let mut lua = Runtime::builder().build()?;
    /// let reply = lua.eval("return function(row) return #row.name end")?;
    /// let Some(Value::Function(handle)) = reply.values.first() else { panic!("it is a function") };
    /// let length: i64 = lua.call_handle_raw(*handle, |args| {
    ///     args.table(0, 1)?;
    ///     args.string(b"name")?;
    ///     args.string(b"moon")
    /// })?;
    /// assert_eq!(length, 4);
    /// # Ok::<(), perilune::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vm::call`].
    pub fn call_handle_raw<R: FromLuaMulti>(
        &mut self,
        handle: u32,
        write: impl FnOnce(&mut Results<'_>) -> std::result::Result<(), FormatError>,
    ) -> Result<R> {
        let mut input = Vec::new();
        let mut args = Results::new(&mut input)?;
        args.integer(i64::from(handle))?;
        write(&mut args)?;
        args.finish()?;
        let outcome = self.request_typed(operation::CALL_HANDLE, &input);
        Ok(R::from_lua_multi(self.typed(outcome)?.values)?)
    }

    /// Calls the function that a value of this VM refers to.
    ///
    /// # Errors
    /// As [`Vm::call`].
    pub fn call_handle<R: FromLuaMulti>(&mut self, handle: u32, args: impl IntoLuaMulti) -> Result<R> {
        let args = args.into_lua_multi()?;
        Ok(R::from_lua_multi(self.operation(operation::CALL_HANDLE, i64::from(handle).into(), args)?)?)
    }

    fn register_function(&mut self, name: &str, function: Rc<Function>) -> Result<()> {
        if name.len() > NAME_BYTES_MAX || name.contains('\0') || name.split('.').any(str::is_empty) {
            return Err(Error::usage(format!("{name:?} cannot be the name of a function")));
        }
        let id = self.functions().register(name, function);
        self.operation(operation::REGISTER, i64::from(id).into(), vec![name.into()]).map(drop)
    }
}

/// A function of Rust types as one of values.
fn now<A, R, E>(function: impl Fn(&mut Vm, A) -> std::result::Result<R, E> + 'static) -> Rc<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
    E: Into<Box<dyn StdError>>,
{
    Rc::new(move |vm, args, out| {
        let results = arguments(args).and_then(|args| answer(function(vm, args)));
        match results.and_then(|values| encode_values(&values, out).map_err(value_error)) {
            Ok(()) => CallOutcome::Returned,
            Err(error) => CallOutcome::Failed(error),
        }
    })
}

/// The arguments of a call as a type.
fn arguments<A: FromLuaMulti>(list: &[u8]) -> std::result::Result<A, HostError> {
    let values = decode_list(list).map_err(value_error)?;
    A::from_lua_multi(values).map_err(|error| Rc::new(error) as HostError)
}

fn answer<R, E>(result: std::result::Result<R, E>) -> std::result::Result<Vec<Value>, HostError>
where
    R: IntoLuaMulti,
    E: Into<Box<dyn StdError>>,
{
    match result {
        Ok(results) => results.into_lua_multi().map_err(|error| Rc::new(error) as HostError),
        Err(error) => Err(Rc::from(error.into())),
    }
}

impl From<crate::value::ConvertError> for Error {
    fn from(error: crate::value::ConvertError) -> Self {
        ErrorKind::Value(error.to_string()).into()
    }
}
