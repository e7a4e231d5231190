//! Decoder of bytes to the Lua stack. Raises memory errors, so it runs below a protected call; its input is
//! untrusted.

use super::list_mark;
use crate::host_call::release_host_value;
use crate::limits::VALUE_DEPTH_MAX;
use crate::lua::{RefKind, Stack, Status, Thrown, raw};
use crate::state::context::context;
use crate::state::error_record::Mark;
use crate::value::{Decoder, FormatError, Tag, Token};
use crate::{ext, host_call};
use std::ffi::c_int;

/// Pushes one value, from a buffer that Lua code may change. `[-0, +1, m]`
///
/// A scalar is copied before anything else can run. A table is made bit by bit, and each allocation could run
/// a finalizer that uses the same buffer: so none runs until it is whole.
pub(crate) fn push_value(stack: Stack, bytes: &[u8]) -> Result<(), Thrown> {
    let mut decoder = Decoder::new(bytes);
    let token = decoder.token().map_err(|error| refuse(stack, error))?;
    if let Token::Nil | Token::Boolean(_) | Token::Integer(_) | Token::Float(_) | Token::String(_) = token {
        decoder.finish().map_err(|error| refuse(stack, error))?;
        return push_scalar(stack, token).map(drop);
    }
    let status = stack.protect_without_collector(1, |inner| {
        inner.push_nil();
        let input = Decoder::new(bytes);
        let mut decoder = StackDecoder { stack: inner, input, tables: inner.top(), count: 0, host: None };
        decoder.value(0)?;
        decoder.finish()
    });
    if status == Status::Ok { Ok(()) } else { Err(Thrown) }
}

/// Pushes a list, from a buffer that Lua code may change, and returns its count; an error value instead if it
/// is none, or there is no memory for it. `[-0, +count, -]`, or `[-0, +1, -]`
pub(crate) fn push_list(stack: Stack, bytes: &[u8]) -> Result<c_int, Thrown> {
    if let Some(count) = push_numbers(stack, bytes) {
        return Ok(count);
    }
    let before = stack.top();
    let mut given = 0;
    let status = stack.protect_without_collector(raw::LUA_MULTRET, |inner| {
        let mut input = Decoder::new(bytes);
        let count = input.count().map_err(|error| refuse(inner, error))?;
        if !inner.has_room((count as c_int).saturating_add(8)) {
            return Err(refuse(inner, FormatError::OutOfMemory));
        }
        inner.push_nil();
        let tables = inner.top();
        let mut decoder = StackDecoder { stack: inner, input, tables, count: 0, host: Some(&mut given) };
        for _ in 0..count {
            decoder.value(0)?;
        }
        decoder.finish()
    });
    if status == Status::Ok {
        return Ok(stack.top() - before);
    }
    give_back(stack, bytes, given);
    Err(Thrown)
}

/// Releases the host's own values in a list, all of which the host has counted, after the first `given`:
/// those have not become values of Lua.
#[cold]
fn give_back(stack: Stack, bytes: &[u8], given: usize) {
    let mut decoder = Decoder::new(bytes);
    let _ = decoder.count();
    let ids = std::iter::from_fn(|| decoder.token().ok()).filter_map(|token| match token {
        Token::HostFunction { id, .. } | Token::HostObject { id, .. } => Some(id),
        _ => None,
    });
    for id in ids.skip(given) {
        release_host_value(stack, id, 1);
    }
}

/// Values in a list that need no memory of Lua's, and fit into the room that every C function has.
const NUMBERS_MAX: u32 = 8;

/// Pushes a short list of numbers, booleans and nils; None (and nothing) for any other. `[-0, +(count|0), -]`
#[inline]
fn push_numbers(stack: Stack, bytes: &[u8]) -> Option<c_int> {
    let mut decoder = Decoder::new(bytes);
    let count = decoder.count().ok().filter(|&count| count <= NUMBERS_MAX)? as c_int;
    for pushed in 0..count {
        match decoder.token() {
            Ok(Token::Integer(value)) => stack.push_integer(value),
            Ok(Token::Float(value)) => stack.push_number(value),
            Ok(Token::Boolean(value)) => stack.push_boolean(value),
            Ok(Token::Nil) => stack.push_nil(),
            _ => {
                stack.pop(pushed);
                return None;
            }
        }
    }
    if decoder.remaining() > 0 {
        stack.pop(count);
        return None;
    }
    Some(count)
}

struct StackDecoder<'a> {
    stack: Stack,
    input: Decoder<'a>,
    /// Index of the message's one table, or of a Lua table that holds its tables by number.
    tables: c_int,
    count: u32,
    /// Number of the host's own values that were read; None where there may be none.
    host: Option<&'a mut usize>,
}

impl StackDecoder<'_> {
    /// One more of the host's own values, if they may be here.
    fn is_of_host(&mut self) -> bool {
        self.host.as_mut().map(|given| **given += 1).is_some()
    }

    fn finish(self) -> Result<(), Thrown> {
        self.stack.remove(self.tables);
        self.input.finish().map_err(|error| refuse(self.stack, error))
    }

    fn value(&mut self, depth: usize) -> Result<(), Thrown> {
        let stack = self.stack;
        let token = self.input.token().map_err(|error| refuse(stack, error))?;
        if push_scalar(stack, token)? {
            return Ok(());
        }
        match token {
            Token::Table { array, pairs } => self.table(array, pairs, depth),
            Token::EmptyList => {
                self.table(0, 0, depth)?;
                list_mark::mark(stack);
                Ok(())
            }
            Token::Function(handle) if self.host.is_some() => push_handle(stack, handle, raw::LUA_TFUNCTION),
            Token::Reference { lua_type, handle } if self.host.is_some() => {
                push_handle(stack, handle, c_int::from(lua_type))
            }
            Token::Null if self.host.is_some() => {
                stack.push_address(std::ptr::null_mut());
                Ok(())
            }
            Token::HostFunction { id, name } if self.is_of_host() => {
                host_call::push_function(stack, id, name);
                Ok(())
            }
            Token::HostObject { id, label } if self.is_of_host() => {
                host_call::push_object(stack, id, label);
                Ok(())
            }
            Token::BackReference(number) if number < self.count => {
                self.push_remembered(number);
                Ok(())
            }
            Token::BackReference(number) => Err(refuse(stack, FormatError::BadReference(number))),
            // What only its VM, or its host, can resolve: a store never has it. `push_scalar` took all
            // others.
            Token::Function(_) => Err(refuse(stack, FormatError::UnknownTag(Tag::Function as u8))),
            Token::Reference { .. } => Err(refuse(stack, FormatError::UnknownTag(Tag::Reference as u8))),
            Token::Null => Err(refuse(stack, FormatError::UnknownTag(Tag::Null as u8))),
            Token::HostFunction { .. } => {
                Err(refuse(stack, FormatError::UnknownTag(Tag::HostFunction as u8)))
            }
            _ => Err(refuse(stack, FormatError::UnknownTag(Tag::HostObject as u8))),
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
        self.remember(table);
        let mut filled = 0;
        while filled < array {
            // As many as need no memory at once, then the one that does.
            let (more, taken) = stack.fill(table, filled + 1, array - filled, self.input.rest());
            self.input.skip(taken);
            filled += more;
            if filled < array {
                self.entry(depth)?;
                filled += 1;
                stack.raw_set_index(table, i64::from(filled));
            }
        }
        let mut filled = 0;
        while filled < pairs {
            let (more, taken) = stack.fill_pairs(table, pairs - filled, self.input.rest());
            self.input.skip(taken);
            filled += more;
            if filled < pairs {
                self.pair(table, depth)?;
                filled += 1;
            }
        }
        Ok(())
    }

    fn pair(&mut self, table: c_int, depth: usize) -> Result<(), Thrown> {
        self.entry(depth)?;
        let number = self.stack.type_of(-1) == raw::LUA_TNUMBER;
        if number && self.stack.number(-1).is_some_and(f64::is_nan) {
            return Err(refuse(self.stack, FormatError::BadTableEntry));
        }
        self.entry(depth)?;
        self.stack.raw_set(table);
        Ok(())
    }

    /// Keeps a table for those that refer to it. A message of one table can only refer to that one.
    fn remember(&mut self, table: c_int) {
        let stack = self.stack;
        self.count += 1;
        if self.count == 1 {
            stack.push_copy(table);
            return stack.replace(self.tables);
        }
        if self.count == 2 {
            stack.push_table(8, 0);
            stack.push_copy(self.tables);
            stack.raw_set_index(-2, 1);
            stack.replace(self.tables);
        }
        stack.push_copy(table);
        stack.raw_set_index(self.tables, i64::from(self.count));
    }

    /// `[-0, +1, -]`
    fn push_remembered(&self, number: u32) {
        if self.count == 1 {
            self.stack.push_copy(self.tables);
        } else {
            self.stack.raw_get_index(self.tables, i64::from(number) + 1);
        }
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
        Token::Table { .. }
        | Token::EmptyList
        | Token::BackReference(_)
        | Token::Function(_)
        | Token::Reference { .. }
        | Token::Null
        | Token::HostFunction { .. }
        | Token::HostObject { .. } => return Ok(false),
    }
    Ok(true)
}

/// Message for a handle that refers to nothing.
pub(crate) const RELEASED: &[u8] = b"a function or reference that was released, or belongs to another VM";

/// Pushes what was kept under a handle, if it is of the type it says.
fn push_handle(stack: Stack, handle: u32, lua_type: c_int) -> Result<(), Thrown> {
    if stack.push_reference(RefKind::Host, i64::from(handle)) {
        if stack.type_of(-1) == lua_type {
            return Ok(());
        }
        stack.pop(1);
    }
    context(stack).error_record.mark(Mark::Usage, RELEASED);
    stack.push_bytes(RELEASED);
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
    if error != FormatError::OutOfMemory {
        context(stack).error_record.mark(Mark::Value, text);
    }
    stack.push_bytes(text);
    Thrown
}
