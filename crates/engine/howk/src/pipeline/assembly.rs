//! The parts of the pipeline put together, started and ended.

use super::{DeadLetters, Observer, PipelineSettings, Queue, ScriptRunner, Statuses};
use crate::delivery::Transport;
use crate::loader::{Scripts, follow};
use crate::scheduler::Scheduler;
use crate::worker::Worker;
use howk_ports::{Clock, Log, PortError, State};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Wait before a task that panicked is started again.
const AGAIN: Duration = Duration::from_secs(1);

/// Parts that the pipeline stands on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Log of webhooks and scripts.
    pub log: Arc<dyn Log>,
    /// State, with statuses, idempotency keys and copies of scripts.
    pub state: Arc<dyn State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Engine that runs scripts.
    pub runner: Arc<dyn ScriptRunner>,
    /// Transport that reaches endpoints.
    pub transport: Arc<dyn Transport>,
    /// Observer of it all.
    pub observer: Arc<dyn Observer>,
}

/// Roles of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// True if it serves the API: it knows scripts and dead letters.
    pub api: bool,
    /// True if it works on webhooks: it knows scripts.
    pub worker: bool,
    /// True if it puts webhooks back that are due.
    pub scheduler: bool,
}

impl Roles {
    /// All of them.
    pub const ALL: Roles = Roles { api: true, worker: true, scheduler: true };

    /// The roles that are not there, and what is left undone where no other process has them.
    pub fn missing(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let roles = [
            (self.api, "api", "no webhook is accepted"),
            (self.worker, "worker", "no webhook is sent"),
            (self.scheduler, "scheduler", "no webhook is tried again"),
        ];
        roles.into_iter().filter(|(is_there, ..)| !is_there).map(|(_, role, left)| (role, left))
    }
}

/// Report on whether the pipeline can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// True once the log of scripts was read.
    pub scripts: bool,
    /// Fault of the log, if any.
    pub log: Option<PortError>,
    /// Fault of the state, if any.
    pub state: Option<PortError>,
}

impl Readiness {
    /// True if nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.scripts && self.log.is_none() && self.state.is_none()
    }
}

/// The pipeline of a process.
#[derive(Debug)]
pub struct Pipeline {
    parts: Parts,
    settings: PipelineSettings,
    scripts: Scripts,
    statuses: Statuses,
    queue: Queue,
    dead_letters: DeadLetters,
    stop: CancellationToken,
    /// Tasks that end by themselves after `stop`.
    orderly: Mutex<JoinSet<()>>,
    /// Tasks that are ended.
    others: Mutex<JoinSet<()>>,
}

impl Pipeline {
    /// A pipeline that does nothing yet.
    pub fn new(parts: Parts, settings: PipelineSettings) -> Self {
        let scripts = Scripts::new(&parts, settings.loader.clone());
        let (ttl, timeout) = (settings.queue.status_ttl, settings.queue.state_timeout);
        let statuses = Statuses::new(Arc::clone(&parts.state), ttl, timeout);
        let queue = Queue::new(&parts, &settings, scripts.clone(), statuses.clone());
        let dead_letters = DeadLetters::new(&parts, &settings, scripts.clone(), statuses.clone());
        Pipeline {
            parts,
            settings,
            scripts,
            statuses,
            queue,
            dead_letters,
            stop: CancellationToken::new(),
            orderly: Mutex::default(),
            others: Mutex::default(),
        }
    }

    /// Starts what the roles need. To be called once, inside of a runtime.
    pub fn start(&self, roles: Roles) {
        let (mut orderly, mut others) = (lock(&self.orderly), lock(&self.others));
        if roles.api || roles.worker {
            let scripts = self.scripts.clone();
            others.spawn(supervise("loader", self.stop.clone(), move || follow(scripts.clone())));
        }
        if roles.api {
            let letters = self.dead_letters.clone();
            others.spawn(supervise("dead letters", self.stop.clone(), move || letters.clone().follow()));
        }
        if roles.worker {
            let worker =
                Worker::new(&self.parts, &self.settings, self.scripts.clone(), self.statuses.clone());
            let stop = self.stop.clone();
            orderly.spawn(supervise("worker", stop.clone(), move || worker.clone().run(stop.clone())));
        }
        if roles.scheduler {
            let (parts, settings, stop) =
                (self.parts.clone(), self.settings.scheduler.clone(), self.stop.clone());
            let run = move || Scheduler::new(&parts, settings.clone()).run(stop.clone());
            orderly.spawn(supervise("scheduler", self.stop.clone(), run));
        }
    }

    /// Takes nothing more, and waits until what is open has ended, at most `grace`. False if something was
    /// cut off: it will be done again.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.stop.cancel();
        let mut orderly = std::mem::take(&mut *lock(&self.orderly));
        let mut others = std::mem::take(&mut *lock(&self.others));
        let ended = async { while orderly.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(grace, ended).await.is_ok();
        orderly.shutdown().await;
        others.shutdown().await;
        in_time
    }

    /// Tells whether it can serve now.
    pub async fn readiness(&self) -> Readiness {
        let (log, state) = tokio::join!(self.parts.log.health(), self.parts.state.health());
        Readiness { scripts: self.scripts.is_caught_up(), log: log.err(), state: state.err() }
    }

    /// Scripts: reading and changing them.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Accepting webhooks.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Statuses of webhooks.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// Webhooks that were given up.
    pub fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }

    /// Returns what it stands on.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns what was chosen.
    pub fn settings(&self) -> &PipelineSettings {
        &self.settings
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a task, and once more each time it panics, until `stop`.
async fn supervise<F>(name: &'static str, stop: CancellationToken, make: impl Fn() -> F + Send)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut task = JoinSet::new();
        task.spawn(make());
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(name, %error, "a task panicked, and is started again");
            }
            _ => return,
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
