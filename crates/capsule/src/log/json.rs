//! Keys and images of the log as JSON text.
//!
//! Integers are exact, reals have a point or an exponent, a blob is `{"$blob": base64}`, and text that is not
//! UTF-8 is `{"$text": base64}`: what is read back is what was written. Infinity is `9.0e999`, as in SQLite.

use crate::capture::Row;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::value::SqlValue;
use base64ct::{Base64, Encoding};
use hifijson::SliceLexer;
use hifijson::token::Lex;
use hifijson::value::{Value, parse_bounded};
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::fmt::Write;

/// A JSON value of the log: numbers as they stand in the text.
type Json<'a> = Value<&'a str, Cow<'a, str>>;

/// Depth of a row: the object, its values, and what is in a blob's object.
const DEPTH: usize = 3;

/// Writes a key: its values as an array.
pub(super) fn write_key(out: &mut String, key: &[SqlValue]) {
    out.push('[');
    for (index, value) in key.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_value(out, value.borrowed());
    }
    out.push(']');
}

/// Writes a row: an object with its columns.
pub(super) fn write_row(out: &mut String, row: &Row) {
    out.push('{');
    for (index, (column, value)) in row.values().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, column.name());
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push_str("null"),
        // Writing into a String cannot fail.
        ValueRef::Integer(integer) => drop(write!(out, "{integer}")),
        ValueRef::Real(real) if real.is_finite() => out.push_str(zmij::Buffer::new().format_finite(real)),
        ValueRef::Real(real) => out.push_str(if real > 0.0 { "9.0e999" } else { "-9.0e999" }),
        ValueRef::Text(text) => match str::from_utf8(text) {
            Ok(text) => write_text(out, text),
            Err(_) => write_bytes(out, "$text", text),
        },
        ValueRef::Blob(blob) => write_bytes(out, "$blob", blob),
    }
}

fn write_bytes(out: &mut String, name: &str, bytes: &[u8]) {
    let _ = write!(out, "{{\"{name}\":\"{}\"}}", Base64::encode_string(bytes));
}

pub(super) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => drop(write!(out, "\\u{other:04x}")),
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
}

/// Reads a row back: names and values in the order of the text.
pub(super) fn read_row(text: &str) -> Result<Vec<(String, SqlValue)>> {
    let Value::Object(members) = parse(text)? else { return Err(damaged(text)) };
    members.into_iter().map(|(name, value)| Ok((name.into_owned(), read_value(value, text)?))).collect()
}

/// Reads a key back.
pub(super) fn read_key(text: &str) -> Result<Vec<SqlValue>> {
    let Value::Array(values) = parse(text)? else { return Err(damaged(text)) };
    values.into_iter().map(|value| read_value(value, text)).collect()
}

fn parse(text: &str) -> Result<Json<'_>> {
    let mut lexer = SliceLexer::new(text.as_bytes());
    let parsed = lexer.exactly_one(Lex::ws_peek, |next, lexer| parse_bounded(DEPTH, next, lexer));
    parsed.map_err(|_| damaged(text))
}

pub(super) fn damaged(text: &str) -> CapsuleError {
    CapsuleError::new(ErrorKind::Corrupt, format!("the log holds an image that is none: {text:.80}"))
}

fn read_value(value: Json<'_>, text: &str) -> Result<SqlValue> {
    Ok(match value {
        Value::Null => SqlValue::Null,
        Value::Number((digits, _)) => match digits.parse() {
            Ok(integer) => SqlValue::Integer(integer),
            Err(_) => SqlValue::Real(digits.parse().map_err(|_| damaged(text))?),
        },
        Value::String(string) => SqlValue::Text(string.into_owned().into_bytes()),
        Value::Object(members) => {
            let [(name, Value::String(letters))] = members.as_slice() else { return Err(damaged(text)) };
            let bytes = Base64::decode_vec(letters).map_err(|_| damaged(text))?;
            match &**name {
                "$blob" => SqlValue::Blob(bytes),
                "$text" => SqlValue::Text(bytes),
                _ => return Err(damaged(text)),
            }
        }
        Value::Bool(_) | Value::Array(_) => return Err(damaged(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(value: &SqlValue) -> SqlValue {
        let mut text = String::new();
        write_key(&mut text, std::slice::from_ref(value));
        read_key(&text).expect("reads").remove(0)
    }

    #[test]
    fn every_value_is_read_back_as_it_was() {
        let values = [
            SqlValue::Null,
            i64::MIN.into(),
            i64::MAX.into(),
            1.0.into(),
            0.1.into(),
            (-0.0).into(),
            1e300.into(),
            5e-324.into(),
            f64::INFINITY.into(),
            f64::NEG_INFINITY.into(),
            "".into(),
            "\"\\\u{1}\n\u{7f}\u{e9}\u{1f600}".into(),
            SqlValue::Text(vec![0xff, b'a']),
            SqlValue::Blob(vec![]),
            SqlValue::Blob((0..=255).collect()),
            "{\"$blob\":\"AA==\"}".into(),
        ];
        for value in values {
            let again = back(&value);
            assert_eq!(again, value);
            if let (SqlValue::Real(a), SqlValue::Real(b)) = (&again, &value) {
                assert_eq!(a.to_bits(), b.to_bits());
            }
        }
    }

    #[test]
    fn a_damaged_image_is_an_error() {
        for text in
            ["", "[", "[1", "[[1]]", "[true]", "{}", "[{\"$blob\":\"?\"}]", "[{\"$x\":\"AA==\"}]", "[1] 2"]
        {
            assert_eq!(read_key(text).expect_err(text).kind(), ErrorKind::Corrupt);
        }
    }
}
