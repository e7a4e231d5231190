//! Tasks: calls that may wait for the host (docs/codec.md, section 5). Each is a coroutine of its own, which
//! the registry keeps from its start to its end; the number under which it does is the task's.
//!
//! Not here: how a host function suspends one (`host_call`), and what of the script's own coroutines that
//! concerns (lua-5.4/port/lcorolib_port.c).

use super::call::{Frame, OUT_OF_MEMORY};
use super::operations;
use super::protocol::Outcome;
use super::raw_vm::RawVm;
use crate::lua::{RefKind, Resumed, Role, Stack, Status, Thrown};
use crate::state::error_record::{describe_closing, describe_thread};
use crate::value::{Decoder, Encoder, Token};
use std::ffi::c_int;
use std::ptr::NonNull;

/// Message for a number that is no task, or one that does not wait.
const NOT_WAITING: &[u8] = b"no such task, or it does not wait";

impl RawVm {
    /// Runs the function below the top `args` values as a new task.
    pub(crate) fn start_task(&mut self, frame: Frame, args: c_int) -> Outcome {
        let stack = frame.stack;
        let mut task = 0;
        let status = stack.protect(1, |inner| {
            inner.push_thread().set_role(Role::Task);
            inner.push_copy(-1);
            task = inner.make_reference(RefKind::Task);
            Ok(())
        });
        if status != Status::Ok {
            return self.fail(frame, status);
        }
        match stack.thread(-1) {
            Some(thread) if thread.has_room(args + 1) => {
                // The thread stays on the stack below what it runs with.
                stack.insert(-(args + 2));
                stack.move_to(thread, args + 1);
                self.run_task(frame, task, thread, args)
            }
            _ => {
                stack.release_reference(RefKind::Task, task);
                self.refuse(frame, Outcome::Memory, OUT_OF_MEMORY)
            }
        }
    }

    /// Resumes the task that the list names, with the rest of the list.
    pub(crate) fn resume_task(&mut self, frame: Frame, input: &[u8]) -> Outcome {
        let Some((task, thread)) = named_task(frame.stack, input) else {
            return self.refuse(frame, Outcome::Usage, NOT_WAITING);
        };
        // What says that it waits.
        thread.pop(1);
        self.context_mut().settled = Some(NonNull::from(input));
        self.run_task(frame, task, thread, 0)
    }

    /// Lets a task run until it waits or ends. Its thread lies on the stack above the handler.
    fn run_task(&mut self, frame: Frame, task: c_int, thread: Stack, args: c_int) -> Outcome {
        let stack = frame.stack;
        let c = self.context_mut();
        c.task = task;
        c.memory.for_script();
        let resumed = thread.resume(stack, args);
        let c = self.context_mut();
        c.memory.for_host();
        c.settled = None;
        match resumed {
            Resumed::Waits => {
                let reply = &mut self.context_mut().reply;
                reply.clear();
                let mut encoder = Encoder::new(reply);
                // The buffer had room for more than this when the operation began.
                let written = encoder.u32(1).and_then(|()| encoder.integer(i64::from(task)));
                debug_assert!(written.is_ok());
                self.end(frame, Outcome::Waiting)
            }
            Resumed::Returned(results) => {
                stack.release_reference(RefKind::Task, task);
                if !stack.has_room(results) {
                    return self.refuse(frame, Outcome::Memory, OUT_OF_MEMORY);
                }
                thread.move_to(stack, results);
                stack.remove(frame.handler + 1);
                self.finish(frame, Status::Ok, true)
            }
            // Only something that is not Lua code can do this: lcorolib_port.c refuses it.
            Resumed::Yielded => {
                end_task(stack, task, thread);
                self.refuse(frame, Outcome::Usage, b"attempt to yield from outside a coroutine")
            }
            Resumed::Failed(status) => {
                // A copy: what is closed gets the error, too. Where there is no room for one, it does
                // without.
                if thread.has_room(1) {
                    thread.push_copy(-1);
                }
                thread.move_to(stack, 1);
                // A limit that was exceeded is described where that happened.
                if status != Status::Memory && self.context().meter.exceeded().is_none() {
                    describe_thread(stack, thread);
                }
                let closed = end_task(stack, task, thread);
                let status = self.replace_error(stack, thread, status, closed);
                self.fail(frame, status)
            }
        }
    }
}

impl RawVm {
    /// Takes the error of a closing method, if there was one, in the place of the one on top of the stack
    /// (manual 3.3.8). Returns its status, or that of the first one. `[-1, +1, -]`
    fn replace_error(&mut self, stack: Stack, thread: Stack, first: Status, closed: Status) -> Status {
        if closed == Status::Ok {
            return first;
        }
        thread.move_to(stack, 1);
        if stack.raw_equal(-1, -2) {
            stack.pop(1);
            return first;
        }
        stack.remove(-2);
        if self.context().meter.exceeded().is_none() {
            describe_closing(stack);
        }
        closed
    }
}

/// Ends a task that waits: pending variables are closed. Leaves the traceback of where it was on the stack.
/// `[-?, +1, e]`
pub(crate) fn cancel(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let Some((task, thread)) = named_task(stack, input) else {
        return Err(operations::usage(stack, NOT_WAITING));
    };
    // It ends also when there is no memory for the traceback.
    let status = stack.protect(1, |inner| {
        inner.push_traceback(thread, None, 0);
        Ok(())
    });
    if status != Status::Ok {
        stack.pop(1);
        stack.push_nil();
    }
    if end_task(stack, task, thread) != Status::Ok {
        // The call has ended for another reason, and nobody is left who could get this one.
        stack.warn(c"error in __close of a call that was ended");
    }
    stack.remove(-2);
    Ok(())
}

fn end_task(stack: Stack, task: c_int, thread: Stack) -> Status {
    let closed = thread.close(stack);
    stack.release_reference(RefKind::Task, task);
    closed
}

/// The task that a list begins with, if it waits; its thread is on the stack then. `[-0, +(1|0), -]`
fn named_task(stack: Stack, input: &[u8]) -> Option<(c_int, Stack)> {
    let mut decoder = Decoder::new(input);
    let (Ok(1..), Ok(Token::Integer(task))) = (decoder.count(), decoder.token()) else { return None };
    let task = c_int::try_from(task).ok()?;
    if !stack.push_reference(RefKind::Task, i64::from(task)) {
        return None;
    }
    let thread = stack.thread(-1).filter(|thread| thread.is_waiting());
    if thread.is_none() {
        stack.pop(1);
    }
    thread.map(|thread| (task, thread))
}
