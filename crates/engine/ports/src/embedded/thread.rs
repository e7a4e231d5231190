//! The threads of the store: one that writes, many jobs in a transaction, and one that reads.

use super::hub::Hub;
use super::schema::RESERVE_PART;
use super::{EmbeddedSettings, entries, records};
use crate::PortError;
use rusqlite::{Connection, ErrorCode};
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Most jobs of one transaction.
const BATCH: usize = 512;

/// Wait before tidying goes on where a turn was not enough.
const TIDY_AGAIN: Duration = Duration::from_millis(20);

type Reply = oneshot::Sender<Result<(), PortError>>;

/// Requests to the threads.
pub(super) enum Command {
    /// Work for the next transaction.
    Write(Box<dyn Job>),
    /// Work that only reads.
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Some consumer has finished something.
    Wake,
    /// Remove what has expired.
    Tidy(Reply),
    /// End, and note what is finished.
    Close(Option<Reply>),
    /// End at once.
    Kill(Reply),
}

/// Way in which the thread that writes was told to end.
enum Ended {
    Closed(Option<Reply>),
    Killed(Reply),
}

/// A transaction, as the work in it sees it.
pub(super) struct Scope<'a> {
    /// The connection that has it open.
    pub(super) connection: &'a Connection,
    /// The time, in milliseconds.
    pub(super) now: i64,
    /// True if the room that is left is kept for what finishes old work.
    pub(super) is_low: bool,
}

/// Work for a transaction.
pub(super) trait Job: Send {
    /// Does the work. It may be asked again, after a roll back.
    fn apply(&mut self, scope: &Scope<'_>) -> rusqlite::Result<()>;
    /// Ends the job: the transaction is on disk.
    fn committed(self: Box<Self>, hub: &Hub);
    /// The transaction failed.
    fn failed(self: Box<Self>, error: PortError);
}

/// Work with an answer.
pub(super) struct Write<T, W, C> {
    work: W,
    then: C,
    outcome: Option<Result<T, PortError>>,
    reply: oneshot::Sender<Result<T, PortError>>,
}

impl<T, W, C> Write<T, W, C>
where
    T: Send + 'static,
    W: FnMut(&Scope<'_>) -> rusqlite::Result<Result<T, PortError>> + Send + 'static,
    C: FnOnce(&Hub, &T) + Send + 'static,
{
    pub(super) fn job(work: W, then: C) -> (Box<dyn Job>, oneshot::Receiver<Result<T, PortError>>) {
        let (reply, done) = oneshot::channel();
        (Box::new(Write { work, then, outcome: None, reply }), done)
    }
}

impl<T, W, C> Job for Write<T, W, C>
where
    T: Send + 'static,
    W: FnMut(&Scope<'_>) -> rusqlite::Result<Result<T, PortError>> + Send + 'static,
    C: FnOnce(&Hub, &T) + Send + 'static,
{
    fn apply(&mut self, scope: &Scope<'_>) -> rusqlite::Result<()> {
        self.outcome = Some((self.work)(scope)?);
        Ok(())
    }

    fn committed(self: Box<Self>, hub: &Hub) {
        let outcome = self.outcome.unwrap_or(Err(PortError::Closed));
        if let Ok(value) = &outcome {
            (self.then)(hub, value);
        }
        // Somebody who has gone needs no answer.
        let _ = self.reply.send(outcome);
    }

    fn failed(self: Box<Self>, error: PortError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Tells what an error of SQLite means to a caller.
pub(super) fn port_error(error: &rusqlite::Error) -> PortError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => PortError::Full(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
            PortError::Damaged(text)
        }
        Some(_) => PortError::Unavailable(text),
        None => PortError::Damaged(text),
    }
}

/// Serves work that only reads, until the store ends.
pub(super) fn serve_reads(connection: &Connection, commands: &Receiver<Command>) {
    for command in commands {
        match command {
            Command::Read(work) => work(connection),
            Command::Close(_) | Command::Kill(_) => return,
            Command::Write(_) | Command::Wake | Command::Tidy(_) => {}
        }
    }
}

/// The thread that writes.
pub(super) struct StoreThread {
    connection: Connection,
    hub: Arc<Hub>,
    settings: EmbeddedSettings,
    /// Lock that is held while the thread lives.
    lock: Option<File>,
    commit_at: Option<Instant>,
    tidy_at: Instant,
    reserve_pages: Option<i64>,
}

impl StoreThread {
    pub(super) fn new(
        connection: Connection,
        hub: Arc<Hub>,
        settings: EmbeddedSettings,
        lock: Option<File>,
    ) -> Self {
        let tidy_at = Instant::now() + settings.tidy_interval;
        let reserve_pages = settings.max_bytes.and_then(|_| {
            let most: i64 = connection.pragma_query_value(None, "max_page_count", |row| row.get(0)).ok()?;
            Some(most - most / RESERVE_PART as i64)
        });
        StoreThread { connection, hub, settings, lock, commit_at: None, tidy_at, reserve_pages }
    }

    /// Serves until the store ends, and writes down what is finished then.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let ended = self.serve(commands);
        let (reply, outcome) = match ended {
            Ended::Closed(reply) => (reply, self.transaction(&mut Vec::new())),
            Ended::Killed(reply) => (Some(reply), Ok(())),
        };
        self.hub.close();
        if let Err(error) = &outcome {
            tracing::warn!(%error, "finished work could not be noted at the end; it will come again");
        }
        // The log of the database is emptied where nobody reads it just now.
        if let Err(error) = self.connection.pragma_query_value(None, "wal_checkpoint(TRUNCATE)", |_| Ok(())) {
            tracing::debug!(%error, "the database keeps its write-ahead log");
        }
        let StoreThread { connection, lock, .. } = self;
        drop(connection);
        drop(lock);
        if let Some(reply) = reply {
            let _ = reply.send(outcome);
        }
        // What is still in the channel is told by its closing.
    }

    fn serve(&mut self, commands: &Receiver<Command>) -> Ended {
        loop {
            let due = self.commit_at.map_or(self.tidy_at, |commit| commit.min(self.tidy_at));
            let mut next = match commands.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ended::Closed(None),
            };
            let (mut jobs, mut ended) = (Vec::new(), None);
            while let Some(command) = next.take() {
                match command {
                    Command::Write(job) => jobs.push(job),
                    Command::Read(work) => {
                        // It may depend on what was asked before it.
                        self.commit(&mut jobs);
                        work(&self.connection);
                    }
                    Command::Wake => {
                        self.commit_at.get_or_insert_with(|| Instant::now() + self.settings.commit_delay);
                    }
                    Command::Tidy(reply) => {
                        self.commit(&mut jobs);
                        let _ = reply.send(self.tidy_all());
                    }
                    Command::Close(reply) => {
                        ended = Some(reply);
                        break;
                    }
                    Command::Kill(reply) => return Ended::Killed(reply),
                }
                if jobs.len() < BATCH {
                    next = commands.try_recv().ok();
                }
            }
            self.commit(&mut jobs);
            if let Some(reply) = ended {
                return Ended::Closed(reply);
            }
            self.keep_house();
        }
    }

    fn keep_house(&mut self) {
        let now = Instant::now();
        if self.commit_at.is_some_and(|at| at <= now) {
            // A failure is tried again with the next write, or when something more is finished.
            if let Err(error) = self.transaction(&mut Vec::new()) {
                tracing::warn!(%error, "finished work could not be noted; a crash now would make it come again");
            }
        }
        if self.tidy_at <= now {
            let wait = match self.tidy_once() {
                Ok(true) => TIDY_AGAIN,
                Ok(false) => self.settings.tidy_interval,
                Err(error) => {
                    tracing::warn!(%error, "what has expired could not be removed");
                    self.settings.tidy_interval
                }
            };
            self.tidy_at = Instant::now() + wait;
        }
    }

    /// Commits all jobs together; if that fails, each by itself, so that one does not fail for another.
    fn commit(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        match self.transaction(jobs) {
            Ok(()) => self.answer(jobs),
            Err(error) if jobs.len() == 1 => {
                jobs.drain(..).for_each(|job| job.failed(error.clone()));
            }
            Err(_) => {
                for job in jobs.drain(..) {
                    let mut alone = vec![job];
                    match self.transaction(&mut alone) {
                        Ok(()) => self.answer(&mut alone),
                        Err(error) => alone.into_iter().for_each(|job| job.failed(error.clone())),
                    }
                }
            }
        }
    }

    fn answer(&self, jobs: &mut Vec<Box<dyn Job>>) {
        jobs.drain(..).for_each(|job| job.committed(&self.hub));
    }

    /// One transaction: the jobs, and what consumers have finished.
    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), PortError> {
        let commits = self.hub.take_commits();
        if jobs.is_empty() && commits.is_empty() {
            self.commit_at = None;
            return Ok(());
        }
        let outcome = self.in_transaction(|scope| {
            // What is finished first: it makes room.
            for commit in &commits {
                records::commit(scope, commit)?;
            }
            for job in jobs {
                job.apply(scope)?;
            }
            Ok(())
        });
        self.commit_at = None;
        Hub::committed(commits, outcome.is_ok());
        outcome.map_err(|error| port_error(&error))
    }

    fn in_transaction<T>(&self, work: impl FnOnce(&Scope<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let outcome = self.is_low().and_then(|is_low| {
            let value = work(&Scope { connection: &self.connection, now: self.hub.now_ms(), is_low })?;
            self.connection.execute_batch("COMMIT")?;
            Ok(value)
        });
        // SQLite has rolled back by itself after some errors.
        if outcome.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
        outcome
    }

    fn is_low(&self) -> rusqlite::Result<bool> {
        let Some(reserve) = self.reserve_pages else { return Ok(false) };
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(number("page_count")? - number("freelist_count")? >= reserve)
    }

    fn tidy_all(&mut self) -> Result<(), PortError> {
        self.transaction(&mut [])?;
        while self.tidy_once()? {}
        Ok(())
    }

    /// One turn of tidying; true if there is more to do.
    fn tidy_once(&mut self) -> Result<bool, PortError> {
        let passed = self.hub.passed();
        let more = self.in_transaction(|scope| {
            let records = records::tidy(scope, &self.settings, &passed)?;
            let entries = entries::purge(scope, entries::PURGE_ROWS)? == entries::PURGE_ROWS;
            Ok(records || entries)
        });
        let more = more.map_err(|error| port_error(&error))?;
        if !more {
            // Gives pages back to the file system, a few at a time.
            let vacuum = self.connection.execute_batch("PRAGMA incremental_vacuum(256)");
            vacuum.map_err(|error| port_error(&error))?;
        }
        Ok(more)
    }
}
