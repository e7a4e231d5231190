//! The function `json.encode`. The file `table` says which tables are arrays and which are objects.
//!
//! On the Lua stack each open table has `LEVEL` slots: the table; the table to read, which is the same one or
//! the copy that `__pairs` gave; the list of keys, or nil for an array; the index of the current entry.

use super::table::{Shape, push_contents, push_keys, shape};
use super::writer::Writer;
use super::{depth_option, options};
use crate::lua::{Stack, Thrown, fuel, raw};
use crate::state::limit_exceeded::{tick, work, work_steps};
use crate::stdlib::scratch::SHORT_BYTES;
use crate::value::escape::{ESCAPE_BYTES_MAX, escaped};
use crate::value::path::{Key, Path, STEP_WORK_BYTES};
use std::ffi::c_int;
use std::mem::needs_drop;

/// Stack slots of each open table.
const LEVEL: c_int = 4;

/// Most stack slots that one step needs, including those of the file `table`.
const SLOTS: c_int = 20;

/// Most bytes of indentation per level.
const INDENT_BYTES_MAX: usize = 16;

/// The function `table.sort`.
const SORT: c_int = raw::lua_upvalueindex(1);

/// State of one call of `json.encode`.
struct Encoder<'a> {
    stack: Stack,
    out: Writer<'a>,
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
    /// Writes the value on top. `[-1, +0, e]`
    fn document(&mut self) -> Result<(), Thrown> {
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

    /// Writes the value on top. Of a table it writes only the beginning: the table becomes the innermost
    /// level. `[-1, +(0|LEVEL), e]`
    fn value(&mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        tick(stack);
        match stack.type_of(-1) {
            raw::LUA_TTABLE => return self.open(),
            raw::LUA_TNIL => self.out.put(b"null"),
            raw::LUA_TLIGHTUSERDATA if stack.userdata(-1).is_null() => self.out.put(b"null"),
            raw::LUA_TBOOLEAN => self.out.put(if stack.boolean(-1) { b"true" } else { b"false" }),
            raw::LUA_TNUMBER => self.number()?,
            raw::LUA_TSTRING => self.string(b"a string that is not valid UTF-8", self.depth)?,
            _ => return Err(self.refuse(self.depth, &[b"a ", stack.type_name(-1).as_bytes()])),
        }
        stack.pop(1);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        if stack.is_integer(-1) {
            stack.push_text(-1);
            // SAFETY: the text stays on top while it is copied.
            self.out.put(unsafe { stack.bytes(-1) }.unwrap_or_default());
            stack.pop(1);
            return Ok(());
        }
        let number = stack.number(-1).unwrap_or_default();
        if number.is_nan() {
            return Err(self.refuse(self.depth, &[b"NaN"]));
        }
        if number.is_infinite() {
            return Err(self.refuse(self.depth, &[b"an infinite number"]));
        }
        self.out.put(zmij::Buffer::new().format_finite(number).as_bytes());
        Ok(())
    }

    /// Writes the string on top. If it cannot be written, `fault` names it, and so many `levels` lead to it.
    fn string(&mut self, fault: &[u8], levels: c_int) -> Result<(), Thrown> {
        // SAFETY: the string stays on top until all of it is written.
        let bytes = unsafe { self.stack.bytes(-1) }.unwrap_or_default();
        work(self.stack, bytes.len());
        if std::str::from_utf8(bytes).is_err() {
            return Err(self.refuse(levels, &[fault]));
        }
        self.out.put(b"\"");
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
            self.out.put(&rest[..at]);
            self.out.put(escaped(rest[at], &mut [0; ESCAPE_BYTES_MAX]));
            rest = &rest[at + 1..];
        }
        self.out.put(rest);
        self.out.put(b"\"");
        Ok(())
    }

    /// Makes the table on top the innermost level. `[-0, +(LEVEL-1), e]`
    fn open(&mut self) -> Result<(), Thrown> {
        let stack = self.stack;
        let table = stack.top();
        let address = stack.address(table);
        work_steps(stack, self.depth as usize);
        if (0..self.depth).any(|level| stack.address(self.base + level * LEVEL) == address) {
            return Err(self.refuse(self.depth, &[b"a cycle (a table inside itself)"]));
        }
        if self.depth >= self.depth_max {
            return Err(self.refuse(self.depth, &[b"tables nested deeper than option 'depth' allows"]));
        }
        if !stack.has_room(SLOTS) {
            return Err(stack.throw(b"stack overflow"));
        }
        push_contents(stack, table);
        // Now: the table, what to read, and perhaps its keys.
        match shape(stack, table).map_err(|what| self.refuse(self.depth, &what))? {
            Shape::Array => {
                stack.pop(1);
                stack.push_nil();
                self.out.put(b"[");
            }
            Shape::Object => {
                if stack.type_of(-1) == raw::LUA_TNIL {
                    stack.pop(1);
                    push_keys(stack, -1);
                }
                if self.sort_keys {
                    stack.push_copy(SORT);
                    stack.push_copy(-2);
                    stack.call(1, 0);
                }
                self.out.put(b"{");
            }
        }
        stack.push_integer(0);
        self.depth += 1;
        Ok(())
    }

    /// Advances to the next entry of the innermost level: writes everything before its value, and pushes the
    /// value. Returns false if there is none. `[-0, +(0|1), e]`
    fn next_entry(&mut self) -> Result<bool, Thrown> {
        let stack = self.stack;
        tick(stack);
        let (from, keys, at) = self.innermost();
        let index = stack.integer(at).unwrap_or_default() + 1;
        let is_array = stack.type_of(keys) == raw::LUA_TNIL;
        if stack.raw_get_index(if is_array { from } else { keys }, index) == raw::LUA_TNIL {
            stack.pop(1);
            return Ok(false);
        }
        stack.push_integer(index);
        stack.replace(at);
        if index > 1 {
            self.out.put(b",");
        }
        self.new_line(self.depth);
        if !is_array {
            self.string(b"a key that is not valid UTF-8", self.depth - 1)?;
            self.out.put(if self.indent_len > 0 { b": " } else { b":" });
            stack.raw_get(from);
        }
        Ok(true)
    }

    /// Ends the innermost level, which is on top. `[-LEVEL, +0, m]`
    fn close(&mut self) {
        let stack = self.stack;
        let (_, keys, at) = self.innermost();
        let is_array = stack.type_of(keys) == raw::LUA_TNIL;
        let is_empty = stack.integer(at) == Some(0);
        self.depth -= 1;
        if !is_empty {
            self.new_line(self.depth);
        }
        self.out.put(if is_array { b"]" } else { b"}" });
        stack.pop(LEVEL);
    }

    /// The stack indices of the innermost level: the table to read, its keys, the index of the current entry.
    fn innermost(&self) -> (c_int, c_int, c_int) {
        let table = self.base + (self.depth - 1) * LEVEL;
        (table + 1, table + 2, table + 3)
    }

    fn new_line(&mut self, depth: c_int) {
        if self.indent_len > 0 {
            self.out.put(b"\n");
            for _ in 0..depth {
                self.out.put(&self.indent[..self.indent_len]);
            }
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
            let table = self.base + level * LEVEL;
            let (keys, at) = (table + 2, table + 3);
            let index = stack.integer(at).unwrap_or_default();
            if stack.type_of(keys) == raw::LUA_TNIL {
                path.enter(Key::Integer(index));
                continue;
            }
            // The slots above the levels are not needed any more.
            stack.raw_get_index(keys, index);
            // SAFETY: the key stays on the stack while the slice is used.
            path.enter(Key::String(unsafe { stack.bytes(-1) }.unwrap_or_default()));
            stack.pop(1);
        }
        stack.throw(path.message("json: cannot encode ", what))
    }
}
