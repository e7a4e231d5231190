//! Conversions between Rust types and Lua values.
//!
//! | Rust                             | into Lua                       | from Lua                          |
//! |----------------------------------|--------------------------------|-----------------------------------|
//! | `bool`                           | boolean                        | boolean, nothing else             |
//! | `i8` ... `u64`, `isize`, `usize` | integer, or error if too large | integer, or float that equals one |
//! | `f64`, `f32`                     | float                          | float, or integer (rounded)       |
//! | `String`, `&str`                 | string                         | string of UTF-8                   |
//! | [`Bytes`]                        | string                         | any string                        |
//! | `Option<T>`                      | nil, or the value              | `None` for nil and `json.null`    |
//! | `Vec<T>`, `[T; N]`               | list: table with keys 1..n     | table with only the keys 1..n     |
//! | `HashMap`, `BTreeMap`            | table                          | table                             |
//! | [`Table`], [`Value`]             | itself                         | itself                            |
//!
//! A nil inside a list or as a value of a map becomes `json.null`, so that nothing moves or is lost. Strings
//! and numbers are not converted into each other. A `Vec<u8>` is a list of numbers; a string of any bytes is
//! [`Bytes`].
//!
//! Not here: several values at a time (`multi`); types that implement only serde's traits (`serde`).

use super::convert_error::ConvertError;
use super::tree::{Table, TableData, Value};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// A type that becomes a Lua value.
pub trait IntoLua: Sized {
    /// Converts `self` into one value.
    ///
    /// # Errors
    /// Lua has no such value: an integer past 64 bits, nil or NaN as a key.
    fn into_lua(self) -> Result<Value, ConvertError>;

    /// Converts `self` into the values of an argument or result list: one, except for lists of [`Value`].
    #[doc(hidden)]
    fn into_values(self) -> Result<Vec<Value>, ConvertError> {
        Ok(vec![self.into_lua()?])
    }

    /// Implements `into_values` for lists of this type.
    #[doc(hidden)]
    fn list_into_values(list: Vec<Self>) -> Result<Vec<Value>, ConvertError> {
        Ok(vec![list_into_lua(list)?])
    }
}

/// A type that a Lua value becomes.
pub trait FromLua: Sized {
    /// Converts a value into this type.
    ///
    /// # Errors
    /// The value is of another type, or does not fit.
    fn from_lua(value: Value) -> Result<Self, ConvertError>;

    /// Converts an argument or result list into this type: its first value, except for lists of [`Value`].
    #[doc(hidden)]
    fn from_values(values: Vec<Value>) -> Result<Self, ConvertError> {
        Self::from_lua(values.into_iter().next().unwrap_or_default())
    }

    /// Implements `from_values` for lists of this type.
    #[doc(hidden)]
    fn list_from_values(values: Vec<Value>) -> Result<Vec<Self>, ConvertError> {
        list_from_lua(&values.into_iter().next().unwrap_or_default())
    }
}

/// A byte string, which need not be text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl IntoLua for Value {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(self)
    }

    fn list_into_values(list: Vec<Self>) -> Result<Vec<Value>, ConvertError> {
        Ok(list)
    }
}

impl FromLua for Value {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        Ok(value)
    }

    fn list_from_values(values: Vec<Value>) -> Result<Vec<Self>, ConvertError> {
        Ok(values)
    }
}

impl IntoLua for bool {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::Boolean(self))
    }
}

impl FromLua for bool {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Boolean(b) => Ok(b),
            other => Err(ConvertError::expected("boolean", &other)),
        }
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self) -> Result<Value, ConvertError> {
                integer_into_lua(self)
            }
        }

        impl FromLua for $type {
            fn from_lua(value: Value) -> Result<Self, ConvertError> {
                integer_from_lua(&value, stringify!($type))
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl IntoLua for f64 {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::Float(self))
    }
}

impl FromLua for f64 {
    /// Converts like `lua_tonumber`: an integer past 2^53 is rounded.
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Float(n) => Ok(n),
            #[allow(clippy::cast_precision_loss, reason = "what Lua does where it needs a float")]
            Value::Integer(i) => Ok(i as f64),
            other => Err(ConvertError::expected("number", &other)),
        }
    }
}

impl IntoLua for f32 {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::Float(f64::from(self)))
    }
}

impl FromLua for f32 {
    /// Converts like `f64`, and rounds to the nearest `f32`.
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        f64::from_lua(value).map(|n| n as f32)
    }
}

impl IntoLua for String {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::String(self.into_bytes()))
    }
}

impl IntoLua for &str {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::from(self))
    }
}

impl IntoLua for &String {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::from(self.as_str()))
    }
}

impl FromLua for String {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::String(bytes) => String::from_utf8(bytes)
                .map_err(|_| ConvertError::new("expected text, got a string that is not UTF-8")),
            other => Err(ConvertError::expected("string", &other)),
        }
    }
}

impl IntoLua for Bytes {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::String(self.0))
    }
}

impl FromLua for Bytes {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::String(bytes) => Ok(Bytes(bytes)),
            other => Err(ConvertError::expected("string", &other)),
        }
    }
}

impl<T: IntoLua> IntoLua for Option<T> {
    fn into_lua(self) -> Result<Value, ConvertError> {
        self.map_or(Ok(Value::Nil), T::into_lua)
    }
}

impl<T: FromLua> FromLua for Option<T> {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Nil | Value::Null => Ok(None),
            some => T::from_lua(some).map(Some),
        }
    }
}

impl IntoLua for Table {
    fn into_lua(self) -> Result<Value, ConvertError> {
        Ok(Value::Table(self))
    }
}

impl FromLua for Table {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Table(table) => Ok(table),
            other => Err(ConvertError::expected("table", &other)),
        }
    }
}

impl<T: IntoLua> IntoLua for Vec<T> {
    fn into_lua(self) -> Result<Value, ConvertError> {
        list_into_lua(self)
    }

    fn into_values(self) -> Result<Vec<Value>, ConvertError> {
        T::list_into_values(self)
    }
}

impl<T: FromLua> FromLua for Vec<T> {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        list_from_lua(&value)
    }

    fn from_values(values: Vec<Value>) -> Result<Self, ConvertError> {
        T::list_from_values(values)
    }
}

impl<T: IntoLua, const N: usize> IntoLua for [T; N] {
    fn into_lua(self) -> Result<Value, ConvertError> {
        list_into_lua(self.into())
    }

    fn into_values(self) -> Result<Vec<Value>, ConvertError> {
        T::list_into_values(self.into())
    }
}

impl<T: FromLua, const N: usize> FromLua for [T; N] {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        array_of(list_from_lua(&value)?)
    }

    fn from_values(values: Vec<Value>) -> Result<Self, ConvertError> {
        array_of(T::list_from_values(values)?)
    }
}

impl<K: IntoLua, V: IntoLua, S> IntoLua for HashMap<K, V, S> {
    fn into_lua(self) -> Result<Value, ConvertError> {
        map_into_lua(self)
    }
}

impl<K: FromLua + Eq + Hash, V: FromLua, S: BuildHasher + Default> FromLua for HashMap<K, V, S> {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        map_from_lua(&value)
    }
}

impl<K: IntoLua, V: IntoLua> IntoLua for BTreeMap<K, V> {
    fn into_lua(self) -> Result<Value, ConvertError> {
        map_into_lua(self)
    }
}

impl<K: FromLua + Ord, V: FromLua> FromLua for BTreeMap<K, V> {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        map_from_lua(&value)
    }
}

/// Converts an integer of any type, if it fits in 64 bits with a sign.
pub(super) fn integer_into_lua<T: TryInto<i64> + fmt::Display + Copy>(n: T) -> Result<Value, ConvertError> {
    n.try_into()
        .map(Value::Integer)
        .map_err(|_| ConvertError::new(format!("{n} is out of range for Lua's integers")))
}

fn integer_from_lua<T: TryFrom<i64>>(value: &Value, name: &str) -> Result<T, ConvertError> {
    let integer = match *value {
        Value::Integer(i) => i,
        Value::Float(n) => {
            integral(n).ok_or_else(|| ConvertError::new(format!("expected integer, got {n:?}")))?
        }
        ref other => return Err(ConvertError::expected("integer", other)),
    };
    T::try_from(integer).map_err(|_| ConvertError::new(format!("{integer} is out of range for {name}")))
}

/// Converts a float to the integer that it equals, or `None` (manual, section 3.4.3).
pub(super) fn integral(n: f64) -> Option<i64> {
    // Both bounds are exact: -2^63 is the first that fits, 2^63 the first that does not.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    (n.fract() == 0.0 && (-BOUND..BOUND).contains(&n)).then_some(n as i64)
}

fn list_into_lua<T: IntoLua>(list: Vec<T>) -> Result<Value, ConvertError> {
    let element = |(index, element): (usize, T)| {
        element.into_lua().map(present).map_err(|error| error.at(&index_key(index)))
    };
    let array: Vec<Value> = list.into_iter().enumerate().map(element).collect::<Result<_, _>>()?;
    Ok(Table::from(array).into())
}

fn list_from_lua<T: FromLua>(value: &Value) -> Result<Vec<T>, ConvertError> {
    let Value::Table(table) = value else { return Err(ConvertError::expected("list", value)) };
    // A copy: `T::from_lua` may be foreign code, and could change the table.
    let TableData { array, pairs } = table.with(TableData::clone);
    if let Some((key, _)) = pairs.first() {
        return Err(ConvertError::not_a_list(key));
    }
    let element = |(index, element)| T::from_lua(element).map_err(|error| error.at(&index_key(index)));
    array.into_iter().enumerate().map(element).collect()
}

fn array_of<T, const N: usize>(list: Vec<T>) -> Result<[T; N], ConvertError> {
    list.try_into()
        .map_err(|list: Vec<T>| ConvertError::new(format!("expected {N} in a list, got {}", list.len())))
}

fn map_into_lua<K: IntoLua, V: IntoLua>(
    map: impl IntoIterator<Item = (K, V)>,
) -> Result<Value, ConvertError> {
    let mut entries = Entries::default();
    for (key, value) in map {
        let key = key.into_lua().map_err(ConvertError::of_key)?;
        let value = value.into_lua().map_err(|error| error.at(&key))?;
        entries.insert(key, present(value))?;
    }
    Ok(entries.into_table().into())
}

fn map_from_lua<K: FromLua, V: FromLua, M: FromIterator<(K, V)>>(value: &Value) -> Result<M, ConvertError> {
    let Value::Table(table) = value else { return Err(ConvertError::expected("table", value)) };
    let TableData { array, pairs } = table.with(TableData::clone);
    let numbered = array.into_iter().enumerate().map(|(index, value)| (index_key(index), value));
    numbered
        .chain(pairs)
        .map(|(key, value)| {
            let value = V::from_lua(value).map_err(|error| error.at(&key))?;
            let read = K::from_lua(key.clone()).map_err(|error| error.at(&key))?;
            Ok((read, value))
        })
        .collect()
}

/// Replaces nil, which a table cannot hold, by `json.null`.
pub(super) fn present(value: Value) -> Value {
    if value == Value::Nil { Value::Null } else { value }
}

/// The Lua key, counted from 1, of the element with this Rust index, counted from 0.
pub(super) fn index_key(index: usize) -> Value {
    Value::Integer(index as i64 + 1)
}

/// A table under construction: collects entries in any order, and separates the keys 1..n from all others.
#[derive(Debug, Default)]
pub(super) struct Entries {
    numbered: BTreeMap<i64, Value>,
    others: Vec<(Value, Value)>,
}

impl Entries {
    /// Adds an entry. A float key with an integer value becomes that integer, as in Lua (manual, section
    /// 2.1).
    pub(super) fn insert(&mut self, key: Value, value: Value) -> Result<(), ConvertError> {
        let key = match key {
            Value::Nil => return Err(ConvertError::new("nil cannot be a key")),
            Value::Float(n) if n.is_nan() => return Err(ConvertError::new("NaN cannot be a key")),
            Value::Float(n) => integral(n).map_or(Value::Float(n), Value::Integer),
            other => other,
        };
        match key {
            Value::Integer(index) if index > 0 => drop(self.numbered.insert(index, value)),
            other => self.others.push((other, value)),
        }
        Ok(())
    }

    pub(super) fn into_table(self) -> Table {
        let Entries { mut numbered, others: mut pairs } = self;
        let mut array = Vec::new();
        while let Some(value) = numbered.remove(&(array.len() as i64 + 1)) {
            array.push(value);
        }
        pairs.extend(numbered.into_iter().map(|(index, value)| (Value::Integer(index), value)));
        TableData { array, pairs }.into()
    }
}
