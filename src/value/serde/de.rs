//! Deserialization: `from_value`, and `Deserialize` for `Value`.

use super::{deeper, too_deep};
use crate::limits::VALUE_DEPTH_MAX;
use crate::value::convert::{Entries, index_key, integral, present};
use crate::value::convert_error::{ConvertError, type_name};
use crate::value::tree::{Table, Value};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt::{self, Display};

/// Converts a value into any type that serde can deserialize.
///
/// # Errors
/// The value is of another shape, holds a function, reference, external table or host object, or is nested
/// past 200 tables.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ConvertError> {
    T::deserialize(FromValue { value, depth: 0 })
}

impl serde::de::Error for ConvertError {
    fn custom<T: Display>(message: T) -> Self {
        ConvertError::new(message.to_string())
    }
}

/// Deserializer of a value that is inside `depth` tables.
struct FromValue {
    value: Value,
    depth: usize,
}

impl FromValue {
    /// Gives the value to a visitor of integers: a float that equals an integer is given as one.
    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        // The first float that is no u64; the cast below is exact beneath it.
        const BOUND: f64 = 18_446_744_073_709_551_616.0;
        match self.value {
            Value::Float(n) => match integral(n) {
                Some(integer) => visitor.visit_i64(integer),
                None if n.fract() == 0.0 && (0.0..BOUND).contains(&n) => visitor.visit_u64(n as u64),
                None => visitor.visit_f64(n),
            },
            value => FromValue { value, ..self }.deserialize_any(visitor),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        let Value::Table(table) = self.value else { return self.deserialize_any(visitor) };
        if let Some((key, _)) = table.with(|data| data.pairs.first().cloned()) {
            return Err(ConvertError::not_a_list(&key));
        }
        let mut elements = Elements { table, next: 0, depth: deeper(self.depth)? };
        let list = visitor.visit_seq(&mut elements)?;
        match elements.left() {
            0 => Ok(list),
            left => Err(ConvertError::new(format!("expected {} in a list, got {left} more", elements.next))),
        }
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        let Value::Table(table) = self.value else { return self.deserialize_any(visitor) };
        visitor.visit_map(Pairs { table, next: 0, depth: deeper(self.depth)?, last: None })
    }
}

impl<'de> Deserializer<'de> for FromValue {
    type Error = ConvertError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.value {
            Value::Nil | Value::Null => visitor.visit_unit(),
            Value::Boolean(b) => visitor.visit_bool(b),
            Value::Integer(i) => visitor.visit_i64(i),
            Value::Float(n) => visitor.visit_f64(n),
            Value::String(bytes) => match String::from_utf8(bytes) {
                Ok(text) => visitor.visit_string(text),
                Err(other) => visitor.visit_byte_buf(other.into_bytes()),
            },
            Value::Table(ref table) => {
                if table.is_list() {
                    self.list(visitor)
                } else {
                    self.map(visitor)
                }
            }
            other => Err(ConvertError::new(format!("a value of type {} is not data", type_name(&other)))),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.integer(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.value {
            Value::String(bytes) => visitor.visit_byte_buf(bytes),
            Value::Table(_) => self.list(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.value {
            Value::Nil | Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ConvertError> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        match self.value {
            Value::Table(table) => {
                let only = table.with(|data| match (&data.array[..], &data.pairs[..]) {
                    ([], [only]) => Some(only.clone()),
                    _ => None,
                });
                let (name, value) = only.ok_or_else(|| {
                    ConvertError::new("expected a variant, got table without exactly one key")
                })?;
                visitor.visit_enum(Variant { name, value, depth: deeper(self.depth)? })
            }
            name @ Value::String(_) => {
                visitor.visit_enum(Variant { name, value: Value::Nil, depth: self.depth })
            }
            other => Err(ConvertError::expected("a variant", &other)),
        }
    }

    /// Reads a field's name. A struct has no field `1`, so an integer is read as an unknown name.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.value {
            Value::Integer(index) => visitor.visit_string(index.to_string()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bool f32 f64 char str string unit unit_struct }
}

/// The elements of a list, one after the other. The table is not borrowed while a `Deserialize` runs: that
/// may be foreign code.
struct Elements {
    table: Table,
    next: usize,
    depth: usize,
}

impl Elements {
    fn left(&self) -> usize {
        self.table.with(|data| data.array.len().saturating_sub(self.next))
    }
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = ConvertError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ConvertError> {
        let Some(value) = self.table.with(|data| data.array.get(self.next).cloned()) else { return Ok(None) };
        let key = index_key(self.next);
        self.next += 1;
        let element = seed.deserialize(FromValue { value, depth: self.depth });
        element.map(Some).map_err(|error| error.at(&key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left())
    }
}

/// The pairs of a table, those of its array part first.
struct Pairs {
    table: Table,
    next: usize,
    depth: usize,
    /// The pair whose key has been given and whose value has not.
    last: Option<(Value, Value)>,
}

impl<'de> MapAccess<'de> for Pairs {
    type Error = ConvertError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ConvertError> {
        let pair = self.table.with(|data| match data.array.get(self.next) {
            Some(value) => Some((index_key(self.next), value.clone())),
            None => data.pairs.get(self.next - data.array.len().min(self.next)).cloned(),
        });
        let Some((key, value)) = pair else { return Ok(None) };
        self.next += 1;
        let read = seed.deserialize(FromValue { value: key.clone(), depth: self.depth });
        let read = read.map_err(|error| error.at(&key))?;
        self.last = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ConvertError> {
        let (key, value) = self.last.take().ok_or_else(|| ConvertError::new("a value without a key"))?;
        seed.deserialize(FromValue { value, depth: self.depth }).map_err(|error| error.at(&key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.table.with(|data| (data.array.len() + data.pairs.len()).saturating_sub(self.next)))
    }
}

/// An enum variant and its contents, nil for none.
struct Variant {
    name: Value,
    value: Value,
    depth: usize,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ConvertError;
    type Variant = FromVariant;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, FromVariant), ConvertError> {
        let variant = seed.deserialize(FromValue { value: self.name.clone(), depth: self.depth })?;
        Ok((
            variant,
            FromVariant { name: self.name, inner: FromValue { value: self.value, depth: self.depth } },
        ))
    }
}

struct FromVariant {
    name: Value,
    inner: FromValue,
}

impl<'de> VariantAccess<'de> for FromVariant {
    type Error = ConvertError;

    fn unit_variant(self) -> Result<(), ConvertError> {
        <()>::deserialize(self.inner).map_err(|error| error.at(&self.name))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ConvertError> {
        seed.deserialize(self.inner).map_err(|error| error.at(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ConvertError> {
        self.inner.list(visitor).map_err(|error| error.at(&self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        self.inner.map(visitor).map_err(|error| error.at(&self.name))
    }
}

impl<'de> Deserialize<'de> for Value {
    /// Reads any value. Unit and none are nil at the top, and `json.null` inside a table.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadValue { depth: 0 }.deserialize(deserializer)
    }
}

/// Visitor that makes a value which is inside `depth` tables.
#[derive(Clone, Copy)]
struct ReadValue {
    depth: usize,
}

impl ReadValue {
    fn inside<E: serde::de::Error>(self) -> Result<ReadValue, E> {
        if self.depth >= VALUE_DEPTH_MAX {
            return Err(E::custom(too_deep()));
        }
        Ok(ReadValue { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for ReadValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Lua value")
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Boolean(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Integer(n))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Value, E> {
        integer(n)
    }

    fn visit_i128<E: serde::de::Error>(self, n: i128) -> Result<Value, E> {
        integer(n)
    }

    fn visit_u128<E: serde::de::Error>(self, n: u128) -> Result<Value, E> {
        integer(n)
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text.into_bytes()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::String(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::String(bytes))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let element = self.inside()?;
        let mut array = Vec::new();
        while let Some(value) = elements.next_element_seed(element)? {
            array.push(present(value));
        }
        Ok(Table::from(array).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let entry = self.inside()?;
        let mut entries = Entries::default();
        while let Some((key, value)) = pairs.next_entry_seed(entry, entry)? {
            entries.insert(key, present(value)).map_err(A::Error::custom)?;
        }
        Ok(entries.into_table().into())
    }
}

fn integer<T: TryInto<i64> + Display + Copy, E: serde::de::Error>(n: T) -> Result<Value, E> {
    n.try_into().map(Value::Integer).map_err(|_| E::custom(format!("{n} is out of range for Lua's integers")))
}
