//! An error of Lua where it is raised: message, traceback and place go into the context's `ErrorRecord`, the
//! error value stays as it is. Not here: what becomes of them (`request`).

use crate::lua::{Stack, Status, Thrown, lua_function, raw};
use crate::state::context::context;
use crate::state::meter::{LimitExceeded, Whole};
use std::ffi::c_int;
use std::io::Write as _;

/// Record of an error as the message handler saw it where the error was raised.
#[derive(Debug, Default)]
pub(crate) struct ErrorRecord {
    /// True if a handler has run since `clear`.
    pub(crate) seen: bool,
    pub(crate) message: Vec<u8>,
    pub(crate) traceback: Vec<u8>,
    pub(crate) chunk: Vec<u8>,
    pub(crate) line: Option<u32>,
    /// True if the input of this operation broke the value format.
    pub(crate) malformed: bool,
    /// The message of the store's last refusal in this eval; empty when there was none.
    pub(crate) store: Vec<u8>,
}

impl ErrorRecord {
    pub(crate) fn clear(&mut self) {
        self.seen = false;
        self.malformed = false;
        self.message.clear();
        self.traceback.clear();
        self.chunk.clear();
        self.line = None;
        self.store.clear();
    }
}

lua_function!(handle_error = handle_error_inner);

/// The message handler: notes message, traceback and place, and leaves the error value as it is.
fn handle_error_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.set_top(1);
    if context(stack).meter.exceeded().is_some() {
        // Noted where it happened.
        return Ok(1);
    }
    note_message(stack, 1);
    if context(stack).meter.exceeded().is_some() {
        return Ok(1);
    }
    // The handler's own frame is of no interest.
    note_traceback(stack, stack, 1);
    note_place(stack, stack);
    context(stack).error_record.seen = true;
    Ok(1)
}

/// Records an error that ended a thread, which no handler saw: its value lies on top of `stack`, and the
/// thread is as the error left it. `[-0, +0, -]`
pub(crate) fn describe_thread(stack: Stack, thread: Stack) {
    note_message(stack, stack.top());
    let status = stack.protect(0, |inner| {
        note_traceback(inner, thread, 0);
        Ok(())
    });
    if status != Status::Ok {
        stack.pop(1);
    }
    note_place(stack, thread);
    context(stack).error_record.seen = true;
}

/// Records the error on top of `stack`, which a closing method has raised after another one had ended the
/// thread: the place is that in its message. `[-0, +0, -]`
pub(crate) fn describe_closing(stack: Stack) {
    note_message(stack, stack.top());
    let record = &mut context(stack).error_record;
    record.traceback.clear();
    record.chunk.clear();
    record.line = None;
    if let Some((end, line)) = place_in(&record.message) {
        record.line = Some(line);
        set(&mut record.chunk, &record.message[..end]);
    }
}

/// Notes why and where a call is ended from outside. `[-0, +0, -]`
pub(crate) fn note_limit_exceeded(stack: Stack, limit: LimitExceeded) {
    let c = context(stack);
    let script = c.memory.is_for_script();
    c.memory.for_host();
    c.emergency_reserve = Vec::new();
    c.error_record.clear();
    c.error_record.seen = true;
    if stack.has_room(LUA_MINSTACK) {
        let status = stack.protect(0, |inner| {
            note_traceback(inner, stack, 0);
            Ok(())
        });
        if status != Status::Ok {
            stack.pop(1);
        }
    }
    note_place(stack, stack);
    let c = context(stack);
    if script {
        c.memory.for_script();
    }
    let Whole { timeout_ms, fuel } = c.meter.whole();
    let place = &mut c.error_record;
    let mut text = std::mem::take(&mut place.message);
    if let (Some(line), Ok(chunk)) = (place.line, std::str::from_utf8(&place.chunk)) {
        let _ = write!(text, "{chunk}:{line}: ");
    }
    let _ = match limit {
        // In whole numbers: text of floats would be a tenth of the module.
        LimitExceeded::Timeout => {
            let micros = (timeout_ms * 1000.0) as u64;
            let (ms, rest) = (micros / 1000, micros % 1000);
            let written = write!(text, "timed out after {ms}");
            let written = if rest > 0 { written.and_then(|()| write!(text, ".{rest:03}")) } else { written };
            written.and_then(|()| write!(text, " ms"))
        }
        LimitExceeded::Fuel => write!(text, "out of fuel after {fuel} ticks"),
        LimitExceeded::Interrupt => write!(text, "interrupted"),
    };
    place.message = text;
}

/// Functions on the call stack that are asked for the place of an error.
const PLACE_LEVELS_MAX: c_int = 201;

/// Slots that a traceback takes.
const LUA_MINSTACK: c_int = 20;

/// `[-0, +0, m]`
fn note_traceback(stack: Stack, of: Stack, level: c_int) {
    stack.push_traceback(of, None, level);
    // SAFETY: the string stays on the stack while it is copied.
    let traceback = unsafe { stack.bytes(-1) }.unwrap_or_default();
    set(&mut context(stack).error_record.traceback, traceback);
    stack.pop(1);
}

/// Records an error that no handler saw: one of the compiler, or running out of memory.
pub(crate) fn describe(stack: Stack, status: Status) {
    let index = stack.top();
    note_message(stack, index);
    if status == Status::Syntax {
        let record = &mut context(stack).error_record;

        if let Some((end, line)) = place_in(&record.message) {
            record.line = Some(line);
            set(&mut record.chunk, &record.message[..end]);
        }
    }
}

/// The error value as text: a string or number as it is, anything else by its `__tostring`, or as the
/// reference interpreter says it. A `__tostring` that fails is no reason to lose the error.
fn note_message(stack: Stack, index: c_int) {
    // SAFETY: the string stays at `index` while it is copied.
    if let Some(message) = unsafe { stack.bytes(index) } {
        set(&mut context(stack).error_record.message, message);
        return;
    }
    stack.push_copy(index);
    let mut described = false;
    let status = stack.protect_with(|inner| {
        described = inner.type_of(-1) == raw::LUA_TNUMBER || inner.has_metafield(-1, c"__tostring");
        if described {
            inner.push_text(-1);
            // SAFETY: the string stays on the stack while it is copied.
            let text = unsafe { inner.bytes(-1) }.unwrap_or_default();
            set(&mut context(inner).error_record.message, text);
            inner.pop(1);
        }
        Ok(())
    });
    if status != Status::Ok {
        stack.pop(1);
    }
    // A `__tostring` may be what ended the call, which is then what is reported.
    if (status != Status::Ok || !described) && context(stack).meter.exceeded().is_none() {
        let message = &mut context(stack).error_record.message;
        message.clear();
        let parts = ["(error object is a ", stack.type_name(index), " value)"];
        if message.try_reserve(parts.iter().map(|part| part.len()).sum()).is_ok() {
            for part in parts {
                message.extend_from_slice(part.as_bytes());
            }
        }
    }
}

/// Chunk and line: those in the message where it names a function on the stack (so `error(text, 2)` counts),
/// else those of the innermost Lua function of `of`.
fn note_place(stack: Stack, of: Stack) {
    let mut innermost = None;
    of.visit_places(PLACE_LEVELS_MAX, |chunk, line| {
        let record = &mut context(stack).error_record;
        let named =
            place_in(&record.message).is_some_and(|(end, at)| at == line && record.message[..end] == *chunk);
        if named || innermost.is_none() {
            set(&mut record.chunk, chunk);
            innermost = Some(line);
        }
        !named
    });
    context(stack).error_record.line = innermost;
}

/// "chunk:line: ..." at the start of a message: where the chunk's name ends, and the line.
fn place_in(message: &[u8]) -> Option<(usize, u32)> {
    let mut from = 0;
    while let Some(colon) = message[from..].iter().position(|&b| b == b':').map(|at| from + at) {
        let digits = message[colon + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 && message.get(colon + 1 + digits) == Some(&b':') {
            let line = std::str::from_utf8(&message[colon + 1..colon + 1 + digits]).ok()?.parse().ok()?;
            return Some((colon, line));
        }
        from = colon + 1;
    }
    None
}

/// Copies; where memory is short, keeps what was there empty rather than half.
pub(crate) fn set(place: &mut Vec<u8>, bytes: &[u8]) {
    place.clear();
    if place.try_reserve(bytes.len()).is_ok() {
        place.extend_from_slice(bytes);
    }
}
