//! Errors between Lua and the capsule: in Lua an error of the capsule is a table with `kind`, `code`,
//! `message`, `sql` and `cause`, and the place in the script, `chunk` and `line`. It shows its message as
//! text.

use crate::error::{CapsuleError, ErrorKind};
use perilune::value::FormatError;
use perilune::{Error, LuaError, Raise, Table, Value};
use std::rc::Rc;

/// A failure of a function that writes its results: of the capsule, or in writing them.
pub(crate) enum Failure {
    Capsule(CapsuleError),
    Format(FormatError),
}

impl From<CapsuleError> for Failure {
    fn from(error: CapsuleError) -> Self {
        Self::Capsule(error)
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

/// The error as Lua raises it. `make` is the function of the prelude that makes the table.
pub(super) fn raise(make: u32, error: &CapsuleError) -> Raise {
    let text = |text: Option<&str>| text.map_or(Value::Nil, Value::from);
    let cause = error.cause().and_then(Error::lua);
    let line = cause.and_then(|cause| cause.line).map_or(Value::Nil, |line| i64::from(line).into());
    let fields = vec![
        error.kind().name().into(),
        text(error.code()),
        error.message().into(),
        text(error.sql()),
        cause.map_or(Value::Nil, |cause| cause.value.clone()),
        text(cause.and_then(|cause| cause.chunk.as_deref()).filter(|_| line != Value::Nil)),
        line,
    ];
    Raise::result_of(make, perilune::Variadic(fields))
}

/// The error that a script has ended with. One that the capsule has raised is that error again.
pub(crate) fn from_script(error: Error) -> CapsuleError {
    if let perilune::ErrorKind::Timeout(lua) | perilune::ErrorKind::Interrupt(lua) = error.kind() {
        return CapsuleError::new(ErrorKind::Timeout, lua.message.clone()).caused_by(Rc::new(error));
    }
    if let perilune::ErrorKind::Memory(lua) = error.kind() {
        return CapsuleError::new(ErrorKind::Limit, lua.message.clone()).caused_by(Rc::new(error));
    }
    match own(&error) {
        Some((own, cause)) => own.caused_by(Rc::new(cause)),
        None => CapsuleError::new(ErrorKind::Lua, message(&error)).caused_by(Rc::new(error)),
    }
}

/// An error of a script of which the place is known, and nothing else.
pub(super) fn raised_at(message: String, chunk: Option<String>, line: Option<u32>) -> Rc<Error> {
    let mut lua = LuaError::default();
    (lua.value, lua.message) = (message.as_str().into(), message);
    (lua.chunk, lua.line) = (chunk, line);
    Rc::new(perilune::ErrorKind::Runtime(lua).into())
}

/// The error with which a hook has refused a change.
pub(super) fn from_hook(error: Error) -> CapsuleError {
    let known = from_script(error);
    if known.kind() == ErrorKind::Lua { known.of_kind(ErrorKind::Veto) } else { known }
}

fn message(error: &Error) -> String {
    error.lua().map_or_else(|| error.to_string(), |lua| lua.message.clone())
}

/// The error of the capsule that the error value is, and its cause: the error of Lua with the place where it
/// was raised first.
fn own(error: &Error) -> Option<(CapsuleError, Error)> {
    let lua = error.lua()?;
    let Value::Table(table) = &lua.value else { return None };
    let field = |name: &str| match table.get(&name.into()) {
        Value::String(bytes) => Some(bytes),
        _ => None,
    };
    let kind = ErrorKind::by_name(&field("kind")?)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let mut own = CapsuleError::new(kind, text(field("message")?));
    if let Some(code) = field("code") {
        own = own.with_code(&code);
    }
    if let Some(sql) = field("sql") {
        own = own.in_sql(&text(sql));
    }
    let mut lua = lua.clone();
    if let (Some(chunk), Value::Integer(line)) = (field("chunk"), table.get(&"line".into())) {
        (lua.chunk, lua.line) = (Some(text(chunk)), u32::try_from(line).ok());
    }
    Some((own, cause(table, lua)))
}

/// The error of Lua behind an error of the capsule: one of the compiler if a mod does not compile.
fn cause(table: &Table, mut lua: LuaError) -> Error {
    if table.get(&"syntax".into()) != Value::Boolean(true) {
        return perilune::ErrorKind::Runtime(lua).into();
    }
    (lua.value, lua.traceback) = (lua.message.as_str().into(), None);
    perilune::ErrorKind::Syntax(lua).into()
}
