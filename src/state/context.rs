//! Context of a Lua state, which a callback finds through its `lua_State`: the host, the store, and the
//! buffers that a frame may not own.
//!
//! Keeps true: a borrow of the context never spans a call of a method of `Stack`, because that may run Lua,
//! which may come back here. So every use is `context(stack).field...` for one statement, or copies out what
//! it needs.

use crate::files::FileSystem;
use crate::host::Stream;
use crate::limits::OUTPUT_BUFFER_BYTES;
use crate::lua::{Memory, Role, Stack, fuel};
use crate::state::error_record::ErrorRecord;
use crate::state::extension::Extension;
use crate::state::guarded::{GuardedHost, GuardedStore};
use crate::state::host_functions::Functions;
use crate::state::meter::{CallLimits, Meter};
use crate::state::output::{Output, SEGMENT_HEAD_BYTES};
use crate::store::TableStore;
use crate::value::number_map::NumberMap;
use crate::value::path::Path;
use std::ffi::c_int;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Context of a Lua state. The runtime owns it; its address stands in the extra space of every thread of the
/// state.
pub(crate) struct Context {
    pub(crate) host: GuardedHost,
    pub(crate) store: GuardedStore,
    pub(crate) functions: Functions,
    /// Operations that a library has added. Neither replaced nor gone while the VM lives.
    pub(crate) extension: Option<Box<dyn Extension>>,
    /// Names of the libraries that were opened by a list. None goes while the VM lives.
    pub(crate) libraries: Vec<Box<str>>,
    /// Limits of time and fuel, and what the running call has used of them.
    pub(crate) meter: Meter,
    /// True asks the running call to end; perhaps from another thread.
    pub(crate) interrupt: Arc<AtomicBool>,
    /// The thread on which the host may call in now: the main one, or the one that calls a host function.
    pub(crate) entry: Stack,
    /// Operations under way, each inside a host function of the one before.
    pub(crate) depth: u32,
    /// The list of the last reply, or its error record.
    pub(crate) reply: Vec<u8>,
    /// The task that runs now; 0 outside of tasks.
    pub(crate) task: c_int,
    /// The input of the operation that resumes a task, until the function that waited has read it.
    pub(crate) settled: Option<NonNull<[u8]>>,
    /// Uses of each id in Lua, but for those that the host never releases.
    pub(crate) host_refs: NumberMap,
    /// True if an object waits for the end of the collector's cycle (`host_refs`).
    pub(crate) watches_cycles: bool,
    /// Arguments of a host function on their way out, and results on their way in.
    pub(crate) args: Vec<u8>,
    pub(crate) results: Vec<u8>,
    /// The number of the error value that is kept for the host, 0 for none; and the last number that was
    /// given.
    pub(crate) error_number: u32,
    pub(crate) errors_numbered: u32,
    /// Files of the program; None: it has none. Before `memory`, in which they lie.
    pub(crate) files: Option<Box<FileSystem>>,
    /// Number of arguments of programs, which the registry has.
    pub(crate) arguments: c_int,
    /// Code with which the program has ended itself (`os.exit`).
    pub(crate) exit_code: i32,
    pub(crate) memory: Box<Memory>,
    /// An encoded key, between making and using it.
    pub(crate) key: Vec<u8>,
    /// An encoded value, likewise.
    pub(crate) value: Vec<u8>,
    /// Path to what was refused last, while the error unwinds.
    pub(crate) refused: Path,
    /// Grows with every write to any external table, with every eval and every call of the host: what was
    /// read ahead before is stale.
    pub(crate) writes: u64,
    /// Grows whenever code of Lua may run, or a global may be set: what was read of globals before is stale.
    pub(crate) runs: u64,
    /// Roll backs that the store has refused: nothing else is asked of it before they are done.
    pub(crate) rollbacks_owed: u32,
    pub(crate) output: Output,
    pub(crate) error_record: ErrorRecord,
    /// Records of the errors of tasks that have failed, and whose closing methods wait.
    pub(crate) endings: Vec<Ending>,
    /// Handles given out and not released.
    pub(crate) handles: usize,
    pub(crate) collector: Collector,
    /// Steps that used no fuel, since the clock was asked for them.
    pub(crate) steps_aside: usize,
    pub(crate) warnings: Warnings,
    /// Memory kept back for describing failures.
    pub(crate) emergency_reserve: Vec<u8>,
    /// True once mlua has been set up in this VM.
    #[cfg(feature = "mlua")]
    pub(crate) has_mlua: bool,
    /// Standard input as the host gave it; how much of it the program has read is known to `stdin`
    /// (`stdlib::io`).
    pub(crate) input: Vec<u8>,
}

/// A task that has failed, while its closing methods wait.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) task: c_int,
    /// Record of the error that it ends with.
    pub(crate) record: ErrorRecord,
}

/// State of the collector as far as Lua does not tell it.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// True if it is in generational mode.
    pub(crate) generational: bool,
    /// True once a script has set how it works: its work is charged as fuel then.
    pub(crate) is_tuned: bool,
}

/// State of `warn`.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    /// True if warnings are written.
    pub(crate) on: bool,
    /// True if a warning in several pieces is not finished yet.
    pub(crate) unfinished: bool,
}

/// Outcome of asking the host for input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Some,
    End,
    OutOfMemory,
    /// The message is in `value`.
    Failed,
}

/// Buffers up to this are kept between calls.
const BUFFER_KEPT_BYTES: usize = 4096;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// The context of a state. The reference must end before the next use of `stack`.
#[inline]
pub(crate) fn context<'a>(stack: Stack) -> &'a mut Context {
    // SAFETY: `attach` wrote the address of the context into the main thread's extra space, which Lua copies
    // to every new thread; it outlives the state. Borrows do not overlap (see the head of this file).
    unsafe { &mut *stack.extra::<Context>() }
}

impl Context {
    /// Makes the context of a new VM. `entry` is the main thread.
    pub(crate) fn new(
        host: GuardedHost,
        store: Box<dyn TableStore>,
        functions: Functions,
        memory: Box<Memory>,
        entry: Stack,
    ) -> Self {
        Context {
            host,
            store: GuardedStore::new(store),
            functions,
            extension: None,
            libraries: Vec::new(),
            meter: Meter::new(CallLimits::UNLIMITED),
            interrupt: Arc::default(),
            entry,
            depth: 0,
            reply: Vec::new(),
            task: 0,
            settled: None,
            host_refs: NumberMap::default(),
            watches_cycles: false,
            args: Vec::new(),
            results: Vec::new(),
            error_number: 0,
            errors_numbered: 0,
            files: None,
            arguments: 0,
            exit_code: 0,
            memory,
            key: Vec::new(),
            value: Vec::new(),
            refused: Path::EMPTY,
            writes: 0,
            runs: 0,
            rollbacks_owed: 0,
            output: Output::default(),
            error_record: ErrorRecord::default(),
            endings: Vec::new(),
            handles: 0,
            collector: Collector::default(),
            steps_aside: 0,
            emergency_reserve: Vec::new(),
            warnings: Warnings::default(),
            #[cfg(feature = "mlua")]
            has_mlua: false,
            input: Vec::new(),
        }
    }

    /// Makes this the context of a new state, before it has made a thread.
    pub(crate) fn attach(self: Box<Self>) -> NonNull<Context> {
        let main = self.entry;
        let context = NonNull::from(Box::leak(self));
        main.set_role(Role::Plain);
        main.set_extra(context.as_ptr());
        context
    }

    /// Starts the clock before a call of the host, which may take any time.
    pub(crate) fn before_host(&mut self) {
        if self.meter.wants_start() {
            let now_ms = self.host.timer_ms();
            self.meter.start_clock(now_ms);
        }
    }

    /// Ends the slice after a call of the host, so that the clock is asked at the next tick.
    pub(crate) fn after_host(&mut self) {
        if self.depth > 0 {
            fuel::set(self.meter.end_slice(fuel::left()));
        }
    }

    /// True if the running call is to end: the program, the host or a panic of the host asks for it.
    pub(crate) fn is_interrupted(&mut self) -> bool {
        #[cfg(panic = "unwind")]
        if self.host.has_panicked() {
            return true;
        }
        self.interrupt.load(Ordering::Relaxed) || self.host.interrupted()
    }

    /// Appends to the output, handing it on when it grows large. Nothing is lost when memory is short: then
    /// it goes to the host at once.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        // Twice: they are copied, and the host makes text of them.
        fuel::charge(2 * bytes.len());
        let room = self.output.segments().len() + SEGMENT_HEAD_BYTES + bytes.len();
        if room > OUTPUT_BUFFER_BYTES {
            self.flush_output();
        }
        if bytes.len() + SEGMENT_HEAD_BYTES > OUTPUT_BUFFER_BYTES || !self.output.append(stream, bytes) {
            self.flush_output();
            self.before_host();
            self.host.write(stream, bytes);
            self.after_host();
        }
    }

    /// Gives back the memory of buffers that one large value has blown up.
    #[inline]
    pub(crate) fn trim(&mut self) {
        for buffer in [&mut self.key, &mut self.value, &mut self.args, &mut self.results] {
            if buffer.capacity() > BUFFER_KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }

    /// Appends more of standard input, after showing the host what was written: a prompt comes before its
    /// answer.
    pub(crate) fn read_more(&mut self) -> More {
        self.flush_output();
        self.before_host();
        let read = self.host.read();
        self.after_host();
        match read {
            Err(message) => {
                self.value = message.into_bytes();
                More::Failed
            }
            // An empty piece is the end, too: a host that has only those would be asked forever.
            Ok(None) => More::End,
            Ok(Some(bytes)) if bytes.is_empty() => More::End,
            Ok(Some(bytes)) if self.input.is_empty() => {
                fuel::charge(bytes.len());
                self.input = bytes;
                More::Some
            }
            Ok(Some(bytes)) => self.add_input(&bytes),
        }
    }

    /// Appends to standard input; nothing is its end.
    pub(crate) fn add_input(&mut self, bytes: &[u8]) -> More {
        if bytes.is_empty() {
            return More::End;
        }
        if self.input.try_reserve(bytes.len()).is_err() {
            return More::OutOfMemory;
        }
        fuel::charge(bytes.len());
        self.input.extend_from_slice(bytes);
        More::Some
    }

    /// Hands all captured output to the host.
    pub(crate) fn flush_output(&mut self) {
        if self.output.segments().is_empty() {
            return;
        }
        self.before_host();
        let mut rest = self.output.segments();
        while let Some((head, after)) = rest.split_first_chunk::<SEGMENT_HEAD_BYTES>() {
            let stream = if head[0] == Stream::Stdout as u8 { Stream::Stdout } else { Stream::Stderr };
            let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let (bytes, next) = after.split_at(len.min(after.len()));
            self.host.write(stream, bytes);
            rest = next;
        }
        self.output.clear();
        self.after_host();
    }
}
