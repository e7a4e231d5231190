//! Operations of a shell: arguments and results as bytes (docs/codec.md, sections 2 and 3).
//!
//! Each runs as one batch of the store, below one message handler, and leaves a list or an error record.

use crate::bridge::{self, Unfit};
use crate::context::context;
use crate::limits::{NAME_BYTES_MAX, PARACHUTE_BYTES};
use crate::lua::{Stack, Status, Thrown, lua_function, raw};
use crate::runtime::Runtime;
use crate::value::{Reader, Token, Writer};
use std::ffi::{CStr, c_int};

/// Operation numbers of `request`.
#[allow(missing_docs, reason = "docs/codec.md lists them with arguments and results")]
mod op {
    pub const EVAL: u32 = 1;
    pub const CALL: u32 = 2;
    pub const CALL_HANDLE: u32 = 3;
    pub const RELEASE: u32 = 4;
    pub const GLOBAL_GET: u32 = 5;
    pub const GLOBAL_SET: u32 = 6;
    pub const GLOBAL_HAS: u32 = 7;
    pub const GLOBAL_DELETE: u32 = 8;
    pub const GLOBAL_KEYS: u32 = 9;
    pub const GC: u32 = 10;
    pub const STATS: u32 = 11;
}
pub use op::*;

/// How an operation ended: the status byte of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "docs/codec.md lists them")]
pub enum Outcome {
    Ok = 0,
    Runtime = 1,
    Syntax = 2,
    Memory = 3,
    Storage = 6,
    Value = 7,
    Usage = 8,
    Bug = 9,
}

/// Where the message handler stands while an operation runs.
const HANDLER: c_int = 1;

lua_function!(handle_error = handle_error_inner);

impl Runtime {
    /// Runs source under a chunk name (with Lua's `=` or `@` prefix).
    pub fn eval_raw(&mut self, source: &[u8], name: &CStr) -> Outcome {
        let stack = self.begin();
        // The source is compiled before anything runs: from then on its bytes are free.
        let status = stack.load_text(source, name);
        if status != Status::Ok {
            // Whatever stops the compiler is the program's form: also nesting too deep for it, which C Lua calls a
            // runtime error.
            if status == Status::Memory {
                return self.fail(status);
            }
            describe(stack, Status::Syntax);
            let failure = &mut self.context_mut().failure;
            failure.seen = true;
            if failure.chunk.is_empty() {
                set(&mut failure.chunk, name.to_bytes().get(1..).unwrap_or_default());
            }
            return self.fail(Status::Syntax);
        }
        context(stack).memory.for_script();
        let status = stack.protected_call(0, raw::LUA_MULTRET, HANDLER);
        self.finish(status)
    }

    /// Runs an operation on the list `input`.
    pub fn request_raw(&mut self, op: u32, input: &[u8]) -> Outcome {
        if op == EVAL {
            return self.request_eval(input);
        }
        let run = match op {
            CALL => call as fn(Stack, &[u8]) -> Result<(), Thrown>,
            CALL_HANDLE => call_handle,
            RELEASE => release,
            GLOBAL_GET => global_get,
            GLOBAL_SET => global_set,
            GLOBAL_HAS => global_has,
            GLOBAL_DELETE => global_delete,
            GLOBAL_KEYS => global_keys,
            GC => gc,
            STATS => stats,
            _ => {
                self.begin();
                return self.refuse(Outcome::Usage, b"unknown operation");
            }
        };
        let stack = self.begin();
        let mut body = Body { run, input };
        stack.push_function(run_body, 0);
        stack.push_address((&raw mut body).cast());
        let status = stack.protected_call(1, raw::LUA_MULTRET, HANDLER);
        self.finish(status)
    }

    /// Leaves a usage error as the reply of a call that could not even begin.
    pub fn refuse_usage(&mut self, message: &str) -> Outcome {
        self.begin();
        self.refuse(Outcome::Usage, message.as_bytes())
    }

    fn request_eval(&mut self, input: &[u8]) -> Outcome {
        let Some((source, given)) = two_strings(input) else {
            self.begin();
            return self.refuse(Outcome::Value, b"eval takes the source and a chunk name, both strings");
        };
        let mut name = [0; NAME_BYTES_MAX + 2];
        if given.len() > NAME_BYTES_MAX || given.contains(&0) {
            self.begin();
            return self.refuse(Outcome::Usage, b"a chunk's name has at most 1024 bytes and no NUL");
        }
        name[0] = b'=';
        name[1..=given.len()].copy_from_slice(given);
        match CStr::from_bytes_until_nul(&name) {
            Ok(name) => self.eval_raw(source, name),
            Err(_) => self.refuse(Outcome::Bug, b"chunk name"),
        }
    }

    /// An empty stack but for the message handler, nothing pending.
    fn begin(&mut self) -> Stack {
        self.settle();
        self.reply_mut().clear();
        let context = self.context_mut();
        context.failure.clear();
        context.writes += 1;
        context.memory.for_host();
        if context.parachute.capacity() == 0 {
            // If it cannot be had now, the VM is full; the operation will say so itself.
            let _ = context.parachute.try_reserve_exact(PARACHUTE_BYTES);
        }
        let stack = self.stack();
        stack.push_function(handle_error, 0);
        stack
    }

    /// Everything above the handler is the result.
    fn finish(&mut self, status: Status) -> Outcome {
        self.context().memory.for_host();
        if status != Status::Ok {
            return self.fail(status);
        }
        let stack = self.stack();
        let count = stack.top() - HANDLER;
        let written = bridge::encode_list(stack, count, self.reply_mut());
        match written {
            Ok(()) => self.end(Outcome::Ok),
            Err(Unfit::Memory) => {
                self.settle();
                self.refuse(Outcome::Memory, b"not enough memory")
            }
            Err(unfit) => {
                self.settle();
                self.refuse(Outcome::Value, unfit.message().as_bytes())
            }
        }
    }

    /// Ends the batch, drops what lies on the stack.
    fn end(&mut self, outcome: Outcome) -> Outcome {
        self.settle();
        if let Err(error) = self.context_mut().store.end_batch()
            && outcome == Outcome::Ok
        {
            let message = error.to_string();
            return self.write_record(Outcome::Storage, message.as_bytes());
        }
        outcome
    }

    /// The error value on top becomes the error record.
    fn fail(&mut self, status: Status) -> Outcome {
        // Room to tell of it, also when memory is what failed.
        self.context_mut().parachute = Vec::new();
        let stack = self.stack();
        if !self.context().failure.seen {
            describe(stack, status);
        }
        let failure = &self.context().failure;
        let outcome = match status {
            Status::Syntax => Outcome::Syntax,
            Status::Memory => Outcome::Memory,
            _ if failure.malformed => Outcome::Value,
            _ if !failure.store.is_empty() && contains(&failure.message, &failure.store) => Outcome::Storage,
            // A memory error that Lua code caught and raised again is the same plain string.
            _ if failure.message == b"not enough memory" => Outcome::Memory,
            _ => Outcome::Runtime,
        };
        if self.encode_failure(stack).is_err() {
            return self.refuse(Outcome::Memory, b"not enough memory");
        }
        self.end(outcome)
    }

    fn encode_failure(&mut self, stack: Stack) -> Result<(), Unfit> {
        // Taken out while it is written: both are behind `self`.
        let mut out = std::mem::take(self.reply_mut());
        out.clear();
        let written = record(&mut out, &self.context().failure).and_then(|()| {
            let value_at = out.len();
            // The value goes through a list of its own, because that may hold tables and handles.
            let mut value = Vec::new();
            if bridge::encode_list(stack, 1, &mut value).is_err() {
                out.truncate(value_at);
                return Ok(Writer::new(&mut out).nil()?);
            }
            out.try_reserve(value.len()).map_err(|_| Unfit::Memory)?;
            out.extend_from_slice(&value[4..]);
            Ok(())
        });
        *self.reply_mut() = out;
        written
    }

    /// An error record that is not Lua's.
    fn refuse(&mut self, outcome: Outcome, message: &[u8]) -> Outcome {
        self.write_record(outcome, message);
        self.end(outcome);
        outcome
    }

    fn write_record(&mut self, outcome: Outcome, message: &[u8]) -> Outcome {
        let out = self.reply_mut();
        out.clear();
        let mut writer = Writer::new(out);
        let written = writer
            .u32(5)
            .and_then(|()| writer.string(message))
            .and_then(|()| (0..4).try_for_each(|_| writer.nil()));
        // The shell reserves room for this at its start; a bare status is what is left without it.
        if written.is_err() {
            out.clear();
        }
        outcome
    }
}

/// A list of exactly two strings.
fn two_strings(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(input);
    let (2, Token::String(first), Token::String(second)) =
        (reader.count().ok()?, reader.token().ok()?, reader.token().ok()?)
    else {
        return None;
    };
    reader.finish().ok()?;
    Some((first, second))
}

/// Message to line of an error record; the value follows.
fn record(out: &mut Vec<u8>, failure: &crate::context::Failure) -> Result<(), Unfit> {
    let mut writer = Writer::new(out);
    writer.u32(5)?;
    writer.string(&failure.message)?;
    for text in [&failure.traceback, &failure.chunk] {
        if text.is_empty() { writer.nil()? } else { writer.string(text)? }
    }
    match failure.line {
        Some(line) => writer.integer(i64::from(line))?,
        None => writer.nil()?,
    }
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

// ---- errors, where they are raised ----

/// The message handler: notes message, traceback and place, and leaves the error value as it is.
fn handle_error_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.set_top(1);
    note_message(stack, 1);
    stack.push_traceback(stack, None, 1);
    // SAFETY: the string stays on the stack while it is copied.
    let traceback = unsafe { stack.bytes(-1) }.unwrap_or_default();
    // The handler's own frame is of no interest.
    set(&mut context(stack).failure.traceback, traceback);
    stack.pop(1);
    note_place(stack);
    context(stack).failure.seen = true;
    Ok(1)
}

/// For errors that no handler saw: those of the compiler, and running out of memory.
fn describe(stack: Stack, status: Status) {
    let index = stack.top();
    note_message(stack, index);
    if status == Status::Syntax {
        let failure = &mut context(stack).failure;

        if let Some((end, line)) = place_in(&failure.message) {
            failure.line = Some(line);
            set(&mut failure.chunk, &failure.message[..end]);
        }
    }
}

/// The error value as text: a string or number as it is, anything else by its `__tostring`, or as the reference interpreter
/// says it. A `__tostring` that fails is no reason to lose the error.
fn note_message(stack: Stack, index: c_int) {
    // SAFETY: the string stays at `index` while it is copied.
    if let Some(message) = unsafe { stack.bytes(index) } {
        set(&mut context(stack).failure.message, message);
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
            set(&mut context(inner).failure.message, text);
            inner.pop(1);
        }
        Ok(())
    });
    if status != Status::Ok {
        stack.pop(1);
    }
    if status != Status::Ok || !described {
        let message = &mut context(stack).failure.message;
        message.clear();
        let parts = ["(error object is a ", stack.type_name(index), " value)"];
        if message.try_reserve(parts.iter().map(|part| part.len()).sum()).is_ok() {
            for part in parts {
                message.extend_from_slice(part.as_bytes());
            }
        }
    }
}

/// Chunk and line: those in the message where it names a function on the stack (so `error(text, 2)` counts), else those of
/// the innermost Lua function.
fn note_place(stack: Stack) {
    let mut innermost = None;
    let mut level = 0;
    // SAFETY: a zeroed lua_Debug is what lua_getstack fills in.
    let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `info` is a lua_Debug, and the state is valid.
        if unsafe { raw::lua_getstack(stack.as_ptr(), level, &raw mut info) } == 0 {
            break;
        }
        // SAFETY: lua_getstack filled `info` in for a live level.
        unsafe { raw::lua_getinfo(stack.as_ptr(), c"Sl".as_ptr(), &raw mut info) };
        if let (Ok(line), true) = (u32::try_from(info.currentline), info.currentline > 0) {
            // SAFETY: short_src is a NUL-terminated array inside `info`.
            let chunk = unsafe { CStr::from_ptr(info.short_src.as_ptr()) }.to_bytes();
            let failure = &mut context(stack).failure;
            let named = place_in(&failure.message)
                .is_some_and(|(end, at)| at == line && failure.message[..end] == *chunk);
            if named || innermost.is_none() {
                set(&mut failure.chunk, chunk);
                innermost = Some(line);
            }
            if named {
                break;
            }
        }
        level += 1;
        if level > 200 {
            break;
        }
    }
    context(stack).failure.line = innermost;
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
fn set(place: &mut Vec<u8>, bytes: &[u8]) {
    place.clear();
    if place.try_reserve(bytes.len()).is_ok() {
        place.extend_from_slice(bytes);
    }
}

// ---- operations: each runs protected, its results are what it leaves on the stack ----

struct Body<'a> {
    run: fn(Stack, &[u8]) -> Result<(), Thrown>,
    input: &'a [u8],
}

lua_function!(run_body = run_body_inner);

fn run_body_inner(stack: Stack) -> Result<c_int, Thrown> {
    let body = stack.userdata(1).cast::<Body<'_>>();
    // SAFETY: `request_raw` passed the address of its own `Body`, which outlives this call.
    let body = unsafe { &*body };
    stack.set_top(0);
    (body.run)(stack, body.input)?;
    Ok(stack.top())
}

fn usage(stack: Stack, message: &[u8]) -> Thrown {
    stack.push_bytes(message);
    Thrown
}

/// `"math.max"`: walks the dots with metamethods, and calls what it finds.
fn call(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let count = bridge::push_list(stack, input)?;
    // SAFETY: the name stays at index 1 until it is replaced by the function, after its last use.
    let Some(name) = (unsafe { stack.bytes(1) }) else {
        return Err(usage(stack, b"call takes a function's name"));
    };
    stack.push_globals();
    for part in name.split(|&byte| byte == b'.') {
        if stack.type_of(-1) != raw::LUA_TTABLE && stack.type_of(-1) != raw::LUA_TUSERDATA {
            return Err(no_such_function(stack, name));
        }
        stack.push_bytes(part);
        stack.get(-2);
        stack.remove(-2);
    }
    if stack.is_none_or_nil(-1) {
        return Err(no_such_function(stack, name));
    }
    stack.replace(1);
    context(stack).memory.for_script();
    stack.call(count - 1, raw::LUA_MULTRET);
    Ok(())
}

fn no_such_function(stack: Stack, name: &[u8]) -> Thrown {
    stack.push_bytes(b"no function '");
    stack.push_bytes(name);
    stack.push_bytes(b"'");
    // SAFETY: three strings lie on top.
    unsafe { raw::lua_concat(stack.as_ptr(), 3) };
    Thrown
}

fn call_handle(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let count = bridge::push_list(stack, input)?;
    push_held(stack)?;
    stack.replace(1);
    context(stack).memory.for_script();
    stack.call(count - 1, raw::LUA_MULTRET);
    Ok(())
}

fn release(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    bridge::push_list(stack, input)?;
    push_held(stack)?;
    let handle = stack.integer(1).unwrap_or_default();
    stack.release_reference(handle as c_int);
    let context = context(stack);
    context.handles = context.handles.saturating_sub(1);
    stack.set_top(0);
    Ok(())
}

/// What the handle at index 1 holds. `[-0, +1, m]`
fn push_held(stack: Stack) -> Result<(), Thrown> {
    let handle = stack.integer(1).unwrap_or_default();
    if handle > raw::LUA_RIDX_LAST && handle <= i64::from(i32::MAX) {
        stack.raw_get_index(raw::LUA_REGISTRYINDEX, handle);
        // luaL_ref keeps its list of free numbers as numbers.
        if stack.type_of(-1) >= raw::LUA_TTABLE {
            return Ok(());
        }
    }
    Err(usage(stack, b"a function or reference that was released, or belongs to another VM"))
}

fn global_get(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    bridge::push_list(stack, input)?;
    stack.push_globals();
    stack.push_copy(1);
    stack.raw_get(-2);
    keep_top(stack);
    Ok(())
}

fn global_set(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    bridge::push_list(stack, input)?;
    if stack.top() != 2 || stack.is_none_or_nil(1) {
        return Err(usage(stack, b"global_set takes a name and a value"));
    }
    stack.push_globals();
    stack.insert(1);
    stack.raw_set(1);
    stack.set_top(0);
    Ok(())
}

fn global_has(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    global_get(stack, input)?;
    let has = !stack.is_none_or_nil(-1);
    stack.push_boolean(has);
    keep_top(stack);
    Ok(())
}

fn global_delete(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    bridge::push_list(stack, input)?;
    stack.set_top(1);
    stack.push_globals();
    stack.push_copy(1);
    let was_there = stack.raw_get(-2) != raw::LUA_TNIL;
    if was_there {
        stack.pop(1);
        stack.push_copy(1);
        stack.push_nil();
        stack.raw_set(-3);
    }
    stack.set_top(0);
    stack.push_boolean(was_there);
    Ok(())
}

fn global_keys(stack: Stack, _input: &[u8]) -> Result<(), Thrown> {
    stack.push_globals();
    stack.push_nil();
    let mut count = 0;
    while stack.next(1) {
        stack.pop(1);
        if stack.type_of(-1) == raw::LUA_TSTRING {
            if !stack.has_room(4) {
                return Err(usage(stack, b"not enough memory"));
            }
            stack.push_copy(-1);
            stack.insert(2);
            count += 1;
        }
    }
    stack.remove(1);
    debug_assert_eq!(stack.top(), count);
    Ok(())
}

fn gc(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let mut reader = Reader::new(input.get(4..).unwrap_or_default());
    let Ok(Token::String(mode)) = reader.token() else { return Err(usage(stack, b"gc takes a mode")) };
    stack.push_globals();
    stack.get_field(-1, c"collectgarbage");
    match mode {
        b"collect" | b"step" | b"stop" | b"restart" | b"incremental" | b"generational" => {}
        _ => return Err(usage(stack, b"unknown gc mode")),
    }
    stack.remove(1);
    stack.push_bytes(mode);
    stack.call(1, raw::LUA_MULTRET);
    Ok(())
}

fn stats(stack: Stack, _input: &[u8]) -> Result<(), Thrown> {
    // SAFETY: lua_gc with LUA_GCISRUNNING takes no further argument and changes nothing.
    let running = unsafe { raw::lua_gc(stack.as_ptr(), raw::LUA_GCISRUNNING) } != 0;
    let c = context(stack);
    // On wasm32 everything lives in the linear memory; natively only Lua's part can be told.
    #[cfg(target_arch = "wasm32")]
    let total = core::arch::wasm32::memory_size(0) * 65536;
    #[cfg(not(target_arch = "wasm32"))]
    let total = c.memory.used();
    let numbers = [total, c.memory.limit(), c.memory.peak(), c.memory.used(), c.handles];
    for number in numbers {
        stack.push_integer(number as i64);
    }
    stack.push_bytes(if context(stack).generational { b"generational" } else { b"incremental" });
    stack.push_boolean(running);
    Ok(())
}

/// Drops everything but the top.
fn keep_top(stack: Stack) {
    stack.insert(1);
    stack.set_top(1);
}
