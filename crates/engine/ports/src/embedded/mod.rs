//! Log and state in one SQLite file, without another process.
//!
//! One thread writes. It takes everything that waits, puts it into one transaction, and answers when that is
//! on disk (`journal_mode=WAL`, `synchronous=FULL`), so that many appends share one `fsync`. Another thread
//! reads. What a process had acknowledged before it was killed is there when the file is opened again; what
//! consumers had not finished is given out again.
//!
//! # The file
//! Operators may read it with `sqlite3`, also while the server runs. `application_id` is `0x686f776b`
//! ("howk"), `user_version` the version of this schema: 1. Times are milliseconds since 1970, UTC.
//!
//! Tables, and their columns:
//!
//! - `howk.scripts`, `howk.pending`, `howk.results`, `howk.deadletter`, `howk.retries` (`offset`, `key`,
//!   `time`, `value`): the topics. Offsets grow and are never used twice. `value` is text where it is UTF-8
//!   (so `json_extract` works), else a blob; null is a tombstone.
//! - `consumer` (`topic`, `name`, `committed`): the first record that the group may not have finished.
//! - `state` (`key`, `value`, `expires`): blobs; `expires` is null for what stays. The view `state_text`
//!   shows them as text.
//! - `kv_usage` (`config`, `bytes`): bytes of keys and values of a config's script.
//!
//! In `howk.scripts` and `howk.retries` a record replaces the one with its key at once; a tombstone goes when
//! every reader has passed it. A record of `howk.pending` goes when every group has finished it: at once
//! where there is one group, as there is here. The other topics keep their records for a time
//! ([`EmbeddedSettings`]).

mod entries;
mod hub;
mod ledger;
mod log;
mod readers;
mod records;
mod schema;
mod state;
mod thread;

pub use schema::OpenError;

use crate::{Clock, PortError};
use hub::Hub;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use thread::{Command, StoreThread};
use tokio::sync::oneshot;

/// Settings of the embedded store that an operator may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Most bytes of the file, without its write-ahead log; none is as much as the disk has. The last quarter
    /// is kept for what finishes work that was accepted: a webhook that waits for another attempt is larger
    /// than before. While it is in use, results go before their time.
    pub max_bytes: Option<u64>,
    /// Most bytes of a record's value, or a state's.
    pub max_value_bytes: u64,
    /// Time for which a delivered webhook stays in `howk.results`.
    pub results_kept: Duration,
    /// Time for which a webhook that was given up stays in `howk.deadletter`.
    pub dead_letters_kept: Duration,
    /// Time between two removals of what has expired.
    pub tidy_interval: Duration,
    /// Longest wait of finished work for the next write before it is noted: what a crash makes come again.
    pub commit_delay: Duration,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        EmbeddedSettings {
            max_bytes: None,
            max_value_bytes: 64 << 20,
            results_kept: 7 * day,
            dead_letters_kept: 30 * day,
            tidy_interval: Duration::from_secs(10),
            commit_delay: Duration::from_millis(100),
        }
    }
}

/// The embedded store: a [`crate::Log`] and a [`crate::State`].
#[derive(Debug, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

/// Parts that the store and its readers have in common. The last of them to go ends the threads.
#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    writes: Sender<Command>,
    reads: Sender<Command>,
    max_value_bytes: u64,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Embedded {
    /// Opens the file at `path`, or makes it. It is locked while the store lives.
    ///
    /// # Errors
    /// The file is in use, is not ours, is of a newer version, or cannot be read or written.
    pub fn open(
        path: &Path,
        settings: EmbeddedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Embedded, OpenError> {
        let lock = schema::lock(path)?;
        let writer = schema::open(path, &settings)?;
        let reader = schema::open_reader(path)?;
        Embedded::start(writer, Some(reader), Some(lock), settings, clock)
    }

    /// A store in memory, which ends with the process.
    ///
    /// # Errors
    /// There is no memory.
    pub fn in_memory(settings: EmbeddedSettings, clock: Arc<dyn Clock>) -> Result<Embedded, OpenError> {
        Embedded::start(schema::open_memory(&settings)?, None, None, settings, clock)
    }

    fn start(
        writer: rusqlite::Connection,
        reader: Option<rusqlite::Connection>,
        lock: Option<File>,
        settings: EmbeddedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Embedded, OpenError> {
        let (writes, commands) = channel();
        let hub = Arc::new(Hub::load(&writer, clock, writes.clone())?);
        let max_value_bytes = settings.max_value_bytes;
        let mut threads = Vec::new();
        let mut spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(run);
            thread.map(|handle| threads.push(handle)).map_err(|error| OpenError::Thread(error.to_string()))
        };
        let reads = match reader {
            None => writes.clone(),
            Some(reader) => {
                let (reads, commands) = channel();
                spawn("howk-store-read", Box::new(move || thread::serve_reads(&reader, &commands)))?;
                reads
            }
        };
        let store = StoreThread::new(writer, Arc::clone(&hub), settings, lock);
        spawn("howk-store-write", Box::new(move || store.run(&commands)))?;
        Ok(Embedded { shared: Arc::new(Shared { hub, writes, reads, max_value_bytes, threads }) })
    }

    /// Writes down what is finished, and ends the store. Later calls say that it is closed.
    ///
    /// # Errors
    /// What was finished could not be written down. It will come again.
    pub async fn close(&self) -> Result<(), PortError> {
        let (reply, done) = oneshot::channel();
        self.shared.writes.send(Command::Close(Some(reply))).map_err(|_| PortError::Closed)?;
        done.await.map_err(|_| PortError::Closed)?
    }

    /// Ends the store as the end of its process would: what consumers have finished since the last write is
    /// not noted, and what was not acknowledged may be gone. For tests of what is found afterwards.
    pub async fn kill(&self) {
        let (reply, done) = oneshot::channel();
        if self.shared.writes.send(Command::Kill(reply)).is_ok() {
            // A store that has ended already is dead, too.
            let _ = done.await;
        }
    }

    /// Removes what has expired now, and writes down what is finished, without waiting for the next turn.
    ///
    /// # Errors
    /// The store cannot write.
    pub async fn tidy(&self) -> Result<(), PortError> {
        let (reply, done) = oneshot::channel();
        self.shared.writes.send(Command::Tidy(reply)).map_err(|_| PortError::Closed)?;
        done.await.map_err(|_| PortError::Closed)?
    }
}

impl Shared {
    /// Runs work in the next transaction; the answer comes once that is on disk. The work may run twice, if
    /// another's fails beside it. `then` runs after the commit, in the order of the commits.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&thread::Scope<'_>) -> rusqlite::Result<Result<T, PortError>> + Send + 'static,
        then: impl FnOnce(&Hub, &T) + Send + 'static,
    ) -> Result<T, PortError> {
        let (job, done) = thread::Write::job(work, then);
        self.writes.send(Command::Write(job)).map_err(|_| PortError::Closed)?;
        done.await.map_err(|_| PortError::Closed)?
    }

    /// Runs work that only reads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        if self.hub.is_closed() {
            return Err(PortError::Closed);
        }
        let (reply, done) = oneshot::channel();
        let job = move |connection: &rusqlite::Connection| {
            // Somebody who has gone needs no answer.
            let _ = reply.send(work(connection).map_err(|error| thread::port_error(&error)));
        };
        self.reads.send(Command::Read(Box::new(job))).map_err(|_| PortError::Closed)?;
        done.await.map_err(|_| PortError::Closed)?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A thread that has ended already needs no word.
        let _ = self.writes.send(Command::Close(None));
        let _ = self.reads.send(Command::Close(None));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}
