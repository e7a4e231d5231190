//! Lua values as errors of Rust functions.

use crate::value::{ConvertError, IntoLua, IntoLuaMulti, Value};
use std::fmt;

/// An error of a Rust function that is a given Lua value, as `error(value)` raises it: the script gets that
/// value, not a description of a Rust error.
///
/// ```
/// # use perilune::{Raise, Runtime, Table, Value, Vm};
/// let mut lua = Runtime::builder().build()?;
/// lua.register("refuse", |_: &mut Vm, ()| {
///     let error = Table::new();
///     error.with_mut(|data| data.pairs.push(("code".into(), 42.into())));
///     Err::<(), _>(Raise::value(error))
/// })?;
/// assert_eq!(lua.eval("local ok, e = pcall(refuse); return ok, e.code")?.values, [false.into(), 42.into()]);
/// # Ok::<(), perilune::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Raise(pub(crate) Raised);

/// The value to be raised.
#[derive(Debug, Clone)]
pub(crate) enum Raised {
    Value(Value),
    /// The first result of a Lua function.
    Result {
        function: u32,
        args: Vec<Value>,
    },
}

impl Raise {
    /// Raises this value. A value that has no place in Lua is raised as the error that says so.
    pub fn value(value: impl IntoLua) -> Self {
        Raise(Raised::Value(value.into_lua().unwrap_or_else(|error| problem(&error))))
    }

    /// Raises the first result of a Lua function, by its handle ([`Value::Function`]), called with `args`: a
    /// table with a metatable, for example. An error of that function is raised in its place.
    pub fn result_of(function: u32, args: impl IntoLuaMulti) -> Self {
        match args.into_lua_multi() {
            Ok(args) => Raise(Raised::Result { function, args }),
            Err(error) => Raise(Raised::Value(problem(&error))),
        }
    }
}

fn problem(error: &ConvertError) -> Value {
    error.to_string().as_str().into()
}

impl fmt::Display for Raise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Raised::Value(Value::String(text)) => write!(f, "{}", String::from_utf8_lossy(text)),
            Raised::Value(value) => write!(f, "{value:?}"),
            Raised::Result { .. } => f.write_str("an error that a Lua function makes"),
        }
    }
}

impl std::error::Error for Raise {}
