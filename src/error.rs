//! The public error type. Its kind says who must act; `code` is the same word in Rust and in JavaScript.

use crate::store::StoreError;
use crate::value::Value;
use std::fmt;
use std::rc::Rc;

/// A `Result` with [`Error`] as its default error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure of the runtime. One word in size; the details are boxed.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// The kinds of [`Error`], by who must act.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The Lua program failed while it ran. Its author must act.
    Runtime(LuaError),
    /// The Lua program does not compile. Its author must act.
    Syntax(LuaError),
    /// Lua ran out of the memory it may use. The embedder may raise the limit; the VM stays usable.
    Memory(LuaError),
    /// The program used up its time or its fuel; `value` is `"timeout"` or `"fuel"`. Its author must act, or
    /// the embedder raise the limit.
    Timeout(LuaError),
    /// The program was interrupted from outside.
    Interrupt(LuaError),
    /// The program has ended itself (`os.exit`); `value` is its exit code. Whoever runs it decides what that
    /// means.
    Exit(LuaError),
    /// The store of external tables refused an operation. The embedder must act; the runtime stays usable.
    Storage(LuaError),
    /// A value cannot be converted between Lua and the host: too deep, malformed, or of a type that has no
    /// equivalent. The caller must act.
    Value(String),
    /// The call is not allowed now, or an argument names something that does not exist. The caller must act.
    Usage(String),
    /// An internal error of Perilune. Please report it.
    Bug(String),
}

/// The failure of a Lua program.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LuaError {
    /// The error value as text (through `__tostring`); bytes that are not UTF-8 are shown as U+FFFD, `value`
    /// has them all.
    pub message: String,
    /// The stack of calls where the error was raised, the outermost call last.
    pub traceback: Option<String>,
    /// The chunk the error belongs to, as in the message.
    pub chunk: Option<String>,
    /// The line in that chunk, from 1.
    pub line: Option<u32>,
    /// The error value itself; nil if it cannot be converted.
    pub value: Value,
    /// The error that a Rust function returned, if it is the origin: the same object, not a copy.
    pub cause: Option<Rc<dyn std::error::Error>>,
    /// The number under which the VM may still hold the error value.
    pub(crate) number: Option<u32>,
}

/// Compares causes by identity, and everything else by value.
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
    /// The kind of the error, with the details.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The kind as a word for programs: `"runtime"`, `"syntax"`, `"memory"`, `"timeout"`, `"interrupt"`,
    /// `"exit"`, `"storage"`, `"value"`, `"usage"` or `"bug"`.
    pub fn code(&self) -> &'static str {
        match &*self.0 {
            ErrorKind::Runtime(_) => "runtime",
            ErrorKind::Syntax(_) => "syntax",
            ErrorKind::Memory(_) => "memory",
            ErrorKind::Timeout(_) => "timeout",
            ErrorKind::Interrupt(_) => "interrupt",
            ErrorKind::Exit(_) => "exit",
            ErrorKind::Storage(_) => "storage",
            ErrorKind::Value(_) => "value",
            ErrorKind::Usage(_) => "usage",
            ErrorKind::Bug(_) => "bug",
        }
    }

    /// The details of a failure of a Lua program; `None` for the other kinds.
    pub fn lua(&self) -> Option<&LuaError> {
        match &*self.0 {
            ErrorKind::Runtime(e)
            | ErrorKind::Syntax(e)
            | ErrorKind::Memory(e)
            | ErrorKind::Timeout(e)
            | ErrorKind::Interrupt(e)
            | ErrorKind::Exit(e)
            | ErrorKind::Storage(e) => Some(e),
            ErrorKind::Value(_) | ErrorKind::Usage(_) | ErrorKind::Bug(_) => None,
        }
    }

    /// True for a source that ends before what it has begun (`for i = 1, 3 do`): more lines may complete it.
    pub fn is_incomplete(&self) -> bool {
        matches!(&*self.0, ErrorKind::Syntax(error) if error.message.ends_with("near <eof>"))
    }

    /// The token at which the compiler gave up, as it stands in the source; `None` at its end, where no token
    /// is meant, and for other errors.
    pub fn syntax_token(&self) -> Option<&str> {
        let ErrorKind::Syntax(error) = &*self.0 else { return None };
        // A name of a chunk may be anything.
        let chunk = error.chunk.as_deref().unwrap_or_default();
        let (_, token) = error.message.strip_prefix(chunk)?.split_once(" near '")?;
        token.strip_suffix('\'')
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
        let kind = match error {
            StoreError::OutOfMemory => ErrorKind::Memory,
            _ => ErrorKind::Storage,
        };
        kind(LuaError { message: error.to_string(), ..LuaError::default() }).into()
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
            | ErrorKind::Exit(e)
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
