//! The memory of all VMs together, and the share of a config.

use howk_contract::ConfigId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Share of the memory that one config may have: one of so many.
const SHARES: usize = 4;

/// The memory of all VMs.
#[derive(Debug)]
pub(crate) struct Budget {
    total_bytes: usize,
    used_bytes: AtomicUsize,
    configs: Mutex<HashMap<ConfigId, usize>>,
}

/// The memory that one VM has of it; it gives that back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    /// None for the engine's own work.
    config: Option<ConfigId>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(total_bytes: usize) -> Arc<Self> {
        Arc::new(Budget { total_bytes, used_bytes: AtomicUsize::new(0), configs: Mutex::default() })
    }

    /// A lease of nothing.
    pub(crate) fn lease(self: &Arc<Self>, config: Option<ConfigId>) -> Lease {
        Lease { budget: Arc::clone(self), config, bytes: 0 }
    }

    /// Bytes that VMs have.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }
}

impl Lease {
    /// Takes more of the budget; false when all, or the config, would have too much.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let budget = &self.budget;
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= budget.total_bytes);
        if budget.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_err() {
            return false;
        }
        if let Some(config) = &self.config {
            let mut configs = budget.configs.lock().unwrap_or_else(PoisonError::into_inner);
            let used = configs.get(config).copied().unwrap_or(0);
            if used + bytes > budget.total_bytes / SHARES {
                budget.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
            match configs.get_mut(config) {
                Some(used) => *used += bytes,
                None => drop(configs.insert(config.clone(), bytes)),
            }
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        self.budget.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Some(config) = &self.config {
            let mut configs = self.budget.configs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(used) = configs.get_mut(config) {
                *used = used.saturating_sub(self.bytes);
                if *used == 0 {
                    configs.remove(config);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str) -> ConfigId {
        name.parse().unwrap()
    }

    #[test]
    fn a_config_has_a_quarter_and_all_have_all() {
        let budget = Budget::new(400);
        let mut a = budget.lease(Some(config("a")));
        assert!(a.grow(60) && a.grow(40) && !a.grow(1));
        let mut again = budget.lease(Some(config("a")));
        assert!(!again.grow(1), "it is the config's, not the event's");
        let others: Vec<Lease> = ["b", "c"]
            .map(|name| {
                let mut lease = budget.lease(Some(config(name)));
                assert!(lease.grow(100));
                lease
            })
            .into();
        let mut own = budget.lease(None);
        assert!(own.grow(100) && !own.grow(1));
        assert_eq!(budget.used_bytes(), 400);
        drop(a);
        assert!(again.grow(100));
        drop((again, others, own));
        assert_eq!((budget.used_bytes(), budget.configs.lock().unwrap().len()), (0, 0));
    }
}
