//! Imports of the module (guest/src/imports.rs), and what an event has for them.

use crate::budget::Lease;
use crate::clock::Clock;
use crate::host_call::{self, Answer};
use futures_util::FutureExt;
use howk_contract::{ModuleReply, Modules, ScriptError};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use wasmtime::{Caller, Linker, Memory, ResourceLimiter};

/// Name of the imports' module.
const ENGINE: &str = "engine";
/// Most errors of modules that are kept, to know them again when nothing catches them.
const RAISED_MAX: usize = 64;
/// Most bytes of a text that the module tells about itself.
const TOLD_BYTES_MAX: usize = 4096;

/// Knowledge of an event that is left when its VM is gone.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub(crate) clock: Clock,
    /// True if the budget of all VMs, or of the config, has refused memory.
    pub(crate) is_starved: AtomicBool,
    /// Bytes of the VM's memory.
    pub(crate) memory_bytes: AtomicUsize,
    /// Ticks that the script had used when it last called a module, or ended.
    pub(crate) fuel: AtomicU64,
}

/// The host's side of one VM.
pub(crate) struct Side {
    pub(crate) trail: Arc<Trail>,
    pub(crate) lease: Lease,
    pub(crate) memory_max: usize,
    /// None while there is no script that could call one.
    pub(crate) modules: Option<Arc<dyn Modules>>,
    /// The runtime of whoever runs the event: modules do their I/O there.
    pub(crate) runtime: Option<Handle>,
    pub(crate) memory: Option<Memory>,
    /// Bytes that `take` gives: the input, or the last answer.
    pub(crate) kept: Vec<u8>,
    /// The errors that modules have raised, the newest last.
    pub(crate) raised: Vec<ScriptError>,
    /// Text that the module has told before it trapped.
    pub(crate) told: Option<String>,
    /// True if memory past the limit of the VM was asked for.
    pub(crate) hit_fence: bool,
}

impl ResourceLimiter for Side {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if wanted > self.memory_max {
            self.hit_fence = true;
            return Ok(false);
        }
        let has = self.lease.grow(wanted.saturating_sub(now));
        if has {
            // The heap of the engine's exceptions, a page, asks here, too.
            self.trail.memory_bytes.fetch_max(wanted, Ordering::Relaxed);
        } else {
            self.trail.is_starved.store(true, Ordering::Relaxed);
        }
        Ok(has)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// An error of the host, or of the module, that ends the event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A module of the host has panicked.
    #[error("a module of the host has panicked: {0}")]
    Panic(String),
    /// The module has broken its own rules.
    #[error("{0}")]
    Broken(String),
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors, which come by value")]
fn broken(text: impl ToString) -> wasmtime::Error {
    Fault::Broken(text.to_string()).into()
}

/// Defines the imports.
pub(crate) fn define(linker: &mut Linker<Side>) -> wasmtime::Result<()> {
    linker.func_wrap(ENGINE, "random_u64", rand::random::<u64>)?;
    #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are a hundred days")]
    linker.func_wrap(ENGINE, "running_ms", |caller: Caller<'_, Side>| {
        caller.data().trail.clock.running_ns() as f64 / 1e6
    })?;
    linker.func_wrap(ENGINE, "take", |mut caller: Caller<'_, Side>, at: u32| {
        let (kept, memory) = (std::mem::take(&mut caller.data_mut().kept), memory(&caller)?);
        memory.write(&mut caller, at as usize, &kept).map_err(|_| broken("no room for what was taken"))
    })?;
    linker.func_wrap(ENGINE, "panicked", |mut caller: Caller<'_, Side>, at: u32, len: u32| {
        let text = String::from_utf8_lossy(bytes(&caller, at, len)?).into_owned();
        caller.data_mut().told = Some(text.chars().take(TOLD_BYTES_MAX).collect());
        wasmtime::Result::Ok(())
    })?;
    linker.func_wrap_async(
        ENGINE,
        "call",
        |mut caller: Caller<'_, Side>, (at, len, out, room, fuel): (u32, u32, u32, u32, u64)| {
            caller.data().trail.fuel.store(fuel, Ordering::Relaxed);
            Box::new(async move { call(&mut caller, (at, len), (out, room)).await })
        },
    )?;
    Ok(())
}

fn memory(caller: &Caller<'_, Side>) -> wasmtime::Result<Memory> {
    caller.data().memory.ok_or_else(|| broken("a call before there is a memory"))
}

/// Bytes of the module's memory.
fn bytes<'a>(caller: &'a Caller<'_, Side>, at: u32, len: u32) -> wasmtime::Result<&'a [u8]> {
    let data = memory(caller)?.data(caller);
    let end = (at as usize).checked_add(len as usize);
    end.and_then(|end| data.get(at as usize..end))
        .ok_or_else(|| broken("bytes that lie outside of the memory"))
}

/// Calls a module of the host. Returns the length of the answer, which is kept for `take` if there is no room
/// for it.
async fn call(caller: &mut Caller<'_, Side>, request: (u32, u32), out: (u32, u32)) -> wasmtime::Result<u32> {
    let call = host_call::read(bytes(caller, request.0, request.1)?).map_err(broken)?;
    let side = caller.data();
    let (Some(modules), runtime) = (side.modules.clone(), side.runtime.clone()) else {
        return Err(broken("a call of a module before there is a script"));
    };
    let expected = Answer::of(&call);
    let asked = async move { modules.call(call).await };
    let answered = AssertUnwindSafe(Entered { inner: Some(Box::pin(asked)), runtime }).catch_unwind().await;
    let answer = answered.map_err(|panic| Fault::Panic(panic_text(&*panic)))?;
    #[cfg(test)]
    crate::reset_tests::break_memory(answer.as_ref().ok(), memory(caller)?.data_mut(&mut *caller));
    let answer = answer.and_then(|reply| checked(expected, reply));
    let written = host_call::write(&answer).map_err(broken)?;
    if let Err(error) = answer {
        let raised = &mut caller.data_mut().raised;
        if raised.len() == RAISED_MAX {
            raised.remove(0);
        }
        raised.push(error);
    }
    let len = u32::try_from(written.len()).map_err(broken)?;
    if len > out.1 {
        caller.data_mut().kept = written;
    } else {
        let memory = memory(caller)?;
        memory.write(&mut *caller, out.0 as usize, &written).map_err(|_| broken("no room for an answer"))?;
    }
    Ok(len)
}

/// The reply, if it is one that the call may have.
fn checked(expected: Answer, reply: ModuleReply) -> Result<ModuleReply, ScriptError> {
    if expected.fits(&reply) {
        return Ok(reply);
    }
    let text = "the engine has answered this call with another one's answer";
    Err(ScriptError::new(howk_contract::ErrorType::Runtime, text))
}

/// Returns what a panic says.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").into()
}

/// A future that is polled, and dropped, inside of another runtime: what it does of I/O and timers is done
/// there.
struct Entered<F> {
    /// None once it is dropped.
    inner: Option<Pin<Box<F>>>,
    runtime: Option<Handle>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let _entered = this.runtime.as_ref().map(Handle::enter);
        this.inner.as_mut().map_or(Poll::Pending, |inner| inner.as_mut().poll(cx))
    }
}

impl<F> Drop for Entered<F> {
    fn drop(&mut self) {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        self.inner = None;
    }
}
