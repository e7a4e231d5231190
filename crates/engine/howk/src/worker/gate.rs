//! Fairness between configs: how many webhooks, scripts and how much processor time each may have at once.

use crate::pipeline::WorkerSettings;
use howk_contract::ConfigId;
use howk_ports::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Time between two looks at a config that has used its processor time.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Longest time for which one of many webhooks of a config is put off.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The gates of all configs that have open webhooks.
#[derive(Debug)]
pub(super) struct Gates {
    settings: WorkerSettings,
    clock: Arc<dyn Clock>,
    configs: Mutex<Configs>,
}

#[derive(Debug, Default)]
struct Configs {
    gates: HashMap<ConfigId, Gate>,
    open: usize,
}

#[derive(Debug)]
struct Gate {
    open: usize,
    scripts: Arc<Semaphore>,
    /// Processor time that was used and is not paid back yet, as of `paid_at`.
    debt: Duration,
    paid_at: Duration,
    /// Webhooks that were put off in this second.
    deferred: u32,
    second: u64,
}

/// A webhook that is open. Its place is free when this is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    gates: Arc<Gates>,
    config: ConfigId,
}

/// Reason for which a webhook has to wait for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The config has its share of open webhooks.
    Share,
    /// The config runs as many scripts as it may.
    Concurrency,
    /// The config has used its processor time.
    Cpu,
}

impl Full {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Full::Share => "share",
            Full::Concurrency => "concurrency",
            Full::Cpu => "cpu",
        }
    }
}

impl Gates {
    pub(super) fn new(settings: WorkerSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Gates { settings, clock, configs: Mutex::default() })
    }

    /// Opens a webhook of a config, unless that has its share and the worker is half full.
    pub(super) fn enter(self: &Arc<Self>, config: &ConfigId) -> Result<Entered, Full> {
        let mut configs = self.lock();
        let is_crowded = configs.open >= self.settings.in_flight / 2;
        let now = self.clock.elapsed();
        let gate = configs.gates.entry(config.clone()).or_insert_with(|| Gate {
            open: 0,
            scripts: Arc::new(Semaphore::new(self.settings.max_concurrent_per_config.max(1))),
            debt: Duration::ZERO,
            paid_at: now,
            deferred: 0,
            second: 0,
        });
        if is_crowded && gate.open >= self.settings.share() {
            return Err(Full::Share);
        }
        gate.open += 1;
        configs.open += 1;
        Ok(Entered { gates: Arc::clone(self), config: config.clone() })
    }

    /// Returns the time for which a webhook of a config is put off: longer, the more of them are, so that the
    /// log is not busy with putting off.
    pub(super) fn defer_delay(&self, config: &ConfigId) -> Duration {
        let second = self.clock.elapsed().as_secs();
        let mut configs = self.lock();
        let Some(gate) = configs.gates.get_mut(config) else { return self.settings.defer_delay };
        if gate.second != second {
            (gate.second, gate.deferred) = (second, gate.deferred / 2);
        }
        gate.deferred += 1;
        let longer = 1 + gate.deferred / u32::try_from(self.settings.in_flight.max(1)).unwrap_or(u32::MAX);
        (self.settings.defer_delay * longer).min(LONGEST_DELAY.max(self.settings.defer_delay))
    }

    fn lock(&self) -> MutexGuard<'_, Configs> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered {
    /// Waits for the turn to run a script, at most as long as the settings say.
    pub(super) async fn script_turn(&self) -> Result<OwnedSemaphorePermit, Full> {
        let scripts = self.with_gate(|gate, _| Arc::clone(&gate.scripts));
        let deadline = self.gates.clock.elapsed() + self.gates.settings.defer_after;
        let permit = tokio::select! {
            biased;
            permit = scripts.acquire_owned() => permit.map_err(|_| Full::Concurrency)?,
            () = self.gates.clock.sleep(self.gates.settings.defer_after) => return Err(Full::Concurrency),
        };
        while self.is_over_its_time() {
            if self.gates.clock.elapsed() >= deadline {
                return Err(Full::Cpu);
            }
            self.gates.clock.sleep(LOOK_AGAIN).await;
        }
        Ok(permit)
    }

    /// Notes processor time that a script has used.
    pub(super) fn used(&self, cpu: Duration) {
        self.with_gate(|gate, _| gate.debt += cpu);
    }

    /// True if the config has used more than its processor time, and there are others.
    fn is_over_its_time(&self) -> bool {
        let settings = &self.gates.settings;
        self.with_gate(|gate, others| others && gate.debt > settings.cpu_burst)
    }

    /// The gate, with its debt as of now, and whether other configs have open webhooks.
    fn with_gate<T>(&self, work: impl FnOnce(&mut Gate, bool) -> T) -> T {
        let now = self.gates.clock.elapsed();
        let rate = self.gates.settings.cpu_per_config.max(0.0);
        let mut configs = self.gates.lock();
        let others = configs.gates.values().filter(|gate| gate.open > 0).count() > 1;
        let gate = configs.gates.get_mut(&self.config).expect("the gate of an open webhook is there");
        let paid = now.saturating_sub(gate.paid_at).mul_f64(rate.min(1e6));
        gate.debt = gate.debt.saturating_sub(paid);
        gate.paid_at = now;
        work(gate, others)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let now = self.gates.clock.elapsed();
        let mut configs = self.gates.lock();
        configs.open = configs.open.saturating_sub(1);
        if let Some(gate) = configs.gates.get_mut(&self.config) {
            gate.open = gate.open.saturating_sub(1);
        }
        // A config that owes time is remembered until it has paid.
        let rate = self.gates.settings.cpu_per_config.max(0.0);
        let is_idle = |gate: &Gate| {
            gate.open == 0 && now.saturating_sub(gate.paid_at).mul_f64(rate.min(1e6)) >= gate.debt
        };
        if configs.gates.len() > 64 || configs.gates.get(&self.config).is_some_and(is_idle) {
            configs.gates.retain(|_, gate| !is_idle(gate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use howk_ports::TestClock;
    use jiff::Timestamp;

    fn gates(settings: WorkerSettings) -> (Arc<Gates>, Arc<TestClock>) {
        let clock = Arc::new(TestClock::new(Timestamp::UNIX_EPOCH));
        (Gates::new(settings, clock.clone()), clock)
    }

    fn id(text: &str) -> ConfigId {
        text.parse().unwrap()
    }

    #[test]
    fn a_config_has_its_share_when_it_is_crowded() {
        let settings = WorkerSettings { in_flight: 8, ..WorkerSettings::default() };
        let (gates, _) = gates(settings);
        let mut open: Vec<_> = (0..4).map(|_| gates.enter(&id("a")).unwrap()).collect();
        assert_eq!(gates.enter(&id("a")).unwrap_err(), Full::Share);
        open.push(gates.enter(&id("b")).unwrap());
        open.push(gates.enter(&id("b")).unwrap());
        assert_eq!(gates.enter(&id("b")).unwrap_err(), Full::Share);
        drop(open);
        assert_eq!(gates.lock().gates.len(), 0);
        gates.enter(&id("a")).unwrap();
    }

    #[test]
    fn many_are_put_off_for_longer() {
        let (gates, clock) = gates(WorkerSettings { in_flight: 10, ..WorkerSettings::default() });
        let _open = gates.enter(&id("a")).unwrap();
        let delays: Vec<_> = (0..400).map(|_| gates.defer_delay(&id("a")).as_secs()).collect();
        assert_eq!((delays[0], delays[10], delays[25], delays[399]), (1, 2, 3, 30));
        for _ in 0..20 {
            clock.advance(Duration::from_secs(1));
            gates.defer_delay(&id("a"));
        }
        assert_eq!(gates.defer_delay(&id("a")).as_secs(), 1);
    }

    #[tokio::test]
    async fn scripts_wait_for_their_turn_and_then_for_later() {
        let settings = WorkerSettings { max_concurrent_per_config: 1, ..WorkerSettings::default() };
        let (gates, clock) = gates(settings);
        let (one, two) = (gates.enter(&id("a")).unwrap(), gates.enter(&id("a")).unwrap());
        let turn = one.script_turn().await.unwrap();
        let waiting = tokio::spawn(async move { two.script_turn().await.map(|_| ()) });
        while !waiting.is_finished() {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting.await.unwrap(), Err(Full::Concurrency));
        drop(turn);
        drop(one.script_turn().await.unwrap());
    }

    #[tokio::test]
    async fn a_config_that_used_its_time_waits_while_there_are_others() {
        let (gates, clock) = gates(WorkerSettings::default());
        let greedy = gates.enter(&id("a")).unwrap();
        greedy.used(Duration::from_secs(3));
        drop(greedy.script_turn().await.unwrap());
        let other = gates.enter(&id("b")).unwrap();
        drop(other.script_turn().await.unwrap());
        let greedy = Arc::new(greedy);
        let waits = Arc::clone(&greedy);
        let waiting = tokio::spawn(async move { waits.script_turn().await.map(|_| ()) });
        while !waiting.is_finished() {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting.await.unwrap(), Err(Full::Cpu));
        // Half a second is paid back each second.
        clock.advance(Duration::from_secs(4));
        drop(greedy.script_turn().await.unwrap());
        // It owes still, and is remembered.
        greedy.used(Duration::from_secs(30));
        drop(greedy);
        assert!(gates.lock().gates.contains_key(&id("a")));
    }
}
