//! The function `json.encode`. The file `table` says which tables are arrays and which are objects.
//!
//! On the Lua stack each open table has `LEVEL` slots: the table; the table to read, which is the same one or
//! the copy that `__pairs` gave; its keys (`Entries`); the position of the current entry. A table is walked
//! over where it is, which is right as long as nothing changes it: no code of scripts runs meanwhile,
//! finalizers included (lua-5.4/port/json.c). Before `__pairs` is called, the keys of all open objects are
//! noted.

use super::table::{Shape, push_contents_by_pairs, push_keys, shape};
use super::writer::Writer;
use super::{depth_option, options};
use crate::lua::{Item, Kind, Names, Stack, TableAddress, Thrown, fuel, raw};
use crate::state::limit_exceeded::{tick, work};
use crate::stdlib::scratch::SHORT_BYTES;
use crate::value::escape::{ESCAPE_BYTES_MAX, escaped, plain_ascii_len, plain_len};
use crate::value::path::{Key, Path, STEP_WORK_BYTES};
use std::ffi::{c_int, c_uint};
use std::mem::needs_drop;
use std::ptr;

/// Stack slots of each open table.
const LEVEL: c_int = 4;

/// Most stack slots that one step needs, including those of the file `table`.
const SLOTS: c_int = 20;

/// Most bytes of indentation per level.
const INDENT_BYTES_MAX: usize = 16;

/// The function `table.sort`, and the names for `Stack::json_names`.
const SORT: c_int = raw::lua_upvalueindex(1);
const NAMES: [c_int; 4] =
    [raw::lua_upvalueindex(2), raw::lua_upvalueindex(3), raw::lua_upvalueindex(4), raw::lua_upvalueindex(5)];

/// Ways to find the entries of an open table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entries {
    /// A list: by their index. Its slot for keys has nil.
    Indexed,
    /// An object: node by node. Its slot for keys has false.
    Walked,
    /// An object: by a list of its keys, which is in that slot.
    Listed,
}

/// State of one call of `json.encode`.
struct Encoder<'a> {
    stack: Stack,
    out: Writer<'a>,
    names: Names,
    /// The current entry, and its position in the innermost table.
    item: Item,
    /// The innermost table, how its entries are found, and whether any was written.
    from: TableAddress,
    entries: Entries,
    is_empty: bool,
    /// Index of the first level's first slot.
    base: c_int,
    depth: c_int,
    depth_max: c_int,
    sort_keys: bool,
    indent: [u8; INDENT_BYTES_MAX],
    /// Bytes of `indent` that are used; 0 writes everything in one line.
    indent_len: usize,
}

const _: () = assert!(!needs_drop::<Encoder<'_>>(), "an error would jump over it");

/// `json.encode(value, options)`
pub(super) fn encode_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.check_any(1);
    options::check(stack, 2, &[b"indent", b"sort_keys", b"depth"]);
    let sort_keys = options::boolean(stack, 2, b"sort_keys", c"option 'sort_keys' must be a boolean");
    let depth_max = depth_option(stack, 2) as c_int;
    let mut indent = [0; INDENT_BYTES_MAX];
    let indent_len = indent_option(stack, 2, &mut indent);
    let mut short = [0; SHORT_BYTES];
    let out = Writer::new(stack, &mut short);
    stack.push_copy(1);
    let mut encoder = Encoder {
        stack,
        out,
        names: stack.json_names(NAMES),
        item: Item::START,
        from: ptr::null(),
        entries: Entries::Indexed,
        is_empty: true,
        base: stack.top(),
        depth: 0,
        depth_max,
        sort_keys: sort_keys == Some(true),
        indent,
        indent_len,
    };
    encoder.document()?;
    encoder.out.finish()?;
    Ok(1)
}

/// Reads the option `indent`, a number of blanks or the text itself, into `place`. Returns its length in
/// bytes.
fn indent_option(stack: Stack, argument: c_int, place: &mut [u8; INDENT_BYTES_MAX]) -> usize {
    let message = c"option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs";
    let len = match options::push(stack, argument, b"indent") {
        raw::LUA_TNIL => 0,
        raw::LUA_TSTRING => {
            // SAFETY: the string stays on top while it is copied.
            let text = unsafe { stack.bytes(-1) }.unwrap_or_default();
            let is_blank = text.iter().all(|byte| matches!(byte, b' ' | b'\t'));
            match place.get_mut(..text.len()) {
                Some(place) if is_blank => place.copy_from_slice(text),
                _ => stack.argument_error(argument, message),
            }
            text.len()
        }
        _ => {
            place.fill(b' ');
            options::integer(stack, argument, 0..=INDENT_BYTES_MAX as i64, message) as usize
        }
    };
    stack.pop(1);
    len
}

impl Encoder<'_> {
    /// Writes the value on top. `[-0, +0, e]`
    fn document(&mut self) -> Result<(), Thrown> {
        tick(self.stack);
        self.stack.json_top(&mut self.item);
        loop {
            self.value()?;
            loop {
                if self.depth == 0 {
                    return Ok(());
                }
                if self.next_entry()? {
                    break;
                }
                self.close();
            }
        }
    }

    /// Writes the current value. Of a table, which is on top, it writes only the beginning: the table becomes
    /// the innermost level. `[-(0|1), +(0|LEVEL), e]`
    fn value(&mut self) -> Result<(), Thrown> {
        match self.item.kind() {
            Kind::Null | Kind::End => self.out.put(b"null"),
            Kind::Boolean(value) => self.out.put(if value { b"true" } else { b"false" }),
            Kind::Integer => self.out.put(itoa::Buffer::new().format(self.item.integer).as_bytes()),
            Kind::Float => self.float()?,
            Kind::String => {
                // SAFETY: its table has it, and stays on the stack.
                let text = unsafe { self.item.text() };
                self.string(text, b"a string that is not valid UTF-8", self.depth)?;
            }
            Kind::Other if self.stack.type_of(-1) == raw::LUA_TTABLE => return self.open(),
            Kind::Other => {
                let name = self.stack.type_name(-1);
                return Err(self.refuse(self.depth, &[b"a ", name.as_bytes()]));
            }
        }
        Ok(())
    }

    fn float(&mut self) -> Result<(), Thrown> {
        let number = self.item.number;
        if number.is_nan() {
            return Err(self.refuse(self.depth, &[b"NaN"]));
        }
        if number.is_infinite() {
            return Err(self.refuse(self.depth, &[b"an infinite number"]));
        }
        self.out.put(zmij::Buffer::new().format_finite(number).as_bytes());
        Ok(())
    }

    /// Writes a string. If it cannot be written, `fault` names it, and so many `levels` lead to it.
    fn string(&mut self, bytes: &[u8], fault: &[u8], levels: c_int) -> Result<(), Thrown> {
        if bytes.len() >= fuel::BYTES_PER_TICK {
            work(self.stack, bytes.len());
        }
        if plain_ascii_len(bytes) == bytes.len() {
            self.out.put_quoted(bytes);
            return Ok(());
        }
        if std::str::from_utf8(bytes).is_err() {
            return Err(self.refuse(levels, &[fault]));
        }
        self.out.put(b"\"");
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let plain = if byte < 0x20 || byte == b'"' || byte == b'\\' { 0 } else { plain_len(rest) };
            if plain == 0 {
                self.out.put(escaped(byte, &mut [0; ESCAPE_BYTES_MAX]));
                rest = &rest[1..];
            } else {
                self.out.put(&rest[..plain]);
                rest = &rest[plain..];
            }
        }
        self.out.put(b"\"");
        Ok(())
    }

    /// Makes the table on top the innermost level. `[-0, +(LEVEL-1), e]`
    fn open(&mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        let table = self.base + self.depth * LEVEL;
        let address = stack.table_address(table);
        if stack.json_is_open(self.base, LEVEL, self.depth) {
            return Err(self.refuse(self.depth, &[b"a cycle (a table inside itself)"]));
        }
        if self.depth >= self.depth_max {
            return Err(self.refuse(self.depth, &[b"tables nested deeper than option 'depth' allows"]));
        }
        if !stack.has_room(SLOTS) {
            return Err(stack.throw(b"stack overflow"));
        }
        if self.depth > 0 {
            stack.push_integer(i64::from(self.item.at));
            stack.replace(table - 1);
        }
        let marks = self.names.marks_of(address);
        let mut from = address;
        if marks.pairs() {
            self.note_keys();
            if self.depth > 0 {
                self.item.at = self.position(self.depth - 1);
            }
            push_contents_by_pairs(stack, table);
            from = stack.table_address(table + 1);
        } else {
            stack.push_copy(table);
        }
        // Now: the table, what to read, and perhaps its keys.
        let entries = match shape(stack, from, marks).map_err(|what| self.refuse(self.depth, &what))? {
            Shape::Array => {
                stack.set_top(table + 1);
                stack.push_nil();
                Entries::Indexed
            }
            Shape::Object if marks.pairs() || self.sort_keys => {
                if !marks.pairs() {
                    push_keys(stack, -1);
                }
                if self.sort_keys {
                    stack.push_copy(SORT);
                    stack.push_copy(-2);
                    stack.call(1, 0);
                }
                Entries::Listed
            }
            Shape::Object => {
                stack.push_boolean(false);
                Entries::Walked
            }
        };
        self.out.put(if entries == Entries::Indexed { b"[" } else { b"{" });
        stack.push_integer(0);
        (self.from, self.entries, self.item.at, self.is_empty) = (from, entries, 0, true);
        self.depth += 1;
        Ok(())
    }

    /// Notes the keys of all open objects that are walked over, because code of scripts runs next.
    /// `[-0, +0, e]`
    #[cold]
    fn note_keys(&self) {
        let stack = self.stack;
        for level in 0..self.depth {
            let (from, keys, at) = self.slots(level);
            if self.entries_of(level) != Entries::Walked {
                continue;
            }
            let position = self.position(level);
            push_keys(stack, from);
            stack.replace(keys);
            let (mut item, mut count) = (Item::START, 0);
            while item.at < position {
                let top = stack.top();
                stack.json_pair(stack.table_address(from), &mut item);
                stack.set_top(top);
                count += 1;
            }
            stack.push_integer(count);
            stack.replace(at);
        }
    }

    /// Advances to the next entry of the innermost level, and writes everything before its value. Returns
    /// false if there is none. A value that is no scalar is pushed. `[-0, +(0|1), e]`
    fn next_entry(&mut self) -> Result<bool, Thrown> {
        let stack = self.stack;
        match self.entries {
            Entries::Indexed => stack.json_element(self.from, &mut self.item),
            Entries::Walked => stack.json_pair(self.from, &mut self.item),
            Entries::Listed => return self.next_listed(),
        }
        if self.item.kind() == Kind::End {
            return Ok(false);
        }
        self.separate();
        if self.entries == Entries::Walked {
            // SAFETY: a pair was found, and its table stays on the stack.
            self.key(unsafe { self.item.key() })?;
        }
        Ok(true)
    }

    /// The same for an object with a list of its keys.
    fn next_listed(&mut self) -> Result<bool, Thrown> {
        let stack = self.stack;
        tick(stack);
        tick(stack);
        let (from, keys, _) = self.slots(self.depth - 1);
        self.item.at += 1;
        if stack.raw_get_index(keys, i64::from(self.item.at)) == raw::LUA_TNIL {
            stack.pop(1);
            return Ok(false);
        }
        self.separate();
        // SAFETY: the key stays on top until it is written.
        self.key(unsafe { stack.bytes(-1) }.unwrap_or_default())?;
        stack.raw_get(from);
        stack.json_top(&mut self.item);
        if self.item.kind() != Kind::Other {
            // Its table has it.
            stack.pop(1);
        }
        Ok(true)
    }

    /// Writes what is between the entry before and this one.
    fn separate(&mut self) {
        if !self.is_empty {
            self.out.put(b",");
        }
        self.is_empty = false;
        if self.indent_len > 0 {
            self.new_line(self.depth);
        }
    }

    fn key(&mut self, key: &[u8]) -> Result<(), Thrown> {
        self.string(key, b"a key that is not valid UTF-8", self.depth - 1)?;
        self.out.put(if self.indent_len > 0 { b": " } else { b":" });
        Ok(())
    }

    /// Ends the innermost level, which is on top. `[-LEVEL, +0, m]`
    fn close(&mut self) {
        let stack = self.stack;
        self.depth -= 1;
        if !self.is_empty && self.indent_len > 0 {
            self.new_line(self.depth);
        }
        self.out.put(if self.entries == Entries::Indexed { b"]" } else { b"}" });
        stack.pop(LEVEL);
        if self.depth > 0 {
            let outer = self.depth - 1;
            self.item.at = self.position(outer);
            self.from = stack.table_address(self.slots(outer).0);
            (self.entries, self.is_empty) = (self.entries_of(outer), false);
        }
    }

    /// The stack indices of a level: the table to read, its keys, the position of the current entry.
    fn slots(&self, level: c_int) -> (c_int, c_int, c_int) {
        let table = self.base + level * LEVEL;
        (table + 1, table + 2, table + 3)
    }

    fn entries_of(&self, level: c_int) -> Entries {
        match self.stack.type_of(self.slots(level).1) {
            raw::LUA_TNIL => Entries::Indexed,
            raw::LUA_TBOOLEAN => Entries::Walked,
            _ => Entries::Listed,
        }
    }

    /// The position that is noted for a level: for all but the innermost one, that of the current entry.
    fn position(&self, level: c_int) -> c_uint {
        self.stack.integer(self.slots(level).2).unwrap_or_default() as c_uint
    }

    #[cold]
    fn new_line(&mut self, depth: c_int) {
        self.out.put(b"\n");
        for _ in 0..depth {
            self.out.put(&self.indent[..self.indent_len]);
        }
    }

    /// Makes the error "json: cannot encode WHAT (at PATH)". The path leads through the current entries of so
    /// many levels; it is left out at the root. `[-0, +1, m]`
    #[cold]
    fn refuse(&self, levels: c_int, what: &[&[u8]]) -> Thrown {
        let stack = self.stack;
        let mut path = Path::EMPTY;
        for level in (0..levels).rev() {
            fuel::charge(STEP_WORK_BYTES);
            let (from, keys, _) = self.slots(level);
            let at = if level == self.depth - 1 { self.item.at } else { self.position(level) };
            // The slots above the levels are not needed any more.
            match self.entries_of(level) {
                Entries::Indexed => {
                    path.enter(Key::Integer(i64::from(at)));
                    continue;
                }
                Entries::Walked => stack.push_json_key(stack.table_address(from), at),
                Entries::Listed => {
                    stack.raw_get_index(keys, i64::from(at));
                }
            }
            // SAFETY: the key stays on the stack while the slice is used.
            path.enter(Key::String(unsafe { stack.bytes(-1) }.unwrap_or_default()));
            stack.pop(1);
        }
        stack.throw(path.message("json: cannot encode ", what))
    }
}
