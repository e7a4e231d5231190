//! Settings of an operator.

use howk_contract::OutputLimits;
use std::time::Duration;

/// Bytes of a page of wasm.
pub(crate) const PAGE_BYTES: usize = 64 * 1024;
/// Least memory of a VM: libraries, prelude, free memory and stack take less than half of it.
const MEMORY_MIN_BYTES: usize = 4 << 20;
/// Most memory of a VM: all that wasm can address.
const MEMORY_MAX_BYTES: usize = 4 << 30;
/// Most events at a time: each takes 8 GiB of addresses.
const CONCURRENT_MAX: usize = 4096;

/// Number of VMs, and what each may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Longest time that a script may run, without the time for which it waits (`lua.timeout`).
    pub timeout: Duration,
    /// Longest time that an event may take in all (`lua.wall_timeout`).
    pub wall_timeout: Duration,
    /// Ticks that a script may use; none is no limit (`lua.fuel_limit`).
    pub fuel_limit: Option<u64>,
    /// Bytes of the whole memory of a VM, in pages of 64 KiB (`lua.memory_limit_mb`).
    pub memory_bytes: usize,
    /// Bytes of the memories of all VMs together; a config may have a quarter of it (`lua.memory_total_mb`).
    pub total_memory_bytes: usize,
    /// Most events at a time; others wait (`lua.max_concurrent`).
    pub max_concurrent: usize,
    /// Threads that run VMs (`lua.threads`).
    pub threads: usize,
    /// Limits of what a script may leave behind.
    pub output: OutputLimits,
    /// Bytes of images of scripts that are kept; those that were not used for longest go first.
    pub image_cache_bytes: usize,
    /// False takes the limits inside of the VM away, so that a test can see the fences around it.
    #[doc(hidden)]
    pub inner_limits: bool,
    /// False takes the clock around the VM away, so that a benchmark can see what it costs.
    #[doc(hidden)]
    pub epoch: bool,
    /// True resets slots by what the system says was written, so that a benchmark can compare.
    #[doc(hidden)]
    pub pagemap_scan: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeout: Duration::from_millis(500),
            wall_timeout: Duration::from_secs(15),
            fuel_limit: None,
            memory_bytes: 50 << 20,
            total_memory_bytes: 1 << 30,
            max_concurrent: 256,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            output: OutputLimits::default(),
            image_cache_bytes: 64 << 20,
            inner_limits: true,
            epoch: true,
            pagemap_scan: false,
        }
    }
}

/// Reason for which there is no sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
    /// The module, or memory for its VMs, cannot be had.
    #[error("the sandbox cannot start: {0}")]
    Engine(String),
    /// The threads cannot be had.
    #[error("threads of the sandbox cannot start: {0}")]
    Threads(#[from] std::io::Error),
}

impl Settings {
    /// Says which setting cannot be, and why.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let refuse = |text: String| Err(StartError::Setting(text));
        let megabytes = |bytes: usize| bytes >> 20;
        if self.timeout < Duration::from_millis(1) {
            return refuse("lua.timeout is at least 1ms".into());
        }
        if self.wall_timeout < self.timeout {
            return refuse("lua.wall_timeout is at least lua.timeout".into());
        }
        if !(MEMORY_MIN_BYTES..=MEMORY_MAX_BYTES - PAGE_BYTES).contains(&self.memory_bytes) {
            let (least, most) = (megabytes(MEMORY_MIN_BYTES), megabytes(MEMORY_MAX_BYTES) - 1);
            return refuse(format!("lua.memory_limit_mb is from {least} to {most}"));
        }
        if self.total_memory_bytes / 4 < self.memory_bytes {
            let least = (4 * self.memory_bytes).div_ceil(1 << 20);
            return refuse(format!(
                "lua.memory_total_mb is at least four times lua.memory_limit_mb: {least}"
            ));
        }
        if !(1..=CONCURRENT_MAX).contains(&self.max_concurrent) {
            return refuse(format!("lua.max_concurrent is from 1 to {CONCURRENT_MAX}"));
        }
        if self.threads == 0 {
            return refuse("lua.threads is at least 1".into());
        }
        if self.fuel_limit == Some(0) {
            return refuse("a limit of 0 ticks lets nothing run".into());
        }
        Ok(())
    }
}
