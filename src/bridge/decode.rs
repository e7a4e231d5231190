//! From bytes to the Lua stack. Raises memory errors, so it runs below a protected call; what it reads is hostile.

use crate::context::context;
use crate::ext;
use crate::limits::VALUE_DEPTH_MAX;
use crate::lua::{Stack, Status, Thrown, raw};
use crate::value::{FormatError, Reader, Token};
use std::ffi::c_int;

/// Pushes one value, from a buffer that Lua code may change. `[-0, +1, m]`
///
/// A scalar is copied before anything else can run. A table is made bit by bit, and each allocation could run a finalizer
/// that uses the same buffer: so none runs until it is whole.
pub(crate) fn push_value(stack: Stack, bytes: &[u8]) -> Result<(), Thrown> {
    let mut reader = Reader::new(bytes);
    let token = reader.token().map_err(|error| refuse(stack, error))?;
    let scalar = !matches!(token, Token::Table { .. } | Token::BackReference(_) | Token::ExternalTable(_));
    if scalar {
        reader.finish().map_err(|error| refuse(stack, error))?;
        return push_scalar(stack, token).map(drop);
    }
    let status = stack.protect_held(1, |inner| {
        let mut decoder = Decoder::new(inner, bytes);
        decoder.value(0)?;
        decoder.finish()
    });
    if status == Status::Ok { Ok(()) } else { Err(Thrown) }
}

/// Pushes a list, and returns its count. `[-0, +count, m]`
pub(crate) fn push_list(stack: Stack, bytes: &[u8]) -> Result<c_int, Thrown> {
    let mut decoder = Decoder::new(stack, bytes);
    let count = decoder.reader.count().map_err(|error| refuse(stack, error))? as c_int;
    if !stack.has_room(count.saturating_add(8)) {
        return Err(refuse(stack, FormatError::OutOfMemory));
    }
    for _ in 0..count {
        decoder.value(0)?;
    }
    decoder.finish()?;
    Ok(count)
}

struct Decoder<'a> {
    stack: Stack,
    reader: Reader<'a>,
    /// Index of a Lua table that holds the message's tables by number.
    tables: c_int,
    count: u32,
}

impl<'a> Decoder<'a> {
    fn new(stack: Stack, bytes: &'a [u8]) -> Self {
        stack.push_table(0, 0);
        Decoder { stack, reader: Reader::new(bytes), tables: stack.top(), count: 0 }
    }

    fn finish(self) -> Result<(), Thrown> {
        self.stack.remove(self.tables);
        self.reader.finish().map_err(|error| refuse(self.stack, error))
    }

    fn value(&mut self, depth: usize) -> Result<(), Thrown> {
        let stack = self.stack;
        let token = self.reader.token().map_err(|error| refuse(stack, error))?;
        if push_scalar(stack, token)? {
            return Ok(());
        }
        match token {
            Token::Table { array, pairs } => self.table(array, pairs, depth),
            Token::BackReference(number) if number < self.count => {
                stack.raw_get_index(self.tables, i64::from(number) + 1);
                Ok(())
            }
            Token::BackReference(number) => Err(refuse(stack, FormatError::BadReference(number))),
            // `push_scalar` took all others.
            _ => Err(refuse(stack, FormatError::Truncated)),
        }
    }

    fn table(&mut self, array: u32, pairs: u32, depth: usize) -> Result<(), Thrown> {
        let stack = self.stack;
        if depth >= VALUE_DEPTH_MAX {
            return Err(refuse(stack, FormatError::TooDeep));
        }
        if !stack.has_room(6) {
            return Err(refuse(stack, FormatError::OutOfMemory));
        }
        stack.push_table(array as usize, pairs as usize);
        let table = stack.top();
        self.count += 1;
        stack.push_copy(table);
        stack.raw_set_index(self.tables, i64::from(self.count));
        for index in 1..=i64::from(array) {
            self.entry(depth)?;
            stack.raw_set_index(table, index);
        }
        for _ in 0..pairs {
            self.entry(depth)?;
            if stack.type_of(-1) == raw::LUA_TNUMBER && stack.number(-1).is_some_and(f64::is_nan) {
                return Err(refuse(stack, FormatError::BadTableEntry));
            }
            self.entry(depth)?;
            stack.raw_set(table);
        }
        Ok(())
    }

    fn entry(&mut self, depth: usize) -> Result<(), Thrown> {
        self.value(depth + 1)?;
        if self.stack.type_of(-1) == raw::LUA_TNIL {
            return Err(refuse(self.stack, FormatError::BadTableEntry));
        }
        Ok(())
    }
}

/// Pushes everything but a table or a reference to one; false for those. `[-0, +(0|1), m]`
#[inline]
fn push_scalar(stack: Stack, token: Token<'_>) -> Result<bool, Thrown> {
    match token {
        Token::Nil => stack.push_nil(),
        Token::Boolean(value) => stack.push_boolean(value),
        Token::Integer(value) => stack.push_integer(value),
        Token::Float(value) => stack.push_number(value),
        Token::String(bytes) => stack.push_bytes(bytes),
        Token::ExternalTable(name) => ext::push_table(stack, name)?,
        Token::Function(handle) => return push_handle(stack, handle, raw::LUA_TFUNCTION),
        Token::Reference { lua_type, handle } => return push_handle(stack, handle, c_int::from(lua_type)),
        Token::Table { .. } | Token::BackReference(_) => return Ok(false),
    }
    Ok(true)
}

/// Pushes what was kept under a handle, if it is of the type it says.
fn push_handle(stack: Stack, handle: u32, lua_type: c_int) -> Result<bool, Thrown> {
    let found = stack.raw_get_index(raw::LUA_REGISTRYINDEX, i64::from(handle));
    // Below LUA_RIDX_LAST + 1 the registry holds Lua's own things, which no handle names.
    if found == lua_type && i64::from(handle) > raw::LUA_RIDX_LAST {
        return Ok(true);
    }
    stack.pop(1);
    stack.push_bytes(b"a function or reference that was released, or belongs to another VM");
    Err(Thrown)
}

/// Makes a malformed message an error whose kind the runtime knows. `[-0, +1, m]`
fn refuse(stack: Stack, error: FormatError) -> Thrown {
    let text: &[u8] = match error {
        FormatError::TooDeep => b"value is nested more than 200 tables deep",
        FormatError::OutOfMemory => b"not enough memory",
        FormatError::BadTableEntry => b"malformed value: a nil or NaN key, or a nil in a table",
        FormatError::Truncated => b"malformed value: ends too early",
        FormatError::TrailingBytes(_) => b"malformed value: bytes left over",
        FormatError::UnknownTag(_) => b"malformed value: unknown tag",
        FormatError::BadBoolean(_) => b"malformed value: boolean that is neither 0 nor 1",
        FormatError::BadType(_) => b"malformed value: reference of an unknown type",
        FormatError::BadLength(_) => b"malformed value: length past the end",
        FormatError::BadReference(_) => b"malformed value: reference to a table that has not begun",
    };
    context(stack).failure.malformed = error != FormatError::OutOfMemory;
    stack.push_bytes(text);
    Thrown
}
