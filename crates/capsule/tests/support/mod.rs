//! World of a test: a capsule whose clock the test turns, with the errors that nobody waits for.
#![allow(dead_code, reason = "every test file uses a part of it")]

use perilune::Value;
use perilune_capsule::{Capsule, CapsuleBuilder, CapsuleError, Environment, ErrorKind, Location, SqlValue};
use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// Milliseconds since 1970 at which the clock of every world begins: 2026-11-29, noon.
pub(crate) const START: i64 = 1_795_953_600_000;

/// A clock that the test turns, and randomness that it can repeat.
#[derive(Debug, Clone)]
pub(crate) struct Clock(pub(crate) Rc<Cell<i64>>, Rc<Cell<u64>>);

impl Default for Clock {
    fn default() -> Self {
        Self(Rc::new(Cell::new(START)), Rc::new(Cell::new(0x9e37_79b9_7f4a_7c15)))
    }
}

impl Clock {
    /// Goes on by milliseconds.
    pub(crate) fn pass(&self, milliseconds: i64) {
        self.0.set(self.0.get() + milliseconds);
    }

    /// The next number of a sequence that is the same in every run.
    pub(crate) fn next_random(&self) -> u64 {
        let mut state = self.1.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.1.set(state);
        state
    }
}

impl Environment for Clock {
    fn now(&mut self) -> i64 {
        self.0.get()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.next_random() as u8;
        }
    }
}

/// A capsule with what a test looks at.
pub(crate) struct World {
    pub(crate) capsule: Capsule,
    pub(crate) clock: Clock,
    pub(crate) errors: Rc<RefCell<Vec<CapsuleError>>>,
    /// Payloads that were dispatched on the channels that the test listens to.
    pub(crate) heard: Rc<RefCell<Vec<(String, Value)>>>,
}

impl World {
    /// A world in memory.
    pub(crate) fn new(schema: &str) -> Self {
        Self::with(&Location::Memory, schema, |builder| builder)
    }

    /// A world in a file.
    pub(crate) fn open(path: &Path, schema: &str) -> Self {
        Self::with(&Location::File(path.into()), schema, |builder| builder)
    }

    /// A world with settings of its own.
    pub(crate) fn with(
        location: &Location,
        schema: &str,
        set: impl FnOnce(CapsuleBuilder) -> CapsuleBuilder,
    ) -> Self {
        let clock = Clock::default();
        // Generous: it is there for a test that hangs.
        let builder = Capsule::builder(location.clone()).timeout(Some(Duration::from_mins(2)));
        let mut capsule = set(builder.environment(clock.clone())).open().expect("opens");
        let errors: Rc<RefCell<Vec<CapsuleError>>> = Rc::default();
        let told = Rc::clone(&errors);
        capsule.on_error(move |error| told.borrow_mut().push(error.clone()));
        capsule.execute(schema, ()).expect("the schema is right");
        Self { capsule, clock, errors, heard: Rc::default() }
    }

    /// Runs a script that has to succeed.
    #[track_caller]
    pub(crate) fn eval(&mut self, source: &str) -> Vec<Value> {
        self.capsule.eval(source).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    /// The one value that a script returns.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.eval(&format!("return {expression}")).into_iter().next().unwrap_or(Value::Nil)
    }

    /// Runs SQL that has to succeed.
    #[track_caller]
    pub(crate) fn sql(&mut self, sql: &str) -> u64 {
        self.capsule.execute(sql, ()).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first value of a query.
    #[track_caller]
    pub(crate) fn scalar(&mut self, sql: &str) -> SqlValue {
        let value = self.capsule.query_scalar(sql, ());
        value.unwrap_or_else(|error| panic!("{sql}: {error}")).unwrap_or_default()
    }

    /// Listens to a channel.
    pub(crate) fn hear(&mut self, channel: &str) {
        let (heard, name) = (Rc::clone(&self.heard), channel.to_owned());
        self.capsule.on(channel, move |payload| heard.borrow_mut().push((name.clone(), payload.clone())));
    }

    /// The names of what was heard since the last question.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.take().into_iter().map(|(name, _)| name).collect()
    }

    /// Kinds and messages of the errors since the last question.
    pub(crate) fn told(&self) -> Vec<(ErrorKind, String)> {
        self.errors.take().into_iter().map(|error| (error.kind(), error.to_string())).collect()
    }

    /// Lets time pass, and does what is due.
    #[track_caller]
    pub(crate) fn pass(&mut self, milliseconds: i64) {
        self.clock.pass(milliseconds);
        self.capsule.run_due().expect("what is due runs");
    }
}

/// A directory that is gone at the end of its test.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A new directory for a test of this name.
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("perilune-capsule-{}-{test}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).expect("there is a place for temporary files");
        Self(path)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Copies a database with its write-ahead log, as a crash would leave it at this moment.
    pub(crate) fn crash(&self, from: &str, to: &str) -> PathBuf {
        for end in ["", "-wal"] {
            let original = self.file(&format!("{from}{end}"));
            if original.exists() {
                fs::copy(original, self.file(&format!("{to}{end}"))).expect("copies");
            }
        }
        self.file(to)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
