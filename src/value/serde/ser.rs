//! Serialization: `to_value`, and `Serialize` for `Value`.

use super::{deeper, too_deep};
use crate::limits::VALUE_DEPTH_MAX;
use crate::value::convert::{Entries, index_key, integer_into_lua, present};
use crate::value::convert_error::{ConvertError, type_name};
use crate::value::tree::{Table, TableData, Value};
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::Display;

/// Converts anything that serde can serialize into a value.
///
/// # Errors
/// An integer past 64 bits, nil or NaN as a key, nesting past 200 tables, or an error of the type's own.
pub fn to_value<T: Serialize + ?Sized>(of: &T) -> Result<Value, ConvertError> {
    of.serialize(ToValue { depth: 0 }).map(|value| if value == Value::Null { Value::Nil } else { value })
}

impl serde::ser::Error for ConvertError {
    fn custom<T: Display>(message: T) -> Self {
        ConvertError::new(message.to_string())
    }
}

/// Serializer that makes one value, which is inside `depth` tables.
#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    fn of<T: Serialize + ?Sized>(self, part: &T, key: &Value) -> Result<Value, ConvertError> {
        part.serialize(self).map_err(|error| error.at(key))
    }

    fn inside(self) -> Result<ToValue, ConvertError> {
        deeper(self.depth).map(|depth| ToValue { depth })
    }

    fn list(self, variant: Option<&'static str>, len: usize) -> Result<List, ConvertError> {
        let outside = if variant.is_some() { self.inside()? } else { self };
        // `len` is only a hint of foreign code: large ones are not allocated ahead.
        Ok(List { element: outside.inside()?, array: Vec::with_capacity(len.min(1024)), variant })
    }

    fn map(self, variant: Option<&'static str>) -> Result<Map, ConvertError> {
        let outside = if variant.is_some() { self.inside()? } else { self };
        Ok(Map { entry: outside.inside()?, entries: Entries::default(), key: None, variant })
    }
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = ConvertError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Map;

    fn serialize_bool(self, b: bool) -> Result<Value, ConvertError> {
        Ok(Value::Boolean(b))
    }

    fn serialize_i8(self, n: i8) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_i16(self, n: i16) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_i32(self, n: i32) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_i64(self, n: i64) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n))
    }

    fn serialize_i128(self, n: i128) -> Result<Value, ConvertError> {
        integer_into_lua(n)
    }

    fn serialize_u8(self, n: u8) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_u16(self, n: u16) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_u32(self, n: u32) -> Result<Value, ConvertError> {
        Ok(Value::Integer(n.into()))
    }

    fn serialize_u64(self, n: u64) -> Result<Value, ConvertError> {
        integer_into_lua(n)
    }

    fn serialize_u128(self, n: u128) -> Result<Value, ConvertError> {
        integer_into_lua(n)
    }

    fn serialize_f32(self, n: f32) -> Result<Value, ConvertError> {
        Ok(Value::Float(n.into()))
    }

    fn serialize_f64(self, n: f64) -> Result<Value, ConvertError> {
        Ok(Value::Float(n))
    }

    fn serialize_char(self, c: char) -> Result<Value, ConvertError> {
        Ok(Value::from(&*c.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, text: &str) -> Result<Value, ConvertError> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ConvertError> {
        Ok(Value::String(bytes.to_vec()))
    }

    fn serialize_none(self) -> Result<Value, ConvertError> {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, some: &T) -> Result<Value, ConvertError> {
        some.serialize(self)
    }

    /// Makes `json.null`, not nil: a field that is `()` stays in its struct, unlike a `None`.
    fn serialize_unit(self) -> Result<Value, ConvertError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ConvertError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ConvertError> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        inner: &T,
    ) -> Result<Value, ConvertError> {
        inner.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        inner: &T,
    ) -> Result<Value, ConvertError> {
        let value = self.inside()?.of(inner, &Value::from(variant))?;
        Ok(tagged(Some(variant), present(value)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List, ConvertError> {
        self.list(None, len.unwrap_or(0))
    }

    fn serialize_tuple(self, len: usize) -> Result<List, ConvertError> {
        self.list(None, len)
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<List, ConvertError> {
        self.list(None, len)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List, ConvertError> {
        self.list(Some(variant), len)
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Map, ConvertError> {
        self.map(None)
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Map, ConvertError> {
        self.map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Map, ConvertError> {
        self.map(Some(variant))
    }
}

/// Makes `{ variant = value }`, or just the value if there is no variant.
fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        None => value,
        Some(name) => {
            Table::from(TableData { array: Vec::new(), pairs: vec![(Value::from(name), value)] }).into()
        }
    }
}

/// A list under construction.
struct List {
    element: ToValue,
    array: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ConvertError> {
        let value = self.element.of(element, &index_key(self.array.len()))?;
        self.array.push(present(value));
        Ok(())
    }

    fn finish(self) -> Value {
        tagged(self.variant, Table::from(self.array).into())
    }
}

/// Implements serde's traits for the kinds of lists, which are all one here.
macro_rules! lists {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for List {
            type Ok = Value;
            type Error = ConvertError;

            fn $method<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ConvertError> {
                self.push(element)
            }

            fn end(self) -> Result<Value, ConvertError> {
                Ok(self.finish())
            }
        }
    )*};
}
lists!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

/// A map or struct under construction.
struct Map {
    entry: ToValue,
    entries: Entries,
    /// The key whose value has not been serialized yet.
    key: Option<Value>,
    variant: Option<&'static str>,
}

impl Map {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), ConvertError> {
        let name = Value::from(name);
        match self.entry.of(value, &name)? {
            Value::Nil => Ok(()),
            value => self.entries.insert(name, value),
        }
    }

    fn finish(self) -> Value {
        tagged(self.variant, self.entries.into_table().into())
    }
}

impl SerializeMap for Map {
    type Ok = Value;
    type Error = ConvertError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ConvertError> {
        self.key = Some(key.serialize(self.entry)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ConvertError> {
        let key = self.key.take().ok_or_else(|| ConvertError::new("a value without a key"))?;
        let value = self.entry.of(value, &key)?;
        self.entries.insert(key, present(value))
    }

    fn end(self) -> Result<Value, ConvertError> {
        Ok(self.finish())
    }
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl $trait for Map {
            type Ok = Value;
            type Error = ConvertError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), ConvertError> {
                self.field(name, value)
            }

            fn end(self) -> Result<Value, ConvertError> {
                Ok(self.finish())
            }
        }
    )*};
}
structs!(SerializeStruct, SerializeStructVariant);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        At { value: self, depth: 0 }.serialize(serializer)
    }
}

/// A value inside `depth` tables. The depth makes a cycle end as an error.
struct At<'a> {
    value: &'a Value,
    depth: usize,
}

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Nil => serializer.serialize_none(),
            Value::Null => serializer.serialize_unit(),
            Value::Boolean(b) => serializer.serialize_bool(*b),
            Value::Integer(i) => serializer.serialize_i64(*i),
            Value::Float(n) => serializer.serialize_f64(*n),
            Value::String(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.serialize_bytes(bytes),
            },
            Value::Table(_) if self.depth >= VALUE_DEPTH_MAX => Err(S::Error::custom(too_deep())),
            Value::Table(table) => {
                table.with(|data| entries(data, table.is_list(), self.depth + 1, serializer))
            }
            other => Err(S::Error::custom(format!("a value of type {} is not data", type_name(other)))),
        }
    }
}

fn entries<S: Serializer>(
    data: &TableData,
    is_list: bool,
    depth: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if is_list {
        let mut list = serializer.serialize_seq(Some(data.array.len()))?;
        data.array.iter().try_for_each(|value| list.serialize_element(&At { value, depth }))?;
        return list.end();
    }
    let mut map = serializer.serialize_map(Some(data.array.len() + data.pairs.len()))?;
    for (index, value) in data.array.iter().enumerate() {
        map.serialize_entry(&At { value: &index_key(index), depth }, &At { value, depth })?;
    }
    for (key, value) in &data.pairs {
        map.serialize_entry(&At { value: key, depth }, &At { value, depth })?;
    }
    map.end()
}
