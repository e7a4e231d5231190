//! What an operator may choose of the pipeline.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PipelineSettings {
    /// Whether scripts run. Off, webhooks that have one become dead letters.
    pub scripts_enabled: bool,
    /// How webhooks are accepted.
    pub queue: QueueSettings,
    /// How scripts are known.
    pub loader: LoaderSettings,
    /// How webhooks are worked on.
    pub worker: WorkerSettings,
    /// How they are sent.
    pub delivery: DeliverySettings,
    /// When they are tried again.
    pub retry: RetrySettings,
    /// Who finds out that it is time.
    pub scheduler: SchedulerSettings,
    /// How those that were given up are listed.
    pub dead_letters: DeadLetterSettings,
}

/// How webhooks are accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// How long an `idempotency_key` is known.
    pub idempotency_ttl: Duration,
    /// How long the status of a webhook is known after its last change.
    pub status_ttl: Duration,
    /// How long the state is waited for where an answer is not needed.
    pub state_timeout: Duration,
    /// After which time somebody else may take over a key whose webhook was not acknowledged.
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

/// Which version of a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// The newest: a correction reaches what waits.
    #[default]
    Newest,
    /// The one that the webhook was accepted with.
    Pinned,
}

/// How scripts are known.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderSettings {
    /// How long a worker waits for a script that it does not know yet.
    pub sync_timeout: Duration,
    /// Which version runs.
    pub versions: Versions,
    /// Versions of each script that are kept for [`Versions::Pinned`].
    pub versions_kept: usize,
    /// How long a script stays in the state after it was last seen there; none keeps no copy.
    pub mirror_ttl: Option<Duration>,
    /// How many scripts are prepared at the start. Others are when they run.
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

/// How webhooks are worked on.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSettings {
    /// Webhooks that are open at once, of each partition.
    pub in_flight: usize,
    /// Webhooks of one config that are open at once while others want to be; none is a quarter of all.
    pub in_flight_per_config: Option<usize>,
    /// Scripts of one config that run at once.
    pub max_concurrent_per_config: usize,
    /// How long a webhook waits for its config's turn before it is put off.
    pub defer_after: Duration,
    /// For how long it is put off.
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

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliverySettings {
    /// How long an endpoint may take to answer.
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

/// When webhooks are tried again.
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

/// Who finds out that it is time to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulerSettings {
    /// How often it is looked for webhooks that are due.
    pub interval: Duration,
    /// Most webhooks that are put back at once.
    pub batch: usize,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        SchedulerSettings { interval: Duration::from_millis(100), batch: 100 }
    }
}

/// How webhooks that were given up are listed.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterSettings {
    /// Most dead letters that can be listed: the newest. A page says whether there are older ones.
    pub listed: usize,
    /// How long they are kept, by the log's settings.
    pub kept: Duration,
}

impl Default for DeadLetterSettings {
    fn default() -> Self {
        DeadLetterSettings { listed: 1_000_000, kept: 30 * DAY }
    }
}
