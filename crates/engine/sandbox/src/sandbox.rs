//! The sandbox: threads of its own, and on them one VM for each event.

use crate::budget::Budget;
use crate::counters::{Counters, Counts};
use crate::errors;
use crate::event::{Event, Fence, Outcome, Report};
use crate::images::{Compiled, Images};
use crate::imports::{Fault, Side, Trail, panic_text};
use crate::machine::{Machine, SPARE_SLOTS, Vm};
use crate::output::{self, NoResult};
use crate::settings::{Settings, StartError};
use crate::timed::{Ended, Timed};
use howk_contract::{ConfigId, ErrorType, Modules, ScriptError, ScriptHash, Transform};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Time past the limit of its own clock that a script may run before the deadline around it ends it.
const GRACE: Duration = Duration::from_millis(50);

/// Runs scripts, each event in a VM of its own. Clones are the same sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    threads: Threads,
}

/// Parts that the tasks on the threads work with.
#[derive(Debug)]
pub(crate) struct Shared {
    settings: Settings,
    machine: Machine,
    images: Images,
    budget: Arc<Budget>,
    counts: Arc<Counts>,
    slots: Semaphore,
    spare_slots: Semaphore,
}

/// The threads that run VMs. They end without being waited for: the last clone may go anywhere.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Reason for which there is no result of a VM.
#[derive(Debug)]
enum Failure {
    Script(ScriptError, Option<Fence>),
    Deferred,
}

impl Sandbox {
    /// Compiles the module, and sets up the VM that all others begin as. Takes a second or more of all cores.
    ///
    /// # Errors
    /// A setting that cannot be; or the system has no room for that many VMs, or no threads.
    pub fn new(settings: Settings) -> Result<Sandbox, StartError> {
        settings.check()?;
        let counts = Arc::<Counts>::default();
        let budget = Budget::new(settings.total_memory_bytes);
        let side = new_side(&settings, &budget, Arc::default(), None);
        let machine = Machine::new(&settings, side)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .thread_name("howk-vm")
            .enable_time()
            .build()?;
        let shared = Shared {
            settings,
            machine,
            images: Images::new(settings.image_cache_bytes, Arc::clone(&counts)),
            budget,
            counts,
            slots: Semaphore::new(settings.max_concurrent),
            spare_slots: Semaphore::new(SPARE_SLOTS),
        };
        Ok(Sandbox(Arc::new(Inner { shared: Arc::new(shared), threads: Threads(Some(runtime)) })))
    }

    /// Runs a script on an event. Dropping the future ends the event, wherever it is.
    pub async fn run(&self, event: Event) -> Outcome {
        let (shared, runtime) = (Arc::clone(&self.0.shared), Handle::try_current().ok());
        match self.spawn(async move { shared.run(event, runtime).await }).await {
            Ok(outcome) => outcome,
            Err(Lost::Closed) => Outcome::Deferred,
            Err(Lost::Panic(text)) => Outcome::Done(panicked(&text)),
        }
    }

    /// Compiles a source, and says what is wrong with it. Keeps its image, for the events that come.
    ///
    /// # Errors
    /// `script_syntax_error` with the line; `script_timeout` and `script_memory_limit`, when compiling it
    /// takes too much; a retryable `script_runtime_error` when there is no memory left for compiling now.
    pub async fn check(&self, source: &str) -> Result<(), ScriptError> {
        let (shared, source) = (Arc::clone(&self.0.shared), Arc::<str>::from(source));
        let compiled = self.spawn(async move { shared.image(ScriptHash::of(&*source), &source).await }).await;
        let busy = || {
            ScriptError::new(ErrorType::Runtime, "there is no memory to compile the script now").retryable()
        };
        match compiled {
            Ok(Ok(compiled)) => compiled.map(drop),
            Ok(Err(Failure::Script(error, _))) => Err(error),
            Ok(Err(Failure::Deferred)) | Err(Lost::Closed) => Err(busy()),
            Err(Lost::Panic(text)) => panicked(&text).result.map(drop),
        }
    }

    /// Makes the image of a script, so that its first event need not. What is wrong with the script is that
    /// event's.
    pub async fn prepare(&self, source: &str) {
        drop(self.check(source).await);
    }

    /// Makes a VM with the image of a script and lets it go; how long that ran. For benchmarks.
    #[doc(hidden)]
    pub async fn wake_only(&self, source: &str) -> Option<Duration> {
        let (shared, source) = (Arc::clone(&self.0.shared), Arc::<str>::from(source));
        let woken = self.spawn(async move {
            let image = shared.image(ScriptHash::of(&*source), &source).await.ok()?.ok()?;
            let trail = Arc::<Trail>::default();
            let side = new_side(&shared.settings, &shared.budget, Arc::clone(&trail), None);
            shared.timed(async { shared.wake(side, Some(&image)).await.map(drop) }, &trail).await.ok()?;
            Some(trail.clock.ran())
        });
        woken.await.ok().flatten()
    }

    /// The counts of this sandbox.
    pub fn counters(&self) -> Counters {
        self.0.shared.counters()
    }

    /// Returns what it was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.shared.settings
    }

    /// Runs a task on the threads; it ends with the future.
    async fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Lost> {
        let Some(runtime) = &self.0.threads.0 else { return Err(Lost::Closed) };
        let mut task = Task(runtime.spawn(task));
        match (&mut task.0).await {
            Ok(result) => Ok(result),
            Err(error) if error.is_panic() => Err(Lost::Panic(panic_text(&*error.into_panic()))),
            Err(_) => Err(Lost::Closed),
        }
    }
}

/// Reason for which a task has no result.
#[derive(Debug)]
enum Lost {
    /// The sandbox is gone.
    Closed,
    Panic(String),
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn panicked(text: &str) -> Report {
    let message = format!("the engine has failed: {text}");
    Report {
        result: Err(ScriptError::new(ErrorType::Runtime, message)),
        fuel: 0,
        memory_bytes: 0,
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
        fence: Some(Fence::Panic),
    }
}

fn new_side(settings: &Settings, budget: &Arc<Budget>, trail: Arc<Trail>, config: Option<ConfigId>) -> Side {
    Side {
        trail,
        lease: budget.lease(config),
        memory_max: settings.memory_bytes,
        modules: None,
        runtime: None,
        memory: None,
        kept: Vec::new(),
        raised: Vec::new(),
        told: None,
        hit_fence: false,
    }
}

impl Shared {
    fn counters(&self) -> Counters {
        let counts = &self.counts;
        let (images, image_bytes) = self.images.size();
        Counters {
            image_hits: counts.image_hits.get(),
            image_misses: counts.image_misses.get(),
            image_evictions: counts.image_evictions.get(),
            images: images as u64,
            image_bytes: image_bytes as u64,
            slots_in_use: counts.slots_in_use.get(),
            waiting: counts.waiting.get(),
            memory_bytes: self.budget.used_bytes() as u64,
            deferred: counts.deferred.get(),
            fence_deadline: counts.fence_deadline.get(),
            fence_memory: counts.fence_memory.get(),
            traps: counts.traps.get(),
            panics: counts.panics.get(),
        }
    }

    /// A slot; the permit is given back with it.
    async fn slot<'a>(&'a self, slots: &'a Semaphore) -> tokio::sync::SemaphorePermit<'a> {
        let _waiting = self.counts.waiting.hold();
        match slots.acquire().await {
            Ok(permit) => permit,
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }

    /// The image of a script, made if there is none.
    async fn image(&self, hash: ScriptHash, source: &str) -> Result<Compiled, Failure> {
        self.images.get(hash, self.compile(hash, source)).await
    }

    async fn compile(&self, hash: ScriptHash, source: &str) -> Result<Compiled, Failure> {
        if ScriptHash::of(source) != hash {
            let text = "the source of the script is not the one that its hash names";
            return Err(Failure::Script(ScriptError::new(ErrorType::NotFound, text), None));
        }
        let _slot = self.slot(&self.spare_slots).await;
        let _used = self.counts.slots_in_use.hold();
        let trail = Arc::<Trail>::default();
        let side = new_side(&self.settings, &self.budget, Arc::clone(&trail), None);
        let work = async {
            let mut vm = self.wake(side, None).await?;
            let reply = match vm.load(source).await {
                Ok(reply) => reply,
                Err(error) => return Err(self.fault(&error, &vm)),
            };
            let answer = match reply.status {
                errors::status::OK => output::read_load(vm.list(reply)),
                status => errors::read(status, vm.list(reply), &[]).map(Err),
            };
            match answer {
                Ok(Ok(())) => Ok(Ok(Arc::new(self.machine.image(&vm)))),
                // What does not compile never will; want of time or memory may pass.
                Ok(Err(error)) if error.error_type == ErrorType::Syntax => Ok(Err(error)),
                Ok(Err(error)) => Err(Failure::Script(error, None)),
                Err(NoResult) => Err(self.broken(&NoResult)),
            }
        };
        self.timed(work, &trail).await
    }

    /// Runs an event; `runtime` is where its modules do their I/O.
    async fn run(&self, event: Event, runtime: Option<Handle>) -> Outcome {
        let _slot = self.slot(&self.slots).await;
        let _used = self.counts.slots_in_use.hold();
        let (trail, began) = (Arc::<Trail>::default(), Instant::now());
        let result = match self.image(event.hash, &event.source).await {
            Ok(Ok(image)) => {
                let mut side =
                    new_side(&self.settings, &self.budget, Arc::clone(&trail), Some(event.config_id));
                side.modules = Some(event.modules as Arc<dyn Modules>);
                side.runtime = runtime;
                let work = async {
                    let mut vm = self.wake(side, Some(&image)).await?;
                    self.transform(&mut vm, &event.input).await
                };
                self.timed(work, &trail).await
            }
            Ok(Err(error)) => Err(Failure::Script(error, None)),
            Err(failure) => Err(failure),
        };
        let (result, fence) = match result {
            Ok(transform) => (Ok(transform), None),
            Err(Failure::Script(error, fence)) => (Err(error), fence),
            Err(Failure::Deferred) => {
                self.counts.deferred.add(1);
                return Outcome::Deferred;
            }
        };
        Outcome::Done(Report {
            result,
            fuel: trail.fuel.load(Ordering::Relaxed),
            memory_bytes: trail.memory_bytes.load(Ordering::Relaxed),
            cpu: trail.clock.ran(),
            wall: began.elapsed(),
            fence,
        })
    }

    /// Makes a VM. The memory that it begins with is out of the budget, as all that it grows by: the instance
    /// asks for both.
    async fn wake(&self, side: Side, image: Option<&crate::image::Image>) -> Result<Vm, Failure> {
        let trail = Arc::clone(&side.trail);
        self.machine.wake(side, image).await.map_err(|error| {
            if trail.is_starved.load(Ordering::Relaxed) { Failure::Deferred } else { self.broken(&error) }
        })
    }

    /// Runs the script, and reads what it leaves behind.
    async fn transform(&self, vm: &mut Vm, input: &howk_contract::EventInput) -> Result<Transform, Failure> {
        let reply = match vm.run(input).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.fault(&error, vm)),
        };
        vm.store.data().trail.fuel.store(reply.fuel, Ordering::Relaxed);
        let fence = self.memory_fence(vm);
        let list = vm.list(reply);
        let result = match reply.status {
            errors::status::OK => output::read_run(list, &input.headers, &self.settings.output),
            status => errors::read(status, list, &vm.store.data().raised).map(Err),
        };
        match result {
            Ok(Ok(transform)) => Ok(transform),
            Ok(Err(error)) => Err(Failure::Script(error, fence)),
            Err(NoResult) => Err(self.broken(&NoResult)),
        }
    }

    /// Ends work that runs for too long, or takes too long. What wanted memory that others have is to be run
    /// again.
    async fn timed<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
        trail: &Trail,
    ) -> Result<T, Failure> {
        let settings = &self.settings;
        let done = Timed::new(work, &trail.clock, settings.timeout + GRACE, settings.wall_timeout).await;
        if trail.is_starved.load(Ordering::Relaxed) {
            return Err(Failure::Deferred);
        }
        match done {
            Ok(result) => result,
            Err(Ended::Running) => {
                self.counts.fence_deadline.add(1);
                let text = format!("timed out after {} ms", settings.timeout.as_millis());
                Err(Failure::Script(ScriptError::new(ErrorType::Timeout, text), Some(Fence::Deadline)))
            }
            Err(Ended::Wall) => {
                let text =
                    format!("took more than {} ms, waiting included", settings.wall_timeout.as_millis());
                Err(Failure::Script(ScriptError::new(ErrorType::Timeout, text), None))
            }
        }
    }

    fn memory_fence(&self, vm: &Vm) -> Option<Fence> {
        let hit = vm.store.data().hit_fence;
        if hit {
            self.counts.fence_memory.add(1);
        }
        hit.then_some(Fence::Memory)
    }

    /// The end of an event by a trap, or by an error of the host.
    fn fault(&self, error: &wasmtime::Error, vm: &Vm) -> Failure {
        if let Some(Fault::Panic(text)) = error.downcast_ref() {
            self.counts.panics.add(1);
            let text = format!("the engine has failed: {text}");
            return Failure::Script(ScriptError::new(ErrorType::Runtime, text), Some(Fence::Panic));
        }
        self.counts.traps.add(1);
        let told = vm.store.data().told.as_deref();
        // Rust code of the module has no other way to say that it has got no memory than to give up.
        let is_full = vm.memory_bytes() + crate::settings::PAGE_BYTES > self.settings.memory_bytes;
        let gave_up = error.downcast_ref() == Some(&wasmtime::Trap::UnreachableCodeReached);
        let error = if is_full && gave_up && told.is_none() {
            ScriptError::new(ErrorType::MemoryLimit, "not enough memory")
        } else {
            let text = told.map_or_else(|| format!("{:#}", error.root_cause()), str::to_owned);
            ScriptError::new(ErrorType::Runtime, format!("the engine has failed: {text}"))
        };
        Failure::Script(error, Some(Fence::Trap))
    }

    /// The end of an event by what the module must never do.
    fn broken(&self, error: &impl std::fmt::Display) -> Failure {
        self.counts.traps.add(1);
        let text = format!("the engine has failed: {error:#}");
        Failure::Script(ScriptError::new(ErrorType::Runtime, text), Some(Fence::Trap))
    }
}

/// Access of tests to what lies in memory.
#[cfg(test)]
impl Sandbox {
    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

#[cfg(test)]
impl Shared {
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn slots_in_use(&self) -> u64 {
        self.counts.slots_in_use.get()
    }

    /// A VM with a script, and modules.
    pub(crate) async fn vm_of(&self, event: &Event) -> Option<Vm> {
        let image = self.image(event.hash, &event.source).await.ok()?.ok()?;
        let mut side = new_side(&self.settings, &self.budget, Arc::default(), None);
        side.modules = Some(event.modules.clone());
        self.machine.wake(side, Some(&image)).await.ok()
    }

    /// A VM without a script.
    pub(crate) async fn new_vm(&self) -> Vm {
        let side = new_side(&self.settings, &self.budget, Arc::default(), None);
        self.machine.wake(side, None).await.unwrap()
    }
}
