//! Settings of the pipeline that an operator may choose.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PipelineSettings {
    /// True if scripts run. Off, webhooks that have one become dead letters.
    pub scripts_enabled: bool,
    /// Settings for accepting webhooks.
    pub queue: QueueSettings,
    /// Settings for knowing scripts.
    pub loader: LoaderSettings,
    /// Settings for working on webhooks.
    pub worker: WorkerSettings,
    /// Settings for sending them.
    pub delivery: DeliverySettings,
    /// Settings for trying them again.
    pub retry: RetrySettings,
    /// Settings for finding out that it is time.
    pub scheduler: SchedulerSettings,
    /// Settings for listing those that were given up.
    pub dead_letters: DeadLetterSettings,
}

/// Settings for accepting webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// Time for which an `idempotency_key` is known.
    pub idempotency_ttl: Duration,
    /// Time for which the status of a webhook is known after its last change.
    pub status_ttl: Duration,
    /// Longest wait for the state where an answer is not needed.
    pub state_timeout: Duration,
    /// Time after which another request may take over a key whose webhook was not acknowledged.
    pub reservation: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        QueueSettings {
            idempotency_ttl: DAY,
            status_ttl: 7 * DAY,
            state_timeout: SECOND,
            reservation: 10 * SECOND,
        }
    }
}

/// Version of a script that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// The newest: a correction reaches what waits.
    #[default]
    Newest,
    /// The one that the webhook was accepted with.
    Pinned,
}

/// Settings for knowing scripts.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderSettings {
    /// Longest wait of a worker for a script that it does not know yet.
    pub sync_timeout: Duration,
    /// Version that runs.
    pub versions: Versions,
    /// Versions of each script that are kept for [`Versions::Pinned`].
    pub versions_kept: usize,
    /// Time for which a script stays in the state after it was last seen there; none keeps no copy.
    pub mirror_ttl: Option<Duration>,
    /// Number of scripts that are prepared at the start. Others are when they run.
    pub prepare_at_start: usize,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        LoaderSettings {
            sync_timeout: 5 * SECOND,
            versions: Versions::Newest,
            versions_kept: 10,
            mirror_ttl: Some(7 * DAY),
            prepare_at_start: 1000,
        }
    }
}

/// Settings for working on webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSettings {
    /// Webhooks that are open at once, of each partition.
    pub in_flight: usize,
    /// Webhooks of one config that are open at once while others want to be; none is a quarter of all.
    pub in_flight_per_config: Option<usize>,
    /// Scripts of one config that run at once.
    pub max_concurrent_per_config: usize,
    /// Time for which a webhook waits for its config's turn before it is put off.
    pub defer_after: Duration,
    /// Time for which it is put off.
    pub defer_delay: Duration,
    /// Processor time that a config's scripts may take while others run, in seconds per second.
    pub cpu_per_config: f64,
    /// Processor time that a config's scripts may take at once, before that holds.
    pub cpu_burst: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        WorkerSettings {
            in_flight: 1000,
            in_flight_per_config: None,
            max_concurrent_per_config: 32,
            defer_after: SECOND,
            defer_delay: SECOND,
            cpu_per_config: 0.5,
            cpu_burst: SECOND,
        }
    }
}

impl WorkerSettings {
    /// Webhooks of one config that are open at once while others want to be.
    pub(crate) fn share(&self) -> usize {
        self.in_flight_per_config.unwrap_or(self.in_flight / 4).max(1)
    }
}

/// Settings for sending webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliverySettings {
    /// Longest time that an endpoint may take to answer.
    pub timeout: Duration,
    /// The header `User-Agent`.
    pub user_agent: String,
    /// Most bytes that are read of an answer.
    pub response_max_bytes: usize,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        DeliverySettings {
            timeout: 30 * SECOND,
            user_agent: concat!("howk/", env!("CARGO_PKG_VERSION")).into(),
            response_max_bytes: 64 << 10,
        }
    }
}

/// Settings for trying webhooks again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySettings {
    /// Wait before the second attempt; it doubles from there.
    pub base_delay: Duration,
    /// Longest wait.
    pub max_delay: Duration,
    /// Share of a wait that is random, from 0 to 1.
    pub jitter: f64,
    /// Attempts after which a webhook is given up.
    pub max_attempts: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings { base_delay: 10 * SECOND, max_delay: DAY, jitter: 0.2, max_attempts: 20 }
    }
}

/// Settings for finding out that it is time to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulerSettings {
    /// Time between two looks for webhooks that are due.
    pub interval: Duration,
    /// Most webhooks that are put back at once.
    pub batch: usize,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        SchedulerSettings { interval: Duration::from_millis(100), batch: 100 }
    }
}

/// Settings for listing webhooks that were given up.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterSettings {
    /// Most dead letters that can be listed: the newest. A page says whether there are older ones. Each takes
    /// some 300 bytes of memory.
    pub listed: usize,
    /// Time for which they are kept, by the log's settings.
    pub kept: Duration,
}

impl Default for DeadLetterSettings {
    fn default() -> Self {
        DeadLetterSettings { listed: 100_000, kept: 30 * DAY }
    }
}
