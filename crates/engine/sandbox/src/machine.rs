//! The compiled module, the pool of its VMs, and the three things that are done with one: set up, compile,
//! run.

use crate::errors::status;
use crate::image::Image;
use crate::imports::{self, Side};
use crate::settings::{PAGE_BYTES, Settings, StartError};
use crate::{bake, input};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, OptLevel,
    PoolingAllocationConfig, Store, WasmBacktraceDetails,
};

/// The guest (crates/engine/guest), as cargo has built it.
pub(crate) static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.wasm"));

/// Exports of the module that events run on.
pub(crate) const EXPORTS: [&str; 3] = ["memory", "load", "run"];

/// Time between two looks at the clock around a VM. A VM lets others have its thread as often.
const TICK: Duration = Duration::from_millis(1);

/// Bytes of a slot that are cleared by hand when its VM is gone; what lies beyond goes back to the system.
/// They are the stack, the VM that is set up, and the heap of most events.
const KEEP_RESIDENT_BYTES: usize = 448 * 1024;

/// Bytes of a VM's native stack, and how much of it wasm may use.
const STACK_BYTES: usize = 2 << 20;
const WASM_STACK_BYTES: usize = 1 << 20;

/// VMs beside those of events: for compiling.
pub(crate) const SPARE_SLOTS: usize = 2;

/// Addresses that a memory has for itself.
const RESERVATION_BYTES: u64 = 4 << 30;

/// The module, ready to be instantiated.
pub(crate) struct Machine {
    pre: InstancePre<Side>,
    ticker: Arc<Ticker>,
    /// The memory that every VM begins with.
    base: Vec<u8>,
    guest: Guest,
    has_epoch: bool,
}

/// Places and handles that `setup` has left in the base.
#[derive(Debug, Clone, Copy)]
struct Guest {
    reply_at: usize,
    stack_bytes: usize,
    load: u32,
    run: u32,
}

/// Reply that a call of the guest leaves behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    /// Place of the list of results, or of the error record, in the VM's memory: see [`Vm::list`].
    at: usize,
    len: usize,
    pub(crate) fuel: u64,
}

/// A VM.
pub(crate) struct Vm {
    pub(crate) store: Store<Side>,
    instance: wasmtime::Instance,
    memory: Memory,
    guest: Guest,
    /// Guard that has time counted while it is alive.
    _ticking: Ticking,
}

/// Kinds of calls.
#[derive(Debug, Clone, Copy)]
enum Call {
    Load,
    Run,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("guest", &self.guest).finish_non_exhaustive()
    }
}

impl Machine {
    /// Sets up the VM that all others begin as, and compiles the module that has it as its memory. `side` is
    /// the host's side of that VM.
    pub(crate) fn new(settings: &Settings, side: Side) -> Result<Machine, StartError> {
        let (base, guest) = set_up(settings, side).map_err(engine_error)?;
        let wasm = bake::bake(GUEST, &base, PAGE_BYTES, &EXPORTS).map_err(StartError::Engine)?;
        let engine = Engine::new(&config(settings)).map_err(engine_error)?;
        let module = Module::new(&engine, wasm).map_err(engine_error)?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker).map_err(engine_error)?;
        let pre = linker.instantiate_pre(&module).map_err(engine_error)?;
        let ticker = Ticker::start(engine)?;
        Ok(Machine { pre, ticker, base, guest, has_epoch: settings.epoch })
    }

    /// Makes a VM; with an image, it is that of the script.
    pub(crate) async fn wake(&self, side: Side, image: Option<&Image>) -> wasmtime::Result<Vm> {
        let mut store = Store::new(self.pre.module().engine(), side);
        store.limiter(|side| side);
        if self.has_epoch {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
        let ticking = self.ticker.hold();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let memory = memory_of(&instance, &mut store)?;
        if let Some(image) = image {
            let more = image.memory_bytes().saturating_sub(memory.data_size(&store)) / PAGE_BYTES;
            if more > 0 {
                memory.grow(&mut store, more as u64)?;
            }
            image.copy_to(memory.data_mut(&mut store));
        }
        store.data_mut().memory = Some(memory);
        Ok(Vm { store, instance, memory, guest: self.guest, _ticking: ticking })
    }

    /// The image of the script that the VM has compiled.
    pub(crate) fn image(&self, vm: &Vm) -> Image {
        Image::of(vm.memory.data(&vm.store), &self.base, self.guest.stack_bytes)
    }
}

impl Vm {
    /// Compiles a source.
    pub(crate) async fn load(&mut self, source: &str) -> wasmtime::Result<Reply> {
        self.store.data_mut().kept = input::source_list(self.guest.load, source.as_bytes())?;
        self.call(Call::Load).await
    }

    /// Runs the script on an event.
    pub(crate) async fn run(&mut self, event: &howk_contract::EventInput) -> wasmtime::Result<Reply> {
        self.store.data_mut().kept = input::event_list(self.guest.run, event)?;
        self.call(Call::Run).await
    }

    /// The list of results, or the error record, of its last reply.
    pub(crate) fn list(&self, reply: Reply) -> &[u8] {
        self.memory.data(&self.store).get(reply.at..reply.at + reply.len).unwrap_or_default()
    }

    /// Bytes of its memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    async fn call(&mut self, call: Call) -> wasmtime::Result<Reply> {
        let name = match call {
            Call::Load => "load",
            Call::Run => "run",
        };
        let len = u32::try_from(self.store.data().kept.len())?;
        let function = self.instance.get_typed_func::<u32, ()>(&mut self.store, name)?;
        function.call_async(&mut self.store, len).await?;
        reply(self.memory.data(&self.store), self.guest.reply_at)
    }
}

#[cfg(test)]
impl Machine {
    pub(crate) fn base(&self) -> &[u8] {
        &self.base
    }

    pub(crate) fn stack_bytes(&self) -> usize {
        self.guest.stack_bytes
    }
}

#[cfg(test)]
impl Vm {
    pub(crate) fn memory_data(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    pub(crate) fn grow(&mut self, pages: u64) {
        self.memory.grow(&mut self.store, pages).unwrap();
    }
}

fn engine_error(error: impl std::fmt::Display) -> StartError {
    StartError::Engine(format!("{error:#}"))
}

fn memory_of(instance: &wasmtime::Instance, store: &mut Store<Side>) -> wasmtime::Result<Memory> {
    instance.get_memory(store, "memory").ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))
}

/// Reads the reply (guest/src/module.rs) out of a memory.
fn reply(memory: &[u8], at: usize) -> wasmtime::Result<Reply> {
    let word = |offset| word(memory, at + offset);
    let fuel = u64::from(word(16)?) | u64::from(word(20)?) << 32;
    let reply = Reply { status: word(0)?, at: word(4)? as usize, len: word(8)? as usize, fuel };
    if reply.at.checked_add(reply.len).is_none_or(|end| end > memory.len()) {
        return Err(wasmtime::Error::msg("the module has answered with bytes that it has not"));
    }
    Ok(reply)
}

fn word(memory: &[u8], at: usize) -> wasmtime::Result<u32> {
    let bytes = memory.get(at..).and_then(|rest| rest.first_chunk());
    let bytes = bytes.ok_or_else(|| wasmtime::Error::msg("the module has no reply"))?;
    Ok(u32::from_le_bytes(*bytes))
}

/// Makes the VM that all others begin as: its memory, without what lies in its stack.
fn set_up(settings: &Settings, side: Side) -> wasmtime::Result<(Vec<u8>, Guest)> {
    // This one runs once: fast compiling counts.
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None).wasm_exceptions(true).concurrency_support(false);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, GUEST)?;
    let mut linker = Linker::new(&engine);
    imports::define(&mut linker)?;
    let mut store = Store::new(&engine, side);
    let work = async {
        let instance = linker.instantiate_async(&mut store, &module).await?;
        let memory = memory_of(&instance, &mut store)?;
        store.data_mut().memory = Some(memory);
        let setup = instance.get_typed_func::<(u32, f64, u64), u32>(&mut store, "setup")?;
        let limits = if settings.inner_limits {
            let memory_bytes = u32::try_from(settings.memory_bytes)?;
            (memory_bytes, settings.timeout.as_secs_f64() * 1e3, settings.fuel_limit.unwrap_or(u64::MAX))
        } else {
            (u32::MAX, f64::INFINITY, u64::MAX)
        };
        let reply_at = setup.call_async(&mut store, limits).await? as usize;
        let mut base = memory.data(&store).to_vec();
        let word = |offset| word(&base, reply_at + offset);
        let (done, stack_bytes) = (word(0)?, word(12)? as usize);
        let guest = Guest { reply_at, stack_bytes, load: word(24)?, run: word(28)? };
        if done != status::OK {
            let told = store.data_mut().told.take().unwrap_or_default();
            return Err(wasmtime::Error::msg(format!("the VM cannot be made: {told}")));
        }
        base[..stack_bytes].fill(0);
        Ok((base, guest))
    };
    futures_util::FutureExt::now_or_never(work)
        .unwrap_or_else(|| Err(wasmtime::Error::msg("the VM waits while it is made")))
}

fn config(settings: &Settings) -> Config {
    let slots = u32::try_from(settings.max_concurrent + SPARE_SLOTS).unwrap_or(u32::MAX / 2);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(slots)
        // A slot whose memory is being reset is not free yet.
        .total_memories(2 * slots)
        .total_tables(slots)
        .total_gc_heaps(slots)
        .total_stacks(slots)
        .max_memory_size(settings.memory_bytes.next_multiple_of(PAGE_BYTES))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 * 1024)
        // It leaves pages that were swapped out as they were.
        .pagemap_scan(if settings.pagemap_scan { Enabled::Auto } else { Enabled::No });
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(RESERVATION_BYTES)
        .epoch_interruption(settings.epoch)
        .wasm_exceptions(true)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES);
    config
}

/// A thread that advances the engine's epoch while there are VMs.
struct Ticker {
    alive: AtomicUsize,
    thread: std::sync::Mutex<Option<thread::Thread>>,
}

/// Has the ticker tick while it lives.
struct Ticking(Arc<Ticker>);

impl Ticker {
    fn start(engine: Engine) -> Result<Arc<Self>, std::io::Error> {
        let ticker = Arc::new(Ticker { alive: AtomicUsize::new(0), thread: std::sync::Mutex::new(None) });
        // It ends when the machine and all its VMs are gone.
        let weak = Arc::downgrade(&ticker);
        let spawned = thread::Builder::new().name("howk-tick".into()).spawn(move || {
            loop {
                let Some(ticker) = weak.upgrade() else { break };
                let idle = ticker.alive.load(Ordering::SeqCst) == 0;
                drop(ticker);
                if idle {
                    thread::park();
                } else {
                    thread::sleep(TICK);
                    engine.increment_epoch();
                }
            }
        })?;
        *ticker.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(spawned.thread().clone());
        Ok(ticker)
    }

    fn hold(self: &Arc<Self>) -> Ticking {
        if self.alive.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
        Ticking(Arc::clone(self))
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.wake();
    }
}
