//! An error of Lua where it is raised: message, traceback and place go into the context's `ErrorRecord`, the
//! error value stays as it is. Not here: what becomes of them (`request`).

use crate::lua::{Stack, Status, Thrown, lua_function, raw};
use crate::state::context::context;
use crate::state::hints::add_hint;
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
    /// The message of the store's last refusal in this eval; empty when there was none.
    pub(crate) store: Vec<u8>,
    /// The message of the last error of another kind than `runtime`, which that message tells from others;
    /// empty when there was none.
    marked: Vec<u8>,
    mark: Mark,
    /// The chunk of the module that does not compile.
    marked_chunk: Vec<u8>,
}

/// Kind of an error that Lua itself takes for any other. A script may catch it and go on, so it counts only
/// where the error that ends the call has its message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A value that breaks the format, or cannot be converted.
    #[default]
    Value,
    /// An operation that cannot be done with these arguments.
    Usage,
    /// A module that does not compile.
    Syntax,
}

impl ErrorRecord {
    pub(crate) fn clear(&mut self) {
        self.seen = false;
        self.message.clear();
        self.traceback.clear();
        self.chunk.clear();
        self.line = None;
        self.store.clear();
        self.marked.clear();
        self.marked_chunk.clear();
    }

    /// Notes that an error with this message is of another kind.
    #[inline(never)]
    pub(crate) fn mark(&mut self, mark: Mark, message: &[u8]) {
        self.mark = mark;
        set(&mut self.marked, message);
    }

    /// Notes that a module does not compile.
    pub(crate) fn mark_module(&mut self, message: &[u8], chunk: &[u8]) {
        self.mark(Mark::Syntax, message);
        set(&mut self.marked_chunk, chunk);
    }

    /// The kind that was noted, if the error is that one. Its place is the one in the module, then.
    #[inline(never)]
    pub(crate) fn take_mark(&mut self) -> Option<Mark> {
        if self.marked.is_empty() || !contains(&self.message, &self.marked) {
            return None;
        }
        if self.mark == Mark::Syntax {
            self.line = line_after(&self.marked, &self.marked_chunk);
            std::mem::swap(&mut self.chunk, &mut self.marked_chunk);
        }
        Some(self.mark)
    }

    /// True if it is the store's last refusal.
    pub(crate) fn is_of_store(&self) -> bool {
        !self.store.is_empty() && contains(&self.message, &self.store)
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
    let record = &mut context(stack).error_record;
    add_hint(&mut record.message);
    record.seen = true;
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
    let record = &mut context(stack).error_record;
    add_hint(&mut record.message);
    record.seen = true;
}

/// Records the error on top of `stack`, which a closing method has raised after another one had ended the
/// thread: the place is that in its message, if it is in the chunk of the first. `[-0, +0, -]`
pub(crate) fn describe_closing(stack: Stack) {
    note_message(stack, stack.top());
    let record = &mut context(stack).error_record;
    record.traceback.clear();
    record.line = line_after(&record.message, &record.chunk);
    if record.line.is_none() {
        record.chunk.clear();
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
    let exit_code = c.exit_code;
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
        LimitExceeded::Exit => write!(text, "the program has ended with code {exit_code}"),
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

/// Records an error that no handler saw: one of running out of memory.
pub(crate) fn describe(stack: Stack) {
    note_message(stack, stack.top());
}

/// Records an error of the compiler, which is on top, in the chunk of this name.
pub(crate) fn describe_syntax(stack: Stack, chunk: &[u8]) {
    note_message(stack, stack.top());
    let record = &mut context(stack).error_record;
    record.seen = true;
    record.line = line_after(&record.message, chunk);
    set(&mut record.chunk, chunk);
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

/// Chunk and line: those that the message begins with, if a function of that chunk is on the stack (so
/// `error(text, 2)` counts, and the first place of an error that is raised again), else those of the
/// innermost Lua function of `of`.
fn note_place(stack: Stack, of: Stack) {
    let mut innermost = None;
    of.visit_places(PLACE_LEVELS_MAX, |chunk, line| {
        let record = &mut context(stack).error_record;
        let named = line_after(&record.message, chunk);
        if named.is_some() || innermost.is_none() {
            set(&mut record.chunk, chunk);
            innermost = Some(named.unwrap_or(line));
        }
        named.is_none()
    });
    context(stack).error_record.line = innermost;
}

/// The line of a message that begins with this chunk and a line: "chunk:line: ...". Names may hold anything,
/// also what looks like a line: so the name is what must be known.
#[inline(never)]
fn line_after(message: &[u8], chunk: &[u8]) -> Option<u32> {
    let rest = message.strip_prefix(chunk)?.strip_prefix(b":")?;
    let digits = rest.split(|&byte| byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Copies; where memory is short, keeps what was there empty rather than half.
pub(crate) fn set(place: &mut Vec<u8>, bytes: &[u8]) {
    place.clear();
    if place.try_reserve(bytes.len()).is_ok() {
        place.extend_from_slice(bytes);
    }
}

#[inline(never)]
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
