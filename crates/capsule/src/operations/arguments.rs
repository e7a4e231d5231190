//! Arguments of an operation: values of SQL, rows, keys and parameters (docs/codec.md, section 7).
//!
//! Text and blobs are apart here, as they are on the host's side: a string is text, a list of one string is a
//! blob.

use crate::conn::Params;
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use perilune::value::{Decoder, FormatError, Token};

/// Names and values of a row.
pub(super) type OwnedRow = Vec<(String, SqlValue)>;

/// Arguments that are left to be read.
pub(super) struct Arguments<'a>(Decoder<'a>);

/// Parameters of a statement.
pub(super) enum OwnedParams {
    List(Vec<SqlValue>),
    Named(OwnedRow),
}

impl OwnedParams {
    /// Gives them to a statement.
    pub(super) fn give<T>(&self, to: impl FnOnce(Params<'_>) -> T) -> T {
        match self {
            Self::List(values) => to(Params::List(values)),
            Self::Named(row) => to(Params::Named(&borrowed(row))),
        }
    }

    /// The values, where they have no names.
    pub(super) fn into_list(self) -> Result<Vec<SqlValue>> {
        match self {
            Self::List(values) => Ok(values),
            Self::Named(_) => Err(CapsuleError::usage("parameters by their names are not possible here")),
        }
    }
}

/// The row as the database takes it. Its values go with it.
pub(super) fn taken(row: &mut OwnedRow) -> Vec<(&str, SqlValue)> {
    row.iter_mut().map(|(name, value)| (name.as_str(), std::mem::take(value))).collect()
}

/// Names and values as parameters.
fn borrowed(row: &OwnedRow) -> Vec<(&str, SqlValue)> {
    row.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

fn malformed(error: FormatError) -> CapsuleError {
    CapsuleError::usage(format!("the arguments of the operation are malformed: {error}"))
}

fn wrong(wanted: &str) -> CapsuleError {
    CapsuleError::usage(format!("the arguments of the operation are malformed: {wanted} is expected"))
}

impl<'a> Arguments<'a> {
    /// The arguments in a list.
    pub(super) fn read(input: &'a [u8]) -> Result<Self> {
        let mut decoder = Decoder::new(input);
        decoder.count().map_err(malformed)?;
        Ok(Self(decoder))
    }

    fn token(&mut self) -> Result<Token<'a>> {
        self.0.token().map_err(malformed)
    }

    fn is_at_end(&self) -> bool {
        self.0.remaining() == 0
    }

    fn utf8(bytes: &[u8]) -> Result<String> {
        let text = str::from_utf8(bytes).map(str::to_owned);
        text.map_err(|_| CapsuleError::usage("names and SQL are UTF-8, and this is not"))
    }

    /// A text: a name, or SQL.
    pub(super) fn text(&mut self) -> Result<String> {
        match self.token()? {
            Token::String(bytes) => Self::utf8(bytes),
            _ => Err(wrong("a text")),
        }
    }

    /// A text, or nil.
    pub(super) fn optional_text(&mut self) -> Result<Option<String>> {
        match self.token()? {
            Token::Nil => Ok(None),
            Token::String(bytes) => Self::utf8(bytes).map(Some),
            _ => Err(wrong("a text or nil")),
        }
    }

    /// Bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        match self.token()? {
            Token::String(bytes) => Ok(bytes),
            _ => Err(wrong("bytes")),
        }
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        match self.token()? {
            Token::Boolean(flag) => Ok(flag),
            _ => Err(wrong("a boolean")),
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        match self.token()? {
            Token::Integer(integer) => Ok(integer),
            _ => Err(wrong("an integer")),
        }
    }

    /// An integer, or nil.
    pub(super) fn optional_integer(&mut self) -> Result<Option<i64>> {
        match self.token()? {
            Token::Nil => Ok(None),
            Token::Integer(integer) => Ok(Some(integer)),
            _ => Err(wrong("an integer or nil")),
        }
    }

    /// A number that counts.
    pub(super) fn count(&mut self) -> Result<usize> {
        usize::try_from(self.integer()?).map_err(|_| wrong("a count"))
    }

    /// A value of SQL.
    pub(super) fn value(&mut self) -> Result<SqlValue> {
        Ok(match self.token()? {
            Token::Nil | Token::Null => SqlValue::Null,
            Token::Boolean(flag) => flag.into(),
            Token::Integer(integer) => integer.into(),
            Token::Float(float) => SqlValue::Real(float),
            Token::String(bytes) => SqlValue::Text(bytes.into()),
            Token::Table { array: 1, pairs: 0 } => SqlValue::Blob(self.bytes()?.into()),
            _ => return Err(wrong("a value of SQL")),
        })
    }

    /// A key: the number of its values, then these.
    pub(super) fn key(&mut self) -> Result<Vec<SqlValue>> {
        let count = self.count()?;
        (0..count).map(|_| self.value()).collect()
    }

    /// A row: the number of its columns, then each name with its value.
    pub(super) fn row(&mut self) -> Result<OwnedRow> {
        let count = self.count()?;
        (0..count).map(|_| Ok((self.text()?, self.value()?))).collect()
    }

    /// Parameters, up to the end: a boolean, true for those with names; then values, each behind its name if
    /// it has one. Nothing at all is no parameters.
    pub(super) fn params(&mut self) -> Result<OwnedParams> {
        if self.is_at_end() {
            return Ok(OwnedParams::List(Vec::new()));
        }
        let named = self.boolean()?;
        let mut row = Vec::new();
        let mut values = Vec::new();
        while !self.is_at_end() {
            if named {
                row.push((self.text()?, self.value()?));
            } else {
                values.push(self.value()?);
            }
        }
        Ok(if named { OwnedParams::Named(row) } else { OwnedParams::List(values) })
    }

    /// Texts in pairs, up to the end.
    pub(super) fn pairs(&mut self) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        while !self.is_at_end() {
            pairs.push((self.text()?, self.text()?));
        }
        Ok(pairs)
    }
}
