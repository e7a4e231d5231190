//! Calls that may wait, as Rust futures. Any executor will do: nothing here knows of one.
//!
//! A [`Task`] is what Lua is doing, without the VM; polling it takes the VM for that moment. So several can
//! be under way in one VM, and one executor thread runs them all.

use crate::api::function_table::{Answer, Pending};
use crate::api::vm::{Reply, Vm};
use crate::error::{Error, ErrorKind, Result};
use crate::state::host_functions::HostResult;
use crate::value::{Value, encode_list};
use crate::vm::protocol::{Outcome, operation};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Waker, Poll};

/// A call of Lua that was started and may wait for host functions. Dropping it cancels it.
pub struct Task {
    state: State,
    /// List of dropped tasks that the VM, which is not at hand when a task is dropped, cancels later; its
    /// address identifies the VM.
    abandoned: Rc<RefCell<Vec<i64>>>,
}

enum State {
    /// The task ended before it was polled.
    Ended(Result<Reply>),
    Waits(Node),
    Taken,
}

/// A task that waits, with what it waits for.
struct Node {
    task: i64,
    pending: Waiting,
}

enum Waiting {
    Host(Pin<Box<dyn Future<Output = Answer>>>),
    /// Functions that run side by side: those that still wait.
    Group(Vec<(usize, Node)>),
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Ended(_) => "ended",
            State::Waits(_) => "waits",
            State::Taken => "taken",
        };
        f.debug_struct("Task").field("state", &state).finish_non_exhaustive()
    }
}

impl Vm {
    /// Runs Lua source until it has ended; host functions below it may be asynchronous, and Lua waits for
    /// them. While it waits the future does. Dropping the future cancels what Lua was doing.
    ///
    /// # Errors
    /// As [`Vm::eval`].
    pub async fn eval_async(&mut self, source: impl AsRef<[u8]>) -> Result<Reply> {
        let mut task = self.start_eval(source, "eval");
        poll_fn(|waker| task.poll(self, waker)).await
    }

    /// Starts a call of a global or dotted function that may wait; see [`Task::poll`].
    pub async fn call_async(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>> {
        let mut all = vec![Value::from(name)];
        all.extend_from_slice(args);
        let mut task = self.start(operation::START_CALL, &all);
        poll_fn(|waker| task.poll(self, waker)).await.map(|reply| reply.values)
    }

    /// Starts Lua source as a task, for a program that has several in one VM at the same time.
    pub fn start_eval(&mut self, source: impl AsRef<[u8]>, name: &str) -> Task {
        let args = [Value::String(source.as_ref().to_vec()), Value::from(name)];
        self.start(operation::START_EVAL, &args)
    }

    fn start(&mut self, op: u32, args: &[Value]) -> Task {
        let state = match self.advance(op, args) {
            Step::Ended(reply) => State::Ended(reply),
            Step::Waits(node) => State::Waits(node),
        };
        let abandoned = self.functions().abandoned();
        Task { state, abandoned }
    }

    /// Runs an operation that may end with a task that waits.
    fn advance(&mut self, op: u32, args: &[Value]) -> Step {
        let mut input = Vec::new();
        match encode_list(args, &mut input) {
            Ok(()) => self.advance_with(op, &input),
            Err(error) => Step::Ended(Err(ErrorKind::Value(error.to_string()).into())),
        }
    }

    fn advance_with(&mut self, op: u32, input: &[u8]) -> Step {
        match self.request_typed(op, input) {
            Outcome::Waiting => self.waits(),
            outcome => Step::Ended(self.typed(outcome)),
        }
    }

    /// The task of the last reply, and what it waits for.
    fn waits(&mut self) -> Step {
        let pending = self.functions_given().and_then(|functions| functions.take_pending());
        let task = match self.typed(Outcome::Ok).map(|reply| reply.values) {
            Ok(values) => match values.first() {
                Some(Value::Integer(task)) => *task,
                _ => return Step::Ended(Err(Error::bug("a task without a number"))),
            },
            Err(error) => return Step::Ended(Err(error)),
        };
        match pending {
            Some(Pending::Host(future)) => Step::Waits(Node { task, pending: Waiting::Host(future) }),
            Some(Pending::Group(functions)) => self.run_group(task, &functions),
            None => Step::Ended(Err(Error::bug("a task waits for nothing"))),
        }
    }

    /// Starts every function; the task continues at once when none waits, or one ends the group.
    fn run_group(&mut self, task: i64, functions: &[u32]) -> Step {
        let mut nodes = Vec::new();
        for (index, &function) in functions.iter().enumerate() {
            let step = self.advance(operation::START_HANDLE, &[Value::Integer(i64::from(function))]);
            match step {
                Step::Waits(node) => nodes.push((index, node)),
                Step::Ended(reply) => {
                    if let Some(answer) = group_answer(index, reply) {
                        self.release_all(functions);
                        return self.settle_group(task, nodes, answer);
                    }
                }
            }
        }
        self.release_all(functions);
        if nodes.is_empty() {
            return self.resume(task, Ok(Vec::new()));
        }
        Step::Waits(Node { task, pending: Waiting::Group(nodes) })
    }

    /// The functions run, or have: their tasks keep what they need.
    fn release_all(&mut self, functions: &[u32]) {
        for &function in functions {
            self.release(function);
        }
    }

    fn settle_group(&mut self, task: i64, others: Vec<(usize, Node)>, answer: Answer) -> Step {
        for (_, node) in others {
            self.cancel_node(node);
        }
        self.resume(task, answer)
    }

    fn resume(&mut self, task: i64, answer: Answer) -> Step {
        let args = |answer: Answer, vm: &mut Vm| {
            let (how, values) = match answer {
                Ok(values) => (Value::Boolean(true), values),
                Err(error) => match vm.functions().raised(error) {
                    (values, HostResult::RaisesResult) => (Value::Nil, values),
                    (values, _) => (Value::Boolean(false), values),
                },
            };
            let mut args = vec![Value::Integer(task), how];
            args.extend(values);
            args
        };
        let given = args(answer, self);
        let mut input = Vec::new();
        if let Err(error) = encode_list(&given, &mut input) {
            // What the function gave is no value of Lua's: its caller in Lua gets an error.
            let error = args(Err(Error::from(ErrorKind::Value(error.to_string())).into_rc()), self);
            return self.advance(operation::RESUME, &error);
        }
        self.advance_with(operation::RESUME, &input)
    }

    /// Polls what a node waits for, and runs Lua as far as it can.
    fn poll_node(&mut self, mut node: Node, waker: &mut Waker<'_>) -> Step {
        loop {
            let step = match node.pending {
                Waiting::Host(mut future) => match future.as_mut().poll(waker) {
                    Poll::Pending => {
                        return Step::Waits(Node { task: node.task, pending: Waiting::Host(future) });
                    }
                    Poll::Ready(answer) => self.resume(node.task, answer),
                },
                Waiting::Group(nodes) => match self.poll_group(node.task, nodes, waker) {
                    Ok(still) => return Step::Waits(still),
                    Err(step) => step,
                },
            };
            match step {
                Step::Waits(next) => node = next,
                ended @ Step::Ended(_) => return ended,
            }
        }
    }

    /// The group, if it still waits; else what became of its task.
    fn poll_group(
        &mut self,
        task: i64,
        nodes: Vec<(usize, Node)>,
        waker: &mut Waker<'_>,
    ) -> std::result::Result<Node, Step> {
        let mut still = Vec::new();
        let mut nodes = nodes.into_iter();
        while let Some((index, node)) = nodes.next() {
            match self.poll_node(node, waker) {
                Step::Waits(node) => still.push((index, node)),
                Step::Ended(reply) => {
                    if let Some(answer) = group_answer(index, reply) {
                        still.extend(nodes);
                        return Err(self.settle_group(task, still, answer));
                    }
                }
            }
        }
        if still.is_empty() {
            return Err(self.resume(task, Ok(Vec::new())));
        }
        Ok(Node { task, pending: Waiting::Group(still) })
    }

    fn cancel_node(&mut self, node: Node) {
        if let Waiting::Group(nodes) = node.pending {
            for (_, node) in nodes {
                self.cancel_node(node);
            }
        }
        self.cancel(node.task);
    }
}

/// Result that the end of one function gives its group: the position of the one that returned true, an error,
/// or nothing.
fn group_answer(index: usize, reply: Result<Reply>) -> Option<Answer> {
    match reply {
        Ok(reply) if reply.values.first() == Some(&Value::Boolean(true)) => {
            Some(Ok(vec![Value::Integer(index as i64 + 1)]))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error.into_rc())),
    }
}

enum Step {
    Ended(Result<Reply>),
    Waits(Node),
}

impl Task {
    /// Runs it as far as it can; `vm` is the one that started it.
    ///
    /// # Errors
    /// As [`Vm::eval`]; `usage` when another VM started it, and then it can be polled again with that one.
    ///
    /// # Panics
    /// When it is polled again after it was ready, as futures do.
    pub fn poll(&mut self, vm: &mut Vm, waker: &mut Waker<'_>) -> Poll<Result<Reply>> {
        let ours =
            vm.functions_given().is_some_and(|functions| Rc::ptr_eq(&self.abandoned, &functions.abandoned()));
        if !ours {
            return Poll::Ready(Err(Error::usage("a task was polled with a VM that did not start it")));
        }
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Ended(reply) => Poll::Ready(reply),
            State::Waits(node) => match vm.poll_node(node, waker) {
                Step::Ended(reply) => Poll::Ready(reply),
                Step::Waits(node) => {
                    self.state = State::Waits(node);
                    Poll::Pending
                }
            },
            State::Taken => panic!("a task was polled after it had ended"),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        fn all(node: &Node, abandoned: &mut Vec<i64>) {
            if let Waiting::Group(nodes) = &node.pending {
                for (_, node) in nodes {
                    all(node, abandoned);
                }
            }
            abandoned.push(node.task);
        }
        if let State::Waits(node) = &self.state {
            all(node, &mut self.abandoned.borrow_mut());
        }
    }
}
