//! Records that a group has been given and has not finished.

use super::thread::Command;
use crate::{Finish, Position, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The book of a group. Everything below the lowest unfinished record may be forgotten.
#[derive(Debug)]
pub(super) struct Ledger {
    book: Mutex<Book>,
    changed: watch::Sender<()>,
    wake: Sender<Command>,
    is_dirty: AtomicBool,
}

#[derive(Debug)]
struct Book {
    /// The first record that was never given out.
    next: u64,
    /// Given out, and not finished: by a consumer, or returned.
    unfinished: BTreeSet<u64>,
    /// Dropped unfinished, and to be given out again.
    returned: BTreeMap<u64, Record>,
    /// Offsets finished since the last note.
    finished: Vec<u64>,
    /// Offset that is on disk.
    committed: u64,
}

/// Progress of a group that is to be noted.
#[derive(Debug)]
pub(super) struct Note {
    /// Everything below is finished.
    pub(super) committed: u64,
    /// Offsets finished since the last note, in any order.
    pub(super) finished: Vec<u64>,
}

impl Ledger {
    pub(super) fn new(committed: u64, wake: Sender<Command>) -> Self {
        let (unfinished, returned, finished) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        let book = Book { next: committed, unfinished, returned, finished, committed };
        Ledger {
            book: Mutex::new(book),
            changed: watch::Sender::new(()),
            wake,
            is_dirty: AtomicBool::new(false),
        }
    }

    /// Tells of everything that ends.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Number of records that consumers have.
    pub(super) fn open(&self) -> usize {
        let book = self.lock();
        book.unfinished.len() - book.returned.len()
    }

    /// The first record that was never given out.
    pub(super) fn next(&self) -> u64 {
        self.lock().next
    }

    /// Gives out the first record that was returned.
    pub(super) fn take_returned(&self) -> Option<Record> {
        self.lock().returned.pop_first().map(|(_, record)| record)
    }

    /// Notes that a record is given out.
    pub(super) fn give(&self, offset: u64) {
        let mut book = self.lock();
        book.unfinished.insert(offset);
        book.next = offset + 1;
    }

    /// Notes that there is nothing up to `end`: what was there has expired.
    pub(super) fn skip(&self, end: u64) {
        let mut book = self.lock();
        book.next = book.next.max(end);
    }

    /// Returns what is to be written down; none if that is on disk.
    pub(super) fn take_note(&self) -> Option<Note> {
        self.is_dirty.store(false, Ordering::Release);
        let mut book = self.lock();
        let committed = book.unfinished.first().copied().unwrap_or(book.next);
        let finished = std::mem::take(&mut book.finished);
        (committed > book.committed || !finished.is_empty()).then_some(Note { committed, finished })
    }

    /// Notes that a note is on disk.
    pub(super) fn noted(&self, note: &Note) {
        let mut book = self.lock();
        book.committed = book.committed.max(note.committed);
    }

    /// Takes a note back that could not be written.
    pub(super) fn not_noted(&self, note: Note) {
        self.lock().finished.extend(note.finished);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finish for Ledger {
    fn finished(&self, position: Position) {
        {
            let mut book = self.lock();
            book.unfinished.remove(&position.offset);
            book.finished.push(position.offset);
        }
        self.changed.send_replace(());
        if !self.is_dirty.swap(true, Ordering::AcqRel) {
            // A store that has ended gives the record out again when it is opened.
            let _ = self.wake.send(Command::Wake);
        }
    }

    fn returned(&self, record: Record) {
        self.lock().returned.insert(record.position.offset, record);
        self.changed.send_replace(());
    }
}
