//! One public error type. Its kind says who must act; `code` is the same word on the Rust and the JavaScript side.

use crate::store::StoreError;
use crate::value::Value;
use std::fmt;
use std::rc::Rc;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. One word in size; the details are behind it.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// Who must act.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The Lua program failed while it ran. Its author must act.
    Runtime(LuaError),
    /// The Lua program does not compile. Its author must act.
    Syntax(LuaError),
    /// Lua ran out of the memory it may use. The embedder may raise the limit; the VM stays usable.
    Memory(LuaError),
    /// The program ran longer than it may: `value` says whether time or fuel ended it. Its author must act, or the embedder
    /// allow more.
    Timeout(LuaError),
    /// The program was interrupted from outside.
    Interrupt(LuaError),
    /// The store refused. The embedder must act; the runtime stays usable.
    Storage(LuaError),
    /// A value cannot cross the border: too deep, malformed, or of a kind that does not travel. The caller must act.
    Value(String),
    /// The call came at a wrong moment, or with arguments that name nothing. The caller must act.
    Usage(String),
    /// We broke our own rule. Please report it.
    Bug(String),
}

/// A failure of a Lua program, as Lua told it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LuaError {
    /// The error value as text (through `__tostring`); bytes that are not UTF-8 are shown as U+FFFD, `value` has them all.
    pub message: String,
    /// Where the program was: the outermost call last.
    pub traceback: Option<String>,
    /// The chunk the error belongs to, as in the message.
    pub chunk: Option<String>,
    /// The line in that chunk, from 1.
    pub line: Option<u32>,
    /// The error value itself; nil when it cannot travel.
    pub value: Value,
    /// The error of a Rust function that Lua passed on: the very one.
    pub cause: Option<Rc<dyn std::error::Error>>,
    /// Under which the VM may still have the value.
    pub(crate) number: Option<u32>,
}

/// The cause is the same when it is the very one.
impl PartialEq for LuaError {
    fn eq(&self, other: &Self) -> bool {
        let cause = match (&self.cause, &other.cause) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let texts = |error: &Self| (error.message.clone(), error.traceback.clone(), error.chunk.clone());
        cause && texts(self) == texts(other) && self.line == other.line && self.value == other.value
    }
}

impl Error {
    /// Who must act, with the details.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The word for programs: `"runtime"`, `"syntax"`, `"memory"`, `"timeout"`, `"interrupt"`, `"storage"`, `"value"`, `"usage"` or `"bug"`.
    pub fn code(&self) -> &'static str {
        match &*self.0 {
            ErrorKind::Runtime(_) => "runtime",
            ErrorKind::Syntax(_) => "syntax",
            ErrorKind::Memory(_) => "memory",
            ErrorKind::Timeout(_) => "timeout",
            ErrorKind::Interrupt(_) => "interrupt",
            ErrorKind::Storage(_) => "storage",
            ErrorKind::Value(_) => "value",
            ErrorKind::Usage(_) => "usage",
            ErrorKind::Bug(_) => "bug",
        }
    }

    /// What Lua told, where Lua told it.
    pub fn lua(&self) -> Option<&LuaError> {
        match &*self.0 {
            ErrorKind::Runtime(e)
            | ErrorKind::Syntax(e)
            | ErrorKind::Memory(e)
            | ErrorKind::Timeout(e)
            | ErrorKind::Interrupt(e)
            | ErrorKind::Storage(e) => Some(e),
            ErrorKind::Value(_) | ErrorKind::Usage(_) | ErrorKind::Bug(_) => None,
        }
    }

    pub(crate) fn into_rc(self) -> Rc<dyn std::error::Error> {
        Rc::new(self)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        ErrorKind::Usage(message.into()).into()
    }

    pub(crate) fn bug(message: impl Into<String>) -> Self {
        ErrorKind::Bug(message.into()).into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Error(Box::new(kind))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        ErrorKind::Storage(LuaError { message: error.to_string(), ..LuaError::default() }).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ErrorKind::Value(text) | ErrorKind::Usage(text) => f.write_str(text),
            ErrorKind::Bug(text) => write!(f, "bug in Perilune: {text}"),
            ErrorKind::Runtime(e)
            | ErrorKind::Syntax(e)
            | ErrorKind::Memory(e)
            | ErrorKind::Timeout(e)
            | ErrorKind::Interrupt(e)
            | ErrorKind::Storage(e) => f.write_str(&e.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.lua().and_then(|error| error.cause.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
