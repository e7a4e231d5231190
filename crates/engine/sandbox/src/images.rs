//! The images that are kept, by the hash of their source.
//!
//! Keeps true: an image is made once, however many events want it at a time, and its hash is that of the
//! source that it was made of. What does not compile is kept, too, as its error.

use crate::counters::Counts;
use crate::image::Image;
use howk_contract::{ScriptError, ScriptHash};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Bytes that an entry takes beside its image, roughly.
const ENTRY_BYTES: usize = 256;

/// An image, or why the script does not compile.
pub(crate) type Compiled = Result<Arc<Image>, ScriptError>;

#[derive(Debug)]
pub(crate) struct Images {
    max_bytes: usize,
    kept: Mutex<Kept>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<ScriptHash, Entry>,
    bytes: usize,
    /// Counts the uses.
    now: u64,
}

#[derive(Debug, Default)]
struct Entry {
    compiled: Arc<OnceCell<Compiled>>,
    /// 0 while it is being made.
    bytes: usize,
    used: u64,
}

impl Images {
    pub(crate) fn new(max_bytes: usize, counts: Arc<Counts>) -> Self {
        Images { max_bytes, kept: Mutex::default(), counts }
    }

    /// Number of images, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let kept = self.kept();
        (kept.entries.len(), kept.bytes)
    }

    /// The image of this hash; `make` makes it where there is none. An error of `make` is nobody's result but
    /// this call's.
    pub(crate) async fn get<E>(
        &self,
        hash: ScriptHash,
        make: impl Future<Output = Result<Compiled, E>>,
    ) -> Result<Compiled, E> {
        let cell = self.use_entry(hash);
        if let Some(compiled) = cell.get() {
            self.counts.image_hits.add(1);
            return Ok(compiled.clone());
        }
        self.counts.image_misses.add(1);
        match cell.get_or_try_init(|| make).await {
            Ok(compiled) => {
                let compiled = compiled.clone();
                self.weigh(hash, &cell, &compiled);
                Ok(compiled)
            }
            Err(error) => {
                self.forget(hash, &cell);
                Err(error)
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_entry(&self, hash: ScriptHash) -> Arc<OnceCell<Compiled>> {
        let mut kept = self.kept();
        kept.now += 1;
        let now = kept.now;
        let entry = kept.entries.entry(hash).or_default();
        entry.used = now;
        Arc::clone(&entry.compiled)
    }

    /// Counts the bytes of an image that is new, and lets others go for it.
    fn weigh(&self, hash: ScriptHash, cell: &Arc<OnceCell<Compiled>>, compiled: &Compiled) {
        let bytes = ENTRY_BYTES
            + match compiled {
                Ok(image) => image.bytes(),
                Err(error) => error.message.len(),
            };
        let mut kept = self.kept();
        match kept.entries.get_mut(&hash) {
            Some(entry) if entry.bytes == 0 && Arc::ptr_eq(&entry.compiled, cell) => entry.bytes = bytes,
            _ => return,
        }
        kept.bytes += bytes;
        // Nobody makes those any more: whoever did was dropped.
        kept.entries.retain(|_, entry| entry.bytes > 0 || Arc::strong_count(&entry.compiled) > 1);
        while kept.bytes > self.max_bytes {
            let made = kept.entries.iter().filter(|(other, entry)| entry.bytes > 0 && **other != hash);
            let Some(oldest) = made.min_by_key(|(_, entry)| entry.used).map(|(oldest, _)| *oldest) else {
                break;
            };
            kept.bytes -= kept.entries.remove(&oldest).map_or(0, |entry| entry.bytes);
            self.counts.image_evictions.add(1);
        }
    }

    /// Forgets an entry that nobody has made.
    fn forget(&self, hash: ScriptHash, cell: &Arc<OnceCell<Compiled>>) {
        let mut kept = self.kept();
        let is_this = |entry: &Entry| Arc::ptr_eq(&entry.compiled, cell) && !cell.initialized();
        if kept.entries.get(&hash).is_some_and(is_this) {
            kept.entries.remove(&hash);
        }
    }
}
