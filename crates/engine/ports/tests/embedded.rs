//! The embedded store passes the suites of the traits, in a file and in memory.

use howk_ports::conformance::{self, LogSubject, StateSubject, SubjectFuture};
use howk_ports::{Embedded, EmbeddedSettings, Log, State, SystemClock, TestClock};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use howk_testing::Folder;

/// Stores in files.
struct Files {
    folder: Folder,
    count: AtomicU32,
    /// The last store that was opened, and its file.
    last: Mutex<Option<(Embedded, PathBuf)>>,
}

impl Files {
    fn new() -> Self {
        Files { folder: Folder::new(), count: AtomicU32::new(0), last: Mutex::default() }
    }

    fn open(&self, path: PathBuf) -> Arc<dyn Log> {
        let clock = Arc::new(SystemClock::new());
        let store = Embedded::open(&path, EmbeddedSettings::default(), clock).unwrap();
        *self.last.lock().unwrap() = Some((store.clone(), path));
        Arc::new(store)
    }

    fn next_path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.count.fetch_add(1, Ordering::Relaxed)))
    }
}

impl LogSubject for Files {
    fn fresh(&self) -> SubjectFuture<'_, Arc<dyn Log>> {
        Box::pin(async { self.open(self.next_path()) })
    }

    fn reopen(&self, log: Arc<dyn Log>) -> SubjectFuture<'_, Option<Arc<dyn Log>>> {
        let (store, path) = self.last.lock().unwrap().take().unwrap();
        Box::pin(async move {
            store.kill().await;
            drop((log, store));
            Some(self.open(path))
        })
    }
}

struct Memory(Arc<TestClock>);

impl Memory {
    fn new() -> Self {
        Memory(Arc::new(TestClock::new("2026-01-02T03:04:05Z".parse().unwrap())))
    }

    fn open(&self) -> Embedded {
        Embedded::in_memory(EmbeddedSettings::default(), self.0.clone()).unwrap()
    }
}

impl LogSubject for Memory {
    fn fresh(&self) -> SubjectFuture<'_, Arc<dyn Log>> {
        Box::pin(async { Arc::new(self.open()) as Arc<dyn Log> })
    }

    fn reopen(&self, _: Arc<dyn Log>) -> SubjectFuture<'_, Option<Arc<dyn Log>>> {
        Box::pin(async { None })
    }
}

impl StateSubject for Memory {
    fn fresh(&self) -> SubjectFuture<'_, Arc<dyn State>> {
        Box::pin(async { Arc::new(self.open()) as Arc<dyn State> })
    }

    fn pass(&self, time: Duration) -> SubjectFuture<'_, ()> {
        Box::pin(async move { self.0.advance(time) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_a_log() {
    conformance::log(&Files::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_a_log() {
    conformance::log(&Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_a_state() {
    conformance::state(&Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_a_state() {
    struct Both(Files, Arc<TestClock>);
    impl StateSubject for Both {
        fn fresh(&self) -> SubjectFuture<'_, Arc<dyn State>> {
            let store = Embedded::open(&self.0.next_path(), EmbeddedSettings::default(), self.1.clone());
            Box::pin(async { Arc::new(store.unwrap()) as Arc<dyn State> })
        }

        fn pass(&self, time: Duration) -> SubjectFuture<'_, ()> {
            Box::pin(async move { self.1.advance(time) })
        }
    }
    conformance::state(&Both(Files::new(), Memory::new().0)).await;
}

#[tokio::test]
async fn the_systems_clock_is_a_clock() {
    conformance::clock(Arc::new(SystemClock::new())).await;
}

#[tokio::test]
async fn the_tests_clock_is_a_clock() {
    let clock = Memory::new().0;
    let mover = Arc::clone(&clock);
    let moving = tokio::spawn(async move {
        loop {
            mover.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    });
    conformance::clock(clock).await;
    moving.abort();
}
