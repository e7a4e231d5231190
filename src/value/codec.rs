//! Encoding and decoding of [`Value`] trees.

use super::format::{Decoder, Encoder, FormatError, Token};
use super::path::{Key, Path};
use super::tree::{Table, TableData, Value};
use crate::limits::VALUE_DEPTH_MAX;
use std::collections::HashMap;
use std::fmt;

/// Appends one value to `out`, as a message of its own (docs/codec.md, section 1).
///
/// # Errors
/// Nesting past `VALUE_DEPTH_MAX` tables, a nil or NaN key or a nil inside a table, or no memory. `out` may
/// then hold a part of the value.
pub fn encode_value(value: &Value, out: &mut Vec<u8>) -> Result<(), FormatError> {
    TreeEncoder::new(out).value(value, 0)
}

/// Appends a list to `out`: a count, then the values. Tables that several values share stay shared.
///
/// # Errors
/// The same as [`encode_value`].
pub fn encode_list(values: &[Value], out: &mut Vec<u8>) -> Result<(), FormatError> {
    TreeEncoder::new(out).list(values)
}

/// Appends a list like [`encode_list`], with an error that says where in the values its reason is.
pub(crate) fn encode_values(values: &[Value], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let mut encoder = TreeEncoder::new(out);
    let written = encoder.list(values);
    written.map_err(|error| Misfit { error, path: encoder.refused })
}

/// A value that cannot be encoded, and where in it that is. Displayed like
/// `value is nested more than 200 tables deep (at .next.next)`.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) error: FormatError,
    path: Option<Box<Path>>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, " (at {})", path.as_str()))
    }
}

/// Decodes the one value that `bytes` hold.
///
/// # Errors
/// Malformed bytes, or bytes left over after the value.
pub fn decode_value(bytes: &[u8]) -> Result<Value, FormatError> {
    decode(bytes, |decoder| decoder.value(0))
}

/// Decodes the one list that `bytes` hold.
///
/// # Errors
/// Malformed bytes, or bytes left over after the list.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<Value>, FormatError> {
    decode(bytes, |decoder| {
        let count = decoder.input.count()?;
        (0..count).map(|_| decoder.value(0)).collect()
    })
}

fn decode<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut TreeDecoder<'a>) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let mut decoder = TreeDecoder { input: Decoder::new(bytes), tables: Vec::new() };
    let result = read(&mut decoder).and_then(|value| decoder.input.clone().finish().map(|()| value));
    if result.is_err() {
        // The caller never gets these tables, so it could not break their cycles.
        decoder.tables.iter().for_each(Table::dismantle);
    }
    result
}

struct TreeEncoder<'a> {
    out: Encoder<'a>,
    /// Numbers of the tables written so far, by address.
    seen: HashMap<usize, u32>,
    /// Path to what was refused, while the error unwinds.
    refused: Option<Box<Path>>,
}

impl<'a> TreeEncoder<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        TreeEncoder { out: Encoder::new(out), seen: HashMap::new(), refused: None }
    }

    fn list(&mut self, values: &[Value]) -> Result<(), FormatError> {
        self.out.u32(u32::try_from(values.len()).map_err(|_| FormatError::OutOfMemory)?)?;
        values.iter().try_for_each(|value| self.value(value, 0))
    }

    /// Puts the key in front under which something was refused.
    #[cold]
    fn leave(&mut self, key: Key<'_>) {
        self.refused.get_or_insert_with(|| Box::new(Path::EMPTY)).enter(key);
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), FormatError> {
        match value {
            Value::Nil => self.out.nil(),
            Value::Boolean(b) => self.out.boolean(*b),
            Value::Integer(i) => self.out.integer(*i),
            Value::Float(n) => self.out.float(*n),
            Value::String(bytes) => self.out.string(bytes),
            Value::Table(table) => self.table(table, depth),
            Value::ExternalTable(name) => self.out.external_table(name),
            Value::Function(handle) => self.out.function(*handle),
            Value::Reference { lua_type, handle } => self.out.reference(*lua_type, *handle),
            Value::HostFunction { id, name } => self.out.host_function(*id, name),
            Value::HostObject { id, label } => self.out.host_object(*id, label),
            Value::Null => self.out.null(),
        }
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), FormatError> {
        if let Some(&number) = self.seen.get(&table.address()) {
            return self.out.back_reference(number);
        }
        if depth >= VALUE_DEPTH_MAX {
            return Err(FormatError::TooDeep);
        }
        self.seen.insert(table.address(), self.seen.len() as u32);
        table.with(|data| {
            if data.array.is_empty() && table.is_list() {
                return self.out.empty_list();
            }
            let count = |n: usize| u32::try_from(n).map_err(|_| FormatError::OutOfMemory);
            self.out.table(count(data.array.len())?, count(data.pairs.len())?)?;
            for (index, value) in data.array.iter().enumerate() {
                self.entry(value, depth).inspect_err(|_| self.leave(Key::Integer(index as i64 + 1)))?;
            }
            for (key, value) in &data.pairs {
                if matches!(key, Value::Float(n) if n.is_nan()) {
                    return Err(FormatError::BadTableEntry);
                }
                // A key that is refused has none: the path leads to its table.
                self.entry(key, depth).inspect_err(|_| self.refused = None)?;
                self.entry(value, depth).inspect_err(|_| self.leave(key.into()))?;
            }
            Ok(())
        })
    }

    fn entry(&mut self, value: &Value, depth: usize) -> Result<(), FormatError> {
        if *value == Value::Nil { Err(FormatError::BadTableEntry) } else { self.value(value, depth + 1) }
    }
}

struct TreeDecoder<'a> {
    input: Decoder<'a>,
    /// The tables begun so far; the index is the number that back-references use.
    tables: Vec<Table>,
}

impl TreeDecoder<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, FormatError> {
        Ok(match self.input.token()? {
            Token::Nil => Value::Nil,
            Token::Boolean(b) => Value::Boolean(b),
            Token::Integer(i) => Value::Integer(i),
            Token::Float(n) => Value::Float(n),
            Token::String(bytes) => Value::String(bytes.to_vec()),
            Token::Table { array, pairs } => Value::Table(self.table(array, pairs, depth)?),
            Token::EmptyList => Value::Table(self.begin(Table::from(Vec::new()), depth)?),
            Token::BackReference(n) => {
                Value::Table(self.tables.get(n as usize).cloned().ok_or(FormatError::BadReference(n))?)
            }
            Token::ExternalTable(name) => Value::ExternalTable(name.to_vec()),
            Token::Function(handle) => Value::Function(handle),
            Token::Reference { lua_type, handle } => Value::Reference { lua_type, handle },
            Token::HostFunction { id, name } => Value::HostFunction { id, name: name.to_vec() },
            Token::HostObject { id, label } => Value::HostObject { id, label: label.to_vec() },
            Token::Null => Value::Null,
        })
    }

    /// Gives a table its number.
    fn begin(&mut self, table: Table, depth: usize) -> Result<Table, FormatError> {
        if depth >= VALUE_DEPTH_MAX {
            return Err(FormatError::TooDeep);
        }
        self.tables.push(table.clone());
        Ok(table)
    }

    fn table(&mut self, array: u32, pairs: u32, depth: usize) -> Result<Table, FormatError> {
        let table = self.begin(Table::new(), depth)?;
        let mut data = TableData::default();
        for _ in 0..array {
            data.array.push(self.entry(depth)?);
        }
        for _ in 0..pairs {
            let key = self.entry(depth)?;
            if matches!(key, Value::Float(n) if n.is_nan()) {
                return Err(FormatError::BadTableEntry);
            }
            let value = self.entry(depth)?;
            data.pairs.push((key, value));
        }
        table.with_mut(|place| *place = data);
        Ok(table)
    }

    fn entry(&mut self, depth: usize) -> Result<Value, FormatError> {
        match self.value(depth + 1)? {
            Value::Nil => Err(FormatError::BadTableEntry),
            value => Ok(value),
        }
    }
}
