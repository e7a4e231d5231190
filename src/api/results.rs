//! Results of a Rust function, written as bytes: rows of a database go to Lua without a tree of `Value`s in
//! between.

use crate::limits::VALUE_DEPTH_MAX;
use crate::value::{ConvertError, Encoder, FormatError, Value, encode_value};

/// Bytes of the count that a list begins with.
const COUNT_BYTES: usize = 4;

/// The list of results that a function registered by [`Vm::register_raw`](crate::Vm::register_raw) writes,
/// value by value.
///
/// A table is announced by [`table`](Results::table); the values that follow are its entries.
///
/// ```
/// # use perilune::{ConvertError, Error, Runtime, value::Decoder};
/// let mut lua = Runtime::builder().build()?;
/// lua.register_raw("row", |_, _: &mut Decoder<'_>, results| {
///     results.table(1, 1)?;
///     results.integer(7)?;
///     results.string(b"name")?;
///     results.string(b"moon")?;
///     results.boolean(true)?;
///     Ok::<_, Error>(())
/// })?;
/// let reply = lua.eval("local t, more = row(); return t[1], t.name, more")?;
/// assert_eq!(reply.values, [7.into(), "moon".into(), true.into()]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Results<'a> {
    out: &'a mut Vec<u8>,
    count: u32,
    /// Values that each open table still wants, the innermost last.
    open: Vec<u64>,
}

impl<'a> Results<'a> {
    /// An empty list at the start of `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Result<Self, FormatError> {
        out.clear();
        Encoder::new(out).u32(0)?;
        Ok(Results { out, count: 0, open: Vec::new() })
    }

    /// Appends nil. In a table it is an error of the whole list.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn nil(&mut self) -> Result<(), FormatError> {
        Encoder::new(self.out).nil()?;
        self.written();
        Ok(())
    }

    /// Appends a boolean.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn boolean(&mut self, value: bool) -> Result<(), FormatError> {
        self.one(|encoder| encoder.boolean(value))
    }

    /// Appends an integer.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn integer(&mut self, value: i64) -> Result<(), FormatError> {
        self.one(|encoder| encoder.integer(value))
    }

    /// Appends a float.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn float(&mut self, value: f64) -> Result<(), FormatError> {
        self.one(|encoder| encoder.float(value))
    }

    /// Appends a string of any bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn string(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.one(|encoder| encoder.string(bytes))
    }

    /// Appends any value. A table is written as a whole, its entries included.
    ///
    /// # Errors
    /// It holds tables inside of tables more than 200 deep, or there is no memory for it.
    pub fn value(&mut self, value: &Value) -> Result<(), FormatError> {
        if let Value::Table(_) = value {
            // Tables in one message have numbers, which the tables before this one have used up.
            return self.tree(value);
        }
        let out = &mut *self.out;
        encode_value(value, out)?;
        self.written();
        Ok(())
    }

    /// Begins a table of `array` values at 1, 2, ... and `pairs` keys with their values: so many values are
    /// written next, first those of the array part, then key and value in turn.
    ///
    /// # Errors
    /// It would be more than 200 tables deep, or there is no memory for it.
    pub fn table(&mut self, array: u32, pairs: u32) -> Result<(), FormatError> {
        if self.open.len() == VALUE_DEPTH_MAX {
            return Err(FormatError::TooDeep);
        }
        self.open.try_reserve(1).map_err(|_| FormatError::OutOfMemory)?;
        Encoder::new(self.out).table(array, pairs)?;
        self.open.push(u64::from(array) + 2 * u64::from(pairs));
        self.close_full();
        Ok(())
    }

    /// Fills in the count; an error when a table has fewer entries than it was announced with.
    pub(crate) fn finish(self) -> Result<(), ConvertError> {
        if !self.open.is_empty() {
            return Err(ConvertError::new(
                "a table of the results has fewer entries than it was announced with",
            ));
        }
        self.out[..COUNT_BYTES].copy_from_slice(&self.count.to_le_bytes());
        Ok(())
    }

    fn one(
        &mut self,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        write(&mut Encoder::new(self.out))?;
        self.written();
        Ok(())
    }

    fn tree(&mut self, value: &Value) -> Result<(), FormatError> {
        let Value::Table(table) = value else { return self.value(value) };
        let (array, pairs) = table.with(|data| (data.array.clone(), data.pairs.clone()));
        let count = |len: usize| u32::try_from(len).map_err(|_| FormatError::OutOfMemory);
        self.table(count(array.len())?, count(pairs.len())?)?;
        for value in &array {
            self.tree(value)?;
        }
        for (key, value) in &pairs {
            self.tree(key)?;
            self.tree(value)?;
        }
        Ok(())
    }

    /// Counts a value that is no table and has been appended.
    fn written(&mut self) {
        match self.open.last_mut() {
            Some(wanted) => *wanted -= 1,
            None => self.count += 1,
        }
        self.close_full();
    }

    /// Closes the tables that have all their entries; each is a value of the one around it.
    fn close_full(&mut self) {
        while self.open.last() == Some(&0) {
            self.open.pop();
            match self.open.last_mut() {
                Some(wanted) => *wanted -= 1,
                None => self.count += 1,
            }
        }
    }
}
