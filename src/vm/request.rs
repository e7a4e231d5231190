//! Operations of a shell: arguments and results as bytes (docs/codec.md, sections 2, 3 and 5).
//!
//! Each runs below one message handler and leaves a list or an error record. The outermost one is a batch of the store; one that
//! a host function begins inside of another is a part of that.

use crate::api::vm::Vm;
use crate::limits::{EMERGENCY_RESERVE_BYTES, HOST_DEPTH_MAX, NAME_BYTES_MAX};
use crate::lua::{Stack, Status, fuel, raw};
use crate::marshal::{self, Unfit};
use crate::state::context::{Failure, context};
use crate::state::error_record::{describe, handle_error, set};
use crate::state::meter::{Allowance, Ends, Trip};
use crate::value::{Decoder, Encoder, Token};
use crate::vm::operations::{self, Body, Operation};
use crate::{host_call, stdlib};
use std::ffi::{CStr, c_int};
use std::mem;
use std::sync::atomic::Ordering;

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
    pub const START_EVAL: u32 = 12;
    pub const START_CALL: u32 = 13;
    pub const START_HANDLE: u32 = 14;
    pub const RESUME: u32 = 15;
    pub const CANCEL: u32 = 16;
    pub const REGISTER: u32 = 17;
    pub const LIMIT: u32 = 18;
    pub const LIBRARIES: u32 = 19;
    pub const EVAL_ENV: u32 = 20;
    pub const START_EVAL_ENV: u32 = 21;
    pub const DISOWN: u32 = 22;
    pub const RESEED: u32 = 23;
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
    Timeout = 4,
    Interrupt = 5,
    Storage = 6,
    Value = 7,
    Usage = 8,
    Bug = 9,
    Waiting = 10,
}

/// Lua's stack slots that an operation itself needs, beside arguments and results.
const SLOTS: c_int = 16;

/// One operation under way, and what it found.
pub(crate) struct Frame {
    pub(crate) stack: Stack,
    /// Height of the stack before it.
    base: c_int,
    /// Index of the message handler.
    pub(crate) handler: c_int,
    /// Of the operation around this one.
    failure: Failure,
    task: c_int,
    for_script: bool,
    fuel: Fuel,
}

/// What the counter of ticks is set back to.
enum Fuel {
    /// The outermost call: what was there before.
    Outermost(i32),
    /// A call inside of another, with limits of its own.
    Inner(Ends),
    /// A call inside of another, with what that has left.
    Shared,
}

impl Vm {
    /// Runs source under a chunk name (with Lua's `=` or `@` prefix).
    pub fn eval_raw(&mut self, source: &[u8], name: &CStr) -> Outcome {
        match self.begin() {
            Ok(frame) => match self.load(&frame, source, name) {
                Status::Ok => self.run(frame, 0),
                status => self.fail(frame, status),
            },
            Err(outcome) => outcome,
        }
    }

    /// Runs an operation on the list `input`.
    pub fn request_raw(&mut self, op: u32, input: &[u8]) -> Outcome {
        let frame = match self.begin() {
            Ok(frame) => frame,
            Err(outcome) => return outcome,
        };
        let run = match op {
            EVAL_ENV | START_EVAL_ENV => return self.request_eval_env(frame, op == START_EVAL_ENV, input),
            EVAL | START_EVAL => return self.request_eval(frame, op == START_EVAL, input),
            CALL | START_CALL => return self.request_call(frame, op == START_CALL, true, input),
            CALL_HANDLE | START_HANDLE => return self.request_call(frame, op == START_HANDLE, false, input),
            RESUME => return self.resume_task(frame, input),
            CANCEL => operations::cancel as Operation,
            RELEASE => operations::release,
            GLOBAL_GET => operations::global_get,
            GLOBAL_SET => operations::global_set,
            GLOBAL_HAS => operations::global_has,
            GLOBAL_DELETE => operations::global_delete,
            GLOBAL_KEYS => operations::global_keys,
            GC => operations::gc,
            STATS => operations::stats,
            LIMIT => return self.request_limit(frame, input),
            REGISTER => operations::register,
            DISOWN => operations::disown,
            RESEED => operations::reseed,
            LIBRARIES => match stdlib::unknown_library(input) {
                Ok(None) => operations::libraries,
                Ok(Some(name)) => return self.refuse_library(frame, name),
                Err(_) => return self.refuse(frame, Outcome::Usage, b"libraries takes names"),
            },
            _ => return self.refuse(frame, Outcome::Usage, b"unknown operation"),
        };
        let mut body = Body { run, input };
        frame.stack.push_function(operations::run_body, 0);
        frame.stack.push_address((&raw mut body).cast());
        let status = frame.stack.protected_call(1, raw::LUA_MULTRET, frame.handler);
        self.finish(frame, status)
    }

    /// Leaves a usage error as the reply of a call that could not even begin.
    pub fn refuse_usage(&mut self, message: &str) -> Outcome {
        match self.begin() {
            Ok(frame) => self.refuse(frame, Outcome::Usage, message.as_bytes()),
            Err(outcome) => outcome,
        }
    }

    #[inline(never)]
    fn refuse_library(&mut self, frame: Frame, name: &[u8]) -> Outcome {
        let name = String::from_utf8_lossy(name);
        self.refuse(frame, Outcome::Usage, format!("no library '{name}'").as_bytes())
    }

    /// Sets what calls may use: from now on (true), or the next one (false).
    #[inline(never)]
    #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are for ever")]
    fn request_limit(&mut self, frame: Frame, input: &[u8]) -> Outcome {
        let mut decoder = Decoder::new(input);
        let (Ok(3), Ok(Token::Boolean(usual)), Ok(timeout), Ok(fuel)) =
            (decoder.count(), decoder.token(), decoder.token(), decoder.token())
        else {
            return self.refuse(frame, Outcome::Usage, b"limit takes a boolean, milliseconds and ticks");
        };
        let timeout_ms = match timeout {
            Token::Nil => f64::INFINITY,
            Token::Float(ms) if ms >= 0.0 => ms,
            Token::Integer(ms) if ms >= 0 => ms as f64,
            _ => return self.refuse(frame, Outcome::Usage, b"a timeout is a number of milliseconds"),
        };
        let fuel = match fuel {
            Token::Nil => None,
            Token::Integer(ticks) if ticks >= 0 => Some(ticks.unsigned_abs()),
            _ => return self.refuse(frame, Outcome::Usage, b"fuel is an integer number of ticks"),
        };
        let allowance = Allowance { timeout_ms, fuel };
        let meter = &mut self.context_mut().meter;
        if usual {
            meter.usual = allowance;
        } else {
            meter.next = Some(allowance);
        }
        self.finish(frame, Status::Ok)
    }

    fn request_eval(&mut self, frame: Frame, as_task: bool, input: &[u8]) -> Outcome {
        let Some((source, given)) = two_strings(input) else {
            let message = b"eval takes the source and a chunk name, both strings";
            return self.refuse(frame, Outcome::Value, message);
        };
        if !is_chunk_name(given) {
            return self.refuse(frame, Outcome::Usage, BAD_CHUNK_NAME);
        }
        match self.load_named(&frame, source, given) {
            Status::Ok if as_task => self.start_task(frame, 0),
            Status::Ok => self.run(frame, 0),
            status => self.fail(frame, status),
        }
    }

    /// Runs source with variables of its own.
    #[inline(never)]
    fn request_eval_env(&mut self, frame: Frame, as_task: bool, input: &[u8]) -> Outcome {
        let stack = frame.stack;
        let Ok(count) = marshal::push_list(stack, input) else {
            return self.fail(frame, Status::Runtime);
        };
        let (first, variables) = (frame.handler + 1, frame.handler + 3);
        // SAFETY: both strings stay on the stack until the source is compiled.
        let (source, given) = unsafe { (stack.bytes(first), stack.bytes(first + 1)) };
        // An external table is no set of variables; it is the only table here with a metatable.
        let plain = count == 3 && stack.type_of(variables) == raw::LUA_TTABLE;
        let (Some(source), Some(given), true) = (source, given, plain && !stack.push_metatable(variables))
        else {
            let message = b"eval_env takes the source, a chunk name and a plain table";
            return self.refuse(frame, Outcome::Value, message);
        };
        if !is_chunk_name(given) {
            return self.refuse(frame, Outcome::Usage, BAD_CHUNK_NAME);
        }
        stack.push_function(stdlib::make_environment, 0);
        stack.insert(variables);
        let mut status = stack.protected_call(1, 1, frame.handler);
        if status == Status::Ok {
            status = self.load_named(&frame, source, given);
        }
        if status != Status::Ok {
            return self.fail(frame, status);
        }
        stack.insert(variables);
        // The one upvalue of a chunk is its environment.
        stack.set_upvalue(variables, 1);
        stack.replace(first);
        stack.set_top(first);
        if as_task { self.start_task(frame, 0) } else { self.run(frame, 0) }
    }

    /// Calls the function that the first value of the list names or holds, with the others.
    #[inline(never)]
    fn request_call(&mut self, frame: Frame, as_task: bool, by_name: bool, input: &[u8]) -> Outcome {
        let stack = frame.stack;
        let Ok(count) = marshal::push_list(stack, input) else {
            return self.fail(frame, Status::Runtime);
        };
        // The first value becomes the function.
        let first = frame.handler + 1;
        if by_name {
            stack.push_function(operations::find, 0);
            stack.push_copy(first);
            let status = stack.protected_call(1, 1, frame.handler);
            if status != Status::Ok {
                return self.fail(frame, status);
            }
        } else if !operations::push_held(stack, first) {
            return self.refuse(frame, Outcome::Runtime, operations::RELEASED);
        }
        if count == 0 {
            return self.refuse(frame, Outcome::Value, b"a call takes what to call");
        }
        stack.replace(first);
        if as_task { self.start_task(frame, count - 1) } else { self.run(frame, count - 1) }
    }

    /// An own buffer for the name, in a frame that is gone before anything runs.
    #[inline(never)]
    fn load_named(&mut self, frame: &Frame, source: &[u8], given: &[u8]) -> Status {
        let mut name = [0; NAME_BYTES_MAX + 2];
        name[0] = b'=';
        name[1..=given.len()].copy_from_slice(given);
        // The bytes after the name are zeros, and it has none.
        let name = CStr::from_bytes_until_nul(&name).unwrap_or(c"=?");
        self.load(frame, source, name)
    }

    /// Compiles: the function, or the error value, is on top.
    fn load(&mut self, frame: &Frame, source: &[u8], name: &CStr) -> Status {
        // The source is compiled before anything runs: from then on its bytes are free.
        let status = frame.stack.load_text(source, name);
        if matches!(status, Status::Ok | Status::Memory) || self.context().meter.tripped().is_some() {
            return status;
        }
        // Whatever stops the compiler is the program's form: also nesting too deep for it, which C Lua calls a runtime error.
        describe(frame.stack, Status::Syntax);
        let failure = &mut self.context_mut().failure;
        failure.seen = true;
        if failure.chunk.is_empty() {
            set(&mut failure.chunk, name.to_bytes().get(1..).unwrap_or_default());
        }
        Status::Syntax
    }

    /// Calls the function below the top `args` values.
    fn run(&mut self, frame: Frame, args: c_int) -> Outcome {
        self.context().memory.for_script();
        let status = frame.stack.protected_call(args, raw::LUA_MULTRET, frame.handler);
        self.finish(frame, status)
    }

    /// Nothing pending, the message handler on top. Or the reply says why nothing can begin.
    pub(crate) fn begin(&mut self) -> Result<Frame, Outcome> {
        let stack = self.entry();
        let c = self.context_mut();
        c.reply.clear();
        if c.depth == HOST_DEPTH_MAX {
            return Err(self.write_record(Outcome::Usage, b"calls of the host and of Lua nest too deep"));
        }
        #[cfg(feature = "mlua")]
        if c.depth == 0 && !crate::api::mlua::is_idle(stack) {
            return Err(self.write_record(Outcome::Usage, b"the runtime was called from inside of mlua"));
        }
        let for_script = c.memory.is_for_script();
        c.memory.for_host();
        if c.depth == 0 {
            stack.set_top(0);
        } else if !stack.has_room(SLOTS) {
            if for_script {
                c.memory.for_script();
            }
            return Err(self.write_record(Outcome::Memory, b"not enough memory"));
        }
        let base = stack.top();
        let failure = if c.depth == 0 {
            c.failure.clear();
            Failure::default()
        } else {
            mem::take(&mut c.failure)
        };
        c.depth += 1;
        c.writes += 1;
        let task = mem::take(&mut c.task);
        if c.emergency_reserve.capacity() == 0 {
            // If it cannot be had now, the VM is full; the operation will say so itself.
            let _ = c.emergency_reserve.try_reserve_exact(EMERGENCY_RESERVE_BYTES);
        }
        let left = fuel::left();
        let fuel = if c.depth == 1 {
            fuel::set(c.meter.begin());
            Fuel::Outermost(left)
        } else if c.meter.next.is_some()
            && let Some((ticks, outer)) = c.meter.begin_inner(left, c.host.timer_ms())
        {
            fuel::set(ticks);
            Fuel::Inner(outer)
        } else {
            Fuel::Shared
        };
        stack.push_function(handle_error, 0);
        Ok(Frame { stack, base, handler: base + 1, failure, task, for_script, fuel })
    }

    /// Everything above the handler is the result.
    pub(crate) fn finish(&mut self, frame: Frame, status: Status) -> Outcome {
        self.context().memory.for_host();
        // Tripped in its last steps, it has not come to its end.
        if status != Status::Ok || self.context().meter.tripped().is_some() {
            return self.fail(frame, status);
        }
        let count = frame.stack.top() - frame.handler;
        // Taken out while it is written: giving out a function may run a finalizer, and that may call in.
        let mut reply = mem::take(&mut self.context_mut().reply);
        reply.clear();
        let written = marshal::encode_list(frame.stack, count, &mut reply);
        self.context_mut().reply = reply;
        match written {
            Ok(()) => self.end(frame, Outcome::Ok),
            Err(Unfit::Memory) => self.refuse(frame, Outcome::Memory, b"not enough memory"),
            Err(unfit) => self.refuse(frame, Outcome::Value, unfit.message().as_bytes()),
        }
    }

    /// Leaves everything as it was before; ends the batch with the outermost operation.
    pub(crate) fn end(&mut self, frame: Frame, outcome: Outcome) -> Outcome {
        frame.stack.set_top(frame.base);
        let c = self.context_mut();
        match frame.fuel {
            Fuel::Outermost(before) => {
                c.meter.end(fuel::left());
                fuel::set(before);
                c.interrupt.store(false, Ordering::Relaxed);
            }
            Fuel::Inner(outer) => fuel::set(c.meter.end_inner(fuel::left(), outer)),
            Fuel::Shared => {}
        }
        c.depth -= 1;
        c.task = frame.task;
        if frame.for_script {
            c.memory.for_script();
        }
        if c.depth > 0 {
            // A refusal of the store is one also where it comes out further up.
            let store = mem::take(&mut c.failure.store);
            c.failure = frame.failure;
            if !store.is_empty() {
                c.failure.store = store;
            }
            return outcome;
        }
        host_call::forget_failure(frame.stack);
        match self.context_mut().store.end_batch() {
            // With everything that was still open.
            Ok(()) => self.context_mut().rollbacks_owed = 0,
            Err(error) if matches!(outcome, Outcome::Ok | Outcome::Waiting) => {
                let message = error.to_string();
                return self.write_record(Outcome::Storage, message.as_bytes());
            }
            Err(_) => {}
        }
        outcome
    }

    /// The error value on top becomes the error record.
    pub(crate) fn fail(&mut self, frame: Frame, status: Status) -> Outcome {
        // Room to tell of it, also when memory is what failed.
        self.context_mut().emergency_reserve = Vec::new();
        if !self.context().failure.seen {
            describe(frame.stack, status);
        }
        let failure = &self.context().failure;
        let outcome = match status {
            _ if let Some(trip) = self.context().meter.tripped() => match trip {
                Trip::Timeout | Trip::Fuel => Outcome::Timeout,
                Trip::Interrupt => Outcome::Interrupt,
            },
            Status::Syntax => Outcome::Syntax,
            Status::Memory => Outcome::Memory,
            _ if failure.malformed => Outcome::Value,
            _ if !failure.store.is_empty() && contains(&failure.message, &failure.store) => Outcome::Storage,
            // A memory error that Lua code caught and raised again is the same plain string.
            _ if failure.message == b"not enough memory" => Outcome::Memory,
            _ => Outcome::Runtime,
        };
        let number = host_call::number_failure(frame.stack);
        // Taken out while it is written, as in `finish`.
        let mut reply = mem::take(&mut self.context_mut().reply);
        let written = failure_record(&mut reply, frame.stack, number);
        self.context_mut().reply = reply;
        match written {
            Ok(()) => self.end(frame, outcome),
            Err(_) => self.refuse(frame, Outcome::Memory, b"not enough memory"),
        }
    }

    /// An error record that is not Lua's.
    pub(crate) fn refuse(&mut self, frame: Frame, outcome: Outcome, message: &[u8]) -> Outcome {
        // What the batch says does not matter any more: it failed before.
        self.end(frame, outcome);
        self.write_record(outcome, message)
    }

    fn write_record(&mut self, outcome: Outcome, message: &[u8]) -> Outcome {
        let out = &mut self.context_mut().reply;
        out.clear();
        let mut encoder = Encoder::new(out);
        let written = encoder
            .u32(RECORD_FIELDS)
            .and_then(|()| encoder.string(message))
            .and_then(|()| (1..RECORD_FIELDS).try_for_each(|_| encoder.nil()));
        // The shell reserves room for this at its start; a bare status is what is left without it.
        if written.is_err() {
            out.clear();
        }
        outcome
    }
}

/// Message, traceback, chunk, line, value, number.
const RECORD_FIELDS: u32 = 6;

/// The record of what the message handler saw, and of the value on top.
fn failure_record(out: &mut Vec<u8>, stack: Stack, number: Option<u32>) -> Result<(), Unfit> {
    out.clear();
    let failure = &context(stack).failure;
    let mut encoder = Encoder::new(out);
    encoder.u32(RECORD_FIELDS)?;
    encoder.string(&failure.message)?;
    for text in [&failure.traceback, &failure.chunk] {
        if text.is_empty() { encoder.nil()? } else { encoder.string(text)? }
    }
    match failure.line {
        Some(line) => encoder.integer(i64::from(line))?,
        None => encoder.nil()?,
    }
    // The value goes through a list of its own, because that may hold tables and handles.
    let mut value = Vec::new();
    if let Some(trip) = context(stack).meter.tripped() {
        Encoder::new(out).string(trip.word())?;
    } else if marshal::encode_list(stack, 1, &mut value).is_ok() {
        out.try_reserve(value.len()).map_err(|_| Unfit::Memory)?;
        out.extend_from_slice(&value[4..]);
    } else {
        Encoder::new(out).nil()?;
    }
    match number {
        Some(number) => Ok(Encoder::new(out).integer(i64::from(number))?),
        None => Ok(Encoder::new(out).nil()?),
    }
}

const BAD_CHUNK_NAME: &[u8] = b"a chunk's name has at most 1024 bytes and no NUL";

fn is_chunk_name(name: &[u8]) -> bool {
    name.len() <= NAME_BYTES_MAX && !name.contains(&0)
}

/// A list of exactly two strings.
fn two_strings(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut decoder = Decoder::new(input);
    let (2, Token::String(first), Token::String(second)) =
        (decoder.count().ok()?, decoder.token().ok()?, decoder.token().ok()?)
    else {
        return None;
    };
    decoder.finish().ok()?;
    Some((first, second))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
