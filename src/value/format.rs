//! The byte format of values (docs/codec.md, section 1): one encoder and one decoder, which everything else
//! is built on.
//!
//! | tag  | value          | body                                                    |
//! |------|----------------|---------------------------------------------------------|
//! | 0x00 | nil            | -                                                       |
//! | 0x01 | boolean        | 1 byte, 0 or 1                                          |
//! | 0x02 | integer        | i64, little endian                                      |
//! | 0x03 | float          | f64 bits, little endian                                 |
//! | 0x04 | string         | u32 length, any bytes                                   |
//! | 0x05 | table          | u32 n, u32 m, n values (keys 1..n), m pairs (key, value) |
//! | 0x06 | back-reference | u32 number of a table that began earlier                |
//! | 0x07 | external table | u32 length, its name                                    |
//! | 0x08 | function       | u32 handle                                              |
//! | 0x09 | reference      | u8 Lua type, u32 handle                                 |
//! | 0x0A | host function  | u32 id, u32 length, its name                            |
//! | 0x0B | host object    | u32 id, u32 length, its label                           |
//! | 0x0C | null           | -                                                       |
//! | 0x0D | empty list     | -                                                       |
//!
//! The decoder treats every byte as untrusted: it never reads past the end, never accepts a length that the
//! remaining bytes cannot hold, and never panics. The encoder allocates fallibly, because a script decides
//! how much it writes.

use std::collections::TryReserveError;
use std::fmt;
use std::mem::MaybeUninit;

/// The first byte of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "see the table above")]
pub enum Tag {
    Nil = 0,
    Boolean = 1,
    Integer = 2,
    Float = 3,
    String = 4,
    Table = 5,
    BackReference = 6,
    ExternalTable = 7,
    Function = 8,
    Reference = 9,
    HostFunction = 10,
    HostObject = 11,
    Null = 12,
    EmptyList = 13,
}

/// One decoded item: a whole scalar, or the head of a table (whose values and pairs follow as tokens).
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "see the table above")]
pub enum Token<'a> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(&'a [u8]),
    Table { array: u32, pairs: u32 },
    BackReference(u32),
    ExternalTable(&'a [u8]),
    Function(u32),
    Reference { lua_type: u8, handle: u32 },
    HostFunction { id: u32, name: &'a [u8] },
    HostObject { id: u32, label: &'a [u8] },
    Null,
    EmptyList,
}

/// A failure to decode bytes as a value, or to encode a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes end before the value does.
    Truncated,
    /// A first byte that is no tag.
    UnknownTag(u8),
    /// A boolean that is neither 0 nor 1.
    BadBoolean(u8),
    /// A length or count that the remaining bytes cannot hold.
    BadLength(u32),
    /// A back-reference to a table that has not begun.
    BadReference(u32),
    /// A reference with this byte, which is not the number of a Lua type that references have.
    BadType(u8),
    /// A key that is nil or NaN, or a nil where a table holds a value.
    BadTableEntry,
    /// Nesting past `VALUE_DEPTH_MAX` tables.
    TooDeep,
    /// This many bytes left over after the value.
    TrailingBytes(usize),
    /// Failed allocation, or a length past 32 bits.
    OutOfMemory,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Truncated => f.write_str("encoded value ends too early"),
            FormatError::UnknownTag(tag) => write!(f, "encoded value has unknown tag {tag}"),
            FormatError::BadBoolean(byte) => write!(f, "encoded boolean is {byte}"),
            FormatError::BadLength(n) => write!(f, "encoded length {n} is more than the bytes hold"),
            FormatError::BadReference(n) => {
                write!(f, "encoded value refers to table {n}, which has not begun")
            }
            FormatError::BadType(n) => write!(f, "encoded reference has type {n}"),
            FormatError::BadTableEntry => f.write_str("encoded table has a nil or NaN key, or a nil value"),
            FormatError::TooDeep => {
                write!(f, "value is nested more than {} tables deep", crate::limits::VALUE_DEPTH_MAX)
            }
            FormatError::TrailingBytes(n) => write!(f, "{n} bytes left over after an encoded value"),
            FormatError::OutOfMemory => f.write_str("not enough memory"),
        }
    }
}

impl std::error::Error for FormatError {}

impl From<TryReserveError> for FormatError {
    fn from(_: TryReserveError) -> Self {
        FormatError::OutOfMemory
    }
}

/// Reads tokens off the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Makes a decoder at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    /// Number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips bytes that were read by other means.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`FormatError::TrailingBytes`] if not.
    pub fn finish(self) -> Result<(), FormatError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FormatError::TrailingBytes(self.rest.len())) }
    }

    /// Reads the count that heads a list.
    ///
    /// # Errors
    /// The bytes end, or the count is more than the remaining bytes can hold.
    pub fn count(&mut self) -> Result<u32, FormatError> {
        let count = self.u32()?;
        if count as usize > self.rest.len() { Err(FormatError::BadLength(count)) } else { Ok(count) }
    }

    /// Reads the next scalar or table head.
    ///
    /// # Errors
    /// Malformed bytes.
    #[inline]
    pub fn token(&mut self) -> Result<Token<'a>, FormatError> {
        Ok(match self.u8()? {
            0 => Token::Nil,
            1 => match self.u8()? {
                0 => Token::Boolean(false),
                1 => Token::Boolean(true),
                other => return Err(FormatError::BadBoolean(other)),
            },
            2 => Token::Integer(i64::from_le_bytes(self.array()?)),
            3 => Token::Float(f64::from_bits(u64::from_le_bytes(self.array()?))),
            4 => Token::String(self.bytes()?),
            5 => {
                let (array, pairs) = (self.u32()?, self.u32()?);
                // Each value takes at least one byte, each pair two.
                if u64::from(array) + 2 * u64::from(pairs) > self.rest.len() as u64 {
                    return Err(FormatError::BadLength(array.max(pairs)));
                }
                Token::Table { array, pairs }
            }
            6 => Token::BackReference(self.u32()?),
            7 => Token::ExternalTable(self.bytes()?),
            8 => Token::Function(self.u32()?),
            9 => match self.u8()? {
                // LUA_TLIGHTUSERDATA, LUA_TUSERDATA, LUA_TTHREAD
                lua_type @ (2 | 7 | 8) => Token::Reference { lua_type, handle: self.u32()? },
                other => return Err(FormatError::BadType(other)),
            },
            10 => Token::HostFunction { id: self.u32()?, name: self.bytes()? },
            11 => Token::HostObject { id: self.u32()?, label: self.bytes()? },
            12 => Token::Null,
            13 => Token::EmptyList,
            tag => return Err(FormatError::UnknownTag(tag)),
        })
    }

    fn u8(&mut self) -> Result<u8, FormatError> {
        let (&byte, rest) = self.rest.split_first().ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let len = self.u32()?;
        let (bytes, rest) = self.rest.split_at_checked(len as usize).ok_or(FormatError::BadLength(len))?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// Appends values to a buffer that it borrows, so that the buffer can be reused.
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    /// Makes an encoder that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Encoder { out }
    }

    /// Number of bytes in the buffer, including those from before this encoder.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Removes everything from `position` on.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// Returns room for at least `bytes` more, to be written by other means and then claimed with
    /// [`Encoder::written`].
    pub(crate) fn room(&mut self, bytes: usize) -> Result<&mut [MaybeUninit<u8>], FormatError> {
        self.out.try_reserve(bytes)?;
        Ok(self.out.spare_capacity_mut())
    }

    /// Claims the first `bytes` of the room as written.
    ///
    /// # Safety
    /// The first `bytes` of the slice that [`Encoder::room`] returned last were written.
    pub(crate) unsafe fn written(&mut self, bytes: usize) {
        // SAFETY: the caller has written these bytes of the spare capacity, so they are initialised.
        unsafe { self.out.set_len(self.out.len() + bytes) };
    }

    /// Appends a count, which [`Encoder::patch_u32`] may overwrite when it is known.
    pub fn u32(&mut self, n: u32) -> Result<(), FormatError> {
        self.put(&n.to_le_bytes())
    }

    /// Overwrites the four bytes at `position`, which were written earlier.
    pub fn patch_u32(&mut self, position: usize, n: u32) {
        if let Some(place) = self.out.get_mut(position..position + 4) {
            place.copy_from_slice(&n.to_le_bytes());
        }
    }

    /// Appends nil.
    pub fn nil(&mut self) -> Result<(), FormatError> {
        self.put(&[Tag::Nil as u8])
    }

    /// Appends a boolean.
    pub fn boolean(&mut self, value: bool) -> Result<(), FormatError> {
        self.put(&[Tag::Boolean as u8, u8::from(value)])
    }

    /// Appends an integer.
    #[inline]
    pub fn integer(&mut self, value: i64) -> Result<(), FormatError> {
        self.tagged(Tag::Integer, value.to_le_bytes())
    }

    /// Appends a float.
    #[inline]
    pub fn float(&mut self, value: f64) -> Result<(), FormatError> {
        self.tagged(Tag::Float, value.to_bits().to_le_bytes())
    }

    /// Appends a string.
    #[inline]
    pub fn string(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.sized(Tag::String, bytes)
    }

    /// Appends an external table, by name.
    pub fn external_table(&mut self, name: &[u8]) -> Result<(), FormatError> {
        self.sized(Tag::ExternalTable, name)
    }

    /// Appends the head of a table, which `array` values and `pairs` pairs must follow. Returns the position
    /// of the two counts.
    pub fn table(&mut self, array: u32, pairs: u32) -> Result<usize, FormatError> {
        self.put(&[Tag::Table as u8])?;
        let counts = self.position();
        self.u32(array)?;
        self.u32(pairs)?;
        Ok(counts)
    }

    /// Appends an empty list, which has a number as any table.
    pub fn empty_list(&mut self) -> Result<(), FormatError> {
        self.put(&[Tag::EmptyList as u8])
    }

    /// Appends a back-reference to a table by its number.
    pub fn back_reference(&mut self, table: u32) -> Result<(), FormatError> {
        self.put(&[Tag::BackReference as u8])?;
        self.u32(table)
    }

    /// Appends a function handle.
    pub fn function(&mut self, handle: u32) -> Result<(), FormatError> {
        self.put(&[Tag::Function as u8])?;
        self.u32(handle)
    }

    /// Appends a reference to a userdata or thread.
    pub fn reference(&mut self, lua_type: u8, handle: u32) -> Result<(), FormatError> {
        self.put(&[Tag::Reference as u8, lua_type])?;
        self.u32(handle)
    }

    /// Appends a host function.
    pub fn host_function(&mut self, id: u32, name: &[u8]) -> Result<(), FormatError> {
        self.named(Tag::HostFunction, id, name)
    }

    /// Appends a host object.
    pub fn host_object(&mut self, id: u32, label: &[u8]) -> Result<(), FormatError> {
        self.named(Tag::HostObject, id, label)
    }

    /// Appends null.
    pub fn null(&mut self) -> Result<(), FormatError> {
        self.put(&[Tag::Null as u8])
    }

    fn named(&mut self, tag: Tag, id: u32, name: &[u8]) -> Result<(), FormatError> {
        let len = u32::try_from(name.len()).map_err(|_| FormatError::OutOfMemory)?;
        self.put(&[tag as u8])?;
        self.u32(id)?;
        self.u32(len)?;
        self.put(name)
    }

    #[inline]
    fn tagged(&mut self, tag: Tag, body: [u8; 8]) -> Result<(), FormatError> {
        let mut bytes = [tag as u8; 9];
        bytes[1..].copy_from_slice(&body);
        self.put(&bytes)
    }

    #[inline]
    fn sized(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), FormatError> {
        let len = u32::try_from(bytes.len()).map_err(|_| FormatError::OutOfMemory)?;
        self.out.try_reserve(bytes.len() + 5)?;
        self.put(&[tag as u8])?;
        self.u32(len)?;
        self.put(bytes)
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.out.try_reserve(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}
