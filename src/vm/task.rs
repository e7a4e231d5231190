//! Tasks: calls that may wait for the host (docs/codec.md, section 5). Each is a coroutine of its own, which
//! the registry keeps from its start to its end; the number under which it does is the task's.
//!
//! A task ends when its function returns, fails, or is cancelled. In the last two cases what is open in it is
//! closed (`__close`), which may wait again: its end is a part of its life.
//!
//! Not here: how a host function suspends one (`host_call`), and what of the script's own coroutines that
//! concerns (lua-5.4/port/lcorolib_port.c).

use super::call::{Frame, OUT_OF_MEMORY};
use super::protocol::Outcome;
use super::raw_vm::RawVm;
use crate::lua::{RefKind, Resumed, Role, Stack, Status};
use crate::state::context::Ending;
use crate::state::error_record::{describe_closing, describe_thread};
use crate::value::{Decoder, Encoder, Token};
use std::ffi::c_int;
use std::mem;
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
        let Some((task, thread, _)) = named_task(frame.stack, input) else {
            return self.refuse(frame, Outcome::Usage, NOT_WAITING);
        };
        self.context_mut().settled = Some(NonNull::from(input));
        if thread.is_ending() {
            return self.end_task(frame, task, thread, true);
        }
        // What says that it waits.
        thread.pop(1);
        self.run_task(frame, task, thread, 0)
    }

    /// Ends the task that the list names, which waits. The second value of the list is true when nothing may
    /// wait any more. The result is the traceback of where it was.
    pub(crate) fn cancel_task(&mut self, frame: Frame, input: &[u8]) -> Outcome {
        let stack = frame.stack;
        let Some((task, thread, now)) = named_task(stack, input) else {
            return self.refuse(frame, Outcome::Usage, NOT_WAITING);
        };
        // One that is asked twice does not wait twice.
        let now = now || thread.is_cancelled();
        // It ends also when there is no memory for the traceback.
        let status = stack.protect(1, |inner| {
            inner.push_traceback(thread, None, 0);
            Ok(())
        });
        if status != Status::Ok {
            stack.pop(1);
            stack.push_nil();
        }
        thread.set_cancelled();
        self.end_task(frame, task, thread, !now)
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
            Resumed::Waits => self.wait(frame, task),
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
                thread.end_task(stack, false);
                stack.release_reference(RefKind::Task, task);
                self.refuse(frame, Outcome::Usage, b"attempt to yield from outside a coroutine")
            }
            Resumed::Failed(status) => {
                // A limit that was exceeded is described where that happened.
                if status != Status::Memory && self.context().meter.exceeded().is_none() {
                    // A copy: what is closed gets the error, too. Where there is no room for one, it is
                    // described without.
                    if thread.has_room(1) {
                        thread.push_copy(-1);
                        thread.move_to(stack, 1);
                        describe_thread(stack, thread);
                        stack.pop(1);
                    }
                }
                self.end_task(frame, task, thread, true)
            }
        }
    }

    /// Goes on with the end of a task, in which closing methods may wait. Above the handler are its thread
    /// and what is given back.
    fn end_task(&mut self, frame: Frame, task: c_int, thread: Stack, may_wait: bool) -> Outcome {
        let stack = frame.stack;
        let c = self.context_mut();
        c.task = task;
        if let Some(place) = c.endings.iter().position(|ending| ending.task == task) {
            c.error_record = c.endings.swap_remove(place).record;
        }
        c.memory.for_script();
        // A limit that was exceeded ends what it closes, and that does not wait then.
        let may_wait = may_wait && c.meter.exceeded().is_none();
        let mut ended = thread.end_task(stack, may_wait);
        if self.context().meter.exceeded().is_some() && ended.is_none() {
            ended = thread.end_task(stack, false);
        }
        let c = self.context_mut();
        c.memory.for_host();
        c.settled = None;
        let Some(status) = ended else {
            if !thread.is_cancelled() && c.endings.try_reserve(1).is_ok() {
                c.endings.push(Ending { task, record: mem::take(&mut c.error_record) });
            }
            return self.wait(frame, task);
        };
        stack.release_reference(RefKind::Task, task);
        if thread.is_cancelled() {
            stack.remove(frame.handler + 1);
            if self.context().meter.exceeded().is_some() {
                // What is there to be reported as an error.
                stack.push_nil();
            }
            return self.finish(frame, Status::Ok, false);
        }
        thread.move_to(stack, 1);
        if thread.is_error_replaced() && self.context().meter.exceeded().is_none() {
            describe_closing(stack);
        }
        self.fail(frame, status)
    }

    /// Ends an operation whose task waits: its reply is the number of the task, and the text that may lie
    /// above its thread.
    fn wait(&mut self, frame: Frame, task: c_int) -> Outcome {
        let has_text = frame.stack.top() > frame.handler + 1;
        let reply = &mut self.context_mut().reply;
        reply.clear();
        let mut encoder = Encoder::new(reply);
        // SAFETY: the value stays on the stack while it is copied.
        let traceback = if has_text { unsafe { frame.stack.bytes(-1) } } else { None };
        // The buffer had room for more than the number when the operation began.
        let written = encoder.u32(2).and_then(|()| encoder.integer(i64::from(task)));
        debug_assert!(written.is_ok());
        if traceback.is_none_or(|text| encoder.string(text).is_err()) {
            let _ = encoder.nil();
        }
        self.end(frame, Outcome::Waiting)
    }
}

/// The task that a list begins with, if it waits, and whether a true follows; its thread is on the stack
/// then. `[-0, +(1|0), -]`
fn named_task(stack: Stack, input: &[u8]) -> Option<(c_int, Stack, bool)> {
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
    let is_true = matches!(decoder.token(), Ok(Token::Boolean(true)));
    thread.map(|thread| (task, thread, is_true))
}
