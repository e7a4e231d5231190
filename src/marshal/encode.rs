//! Encoder of the Lua stack to bytes. Runs no Lua code and raises nothing: metatables are not consulted,
//! strings are not converted, and the one step that may allocate in Lua (a handle) is protected by itself.

use super::list_mark::is_marked;
use crate::limits::VALUE_DEPTH_MAX;
use crate::lua::{RefKind, Stack, Status, Step, Walk, fuel, raw};
use crate::state::context::context;
use crate::state::host_functions::Side;
use crate::state::limit_exceeded::charge;
use crate::value::number_map::NumberMap;
use crate::value::path::{Key, Path, STEP_WORK_BYTES};
use crate::value::{Encoder, FormatError};
use crate::{ext, host_call};
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// Room that is made at least, when there is none for the next entry of a table.
const ROOM_BYTES: usize = 256;

/// Bytes that are written for a tick, half as many as others copy (lua-5.4/port/fuel.h): they are also read.
const BYTES_PER_TICK: usize = 32;
/// Bytes that a table counts for, beside its own: making one takes as long.
const TABLE_BYTES: usize = 32;
/// Bytes after which their ticks are used.
const UNPAID_MAX_BYTES: usize = 8192;

/// Reason that a value cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// A value whose type has no encoding here (a function in a store, ...).
    Type(&'static str),
    /// A table with a metatable, which a store would lose.
    Metatable,
    /// Tables nested too deep.
    Depth,
    /// nil as a key.
    NilKey,
    /// NaN as a key.
    NanKey,
    /// No memory for the bytes.
    Memory,
    /// The call has used up its time or its fuel, which is noted.
    Limit,
}

impl From<FormatError> for EncodeError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::TooDeep => EncodeError::Depth,
            _ => EncodeError::Memory,
        }
    }
}

impl EncodeError {
    /// The message for a Lua error or an error record, with the path that the context has, if a value is to
    /// blame.
    pub(crate) fn message(self, path: &mut Path) -> &[u8] {
        let words = self.words();
        match self {
            EncodeError::Memory | EncodeError::Limit => words.as_bytes(),
            _ => path.message(words, &[]),
        }
    }

    /// The message without a path.
    pub(crate) fn words(self) -> &'static str {
        match self {
            EncodeError::Type("function") => "a function cannot be stored",
            EncodeError::Type("thread") => "a thread cannot be stored",
            EncodeError::Type("null") => "json.null cannot be stored",
            EncodeError::Type(_) => "a userdata cannot be stored",
            EncodeError::Metatable => "a table with a metatable cannot be stored",
            EncodeError::Depth => "value is nested more than 200 tables deep",
            // Lua's own words.
            EncodeError::NilKey => "table index is nil",
            EncodeError::NanKey => "table index is NaN",
            EncodeError::Memory => "not enough memory",
            EncodeError::Limit => "the call is over its limit",
        }
    }
}

/// Appends the list of the top `count` values for `reader`: functions and objects of its own by id, those of
/// the other side by handle. If it `pays` it uses fuel, for itself and for the reader, who does as much
/// again. `[-0, +0, -]`
pub(crate) fn encode_list(
    stack: Stack,
    count: c_int,
    reader: Side,
    pays: bool,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let first = stack.top() - count + 1;
    let mut encoder = StackEncoder::new(stack, out, Some(reader));
    encoder.pays = pays;
    encoder.out.u32(count as u32)?;
    (first..first + count).try_for_each(|index| encoder.value(index, 0))?;
    encoder.pay()
}

/// Appends the value on top, that of an error which has ended a call, for `reader`: without using fuel, which
/// may be what there is none of. `[-0, +0, -]`
pub(crate) fn encode_error(stack: Stack, reader: Side, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    StackEncoder::new(stack, out, Some(reader)).value(stack.top(), 0)
}

/// Appends one value for a store: without handles. `[-0, +0, -]`
pub(crate) fn encode_value(stack: Stack, index: c_int, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    StackEncoder::new(stack, out, None).value(stack.absolute(index), 0)
}

/// Appends a key in its one form: a float that equals an integer is that integer. `[-0, +0, -]`
#[inline]
pub(crate) fn encode_key(stack: Stack, index: c_int, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out);
    match stack.type_of(index) {
        raw::LUA_TSTRING => {
            // SAFETY: the string stays at `index` while it is copied.
            let bytes = unsafe { stack.bytes(index) }.unwrap_or_default();
            encoder.string(bytes)?;
        }
        raw::LUA_TNUMBER => match stack.integer(index) {
            Some(integer) => encoder.integer(integer)?,
            None => match stack.number(index) {
                Some(number) if !number.is_nan() => encoder.float(number)?,
                _ => return Err(EncodeError::NanKey),
            },
        },
        raw::LUA_TBOOLEAN => encoder.boolean(stack.boolean(index))?,
        raw::LUA_TNIL | raw::LUA_TNONE => return Err(EncodeError::NilKey),
        _ => return Err(EncodeError::Type(stack.type_name(index))),
    }
    Ok(())
}

/// True if the metatable on top says that a table is an array or an object of JSON, and nothing else. Those
/// that `json.decode` gives do; other libraries for JSON have the same. `[-0, +0, -]`
fn is_json_marker(stack: Stack) -> bool {
    stack.push_nil();
    if !stack.next(-2) {
        return false;
    }
    // SAFETY: both strings lie in the metatable, which stays on the stack.
    let entry = unsafe { (stack.bytes(-2), stack.bytes(-1)) };
    stack.pop(1);
    let more = stack.next(-2);
    stack.pop(if more { 2 } else { 0 });
    !more && matches!(entry, (Some(b"__jsontype"), Some(b"array" | b"object")))
}

/// The key at `index` as a path shows it. `[-0, +0, -]`
fn key_at<'a>(stack: Stack, index: c_int) -> Key<'a> {
    match stack.type_of(index) {
        // SAFETY: the key stays at `index`, and alive, until its table has been left.
        raw::LUA_TSTRING => Key::String(unsafe { stack.bytes(index) }.unwrap_or_default()),
        // A key that equals an integer is one.
        raw::LUA_TNUMBER => match stack.integer(index) {
            Some(integer) => Key::Integer(integer),
            None => Key::Float(stack.number(index).unwrap_or_default()),
        },
        raw::LUA_TBOOLEAN => stack.boolean(index).into(),
        _ => Key::Other(stack.type_name(index)),
    }
}

struct StackEncoder<'a> {
    stack: Stack,
    out: Encoder<'a>,
    /// The side that reads handles and ids; None: a store, which can have neither.
    reader: Option<Side>,
    /// Address of a table to its number in this message.
    seen: NumberMap,
    /// True if fuel is used.
    pays: bool,
    /// Bytes for which it was.
    paid: usize,
}

impl<'a> StackEncoder<'a> {
    fn new(stack: Stack, out: &'a mut Vec<u8>, reader: Option<Side>) -> Self {
        let paid = out.len();
        StackEncoder { stack, out: Encoder::new(out), reader, seen: NumberMap::default(), pays: false, paid }
    }

    /// Bytes that were written since fuel was used the last time, and what tables count for.
    fn unpaid(&self) -> usize {
        self.out.position() + self.seen.len() * TABLE_BYTES - self.paid
    }

    /// Uses fuel for them.
    #[inline(never)]
    fn pay(&mut self) -> Result<(), EncodeError> {
        let ticks = self.unpaid() / BYTES_PER_TICK;
        if ticks == 0 || !self.pays {
            return Ok(());
        }
        self.paid += ticks * BYTES_PER_TICK;
        if charge(self.stack, ticks as u64) { Ok(()) } else { Err(EncodeError::Limit) }
    }

    fn value(&mut self, index: c_int, depth: usize) -> Result<(), EncodeError> {
        let stack = self.stack;
        match stack.type_of(index) {
            raw::LUA_TNIL | raw::LUA_TNONE => self.out.nil()?,
            raw::LUA_TBOOLEAN => self.out.boolean(stack.boolean(index))?,
            raw::LUA_TNUMBER if stack.is_integer(index) => {
                self.out.integer(stack.integer(index).unwrap_or_default())?;
            }
            raw::LUA_TNUMBER => self.out.float(stack.number(index).unwrap_or_default())?,
            raw::LUA_TSTRING => {
                // SAFETY: the string stays at `index` while it is copied.
                let bytes = unsafe { stack.bytes(index) }.unwrap_or_default();
                self.out.string(bytes)?;
            }
            raw::LUA_TTABLE => self.table(index, depth)?,
            raw::LUA_TLIGHTUSERDATA if self.reader.is_none() && stack.userdata(index).is_null() => {
                return self.refuse(EncodeError::Type("null"));
            }
            _ if self.reader.is_none() => return self.refuse(EncodeError::Type(stack.type_name(index))),
            raw::LUA_TFUNCTION => {
                if let Some(id) = host_call::function_id(stack, index).filter(|&id| self.reader_owns(id)) {
                    return Ok(self.out.host_function(id, b"")?);
                }
                let handle = self.handle(index)?;
                self.out.function(handle)?;
            }
            raw::LUA_TLIGHTUSERDATA if stack.userdata(index).is_null() => self.out.null()?,
            lua_type => {
                if let Some(id) = host_call::object_id(stack, index).filter(|&id| self.reader_owns(id)) {
                    return Ok(self.out.host_object(id, b"")?);
                }
                let handle = self.handle(index)?;
                self.out.reference(lua_type as u8, handle)?;
            }
        }
        Ok(())
    }

    fn reader_owns(&self, id: u32) -> bool {
        self.reader == Some(Side::of(id))
    }

    /// An external table by its name, any other by its contents.
    fn table(&mut self, index: c_int, depth: usize) -> Result<(), EncodeError> {
        let stack = self.stack;
        if !stack.has_room(4) {
            return Err(EncodeError::Memory);
        }
        if stack.push_metatable(index) {
            let only_marks = self.reader.is_some() || is_json_marker(stack);
            stack.pop(1);
            if ext::push_name_of(stack, index) {
                // SAFETY: the name lies on top until it is popped.
                let name = unsafe { stack.bytes(-1) }.unwrap_or_default();
                let written = self.out.external_table(name);
                stack.pop(1);
                return Ok(written?);
            }
            if !only_marks {
                return self.refuse(EncodeError::Metatable);
            }
        }
        let address = stack.address(index);
        if let Some(&number) = self.seen.get(&address) {
            return Ok(self.out.back_reference(number)?);
        }
        if depth >= VALUE_DEPTH_MAX {
            return self.refuse(EncodeError::Depth);
        }
        if self.unpaid() > UNPAID_MAX_BYTES {
            self.pay()?;
        }
        self.seen.try_reserve(1).map_err(|_| EncodeError::Memory)?;
        self.seen.insert(address, self.seen.len() as u32);
        let counts = self.out.table(0, 0)?;
        let array = self.array_part(index, depth)?;
        let pairs = self.pairs(index, array, depth)?;
        if array == 0 && pairs == 0 && is_marked(stack, index) {
            // In place of the tag and the counts, which are all that is there.
            self.out.truncate(counts - 1);
            return Ok(self.out.empty_list()?);
        }
        self.out.patch_u32(counts, array);
        self.out.patch_u32(counts + 4, pairs);
        Ok(())
    }

    /// The values at 1, 2, ... up to the first nil.
    fn array_part(&mut self, index: c_int, depth: usize) -> Result<u32, EncodeError> {
        let stack = self.stack;
        let mut walk = Walk::default();
        loop {
            let step = self.step(&mut walk, |walk, room| stack.list_step(index, walk, room))?;
            if step == Step::End {
                break;
            }
            if step == Step::Value {
                self.top_values(walk.count, depth)?;
            }
        }
        // What follows may be in the hash part.
        let mut count = walk.count;
        while stack.raw_get_index(index, i64::from(count) + 1) != raw::LUA_TNIL {
            count += 1;
            self.top_values(count, depth)?;
        }
        stack.pop(1);
        Ok(count)
    }

    /// Everything whose key is not an integer in 1..=array.
    fn pairs(&mut self, index: c_int, array: u32, depth: usize) -> Result<u32, EncodeError> {
        let stack = self.stack;
        let mut walk = Walk::default();
        loop {
            let step = self.step(&mut walk, |walk, room| stack.pairs_step(index, array, walk, room))?;
            if step == Step::End {
                return Ok(walk.count);
            }
            if step == Step::Value {
                self.top_values(0, depth)?;
            }
        }
    }

    /// One step of a walk, into the encoder's room; more room, when there was none for the next entry.
    fn step(
        &mut self,
        walk: &mut Walk,
        step: impl FnOnce(&mut Walk, &mut [MaybeUninit<u8>]) -> Step,
    ) -> Result<Step, EncodeError> {
        let ended = step(walk, self.out.room(0)?);
        // SAFETY: the step says how much it wrote.
        unsafe { self.out.written(walk.written) };
        if walk.written > UNPAID_MAX_BYTES {
            self.pay()?;
        }
        if ended == Step::Full {
            self.out.room(walk.needed.max(ROOM_BYTES))?;
        }
        Ok(ended)
    }

    /// Writes the value on top, that at `place` of a list, or (0) the top two as a pair; and takes them off
    /// the stack.
    fn top_values(&mut self, place: u32, depth: usize) -> Result<(), EncodeError> {
        let n = if place == 0 { 2 } else { 1 };
        let first = self.stack.top() - n + 1;
        let written = (first..first + n).try_for_each(|index| {
            self.value(index, depth + 1).inspect_err(|_| self.leave(place, index, first))
        });
        self.stack.pop(n);
        written
    }

    /// Begins the path of a refusal.
    #[cold]
    fn refuse(&self, error: EncodeError) -> Result<(), EncodeError> {
        context(self.stack).refused.clear();
        Err(error)
    }

    /// Puts the key in front under which something was refused. A key that was refused has none: the path
    /// leads to its table.
    #[cold]
    fn leave(&self, place: u32, index: c_int, first: c_int) {
        fuel::charge(STEP_WORK_BYTES);
        if place == 0 && index == first {
            return context(self.stack).refused.clear();
        }
        let key = if place == 0 { key_at(self.stack, first) } else { Key::Integer(i64::from(place)) };
        context(self.stack).refused.enter(key);
    }

    /// Keeps the value alive under a number.
    fn handle(&mut self, index: c_int) -> Result<u32, EncodeError> {
        let stack = self.stack;
        if !stack.has_room(6) {
            return Err(EncodeError::Memory);
        }
        let mut reference = 0;
        stack.push_copy(index);
        let status = stack.protect_with(|inner| {
            reference = inner.make_reference(RefKind::Host);
            Ok(())
        });
        if status != Status::Ok {
            stack.pop(1);
            return Err(EncodeError::Memory);
        }
        context(stack).handles += 1;
        Ok(reference as u32)
    }
}
