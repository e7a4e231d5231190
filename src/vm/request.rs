//! The operations of `request`: their arguments are a list in bytes (docs/codec.md, section 3).
//!
//! Each runs below one message handler and leaves a list or an error record.

use super::call::Frame;
use super::operations::{self, Body, Operation};
use super::protocol::Outcome;
use super::protocol::operation::{
    CALL, CALL_HANDLE, CANCEL, DISOWN, EVAL, EVAL_ENV, FILES, GC, GLOBAL_DELETE, GLOBAL_GET, GLOBAL_HAS,
    GLOBAL_KEYS, GLOBAL_SET, LIBRARIES, LIMIT, REGISTER, RELEASE, RESEED, RESUME, START_CALL, START_EVAL,
    START_EVAL_ENV, START_HANDLE, STATS,
};
use super::raw_vm::RawVm;
use crate::limits::NAME_BYTES_MAX;
use crate::lua::{Status, raw};
use crate::marshal;
use crate::state::meter::CallLimits;
use crate::stdlib;
use crate::value::{Decoder, Token};
use std::ffi::CStr;

impl RawVm {
    /// Runs source under a chunk name (with Lua's `=` or `@` prefix).
    pub(crate) fn eval_raw(&mut self, source: &[u8], name: &CStr) -> Outcome {
        match self.begin() {
            Ok(frame) => match self.load(&frame, source, name) {
                Status::Ok => self.run_program(frame),
                status => self.fail(frame, status),
            },
            Err(outcome) => outcome,
        }
    }

    /// Runs source of a library: its functions have no lines, so errors belong to who called them.
    pub(crate) fn eval_library(&mut self, source: &[u8], name: &CStr) -> Outcome {
        match self.begin() {
            Ok(frame) => match self.load(&frame, source, name) {
                Status::Ok => {
                    frame.stack.strip();
                    self.run(frame, 0)
                }
                status => self.fail(frame, status),
            },
            Err(outcome) => outcome,
        }
    }

    /// Runs an operation on the list `input`.
    pub(crate) fn request_raw(&mut self, op: u32, input: &[u8]) -> Outcome {
        #[cfg(not(all(feature = "module", target_arch = "wasm32")))]
        if op >= crate::limits::EXTENSION_OPERATION_FIRST {
            return self.request_extension(op, input);
        }
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
            CANCEL => return self.cancel_task(frame, input),
            RELEASE => operations::release as Operation,
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
            FILES => stdlib::request_files,
            LIBRARIES => match stdlib::unknown_library(frame.stack, input) {
                Ok(None) => operations::libraries,
                Ok(Some(name)) => return self.refuse_library(frame, name),
                Err(_) => return self.refuse(frame, Outcome::Usage, b"libraries takes names"),
            },
            _ => return self.refuse(frame, Outcome::Usage, UNKNOWN_OPERATION),
        };
        let mut body = Body { run, input };
        frame.stack.push_function(operations::run_body, 0);
        frame.stack.push_address((&raw mut body).cast());
        let status = frame.stack.protected_call(1, raw::LUA_MULTRET, frame.handler);
        self.finish(frame, status, false)
    }

    /// Runs an operation of a library. The npm package's own module has none that would bring any.
    #[cfg(not(all(feature = "module", target_arch = "wasm32")))]
    #[inline(never)]
    fn request_extension(&mut self, operation: u32, input: &[u8]) -> Outcome {
        let frame = match self.begin_aside() {
            Ok(frame) => frame,
            Err(outcome) => return outcome,
        };
        let Some(extension) = self.context().extension.as_deref() else {
            return self.refuse(frame, Outcome::Usage, UNKNOWN_OPERATION);
        };
        let extension: *const dyn crate::state::extension::Extension = extension;
        // A copy: calls inside of the operation may use the buffer that the input lies in.
        let mut copied = Vec::new();
        if copied.try_reserve_exact(input.len()).is_err() {
            return self.refuse(frame, Outcome::Memory, super::call::OUT_OF_MEMORY);
        }
        copied.extend_from_slice(input);
        // The buffer of the last reply: calls inside of the operation have others.
        let mut reply = std::mem::take(&mut self.context_mut().reply);
        // SAFETY: the extension is neither replaced nor gone while the VM lives.
        match unsafe { &*extension }.run(frame.stack, operation, &copied, &mut reply) {
            None => self.refuse(frame, Outcome::Usage, UNKNOWN_OPERATION),
            Some(status) => self.finish_extension(frame, Outcome::from_status(status), reply),
        }
    }

    /// Leaves a usage error as the reply of a call that could not even begin.
    #[cfg(all(feature = "exports", target_arch = "wasm32"))]
    pub(crate) fn refuse_usage(&mut self, message: &str) -> Outcome {
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

    /// Sets what calls may use: from now on (true), or the next one (false); and the limits that this is a
    /// rest of, where it is one.
    #[inline(never)]
    #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are for ever")]
    fn request_limit(&mut self, frame: Frame, input: &[u8]) -> Outcome {
        let mut decoder = Decoder::new(input);
        let count = decoder.count();
        let (Ok(3 | 5), Ok(Token::Boolean(usual))) = (count, decoder.token()) else {
            return self.refuse(frame, Outcome::Usage, b"limit takes a boolean, milliseconds and ticks");
        };
        let mut limits = || {
            let timeout_ms = match decoder.token() {
                Ok(Token::Nil) => f64::INFINITY,
                Ok(Token::Float(ms)) if ms >= 0.0 => ms,
                Ok(Token::Integer(ms)) if ms >= 0 => ms as f64,
                _ => return Err(b"a timeout is a number of milliseconds".as_slice()),
            };
            match decoder.token() {
                Ok(Token::Nil) => Ok(CallLimits::new(timeout_ms, None)),
                Ok(Token::Integer(ticks)) if ticks >= 0 => {
                    Ok(CallLimits::new(timeout_ms, Some(ticks.unsigned_abs())))
                }
                _ => Err(b"fuel is an integer number of ticks".as_slice()),
            }
        };
        let (mut call_limits, whole) = match (limits(), count) {
            (Ok(given), Ok(5)) => match limits() {
                Ok(whole) => (given, whole.whole),
                Err(message) => return self.refuse(frame, Outcome::Usage, message),
            },
            (Ok(given), _) => (given, given.whole),
            (Err(message), _) => return self.refuse(frame, Outcome::Usage, message),
        };
        call_limits.whole = whole;
        let meter = &mut self.context_mut().meter;
        if usual {
            meter.usual = call_limits;
        } else {
            meter.next = Some(call_limits);
        }
        self.finish(frame, Status::Ok, false)
    }

    fn request_eval(&mut self, frame: Frame, as_task: bool, input: &[u8]) -> Outcome {
        let Some((source, given)) = two_strings(input) else {
            let message = b"eval takes the source and a chunk name, both strings";
            return self.refuse(frame, Outcome::Usage, message);
        };
        if !is_chunk_name(given) {
            return self.refuse(frame, Outcome::Usage, BAD_CHUNK_NAME);
        }
        match self.load_named(&frame, source, given) {
            Status::Ok if as_task => self.start_program(frame),
            Status::Ok => self.run_program(frame),
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
            return self.refuse(frame, Outcome::Usage, message);
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
        if as_task { self.start_program(frame) } else { self.run_program(frame) }
    }

    /// Calls the function that the first value of the list names or refers to, with the others.
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
        } else if !operations::push_reference(stack, first) {
            return self.refuse(frame, Outcome::Usage, marshal::RELEASED);
        }
        if count == 0 {
            return self.refuse(frame, Outcome::Usage, b"a call takes what to call");
        }
        stack.replace(first);
        if as_task { self.start_task(frame, count - 1) } else { self.run(frame, count - 1) }
    }

    /// Runs the program on top, with its arguments.
    fn run_program(&mut self, frame: Frame) -> Outcome {
        let arguments = stdlib::push_arguments(frame.stack);
        self.run(frame, arguments)
    }

    fn start_program(&mut self, frame: Frame) -> Outcome {
        let arguments = stdlib::push_arguments(frame.stack);
        self.start_task(frame, arguments)
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
}

const UNKNOWN_OPERATION: &[u8] = b"unknown operation";
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
