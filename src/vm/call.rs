//! One call of a VM from its beginning to its reply: stack, limits, message handler, batch of the store.
//!
//! Keeps true: between outermost calls the Lua stack is empty, and after any failure the next call works. The
//! outermost call is a batch of the store; one that a host function begins inside of another is a part of
//! that.

use super::protocol::Outcome;
use super::raw_vm::RawVm;
use crate::host_call;
use crate::limits::{EMERGENCY_RESERVE_BYTES, HOST_DEPTH_MAX};
use crate::lua::{Memory, Refusal, Stack, Status, file_text, fuel, raw};
use crate::marshal::{self, EncodeError};
use crate::state::context::{Context, context};
use crate::state::error_record::{ErrorRecord, Mark, describe, describe_syntax, handle_error};
use crate::state::guarded::caught;
use crate::state::host_functions::Side;
use crate::state::kept_files::keep_files;
use crate::state::meter::{CallEnd, LimitExceeded};
use crate::value::Encoder;
use std::ffi::{CStr, c_int};
use std::io::Write as _;
use std::mem;
use std::sync::atomic::Ordering;

/// Lua's stack slots that an operation itself needs, beside arguments and results.
const SLOTS: c_int = 16;

/// One operation under way, and what it found.
pub(crate) struct Frame {
    pub(crate) stack: Stack,
    /// Height of the stack before it.
    base: c_int,
    /// Index of the message handler.
    pub(crate) handler: c_int,
    /// Error record of the operation around this one.
    record: ErrorRecord,
    task: c_int,
    for_script: bool,
    fuel: Fuel,
}

/// Value to which the counter of ticks is set back.
enum Fuel {
    /// The outermost call: what was there before.
    Outermost(i32),
    /// A call inside of another, with limits of its own.
    Inner(CallEnd),
    /// A call inside of another, with what that has left.
    Shared,
}

impl RawVm {
    /// Compiles: the function, or the error value, is on top.
    pub(super) fn load(&mut self, frame: &Frame, source: &[u8], name: &CStr) -> Status {
        // The source is compiled before anything runs: from then on its bytes are free.
        let status = frame.stack.load_text(file_text(source), name);
        if matches!(status, Status::Ok | Status::Memory) || self.context().meter.exceeded().is_some() {
            return status;
        }
        // Whatever stops the compiler is the program's form: also nesting too deep for it, which C Lua calls
        // a runtime error.
        describe_syntax(frame.stack, name.to_bytes().get(1..).unwrap_or_default());
        Status::Syntax
    }

    /// Calls the function below the top `args` values.
    pub(super) fn run(&mut self, frame: Frame, args: c_int) -> Outcome {
        self.context().memory.for_script();
        let status = frame.stack.protected_call(args, raw::LUA_MULTRET, frame.handler);
        self.finish(frame, status, true)
    }

    /// Begins an operation, with the message handler on top of the stack. On failure the reply says why none
    /// can begin.
    pub(crate) fn begin(&mut self) -> Result<Frame, Outcome> {
        self.context_mut().runs += 1;
        self.begin_aside()
    }

    /// Begins an operation that runs nothing of Lua by itself.
    pub(super) fn begin_aside(&mut self) -> Result<Frame, Outcome> {
        let stack = self.entry();
        let c = self.context_mut();
        c.reply.clear();
        if c.depth == HOST_DEPTH_MAX {
            return Err(self.write_record(Outcome::Usage, b"calls of the host and of Lua nest too deep"));
        }
        #[cfg(feature = "mlua")]
        if c.depth == 0 && c.has_mlua && (stack.is_running() || stack.top() != 0) {
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
            return Err(self.write_record(Outcome::Memory, OUT_OF_MEMORY));
        }
        let base = stack.top();
        let record = if c.depth == 0 {
            c.memory.forget_refusal();
            c.error_record.clear();
            ErrorRecord::default()
        } else {
            mem::take(&mut c.error_record)
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
        Ok(Frame { stack, base, handler: base + 1, record, task, for_script, fuel })
    }

    /// Everything above the handler is the result. `pays`: a program has made it, and uses fuel for its size.
    pub(crate) fn finish(&mut self, frame: Frame, status: Status, pays: bool) -> Outcome {
        self.context().memory.for_host();
        // Tripped in its last steps, it has not come to its end.
        if status != Status::Ok || self.context().meter.exceeded().is_some() {
            return self.fail(frame, status);
        }
        let count = frame.stack.top() - frame.handler;
        // Taken out while it is written: giving out a function may run a finalizer, and that may call in.
        let mut reply = mem::take(&mut self.context_mut().reply);
        reply.clear();
        let written = marshal::encode_list(frame.stack, count, self.side(), pays, &mut reply);
        self.context_mut().reply = reply;
        match written {
            Ok(()) => self.end(frame, Outcome::Ok),
            Err(EncodeError::Memory) => self.refuse(frame, Outcome::Memory, OUT_OF_MEMORY),
            Err(EncodeError::Limit) => {
                frame.stack.push_nil();
                self.fail(frame, Status::Runtime)
            }
            Err(error) => self.refuse_results(frame, error),
        }
    }

    /// Leaves everything as it was before; ends the batch with the outermost operation.
    pub(crate) fn end(&mut self, frame: Frame, outcome: Outcome) -> Outcome {
        frame.stack.set_top(frame.base);
        let c = self.context_mut();
        // A limit that the call around this one shares was noted where it was exceeded, and ends that, too.
        let ends_all = matches!(frame.fuel, Fuel::Shared) && c.meter.exceeded().is_some();
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
            let store = mem::take(&mut c.error_record.store);
            if !ends_all {
                c.error_record = frame.record;
            }
            if !store.is_empty() {
                c.error_record.store = store;
            }
            return outcome;
        }
        host_call::forget_error(frame.stack);
        let kept = keep_files(self.context_mut());
        match kept.and_then(|()| self.context_mut().store.end_batch()) {
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

    /// Runs work of Rust as one call: what is charged in it counts against the limits of one. On failure the
    /// reply says which of them it was, or why no call can begin.
    pub(crate) fn within_limits(&mut self, work: &mut dyn FnMut()) -> Result<(), Outcome> {
        let frame = self.begin_aside()?;
        let done = caught(work);
        let exceeded = self.context().meter.exceeded().is_some();
        match done {
            Ok(()) if exceeded => {
                frame.stack.push_nil();
                Err(self.fail(frame, Status::Runtime))
            }
            Ok(()) => match self.end(frame, Outcome::Ok) {
                Outcome::Ok => Ok(()),
                outcome => Err(outcome),
            },
            Err(panic) => {
                self.end(frame, Outcome::Bug);
                std::panic::resume_unwind(panic)
            }
        }
    }

    /// Ends an operation with the error value on top as its error record.
    pub(crate) fn fail(&mut self, frame: Frame, status: Status) -> Outcome {
        // Memory to describe the error, also when memory is what failed.
        self.context_mut().emergency_reserve = Vec::new();
        // To describe it takes memory of Lua, and so the collector may call finalizers.
        self.context_mut().runs += 1;
        if !self.context().error_record.seen {
            describe(frame.stack);
        }
        let exceeded = self.context().meter.exceeded();
        let record = &mut self.context_mut().error_record;
        let outcome = match status {
            _ if let Some(limit) = exceeded => match limit {
                LimitExceeded::Timeout | LimitExceeded::Fuel => Outcome::Timeout,
                LimitExceeded::Interrupt => Outcome::Interrupt,
                LimitExceeded::Exit => Outcome::Exit,
            },
            Status::Syntax => Outcome::Syntax,
            Status::Memory => Outcome::Memory,
            _ if let Some(mark) = record.take_mark() => match mark {
                Mark::Value => Outcome::Value,
                Mark::Usage => Outcome::Usage,
                Mark::Syntax => Outcome::Syntax,
            },
            _ if record.is_of_store() => Outcome::Storage,
            // A memory error that Lua code caught and raised again is the same plain string.
            _ if record.message == OUT_OF_MEMORY => Outcome::Memory,
            _ => Outcome::Runtime,
        };
        let number = host_call::number_error(frame.stack);
        // Taken out while it is written, as in `finish`.
        let mut reply = mem::take(&mut self.context_mut().reply);
        let written = write_error(&mut reply, frame.stack, self.side(), outcome, number);
        self.context_mut().reply = reply;
        match written {
            Ok(()) => self.end(frame, outcome),
            Err(_) => self.refuse(frame, Outcome::Memory, OUT_OF_MEMORY),
        }
    }

    /// Ends an operation of a library with the list or error record that it has written.
    #[cfg(not(all(feature = "module", target_arch = "wasm32")))]
    pub(super) fn finish_extension(&mut self, frame: Frame, outcome: Outcome, reply: Vec<u8>) -> Outcome {
        self.context().memory.for_host();
        if self.context().meter.exceeded().is_some() {
            frame.stack.push_nil();
            return self.fail(frame, Status::Runtime);
        }
        match self.end(frame, outcome) {
            // The store has refused the batch, and the reply says so.
            Outcome::Storage if outcome != Outcome::Storage => Outcome::Storage,
            outcome => {
                self.context_mut().reply = reply;
                outcome
            }
        }
    }

    /// The error record of results that cannot be encoded.
    #[cold]
    fn refuse_results(&mut self, frame: Frame, error: EncodeError) -> Outcome {
        // A copy: the end of the outermost operation may use the context's.
        let mut refused = self.context().refused;
        self.refuse(frame, Outcome::Value, error.message(&mut refused))
    }

    /// An error record that is not Lua's.
    pub(crate) fn refuse(&mut self, frame: Frame, outcome: Outcome, message: &[u8]) -> Outcome {
        // What the batch says does not matter any more: it failed before.
        self.end(frame, outcome);
        self.write_record(outcome, message)
    }

    fn write_record(&mut self, outcome: Outcome, message: &[u8]) -> Outcome {
        let Context { reply: out, memory, .. } = self.context_mut();
        out.clear();
        let mut encoder = Encoder::new(out);
        let written = encoder
            .u32(RECORD_FIELDS)
            .and_then(|()| encoder.string(Shortage::of(outcome, message, memory).message(message)))
            .and_then(|()| (1..RECORD_FIELDS).try_for_each(|_| encoder.nil()));
        // The module reserves memory for this at its start; a bare status is what is left without it.
        if written.is_err() {
            out.clear();
        }
        outcome
    }
}

/// Message, traceback, chunk, line, value, number.
const RECORD_FIELDS: u32 = 6;

/// The record of what the message handler saw, and of the value on top.
fn write_error(
    out: &mut Vec<u8>,
    stack: Stack,
    reader: Side,
    outcome: Outcome,
    number: Option<u32>,
) -> Result<(), EncodeError> {
    out.clear();
    let Context { error_record: record, memory, .. } = context(stack);
    let mut encoder = Encoder::new(out);
    encoder.u32(RECORD_FIELDS)?;
    encoder.string(Shortage::of(outcome, &record.message, memory).message(&record.message))?;
    for text in [&record.traceback, &record.chunk] {
        if text.is_empty() { encoder.nil()? } else { encoder.string(text)? }
    }
    match record.line {
        Some(line) => encoder.integer(i64::from(line))?,
        None => encoder.nil()?,
    }
    // The value goes through a message of its own, because that may hold tables and handles.
    let mut value = Vec::new();
    if let Some(limit) = context(stack).meter.exceeded() {
        if limit == LimitExceeded::Exit {
            let code = context(stack).exit_code;
            Encoder::new(out).integer(code.into())?;
        } else {
            Encoder::new(out).string(limit.word())?;
        }
    } else if marshal::encode_error(stack, reader, &mut value).is_ok() {
        out.try_reserve(value.len()).map_err(|_| EncodeError::Memory)?;
        out.extend_from_slice(&value);
    } else {
        Encoder::new(out).nil()?;
    }
    match number {
        Some(number) => Ok(Encoder::new(out).integer(i64::from(number))?),
        None => Ok(Encoder::new(out).nil()?),
    }
}

/// Text of Lua's error for want of memory: its value is this, whatever the message of the record says.
pub(crate) const OUT_OF_MEMORY: &[u8] = b"not enough memory";

/// The option that an embedder may raise.
const LIMIT_NAME: &str =
    if cfg!(all(feature = "exports", target_arch = "wasm32")) { "memoryLimit" } else { "memory_bytes" };

/// Bytes that the message takes at most.
const SHORTAGE_BYTES: usize = 160;

/// Message of a memory error with figures, for the host; empty where there are none. In a place of its own,
/// because memory is short.
struct Shortage {
    text: [u8; SHORTAGE_BYTES],
    len: usize,
}

impl Shortage {
    #[inline(never)]
    fn of(outcome: Outcome, message: &[u8], memory: &Memory) -> Self {
        let mut shortage = Shortage { text: [0; SHORTAGE_BYTES], len: 0 };
        if outcome == Outcome::Memory && message == OUT_OF_MEMORY {
            let mut room = &mut shortage.text[..];
            let limit = memory.limit() as u64;
            let mut written = write!(room, "not enough memory ({LIMIT_NAME} is {limit} bytes");
            // None where it was another call, of the same task.
            if let Some(Refusal { wanted, taken }) = memory.refusal() {
                let (taken, wanted) = (taken as u64, wanted as u64);
                written =
                    written.and_then(|()| write!(room, ": {taken} were taken, {wanted} more were wanted"));
            }
            let written = written.and_then(|()| write!(room, ")"));
            let left = room.len();
            shortage.len = if written.is_ok() { SHORTAGE_BYTES - left } else { 0 };
        }
        shortage
    }

    fn message<'a>(&'a self, message: &'a [u8]) -> &'a [u8] {
        if self.len > 0 { &self.text[..self.len] } else { message }
    }
}
