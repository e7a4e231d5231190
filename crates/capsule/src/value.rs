//! Values of SQLite as Rust owns them.

use crate::error::{CapsuleError, ErrorKind, Result};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A value of one of SQLite's five storage classes.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum SqlValue {
    /// NULL.
    #[default]
    Null,
    /// INTEGER, 64 bits.
    Integer(i64),
    /// REAL. SQLite keeps NaN as NULL.
    Real(f64),
    /// TEXT. UTF-8, unless somebody has written something else with CAST.
    Text(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

impl SqlValue {
    /// The text, if this is one and it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The integer, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }
}

impl From<ValueRef<'_>> for SqlValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(text.to_vec()),
            ValueRef::Blob(blob) => Self::Blob(blob.to_vec()),
        }
    }
}

impl SqlValue {
    /// The value that SQLite has, as one of its own; an error if there is no memory for it.
    pub(crate) fn read(value: ValueRef<'_>) -> Result<Self> {
        let owned = |bytes: &[u8]| -> Result<Vec<u8>> {
            let mut owned = Vec::new();
            owned.try_reserve_exact(bytes.len()).map_err(|_| {
                CapsuleError::new(
                    ErrorKind::Full,
                    format!("there is no memory for a value of {} bytes", bytes.len()),
                )
            })?;
            owned.extend_from_slice(bytes);
            Ok(owned)
        };
        Ok(match value {
            ValueRef::Text(text) => Self::Text(owned(text)?),
            ValueRef::Blob(blob) => Self::Blob(owned(blob)?),
            other => other.into(),
        })
    }

    /// Bytes that the value takes.
    pub(crate) fn bytes(&self) -> usize {
        let own = match self {
            Self::Text(bytes) | Self::Blob(bytes) => bytes.capacity(),
            _ => 0,
        };
        size_of::<Self>() + own
    }

    /// The value as SQLite's binding borrows it.
    pub(crate) fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }
    }
}

/// True for the same value in the same storage class, bit for bit.
pub(crate) fn is_same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.borrowed()))
    }
}

impl From<i64> for SqlValue {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<i32> for SqlValue {
    fn from(integer: i32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<u32> for SqlValue {
    fn from(integer: u32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<bool> for SqlValue {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<f64> for SqlValue {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<Vec<u8>> for SqlValue {
    fn from(blob: Vec<u8>) -> Self {
        Self::Blob(blob)
    }
}

impl From<&[u8]> for SqlValue {
    fn from(blob: &[u8]) -> Self {
        Self::Blob(blob.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
