//! Path to a part of a value, in the message of its refusal: `.ore[3]["two words"].f`.
//!
//! It is built while the error unwinds, from the inside out, in a buffer of fixed size: nothing is kept while
//! a value passes, nothing allocates, and nothing has a destructor that a jump of Lua's could leave out. The
//! same text as in `web/src/value_path.ts`.

use super::convert_error::type_name;
use super::escape::{ESCAPE_BYTES_MAX, escaped};
use super::tree::Value;

/// Characters of a key that are shown.
const KEY_CHARS_MAX: usize = 40;
/// Characters of a path that are shown: so many of its beginning, `GAP`, so many of its end.
const HEAD_CHARS: usize = 80;
const TAIL_CHARS: usize = 117;
const GAP: &[u8] = b"...";
const PATH_CHARS_MAX: usize = HEAD_CHARS + GAP.len() + TAIL_CHARS;

/// Work that a step counts for, in bytes as fuel has them.
pub(crate) const STEP_WORK_BYTES: usize = 512;

/// Bytes of the longest step: a key whose characters are all escaped, and what is around it.
const STEP_BYTES_MAX: usize = KEY_CHARS_MAX * ESCAPE_BYTES_MAX + GAP.len() + 4;
/// Bytes of the longest path, of a step before it is cut, and of the words around it.
const ROOM_BYTES: usize = PATH_CHARS_MAX * 4 + STEP_BYTES_MAX + 128;
/// End of the path: after it stands what closes a message.
const END: usize = ROOM_BYTES - 1;

/// A key of a table, as far as a path shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    String(&'a [u8]),
    Integer(i64),
    Float(f64),
    /// Any other: the word for a boolean, or the name of its type.
    Other(&'a str),
}

impl<'a> From<&'a Value> for Key<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(bytes) => Key::String(bytes),
            Value::Integer(n) => Key::Integer(*n),
            Value::Float(n) => Key::Float(*n),
            Value::Boolean(b) => Key::from(*b),
            other => Key::Other(type_name(other)),
        }
    }
}

impl From<bool> for Key<'_> {
    fn from(value: bool) -> Self {
        Key::Other(if value { "true" } else { "false" })
    }
}

/// A path; empty, where a value itself was refused.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    bytes: [u8; ROOM_BYTES],
    start: usize,
}

impl Path {
    pub(crate) const EMPTY: Path = {
        let mut bytes = [0; ROOM_BYTES];
        bytes[END] = b')';
        Path { bytes, start: END }
    };

    pub(crate) fn clear(&mut self) {
        self.start = END;
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.start..END]).unwrap_or_default()
    }

    /// Puts a key in front: what the path leads to is in a table, under this key.
    #[cold]
    #[inline(never)]
    pub(crate) fn enter(&mut self, key: Key<'_>) {
        match key {
            Key::String(text) => self.put_first(Step::of(text).bytes()),
            Key::Integer(n) => {
                self.put_first(b"]");
                let mut rest = n.unsigned_abs();
                loop {
                    self.put_first(&[b'0' + (rest % 10) as u8]);
                    rest /= 10;
                    if rest == 0 {
                        break;
                    }
                }
                self.put_first(if n < 0 { b"[-" } else { b"[" });
            }
            Key::Float(n) if n.is_infinite() => self.put_bracketed(if n > 0.0 { "inf" } else { "-inf" }),
            Key::Float(n) => self.put_bracketed(zmij::Buffer::new().format_finite(n)),
            Key::Other(text) => self.put_bracketed(text),
        }
        self.cut();
    }

    fn put_bracketed(&mut self, text: &str) {
        self.put_first(b"]");
        self.put_first(text.as_bytes());
        self.put_first(b"[");
    }

    /// The message of a refusal, `head` and more pieces: with the path, if there is one. The path is used up
    /// by that.
    pub(crate) fn message(&mut self, head: &str, pieces: &[&[u8]]) -> &[u8] {
        let end = if self.start == END { END } else { ROOM_BYTES };
        if end > END {
            self.put_first(b" (at ");
        }
        pieces.iter().rev().for_each(|piece| self.put_first(piece));
        self.put_first(head.as_bytes());
        &self.bytes[self.start..end]
    }

    fn put_first(&mut self, bytes: &[u8]) {
        if let Some(start) = self.start.checked_sub(bytes.len()) {
            self.bytes[start..self.start].copy_from_slice(bytes);
            self.start = start;
        }
    }

    /// Cuts the middle out of a path that is too long. What stays depends on the whole path and not on its
    /// steps: a path that was cut is as long as one may be, so anything put in front cuts it again.
    fn cut(&mut self) {
        let (mut count, mut head) = (0, self.start);
        for at in self.start..END {
            if self.begins_char(at) {
                if count == HEAD_CHARS {
                    head = at;
                }
                count += 1;
            }
        }
        if count <= PATH_CHARS_MAX {
            return;
        }
        let (mut tail, mut left) = (END, TAIL_CHARS);
        while left > 0 && tail > head {
            tail -= 1;
            left -= usize::from(self.begins_char(tail));
        }
        let head = self.start..head;
        self.start = tail;
        self.put_first(GAP);
        let start = self.start - head.len();
        self.bytes.copy_within(head, start);
        self.start = start;
    }

    fn begins_char(&self, at: usize) -> bool {
        self.bytes[at] & 0xC0 != 0x80
    }
}

/// The step to what is under a string.
struct Step {
    bytes: [u8; STEP_BYTES_MAX],
    len: usize,
}

impl Step {
    /// Makes `.name`, or `["text"]`: with the escapes of JSON, and U+FFFD for a byte that is no UTF-8.
    fn of(key: &[u8]) -> Step {
        let mut step = Step { bytes: [0; STEP_BYTES_MAX], len: 0 };
        if is_name(key) {
            step.put(b".");
            step.put(key);
            return step;
        }
        step.put(b"[\"");
        let (mut rest, mut count) = (key, 0);
        while let Some(&byte) = rest.first() {
            if count == KEY_CHARS_MAX {
                step.put(GAP);
                break;
            }
            count += 1;
            let char = (1..=4).filter_map(|len| rest.get(..len)).find(|char| str::from_utf8(char).is_ok());
            match char {
                Some([_]) => step.put(escaped(byte, &mut [0; ESCAPE_BYTES_MAX])),
                Some(char) => step.put(char),
                None => step.put("\u{FFFD}".as_bytes()),
            }
            rest = &rest[char.map_or(1, <[u8]>::len)..];
        }
        step.put(b"\"]");
        step
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// True if the key can follow a dot in Lua, but for Lua's own words, and is shown whole.
fn is_name(key: &[u8]) -> bool {
    key.len() <= KEY_CHARS_MAX
        && key.first().is_some_and(|first| !first.is_ascii_digit())
        && key.iter().all(|&byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Path {}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}
