//! Counts for metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Count of calls with one result, in words for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// The module: `http`, `kv`, `crypto`, `log`.
    pub module: &'static str,
    /// The function, or `cache` of `http`.
    pub op: &'static str,
    /// `ok`, `error` or `retryable`; of the cache: `hit`, `miss`, `joined` or `bypass`.
    pub result: &'static str,
    /// Number of them.
    pub count: u64,
}

/// Counts of calls.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<(&'static str, &'static str, &'static str), u64>>);

impl Counts {
    pub(crate) fn add(&self, module: &'static str, op: &'static str, result: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((module, op, result)).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Vec<CallCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |(&(module, op, result), &count)| CallCount { module, op, result, count };
        counts.iter().map(count).collect()
    }
}
