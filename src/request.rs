//! Operations of a shell: arguments and results as bytes (docs/codec.md, sections 2 and 3).
//!
//! Each runs as one batch of the store, below one message handler, and leaves a list or an error record.

use crate::bridge::{self, Unfit};
use crate::context::context;
use crate::failure::{describe, handle_error, set};
use crate::limits::{NAME_BYTES_MAX, PARACHUTE_BYTES};
use crate::lua::{Stack, Status, raw};
use crate::operations::{self, Body, Operation};
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
            CALL => operations::call as Operation,
            CALL_HANDLE => operations::call_handle,
            RELEASE => operations::release,
            GLOBAL_GET => operations::global_get,
            GLOBAL_SET => operations::global_set,
            GLOBAL_HAS => operations::global_has,
            GLOBAL_DELETE => operations::global_delete,
            GLOBAL_KEYS => operations::global_keys,
            GC => operations::gc,
            STATS => operations::stats,
            _ => {
                self.begin();
                return self.refuse(Outcome::Usage, b"unknown operation");
            }
        };
        let stack = self.begin();
        let mut body = Body { run, input };
        stack.push_function(operations::run_body, 0);
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
