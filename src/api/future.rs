//! Calls that may wait, as Rust futures. Any executor will do: nothing here knows of one.
//!
//! A [`Task`] is what Lua is doing, without the VM; polling it takes the VM for that moment. So several can
//! be under way in one VM, and one executor thread runs them all.

use crate::api::function_table::{Answer, Pending};
use crate::api::vm::{Reply, Vm};
use crate::error::{Error, ErrorKind, Result};
use crate::lua::fuel;
use crate::state::host_functions::HostResult;
use crate::state::meter::CallLimits;
use crate::value::{Value, encode_list, encode_values};
use crate::vm::protocol::{Outcome, operation};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Waker, Poll};

/// A call of Lua that was started and may wait for host functions. Dropping it cancels it.
pub struct Task {
    state: State,
    budget: Budget,
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
    /// Error that it ends with, when it was cancelled and a closing method of it waits.
    ending: Option<Error>,
}

enum Waiting {
    Host(Pin<Box<dyn Future<Output = Answer>>>),
    /// Answer that is there already. The task goes on in the loop of `poll_node`: one that began to wait, and
    /// was resumed, in the frame of the other would end the stack.
    Settled(Answer),
    /// Functions that run side by side: those that still wait.
    Group(Vec<(usize, Node)>),
    /// Functions that were cancelled, whose closing methods wait; and what becomes of the task after them.
    Closing(Vec<Node>, Then),
}

/// Plan of a task for when all functions that it had run side by side have ended.
enum Then {
    Resume(Answer),
    /// Being cancelled: it ends with this error.
    Cancel(Error),
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
    /// them. While it waits the future does. Dropping the future cancels what Lua was doing: what it has open
    /// is closed at the next call of the VM, and cannot wait any more.
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
        let meter = &mut self.context_mut().meter;
        let limits = meter.next.take().unwrap_or(meter.usual);
        let mut budget = Budget::new(limits);
        let state = match (Run { vm: self, budget: &mut budget, steps: 0, closing: false }).advance(op, args)
        {
            Step::Ended(reply) => State::Ended(reply),
            Step::Waits(node) => State::Waits(node),
        };
        let abandoned = self.functions().abandoned();
        Task { state, budget, abandoned }
    }
}

/// Results of host functions that a task takes in one poll before others get a turn.
const STEPS_PER_POLL: u32 = 128;

/// Limits of a call over all its waits, and what it has used of them. Waiting is not counted.
#[derive(Debug)]
struct Budget {
    limits: CallLimits,
    running: Used,
    /// Ticks and time used for closing what is open in tasks that are cancelled: as much as for running,
    /// once, for all of it.
    closing: Used,
}

impl Budget {
    fn new(limits: CallLimits) -> Self {
        Budget { limits, running: Used::default(), closing: Used::default() }
    }

    fn part(&mut self, closing: bool) -> &mut Used {
        if closing { &mut self.closing } else { &mut self.running }
    }
}

/// Ticks and milliseconds.
#[derive(Debug, Default)]
struct Used {
    fuel: u64,
    ms: f64,
}

impl Vm {
    /// Cancels the tasks that were dropped, which together may use what one call may.
    pub(crate) fn cancel_dropped(&mut self) {
        let meter = &mut self.context_mut().meter;
        // Those of the call that comes now are not theirs.
        let (next, mut budget) = (meter.next.take(), Budget::new(meter.usual));
        while let Some(task) = self.functions_given().and_then(|functions| functions.take_abandoned()) {
            Run { vm: self, budget: &mut budget, steps: 0, closing: true }.cancel(task, true);
        }
        self.context_mut().meter.next = next;
    }
}

/// One poll of a task.
struct Run<'a> {
    vm: &'a mut Vm,
    budget: &'a mut Budget,
    /// Results that it has taken.
    steps: u32,
    /// True while what runs belongs to the end of a task that was cancelled.
    closing: bool,
}

impl Run<'_> {
    /// Runs an operation that may end with a task that waits.
    fn advance(&mut self, op: u32, args: &[Value]) -> Step {
        let mut input = Vec::new();
        match encode_values(args, &mut input) {
            Ok(()) => self.advance_with(op, &input, None),
            Err(error) => Step::Ended(Err(error.into())),
        }
    }

    fn advance_with(&mut self, op: u32, input: &[u8], ending: Option<Error>) -> Step {
        self.vm.before_request(input);
        match (self.charged(op, input), ending) {
            (Outcome::Waiting, ending) => self.waits(ending),
            (_, Some(reason)) => Step::Ended(Err(reason)),
            (outcome, None) => Step::Ended(self.vm.typed(outcome)),
        }
    }

    /// Runs an operation on the budget of the call, or the one for closing.
    fn charged(&mut self, op: u32, input: &[u8]) -> Outcome {
        let closing = self.closing;
        let mut used = mem::take(self.budget.part(closing));
        let outcome = self.metered(&mut used, op, input);
        *self.budget.part(closing) = used;
        outcome
    }

    /// Runs an operation with what is left of the call's limits, and counts what it uses.
    fn metered(&mut self, sum: &mut Used, op: u32, input: &[u8]) -> Outcome {
        let CallLimits { timeout_ms, fuel, whole } = self.budget.limits;
        let context = self.vm.context_mut();
        let is_outermost = context.depth == 0;
        context.meter.next = Some(CallLimits {
            timeout_ms: (timeout_ms - sum.ms).max(0.0),
            fuel: fuel.map(|fuel| fuel.saturating_sub(sum.fuel)),
            whole,
        });
        let used_before = if is_outermost { 0 } else { context.meter.used(fuel::left()) };
        let start_ms = context.host.timer_ms();
        let outcome = self.vm.request_raw(op, input);
        let context = self.vm.context_mut();
        let used = if is_outermost { context.meter.used_at_end() } else { context.meter.used(fuel::left()) };
        sum.fuel += used.saturating_sub(used_before);
        sum.ms += (context.host.timer_ms() - start_ms).max(0.0);
        outcome
    }

    /// The task of the last reply, and what it waits for.
    fn waits(&mut self, ending: Option<Error>) -> Step {
        let pending = self.vm.functions_given().and_then(|functions| functions.take_pending());
        let task = match self.vm.typed(Outcome::Ok).map(|reply| reply.values) {
            Ok(values) => match values.first() {
                Some(Value::Integer(task)) => *task,
                _ => return Step::Ended(Err(Error::bug("a task without a number"))),
            },
            Err(error) => return Step::Ended(Err(error)),
        };
        match pending {
            Some(Pending::Host(future)) => Step::Waits(Node { task, pending: Waiting::Host(future), ending }),
            Some(Pending::Group(functions)) => self.run_group(task, &functions, ending),
            None => Step::Ended(Err(Error::bug("a task waits for nothing"))),
        }
    }

    /// Starts every function.
    fn run_group(&mut self, task: i64, functions: &[u32], ending: Option<Error>) -> Step {
        let mut nodes = Vec::new();
        for (index, &function) in functions.iter().enumerate() {
            let step = self.advance(operation::START_HANDLE, &[Value::Integer(i64::from(function))]);
            match step {
                Step::Waits(node) => nodes.push((index, node)),
                Step::Ended(reply) => {
                    if let Some(end) = group_end(index, reply) {
                        self.release_all(functions);
                        return self.close_group(task, nodes, end, ending);
                    }
                }
            }
        }
        self.release_all(functions);
        let pending = if nodes.is_empty() { Waiting::Settled(Ok(Vec::new())) } else { Waiting::Group(nodes) };
        Step::Waits(Node { task, pending, ending })
    }

    /// The functions run, or have: their tasks keep what they need.
    fn release_all(&mut self, functions: &[u32]) {
        for &function in functions {
            self.vm.release(function);
        }
    }

    /// Cancels the functions of a group that is over. Its task goes on when all of them have ended.
    fn close_group(
        &mut self,
        task: i64,
        nodes: Vec<(usize, Node)>,
        end: std::result::Result<Answer, Error>,
        ending: Option<Error>,
    ) -> Step {
        let then = end.map_or_else(Then::Cancel, Then::Resume);
        let open = self.cancel_all(nodes);
        Step::Waits(Node { task, pending: Waiting::Closing(open, then), ending })
    }

    /// Cancels tasks, and returns those whose closing methods wait.
    fn cancel_all(&mut self, nodes: Vec<(usize, Node)>) -> Vec<Node> {
        let outer = mem::replace(&mut self.closing, true);
        let mut open = Vec::new();
        for (_, node) in nodes {
            if let Step::Waits(node) = self.cancel_node(node, Error::usage("cancelled")) {
                open.push(node);
            }
        }
        self.closing = outer;
        open
    }

    fn resume(&mut self, task: i64, answer: Answer, ending: Option<Error>) -> Step {
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
        let given = args(answer, self.vm);
        let mut input = Vec::new();
        if let Err(error) = encode_values(&given, &mut input) {
            // What the function gave is no value of Lua's: its caller in Lua gets an error.
            let error = args(Err(Error::from(error).into_rc()), self.vm);
            input.clear();
            if let Err(error) = encode_values(&error, &mut input) {
                return Step::Ended(Err(error.into()));
            }
        }
        self.advance_with(operation::RESUME, &input, ending)
    }

    /// Polls what a node waits for, and runs Lua as far as it can.
    fn poll_node(&mut self, node: Node, waker: &mut Waker<'_>) -> Step {
        let outer = self.closing;
        self.closing |= node.ending.is_some();
        let step = self.poll_on(node, waker);
        self.closing = outer;
        step
    }

    fn poll_on(&mut self, mut node: Node, waker: &mut Waker<'_>) -> Step {
        loop {
            if self.steps == STEPS_PER_POLL {
                // Its futures are ready all the time: the executor has others, too.
                waker.waker().wake_by_ref();
                return Step::Waits(node);
            }
            let Node { task, pending, ending } = node;
            let step = match pending {
                Waiting::Host(mut future) => match future.as_mut().poll(waker) {
                    Poll::Pending => {
                        return Step::Waits(Node { task, pending: Waiting::Host(future), ending });
                    }
                    Poll::Ready(answer) => {
                        self.steps += 1;
                        self.resume(task, answer, ending)
                    }
                },
                Waiting::Settled(answer) => {
                    self.steps += 1;
                    self.resume(task, answer, ending)
                }
                Waiting::Group(nodes) => match self.poll_group(nodes, waker) {
                    GroupStep::Waits(nodes) => {
                        return Step::Waits(Node { task, pending: Waiting::Group(nodes), ending });
                    }
                    GroupStep::Ended(nodes, end) => self.close_group(task, nodes, end, ending),
                },
                Waiting::Closing(nodes, then) => {
                    let open = self.poll_closing(nodes, waker);
                    if !open.is_empty() {
                        return Step::Waits(Node { task, pending: Waiting::Closing(open, then), ending });
                    }
                    match then {
                        Then::Resume(answer) => {
                            self.steps += 1;
                            self.resume(task, answer, ending)
                        }
                        Then::Cancel(error) => {
                            self.closing = true;
                            self.cancel_task(task, ending.unwrap_or(error))
                        }
                    }
                }
            };
            match step {
                Step::Waits(next) => node = next,
                ended @ Step::Ended(_) => return ended,
            }
        }
    }

    /// Polls the functions of a group.
    fn poll_group(&mut self, nodes: Vec<(usize, Node)>, waker: &mut Waker<'_>) -> GroupStep {
        let mut still = Vec::new();
        let mut nodes = nodes.into_iter();
        while let Some((index, node)) = nodes.next() {
            match self.poll_node(node, waker) {
                Step::Waits(node) => still.push((index, node)),
                Step::Ended(reply) => {
                    if let Some(end) = group_end(index, reply) {
                        still.extend(nodes);
                        return GroupStep::Ended(still, end);
                    }
                }
            }
        }
        if still.is_empty() { GroupStep::Ended(still, Ok(Ok(Vec::new()))) } else { GroupStep::Waits(still) }
    }

    /// Polls tasks that were cancelled, and returns those that still wait. How they end is no concern of
    /// their caller.
    fn poll_closing(&mut self, nodes: Vec<Node>, waker: &mut Waker<'_>) -> Vec<Node> {
        let outer = mem::replace(&mut self.closing, true);
        let mut open = Vec::new();
        for node in nodes {
            if let Step::Waits(node) = self.poll_node(node, waker) {
                open.push(node);
            }
        }
        self.closing = outer;
        open
    }

    /// Ends a task that waits, after the functions that it waits for.
    fn cancel_node(&mut self, node: Node, reason: Error) -> Step {
        let Node { task, pending, ending } = node;
        let open = match pending {
            // It is being cancelled.
            pending if ending.is_some() => return Step::Waits(Node { task, pending, ending }),
            Waiting::Group(nodes) => self.cancel_all(nodes),
            Waiting::Closing(nodes, _) => nodes,
            Waiting::Host(_) | Waiting::Settled(_) => Vec::new(),
        };
        if open.is_empty() {
            return self.cancel_task(task, reason);
        }
        Step::Waits(Node { task, pending: Waiting::Closing(open, Then::Cancel(reason)), ending: None })
    }

    /// Ends a task that waits by itself, for this reason.
    fn cancel_task(&mut self, task: i64, reason: Error) -> Step {
        match self.cancel(task, false) {
            Outcome::Waiting => self.waits(Some(reason)),
            _ => Step::Ended(Err(reason)),
        }
    }

    /// Runs the operation that ends a task. One that does not wait any more is no concern.
    fn cancel(&mut self, task: i64, now: bool) -> Outcome {
        let mut input = Vec::new();
        match encode_list(&[Value::Integer(task), Value::Boolean(now)], &mut input) {
            Ok(()) => self.charged(operation::CANCEL, &input),
            Err(_) => Outcome::Memory,
        }
    }
}

/// Functions that run side by side, after a poll.
enum GroupStep {
    Waits(Vec<(usize, Node)>),
    /// The group is over: those that still wait are to be cancelled.
    Ended(Vec<(usize, Node)>, std::result::Result<Answer, Error>),
}

/// Result that the end of one function gives its group: the position of the one that returned true, an error,
/// or nothing. Err: the end of the whole call, which nothing in a script catches.
fn group_end(index: usize, reply: Result<Reply>) -> Option<std::result::Result<Answer, Error>> {
    match reply {
        Ok(reply) if reply.values.first() == Some(&Value::Boolean(true)) => {
            Some(Ok(Ok(vec![Value::Integer(index as i64 + 1)])))
        }
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::Timeout(_) | ErrorKind::Interrupt(_) | ErrorKind::Exit(_) => Some(Err(error)),
            _ => Some(Ok(Err(error.into_rc()))),
        },
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
            State::Waits(node) => {
                let mut run = Run { vm, budget: &mut self.budget, steps: 0, closing: false };
                match run.poll_node(node, waker) {
                    Step::Ended(reply) => Poll::Ready(reply),
                    Step::Waits(node) => {
                        self.state = State::Waits(node);
                        Poll::Pending
                    }
                }
            }
            State::Taken => panic!("a task was polled after it had ended"),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        fn all(node: &Node, abandoned: &mut Vec<i64>) {
            match &node.pending {
                Waiting::Group(nodes) => nodes.iter().for_each(|(_, node)| all(node, abandoned)),
                Waiting::Closing(nodes, _) => nodes.iter().for_each(|node| all(node, abandoned)),
                Waiting::Host(_) | Waiting::Settled(_) => {}
            }
            abandoned.push(node.task);
        }
        if let State::Waits(node) = &self.state {
            all(node, &mut self.abandoned.borrow_mut());
        }
    }
}
