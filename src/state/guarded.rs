//! Host and store of a VM, whose panics never reach C: unwinding through a frame of C Lua would leave its
//! state in pieces.
//!
//! Keeps true: a panic of the store is an error of the store. A panic of the host, which has nowhere to say
//! so, is kept; it ends the call that runs (as an interrupt), and goes on in the caller when the outermost
//! call has ended.

use crate::host::{Host, Stream};
use crate::store::{Cursor, StoreError, TableId, TableStore, Transaction};
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A panic on its way to the caller.
pub(crate) type Panic = Box<dyn Any + Send>;

/// A host, and the panic of it that is on its way to the caller.
pub(crate) struct GuardedHost {
    host: Box<dyn Host>,
    #[cfg(panic = "unwind")]
    panic: Option<Panic>,
}

/// A store whose panics are errors.
pub(crate) struct GuardedStore {
    store: Box<dyn TableStore>,
}

impl fmt::Debug for GuardedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl fmt::Debug for GuardedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

/// Runs `body`; a panic of it is the error. Where panics abort there is none.
#[inline]
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

impl GuardedHost {
    pub(crate) fn new(host: Box<dyn Host>) -> Self {
        GuardedHost {
            host,
            #[cfg(panic = "unwind")]
            panic: None,
        }
    }

    /// The host itself, for a caller that no frame of C is below.
    pub(crate) fn inner(&mut self) -> &mut dyn Host {
        &mut *self.host
    }

    /// True while a panic is on its way.
    #[cfg(panic = "unwind")]
    pub(crate) fn has_panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// Takes the panic that is on its way, for the caller of the outermost call.
    #[cfg(panic = "unwind")]
    pub(crate) fn take_panic(&mut self) -> Option<Panic> {
        self.panic.take()
    }

    #[cfg(panic = "unwind")]
    fn ask<R>(&mut self, otherwise: R, question: impl FnOnce(&mut dyn Host) -> R) -> R {
        let host = &mut *self.host;
        caught(|| question(host)).unwrap_or_else(|panic| {
            // The first says why; one that follows from it would only hide that.
            if self.panic.is_none() {
                self.panic = Some(panic);
            } else {
                std::mem::forget(panic);
            }
            otherwise
        })
    }

    #[cfg(not(panic = "unwind"))]
    #[inline]
    fn ask<R>(&mut self, _otherwise: R, question: impl FnOnce(&mut dyn Host) -> R) -> R {
        question(&mut *self.host)
    }
}

/// The methods of [`Host`].
impl GuardedHost {
    #[inline]
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.ask((), |host| host.write(stream, bytes));
    }

    #[inline]
    pub(crate) fn clock_ms(&mut self) -> f64 {
        self.ask(0.0, |host| host.clock_ms())
    }

    #[inline]
    pub(crate) fn monotonic_ms(&mut self) -> f64 {
        self.ask(0.0, |host| host.monotonic_ms())
    }

    #[inline]
    pub(crate) fn timer_ms(&mut self) -> f64 {
        self.ask(0.0, |host| host.timer_ms())
    }

    #[inline]
    pub(crate) fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        self.ask(0, |host| host.time_zone_minutes(clock_ms))
    }

    #[inline]
    pub(crate) fn random_u64(&mut self) -> u64 {
        self.ask(0, |host| host.random_u64())
    }

    #[inline]
    pub(crate) fn interrupted(&mut self) -> bool {
        self.ask(true, |host| host.interrupted())
    }

    #[inline]
    pub(crate) fn environment(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.ask(None, |host| host.environment(name))
    }

    #[inline]
    pub(crate) fn module(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.ask(None, |host| host.module(name))
    }

    #[inline]
    pub(crate) fn sleep(&mut self, ms: f64) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        self.ask(None, |host| host.sleep(ms))
    }

    #[inline]
    pub(crate) fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.ask(Ok(None), |host| host.read())
    }
}

impl GuardedStore {
    #[inline]
    pub(crate) fn new(store: Box<dyn TableStore>) -> Self {
        GuardedStore { store }
    }

    /// The store itself, for a caller that no frame of C is below.
    #[inline]
    pub(crate) fn inner(&mut self) -> &mut dyn TableStore {
        &mut *self.store
    }

    #[cfg(panic = "unwind")]
    fn ask<R>(
        &mut self,
        question: impl FnOnce(&mut dyn TableStore) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let store = &mut *self.store;
        caught(|| question(store)).unwrap_or_else(|panic| {
            let text = format!("it panicked: {}", panic_text(&*panic));
            // Dropping what was thrown may panic again.
            std::mem::forget(panic);
            Err(StoreError::Host(text))
        })
    }

    #[cfg(not(panic = "unwind"))]
    #[inline]
    fn ask<R>(
        &mut self,
        question: impl FnOnce(&mut dyn TableStore) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        question(&mut *self.store)
    }
}

/// The methods of [`TableStore`].
impl GuardedStore {
    #[inline]
    pub(crate) fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        self.ask(|store| store.open(name))
    }

    #[inline]
    pub(crate) fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.ask(|store| store.get(table, key, out))
    }

    #[inline]
    pub(crate) fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.ask(|store| store.contains(table, key))
    }

    #[inline]
    pub(crate) fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.ask(|store| store.set(table, key, value))
    }

    #[inline]
    pub(crate) fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.ask(|store| store.remove(table, key))
    }

    #[inline]
    pub(crate) fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.ask(|store| store.next(table, after, room, out))
    }

    #[inline]
    pub(crate) fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        self.ask(|store| store.count(table))
    }

    #[inline]
    pub(crate) fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        self.ask(|store| store.clear(table))
    }

    #[inline]
    pub(crate) fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        self.ask(|store| store.drop_table(name))
    }

    #[inline]
    pub(crate) fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.ask(|store| store.names(out))
    }

    #[inline]
    pub(crate) fn transaction(&mut self, what: Transaction) -> Result<(), StoreError> {
        self.ask(|store| store.transaction(what))
    }

    #[inline]
    pub(crate) fn end_batch(&mut self) -> Result<(), StoreError> {
        self.ask(|store| store.end_batch())
    }
}
