//! The interface to the host: streams, clocks, timers, environment variables, modules, seeds. A host that
//! provides none of these is a valid host.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// `print`, `io.write`, `io.stdout`.
    Stdout = 1,
    /// `io.stderr`, `warn`.
    Stderr = 2,
}

/// The services that a runtime asks its host for. Every method is called synchronously, on the runtime's
/// thread, and must neither unwind nor call back into the runtime.
pub trait Host {
    /// Takes output of the program: any bytes, in the order in which they were written.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// The wall clock: milliseconds since 1970-01-01 UTC (`os.time`, `os.date`).
    fn clock_ms(&mut self) -> f64;

    /// A clock that never steps back, in milliseconds from an arbitrary start (`os.clock`).
    fn monotonic_ms(&mut self) -> f64;

    /// The clock of timeouts, in milliseconds from an arbitrary start. A host whose `monotonic_ms` is not
    /// real time must override this with a clock that is.
    fn timer_ms(&mut self) -> f64 {
        self.monotonic_ms()
    }

    /// The offset of local time from UTC, in minutes, positive to the east, at a moment of the wall clock.
    fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        let _ = clock_ms;
        0
    }

    /// Random bits for the seeds of hashes and of `math.random`.
    fn random_u64(&mut self) -> u64;

    /// True if the running call should end now. Called about every half millisecond while Lua runs.
    fn interrupted(&mut self) -> bool {
        false
    }

    /// The value of an environment variable (`os.getenv`), or `None`. The real environment is not visible
    /// unless the host provides it.
    fn environment(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// The source of a module, for `require`, or `None`. Modules given to the builder take precedence.
    fn module(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// A future that is ready after `ms` milliseconds (`async.sleep`), for the executor that runs the
    /// program. `None` if the host has no timer: then `async.sleep` raises an error.
    fn sleep(&mut self, ms: f64) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let _ = ms;
        None
    }

    /// Reads more of standard input (`io.read`): any number of bytes, or `None` at the end.
    ///
    /// # Errors
    /// Reading failed. The text is raised as an error in the Lua code that reads.
    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

impl fmt::Debug for dyn Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Host")
    }
}

/// The host of a native program: the process's standard streams and clocks, UTC, no environment variables.
/// Output to a closed stream is dropped without an error; where that matters, use your own host.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[derive(Debug)]
pub struct NativeHost {
    started: std::time::Instant,
}

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
impl Default for NativeHost {
    fn default() -> Self {
        NativeHost { started: std::time::Instant::now() }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
impl Host for NativeHost {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        use std::io::Write;
        // A closed pipe must not fail a Lua program that only printed to it.
        let _ = match stream {
            Stream::Stdout => std::io::stdout().lock().write_all(bytes),
            Stream::Stderr => std::io::stderr().lock().write_all(bytes),
        };
    }

    fn clock_ms(&mut self) -> f64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0.0, |since| since.as_secs_f64() * 1000.0)
    }

    fn monotonic_ms(&mut self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1000.0
    }

    fn random_u64(&mut self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        // The standard library's own per-map keys come from the system's randomness.
        std::hash::RandomState::new().build_hasher().finish()
    }
}

/// The default host of a wasm module: no streams, and clocks that always read 0.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[derive(Debug, Default)]
pub struct NativeHost {}

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
impl Host for NativeHost {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        0
    }
}
