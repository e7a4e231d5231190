//! The world as the core sees it: streams, clocks, the environment, seeds. A host that answers nothing is a valid host.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// `print`, `io.write`, `io.stdout`.
    Stdout = 1,
    /// `io.stderr`, `warn`.
    Stderr = 2,
}

/// What a runtime asks of the world around it. Every method is called synchronously, on the runtime's thread, and must
/// neither unwind nor call back into the runtime.
pub trait Host {
    /// Output of the program: any bytes, in the order in which they were written, whole segments.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// Wall clock: milliseconds since 1970-01-01 UTC (`os.time`, `os.date`).
    fn clock_ms(&mut self) -> f64;

    /// A clock that never steps back, in milliseconds from any start (`os.clock`).
    fn monotonic_ms(&mut self) -> f64;

    /// The clock of timeouts, in milliseconds from any start: a real one also where a host gives the program a clock of its own.
    fn timer_ms(&mut self) -> f64 {
        self.monotonic_ms()
    }

    /// Offset of local time east of UTC, in minutes, at a moment of the wall clock.
    fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        let _ = clock_ms;
        0
    }

    /// Seed material for hashes and `math.random`.
    fn random_u64(&mut self) -> u64;

    /// Should the running call end now? Asked about every half millisecond while Lua runs.
    fn interrupted(&mut self) -> bool {
        false
    }

    /// An environment variable (`os.getenv`). Nothing of the real environment is visible unless the host gives it.
    fn environment(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// The source of a module, for `require`. Modules given to the builder are asked first.
    fn module(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// A future that is ready after so many milliseconds (`async.sleep`), of whatever executor runs the program. None when the
    /// host has no timer: then `async.sleep` is an error.
    fn sleep(&mut self, ms: f64) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let _ = ms;
        None
    }

    /// More of standard input, or nothing at its end (`io.read`).
    ///
    /// # Errors
    /// What Lua code that reads is told, as an error.
    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

impl fmt::Debug for dyn Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Host")
    }
}

/// The host of a native program: the process's standard streams and clocks, UTC, no environment. What is sent to a stream
/// that is closed is lost, as with `print!`'s quiet cousins; use your own host where that matters.
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
        // A closed pipe is no reason to fail a Lua program that only printed to it.
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

/// The host of a wasm module that has not been given another: no streams, a clock that stands still.
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
