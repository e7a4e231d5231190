//! The error of a conversion between Rust types and Lua values.

use super::path::Path;
use super::tree::Value;
use std::fmt;

/// A failed conversion: what was expected, what was found, and where. Displayed like
/// `bad value #2: expected integer, got string (at [3].name)`.
#[derive(Clone, PartialEq, Eq)]
pub struct ConvertError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    position: Option<usize>,
    path: Path,
    problem: String,
}

impl ConvertError {
    /// Makes an error with this text as its problem.
    pub fn new(problem: impl Into<String>) -> Self {
        ConvertError(Box::new(Details { position: None, path: Path::EMPTY, problem: problem.into() }))
    }

    /// Makes the error "expected `what`, got TYPE", with the type of `got`.
    pub fn expected(what: &str, got: &Value) -> Self {
        ConvertError::new(format!("expected {what}, got {}", type_name(got)))
    }

    /// Makes the error of a table with this key where a list was expected.
    pub(super) fn not_a_list(key: &Value) -> Self {
        let key = match key {
            Value::Integer(index) => index.to_string(),
            Value::String(name) => format!("{:?}", String::from_utf8_lossy(name)),
            other => format!("a {}", type_name(other)),
        };
        ConvertError::new(format!("expected list, got table with the key {key}"))
    }

    /// Puts `key` in front of the path: the error is about what a table holds there.
    #[must_use]
    pub fn at(mut self, key: &Value) -> Self {
        self.0.path.enter(key.into());
        self
    }

    /// Makes it the error of a key: what was refused is in the table that has it, and no part of that.
    pub(super) fn of_key(mut self) -> Self {
        self.0.path.clear();
        self
    }

    /// The position of the value, from 1, if it is one of several.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// The path inside the value, as Lua would write it: `[3].name`. Empty if the error is about the value
    /// itself; where it is long, the middle is left out (docs/rust-api.md).
    pub fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// Sets the position, unless it is known already.
    pub(super) fn numbered(mut self, position: usize) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// Moves the position by `before` values that stand in front.
    pub(super) fn after(mut self, before: usize) -> Self {
        self.0.position = self.0.position.map(|position| position + before);
        self
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { position, path, problem } = &*self.0;
        f.write_str("bad value")?;
        if let Some(position) = position {
            write!(f, " #{position}")?;
        }
        write!(f, ": {problem}")?;
        if path.as_str().is_empty() { Ok(()) } else { write!(f, " (at {})", path.as_str()) }
    }
}

impl fmt::Debug for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConvertError({:?})", self.to_string())
    }
}

impl std::error::Error for ConvertError {}

/// The type of a value, as error messages name it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) => "integer",
        Value::Float(_) => "float",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::ExternalTable(_) => "external table",
        Value::Function(_) | Value::HostFunction { .. } => "function",
        Value::Reference { lua_type: 8, .. } => "thread",
        Value::Reference { .. } => "userdata",
        Value::HostObject { .. } => "host object",
        Value::Null => "null",
    }
}
